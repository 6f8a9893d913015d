"""Timers just in time: a warm instance shortly before the next run of a timer, where it pays. Not here: finding the timers (clocks.py).

Where the surplus of a falling floor ends at once, an instance is launched when the run in the step after next is worth more than the step,
and kept until the run has come or is no longer worth waiting for. Where the surplus lives on for a keep-alive of its own, one step of a
floor some time before the run is enough. A floor is billed in units on one cloud; there a whole unit must pay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.operational.clocks import FIRES, IS_TIMER, Tracker, before, chance, has_stopped, next_run
from models.operational.economics import Prices
from simulator.control.decision import Decision, PolicyBase
from simulator.control.features.pools import expired
from simulator.control.view import View

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
AGAIN_STEPS = 57  # so long a pulse lasts with certainty, less a margin
COVERED_US = 870_000_000  # and so long mostly
MOST_STEPS = 400  # ahead that a floor is thought through
NEVER = np.int64(-(1 << 60))


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
def decide(step: int, step_us: int, pools: Int64, first: Int64, members: Int64, app: Int64, lines: Float64, has_run: NDArray[np.bool_],
           first_pool: Int64, benefit: Float64, step_usd: Float64, idle_usd: Float64, unit_steps: Int64, is_drop: NDArray[np.bool_],
           one_pool: NDArray[np.bool_], cloud: Int64, keep_alive: Int64, factor: float, since: Int64,
           floors: Int64) -> None:  # pragma: no cover  # fmt: skip
    """Set `floors` (int64 [Q]) for the clocks at a barrier, and remember in `since` (int64 [n members]) when each floor rose.

    `lines`, `has_run`: of the clocks, see `clocks.Tracker`; `benefit` float64 [A, C]; the prices are those of `StepPrices`; `keep_alive`
    int64 [C, 257].
    """
    floors[:] = 0
    now = float(step * step_us)
    for k in range(len(app)):
        a = app[k]
        if lines[k, IS_TIMER] == 0.0:
            continue
        if has_run[k] and is_drop[a] and unit_steps[a] <= 1:
            since[first[k] : first[k + 1]] = NEVER
        mean, sd = next_run(lines[k], now, factor)
        if has_stopped(lines[k], mean):
            since[first[k] : first[k + 1]] = NEVER
            continue
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
        tracker: of the clocks, where another part of the policy keeps it up to date; None: the policy keeps its own.
    """

    period_steps = 1

    def __init__(self, benefit_usd: Float64, rules: TimerRules | None = None, name: str = "timers", tracker: Tracker | None = None) -> None:
        self.name, self.rules = name, rules or TimerRules()
        self.benefit_usd = benefit_usd * self.rules.benefit_share
        self.tracker, self._is_own = tracker or Tracker(), tracker is None
        self.prices = Prices()
        self._since: Int64 | None = None

    def decide(self, view: View) -> Decision:
        """Order the floors that pay."""
        return Decision(floors=self.floors(view))

    def forget(self) -> None:
        """Begin anew with a tracker that was exchanged: no floor of the past is remembered."""
        self._since = None

    def floors(self, view: View) -> Int64:
        """The floors that pay, int64 [Q]."""
        if self._is_own:
            self.tracker.update(view)
        clocks, facts = self.tracker.clocks, view.facts
        if self._since is None:
            self._since = np.full(len(clocks.members), NEVER, dtype=np.int64)
            self._floors = np.zeros(len(facts.apps.function_ids), dtype=np.int64)
        p = self.prices.at(view)
        decide(
            view.step, facts.world.step_us, view.pools, clocks.first, clocks.members, clocks.app, self.tracker.lines,
            self.tracker.has_run, facts.apps.first_function, self.benefit_usd, p.step_usd, p.idle_usd, p.unit_steps, p.is_drop,
            p.keeps_one_pool, p.cloud, facts.tables.keep_alive_us, self.rules.sd_factor, self._since, self._floors,
        )  # fmt: skip
        return self._floors.copy()
