"""What a network that scores placements observes: eleven features of every candidate, of the given cloud or of all.

Not here: the app's own past (lagged.py), learners, scaling. The environment documents the columns:
`simulator.envs.tactical.TacticalCandidatesEnv`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from simulator.control.features import tactical
from simulator.control.features.estimate import DIRTIEST_MG_PER_KWH, FAR_US, Estimate
from simulator.control.features.tactical import decision, mask
from simulator.control.view import UP
from simulator.kernel import PRICE

if TYPE_CHECKING:
    from simulator.control.decision import Scope
    from simulator.control.view import Facts, View

__all__ = ["NEEDS_STEPS", "VERSION", "actions", "decision", "mask", "observe", "space", "start"]

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
VERSION = 1
NEEDS_STEPS = False
TREND_SLOTS = 5  # the trend of the utilisation is its change over 25 minutes
FEATURES = 11


class Known(tactical.Known):
    """What the features of one run are made of beside the view.

    Args:
        facts: of the scenario.
        levels_usd: float64 [A, P], what a call of each app costs at each placement as learned on the train span; None: the estimate.
        scope: candidates are the placements of the given cloud, or all placements in the order of the tables.
    """

    def __init__(self, facts: Facts, levels_usd: Float64 | None = None, scope: Scope = "cloud") -> None:
        super().__init__(facts)
        self.scope = scope
        self.levels_usd, self.estimate = levels_usd, facts.made(Estimate)
        price = self.estimate.constants[:, :, PRICE]
        self.price = (price / price.max(axis=1, keepdims=True))[:, facts.tables.region_of_placement]
        first = facts.apps.first_function
        self.app_of_function = np.repeat(self.apps, np.diff(first))
        self._all = np.broadcast_to(np.arange(len(facts.tables.zones)), facts.is_allowed.shape)

    def candidates(self, view: View) -> Int64:
        """Placements that each app chooses among, int64 [A, N]; -1: none."""
        return self._all if self.scope == "all" else super().candidates(view)


def start(facts: Facts, levels_usd: Float64 | None = None, scope: Scope = "cloud") -> Known:
    """Return what a run remembers; `levels_usd` and `scope`: see `Known`."""
    return Known(facts, levels_usd, scope)


def space(facts: Facts, scope: Scope = "cloud") -> spaces.Box:
    """The space of one app's observation."""
    return spaces.Box(-1.0, 1.0, (int(actions(facts, scope).n), FEATURES), np.float32)


def actions(facts: Facts, scope: Scope = "cloud") -> spaces.Discrete:
    """The space of one app's action."""
    return spaces.Discrete(len(facts.tables.zones)) if scope == "all" else tactical.actions(facts)


def observe(view: View, known: Known) -> Float32:
    """Return the features of every candidate, float32 [A, N, 11]; rows without a candidate are 0."""
    apps, found, now = known.apps[:, None], known.candidates(view), view.past.history
    region = view.facts.tables.region_of_placement[found]
    quota = view.facts.world.quota_per_placement
    is_here = found == view.placement[:, None]
    level = known.levels_usd if known.levels_usd is not None else known.estimate.usd(view)
    used = view.utilisation_now_ppm / 1e6
    up = np.bincount(known.app_of_function, view.pools[:, UP], minlength=len(known.apps))
    out = np.empty((*found.shape, FEATURES), dtype=np.float32)
    out[:, :, 0] = known.places.locality[apps, region]
    out[:, :, 1] = (now.origins[-1] @ known.places.rtt_us.T / FAR_US)[apps, region]
    out[:, :, 2] = is_here * (np.log1p(up[:, None]) / np.log1p(quota))
    out[:, :, 3] = now.cold[-1][apps, view.facts.cloud_of_placement[found]]
    out[:, :, 4] = used[found]
    out[:, :, 5] = (used - view.utilisation_before(TREND_SLOTS) / 1e6)[found]
    out[:, :, 6] = (view.free / quota)[found]
    out[:, :, 7] = known.price[apps, found]
    out[:, :, 8] = (view.grid_mg_per_kwh / DIRTIEST_MG_PER_KWH)[region]
    out[:, :, 9] = (level / level.max(axis=1, keepdims=True))[apps, found]
    out[:, :, 10] = is_here
    out[found < 0] = 0
    return np.clip(out, -1, 1, out=out)
