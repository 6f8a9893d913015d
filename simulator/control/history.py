"""What the calls before a barrier say, for every barrier at once. Not here: conditions, instances, anything a decision could change.

Arrivals do not depend on decisions, so these tables are made once per scenario. Row k holds what was known at barrier k * period_steps
and is made of calls that arrived before it; a later call changes no earlier row, to the bit (sums are of integers).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.units import DAY_US, PPM, SLOT_US
from simulator.scenario import Scenario
from simulator.workload import BYTES_IN_MEDIAN, BYTES_OUT_MEDIAN

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
NOMINAL_US = 1_000_000  # duration of a call of an app that was never called
DURATION, BYTES_IN, BYTES_OUT = range(3)  # columns of `mean`


@dataclass(frozen=True, eq=False)
class History:
    """A apps, C clouds, M metros, K + 1 barriers.

    Args:
        cold: float32 [K + 1, A, C], probability that a gap between calls of the app outlives an idle instance of the cloud: the mean over
            the gaps that ended in the last 24 h; without one, 1.
        origins: float32 [K + 1, A, M], where the calls of the last five minutes came from; without calls the last one ever, before the
            first call the home metro. Rows add up to 1.
        mean: float64 [K + 1, A, 3], duration in us, bytes in and bytes out of the calls of the last 24 h; without calls the last one ever,
            before the first call 1 s and the medians of the app's payload class.
        p95_us: float64 [K + 1, A], 95 % quantile (nearest rank) of the same durations; of size 0 unless asked for.
    """

    cold: Float32
    origins: Float32
    mean: Float64
    p95_us: Float64


def history(scenario: Scenario, period_steps: int, *, has_p95: bool = False) -> History:
    """Return the tables of a scenario for the barriers 0, period_steps, ... up to its end."""
    calls, apps, t = scenario.calls, scenario.apps, scenario.tables
    barrier_us = np.arange(0, scenario.steps + 1, period_steps, dtype=np.int64) * scenario.world.step_us
    first = calls.first_call[:-1][None, :]
    day, until = _windows(calls.first_call, calls.arrival_us, barrier_us, DAY_US)
    recent, _ = _windows(calls.first_call, calls.arrival_us, barrier_us, SLOT_US)
    has_any = until > first
    of_day = np.where(day < until, day, np.maximum(until - 1, first))
    of_slot = np.where(recent < until, recent, np.maximum(until - 1, first))

    def mean(values: NDArray[np.integer], begin: Int64) -> Float64:
        total = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
        return (total[until] - total[begin]) / np.maximum(until - begin, 1)

    gap_us = np.diff(calls.arrival_us, prepend=0)
    gap_us[calls.first_call[:-1][np.diff(calls.first_call) > 0]] = scenario.steps * scenario.world.step_us  # nothing came before it
    share = np.linspace(0, PPM, t.keep_alive_us.shape[1])
    ended = [mean(np.interp(gap_us, law, share).astype(np.int64), day) / PPM for law in t.keep_alive_us]
    cold = np.where((day < until)[:, :, None], np.stack(ended, axis=2), 1.0)
    home = np.eye(len(t.metros))[t.metro_of_region[t.region_of_placement[apps.home]]]
    origins = np.stack([mean(calls.origin == m, of_slot) for m in range(len(t.metros))], axis=2)
    nominal = np.stack(
        [np.full(len(apps.payload), NOMINAL_US), np.array(BYTES_IN_MEDIAN)[apps.payload], np.array(BYTES_OUT_MEDIAN)[apps.payload]], axis=1
    )
    known = np.stack([mean(values, of_day) for values in (calls.duration_us, calls.bytes_in, calls.bytes_out)], axis=2)
    p95 = _p95(calls.duration_us, of_day, until) if has_p95 else np.zeros((0, 0))
    return History(
        cold=cold.astype(np.float32),
        origins=np.where(has_any[:, :, None], origins, home).astype(np.float32),
        mean=np.where(has_any[:, :, None], known, nominal),
        p95_us=p95,
    )


def _windows(first_call: Int64, arrival_us: Int64, barrier_us: Int64, window_us: int) -> tuple[Int64, Int64]:
    """Begin and end of the calls of each app that arrived in [barrier - window, barrier), int64 [K + 1, A] each."""
    begin = np.zeros((len(barrier_us), len(first_call) - 1), dtype=np.int64)
    end = np.zeros_like(begin)
    for a, (lo, hi) in enumerate(pairwise(first_call.tolist())):
        begin[:, a] = lo + np.searchsorted(arrival_us[lo:hi], barrier_us - window_us)
        end[:, a] = lo + np.searchsorted(arrival_us[lo:hi], barrier_us)
    return begin, end


def _p95(duration_us: Int64, begin: Int64, end: Int64) -> Float64:
    """Quantile of each window [begin, end) (int64 [K + 1, A]); of an empty one `NOMINAL_US`."""
    found = np.full(begin.shape, float(NOMINAL_US))
    for k, a in np.argwhere(end > begin):
        window = duration_us[begin[k, a] : end[k, a]]
        rank = -(-95 * len(window) // 100) - 1
        found[k, a] = np.partition(window, rank)[rank]
    return found
