"""Timers just in time: a warm instance shortly before the next run of a timer, where it pays. Not here: finding the timers (clocks.py).

Where the surplus of a falling floor ends at once, an instance is launched when the run in the step after next is worth more than the step,
and kept until the run has come or is no longer worth waiting for. Where the surplus lives on for a keep-alive of its own, one step of a
floor some time before the run is enough. A floor is billed in units on one cloud; there a whole unit must pay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.operational.clocks import (
    COLUMNS,
    FIRES,
    IS_TIMER,
    RUNS,
    Clocks,
    add_runs,
    find_clocks,
    next_run,
)
from models.operational.economics import StepPrices, step_prices
from simulator.control.decision import Decision, PolicyBase
from simulator.control.view import IDLE_NEWEST_US, UP, WORKING, View
from simulator.places.constants import app_constants

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
AGAIN_STEPS = 57  # so long a pulse lasts with certainty, less a margin
COVERED_US = 870_000_000  # and so long mostly
MOST_STEPS = 400  # ahead that a floor is thought through
NEVER = np.int64(-(1 << 60))


@njit(cache=True)
def before(t: float, mean: float, sd: float) -> float:  # pragma: no cover
    """P(the run comes by t), a run that is missed included: Normal(mean, sd), fires with FIRES."""
    return FIRES * 0.5 * math.erfc((mean - t) / (sd * math.sqrt(2.0)))


@njit(cache=True)
def survival(keep_alive: Int64, age: float) -> float:  # pragma: no cover
    """P(an instance lives longer than `age` us of idleness), by a table of quantiles (int64 [257])."""
    last = len(keep_alive) - 1
    if age <= keep_alive[0]:
        return 1.0
    if age >= keep_alive[last]:
        return 0.0
    j = np.searchsorted(keep_alive, age) - 1
    width = keep_alive[j + 1] - keep_alive[j]
    return 1.0 - (j + ((age - keep_alive[j]) / width if width > 0 else 0.0)) / last


@njit(cache=True)
def expired(pool: Int64, keep_alive: Int64, ahead: float) -> float:  # pragma: no cover
    """P(the newest instance of a pool, a row of `View.pools`, is gone `ahead` us from now)."""
    if pool[UP] == 0:
        return 1.0
    if pool[WORKING] > 0 or pool[IDLE_NEWEST_US] < 0:
        return 1.0 - survival(keep_alive, ahead)
    age = float(pool[IDLE_NEWEST_US])
    alive = survival(keep_alive, age)
    return 1.0 - (survival(keep_alive, age + ahead) / alive if alive > 0 else 0.0)


@njit(cache=True)
def worth(now: float, step_us: float, mean: float, sd: float, gain: float, price: float, is_up: bool) -> float:  # pragma: no cover
    """The best sum of gains less steps of a floor from barrier `now` on, USD, over all times of giving up.

    `is_up`: an instance is warm already, so that the running step counts; else it is ready one step from now.
    """
    passed = before(now, mean, sd)
    left = 1.0 - passed
    if left <= 1e-9:
        return 0.0
    total, best, none_yet = 0.0, 0.0, 1.0
    for j in range(MOST_STEPS):
        until = before(now + (j + 1) * step_us, mean, sd)
        comes = (until - passed) / left
        if j > 0 or is_up:
            total += gain * comes
        total -= price * none_yet
        best = max(best, total)
        none_yet -= comes
        passed = until
        if none_yet * gain < price * none_yet or passed >= FIRES - 1e-6:
            break
    return best


@njit(cache=True)
def chance(now: float, begin: float, end: float, mean: float, sd: float) -> float:  # pragma: no cover
    """P(the run comes in [begin, end) | it has not come by now)."""
    return (before(end, mean, sd) - before(begin, mean, sd)) / max(1.0 - before(now, mean, sd), 1e-9)


@njit(cache=True)
def _keep(is_on: bool, since: int, step: int, step_us: float, mean: float, sd: float, is_gone: float, benefit: float,
          price: float, unit: int) -> bool:  # pragma: no cover  # fmt: skip
    """Whether a floor stands where its surplus ends at once, with its fall."""
    now = step * step_us
    if is_on and step - since < unit:
        return True
    if unit > 1:
        whole = chance(now, now + step_us, now + unit * step_us, mean, sd) * is_gone * benefit > unit * price
        first = chance(now, now + step_us, now + 2 * step_us, mean, sd)
        return whole and first >= chance(now, now + unit * step_us, now + (unit + 1) * step_us, mean, sd)
    if is_on:
        return worth(now, step_us, mean, sd, benefit, price, True) > 0
    gain = is_gone * benefit
    is_due = chance(now, now + step_us, now + 2 * step_us, mean, sd) * gain > price
    return is_due and worth(now, step_us, mean, sd, gain, price, False) > 0


@njit(cache=True)
def _pulse(since: int, step: int, step_us: float, mean: float, sd: float, is_gone: float, benefit: float, price: float,
           idle: float) -> bool:  # pragma: no cover  # fmt: skip
    """Whether one step of a floor is due where its surplus lives on.

    A step of waiting saves a step of idling, and its part of another pulse where one may be needed; it loses the run that comes in it.
    """
    now = step * step_us
    if step - since < AGAIN_STEPS:
        return False
    ready = now + step_us
    covered = chance(now, ready, ready + COVERED_US, mean, sd)
    saved = idle + price * max(FIRES - covered, 0.0) / AGAIN_STEPS
    if now < mean and chance(now, ready, ready + step_us, mean, sd) * is_gone * benefit <= saved:
        return False
    waits = min(max(mean - ready, 0.0), float(COVERED_US)) / step_us
    return covered * is_gone * benefit > price + idle * waits


@njit(cache=True)
def decide(step: int, step_us: int, runs: Int64, pools: Int64, first: Int64, members: Int64, app: Int64, at: Int64, lines: Float64,
           seen: Int64, first_pool: Int64, benefit: Float64, step_usd: Float64, idle_usd: Float64, unit_steps: Int64,
           is_drop: NDArray[np.bool_], one_pool: NDArray[np.bool_], cloud: Int64, keep_alive: Int64, factor: float, since: Int64,
           floors: Int64) -> None:  # pragma: no cover  # fmt: skip
    """Set `floors` (int64 [Q]) for the clocks at a barrier, and remember in `since` (int64 [n members]) when each floor rose.

    `at`, `lines`, `seen`: of the clocks, see `add_runs`; `benefit` float64 [A, C]; the prices are those of `StepPrices`; `keep_alive`
    int64 [C, 257].
    """
    floors[:] = 0
    now = float(step * step_us)
    for k in range(len(app)):
        a, own = app[k], members[first[k] : first[k + 1]]
        before_us = seen[k]
        seen[k] = add_runs(at[k], lines[k], runs, own, seen[k])
        if lines[k, IS_TIMER] == 0.0:
            continue
        if seen[k] > before_us and is_drop[a] and unit_steps[a] <= 1:  # the run has come
            since[first[k] : first[k + 1]] = NEVER
        mean, sd = next_run(lines[k], now, factor)
        gain, price = benefit[a, cloud[a]], step_usd[a]
        for i in range(first[k], first[k + 1]):
            q = first_pool[a] if one_pool[a] else members[i]
            is_gone = expired(pools[q], keep_alive[cloud[a]], max(mean - now, 0.0))
            if is_drop[a]:
                is_on = since[i] > NEVER
                stands = _keep(is_on, since[i], step, step_us, mean, sd, is_gone, gain, price, unit_steps[a])
                since[i] = (since[i] if is_on else step) if stands else NEVER
            else:
                stands = _pulse(since[i], step, step_us, mean, sd, is_gone, gain, price, idle_usd[a])
                since[i] = step if stands else since[i]
            if stands:
                floors[q] += 1


@dataclass(frozen=True)
class TimerRules:
    """What is tuned.

    Args:
        sd_factor: the next run deviates by this many residual deviations; 0: by the deviation of a prediction from the line.
        benefit_share: part of the benefit that is counted on.
    """

    sd_factor: float = 0.0
    benefit_share: float = 1.0


class Timers(PolicyBase):
    """Warm instances just in time for the timers of a fleet. Good for one run.

    Args:
        benefit_usd: float64 [A, C], see `economics.cold_start_benefit`.
        rules: see `TimerRules`.
        name: of the arm.
    """

    period_steps = 1

    def __init__(self, benefit_usd: Float64, rules: TimerRules | None = None, name: str = "timers") -> None:
        self.name, self.rules = name, rules or TimerRules()
        self.benefit_usd = benefit_usd * self.rules.benefit_share
        self.clocks: Clocks | None = None

    def decide(self, view: View) -> Decision:
        """Order the floors that pay."""
        if self.clocks is None:
            self._start(view)
        clocks, facts = self.clocks, view.facts
        assert clocks is not None
        hour = view.now_us // 3_600_000_000
        if hour != self._priced_hour or (view.placement != self._priced_at).any():
            self._prices: StepPrices = step_prices(facts, self._constants, view.placement, view.grid_mg_per_kwh)
            self._priced_hour, self._priced_at = hour, view.placement
        prices = self._prices
        decide(
            view.step, facts.world.step_us, view.runs, view.pools, clocks.first, clocks.members, clocks.app, self._at, self._lines,
            self._seen, facts.apps.first_function, self.benefit_usd, prices.step_usd, prices.idle_usd, prices.unit_steps, prices.is_drop,
            prices.keeps_one_pool, prices.cloud, facts.tables.keep_alive_us, self.rules.sd_factor, self._since, self._floors,
        )  # fmt: skip
        return Decision(floors=self._floors)

    def _start(self, view: View) -> None:
        """Find the clocks in the calls so far, and take over their last runs."""
        facts = view.facts
        arrivals = past_arrivals(view)
        self.clocks = find_clocks(arrivals, facts.apps.first_function)
        count = len(self.clocks.app)
        self._at = np.full((count, RUNS), -1, dtype=np.int64)
        self._lines, self._seen = np.zeros((count, COLUMNS)), np.full(count, -1, dtype=np.int64)
        self._since = np.full(len(self.clocks.members), NEVER, dtype=np.int64)
        self._floors = np.zeros(len(facts.apps.function_ids), dtype=np.int64)
        self._constants = app_constants(facts, facts.apps.memory_mb)
        self._priced_hour, self._priced_at = -1, view.placement


def past_arrivals(view: View) -> list[list[Int64]]:
    """Times of the calls before the barrier, by app and function, us."""
    found = []
    for a, functions in enumerate(np.diff(view.facts.apps.first_function).tolist()):
        calls = view.past.calls(a)
        order = np.argsort(calls.function, kind="stable")
        edges = np.searchsorted(calls.function[order], np.arange(functions + 1))
        at = calls.arrival_us[order]
        found.append([at[edges[f] : edges[f + 1]] for f in range(functions)])
    return found
