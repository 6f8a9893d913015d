"""Event heads: the probability that the coming steps bring a call that finds nothing idle, and the floor that it pays for.

Two horizons: the coming lead + 1 steps, for clouds where a floor ends with its fall; a keep-alive, for the cloud where one step of a floor
leaves an instance behind. A row is a pool that may be dead at a barrier; the heads decide for, and learn from, pools without a clock.
Not here: timers (timers.py), the trees (boosting.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.operational.clocks import Tracker
from models.operational.economics import Prices
from models.operational.timers import TimerRules, Timers
from simulator.control.decision import Decision, PolicyBase
from simulator.control.features import pools
from simulator.control.view import FLOOR, IDLE_NEWEST_US, UP, WORKING, View

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
NEAR, FAR = 0, 1  # horizons
FAR_STEPS = 58  # of the far one
COLUMNS = (*pools.COLUMNS, "timer_near", "timer_far")
LEAST_EXPIRED = 0.01  # pools that are less likely dead are no rows: a warm instance would be found anyway
Head = Callable[[Float32], Float64]  # rows -> probabilities of the event


class Seen:
    """What both the collector of rows and the policy make of a view. Good for one run."""

    needs_steps = False

    def __init__(self) -> None:
        self.tracker = Tracker()
        self._known: pools.Known | None = None

    def rows(self, view: View) -> tuple[Float32, Int64]:
        """Features float32 [n, 16] of the pools that may be dead, and which pools they are, int64 [n]."""
        if self._known is None:
            self._known = pools.start(view.facts)
        self.tracker.update(view)
        found = pools.observe(without_floors(view), self._known)
        own = np.flatnonzero((found[:, pools.EXPIRED] > LEAST_EXPIRED) & (found[:, pools.KNOWN] > 0))
        chances = self._of_pools(view, self.tracker.chances(view, FAR_STEPS))
        return np.concatenate([found[own], chances[own].astype(np.float32)], axis=1), own

    def has_clock(self, first_function: Int64) -> Bool:
        """Which pools the timers decide for, bool [Q]: functions with a clock, and the pool of an app that has one."""
        found = np.zeros(int(first_function[-1]), dtype=np.bool_)
        found[self.tracker.clocks.members] = True
        found[first_function[:-1][np.unique(self.tracker.clocks.app)]] = True
        return found

    def _of_pools(self, view: View, chances: Float64) -> Float64:
        """Where a cloud keeps one pool per app, its timers' chances are those of the likeliest function."""
        first = view.facts.apps.first_function
        is_shared = view.facts.keeps_one_pool[view.placement]
        if is_shared.any():
            most = np.maximum.reduceat(chances, first[:-1], axis=0)
            chances[first[:-1][is_shared]] = most[is_shared]
        return chances


def without_floors(view: View) -> View:
    """The view with pools that stand idle because of a floor shown as empty, as they would be without it."""
    is_kept = (view.pools[:, FLOOR] > 0) & (view.pools[:, WORKING] == 0)
    if not is_kept.any():
        return view
    bare = view.pools.copy()
    bare[is_kept, UP], bare[is_kept, IDLE_NEWEST_US] = 0, -1
    return replace(view, pools=bare)


class Collector(PolicyBase):
    """Orders nothing, and keeps the rows of every barrier at which it is asked.

    Args:
        period_steps: between barriers.
        keep: share of the rows kept, chosen by `rng`.
        rng: of the choice.
    """

    name = "collector"

    def __init__(self, period_steps: int, keep: float, rng: np.random.Generator) -> None:
        self.period_steps, self.keep, self.rng = period_steps, keep, rng
        self.seen = Seen()
        self.parts: list[tuple[Float32, Int64, Int64]] = []

    def decide(self, view: View) -> Decision:
        """Keep rows, order nothing."""
        x, own = self.seen.rows(view)
        picked = np.flatnonzero(self.rng.random(len(own)) < self.keep)
        self.parts.append((x[picked], own[picked], np.full(len(picked), view.step)))
        return Decision()

    def rows(self) -> tuple[Float32, Int64, Int64]:
        """Features float32 [n, 16], pools and barriers int64 [n]."""
        x, own, step = (np.concatenate(column) for column in zip(*self.parts, strict=True))
        return x, own, step


@njit(cache=True)
def _first_after(at: Int64, begin: Int64, end: Int64, first: Int64, pool: Int64) -> NDArray[np.bool_]:  # pragma: no cover
    """Whether a pool has an event in [begin, end): `at` int64 [n] sorted by (pool, time), `first` int64 [Q + 1] where pools begin in it."""
    found = np.zeros(len(pool), dtype=np.bool_)
    for i in range(len(pool)):
        own = at[first[pool[i]] : first[pool[i] + 1]]
        j = np.searchsorted(own, begin[i])
        found[i] = j < len(own) and own[j] < end[i]
    return found


