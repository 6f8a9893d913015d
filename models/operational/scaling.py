"""Autoscaling baselines: a floor from what was needed lately, yesterday, or from gaps between calls. Not here: learned forecasts, timers.

Sources: moving average and seasonal naive are the usual references of forecasting; the hybrid histogram is Shahrad et al., USENIX ATC 2020,
section 4.2 (bins of a minute, 5th and 99th percentile, a fallback where the histogram is not representative), as a floor; the hazard rule
weighs the chance of a call in the coming steps, given the idle time, against the price of a step. Each is good for one run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from core.units import DAY_US
from models.operational.clocks import past_arrivals
from models.operational.economics import Prices
from simulator.control.decision import Decision, PolicyBase
from simulator.control.features import pools
from simulator.control.view import UP, WORKING, View

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
MINUTE_US = 60_000_000
BINS = 240  # minutes that a histogram of gaps spans
HEAD, TAIL = 0.05, 0.99
REPRESENTATIVE_CV = 2.0  # a histogram whose bins vary less than this is flat
LEAST_GAPS, MOST_BEYOND = 10, 0.5  # and one with few gaps, or many beyond its end, is not used
FAR_US = 870_000_000


class _Floors(PolicyBase):
    """What the baselines share: the pools of a view, and that only an app's first function has one where its cloud keeps one an app."""

    period_steps = 1

    def __init__(self) -> None:
        self._known: pools.Known | None = None

    def start(self, view: View) -> None:
        """Prepare for the run that begins at a view."""
        first = view.facts.apps.first_function
        self.app_of_function = np.repeat(np.arange(len(first) - 1), np.diff(first))
        self.is_first = np.arange(first[-1]) == first[self.app_of_function]
        self._known = pools.start(view.facts)

    def decide(self, view: View) -> Decision:
        """Order the floors of pools."""
        if self._known is None:
            self.start(view)
        floors = self.floors(view)
        beyond = view.facts.keeps_one_pool[view.placement][self.app_of_function] & ~self.is_first
        return Decision(floors=np.where(beyond, 0, floors).astype(np.int64))

    def floors(self, view: View) -> NDArray[np.integer]:
        """Floors of the functions, whole numbers [Q]."""
        raise NotImplementedError

    def last_arrival(self, view: View) -> Int64:
        """The last arrival at the pool of each function, us, int64 [Q]; -1: none."""
        last = view.runs[:, -1]
        most = np.maximum.reduceat(last, view.facts.apps.first_function[:-1])
        return np.where(view.facts.keeps_one_pool[view.placement][self.app_of_function], most[self.app_of_function], last)


class Static(_Floors):
    """As many instances as `factor` x the mean that works, always; a part of an instance counts from `threshold` on.

    Args:
        factor: 2 for `static_2x`.
        threshold: least part of an instance that is rounded up.
        name: of the arm.
    """

    def __init__(self, factor: float = 2.0, threshold: float = 0.5, name: str = "static_2x") -> None:
        super().__init__()
        self.factor, self.threshold, self.name = factor, threshold, name

    def start(self, view: View) -> None:
        """Take the mean over the calls so far: Little's law, running time per time."""
        super().start(view)
        busy_us = np.zeros(len(self.app_of_function))
        first = view.facts.apps.first_function
        for a in range(len(first) - 1):
            calls = view.past.calls(a)
            own = np.bincount(calls.function[calls.has_ended], calls.duration_us[calls.has_ended], minlength=first[a + 1] - first[a])
            if view.facts.keeps_one_pool[view.placement[a]]:
                own = np.concatenate([[own.sum()], np.zeros(len(own) - 1)])
            busy_us[first[a] : first[a + 1]] = own
        self._floor = rounded(self.factor * busy_us / max(view.now_us, 1), self.threshold)

    def floors(self, view: View) -> NDArray[np.integer]:
        """The same at every step."""
        return self._floor


class MovingAverage(_Floors):
    """As many instances as worked on average over the last steps.

    Args:
        steps: of the average; 20 are five minutes.
        factor, threshold: see `Static`.
        name: of the arm.
    """

    def __init__(self, steps: int = 20, factor: float = 1.0, threshold: float = 0.5, name: str = "moving_average") -> None:
        super().__init__()
        self.steps, self.factor, self.threshold, self.name = steps, factor, threshold, name

    def start(self, view: View) -> None:
        """Begin with nothing."""
        super().start(view)
        self._ring, self._at = np.zeros((self.steps, len(self.app_of_function)), dtype=np.int64), 0
        self._sum = np.zeros(len(self.app_of_function), dtype=np.int64)

    def floors(self, view: View) -> NDArray[np.integer]:
        """Take in what works now, and round the mean."""
        now = view.pools[:, WORKING]
        self._sum += now - self._ring[self._at]
        self._ring[self._at] = now
        self._at = (self._at + 1) % self.steps
        return rounded(self.factor * self._sum / self.steps, self.threshold)


