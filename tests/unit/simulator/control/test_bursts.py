"""How calls come, at the barriers: by hand, and unchanged by later calls. Not here: what is learned from it."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.control.bursts import NAMES, bursts, heights
from tests.worlds.small_worlds import plain_scenario

SECOND, MINUTE = 1_000_000, 60_000_000
COLUMN = {name: i for i, name in enumerate(NAMES)}


def counted(row: np.ndarray, name: str) -> float:
    """A count or height of a row, without its logarithm."""
    return float(np.expm1(row[COLUMN[name]]))


def test_counts_and_heights_at_a_barrier_by_hand() -> None:
    # Barrier 3 is at 75 minutes: the hour began 15 minutes ago, the interval 25 minutes ago.
    calls = [
        {"arrival_us": 30 * MINUTE, "duration_us": MINUTE},
        {"arrival_us": 55 * MINUTE, "duration_us": 40 * MINUTE},  # still running
        {"arrival_us": 55 * MINUTE + SECOND, "duration_us": SECOND},
        {"arrival_us": 61 * MINUTE, "duration_us": SECOND},
        {"arrival_us": 74 * MINUTE + 30 * SECOND, "duration_us": 0},
        {"arrival_us": 75 * MINUTE, "duration_us": SECOND},  # at the barrier: not before it
    ]
    scenario = plain_scenario(capacity=[[9] * 30], calls=calls, steps=600)
    table = bursts(scenario)
    assert table.shape == (7, 1, len(NAMES))
    row = table[3, 0]
    expected = {
        "calls_1_min": 1,
        "calls_5_min": 1,
        "calls_interval": 4,
        "calls_since_hour": 2,
        "calls_3_intervals": 5,
        "calls_last_hour": 3,
        "calls_day": 5 * 25 / 1440,
        "calls_interval_yesterday": 0,
        "height_5_min": 2,  # the long one, and the one without a duration
        "height_interval": 2,
        "height_since_hour": 2,
        "height_3_intervals": 2,
        "height_day": 2,
        "height_fading": 2,
        "height_ever": 2,
        "running": 1,
        "minutes_since_call": 0.5,
    }
    assert {name: pytest.approx(counted(row, name), abs=1e-5) for name in expected} == expected
    assert row[COLUMN["share_of_hour"]] == pytest.approx(0.25)
    assert row[COLUMN["hour_sin"]] == pytest.approx(np.sin(2 * np.pi * 75 / 1440))
    assert not table[0, 0, : COLUMN["minutes_since_call"]].any()
    assert bursts(scenario) is table  # made once


def test_a_later_call_changes_no_earlier_row() -> None:
    rng = np.random.default_rng(1)
    early = [
        {"arrival_us": int(t), "duration_us": int(d)}
        for t, d in zip(rng.integers(0, 50 * MINUTE, 30), rng.integers(0, MINUTE, 30), strict=True)
    ]
    late = [
        {"arrival_us": int(t), "duration_us": int(d)}
        for t, d in zip(rng.integers(50 * MINUTE, 100 * MINUTE, 30), rng.integers(0, MINUTE, 30), strict=True)
    ]
    one, other = (bursts(plain_scenario(capacity=[[9] * 30], calls=calls, steps=600)) for calls in (early, early + late))
    np.testing.assert_array_equal(one[:3], other[:3])
    assert (one[3:] != other[3:]).any()


def test_an_app_that_was_never_called_has_rows() -> None:
    calls = [{"app": 0, "arrival_us": MINUTE, "duration_us": SECOND}]
    table = bursts(plain_scenario(capacity=[[9] * 30], calls=calls, steps=600, functions_of_app=(1, 1)))
    assert np.isfinite(table).all()
    assert counted(table[3, 1], "minutes_since_call") == pytest.approx(600, abs=1e-2)


def test_heights_count_what_runs_between_edges() -> None:
    arrival, end = np.array([0, 5, 12]), np.array([10, 11, 40])
    assert heights(arrival, end, np.array([0, 10, 20, 30])).tolist() == [2, 1, 1]
