"""What the coming intervals are expected to cost every app at every placement. Not here: choosing (lookahead.py), learning (learned.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.units import HOUR_US, SLOT_US
from models.baselines.planning.congestion import slowdown
from models.baselines.planning.curve import SLOWDOWNS, weights_at
from models.baselines.planning.response import response_weights
from models.baselines.planning.volumes import expected_calls
from simulator.places.prices import copy_nanousd_per_mb

if TYPE_CHECKING:
    from models.baselines.planning.learned import Learned
    from simulator.control.view import Facts, View

Float64 = NDArray[np.float64]
OUTAGE_USD, OUTAGE_FADING = 6e-4, 0.7  # of a call at a zone that was out in the last slot, and what is left of it an interval later
CARBON_REVERSION = 0.8  # how much of yesterday's change of the grid comes again
DAY_HOURS = 24
HORIZON = 10  # intervals; 3 cost at most 1 % more


class Expected(NamedTuple):
    """What is expected at a barrier.

    Args:
        usd: float64 [horizon, A, P], objective of the coming intervals without moves.
        calls: float64 [A], of an interval.
        utilisation: float64 [horizon, P].
    """

    usd: Float64
    calls: Float64
    utilisation: Float64

    @property
    def used(self) -> Float64:
        """Utilisation of the coming interval, float64 [P]."""
        found: Float64 = self.utilisation[0]
        return found


class Costs:
    """Expected costs at the tactical barriers of a scenario, the prior of whatever improves on the planner.

    They depend on the barrier alone, not on what was decided before, so that runs of one scenario may share one object.

    Args:
        facts: of the scenario.
        learned: of its past.
        has_response: whether the app's own bursts are priced by how full a zone is.
        horizon: intervals ahead.
    """

    def __init__(self, facts: Facts, learned: Learned, *, has_response: bool = True, horizon: int = HORIZON) -> None:
        self._used: dict[int, Float64] = {}  # by step
        self._moves: dict[int, Float64] = {}  # by hour
        self.facts, self.learned, self.has_response, self.horizon = facts, learned, has_response, horizon
        self.level_usd = learned.level_usd if has_response else learned.plain_level_usd
        per_mb = copy_nanousd_per_mb(facts.tables) / 1e9
        self._copy_usd = facts.apps.state_bytes[:, None, None] / 1e6 * per_mb
        self._copy_kg_per_mg = facts.apps.state_bytes / 1e6 / 1e12  # at a grid of 1 mg/kWh
        self._known: dict[int, Expected] = {}

    def without_response(self) -> Costs:
        """The same without the response; both see one forecast of congestion."""
        found = Costs(self.facts, self.learned, has_response=False, horizon=self.horizon)
        found._used, found._moves = self._used, self._moves
        return found

    def expected(self, view: View) -> Expected:
        """Return what is expected at the barrier of a view."""
        if view.step not in self._known:
            self._known[view.step] = self._expect(view)
        return self._known[view.step]

    def _expect(self, view: View) -> Expected:
        calls, used = expected_calls(view, self.learned.calls), self._utilisation(view)
        return Expected(self._per_call(view, used) * calls[None, :, None], calls, used)

    def usd(self, view: View) -> Float64:
        """Return the objective of the coming intervals without moves, USD, float64 [horizon, A, P], whatever is allowed."""
        return self.expected(view).usd

    def _per_call(self, view: View, used: Float64) -> Float64:
        """What a call costs in the coming intervals at a utilisation (float64 [horizon, P]), USD, float64 [horizon, A, P]."""
        learned, region = self.learned, self.facts.tables.region_of_placement
        nodes = learned.congestion.nodes(used)
        at_slowdown = weights_at(SLOWDOWNS, slowdown(nodes, self.facts.world)).mean(axis=2)  # [horizon, P, points]
        found = np.empty((self.horizon, *self.facts.is_allowed.shape))
        for r in range(len(self.facts.tables.regions)):
            zones = np.flatnonzero(region == r)
            found[:, :, zones] = (learned.curve_usd[:, r] @ at_slowdown[:, zones].transpose(0, 2, 1)) + self.level_usd[:, r, None]
        if self.has_response:
            found += learned.response_usd @ response_weights(nodes).mean(axis=2).transpose(0, 2, 1)
        found += (learned.carbon_usd * self._grid(view)[:, None, :])[:, :, region]
        fading = OUTAGE_USD * OUTAGE_FADING ** np.arange(self.horizon)
        found += fading[:, None, None] * ~view.is_open
        return found

    def _utilisation(self, view: View) -> Float64:
        """The expected utilisation of the coming intervals, float64 [horizon, P]."""
        world, ahead = self.facts.world, self.learned.congestion
        if view.step not in self._used:
            slots = world.tactical_us // SLOT_US
            self._used[view.step] = ahead.expected(view.utilisation_ppm, view.is_out, slots, self.horizon, world)
        return self._used[view.step]

    def move_usd(self, view: View) -> Float64:
        """Return the price of a copy with its carbon, between regions and between the zones of one, USD, float64 [A, R, R]."""
        hour = view.carbon_mg_per_kwh.shape[1]
        if hour not in self._moves:
            self._moves[hour] = self._move_usd(view)
        return self._moves[hour]

    def _move_usd(self, view: View) -> Float64:
        grid = view.grid_mg_per_kwh.astype(np.float64)
        carbon = self._copy_kg_per_mg[:, None, None] * (grid[:, None] + grid[None, :]) / 2 * self.facts.objective.carbon_usd_per_kg
        return self._copy_usd + carbon

    def _grid(self, view: View) -> Float64:
        """Expected carbon intensity of the coming intervals, mg/kWh, float64 [horizon, R]: as now, and most of what changed yesterday."""
        seen = view.carbon_mg_per_kwh.astype(np.float64)
        now = seen.shape[1] - 1
        ahead = (view.now_us + np.arange(self.horizon) * self.facts.world.tactical_us) // HOUR_US
        yesterday = np.minimum(ahead, now + DAY_HOURS) - DAY_HOURS
        if now < DAY_HOURS:
            return np.repeat(seen[:, -1:].T, self.horizon, axis=0)
        change = seen[:, yesterday] - seen[:, [now - DAY_HOURS]]
        return np.maximum(seen[:, [now]] + CARBON_REVERSION * change, 0.0).T
