"""What the strategic layer observes: twenty numbers with three clouds, one cloud chosen.

Not here: learners, scaling. The environment documents the columns: `simulator.envs.strategic.StrategicEnv`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from core.units import DAY_US
from simulator.control.decision import Decision
from simulator.control.features.estimate import DIRTIEST_MG_PER_KWH, CloudsInside, Estimate, least_estimate
from simulator.fleet import Field

if TYPE_CHECKING:
    from simulator.control.view import Facts, View

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
VERSION = 1
NEEDS_STEPS = False
LONGEST_MS, MOST_CALLS = 60_000, 1_000_000
MOST_EXPENSIVE = 4.0  # of home


class Known:
    """What the features of one run are made of beside the view."""

    def __init__(self, facts: Facts) -> None:
        self.estimate, self.clouds = facts.made(Estimate), facts.made(CloudsInside)
        self.has_any = self.clouds.allowed.any(axis=2)
        self.one_hot = np.eye(len(facts.tables.clouds), dtype=np.float32)
        self.apps = np.arange(len(facts.apps.app_ids))
        self.space = space(facts)


def start(facts: Facts) -> Known:
    """Return what a run remembers; nothing of it changes."""
    return facts.made(Known)


def space(facts: Facts) -> spaces.Box:
    """The space of one app's observation."""
    clouds = len(facts.tables.clouds)
    high = np.ones(5 * clouds + 5, dtype=np.float32)
    high[:clouds] = MOST_EXPENSIVE
    low = np.zeros_like(high)
    low[-2:] = -1
    return spaces.Box(low, high, dtype=np.float32)


def actions(facts: Facts) -> spaces.Discrete:
    """The space of one app's action."""
    return spaces.Discrete(len(facts.tables.clouds))


def observe(view: View, known: Known) -> Float32:
    """Return the features, float32 [A, 5 C + 5]."""
    clouds, facts = len(known.one_hot), view.facts
    expected, region = view.past.once((facts, VERSION, "strategic"), lambda: _expected(view, known))
    phase = 2 * np.pi * (view.now_us % DAY_US) / DAY_US
    calls = view.recent[:, Field.CALLS]
    out = np.empty((len(known.apps), 5 * clouds + 5), dtype=np.float32)
    out[:, : 3 * clouds] = expected
    out[:, 3 * clouds : 4 * clouds] = np.where(known.has_any, _throttled(view)[region], 1)
    out[:, 4 * clouds] = np.log1p(calls) / np.log1p(MOST_CALLS)
    out[:, 4 * clouds + 1] = view.recent[:, Field.COLD_STARTS] / np.maximum(view.recent[:, Field.SERVED], 1)
    out[:, 4 * clouds + 2] = 1 - view.recent[:, Field.MISSES] / np.maximum(calls, 1)
    out[:, 4 * clouds + 3 : 5 * clouds + 3] = known.one_hot[facts.cloud_of_placement[view.placement]]
    out[:, -2], out[:, -1] = np.sin(phase), np.cos(phase)
    return np.clip(out, known.space.low, known.space.high, out=out)


def _expected(view: View, known: Known) -> tuple[Float32, NDArray[np.int64]]:
    """The columns that no decision changes, float32 [A, 3 C], and the region of each cloud's best placement, int64 [A, C]."""
    best, of_home = least_estimate(view)
    region = view.facts.tables.region_of_placement[best]
    p95 = np.log1p(known.estimate.p95_us(view, best) / 1000) / np.log1p(LONGEST_MS)
    carbon = (view.grid_mg_per_kwh / DIRTIEST_MG_PER_KWH)[region]
    columns = [np.where(known.has_any, column, worst) for column, worst in ((of_home, MOST_EXPENSIVE), (p95, 1), (carbon, 1))]
    return np.concatenate(columns, axis=1).astype(np.float32), region


def _throttled(view: View) -> Float64:
    """Share of the fleet's calls in each region that waited or were rejected since the last decision, float64 [R]."""
    t = view.facts.tables
    region = t.region_of_placement[view.placement]
    bad = np.bincount(region, view.recent[:, Field.WAITED] + view.recent[:, Field.REJECTED], minlength=len(t.regions))
    return bad / np.maximum(np.bincount(region, view.recent[:, Field.CALLS], minlength=len(t.regions)), 1)


def mask(view: View, known: Known) -> Bool:
    """Clouds with an allowed placement that was not out in the last finished slot (if none has, allowed is enough), bool [A, C]."""

    def make() -> Bool:
        is_open: Bool = np.any(known.clouds.allowed & view.is_open[known.clouds.inside], axis=2)
        return np.where(is_open.any(axis=1, keepdims=True), is_open, known.has_any)

    return view.past.once((view.facts, "strategic mask"), make).copy()


def decision(view: View, known: Known, chosen: NDArray[np.integer]) -> Decision:
    """Return the order for the chosen clouds (int64 [A]); a masked one means the cloud where the app runs."""
    may = mask(view, known)[known.apps, chosen]
    return Decision(cloud=np.where(may, chosen, view.facts.cloud_of_placement[view.placement]).astype(np.int64))
