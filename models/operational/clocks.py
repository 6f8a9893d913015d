"""Timers among the functions: the line through their last runs, and when the next one is due. Not here: whether a warm instance pays.

A clock is what fires the timer functions of an app that run together (within a second): their runs are one series, so that a run which one
of them misses is seen on the others. Run numbers are gaps rounded to multiples of the median gap; a least-squares line through (number,
time) gives period and phase; what is left is jitter. Nothing here looks at durations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.operational.past import past_arrivals
from simulator.control.view import View

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
RUNS = 40  # last runs that say whether a function is a timer
LONG_RUNS = 400  # last runs that the line goes through where they deviate hardly more from it than the last `RUNS` from theirs
STEADY = 1.25  # so much more at most
LEAST_RUNS = 6
CLOSE_SHARE, CLOSE_PERIODS, CLOSE_US = 0.8, 0.15, 2e6  # so many residuals are within this share of the period, or this long
LEAST_PERIOD_US = 2e6
LEAST_SD_US = 1e6
FIRES = 0.99  # share of the runs that a function does not miss
LATE_SDS = 4.0  # a run that is later than this was missed
MOST_MISSED = 2  # runs missed in a row after which a clock has stopped, until it fires again: a timer misses two in 0.01 % of the cases
TOGETHER_US = 1_000_000  # functions whose runs are this near have one clock
CHECKED_CALLS = 4000  # last calls of a function on which it is tested for being a timer
(PERIOD, PHASE, SD, LAST, MEAN_NUMBER, SPREAD, COUNT, IS_TIMER) = range(8)  # columns of a line
COLUMNS = 8


@njit(cache=True)
def fit_line(at: Int64, out: Float64) -> None:  # pragma: no cover
    """Fit the line through sorted run times `at` (int64 [n], us) into `out` (float64 [8], see the columns above).

    PHASE: time of run 0, the first of `at`; SD: residual, with n - 2 degrees of freedom; LAST: number of the last run; MEAN_NUMBER and
    SPREAD: mean and sum of squares of the numbers; IS_TIMER: 1 where the residuals are close.
    """
    out[:] = 0.0
    n = len(at)
    if n < LEAST_RUNS:
        return
    gaps = np.empty(n - 1)
    for i in range(n - 1):
        gaps[i] = at[i + 1] - at[i]
    median = np.median(gaps)
    if median <= LEAST_PERIOD_US:
        return
    number = np.zeros(n)
    for i in range(n - 1):
        number[i + 1] = number[i] + np.round(gaps[i] / median)
    mean_number, mean_time = number.mean(), 0.0
    for i in range(n):
        mean_time += (at[i] - at[0]) / n
    spread, both = 0.0, 0.0
    for i in range(n):
        spread += (number[i] - mean_number) ** 2
        both += (number[i] - mean_number) * (at[i] - at[0] - mean_time)
    if spread <= 0:
        return
    period = both / spread
    phase = mean_time - period * mean_number
    limit = max(CLOSE_PERIODS * period, CLOSE_US)
    squares, close = 0.0, 0
    for i in range(n):
        residual = at[i] - at[0] - phase - period * number[i]
        squares += residual * residual
        close += abs(residual) <= limit
    out[PERIOD], out[PHASE] = period, at[0] + phase
    out[SD] = math.sqrt(squares / max(n - 2, 1))
    out[LAST], out[MEAN_NUMBER], out[SPREAD], out[COUNT] = number[n - 1], mean_number, spread, n
    out[IS_TIMER] = 1.0 if close >= CLOSE_SHARE * n and period > LEAST_PERIOD_US else 0.0


@njit(cache=True)
def fit_clock(at: Int64, out: Float64) -> None:  # pragma: no cover
    """Fit the line through the last `RUNS` run times, or through all where the clock is as steady over these; see `fit_line`."""
    fit_line(at[max(0, len(at) - RUNS) :], out)
    if len(at) > RUNS and out[IS_TIMER] > 0:
        long = np.zeros(COLUMNS)
        fit_line(at, long)
        if long[IS_TIMER] > 0 and long[SD] <= STEADY * out[SD]:
            out[:] = long


@njit(cache=True)
def next_run(line: Float64, now: float, factor: float) -> tuple[float, float]:  # pragma: no cover
    """Mean and standard deviation of the next run, us; runs that are much too late were missed.

    `factor` 0: the deviation of a prediction, which grows with the distance from the runs that were seen; above 0: factor x residual.
    """
    number = line[LAST] + 1.0
    sd = max(factor * line[SD], LEAST_SD_US)
    while True:
        if factor == 0.0:
            sd = max(line[SD] * math.sqrt(1.0 + 1.0 / line[COUNT] + (number - line[MEAN_NUMBER]) ** 2 / line[SPREAD]), LEAST_SD_US)
        mean = line[PHASE] + line[PERIOD] * number
        if mean + LATE_SDS * sd > now:
            return mean, sd
        behind = math.floor((now - mean - LATE_SDS * sd) / line[PERIOD])
        number += max(1.0, behind)


@njit(cache=True)
def has_stopped(line: Float64, mean: float) -> bool:  # pragma: no cover
    """Whether the clock missed its last runs, given the mean of the next one."""
    return mean > line[PHASE] + line[PERIOD] * (line[LAST] + MOST_MISSED + 0.5)


@njit(cache=True)
def before(t: float, mean: float, sd: float) -> float:  # pragma: no cover
    """P(the run comes by t), a run that is missed included: Normal(mean, sd), fires with FIRES."""
    return FIRES * 0.5 * math.erfc((mean - t) / (sd * math.sqrt(2.0)))


@njit(cache=True)
def chance(now: float, begin: float, end: float, mean: float, sd: float) -> float:  # pragma: no cover
    """P(the run comes in [begin, end) | it has not come by now)."""
    return (before(end, mean, sd) - before(begin, mean, sd)) / max(1.0 - before(now, mean, sd), 1e-9)


@njit(cache=True)
def held(at: Int64) -> tuple[int, int]:  # pragma: no cover
    """After how many of the last calls of a function (sorted, us) the line through its last runs was accepted, and of how many."""
    line = np.zeros(COLUMNS)
    first = max(LEAST_RUNS, len(at) - CHECKED_CALLS)
    accepted = 0
    for end in range(first, len(at) + 1):
        fit_line(at[max(0, end - RUNS) : end], line)
        accepted += line[IS_TIMER] > 0
    return accepted, max(len(at) + 1 - first, 0)


@njit(cache=True)
def add_runs(at: Int64, line: Float64, runs: Int64, members: Int64, seen: int) -> int:  # pragma: no cover
    """Add what arrived after `seen` to the runs of a clock (int64 [LONG_RUNS], newest last, -1: none), fit anew; return the last arrival.

    `runs`: int64 [Q, n], last arrivals of each function, newest last; `members`: functions of the clock. Arrivals that are as near as
    `TOGETHER_US` to the last run belong to it.
    """
    latest: int = seen
    is_new = False
    while True:
        following: int = -1
        for q in members:
            for i in range(runs.shape[1]):
                t = runs[q, i]
                if t > latest and (following < 0 or t < following):
                    following = t
                    break
        if following < 0:
            break
        latest = following
        if at[-1] >= 0 and following - at[-1] <= TOGETHER_US:
            continue
        at[:-1] = at[1:]
        at[-1] = following
        is_new = True
    if is_new:
        known = 0
        while known < len(at) and at[len(at) - 1 - known] >= 0:
            known += 1
        fit_clock(at[len(at) - known :], line)
    return latest


@dataclass(frozen=True)
class Clocks:
    """The timers of a fleet.

    Args:
        first: int64 [K + 1], clock k has the functions members[first[k] : first[k + 1]].
        members: int64 [n], indices into `function_ids`.
        app: int64 [K].
    """

    first: Int64
    members: Int64
    app: Int64


def find_clocks(arrivals: list[list[Int64]], first_function: Int64, timer_share: float = 0.5) -> Clocks:
    """Return the clocks of a fleet by calls of the past.

    Args:
        arrivals: by app and function, sorted times in us.
        first_function: int64 [A + 1], of each app in `function_ids`.
        timer_share: a function is a timer if the line held after more than this share of its calls.
    """
    first, members, app = [0], [], []
    for a, functions in enumerate(arrivals):
        groups: list[list[int]] = []
        for f, at in enumerate(functions):
            accepted, of = held(at)
            if of == 0 or accepted <= timer_share * of:
                continue
            home = next((group for group in groups if _fire_together(functions[group[0]], at)), None)
            if home is None:
                groups.append([f])
            else:
                home.append(f)
        for group in groups:
            members += [int(first_function[a]) + f for f in group]
            first.append(len(members))
            app.append(a)
    return Clocks(np.array(first, dtype=np.int64), np.array(members, dtype=np.int64), np.array(app, dtype=np.int64))


def _fire_together(one: Int64, other: Int64) -> bool:
    """Whether most of the last runs of a function have one of another beside them."""
    last = other[-RUNS:]
    at = np.clip(np.searchsorted(one, last), 1, max(len(one) - 1, 1))
    nearest = np.minimum(np.abs(one[at - 1] - last), np.abs(one[np.minimum(at, len(one) - 1)] - last))
    return bool((nearest <= TOGETHER_US).mean() > 0.5)


@njit(cache=True)
def _update(at: Int64, lines: Float64, runs: Int64, first: Int64, members: Int64, seen: Int64, has_run: Bool) -> None:  # pragma: no cover
    for k in range(len(seen)):
        last = add_runs(at[k], lines[k], runs, members[first[k] : first[k + 1]], seen[k])
        has_run[k] = last > seen[k]
        seen[k] = last


@njit(cache=True)
def _chances(now: float, step_us: float, far_steps: int, lines: Float64, first: Int64, members: Int64, factor: float,
             found: Float64) -> None:  # pragma: no cover  # fmt: skip
    for k in range(len(lines)):
        if lines[k, IS_TIMER] == 0.0:
            continue
        mean, sd = next_run(lines[k], now, factor)
        if has_stopped(lines[k], mean):
            continue
        near = chance(now, now, now + 2 * step_us, mean, sd)
        far = chance(now, now + step_us, now + far_steps * step_us, mean, sd)
        for i in range(first[k], first[k + 1]):
            found[members[i], 0], found[members[i], 1] = near, far


class Tracker:
    """The clocks of a run, kept up to date. Good for one run.

    Attributes:
        clocks: found in the calls before the first barrier.
        lines: float64 [K, 8], see `fit_line`.
        has_run: bool [K], whether a run has come since the last update.
    """

    clocks: Clocks
    lines: Float64
    has_run: Bool

    def __init__(self) -> None:
        self._seen: Int64 | None = None

    def update(self, view: View) -> None:
        """Take in the arrivals before a barrier; the first time, find the clocks."""
        if self._seen is None:
            arrivals = past_arrivals(view)
            self.clocks = find_clocks(arrivals, view.facts.apps.first_function)
            count = len(self.clocks.app)
            self._at, self.lines = past_runs(self.clocks, [at for functions in arrivals for at in functions]), np.zeros((count, COLUMNS))
            self._seen, self.has_run = self._at[:, -1].copy(), np.zeros(count, dtype=np.bool_)
            for at, line in zip(self._at, self.lines, strict=True):
                fit_clock(at[at >= 0], line)
        _update(self._at, self.lines, view.runs, self.clocks.first, self.clocks.members, self._seen, self.has_run)

    def chances(self, view: View, far_steps: int, factor: float = 0.0) -> Float64:
        """P(a run in the coming two steps) and P(a run in the steps 1 .. far_steps - 1 from now) by function, float64 [Q, 2]."""
        found = np.zeros((len(view.facts.apps.function_ids), 2))
        _chances(
            float(view.now_us),
            float(view.facts.world.step_us),
            far_steps,
            self.lines,
            self.clocks.first,
            self.clocks.members,
            factor,
            found,
        )
        return found


def past_runs(clocks: Clocks, arrivals: list[Int64]) -> Int64:
    """The last runs of each clock, int64 [K, LONG_RUNS], newest last, -1: none; `arrivals`: of each function, sorted times in us."""
    found = np.full((len(clocks.app), LONG_RUNS), -1, dtype=np.int64)
    for k, row in enumerate(found):
        at = np.sort(np.concatenate([arrivals[q] for q in clocks.members[clocks.first[k] : clocks.first[k + 1]]]))
        runs = at[np.diff(at, prepend=-1 - TOGETHER_US) > TOGETHER_US][-LONG_RUNS:]
        row[LONG_RUNS - len(runs) :] = runs
    return found
