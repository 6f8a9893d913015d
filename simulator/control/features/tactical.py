"""What the tactical layer observes as specified: seven numbers with three clouds, one placement of the given cloud chosen.

Not here: learners, scaling. The environment documents the columns: `simulator.envs.tactical.TacticalEnv`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from simulator.control.decision import Decision
from simulator.control.features.estimate import Places

if TYPE_CHECKING:
    from simulator.control.view import Facts, View

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
VERSION = 1
NEEDS_STEPS = False


class Known:
    """What the features of one run are made of beside the view."""

    def __init__(self, facts: Facts) -> None:
        self.facts, self.places = facts, facts.made(Places.of)
        self.one_hot = np.eye(len(facts.tables.clouds), dtype=np.float32)
        self.apps = np.arange(len(facts.apps.app_ids))
        self.allowed = facts.is_allowed.astype(np.float64)
        self.choices = self.allowed @ self.places.is_in_cloud  # allowed placements of each app in each cloud, [A, C]

    def candidates(self, view: View) -> Int64:
        """Placements that each app chooses among, int64 [A, N]; -1: none."""
        return self.places.candidates[view.cloud]


def start(facts: Facts) -> Known:
    """Return what a run remembers; nothing of it changes."""
    return facts.made(Known)


def space(facts: Facts) -> spaces.Box:
    """The space of one app's observation."""
    return spaces.Box(0.0, 1.0, (len(facts.tables.clouds) + 4,), np.float32)


def actions(facts: Facts) -> spaces.Discrete:
    """The space of one app's action."""
    return spaces.Discrete(facts.made(Places.of).candidates.shape[1])


def observe(view: View, known: Known) -> Float32:
    """Return the features, float32 [A, C + 4]."""
    c, now, apps = len(known.one_hot), view.past.history, known.apps
    region = view.facts.tables.region_of_placement[view.placement]
    found = np.empty((len(apps), c + 4), dtype=np.float32)
    found[:, :c] = known.one_hot[view.cloud]
    found[:, c] = known.places.locality[apps, region]
    found[:, c + 1] = now.cold[-1, apps, view.cloud]
    rtt_us = np.einsum("am,am->a", now.origins[-1], known.places.rtt_us[region])
    found[:, c + 2] = (rtt_us - known.places.rtt_min_us) / known.places.rtt_range_us
    found[:, c + 3] = view.past.once((view.facts, "utilisation"), lambda: _utilisation(view, known))[apps, view.cloud]
    return np.clip(found, 0, 1, out=found)


def _utilisation(view: View, known: Known) -> Float64:
    """Mean utilisation of the allowed placements of each cloud, float64 [A, C]; without any 0."""
    used = known.allowed @ (known.places.is_in_cloud * (view.utilisation_now_ppm / 1e6)[:, None])
    found: Float64 = used / np.maximum(known.choices, 1)
    return found


def mask(view: View, known: Known) -> Bool:
    """Candidates that may be chosen: allowed, and not out in the last finished slot (if all are, allowed is enough), bool [A, N]."""
    found = known.candidates(view)
    allowed = (found >= 0) & view.facts.is_allowed[known.apps[:, None], found]
    if view.is_open.all():
        return allowed
    is_open = allowed & view.is_open[found]
    return np.where(is_open.any(axis=1, keepdims=True), is_open, allowed)


def decision(view: View, known: Known, chosen: NDArray[np.integer]) -> Decision:
    """Return the order for the chosen candidates (int64 [A], 0 .. N - 1); a masked one means to stay."""
    wanted = known.candidates(view)[known.apps, chosen]
    return Decision(placement=np.where(mask(view, known)[known.apps, chosen], wanted, view.placement))
