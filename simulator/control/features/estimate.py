"""The expected cost of a call anywhere, and distances: what features of several layers are made of. Not here: features, outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simulator import kernel
from simulator.control.decision import NEVER_STEPS, Decision, PolicyBase, Scope
from simulator.control.history import BYTES_IN, BYTES_OUT, DURATION
from simulator.places.constants import app_constants

if TYPE_CHECKING:
    from simulator.control.view import Facts, View

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
FAR_US = 250_000  # a round trip that counts as out of reach
DIRTIEST_MG_PER_KWH = 1_000_000  # a grid that counts as 1
OFTEN_COLD = 0.05  # above this share of cold starts the 95 % quantile of latency holds one


@dataclass(frozen=True, eq=False)
class Places:
    """What the tables say about A apps in R regions, P placements of C clouds, in the shapes that observations need.

    Args:
        candidates: int64 [C, N], the placements of each cloud in the order of the tables; -1 after the last of a smaller cloud.
        is_in_cloud: float64 [P, C], 1 where the placement is the cloud's.
        locality: float32 [A, R], 1 - min(1, data round trip / 250 ms).
        rtt_us: float32 [R, M], from the origin metro.
        rtt_min_us, rtt_range_us: of the table, over all origins and regions.
    """

    candidates: Int64
    is_in_cloud: Float64
    locality: Float32
    rtt_us: Float32
    rtt_min_us: float
    rtt_range_us: float

    @classmethod
    def of(cls, facts: Facts) -> Places:
        """The places of a scenario."""
        t, cloud = facts.tables, facts.cloud_of_placement
        members = [np.flatnonzero(cloud == c) for c in range(len(t.clouds))]
        candidates = np.full((len(t.clouds), max(map(len, members))), -1, dtype=np.int64)
        for c, placements in enumerate(members):
            candidates[c, : len(placements)] = placements
        data_rtt = t.data_rtt_us[facts.apps.data_region]
        return cls(
            candidates=candidates,
            is_in_cloud=np.eye(len(t.clouds))[cloud],
            locality=(1 - np.minimum(1, data_rtt / FAR_US)).astype(np.float32),
            rtt_us=np.ascontiguousarray(t.rtt_us.T, dtype=np.float32),
            rtt_min_us=float(t.rtt_us.min()),
            rtt_range_us=float(max(1, t.rtt_us.max() - t.rtt_us.min())),
        )


class Estimate:
    """Expected cost of one call of each app at each placement: the app's mean call in the conditions of a view, warm.

    In it: execution with the slowdown there, request, egress, carbon of the execution and the network, the value of the excess latency, and
    a miss if the mean call misses. Not in it: cold starts, waiting, idle instances, moves.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.region = facts.tables.region_of_placement
        self.constants = app_constants(facts, facts.apps.memory_mb).astype(np.float64)
        self.cold_us = np.ascontiguousarray(facts.tables.cold_start_us[:, facts.apps.package].transpose(1, 0, 2))  # [A, C, 257]

    def rtt_us(self, origins: Float32) -> Float64:
        """Mean round trip of the callers (float32 [A, M]) to each region, [A, R]."""
        return origins.astype(np.float64) @ self.facts.tables.rtt_us

    def fetch_us(self, mean: Float64) -> Float64:
        """Time to read the input of the mean call (float64 [A, 3]) in each region, [A, R]."""
        return self.constants[:, :, kernel.DATA_RTT] + mean[:, BYTES_IN, None] * self.constants[:, :, kernel.US_PER_KIB] / 1024

    def usd(self, view: View) -> Float64:
        """Return the objective of one call, USD, float64 [A, P]."""
        now = view.past.history
        mean, origins = now.mean[-1], now.origins[-1]
        c, weights, slo = self.constants, self.facts.objective, self.facts.slo
        region, data_region = self.region, self.facts.apps.data_region
        duration, bytes_in, bytes_out = (mean[:, i, None] for i in (DURATION, BYTES_IN, BYTES_OUT))
        grid = view.grid_mg_per_kwh.astype(np.float64)
        fetch = self.fetch_us(mean)
        around = self.rtt_us(origins) + fetch
        network_ng = (bytes_in * (grid[None, :] + grid[data_region][:, None]) / 2 + bytes_out * grid[None, :]) / 1e6
        carbon_ng_per_us = c[:, :, kernel.BUSY_UW] / 1e6 * grid / 3.6e6
        nanousd_per_us = c[:, :, kernel.PRICE] / 1e6 + carbon_ng_per_us * weights.carbon_usd_per_kg / 1e3
        egress = (bytes_in * c[:, :, kernel.EGRESS_IN] + bytes_out * c[:, :, kernel.EGRESS_OUT]) / 1e6
        fixed = c[:, :, kernel.REQUEST] + egress + network_ng * weights.carbon_usd_per_kg / 1e3
        execution = duration * view.slowdown_permille / 1000
        latency = around[:, region] + execution
        nanousd = fixed[:, region] + nanousd_per_us[:, region] * (fetch[:, region] + execution)
        is_missed = latency > slo.floor_us + duration * slo.factor
        excess_s = np.maximum(0, latency - duration) / 1e6
        return nanousd / 1e9 + excess_s * weights.latency_usd_per_s + is_missed * weights.miss_usd

    def p95_us(self, view: View, best: Int64) -> Float64:
        """Return the expected 95 % quantile of latency at placements `best` (int64 [A, C], of cloud 0, 1, ...), float64 [A, C].

        The round trip, the fetch, the quantile of the app's durations with the slowdown there, and, where more than 5 % of the calls are
        likely to be cold, the cold start that is exceeded by 5 % of all calls.
        """
        now = view.past.history
        apps, region = np.arange(len(best))[:, None], self.region[best]
        cold, quantiles = now.cold[-1], self.cold_us
        at = np.maximum(0, 1 - OFTEN_COLD / np.maximum(cold, 1e-9)) * (quantiles.shape[2] - 1)
        cold_us = np.take_along_axis(quantiles, np.rint(at).astype(np.int64)[:, :, None], axis=2)[:, :, 0] * (cold > OFTEN_COLD)
        around = self.rtt_us(now.origins[-1]) + self.fetch_us(now.mean[-1])
        return around[apps, region] + view.past.p95_us()[:, None] * view.slowdown_permille[best] / 1000 + cold_us


