"""What an app's own past says of its next interval: calls and bursts now, a day and a week ago. Not here: places, other apps, learners.

Everything comes from `view.past`, so it does not depend on where the app ran. Counts are of whole tactical intervals; a burst is the most
calls that arrived in one step of an interval.

| column | meaning | unit |
|---|---|---|
| 0 | calls of the last interval | log(1 + n) |
| 1 | mean of the last 2 h | log(1 + n) |
| 2 | mean of the last day | log(1 + n) |
| 3 | mean of the intervals around the same time yesterday | log(1 + n) |
| 4 | the same a week ago; before there is one, column 2 | log(1 + n) |
| 5 | burst of the last interval | log(1 + n) |
| 6 | largest burst of the last day | log(1 + n) |
| 7 | largest burst around the same time yesterday | log(1 + n) |
| 8 | intervals since the last one with calls, at most a week | log(1 + n) |
| 9 | share of the last day's intervals with calls | share |
| 10 | standard deviation of the last day's counts | log(1 + n) |
| 11 | mean duration of the last day's calls | log(1 + tenths of a second) |
| 12, 13 | sine and cosine of the time of day | - |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from core.units import DAY_US
from simulator.control.history import DURATION

if TYPE_CHECKING:
    from simulator.control.view import Facts, View

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
VERSION = 1
FEATURES = 14
TWO_HOURS_US = 7_200_000_000
WEEK_DAYS = 7
LARGEST = 20.0  # log(1 + n) of any count of calls


class Known:
    """Counts of the past week, brought up to date at every barrier.

    Args:
        facts: of the scenario.
    """

    def __init__(self, facts: Facts) -> None:
        world = facts.world
        self.apps, self.steps, self.step_us = len(facts.apps.app_ids), world.tactical_steps, world.step_us
        self.width_us = world.tactical_us
        self.day = max(1, round(DAY_US / self.width_us))
        self.week = max(1, round(WEEK_DAYS * DAY_US / self.width_us))
        self.two_hours = max(1, round(TWO_HOURS_US / self.width_us))
        self.kept = self.week + 2
        self.counts: Int64 = np.zeros((self.apps, 0), dtype=np.int64)  # of the intervals that ended, newest last
        self.bursts: Int64 = np.zeros((self.apps, 0), dtype=np.int64)
        self.ended: int | None = None  # intervals of the scenario

    def update(self, view: View) -> None:
        """Take in the intervals that have ended since the last call; asking twice at one barrier changes nothing."""
        ended = view.step // self.steps
        begin = max(0, ended - self.kept) if self.ended is None else max(self.ended, ended - self.kept)
        if begin < ended:
            counts, bursts = self._counted(view, begin, ended)
            self.counts = np.concatenate([self.counts, counts], axis=1)[:, -self.kept :]
            self.bursts = np.concatenate([self.bursts, bursts], axis=1)[:, -self.kept :]
        self.ended = ended

    def _counted(self, view: View, begin: int, end: int) -> tuple[Int64, Int64]:
        """Calls and bursts of the intervals [begin, end), int64 [A, end - begin] each."""
        steps, edges = (end - begin) * self.steps, np.array([begin, end]) * self.width_us
        counts = np.zeros((self.apps, end - begin), dtype=np.int64)
        bursts = np.zeros_like(counts)
        for a in range(self.apps):
            arrival = view.past.calls(a).arrival_us
            lo, hi = np.searchsorted(arrival, edges)
            if lo < hi:
                by_step = np.bincount((arrival[lo:hi] - edges[0]) // self.step_us, minlength=steps).reshape(-1, self.steps)
                counts[a], bursts[a] = by_step.sum(axis=1), by_step.max(axis=1)
        return counts, bursts


def start(facts: Facts) -> Known:
    """Return what a run remembers."""
    return Known(facts)


def space(facts: Facts) -> spaces.Box:
    """The space of one app's row."""
    low = np.zeros(FEATURES, dtype=np.float32)
    low[-2:] = -1
    high = np.full(FEATURES, LARGEST, dtype=np.float32)
    high[[9, 12, 13]] = 1
    return spaces.Box(low, high, dtype=np.float32)


def observe(view: View, known: Known) -> Float32:
    """Return the row of every app, float32 [A, 14]."""
    known.update(view)
    counts, bursts = known.counts, known.bursts
    day = counts[:, -known.day :]
    seen = day.shape[1]
    out = np.zeros((known.apps, FEATURES))
    if seen:
        out[:, 0], out[:, 5] = counts[:, -1], bursts[:, -1]
        out[:, 1], out[:, 2] = counts[:, -known.two_hours :].mean(axis=1), day.mean(axis=1)
        out[:, 3] = _around(counts, known.day).mean(axis=1)
        out[:, 4] = _around(counts, known.week).mean(axis=1) if counts.shape[1] >= known.week else out[:, 2]
        out[:, 6], out[:, 7] = bursts[:, -known.day :].max(axis=1), _around(bursts, known.day).max(axis=1)
        has_calls = counts > 0
        quiet = np.where(has_calls.any(axis=1), has_calls[:, ::-1].argmax(axis=1), counts.shape[1])
        out[:, 8], out[:, 9], out[:, 10] = quiet, (day > 0).mean(axis=1), day.std(axis=1)
    out[:, 11] = view.past.history.mean[-1, :, DURATION] / 1e5
    logs = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11]
    out[:, logs] = np.minimum(np.log1p(out[:, logs]), LARGEST)
    phase = 2 * np.pi * (view.now_us % DAY_US) / DAY_US
    out[:, 12], out[:, 13] = np.sin(phase), np.cos(phase)
    return out.astype(np.float32)


def _around(values: Int64, before: int) -> Int64:
    """The intervals that the coming one would be so many intervals earlier, and the next one; the oldest ones if that is too early."""
    end = values.shape[1] - before + 2
    return values[:, : max(1, min(2, end))] if end <= 2 else values[:, end - 2 : end]
