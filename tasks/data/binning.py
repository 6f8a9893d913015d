"""Numba passes over calls sorted by (app, arrival) into the sparse table of app and step. Not here: reading, splitting, scaling.

A call runs in [arrival, arrival + duration). A row exists for every step of an app with an arrival or a running call; an absent step
means zero calls and zero concurrency. Everything in a row is known at the end of its step: a duration counts in the step (low, high]
in which its call ENDED; counting it at the arrival would leak the future. Concurrency needs only which calls still run at the end.
"""

from __future__ import annotations

import itertools
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

NONE = -1  # represents null in integer columns
FAR = np.iinfo(np.int64).max


def bin_calls(
    app: NDArray[np.int64],
    function: NDArray[np.int64],
    arrival_us: NDArray[np.int64],
    duration_us: NDArray[np.int64],
    step_us: int,
    span_steps: int,
) -> dict[str, NDArray[Any]]:
    """Bin the calls of every app into steps.

    Args:
        app: int64 [n], ids, ascending.
        function: int64 [n], ids, unique inside an app.
        arrival_us: int64 [n], ascending inside an app.
        duration_us: int64 [n], not negative; a zero-duration call counts as a call and is never running.
        step_us: length of a step.
        span_steps: steps from 0; later ones are cut.

    Returns:
        Columns of equal length, sorted by (app, step): app_id, step, calls, functions, busy_us (instance time inside the step),
        concurrency_max, duration_p50_us, duration_p95_us (nearest rank over calls that ended in the step; -1: none), gap_mean_us,
        gap_cv (population deviation over mean of the gaps that end in the step; NaN: none, and for gap_cv also a single gap),
        since_last_call_us (from the last arrival to the end of the step).
    """
    starts = np.flatnonzero(np.concatenate([[True], app[1:] != app[:-1]])) if len(app) else np.zeros(0, dtype=np.int64)
    bounds = np.append(starts, len(app)).astype(np.int64)
    parts = []
    for lo, hi in itertools.pairwise(bounds):
        arrival, duration = arrival_us[lo:hi], duration_us[lo:hi]
        ends = arrival + duration
        running = np.flatnonzero(duration > 0)
        order = running[np.argsort(ends[running], kind="stable")]
        ends, end_durations = ends[order], duration[order]
        del running, order  # of a large app each is as long as the app
        n = _count(arrival, duration, ends, step_us, span_steps)
        integers = np.empty((8, n), dtype=np.int64)
        floats = np.empty((2, n), dtype=np.float64)
        known = np.unique(function[lo:hi])
        _fill(arrival, duration, function[lo:hi], known, ends, end_durations, step_us, span_steps, integers, floats)
        parts.append((app[lo], integers, floats))
    names = ("step", "calls", "functions", "busy_us", "concurrency_max", "duration_p50_us", "duration_p95_us", "since_last_call_us")
    out: dict[str, NDArray[Any]] = {
        "app_id": np.concatenate([np.full(p[1].shape[1], p[0], dtype=np.int64) for p in parts]) if parts else np.zeros(0, np.int64)
    }
    for k, name in enumerate(names):
        out[name] = np.concatenate([p[1][k] for p in parts]) if parts else np.zeros(0, np.int64)
    for k, name in enumerate(("gap_mean_us", "gap_cv")):
        out[name] = np.concatenate([p[2][k] for p in parts]) if parts else np.zeros(0)
    return out


@nb.njit(cache=True, nogil=True)
def _step_of_row(arrival, i, running, step, step_us):  # type: ignore[no-untyped-def]
    """The step of the next row: `step` while calls run, else that of the next arrival; -1 behind the last."""
    if running > 0:
        return step
    return arrival[i] // step_us if i < len(arrival) else -1


@nb.njit(cache=True, nogil=True)
def _with_headroom(values, count):  # type: ignore[no-untyped-def]
    """The array, or one twice as long with its content, so that a further value fits."""
    if count < len(values):
        return values
    larger = np.empty(2 * len(values), dtype=np.int64)
    larger[:count] = values
    return larger


