"""Rules that choose placements without learning, through the interface every policy has. Not here: what they know (knowledge.py).

A policy is good for one run: some rules remember volumes and whether the free first placement was made.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.baselines.knowledge import LAGS, Knowledge
from simulator import rng
from simulator.control.decision import NEVER_STEPS, Decision, PolicyBase
from simulator.control.view import Facts, View
from simulator.fleet import Field

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
RANDOM_STREAM = 90
SWITCH_USD = 1.2e-4  # what a move costs beside its copy: the cold starts of an empty pool
EWMA = 0.9  # weight of the past in the estimate of the calls to come


@dataclass
class Fixed(PolicyBase):
    """Placements chosen once.

    Args:
        name: of the arm.
        placement: int64 [A].
    """

    name: str
    placement: Int64
    period_steps: int = NEVER_STEPS

    def decide(self, view: View) -> Decision:
        """Order the same placements at every decision."""
        return Decision(placement=self.placement)


@dataclass
class Scheduled(PolicyBase):
    """Placements by interval, e.g. those of a programme that knew the future.

    Args:
        name: of the arm.
        schedule: int64 [K, A], one row per decision.
        period_steps: steps between decisions.
    """

    name: str
    schedule: Int64
    period_steps: int
    _next: int = 0

    def decide(self, view: View) -> Decision:
        """Order the next row."""
        row = self.schedule[min(self._next, len(self.schedule) - 1)]
        self._next += 1
        return Decision(placement=row)


def home(facts: Facts) -> Fixed:
    """Every app stays where its owner has put it."""
    return Fixed("home", facts.apps.home)


def random(facts: Facts, seed: int) -> Fixed:
    """One draw per app among the placements it may use."""
    ids = np.array([rng.text_id(app) for app in facts.apps.app_ids])
    luck = np.stack([rng.uniform(seed ^ rng.text_id(zone), ids, RANDOM_STREAM) for zone in facts.tables.zones], axis=1)
    return Fixed("random", np.where(facts.is_allowed, luck, -1.0).argmax(axis=1))


def greedy_locality(facts: Facts, knowledge: Knowledge) -> Fixed:
    """The nearest region: least round trip from the home metro and to the data; inside it the zone with the least mean slowdown."""
    t, apps = facts.tables, facts.apps
    home_metro = t.metro_of_region[t.region_of_placement[apps.home]]
    distance = t.rtt_us[home_metro] + t.data_rtt_us[apps.data_region]
    return Fixed("greedy_locality", _pick(distance[:, t.region_of_placement].astype(np.float64), knowledge, facts))


def greedy_cold_start(facts: Facts, knowledge: Knowledge) -> Fixed:
    """The cloud on which the app lost least time to cold starts (share x median of the distribution), in the metro nearest to its home."""
    t, apps = facts.tables, facts.apps
    median = t.cold_start_us[:, :, 128][:, apps.package].T
    lost = knowledge.cold_share * median
    home_metro = t.metro_of_region[t.region_of_placement[apps.home]]
    regions = t.region_of_placement
    score = lost[:, t.cloud_of_region[regions]] + 1e-6 * t.rtt_us[home_metro][:, regions]
    return Fixed("greedy_cold_start", _pick(score, knowledge, facts))


def best_static(facts: Facts, knowledge: Knowledge) -> Fixed:
    """The best placement per app by what all of them would have cost on the train span, pooled by region."""
    return Fixed("best_static", _pick(mean_cost(facts, knowledge), knowledge, facts))


def mean_cost(facts: Facts, knowledge: Knowledge) -> Float64:
    """Cost per call at each placement: the region's level, and the zone's congestion against its region's. float64 [A, P]."""
    regions = facts.tables.region_of_placement
    zones = np.bincount(regions)
    region_mean = (np.bincount(regions, weights=knowledge.mean_slowdown) / zones)[regions]
    return knowledge.level_usd[:, regions] + knowledge.slope_usd[:, regions] * (knowledge.mean_slowdown - region_mean)


def _pick(score: Float64, knowledge: Knowledge, facts: Facts) -> Int64:
    """Lowest score; ties go to the zone with the least mean slowdown."""
    best = np.where(facts.is_allowed, score, np.inf)
    tied = best == best.min(axis=1, keepdims=True)
    return np.where(tied, knowledge.mean_slowdown, np.inf).argmin(axis=1)