def label(scenario: Scenario, found_nothing_idle: Bool, pool: Int64, step: Int64) -> Bool:
    """Return whether the horizons after barriers bring a call that finds nothing idle at home, bool [n, 2].

    Args:
        scenario: its calls.
        found_nothing_idle: bool [N], of each call in the recorded run at home.
        pool: int64 [n], as in a view of that run.
        step: int64 [n].
    """
    calls, apps, step_us = scenario.calls, scenario.apps, scenario.world.step_us
    cold = np.flatnonzero(found_nothing_idle)
    app = np.searchsorted(calls.first_call, cold, side="right") - 1
    is_shared = ~scenario.tables.is_pool_per_function[scenario.tables.cloud_of_region[scenario.tables.region_of_placement[apps.home]]]
    own = apps.first_function[app] + np.where(is_shared[app], 0, calls.function[cold])
    order = np.lexsort((calls.arrival_us[cold], own))
    first = np.searchsorted(own[order], np.arange(len(apps.function_ids) + 1))
    at = calls.arrival_us[cold][order]
    lead = scenario.world.provisioned.lead_steps
    near = _first_after(at, step * step_us, (step + lead + 1) * step_us, first, pool)
    far = _first_after(at, (step + lead) * step_us, (step + FAR_STEPS) * step_us, first, pool)
    return np.stack([near, far], axis=1)


@dataclass(frozen=True)
class EventRules:
    """What is tuned.

    Args:
        benefit_share: part of the benefit of the head's floors that is counted on; 0: the head orders nothing.
        far_share: the same where one step of a floor leaves an instance behind.
        timers: of the timers below it; None: the head is alone.
    """

    benefit_share: float = 1.0
    far_share: float = 1.0
    timers: TimerRules | None = field(default_factory=TimerRules)


class EventFloors(PolicyBase):
    """Timers just in time, and for all other pools a floor where the head's probability times the benefit exceeds the price.

    Args:
        heads: near and far; each takes rows float32 [n, 16].
        benefit_usd: float64 [A, C], see `economics.cold_start_benefit`.
        rules: see `EventRules`.
        name: of the arm.
        seen: makes the rows; None: those of `Seen`.
    """

    period_steps = 1

    def __init__(
        self, heads: tuple[Head, Head], benefit_usd: Float64, rules: EventRules, name: str = "event_head", seen: Seen | None = None
    ) -> None:
        self.heads, self.benefit_usd, self.rules, self.name = heads, benefit_usd, rules, name
        self.seen, self.prices = seen or Seen(), Prices()
        self.needs_steps = self.seen.needs_steps
        self.timers = Timers(benefit_usd, rules.timers, tracker=self.seen.tracker) if rules.timers else None
        self._pulsed = np.zeros(0, dtype=np.int64)  # when a pulse was given last; filled at the first barrier

    def decide(self, view: View) -> Decision:
        """Order the floors of the timers, and those of the head elsewhere."""
        x, own = self.seen.rows(view)
        floors = np.zeros(len(view.facts.apps.function_ids), dtype=np.int64)
        if self.timers:
            floors += self.timers.floors(view)
        if not len(self._pulsed):
            self._start(view)
        self._add(view, x, own, floors)
        return Decision(floors=floors)

    def _start(self, view: View) -> None:
        first = view.facts.apps.first_function
        self._app_of_function = np.repeat(np.arange(len(first) - 1), np.diff(first))
        self._pulsed = np.full(len(self._app_of_function), -(1 << 40), dtype=np.int64)
        self._is_timer = self.seen.has_clock(first) if self.timers else np.zeros(len(self._app_of_function), dtype=np.bool_)

    def _add(self, view: View, x: Float32, own: Int64, floors: Int64) -> None:
        p = self.prices.at(view)
        app = self._app_of_function[own]
        benefit = self.benefit_usd[app, p.cloud[app]]
        may = ~self._is_timer[own]
        near = np.flatnonzero(may & p.is_drop[app] & (p.unit_steps[app] <= 1) & (benefit * self.rules.benefit_share > p.step_usd[app]))
        if len(near):
            # The event is in one of lead + 1 steps; a floor is paid in each of them.
            share = self.rules.benefit_share / (view.facts.world.provisioned.lead_steps + 1)
            pays = self.heads[NEAR](x[near]) * benefit[near] * share > p.step_usd[app[near]]
            floors[own[near[pays]]] = np.maximum(view.pools[own[near[pays]], UP], 1)
        is_due = view.step - self._pulsed[own] >= FAR_STEPS - 1
        idle = p.step_usd[app] + p.idle_usd[app] * FAR_STEPS / 2
        far = np.flatnonzero(may & ~p.is_drop[app] & is_due & (benefit * self.rules.far_share > idle))
        if len(far):
            pays = self.heads[FAR](x[far]) * benefit[far] * self.rules.far_share > idle[far]
            floors[own[far[pays]]] = 1
            self._pulsed[own[far[pays]]] = view.step