@nb.njit(cache=True, nogil=True)
def _ranks(durations):  # type: ignore[no-untyped-def]
    """The nearest-rank median and 95th percentile; -1 of none."""
    count = len(durations)
    if count == 0:
        return NONE, NONE
    values = np.sort(durations)
    return values[(count + 1) // 2 - 1], values[(95 * count + 99) // 100 - 1]


@nb.njit(cache=True, nogil=True)
def _count(arrival, duration, ends, step_us, span_steps):  # type: ignore[no-untyped-def]
    """Number of rows that `_fill` writes."""
    i, j, rows, running = 0, 0, 0, 0
    step = 0
    while True:
        step = _step_of_row(arrival, i, running, step, step_us)
        if not 0 <= step < span_steps:
            break
        high = (step + 1) * step_us
        while i < len(arrival) and arrival[i] < high:
            running += duration[i] > 0
            i += 1
        while j < len(ends) and ends[j] <= high:
            running -= 1
            j += 1
        rows += 1
        step += 1
    return rows


@nb.njit(cache=True, nogil=True)
def _fill(arrival, duration, function, known, ends, end_durations, step_us, span_steps, integers, floats):  # type: ignore[no-untyped-def]
    seen = np.full(len(known), -1, dtype=np.int64)  # the last row in which a function was called
    ended = np.empty(64, dtype=np.int64)
    i, j, row, running, step = 0, 0, 0, 0, 0
    last = -1
    while True:
        step = _step_of_row(arrival, i, running, step, step_us)
        if not 0 <= step < span_steps:
            break
        low, high = step * step_us, (step + 1) * step_us
        now, busy, peak, calls, distinct, count = low, np.int64(0), running, 0, 0, 0
        gaps, gap_sum, gap_mean, gap_squares = 0, np.int64(0), 0.0, 0.0
        while True:
            next_arrival = arrival[i] if i < len(arrival) else FAR
            next_end = ends[j] if j < len(ends) else FAR
            moment = min(next_arrival, next_end)
            if moment > high or (moment == high and next_end > high):
                break
            busy += running * (moment - now)
            now = moment
            done = np.int64(-1)
            if next_end <= next_arrival:
                running -= 1
                done = end_durations[j]
                j += 1
            else:
                if last >= 0:
                    gaps += 1
                    gap_sum += moment - last
                    # Welford's update: equal long gaps keep a variation of exactly zero, which a difference of squares does not.
                    away = float(moment - last) - gap_mean
                    gap_mean += away / gaps
                    gap_squares += away * (float(moment - last) - gap_mean)
                last = moment
                calls += 1
                which = np.searchsorted(known, function[i])
                if seen[which] != row:
                    seen[which] = row
                    distinct += 1
                if duration[i] > 0:
                    running += 1
                    peak = max(peak, running)
                else:
                    done = np.int64(0)
                i += 1
            if done >= 0:
                ended = _with_headroom(ended, count)
                ended[count] = done
                count += 1
        busy += running * (high - now)
        integers[0, row], integers[1, row], integers[2, row], integers[3, row] = step, calls, distinct, busy
        integers[4, row], integers[7, row] = peak, high - last
        integers[5, row], integers[6, row] = _ranks(ended[:count])
        floats[0, row] = gap_sum / gaps if gaps > 0 else np.nan
        floats[1, row] = np.sqrt(gap_squares / gaps) / (gap_sum / gaps) if gaps > 1 and gap_sum > 0 else np.nan
        row += 1
        step += 1


@nb.njit(cache=True, nogil=True)
def rolling(app, step, value, window):  # type: ignore[no-untyped-def]
    """Sum and maximum of `value` over the last `window` steps of the dense axis, own step included.

    Args:
        app: int64 [n], the apps of the rows, ascending.
        step: int64 [n], ascending inside an app.
        value: int64 [n], zero on absent steps.
        window: number of steps.

    Returns:
        (sum, maximum), int64 [n].
    """
    n = len(step)
    total, highest = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    queue = np.empty(n, dtype=np.int64)
    head, tail, left, running = 0, 0, 0, np.int64(0)
    for i in range(n):
        if i == 0 or app[i] != app[i - 1]:
            head, tail, left, running = i, i, i, np.int64(0)
        running += value[i]
        while step[left] <= step[i] - window:
            running -= value[left]
            left += 1
        while tail > head and value[queue[tail - 1]] <= value[i]:
            tail -= 1
        queue[tail] = i
        tail += 1
        while step[queue[head]] <= step[i] - window:
            head += 1
        total[i], highest[i] = running, max(value[queue[head]], 0)
    return total, highest


@nb.njit(cache=True, nogil=True)
def lagged(app, step, value, lag):  # type: ignore[no-untyped-def]
    """Value of the same app `lag` steps earlier, zero where that step is absent; int64 [n]."""
    n = len(step)
    out = np.zeros(n, dtype=np.int64)
    left = 0
    for i in range(n):
        if i == 0 or app[i] != app[i - 1]:
            left = i
        while step[left] < step[i] - lag:
            left += 1
        if step[left] == step[i] - lag:
            out[i] = value[left]
    return out