class CloudsInside:
    """The allowed placements of each cloud by the names of their zones: ties between equal estimates must not depend on the order of rows.

    Attributes:
        inside: int64 [C, N], placements; -1 after the last of a smaller cloud.
        allowed: bool [A, C, N].
    """

    def __init__(self, facts: Facts) -> None:
        places, zones = facts.made(Places.of), facts.tables.zones
        rank = np.append(np.argsort(np.argsort(zones)), len(zones))  # of no placement: last
        found = places.candidates
        self.inside: Int64 = np.take_along_axis(found, np.argsort(rank[found], axis=1), axis=1)
        self.allowed: Bool = (self.inside >= 0) & facts.is_allowed[:, self.inside]

    def best(self, usd: Float64) -> Int64:
        """Allowed placement of each cloud with the least estimate (float64 [A, P]; of equal ones the first name), int64 [A, C]."""
        at = np.argmin(np.where(self.allowed, usd[:, self.inside], np.inf), axis=2)
        return self.inside[np.arange(len(self.inside)), at]


def least_estimate(view: View) -> tuple[Int64, Float64]:
    """Return `CloudsInside.best` at a barrier, int64 [A, C], and the estimate there over that at home, float64 [A, C]; made once."""

    def make() -> tuple[Int64, Float64]:
        usd, apps = view.facts.made(Estimate).usd(view), np.arange(len(view.facts.apps.home))
        best = view.facts.made(CloudsInside).best(usd)
        return best, usd[apps[:, None], best] / usd[apps, view.facts.apps.home][:, None]

    return view.past.once((view.facts, "least_estimate"), make)


class LeastEstimate(PolicyBase):
    """The tactical part that a strategic one has below it unless another is given: the allowed placement with the least estimate.

    Asked at strategic ticks only.
    """

    name, period_steps = "least_estimate", NEVER_STEPS
    scope: Scope = "cloud"

    def decide(self, view: View) -> Decision:
        """Choose in `view.cloud`."""
        return Decision(placement=least_estimate(view)[0][np.arange(len(view.cloud)), view.cloud])

    def estimates(self, view: View) -> tuple[Float64, str]:
        """Estimates of all placements, float64 [A, P]."""
        inside = view.facts.is_allowed & (view.facts.cloud_of_placement == view.cloud[:, None])
        return np.where(inside, view.facts.made(Estimate).usd(view), np.nan), "USD per call"
