"""The planner: the strongest rule that knows nothing of the future. Not here: what it learns and expects (planning/).

It expects what every placement costs in the coming intervals, finds the exact best way through them for every app, and takes the first
step. `planner_response` adds what an app's own bursts cost in a full zone, `planner_price` what apps cost each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from models.baselines.planning.costs import HORIZON, Costs
from models.baselines.planning.lookahead import Crowding, choose
from models.baselines.planning.response import response_weights
from simulator.control.decision import Decision, PolicyBase, Scope

if TYPE_CHECKING:
    from simulator.control.view import View

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
SWITCH_USD = 1.2e-4  # what a move costs beside its copy: the cold starts of an empty pool
MIN_CALLS = 20  # an app with fewer has taught nothing
GRID_STEP = 0.01  # of the utilisation at which the price on crowding knows the response
Kind = Literal["planner", "planner_response", "planner_price"]


class Planner(PolicyBase):
    """Looks ahead. Good for one run.

    Args:
        costs: what is expected; shared by runs of one scenario.
        name: of the arm.
        horizon: intervals ahead, at most those of `costs`.
        switches: how many times the cost of an empty pool a move must save beside its copy.
        crowding: share of an app's height that counts as taken from the others' capacity; 0: apps do not mind each other.
        period_steps: between decisions.
        scope: 'cloud': it chooses inside the cloud that the layer above has given.
    """

    def __init__(
        self,
        costs: Costs,
        name: str,
        *,
        horizon: int = HORIZON,
        switches: float = 1.0,
        crowding: float = 0.0,
        period_steps: int = 100,
        scope: Scope = "all",
    ) -> None:
        self.scope = scope
        self.costs, self.name, self.horizon, self.period_steps = costs, name, horizon, period_steps
        self.switch_usd, self.crowding = switches * SWITCH_USD, crowding
        self.facts = costs.facts
        self.is_known = costs.learned.known_calls >= MIN_CALLS
        self._is_first, self._coming = True, np.full(self.facts.is_allowed.shape, np.nan)
        self._heights: list[Int64] = []
        if crowding:
            self._response = costs.learned.response_usd @ response_weights(np.arange(0.0, 1.5, GRID_STEP)).T

    def decide(self, view: View) -> Decision:
        """Order the first step of every app's cheapest way; an app of which too little is known stays."""
        expected = self.costs.expected(view)
        self._coming = expected.usd[0]
        height = self._height(view)
        allowed = self.facts.is_allowed & self.is_known[:, None]
        if self.scope == "cloud":
            allowed &= self.facts.cloud_of_placement == view.cloud[:, None]
        stays = np.flatnonzero(~self.is_known)
        allowed[stays, view.placement[stays]] = True
        crowding = None
        if self.crowding:
            quota = float(self.facts.world.quota_per_placement)
            crowding = Crowding(self._response, expected.calls, self.crowding * height, expected.utilisation[0], quota, GRID_STEP)
        chosen = choose(
            expected.usd[: self.horizon],
            self.costs.move_usd(view) + self.switch_usd,
            self.facts.tables.region_of_placement,
            allowed,
            view.placement.copy(),
            (-height * expected.calls).argsort(kind="stable"),
            self._is_first,
            crowding,
        )
        self._is_first = False
        return Decision(placement=chosen)

    def estimates(self, view: View) -> tuple[Float64, str]:
        """Cost of the coming interval at every placement as of the last decision, float64 [A, P]; NaN where an app may not run."""
        return np.where(self.facts.is_allowed, self._coming, np.nan), "USD"

    def _height(self, view: View) -> Float64:
        """Most instances of each app in the last 3 intervals, at least half of the most in the last day, float64 [A]."""
        self._heights.append(view.peak)
        day = max(3, 86_400 // (self.facts.world.step_s * self.period_steps))
        del self._heights[:-day]
        recent, all_day = np.max(self._heights[-3:], axis=0), np.max(self._heights, axis=0)
        return np.maximum(recent, 0.5 * all_day).astype(np.float64)
