"""What is known of each pool at a barrier: ages and gaps of its calls, what is up, the hour. Not here: timers, learners.

Pools are functions, or apps where a cloud keeps one pool an app (rows beyond the app's first are 0 then). Nothing reads a duration.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from core.units import DAY_US
from simulator.control.view import IDLE_NEWEST_US, RUNS, UP, WORKING

if TYPE_CHECKING:
    from simulator.control.view import Facts, View

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
VERSION = 1
GAPS = 3
(AGE, GAP_1, GAP_2, GAP_3, MEAN_GAP, SD_GAP, AGE_RATIO, IS_UP, IS_WORKING, EXPIRED, APP_AGE, KNOWN, SIN, COS) = range(14)
COLUMNS = ("age", "gap_1", "gap_2", "gap_3", "mean_gap", "sd_gap", "age_ratio", "is_up", "is_working", "expired", "app_age", "known", "sin",
           "cos")  # fmt: skip
AHEAD_US = 30_000_000  # `EXPIRED` is the probability that nothing is up so far ahead: the coming two steps


class Known:
    """The last arrivals of every function and of every app, and what follows from them, kept up to date.

    Args:
        facts: of the scenario.
    """

    def __init__(self, facts: Facts) -> None:
        functions, apps = len(facts.apps.function_ids), len(facts.apps.app_ids)
        self.at = np.full((functions + apps, RUNS), -1, dtype=np.int64)
        self.gaps = np.zeros((functions + apps, GAPS + 3))
        self.seen = np.full(functions, -1, dtype=np.int64)
        self.app_of_function = np.repeat(np.arange(apps), np.diff(facts.apps.first_function))


def start(facts: Facts) -> Known:
    """Return what a run remembers."""
    return Known(facts)


def observe(view: View, known: Known) -> Float32:
    """Return float32 [Q, 14], columns as in `COLUMNS`: times as log(1 + seconds), probabilities and truth values as they are.

    Ages and gaps are since the last arrivals; without one, of 14 days. `mean_gap` and `sd_gap` are of the logarithms of the last 40 gaps,
    `age_ratio` is `age` - `mean_gap`, `expired` the probability that no instance is idle two steps ahead, `known` the arrivals seen.
    """
    facts = view.facts
    tables = facts.tables
    found = np.zeros((len(facts.apps.function_ids), len(COLUMNS)), dtype=np.float32)
    phase = 2 * math.pi * (view.now_us / DAY_US % 1)
    _note(view.runs, known.at, known.gaps, known.seen, known.app_of_function)
    _fill(
        found,
        float(view.now_us),
        view.pools,
        known.at,
        known.gaps,
        known.app_of_function,
        facts.apps.first_function,
        facts.keeps_one_pool[view.placement],
        facts.cloud_of_placement[view.placement],
        tables.keep_alive_us,
        math.sin(phase),
        math.cos(phase),
    )
    return found


@njit(cache=True)
def _note(runs: Int64, at: Int64, gaps: Float64, seen: Int64, app_of_function: Int64) -> None:  # pragma: no cover
    """Take over arrivals that are new in `runs` (int64 [Q, 41], newest last), and renew the gaps of who had one."""
    functions = len(runs)
    for q in range(functions):
        if runs[q, -1] <= seen[q]:
            continue
        at[q] = runs[q]
        _statistics(at[q], gaps[q])
        own = functions + app_of_function[q]
        for i in range(runs.shape[1]):
            t = runs[q, i]
            if t > seen[q]:
                j = at.shape[1] - 1
                while j >= 0 and at[own, j] > t:
                    j -= 1
                for x in range(j):
                    at[own, x] = at[own, x + 1]
                if j >= 0:
                    at[own, j] = t
        _statistics(at[own], gaps[own])
        seen[q] = runs[q, -1]


@njit(cache=True)
def _statistics(at: Int64, gaps: Float64) -> None:  # pragma: no cover
    """Logarithms of the last gaps, their mean and spread over all that are known, and how many arrivals those are."""
    n, count = len(at), 0
    total, squares = 0.0, 0.0
    for g in range(GAPS):
        gaps[g] = math.log1p(14 * 86400.0)
    for i in range(n - 1, 0, -1):
        if at[i - 1] < 0:
            break
        value = math.log1p((at[i] - at[i - 1]) / 1e6)
        if count < GAPS:
            gaps[count] = value
        total += value
        squares += value * value
        count += 1
    gaps[GAPS] = total / count if count else math.log1p(14 * 86400.0)
    gaps[GAPS + 1] = math.sqrt(max(squares / count - gaps[GAPS] ** 2, 0.0)) if count else 0.0
    gaps[GAPS + 2] = count + 1


@njit(cache=True)
def _lives(table: Int64, age: float) -> float:  # pragma: no cover
    """P(an idle life is longer than `age` us), by a table of quantiles."""
    last = len(table) - 1
    if age <= table[0]:
        return 1.0
    if age >= table[last]:
        return 0.0
    j = np.searchsorted(table, age) - 1
    width = table[j + 1] - table[j]
    return 1.0 - (j + ((age - table[j]) / width if width > 0 else 0.0)) / last


@njit(cache=True)
def expired(pool: Int64, keep_alive: Int64, ahead: float) -> float:  # pragma: no cover
    """P(the newest instance of a pool, a row of `View.pools`, is gone `ahead` us from now) if no call comes until then."""
    if pool[UP] == 0:
        return 1.0
    if pool[WORKING] > 0 or pool[IDLE_NEWEST_US] < 0:
        return 1.0 - _lives(keep_alive, ahead)
    age = float(pool[IDLE_NEWEST_US])
    alive = _lives(keep_alive, age)
    return 1.0 - (_lives(keep_alive, age + ahead) / alive if alive > 0 else 0.0)


@njit(cache=True)
def _fill(found: Float32, now: float, pools: Int64, at: Int64, gaps: Float64, app_of_function: Int64, first: Int64,
          one_pool: Bool, cloud: Int64, keep_alive: Int64, sine: float, cosine: float) -> None:  # pragma: no cover  # fmt: skip
    functions = len(found)
    for q in range(functions):
        a = app_of_function[q]
        if one_pool[a] and q != first[a]:
            continue
        own = functions + a if one_pool[a] else q
        row = found[q]
        is_known = at[own, -1] >= 0
        row[AGE] = math.log1p((now - at[own, -1]) / 1e6) if is_known else math.log1p(14 * 86400.0)
        for g in range(GAPS):
            row[GAP_1 + g] = gaps[own, g] if is_known else math.log1p(14 * 86400.0)
        row[MEAN_GAP] = gaps[own, GAPS] if is_known else math.log1p(14 * 86400.0)
        row[SD_GAP], row[KNOWN] = gaps[own, GAPS + 1], gaps[own, GAPS + 2]
        row[AGE_RATIO] = row[AGE] - row[MEAN_GAP]
        row[IS_UP], row[IS_WORKING] = pools[q, UP] > 0, pools[q, WORKING] > 0
        row[EXPIRED] = expired(pools[q], keep_alive[cloud[a]], float(AHEAD_US))
        last = at[functions + a, -1]
        row[APP_AGE] = math.log1p((now - last) / 1e6) if last >= 0 else math.log1p(14 * 86400.0)
        row[SIN], row[COS] = sine, cosine
