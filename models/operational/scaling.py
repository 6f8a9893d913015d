"""Autoscaling baselines: a floor from what is needed on average, lately or yesterday; one memory size. Not here: gaps (gaps.py), forecasts.

Each is good for one run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from core.units import DAY_US
from models.operational.past import past_arrivals
from simulator.control.decision import Decision, PolicyBase
from simulator.control.view import WORKING, View

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


class PoolRule(PolicyBase, ABC):
    """What the baselines share: the pools of a view, and that only an app's first function has one where its cloud keeps one an app."""

    period_steps = 1

    def __init__(self) -> None:
        self._has_started = False

    def start(self, view: View) -> None:
        """Prepare for the run that begins at a view."""
        first = view.facts.apps.first_function
        self.app_of_function = np.repeat(np.arange(len(first) - 1), np.diff(first))
        self.is_first = np.arange(first[-1]) == first[self.app_of_function]
        self._has_started = True

    def decide(self, view: View) -> Decision:
        """Order the floors of pools."""
        if not self._has_started:
            self.start(view)
        floors = self.floors(view)
        beyond = view.facts.keeps_one_pool[view.placement][self.app_of_function] & ~self.is_first
        return Decision(floors=np.where(beyond, 0, floors).astype(np.int64))

    @abstractmethod
    def floors(self, view: View) -> NDArray[np.integer]:
        """Floors of the functions, whole numbers [Q]."""

    def last_arrival(self, view: View) -> Int64:
        """The last arrival at the pool of each function, us, int64 [Q]; -1: none."""
        last = view.runs[:, -1]
        most = np.maximum.reduceat(last, view.facts.apps.first_function[:-1])
        return np.where(view.facts.keeps_one_pool[view.placement][self.app_of_function], most[self.app_of_function], last)


class Static(PoolRule):
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


class MovingAverage(PoolRule):
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


class SeasonalNaive(PoolRule):
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
