"""Autoscaling baselines on the gaps between the calls of a pool: histogram, hazard, hold. Not here: what was needed lately (scaling.py).

The hybrid histogram is Shahrad et al., USENIX ATC 2020, section 4.2 (bins of a minute, 5th and 99th percentile, a fallback where the
histogram is not representative), as a floor; the hazard rule weighs the chance of a call in a step, given the idle time, against the price
of a step. Each is good for one run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.operational.economics import Prices
from models.operational.past import past_arrivals
from models.operational.scaling import PoolRule
from simulator.control.view import FLOOR, IDLE_NEWEST_US, UP, View

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
MINUTE_US = 60_000_000
BINS = 240  # minutes that a histogram of gaps spans
HEAD, TAIL = 0.05, 0.99
REPRESENTATIVE_CV = 2.0  # a histogram whose bins vary less than this is flat
LEAST_GAPS, MOST_BEYOND = 10, 0.5  # and one with few gaps, or many beyond its end, is not used
FAR_US = 870_000_000


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


class HybridHistogram(PoolRule):
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


class GapRule(PoolRule):
    """A rule that weighs the chance of a call, given the idle time, against a price.

    Args:
        benefit_usd: float64 [A, C].
        share: part of the benefit that is counted on.
        name: of the arm.
    """

    def __init__(self, benefit_usd: Float64, share: float, name: str) -> None:
        super().__init__()
        self.benefit_usd, self.share, self.name, self._prices = benefit_usd, share, name, Prices()

    def start(self, view: View) -> None:
        """Make the histograms of the past."""
        super().start(view)
        self._counts = Gaps.of(view).counts
        least = view.facts.tables.keep_alive_us[:, 0]
        self._least = least[view.facts.cloud_of_placement[view.placement]][self.app_of_function]


class Hazard(GapRule):
    """A warm instance while P(a call in a step | idle so long) x benefit exceeds the price of the step, where none may be idle without it.

    Args: see `GapRule`.
    """

    def __init__(self, benefit_usd: Float64, share: float = 1.0, name: str = "hazard") -> None:
        super().__init__(benefit_usd, share, name)

    def start(self, view: View) -> None:
        """Make the histograms of the past."""
        super().start(view)
        step = view.facts.world.step_us
        self._begin, self._end = np.full(len(self._counts), step), np.full(len(self._counts), 2 * step)

    def floors(self, view: View) -> NDArray[np.integer]:
        """One where it pays; where a floor is billed in units, a unit must pay."""
        p, app = self._prices.at(view), self.app_of_function
        last = self.last_arrival(view)
        benefit = self.benefit_usd[app, p.cloud[app]] * self.share
        price = p.step_usd[app] * p.unit_steps[app]
        # What stands only because of the floor counts as dead: else the floor would fall when it has risen.
        is_dead = (view.pools[:, UP] == 0) | (view.pools[:, FLOOR] > 0)
        is_dead |= view.pools[:, IDLE_NEWEST_US] >= self._least - 2 * view.facts.world.step_us
        may = (last >= 0) & (benefit > price) & is_dead
        chance = np.zeros(len(app))
        chance[may] = _hazard(self._counts[may], view.now_us - last[may], self._begin[may], self._end[may])
        return (chance * benefit > price).astype(np.int64)


class Hold(GapRule):
    """Where the surplus of a falling floor lives on: one step of a floor when the idle instance is about to end, if a call is likely.

    Args: see `GapRule`.
    """

    def __init__(self, benefit_usd: Float64, share: float = 1.0, name: str = "hold") -> None:
        super().__init__(benefit_usd, share, name)

    def start(self, view: View) -> None:
        """Make the histograms of the past."""
        super().start(view)
        self._ahead = np.full(len(self._counts), FAR_US)
        self._held = np.full(len(self._counts), -(1 << 30), dtype=np.int64)  # a floor gives a new life, but the idle time runs on

    def floors(self, view: View) -> NDArray[np.integer]:
        """One where an idle instance may end in the coming step and another keep-alive pays."""
        p, app = self._prices.at(view), self.app_of_function
        last = self.last_arrival(view)
        step = view.facts.world.step_us
        is_due = (view.pools[:, UP] > 0) & (view.pools[:, IDLE_NEWEST_US] >= self._least - 2 * step) & ~p.is_drop[app]
        is_due &= (view.step - self._held) * step >= self._least - 2 * step
        chance = np.zeros(len(app))
        own = np.flatnonzero(is_due & (last >= 0))
        if len(own):
            begin = np.zeros(len(own), dtype=np.int64)
            chance[own] = _hazard(self._counts[own], view.now_us - last[own], begin, self._ahead[own])
        price = p.step_usd[app] + p.idle_usd[app] * FAR_US / step / 2
        pays = chance * self.benefit_usd[app, p.cloud[app]] * self.share > price
        self._held[pays] = view.step
        return pays.astype(np.int64)
