"""What observations are made of: the cost of a call anywhere, distances, instances that are up. Not here: the environments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simulator import kernel
from simulator.control.history import BYTES_IN, BYTES_OUT, DURATION
from simulator.places.constants import app_constants

if TYPE_CHECKING:
    from simulator.control.history import History
    from simulator.control.view import Observation
    from simulator.fleet import Fleet
    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
FAR_US = 250_000  # a round trip that counts as out of reach
DIRTIEST_MG_PER_KWH = 1_000_000  # a grid that counts as 1
OFTEN_COLD = 0.05  # above this share of cold starts the 95 % quantile of latency holds one


@dataclass(frozen=True, eq=False)
class Places:
    """What the tables say about A apps in R regions, P placements of C clouds, in the shapes that observations need.

    Args:
        candidates: int64 [C, N], the placements of each cloud in the order of the tables; -1 after the last of a smaller cloud.
        cloud: int64 [P]. is_in_cloud: float64 [P, C], 1 where the placement is the cloud's.
        locality: float32 [A, R], 1 - min(1, data round trip / 250 ms).
        rtt_us: float32 [R, M], from the origin metro.
        rtt_min_us, rtt_range_us: of the table, over all origins and regions.
    """

    candidates: Int64
    cloud: Int64
    is_in_cloud: Float64
    locality: Float32
    rtt_us: Float32
    rtt_min_us: float
    rtt_range_us: float

    @classmethod
    def of(cls, scenario: Scenario) -> Places:
        """The places of a scenario."""
        t = scenario.tables
        cloud = t.cloud_of_region[t.region_of_placement]
        members = [np.flatnonzero(cloud == c) for c in range(len(t.clouds))]
        candidates = np.full((len(t.clouds), max(map(len, members))), -1, dtype=np.int64)
        for c, placements in enumerate(members):
            candidates[c, : len(placements)] = placements
        data_rtt = t.data_rtt_us[scenario.apps.data_region]
        return cls(
            candidates=candidates,
            cloud=cloud,
            is_in_cloud=np.eye(len(t.clouds))[cloud],
            locality=(1 - np.minimum(1, data_rtt / FAR_US)).astype(np.float32),
            rtt_us=np.ascontiguousarray(t.rtt_us.T, dtype=np.float32),
            rtt_min_us=float(t.rtt_us.min()),
            rtt_range_us=float(max(1, t.rtt_us.max() - t.rtt_us.min())),
        )


class Estimate:
    """Expected cost of one call of each app at each placement: the app's mean call in the conditions of an observation, warm.

    In it: execution with the slowdown there, request, egress, carbon of the execution and the network, the value of the excess latency, and
    a miss if the mean call misses. Not in it: cold starts, waiting, idle instances, moves.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.region = scenario.tables.region_of_placement
        self.constants = app_constants(scenario, scenario.apps.memory_mb).astype(np.float64)

    def rtt_us(self, origins: Float32) -> Float64:
        """Mean round trip of the callers (float32 [A, M]) to each region, [A, R]."""
        return origins.astype(np.float64) @ self.scenario.tables.rtt_us

    def fetch_us(self, mean: Float64) -> Float64:
        """Time to read the input of the mean call (float64 [A, 3]) in each region, [A, R]."""
        return self.constants[:, :, kernel.DATA_RTT] + mean[:, BYTES_IN, None] * self.constants[:, :, kernel.US_PER_KIB] / 1024

    def usd(self, seen: Observation, mean: Float64, origins: Float32) -> Float64:
        """Return the objective of one call, USD, float64 [A, P].

        Args:
            seen: slowdown and carbon.
            mean: float64 [A, 3], see `History`.
            origins: float32 [A, M], see `History`.
        """
        c, weights, slo = self.constants, self.scenario.objective, self.scenario.slo
        region, data_region = self.region, self.scenario.apps.data_region
        duration, bytes_in, bytes_out = (mean[:, i, None] for i in (DURATION, BYTES_IN, BYTES_OUT))
        grid = seen.carbon_mg_per_kwh.astype(np.float64)
        fetch = self.fetch_us(mean)
        around = self.rtt_us(origins) + fetch
        network_ng = (bytes_in * (grid[None, :] + grid[data_region][:, None]) / 2 + bytes_out * grid[None, :]) / 1e6
        carbon_ng_per_us = c[:, :, kernel.BUSY_UW] / 1e6 * grid / 3.6e6
        nanousd_per_us = c[:, :, kernel.PRICE] / 1e6 + carbon_ng_per_us * weights.carbon_usd_per_kg / 1e3
        egress = (bytes_in * c[:, :, kernel.EGRESS_IN] + bytes_out * c[:, :, kernel.EGRESS_OUT]) / 1e6
        fixed = c[:, :, kernel.REQUEST] + egress + network_ng * weights.carbon_usd_per_kg / 1e3
        execution = duration * seen.slowdown_permille / 1000
        latency = around[:, region] + execution
        nanousd = fixed[:, region] + nanousd_per_us[:, region] * (fetch[:, region] + execution)
        is_missed = latency > slo.floor_us + duration * slo.factor
        excess_s = np.maximum(0, latency - duration) / 1e6
        return nanousd / 1e9 + excess_s * weights.latency_usd_per_s + is_missed * weights.miss_usd

    def p95_us(self, seen: Observation, past: History, row: int, best: Int64) -> Float64:
        """Return the expected 95 % quantile of latency at placements `best` (int64 [A, C], of cloud 0, 1, ...), float64 [A, C].

        The round trip, the fetch, the quantile of the app's durations with the slowdown there, and, where more than 5 % of the calls are
        likely to be cold, the cold start that is exceeded by 5 % of all calls.
        """
        t = self.scenario.tables
        apps, region = np.arange(len(best))[:, None], self.region[best]
        cold, law = past.cold[row], t.cold_start_us[:, self.scenario.apps.package].transpose(1, 0, 2)
        at = np.maximum(0, 1 - OFTEN_COLD / np.maximum(cold, 1e-9)) * (law.shape[2] - 1)
        cold_us = np.take_along_axis(law, np.rint(at).astype(np.int64)[:, :, None], axis=2)[:, :, 0] * (cold > OFTEN_COLD)
        around = self.rtt_us(past.origins[row]) + self.fetch_us(past.mean[row])
        return around[apps, region] + past.p95_us[row][:, None] * seen.slowdown_permille[best] / 1000 + cold_us


def instances(fleet: Fleet) -> Int64:
    """Count the instances of each app where it runs now, as of the fleet's barrier: int64 [A, 2], those that are up and those that work."""
    return _instances(*fleet.slab, fleet.state.pools, fleet.static.first_pool, fleet.step * fleet.scenario.world.step_us)


@njit(cache=True)
def _instances(free_at: Int64, expiry: Int64, pools: Int64, first_pool: Int64, now: int) -> Int64:  # pragma: no cover
    """Walk the heap and the stack of every pool (their layout: simulator/kernel.py)."""
    found = np.zeros((len(first_pool) - 1, 2), dtype=np.int64)
    for a in range(len(found)):
        for q in range(first_pool[a], first_pool[a + 1]):
            begin, size, busy, idle = pools[q, kernel.START], pools[q, kernel.SIZE], pools[q, kernel.BUSY], pools[q, kernel.IDLE]
            for j in range(busy + idle):
                i = begin + j if j < busy else begin + size - idle + (j - busy)
                found[a, 0] += expiry[i] > now
                found[a, 1] += free_at[i] > now
    return found
