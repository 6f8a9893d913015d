"""What every app did in every step, from the calls of the second simulator, one by one. Not here: how the kernel keeps it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.control.view import (
    STEP_CALLS,
    STEP_MEMORY_MB,
    STEP_NOTHING_IDLE,
    STEP_REJECTED,
    STEP_UP,
    STEP_VCPU_US,
    STEP_WAIT_US,
    STEP_WAITED,
    STEP_WORKING,
)
from simulator.scenario import Scenario
from tests.worlds.second_simulator import Outcome, Served


def steps_of(scenario: Scenario, outcome: Outcome) -> NDArray[np.int64]:
    """The columns of `View.steps` for all steps, int64 [steps, A, 9]."""
    found = np.zeros((scenario.steps, len(scenario.apps.app_ids), 9), dtype=np.int64)
    step_us, arrival = scenario.world.step_us, scenario.calls.arrival_us
    for call in outcome.calls:
        row = found[arrival[call.index] // step_us, call.app]
        row[STEP_CALLS] += 1
        row[STEP_REJECTED] += call.ended < 0
        row[STEP_WAITED] += call.began > call.reached
        row[STEP_NOTHING_IDLE] += not call.found_idle
    for (step, app), (up, working) in outcome.instances.items():
        found[step, app, STEP_UP], found[step, app, STEP_WORKING] = up, working
    by_app: dict[int, list[Served]] = {}
    for call in outcome.calls:
        if call.ended >= 0:
            by_app.setdefault(call.app, []).append(call)
    for app, calls in by_app.items():
        first, last = min(c.reached for c in calls) // step_us, max(c.ended for c in calls) // step_us
        for step in range(first, min(last + 1, scenario.steps)):
            begin, end = step * step_us, (step + 1) * step_us
            wait = sum(overlap(c.reached, c.began, begin, end) for c in calls)
            ran = sum(overlap(c.began, c.ended, begin, end) * c.milli_vcpu for c in calls)
            moments = [begin, *(c.began for c in calls if begin < c.began < end)]
            most = max(sum(c.memory_mb for c in calls if c.began <= t < c.ended) for t in moments)
            found[step, app, STEP_WAIT_US], found[step, app, STEP_VCPU_US], found[step, app, STEP_MEMORY_MB] = wait, ran // 1000, most
    return found


def overlap(begin: int, end: int, low: int, high: int) -> int:
    return max(0, min(end, high) - max(begin, low))