@dataclass
class _Estimator(PolicyBase):
    """What rules that estimate costs share: the volumes to come, and that the first placement is free. Good for one run.

    Args:
        facts, knowledge: what is known.
        horizon: tactical intervals that are summed.
        period_steps: steps between decisions.
    """

    facts: Facts
    knowledge: Knowledge
    horizon: int = 8
    _: KW_ONLY
    period_steps: int = 100
    name: str = ""
    _calls: Float64 = field(init=False)
    _mean_usd: Float64 = field(init=False)
    _is_first: bool = field(default=True, init=False)
    _cost: Float64 = field(init=False)

    def __post_init__(self) -> None:
        """Start from the train span's volumes and mean costs."""
        self._calls = self.knowledge.calls.copy()
        self._mean_usd = mean_cost(self.facts, self.knowledge)

    def estimates(self, view: View) -> tuple[Float64, str]:
        """Cost of the coming intervals at every placement as of the last decision, float64 [A, P]; NaN where an app may not run."""
        return np.where(self.facts.is_allowed, self._cost, np.nan), f"USD of the coming {self.horizon} intervals"

    def _choose(self, view: View, fading: float, margin: float) -> Decision:
        """Go where the horizon costs least, if the saving exceeds `margin` times copy and switch.

        Congestion counts `fading` times its present value, carbon stays what it is.
        """
        k, regions = self.knowledge, self.facts.tables.region_of_placement
        calls = view.recent[:, Field.CALLS]
        if calls.any():
            per_interval = calls * (self.facts.world.tactical_steps / self.period_steps)
            self._calls = EWMA * self._calls + (1 - EWMA) * per_interval
        congestion = k.slope_usd[:, regions] * (view.slowdown_permille / 1000.0 - k.mean_slowdown) * fading
        carbon = (k.carbon_usd * (view.grid_mg_per_kwh / k.mean_carbon - 1.0))[:, regions] * self.horizon
        self._cost = (self._mean_usd * self.horizon + congestion + carbon) * self._calls[:, None]
        margin, self._is_first = (0.0 if self._is_first else margin), False
        return Decision(placement=_move_if(self._cost, view.placement, k, self.facts, margin))


@dataclass
class GreedyObjective(_Estimator):
    """Estimates the objective of the coming intervals at every placement as if conditions stayed as they are now.

    Args:
        has_hysteresis: move only when the saving exceeds copy and switch; else whenever another placement looks cheaper.
    """

    _: KW_ONLY
    has_hysteresis: bool = True

    def __post_init__(self) -> None:
        """Name the arm."""
        super().__post_init__()
        self.name = self.name or ("greedy_hysteresis" if self.has_hysteresis else "greedy_objective")

    def decide(self, view: View) -> Decision:
        """Order the cheapest placement of every app by the present congestion and carbon."""
        return self._choose(view, float(self.horizon), 1.0 if self.has_hysteresis else 0.0)


@dataclass
class Persistence(_Estimator):
    """As the greedy rule, but congestion fades as it did on the train span (at most LAGS intervals ahead), and the margin is tuned.

    Args:
        margin: a saving must exceed this many times copy and switch.
    """

    horizon: int = 5
    _: KW_ONLY
    name: str = "persistence"
    margin: float = 1.0

    def decide(self, view: View) -> Decision:
        """Order the cheapest placement of every app over the horizon."""
        return self._choose(view, float(self.knowledge.fading[1 : min(self.horizon, LAGS) + 1].sum()), self.margin)


def _move_if(cost: Float64, placement: Int64, knowledge: Knowledge, facts: Facts, margin: float) -> Int64:
    """Move each app to its cheapest placement where the saving exceeds `margin` times copy and switch."""
    apps = np.arange(len(placement))
    best = np.where(facts.is_allowed, cost, np.inf).argmin(axis=1)
    saving = cost[apps, placement] - cost[apps, best]
    price = margin * (knowledge.move_usd[apps, placement, best] + SWITCH_USD)
    return np.where(saving > price, best, placement)
