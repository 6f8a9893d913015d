"""Lagged features against counts made by hand of the calls."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.control.decision import Decision, PolicyBase
from simulator.control.features import lagged
from simulator.control.loop import Loop, finished
from simulator.control.view import Facts, View
from simulator.scenario import Scenario


class Looks(PolicyBase):
    name = "looks"

    def __init__(self, facts: Facts) -> None:
        self.known, self.rows = lagged.start(facts), {}  # type: ignore[var-annotated]

    def decide(self, view: View) -> Decision:
        self.rows[view.step] = lagged.observe(view, self.known)
        np.testing.assert_array_equal(self.rows[view.step], lagged.observe(view, self.known))  # asking twice changes nothing
        return Decision()


def seen(scenario: Scenario, begin: int, end: int) -> dict[int, np.ndarray]:
    looks = Looks(Facts.of(scenario))
    finished(Loop(scenario, looks, 1, begin=begin, end=end))
    return looks.rows


@pytest.fixture(scope="module")
def counts(scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """Calls and largest bursts, int64 [A, K], by a plain loop."""
    calls, world = scenario.calls, scenario.world
    intervals = scenario.split_steps[2] // world.tactical_steps
    by_step = np.zeros((len(scenario.apps.app_ids), intervals * world.tactical_steps), dtype=np.int64)
    for app, (lo, hi) in enumerate(zip(calls.first_call[:-1], calls.first_call[1:], strict=True)):
        for arrival in calls.arrival_us[lo:hi]:
            if (step := arrival // world.step_us) < by_step.shape[1]:
                by_step[app, step] += 1
    parts = by_step.reshape(len(by_step), intervals, -1)
    return parts.sum(axis=2), parts.max(axis=2)


def test_columns_are_counts_of_the_past(scenario: Scenario, counts: tuple[np.ndarray, np.ndarray]) -> None:
    calls, bursts = counts
    step = scenario.split_steps[1]
    row, k, day = seen(scenario, step, step + 200)[step], step // 100, 58
    expected = {0: calls[:, k - 1], 1: calls[:, k - 5 : k].mean(axis=1), 2: calls[:, k - day : k].mean(axis=1)}
    expected |= {3: calls[:, k - day : k - day + 2].mean(axis=1), 5: bursts[:, k - 1], 6: bursts[:, k - day : k].max(axis=1)}
    expected |= {7: bursts[:, k - day : k - day + 2].max(axis=1), 10: calls[:, k - day : k].std(axis=1)}
    for column, values in expected.items():
        np.testing.assert_allclose(row[:, column], np.log1p(values), rtol=1e-6, err_msg=str(column))
    np.testing.assert_array_equal(row[:, 4], row[:, 2])  # no week yet
    np.testing.assert_allclose(row[:, 9], (calls[:, k - day : k] > 0).mean(axis=1), rtol=1e-6)
    quiet = [next((i for i in range(k) if calls[a, k - 1 - i]), k) for a in range(len(calls))]
    np.testing.assert_allclose(row[:, 8], np.log1p(quiet), rtol=1e-6)
    assert lagged.space(Facts.of(scenario)).contains(row[0])


def test_a_run_that_began_earlier_sees_the_same(scenario: Scenario) -> None:
    train, valid, _ = scenario.split_steps
    late, early = seen(scenario, valid, valid + 300), seen(scenario, train, valid + 300)
    for step, rows in late.items():
        np.testing.assert_array_equal(rows, early[step])


def test_at_the_start_of_the_trace_there_is_no_past(scenario: Scenario) -> None:
    rows = seen(scenario, 0, 300)
    assert (rows[0][:, :11] == 0).all()
    assert (rows[200][:, 2] > 0).any()
