"""What the planner learns of the past of one scenario: cost curves, levels, response, carbon, volumes, congestion. Not here: deciding.

Everything is fitted on calls, conditions and replays before one interval; docs/methods/planner.md has the formulas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from core.units import HOUR_US, PPM, SLOT_US
from models.baselines.planning import congestion
from models.baselines.planning.congestion import Congestion
from models.baselines.planning.curve import SLOWDOWNS, cost_curve, reject_usd, weights_at
from models.baselines.planning.response import fit_response, response_weights

if TYPE_CHECKING:
    from models.baselines.planning.rows import ReplayRows
    from simulator.scenario import Scenario

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
OWN_REGION = 0.5  # weight of a region's own level; the rest is the mean of its cloud's regions


@dataclass(frozen=True, eq=False)
class Learned:
    """A apps, R regions.

    Args:
        curve_usd: float64 [A, R, len(SLOWDOWNS)], a warm call at a slowdown, see `cost_curve`.
        level_usd: float64 [A, R], what a call costs beyond the curve and the response.
        plain_level_usd: float64 [A, R], what a call costs beyond the curve.
        response_usd: float64 [A, len(KNOTS)], what a call costs beyond curve and level at a utilisation.
        carbon_usd: float64 [A, R], a call's carbon by a grid of 1 mg/kWh.
        calls: float64 [A], calls of a tactical interval.
        reject_usd: float64 [A], what a rejected call is charged.
        functions: int64 [A], how many an app has.
        known_calls: int64 [A], how many calls all this was learned from.
        congestion_weights, congestion_residual: see `Congestion`.
    """

    curve_usd: Float64
    level_usd: Float64
    plain_level_usd: Float64
    response_usd: Float64
    carbon_usd: Float64
    calls: Float64
    reject_usd: Float64
    functions: Int64
    known_calls: Int64
    congestion_weights: Float64
    congestion_residual: Float64

    @property
    def congestion(self) -> Congestion:
        """The forecast of congestion."""
        return Congestion(self.congestion_weights, self.congestion_residual)


def learn(scenario: Scenario, rows: ReplayRows, end_step: int, forecast: Congestion | None = None) -> Learned:
    """Learn from everything before a step.

    Args:
        scenario: the world.
        rows: replays; those of intervals that have not ended by then are left out.
        end_step: a tactical barrier.
        forecast: of congestion; None: it is fitted, too.
    """
    world, calls = scenario.world, scenario.calls
    intervals = end_step // world.tactical_steps
    slots_of_interval = world.tactical_us // SLOT_US
    slots = intervals * slots_of_interval
    seen, past = scenario.conditions, rows.before(intervals)
    is_out = seen.capacity[:, :slots] == 0
    used_ppm = seen.utilisation_ppm[:, :slots].astype(np.int64)
    is_before = np.concatenate([[0], np.cumsum(calls.arrival_us < end_step * world.step_us)])
    until = calls.first_call[:-1] + np.diff(is_before[calls.first_call])
    curve = cost_curve(scenario, until)
    has_outage = is_out.reshape(len(is_out), intervals, slots_of_interval).any(axis=2)
    over = beyond_curve(scenario, past, curve, until, slots)
    is_used = ~has_outage[:, past.interval].T
    level = _levels(scenario, past, over, is_used)
    used = used_ppm.reshape(len(is_out), intervals, slots_of_interval).mean(axis=2) / PPM
    above = over - level[past.app][:, scenario.tables.region_of_placement] * past.calls[:, None]
    response = fit_response(past, above, used, is_used, len(until))
    beyond = np.einsum("npk,nk->np", response_weights(used)[:, past.interval].transpose(1, 0, 2), response[past.app])
    forecast = forecast or congestion.fit(used_ppm, is_out, slots_of_interval, world)
    count = np.bincount(past.app, past.calls, minlength=len(until))
    return Learned(
        curve_usd=curve,
        level_usd=_levels(scenario, past, over - beyond * past.calls[:, None], is_used),
        plain_level_usd=level,
        response_usd=response,
        carbon_usd=_carbon(scenario, past),
        calls=count / max(1, intervals),
        reject_usd=reject_usd(scenario, until),
        functions=np.diff(scenario.apps.first_function),
        known_calls=until - calls.first_call[:-1],
        congestion_weights=forecast.weights,
        congestion_residual=forecast.residual,
    )


def beyond_curve(scenario: Scenario, rows: ReplayRows, curve: Float64, until: Int64, slots: int) -> Float64:
    """Objective without carbon less what the curve says for the slots in which the calls came, USD, float64 [N, P]."""
    calls, apps = scenario.calls, len(until)
    by_slot = np.zeros((apps, slots))
    for a, (lo, hi) in enumerate(zip(calls.first_call[:-1].tolist(), until.tolist(), strict=True)):
        by_slot[a] = np.bincount(calls.arrival_us[lo:hi] // SLOT_US, minlength=slots)[:slots]
    width = scenario.world.tactical_us // SLOT_US
    found = rows.usd.astype(np.float64)
    for p, r in enumerate(scenario.tables.region_of_placement.tolist()):
        weights = weights_at(SLOWDOWNS, scenario.conditions.slowdown_permille[p, :slots] / 1000.0)
        expected = by_slot * (curve[:, r] @ weights.T)
        found[:, p] -= expected.reshape(apps, -1, width).sum(axis=2)[rows.app, rows.interval]
    return found


def _levels(scenario: Scenario, rows: ReplayRows, over: Float64, is_used: Bool) -> Float64:
    """Mean of `over` (USD, float64 [N, P]) per call by app and region, pooled over zones and half over the regions of a cloud, [A, R]."""
    t, apps = scenario.tables, len(scenario.apps.app_ids)
    total, count = _by_app(rows, over * is_used, apps), _by_app(rows, is_used * rows.calls[:, None], apps)
    by_placement = total / np.maximum(count, 1.0)
    zones = np.eye(len(t.regions))[t.region_of_placement]
    by_region = by_placement @ zones / zones.sum(axis=0)
    regions = np.eye(len(t.clouds))[t.cloud_of_region]
    by_cloud = by_region @ regions / regions.sum(axis=0)
    return OWN_REGION * by_region + (1 - OWN_REGION) * by_cloud[:, t.cloud_of_region]


def _carbon(scenario: Scenario, rows: ReplayRows) -> Float64:
    """Carbon of a call by 1 mg/kWh of the region's grid, USD, float64 [A, R]: the sum over calls by that of the grid when they came."""
    t, apps = scenario.tables, len(scenario.apps.app_ids)
    hour = rows.interval.astype(np.int64) * scenario.world.tactical_us // HOUR_US
    grid = scenario.conditions.carbon_mg_per_kwh[:, np.minimum(hour, scenario.conditions.carbon_mg_per_kwh.shape[1] - 1)].T
    total, weight = _by_app(rows, rows.carbon_usd, apps), _by_app(rows, grid * rows.calls[:, None], apps)
    zones = np.eye(len(t.regions))[t.region_of_placement]
    return (total @ zones / zones.sum(axis=0)) / np.maximum(weight, 1.0)


def _by_app(rows: ReplayRows, values: NDArray[np.number], apps: int) -> Float64:
    """Sums of the values of every app's rows ([N, ...]), float64 [apps, ...]."""
    own = csr_array((np.ones(len(rows.app)), (rows.app, np.arange(len(rows.app)))), shape=(apps, len(rows.app)))
    found: Float64 = own @ values.astype(np.float64)
    return found
