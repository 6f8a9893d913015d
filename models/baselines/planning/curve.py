"""What a call of an app costs in a region at a given slowdown, from the calls of its past. Not here: cold starts, waiting, carbon."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simulator import kernel
from simulator.places.constants import app_constants

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
# Dense around 1.5, where a call that is not otherwise delayed begins to miss (`slo.factor`).
SLOWDOWNS = np.array([1, 1.1, 1.2, 1.3, 1.4, 1.45, 1.5, 1.52, 1.55, 1.6, 1.7, 1.85, 2, 2.3, 2.8, 3.2])
MOST_CALLS = 20_000  # of an app; more change the mean by less than its noise over days


def cost_curve(scenario: Scenario, until: Int64) -> Float64:
    """Return the mean cost of a warm call, USD, float64 [A, R, len(SLOWDOWNS)]; 0 for an app without calls.

    Request, egress, billed time, the value of the latency beyond the call's own duration, and a miss where the latency is above the limit.

    Args:
        scenario: the world.
        until: int64 [A], end of each app's calls that are known; with more than MOST_CALLS, every n-th is taken.
    """
    calls, t = scenario.calls, scenario.tables
    constants = app_constants(scenario, scenario.apps.memory_mb)
    curve = np.zeros((len(until), len(t.regions), len(SLOWDOWNS)))
    weights = np.array([scenario.objective.latency_usd_per_s / 1e6, scenario.objective.miss_usd])
    limit = np.array([scenario.slo.floor_us, scenario.slo.factor], dtype=np.float64)
    for a, (lo, _) in enumerate(pairwise(calls.first_call.tolist())):
        part = slice(lo, int(until[a]), max(1, -(-(int(until[a]) - lo) // MOST_CALLS)))
        columns = (calls.duration_us[part], calls.bytes_in[part], calls.bytes_out[part], calls.origin[part])
        if len(columns[0]):
            _mean_cost(*columns, t.rtt_us, constants[a], SLOWDOWNS, weights, limit, curve[a])
    return curve


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
