"""Windows of twelve steps and what was asked in the step after them, as strided views. Not here: networks, scaling (scaler.py).

A window without a call is the empty window, whatever is still up: it holds the time of day alone, so that all apps without a call share one
window, in training and in a run. Idle windows are 90 % of all; they are sampled, and weighted so that losses are means over all windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from core.units import DAY_US
from simulator.control.features.operational import CPU, MEMORY, QUEUE, RATE, SERIES, TIME
from simulator.control.view import STEP_CALLS, STEP_REJECTED, STEP_UP, STEP_WAITED, STEP_WORKING, WINDOW_STEPS
from simulator.places.rounding import vcpus

if TYPE_CHECKING:
    from simulator.control.view import View
    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
TARGETS = ("cpu", "memory", "rate")  # vCPU, MB, calls per second of the next step
STREAM = 31
IDLE_SHARE = 0.25  # of the chosen windows


@njit(cache=True)
def _drop(ends: Int64, count: int, t: int) -> int:  # pragma: no cover
    """Remove what has ended by t from the first `count` ends, in any order; return how many are left."""
    j = 0
    while j < count:
        if ends[j] <= t:
            count -= 1
            ends[j] = ends[count]
        else:
            j += 1
    return count


@njit(cache=True)
def _spread(busy: Int64, t: int, end: int, step_us: int) -> None:  # pragma: no cover
    """Add the time from t to end to the steps (int64 [T]) in which it lies."""
    while t < end and t // step_us < len(busy):
        until = min(end, (t // step_us + 1) * step_us)
        busy[t // step_us] += until - t
        t = until


@njit(cache=True)
def _running(arrival: Int64, duration: Int64, step_us: int, busy: Int64, most: Int64) -> None:  # pragma: no cover
    """Add running time by step to `busy` and the most calls at once to `most`, int64 [T], of one app, its calls sorted by arrival."""
    ends = np.zeros(len(arrival), dtype=np.int64)
    count, reached = 0, 0
    for i in range(len(arrival) + 1):
        is_call = i < len(arrival) and arrival[i] // step_us < len(busy)
        step = arrival[i] // step_us if is_call else len(busy) - 1
        while reached < step and count > 0:  # steps that begin with calls still running
            reached += 1
            count = _drop(ends, count, reached * step_us)
            most[reached] = max(most[reached], count)
        reached = max(reached, step)
        if not is_call:
            break
        count = _drop(ends, count, arrival[i])
        ends[count] = arrival[i] + duration[i]
        count += 1
        most[step] = max(most[step], count)
        _spread(busy, arrival[i], arrival[i] + duration[i], step_us)


def demand(scenario: Scenario, steps: int) -> Float32:
    """Return what was asked in each step, float32 [A, steps, 3]: vCPUs, MB at the peak, calls per second.

    It is made of arrivals and durations of the trace alone, so no decision changes it: running time is spread over the steps in which a
    call runs, without contention and cold start; vCPUs are those of the configured memory at home.
    """
    calls, apps, world = scenario.calls, scenario.apps, scenario.world
    count, step_us = len(apps.app_ids), world.step_us
    busy, most = np.zeros((count, steps), dtype=np.int64), np.zeros((count, steps), dtype=np.int64)
    for a in range(count):
        own = slice(int(calls.first_call[a]), int(calls.first_call[a + 1]))
        _running(calls.arrival_us[own], calls.duration_us[own], step_us, busy[a], most[a])
    cloud = scenario.tables.cloud_of_region[scenario.tables.region_of_placement[apps.home]]
    vcpu = vcpus(scenario.tables, apps.memory_mb)[np.arange(count), cloud]
    found = np.zeros((count, steps, 3), dtype=np.float32)
    found[:, :, 0] = busy / step_us * vcpu[:, None]
    found[:, :, 1] = most * apps.memory_mb[:, None]
    is_read = calls.group_step < steps
    rate = calls.group_calls[is_read] / (step_us / 1e6)
    found[calls.group_app[is_read], calls.group_step[is_read], 2] = rate
    return found


def recent_demand(view: View, begin: int) -> Float32:
    """Return what was asked in the steps from `begin` to the barrier, as far as it is known there, float32 [A, steps, 3]; see `demand`.

    Only calls that came in these steps count, and a call that still runs counts until now. vCPUs are those of the present placement.
    """
    facts, now, count = view.facts, view.now_us, len(view.facts.apps.app_ids)
    step_us, start = facts.world.step_us, begin * facts.world.step_us
    shape = count, view.step - begin
    busy, most, came = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    for a in range(count):
        calls = view.past.calls(a)
        own = slice(int(np.searchsorted(calls.arrival_us, start)), None)
        arrival = calls.arrival_us[own] - start
        known = np.where(calls.has_ended[own], calls.duration_us[own], now - start - arrival)
        _running(arrival, known, step_us, busy[a], most[a])
        came[a] = np.bincount(arrival // step_us, minlength=shape[1])[: shape[1]]
    vcpu = vcpus(facts.tables, facts.apps.memory_mb)[np.arange(count), facts.cloud_of_placement[view.placement]]
    asked = (busy / step_us * vcpu[:, None], most * facts.apps.memory_mb[:, None], came / (step_us / 1e6))
    return np.stack(asked, axis=2).astype(np.float32)


def series(rows: NDArray[np.integer], quota: int) -> Float32:
    """Return the four inputs beside the time, float32 [..., 4], of rows with the columns of `View.steps`.

    They are those of `simulator.control.features.operational.observe`, step by step.
    """
    found = np.zeros((*rows.shape[:-1], SERIES - 1), dtype=np.float32)
    found[..., RATE] = np.log1p(rows[..., STEP_CALLS]) / np.log1p(quota)
    found[..., MEMORY] = rows[..., STEP_UP] / quota
    found[..., CPU] = rows[..., STEP_WORKING] / np.maximum(rows[..., STEP_UP], 1)
    found[..., QUEUE] = np.log1p(rows[..., STEP_WAITED] + rows[..., STEP_REJECTED]) / np.log1p(quota)
    return np.clip(found, 0, 1, out=found)


def phases(steps: Int64, step_us: int) -> Float32:
    """Time of day at which steps end, in days, float32."""
    return ((np.asarray(steps) + 1) * step_us / DAY_US % 1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Recorded:
    """A recorded run, in the order of steps. A apps, T steps.

    Args:
        inputs: float32 [A, T, 4], scaled; see `series`.
        demand: float32 [A, T, 3], see `demand`.
        scale: float32 [A, 3], what demand is divided by.
        step_us: length of a step.
        first_step: of the run, for the time of day.
    """

    inputs: Float32
    demand: Float32
    scale: Float32
    step_us: int
    first_step: int = 0

    def windows(self, app: Int64, step: Int64) -> Float32:
        """Windows that end with a step, float32 [n, 12, 5]; int64 [n] each. Rows before the run are 0, and so is all but the time of day
        where no call came.
        """
        padded = self._padded()
        view = sliding_window_view(padded, WINDOW_STEPS, axis=1)  # [A, T, 4, 12]
        found = np.zeros((len(app), WINDOW_STEPS, SERIES), dtype=np.float32)
        found[:, :, :TIME] = view[app, step].transpose(0, 2, 1)
        found[~(found[:, :, RATE] > 0).any(axis=1), :, :TIME] = 0
        at = step[:, None] - np.arange(WINDOW_STEPS - 1, -1, -1)
        found[:, :, TIME] = np.where(at >= 0, phases(at + self.first_step, self.step_us), 0)
        return found

    def has_call(self, app: Int64, step: Int64) -> NDArray[np.bool_]:
        """Whether the window that ends with a step holds a call, bool [n]; int64 [n] each."""
        total = self.__dict__.get("_calls")
        if total is None:
            rate = self.inputs[:, :, RATE] > 0
            total = np.concatenate([np.zeros((len(rate), 1), dtype=np.int32), np.cumsum(rate, axis=1, dtype=np.int32)], axis=1)
            self.__dict__["_calls"] = total
        return np.asarray(total[app, step + 1] > total[app, np.maximum(step + 1 - WINDOW_STEPS, 0)])

    def distinct(self, app: Int64, step: Int64) -> tuple[Float32, Int64]:
        """The windows without repetition, float32 [m, 12, 5], and which of them each is, int64 [n].

        All windows that end with the same step and hold no call are one.
        """
        own = np.flatnonzero(self.has_call(app, step))
        key = step.astype(np.int64)
        key[own] = int(step.max(initial=0)) + 1 + np.arange(len(own))
        _, first, which = np.unique(key, return_index=True, return_inverse=True)
        return self.windows(app[first], step[first]), which

    def targets(self, app: Int64, step: Int64) -> Float32:
        """What was asked in the step after each, scaled, float32 [n, 3]."""
        found: Float32 = self.demand[app, step + 1] / self.scale[app]
        return found

    def _padded(self) -> Float32:
        held = self.__dict__.get("_held")
        if held is None:
            held = np.concatenate([np.zeros((len(self.inputs), WINDOW_STEPS - 1, SERIES - 1), np.float32), self.inputs], axis=1)
            self.__dict__["_held"] = held
        return held


def target_scale(asked: Float32, train_steps: int) -> Float32:
    """The most that each app asked for in the train span, float32 [A, 3]; 1 where it asked for nothing."""
    most = asked[:, :train_steps].max(axis=1)
    return np.where(most > 0, most, 1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Chosen:
    """Windows to learn from, in order of time.

    Args:
        app, step: int64 [n], where each window ends.
        weight: float32 [n]; their mean is 1.
    """

    app: Int64
    step: Int64
    weight: Float32


def choose(recorded: Recorded, begin: int, end: int, count: int, rng: np.random.Generator) -> Chosen:
    """Sample windows that end in the steps [begin, end - 1).

    A window is active where one of its steps, or the step after it, has a call. `IDLE_SHARE` of the windows are idle ones; weights give
    both kinds their true share of the losses.
    """
    has_call = recorded.demand[:, :, 2] > 0
    after = np.cumsum(has_call, axis=1, dtype=np.int32)
    steps = np.arange(begin, end - 1)
    before = np.where(steps >= WINDOW_STEPS, after[:, np.maximum(steps - WINDOW_STEPS, 0)], 0)
    is_active = after[:, steps + 1] > before
    found = []
    for active, share in ((True, 1 - IDLE_SHARE), (False, IDLE_SHARE)):
        app, at = np.nonzero(is_active == active)
        wanted = min(round(count * share), len(app))
        if wanted == 0:
            continue
        picked = rng.choice(len(app), wanted, replace=False)
        found.append((app[picked], steps[at[picked]], np.full(wanted, len(app) / wanted)))
    app, step, weight = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((app, step))
    return Chosen(app[order], step[order], (weight[order] / weight.mean()).astype(np.float32))
