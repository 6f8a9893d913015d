"""Two tiers, after Chen et al. (2025): a learned share of the load per cloud and region, then an assignment. Not here: docs/provenance.md.

The upper tier learns on the train span which part of the fleet's work each cloud and each region should carry. The lower one assigns apps
to zones by a linear programme (scipy's HiGHS): least expected cost under capacity, shares, a budget of egress and the service level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack, vstack

from models.baselines.fr24 import usable
from models.baselines.rules import EWMA, SWITCH_USD, best_static, mean_cost
from simulator.control.decision import Decision, PolicyBase
from simulator.control.features.estimate import Estimate
from simulator.control.history import BYTES_IN, BYTES_OUT, DURATION
from simulator.fleet import Field
from simulator.kernel import EGRESS_IN, EGRESS_OUT

if TYPE_CHECKING:
    from models.baselines.knowledge import Knowledge
    from simulator.control.view import Facts, View

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
NAME = "chen25_two_tier"
CANDIDATES = 8  # cheapest placements of an app that the programme considers, besides where it is
SHORTAGE_USD = 1.0  # of an instance or a share beyond its limit: above any saving, so that the programme always has an answer


@dataclass(frozen=True)
class Limits:
    """What the lower tier must keep to.

    Args:
        slack: how many times its learned share of the work a region, and half as much more a cloud, may carry.
        headroom: part of a zone's free capacity that apps may plan with.
        egress: how many times the egress of the learned placements the fleet may pay.
    """

    slack: float = 1.5
    headroom: float = 1.0
    egress: float = 2.0


class TwoTier(PolicyBase):
    """Assigns the whole fleet at once. Good for one run.

    Args:
        facts, knowledge: what is known.
        limits: of the assignment.
        horizon: tactical intervals over which a move must pay.
        period_steps: between decisions.
    """

    name = NAME

    def __init__(self, facts: Facts, knowledge: Knowledge, limits: Limits, *, horizon: int = 24, period_steps: int = 1000) -> None:
        self.facts, self.knowledge, self.limits, self.horizon, self.period_steps = facts, knowledge, limits, horizon, period_steps
        self.estimate = facts.made(Estimate)
        self.calls, self._is_first = knowledge.calls.copy(), True
        self.learned = best_static(facts, knowledge).placement

    def decide(self, view: View) -> Decision:
        """Solve the assignment and order it."""
        intervals = self.period_steps / self.facts.world.tactical_steps
        if (calls := view.recent[:, Field.CALLS]).any():
            self.calls = EWMA * self.calls + (1 - EWMA) * calls / intervals
        chosen = assign(self._cost(view), self._rows(view), self._candidates(view))
        self._is_first = False
        return Decision(placement=chosen)

    def _cost(self, view: View) -> Float64:
        """Expected cost of the horizon at every placement with the move there, USD, float64 [A, P]."""
        k, regions, apps = self.knowledge, self.facts.tables.region_of_placement, np.arange(len(view.placement))
        congestion = k.slope_usd[:, regions] * (view.slowdown_permille / 1000.0 - k.mean_slowdown)
        cost: Float64 = (mean_cost(self.facts, k) + congestion) * self.calls[:, None] * self.horizon
        if not self._is_first:
            move = k.move_usd[apps, view.placement] + SWITCH_USD
            move[apps, view.placement] = 0.0
            cost = cost + move
        return cost

    def _candidates(self, view: View) -> NDArray[np.bool_]:
        """Placements that the programme considers, bool [A, P]: the cheapest that should keep the service level, and the present one."""
        cost, mean = mean_cost(self.facts, self.knowledge), view.past.history.mean[-1]
        around = self.estimate.rtt_us(view.past.history.origins[-1]) + self.estimate.fetch_us(mean)
        duration = mean[:, DURATION, None]
        region = self.facts.tables.region_of_placement
        latency = around[:, region] + duration * view.slowdown_permille / 1000
        keeps = usable(self.facts, view) & (latency <= self.facts.slo.floor_us + self.facts.slo.factor * duration)
        keeps = np.where(keeps.any(axis=1, keepdims=True), keeps, usable(self.facts, view))
        rank = np.where(keeps, cost, np.inf).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
        found = keeps & (rank < CANDIDATES)
        apps = np.arange(len(cost))
        found[apps, view.placement] |= self.facts.is_allowed[apps, view.placement]
        return found

    def _rows(self, view: View) -> list[tuple[Float64, Int64, Float64]]:
        """Limits of the programme, see `assign`: capacity of zones, shares of regions and of clouds, egress."""
        t, region, cloud = self.facts.tables, self.facts.tables.region_of_placement, self.facts.cloud_of_placement
        mean = view.past.history.mean[-1]
        work = self.calls * mean[:, DURATION]
        share = work / max(work.sum(), 1e-9)
        used = np.broadcast_to(share[:, None], self.facts.is_allowed.shape)
        by_region = np.bincount(region[self.learned], share, minlength=len(t.regions))
        by_cloud = np.bincount(cloud[self.learned], share, minlength=len(t.clouds))
        per_mb = self.estimate.constants
        of_call = mean[:, BYTES_IN, None] * per_mb[:, :, EGRESS_IN] + mean[:, BYTES_OUT, None] * per_mb[:, :, EGRESS_OUT]
        egress = (of_call * self.calls[:, None])[:, region] / 1e15
        apps = np.arange(len(work))
        budget = egress[apps, self.learned].sum()
        height = np.broadcast_to(view.peak.astype(np.float64)[:, None], used.shape)
        here = np.bincount(view.placement, view.peak, minlength=used.shape[1])
        everywhere = np.zeros(used.shape[1], dtype=np.int64)
        return [
            (height, np.arange(used.shape[1]), self.limits.headroom * (view.free + here)),
            (used, region, self.limits.slack * by_region + 1.0 / len(t.regions)),
            (used, cloud, (self.limits.slack + 1) / 2 * by_cloud + 1.0 / len(t.clouds)),
            (egress / max(budget, 1e-12), everywhere, np.array([self.limits.egress])),
        ]


def assign(cost: Float64, limits: list[tuple[Float64, Int64, Float64]], is_candidate: NDArray[np.bool_]) -> Int64:
    """Return the placement of each app that the linear programme gives the largest part of it to, int64 [A].

    Args:
        cost: float64 [A, P], USD.
        limits: of each kind, what an app uses at a placement (float64 [A, P]), which limit that counts against (int64 [P]), and the limits.
            What goes beyond a limit is paid with SHORTAGE_USD a unit.
        is_candidate: bool [A, P], at least one in each row.
    """
    app, place = np.nonzero(is_candidate)
    count = len(app)
    use, most = [], []
    for used, group, limit in limits:
        use.append(csr_array((used[app, place], (group[place], np.arange(count))), shape=(len(limit), count)))
        most.append(limit)
    ceiling = np.concatenate(most)
    beyond = csr_array((-np.ones(len(ceiling)), (np.arange(len(ceiling)), np.arange(len(ceiling)))))
    once = csr_array((np.ones(count), (app, np.arange(count))), shape=(len(cost), count + len(ceiling)))
    found = linprog(
        np.concatenate([cost[app, place], np.full(len(ceiling), SHORTAGE_USD)]),
        A_ub=hstack([vstack(use), beyond]).tocsr(),
        b_ub=ceiling,
        A_eq=once,
        b_eq=np.ones(len(cost)),
        method="highs",
    )
    part = np.full(cost.shape, -1.0)
    part[app, place] = found.x[:count]
    chosen: Int64 = part.argmax(axis=1)
    return chosen
