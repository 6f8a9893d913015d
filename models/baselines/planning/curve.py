"""What a call of an app costs in a region at a given slowdown, from the calls of its past. Not here: cold starts, waiting, carbon."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simulator import kernel
from simulator.places.constants import app_constants

if TYPE_CHECKING:
    from simulator.control.view import Facts
    from simulator.scenario import Scenario
    from simulator.workload import Calls

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
# Dense around 1.5, where a call that is not otherwise delayed begins to miss (`slo.factor`).
SLOWDOWNS = np.array([1, 1.1, 1.2, 1.3, 1.4, 1.45, 1.5, 1.52, 1.55, 1.6, 1.7, 1.85, 2, 2.3, 2.8, 3.2])
TYPICAL_CALLS = 400
MOST_CALLS = 20_000  # of an app; more change the mean by less than its noise over days


@dataclass(frozen=True, eq=False)
class SampledCalls:
    """n calls: int64 duration_us, int32 bytes_in and bytes_out, int8 origin (the metro of the caller)."""

    duration_us: Int64
    bytes_in: NDArray[np.int32]
    bytes_out: NDArray[np.int32]
    origin: NDArray[np.int8]

    @classmethod
    def of(cls, calls: Calls, part: slice) -> SampledCalls:
        """A part of the calls of a scenario."""
        return cls(calls.duration_us[part], calls.bytes_in[part], calls.bytes_out[part], calls.origin[part])

    def called_from(self, metro: int) -> SampledCalls:
        """The same calls, all from one metro."""
        return replace(self, origin=np.full(len(self.origin), metro, dtype=np.int8))


def typical_calls(scenario: Scenario, count: int = TYPICAL_CALLS) -> SampledCalls:
    """Return calls of a fleet in which every app counts the same, however often it is called; at most about `count`."""
    first, calls = scenario.calls.first_call, scenario.calls
    called = np.flatnonzero(np.diff(first) > 0)
    each = max(1, count // max(1, len(called)))
    picked = [np.linspace(first[a], first[a + 1] - 1, min(each, first[a + 1] - first[a])).astype(np.int64) for a in called.tolist()]
    at = np.concatenate(picked)
    return SampledCalls(calls.duration_us[at], calls.bytes_in[at], calls.bytes_out[at], calls.origin[at])


def cost_curve(scenario: Scenario, until: Int64) -> Float64:
    """Return the mean cost of a warm call, USD, float64 [A, R, len(SLOWDOWNS)]; 0 for an app without calls.

    Args:
        scenario: the world.
        until: int64 [A], end of each app's calls that are known; with more than MOST_CALLS, every n-th is taken.
    """
    constants = app_constants(scenario, scenario.apps.memory_mb)
    curve = np.zeros((len(until), len(scenario.tables.regions), len(SLOWDOWNS)))
    for a, lo in enumerate(scenario.calls.first_call[:-1].tolist()):
        part = slice(lo, int(until[a]), max(1, -(-(int(until[a]) - lo) // MOST_CALLS)))
        if int(until[a]) > lo:
            curve[a] = curve_of(SampledCalls.of(scenario.calls, part), scenario.tables.rtt_us, constants[a], scenario)
    return curve


def curve_of(calls: SampledCalls, rtt_us: Int64, constants: Int64, weights: Scenario | Facts) -> Float64:
    """Return the mean cost of calls, if they found a warm instance, USD, float64 [R, len(SLOWDOWNS)].

    Request, egress, billed time, the value of the latency beyond the call's own duration, and a miss where the latency is above the limit.

    Args:
        calls: at least one.
        rtt_us: int64 [M, R], from the origin to the region.
        constants: int64 [R, kernel.CONSTANTS] of an app.
        weights: its objective and limits.
    """
    usd = np.array([weights.objective.latency_usd_per_s / 1e6, weights.objective.miss_usd])
    limit = np.array([weights.slo.floor_us, weights.slo.factor], dtype=np.float64)
    out = np.zeros((len(constants), len(SLOWDOWNS)))
    _mean_cost(calls.duration_us, calls.bytes_in, calls.bytes_out, calls.origin, rtt_us, constants, SLOWDOWNS, usd, limit, out)
    return out


def reject_usd(scenario: Scenario, until: Int64) -> Float64:
    """Return what a rejected call of each app is charged, USD, float64 [A]: a miss, twice its execution at home, the time it waited.

    Args:
        scenario: the world.
        until: int64 [A], end of each app's calls that are known; the execution is that of their mean.
    """
    first, weights, apps = scenario.calls.first_call[:-1], scenario.objective, np.arange(len(until))
    total = np.concatenate([[0], np.cumsum(scenario.calls.duration_us)])
    mean_s = (total[until] - total[first]) / 1e6 / np.maximum(until - first, 1)
    at_home = scenario.tables.region_of_placement[scenario.apps.home]
    price = app_constants(scenario, scenario.apps.memory_mb)[apps, at_home, kernel.PRICE] / 1e9
    waited = scenario.world.timeout_us / 1e6 * weights.latency_usd_per_s
    usd: Float64 = weights.miss_usd + weights.reject_extra_usd + 2 * mean_s * price + waited
    return usd


@njit(cache=True)
def _mean_cost(  # pragma: no cover
    duration_us: Int64,
    bytes_in: NDArray[np.int32],
    bytes_out: NDArray[np.int32],
    origin: NDArray[np.int8],
    rtt_us: Int64,
    constants: Int64,
    slowdowns: Float64,
    weights: Float64,
    limit: Float64,
    out: Float64,
) -> None:
    """Write the means of one app's calls to `out`, float64 [R, len(slowdowns)]; see `cost_curve` and docs/methods/world.md."""
    for r in range(len(constants)):
        c = constants[r]
        granularity, minimum, usd_per_us = float(c[kernel.GRANULARITY]), float(c[kernel.MINIMUM]), c[kernel.PRICE] * 1e-15
        for i in range(len(duration_us)):
            duration, rtt = float(duration_us[i]), float(rtt_us[origin[i], r])
            fetch = c[kernel.DATA_RTT] + bytes_in[i] * c[kernel.US_PER_KIB] / 1024
            egress = bytes_in[i] * c[kernel.EGRESS_IN] + bytes_out[i] * c[kernel.EGRESS_OUT]
            fixed = c[kernel.REQUEST] * 1e-9 + egress * 1e-15
            for g in range(len(slowdowns)):
                work = fetch + duration * slowdowns[g]
                billed = max(minimum, np.ceil(work / granularity) * granularity)
                latency = rtt + work
                is_missed = latency > limit[0] + limit[1] * duration
                out[r, g] += fixed + billed * usd_per_us + weights[0] * max(0.0, latency - duration) + weights[1] * is_missed
        for g in range(len(slowdowns)):
            out[r, g] /= len(duration_us)


def weights_at(grid: Float64, values: Float64) -> Float64:
    """Return weights of linear interpolation between the points of a grid, float64 [..., len(grid)]; constant outside.

    They are the values of the hat functions of the grid, so that `weights @ table` is the table at `values`.
    """
    inside = np.clip(values, grid[0], grid[-1])
    left = np.clip(np.searchsorted(grid, inside, side="right") - 1, 0, len(grid) - 2)
    share = (inside - grid[left]) / (grid[left + 1] - grid[left])
    out = np.zeros((*inside.shape, len(grid)))
    np.put_along_axis(out, left[..., None], (1.0 - share)[..., None], axis=-1)
    np.put_along_axis(out, left[..., None] + 1, share[..., None], axis=-1)
    return out
