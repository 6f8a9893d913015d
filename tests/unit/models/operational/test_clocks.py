"""Timers are found, their line is the least-squares line, and the next run is where it says."""

from __future__ import annotations

import numpy as np
import pytest

from models.operational import clocks
from models.operational.clocks import COLUMNS, find_clocks, fit_clock, fit_line, has_stopped, held, next_run, past_runs

S = 1_000_000


def line_of(at: np.ndarray) -> np.ndarray:
    line = np.zeros(COLUMNS)
    fit_line(at.astype(np.int64), line)
    return line


def jittered(period_s: float, runs: int, jitter: float, seed: int, missed: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    number = np.flatnonzero(rng.random(runs) >= missed)
    return np.sort((number * period_s + 50 + jitter * period_s * rng.standard_normal(len(number))) * S).astype(np.int64)


def test_a_perfect_timer_with_missed_runs_has_its_period_and_phase() -> None:
    at = np.array([0, 1, 2, 4, 5, 8, 9]) * 300 * S + 7 * S
    line = line_of(at)
    assert line[clocks.IS_TIMER] == 1
    assert line[clocks.PERIOD] == pytest.approx(300 * S)
    assert line[clocks.PHASE] == pytest.approx(7 * S)
    assert line[clocks.SD] == pytest.approx(0, abs=1)
    assert line[clocks.LAST] == 9
    mean, sd = next_run(line, float(9 * 300 * S + 8 * S), 1.4)
    assert (mean, sd) == (pytest.approx(10 * 300 * S + 7 * S), clocks.LEAST_SD_US)


def test_the_line_is_the_least_squares_line() -> None:
    at = jittered(600, 41, 0.03, seed=1)
    number = np.concatenate([[0], np.cumsum(np.rint(np.diff(at) / np.median(np.diff(at))))])
    period, phase = np.polyfit(number, at - at[0], 1)
    line = line_of(at)
    assert line[clocks.PERIOD] == pytest.approx(period, rel=1e-9)
    assert line[clocks.PHASE] == pytest.approx(at[0] + phase, rel=1e-9)
    assert line[clocks.SD] == pytest.approx(np.std(at - at[0] - phase - period * number) * np.sqrt(41 / 39), rel=1e-6)


@pytest.mark.parametrize("factor", [0.0, 1.0, 1.4])
def test_the_next_run_falls_inside_the_interval_as_often_as_it_says(factor: float) -> None:
    """A prediction's deviation covers 68 % of the runs; a larger factor covers more."""
    inside = []
    for seed in range(400):
        at = jittered(900, 42, 0.04, seed)
        mean, sd = next_run(line_of(at[:41]), float(at[40]), factor)
        inside.append(abs(at[41] - mean) < sd)
    expected = {0.0: 0.68, 1.0: 0.66, 1.4: 0.82}[factor]
    assert np.mean(inside) == pytest.approx(expected, abs=0.06)


def test_a_run_that_is_much_too_late_was_missed() -> None:
    line = line_of(np.arange(10) * 100 * S)
    assert next_run(line, 9.5 * 100 * S, 1.0)[0] == pytest.approx(1000 * S)
    assert next_run(line, 1010.0 * S, 1.0)[0] == pytest.approx(1100 * S)
    assert next_run(line, 50_010.0 * S, 1.0)[0] == pytest.approx(50_100 * S)


def test_a_clock_that_missed_two_runs_has_stopped() -> None:
    line = line_of(np.arange(10) * 100 * S)
    means = {now: next_run(line, now * S, 1.0)[0] for now in (950.0, 1050.0, 1150.0)}
    assert [round(mean / S) for mean in means.values()] == [1000, 1100, 1200]
    assert [has_stopped(line, mean) for mean in means.values()] == [False, False, True]


def test_a_steady_clock_is_known_from_all_of_its_runs() -> None:
    at, line = jittered(600, 300, 0.03, 8), np.zeros(COLUMNS)
    fit_clock(at, line)
    assert line[clocks.COUNT] == 300
    assert abs(line[clocks.PERIOD] / S - 600) < 0.05
    mean, sd = next_run(line, float(at[-1]), 0.0)
    assert abs(mean / S - (300 * 600 + 50)) < 4
    assert sd < 1.01 * line[clocks.SD]


def test_a_clock_whose_grid_moved_is_known_from_its_last_runs() -> None:
    at, line = jittered(600, 300, 0.03, 8), np.zeros(COLUMNS)
    at[240:] += 60 * S
    fit_clock(at, line)
    assert line[clocks.COUNT] == clocks.RUNS
    assert abs(next_run(line, float(at[-1]), 0.0)[0] / S - (300 * 600 + 110)) < 15


def test_the_runs_of_a_clock_are_those_of_its_functions() -> None:
    at = jittered(600, 500, 0.03, 9)
    functions = [np.delete(at, 480), np.delete(at, 250) + 20_000]
    found = find_clocks([functions], np.array([0, 2]))
    assert found.members.tolist() == [0, 1]
    runs = past_runs(found, functions)
    assert runs.shape == (1, clocks.LONG_RUNS)
    expected = at + 20_000 * (np.arange(500) == 480)
    assert runs[0].tolist() == expected[-clocks.LONG_RUNS :].tolist()
    short = past_runs(found, [at[:50], at[:0]])
    assert short[0].tolist() == [-1] * (clocks.LONG_RUNS - 50) + at[:50].tolist()


def test_bursts_and_frequent_calls_are_no_timers() -> None:
    rng = np.random.default_rng(2)
    poisson = np.cumsum(rng.exponential(300 * S, 400)).astype(np.int64)
    frequent = np.arange(400) * S
    for at in (poisson, frequent, np.array([1, 2, 3]) * 300 * S):
        accepted, of = held(at)
        assert accepted <= 0.5 * of
    assert held(jittered(300, 400, 0.02, 3, missed=0.01))[0] > 380


def test_functions_that_fire_together_have_one_clock() -> None:
    at = jittered(600, 60, 0.03, 4)
    beside, other = at + 20_000, jittered(777, 60, 0.03, 5)
    burst = np.cumsum(np.random.default_rng(6).exponential(300 * S, 50)).astype(np.int64)
    found = find_clocks([[burst], [at, other, beside[2:]]], np.array([0, 1, 4]))
    assert found.app.tolist() == [1, 1]
    assert [found.members[a:b].tolist() for a, b in zip(found.first[:-1], found.first[1:], strict=True)] == [[1, 3], [2]]


def test_a_run_that_one_function_misses_is_seen_on_the_other() -> None:
    at = np.full(clocks.RUNS, -1, dtype=np.int64)
    line, runs = np.zeros(COLUMNS), np.full((2, 41), -1, dtype=np.int64)
    fired = np.arange(8) * 300 * S
    runs[0, -7:] = np.delete(fired, 3)
    runs[1, -7:] = np.delete(fired, 5) + 15_000
    last = clocks.add_runs(at, line, runs, np.array([0, 1]), -1)
    assert last == fired[-1] + 15_000
    assert at[-8:].tolist() == [f + 15_000 * (i == 3) for i, f in enumerate(fired.tolist())]
    assert line[clocks.COUNT] == 8
    assert clocks.add_runs(at, line, runs, np.array([0, 1]), last) == last
