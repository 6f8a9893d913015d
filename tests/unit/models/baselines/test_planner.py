"""The planner on hand-made expectations: who may move, what it says of its answer. Not here: expectations, the look-ahead."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.baselines.planner import MIN_CALLS, SWITCH_USD, Planner
from models.baselines.planning.costs import Expected
from models.baselines.planning.response import KNOTS
from models.baselines.planning.volumes import KEEP, LEAST_SHARE, mean_calls
from simulator.control.view import Facts
from tests.worlds.small_worlds import plain_scenario, plain_tables


def costs(usd: list[list[float]], known_calls: tuple[int, ...] = (MIN_CALLS, MIN_CALLS)) -> Any:
    """Costs that expect `usd` [A][P] in each of three intervals; copies are free."""
    facts = Facts.of(plain_scenario(capacity=[[9] * 3] * 2, calls=[], functions_of_app=(1, 1), tables=plain_tables(zones=2)))
    expected = Expected(np.array([usd] * 3), np.ones(2), np.full((3, 2), 0.5))
    learned = SimpleNamespace(known_calls=np.array(known_calls), response_usd=np.zeros((2, len(KNOTS))))
    return SimpleNamespace(facts=facts, learned=learned, expected=lambda view: expected, move_usd=lambda view: np.zeros((2, 1, 1)))


def view(*placement: int, peak: tuple[int, int] = (1, 1)) -> Any:
    return SimpleNamespace(placement=np.array(placement), peak=np.array(peak))


def test_it_moves_where_the_horizon_pays_for_an_empty_pool() -> None:
    small, large = 0.3 * SWITCH_USD, 0.5 * SWITCH_USD
    policy = Planner(costs([[small, 0.0], [large, 0.0]]), "planner", horizon=3)
    assert policy.decide(view(1, 1)).placement.tolist() == [1, 1]
    assert policy.decide(view(0, 0)).placement.tolist() == [0, 1]  # three intervals save 0.9 and 1.5 of the price
    assert Planner(costs([[small, 0.0], [large, 0.0]]), "planner").decide(view(0, 0)).placement.tolist() == [1, 1]  # the first one is free
    hesitant = Planner(costs([[small, 0.0], [large, 0.0]]), "planner", horizon=3, switches=2.0)
    hesitant.decide(view(0, 0))
    assert hesitant.decide(view(0, 0)).placement.tolist() == [0, 0]


def test_an_app_that_taught_too_little_stays() -> None:
    policy = Planner(costs([[1.0, 0.0], [1.0, 0.0]], (MIN_CALLS - 1, MIN_CALLS)), "planner")
    assert policy.decide(view(0, 0)).placement.tolist() == [0, 1]
    assert policy.decide(view(0, 1)).placement.tolist() == [0, 1]


def test_its_estimates_are_those_of_the_coming_interval() -> None:
    policy = Planner(costs([[1.0, 0.5], [2.0, 3.0]]), "planner")
    found, unit = policy.estimates(view(0, 0))
    assert np.isnan(found).all()
    assert unit == "USD"
    policy.decide(view(0, 0))
    assert policy.estimates(view(0, 0))[0].tolist() == [[1.0, 0.5], [2.0, 3.0]]


def test_the_height_is_the_most_of_three_intervals_or_half_of_the_days() -> None:
    policy = Planner(costs([[0.0, 0.0], [0.0, 0.0]]), "planner")
    for peak in ((20, 1), (1, 1), (1, 6), (1, 1)):
        height = policy._height(view(0, 0, peak=peak))
    assert height.tolist() == [10.0, 6.0]


def test_volumes_are_a_weighted_mean_with_a_floor() -> None:
    usual = np.array([10.0, 10.0])
    counts = np.array([[0, 20], [0, 30]])
    expected = KEEP**2 * 10 + (1 - KEEP) * (KEEP * 20 + 30)
    assert mean_calls(counts, usual) == pytest.approx([KEEP**2 * 10, expected])
    assert mean_calls(np.zeros((400, 2), dtype=np.int64), usual) == pytest.approx(LEAST_SHARE * usual)