class SeasonalNaive(_Floors):
    """A floor where the pool was called at this time yesterday.

    Args:
        window_steps: before and after the coming step, within which a call of yesterday counts.
        least_calls: of them.
        name: of the arm.
    """

    def __init__(self, window_steps: int = 2, least_calls: int = 1, name: str = "seasonal_naive") -> None:
        super().__init__()
        self.window_steps, self.least_calls, self.name = window_steps, least_calls, name

    def start(self, view: View) -> None:
        """Take over the calls of the last day."""
        super().start(view)
        parts = [at for functions in past_arrivals(view) for at in functions]
        self._step_us = view.facts.world.step_us
        day = DAY_US // self._step_us
        self._ring = np.zeros((day, len(parts)), dtype=np.int16)
        for q, at in enumerate(parts):
            steps = at[at >= view.now_us - DAY_US] // self._step_us
            np.add.at(self._ring[:, q], steps % day, 1)
        self._seen = view.runs[:, -1].copy()

    def floors(self, view: View) -> NDArray[np.integer]:
        """Count the calls of yesterday around the step after this one, then note those that have come."""
        day = len(self._ring)
        around = (view.step + 1 + np.arange(-self.window_steps, self.window_steps + 1)) % day
        counted = self._ring[around].sum(axis=0)
        self._ring[(view.step - 1) % day] = (view.runs > self._seen[:, None]).sum(axis=1)
        self._seen = view.runs[:, -1].copy()
        shared = np.add.reduceat(counted, view.facts.apps.first_function[:-1])
        one_pool = view.facts.keeps_one_pool[view.placement][self.app_of_function]
        return (np.where(one_pool, shared[self.app_of_function], counted) >= self.least_calls).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Gaps:
    """Histograms of the gaps between the calls of each pool.

    Args:
        counts: int64 [Q, BINS + 1], by minute; the last bin holds the longer ones.
    """

    counts: Int64

    @classmethod
    def of(cls, view: View) -> Gaps:
        """Of the calls before a barrier, pools as the apps are placed now."""
        first = view.facts.apps.first_function
        counts = np.zeros((first[-1], BINS + 1), dtype=np.int64)
        for a, functions in enumerate(past_arrivals(view)):
            if view.facts.keeps_one_pool[view.placement[a]]:
                functions = [np.sort(np.concatenate(functions))]
            for f, at in enumerate(functions):
                gap = np.minimum(np.diff(at) // MINUTE_US, BINS)
                counts[first[a] + f] = np.bincount(gap, minlength=BINS + 1)
        return cls(counts)

    def quantile(self, share: float) -> Int64:
        """The minute in which a share of the gaps within the histogram is reached, int64 [Q]."""
        inside = np.cumsum(self.counts[:, :BINS], axis=1)
        found: Int64 = (inside < share * inside[:, -1:]).sum(axis=1)
        return found

    def is_representative(self) -> NDArray[np.bool_]:
        """Enough gaps, most of them inside, and bins that differ, bool [Q]."""
        inside, total = self.counts[:, :BINS], self.counts.sum(axis=1)
        mean = inside.mean(axis=1)
        cv = np.divide(inside.std(axis=1), mean, out=np.zeros(len(mean)), where=mean > 0)
        found: NDArray[np.bool_] = (total >= LEAST_GAPS) & (self.counts[:, BINS] <= MOST_BEYOND * total) & (cv >= REPRESENTATIVE_CV)
        return found


class HybridHistogram(_Floors):
    """A warm instance from the 5th to the 99th percentile of the idle time; without a representative histogram none.

    Args:
        head, tail: percentiles.
        most_minutes: longest time that an instance is kept warm; beyond it the window closes early.
        name: of the arm.
    """

    def __init__(self, head: float = HEAD, tail: float = TAIL, most_minutes: int = BINS, name: str = "hybrid_histogram") -> None:
        super().__init__()
        self.head, self.tail, self.most_minutes, self.name = head, tail, most_minutes, name

    def start(self, view: View) -> None:
        """Make the histograms of the past."""
        super().start(view)
        gaps = Gaps.of(view)
        self._from = gaps.quantile(self.head) * MINUTE_US
        until = (gaps.quantile(self.tail) + 1) * MINUTE_US
        self._until = np.minimum(until, self._from + self.most_minutes * MINUTE_US)
        self._is_used = gaps.is_representative()

    def floors(self, view: View) -> NDArray[np.integer]:
        """One where the idle time is inside the window by the time an instance would be ready."""
        last = self.last_arrival(view)
        idle = view.now_us + view.facts.world.step_us - last
        return (self._is_used & (last >= 0) & (idle >= self._from) & (idle < self._until)).astype(np.int64)


@njit(cache=True)
def _hazard(counts: Int64, idle_us: Int64, begin_us: Int64, end_us: Int64) -> Float64:  # pragma: no cover
    """P(the gap ends in [idle + begin, idle + end) | it is longer than idle) by histograms of minutes; begin, end: int64 [Q]."""
    found = np.zeros(len(counts))
    for q in range(len(counts)):
        left, inside = 0.0, 0.0
        low, high = (idle_us[q] + begin_us[q]) / MINUTE_US, (idle_us[q] + end_us[q]) / MINUTE_US
        for m in range(BINS + 1):
            width = 1.0 if m < BINS else 1e9
            beyond = min(max(m + width - idle_us[q] / MINUTE_US, 0.0), width) / width
            left += counts[q, m] * beyond
            if m < BINS:
                inside += counts[q, m] * max(min(m + 1.0, high) - max(float(m), low), 0.0)
        found[q] = inside / (left + 1.0)  # one more gap without an end: what was never seen is not certain
    return found


class Hazard(_Floors):
    """A warm instance while P(a call in a step | idle so long) x benefit exceeds the price of the step.

    Args:
        benefit_usd: float64 [A, C].
        share: part of the benefit that is counted on.
        name: of the arm.
    """

    def __init__(self, benefit_usd: Float64, share: float = 1.0, name: str = "hazard") -> None:
        super().__init__()
        self.benefit_usd, self.share, self.name, self._prices = benefit_usd, share, name, Prices()

    def start(self, view: View) -> None:
        """Make the histograms of the past."""
        super().start(view)
        self._counts = Gaps.of(view).counts
        step = view.facts.world.step_us
        self._begin, self._end = np.full(len(self._counts), step), np.full(len(self._counts), 2 * step)

    def floors(self, view: View) -> NDArray[np.integer]:
        """One where it pays; where a floor is billed in units, a unit must pay."""
        p, app = self._prices.at(view), self.app_of_function
        last = self.last_arrival(view)
        benefit = self.benefit_usd[app, p.cloud[app]] * self.share
        price = p.step_usd[app] * p.unit_steps[app]
        may = (last >= 0) & (benefit > price)
        chance = np.zeros(len(app))
        chance[may] = _hazard(self._counts[may], view.now_us - last[may], self._begin[may], self._end[may])
        return (chance * benefit > price).astype(np.int64)


class Hold(_Floors):
    """Where the surplus of a falling floor lives on: one step of a floor when the idle instance is about to end, if a call is likely.

    Args:
        benefit_usd: float64 [A, C].
        share: part of the benefit that is counted on.
        name: of the arm.
    """

    def __init__(self, benefit_usd: Float64, share: float = 1.0, name: str = "hold") -> None:
        super().__init__()
        self.benefit_usd, self.share, self.name, self._prices = benefit_usd, share, name, Prices()

    def start(self, view: View) -> None:
        """Make the histograms of the past."""
        super().start(view)
        self._counts = Gaps.of(view).counts
        self._ahead = np.full(len(self._counts), FAR_US)
        least = view.facts.tables.keep_alive_us[:, 0]
        self._least = least[view.facts.cloud_of_placement[view.placement]][self.app_of_function]

    def floors(self, view: View) -> NDArray[np.integer]:
        """One where an idle instance may end in the coming step and another keep-alive pays."""
        p, app = self._prices.at(view), self.app_of_function
        last = self.last_arrival(view)
        step = view.facts.world.step_us
        is_due = (view.pools[:, UP] > 0) & (view.pools[:, pools.IDLE_NEWEST_US] >= self._least - 2 * step) & ~p.is_drop[app]
        chance = np.zeros(len(app))
        own = np.flatnonzero(is_due & (last >= 0))
        if len(own):
            begin = np.zeros(len(own), dtype=np.int64)
            chance[own] = _hazard(self._counts[own], view.now_us - last[own], begin, self._ahead[own])
        price = p.step_usd[app] + p.idle_usd[app] * FAR_US / step / 2
        return (chance * self.benefit_usd[app, p.cloud[app]] * self.share > price).astype(np.int64)


class StaticMemory(PolicyBase):
    """One memory class per app, ordered at the start.

    Args:
        memory_class: int64 [A].
        below: orders the floors; None: there are none.
        name: of the arm.
    """

    def __init__(self, memory_class: Int64, below: PolicyBase | None = None, name: str = "static_memory") -> None:
        self.memory_class, self.below, self.name = memory_class, below, name
        self.period_steps = below.period_steps if below else 1 << 40
        self.needs_steps = below.needs_steps if below else False

    def decide(self, view: View) -> Decision:
        """Order the sizes, and the floors of the policy below."""
        floors = self.below.decide(view).floors if self.below else None  # type: ignore[attr-defined]
        return Decision(memory_class=self.memory_class, floors=floors)


def rounded(need: Float64, threshold: float) -> Int64:
    """Whole instances for a need, a part of one from `threshold` on, int64 of the shape of `need`."""
    return np.floor(need + 1.0 - threshold).astype(np.int64)
