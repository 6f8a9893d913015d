"""Apps that know the future take turns: what they ask for, and schedules that leave room for each other. Not here: static placements."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.baselines.coordination import Demand, coordinated_schedule, demand
from models.baselines.programme import best_schedule
from simulator.scenario import Scenario
from tests.worlds.small_worlds import plain_scenario

SECOND = 1_000_000
INTERVAL_S = 1_500  # 100 steps


def calls_of_two_apps() -> list[dict[str, int]]:
    """App 0: three calls at once in the train span; in the test span two at once, one of which runs on into the next interval.

    App 1: one call in the test span's second interval.
    """
    first = [{"app": 0, "arrival_us": 10 * SECOND + i, "duration_us": 5 * SECOND} for i in range(3)]
    begin = 2 * INTERVAL_S * SECOND
    later = [
        {"app": 0, "arrival_us": begin + 100 * SECOND, "duration_us": 2_000 * SECOND},
        {"app": 0, "arrival_us": begin + 200 * SECOND, "duration_us": 10 * SECOND},
        {"app": 0, "arrival_us": begin + 210 * SECOND, "duration_us": 10 * SECOND},  # begins when the one before ends
        {"app": 1, "arrival_us": begin + 1_600 * SECOND, "duration_us": SECOND},
    ]
    return first + later


def two_app_world(capacity: list[list[int]], *, test_end: int) -> Scenario:
    scenario = plain_scenario(capacity=capacity, calls=calls_of_two_apps(), steps=500, functions_of_app=(1, 1))
    return dataclasses.replace(scenario, split_steps=(100, 200, test_end))


def test_the_demand_of_a_span_is_its_calls_their_peak_and_the_least_capacity() -> None:
    slots = 5 * INTERVAL_S // 300
    capacity = np.full((2, slots), 9)
    capacity[1, 11] = 4  # inside the first interval of the test span, slots 10 to 14
    scenario = two_app_world(capacity.tolist(), test_end=400)
    asked = demand(scenario, "test")
    assert asked.calls.tolist() == [[3, 0], [0, 1]]
    assert asked.peak.tolist() == [[2, 1], [0, 1]]  # the long call still runs when the second interval begins
    assert asked.capacity.tolist() == [[9, 9], [4, 9]]
    # A miss and twice the execution at home: 1e-5 USD/GB-s, 1 GB; the wait of 30 s that a reject counts as is worth 3e-4.
    weights = scenario.objective
    mean_s = np.array([(15 + 2_020) / 6, 1.0])
    expected = weights.miss_usd + weights.reject_extra_usd + 2 * 1e-5 * mean_s + 30 * weights.latency_usd_per_s
    np.testing.assert_allclose(asked.reject_usd, expected, rtol=1e-9)


def test_the_last_interval_of_a_span_may_be_short() -> None:
    asked = demand(two_app_world([[9] * 25], test_end=350), "test")
    assert asked.calls.shape == asked.peak.shape == (2, 2)
    assert asked.capacity.shape == (1, 2)


def two_apps(peak: float, capacity: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, Demand]:
    """Two apps, two placements, one interval: placement 0 is cheaper by 1 for both; app 1 asks for more."""
    stay = np.array([[[10.0], [10.0]], [[11.0], [11.0]]])
    move = np.zeros((2, 2, 2))
    alone, _ = best_schedule(stay, stay, move, np.ones((2, 2), dtype=np.bool_))
    asked = Demand(np.array([[10.0], [20.0]]), np.full((2, 1), peak), np.full((2, 1), capacity), np.full(2, 2.0))
    return stay, move, alone, asked


@pytest.mark.parametrize(
    ("capacity", "expected"),
    [
        (10.0, [0, 0]),  # both fit
        (9.0, [0, 0]),  # a fifth of a peak does not: 0.1 x 2 x 20 calls x 0.2 = 0.8 is less than the other placement's extra cost of 1
        (5.0, [0, 1]),  # app 1 has its turn first and leaves, 11 < 10 + 4; app 0 then has the placement for itself
    ],
)
def test_apps_leave_room_for_each_other(capacity: float, expected: list[int]) -> None:
    stay, move, alone, asked = two_apps(5.0, capacity)
    schedule = coordinated_schedule(stay, stay, move, np.ones((2, 2), dtype=np.bool_), alone, asked)
    assert schedule[0].tolist() == expected
    assert alone[0].tolist() == [0, 0]


def test_a_fence_holds_and_an_app_without_calls_keeps_its_schedule() -> None:
    stay, move, alone, asked = two_apps(5.0, 5.0)
    fenced = np.array([[True, False], [True, False]])
    assert coordinated_schedule(stay, stay, move, fenced, alone, asked)[0].tolist() == [0, 0]
    quiet = Demand(np.zeros((2, 1)), np.zeros((2, 1)), asked.capacity, asked.reject_usd)
    assert coordinated_schedule(stay, stay, move, np.ones((2, 2), dtype=np.bool_), alone + 1, quiet)[0].tolist() == [1, 1]
