"""The two reconstructed arms on hand cases. Not here: how well they do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.baselines.chen25 import SHORTAGE_USD, assign
from models.baselines.fr24 import WeightedScore, Weights, usable
from simulator.control.view import Facts
from tests.worlds.small_worlds import plain_scenario, plain_tables


@pytest.fixture
def facts() -> Facts:
    return Facts.of(plain_scenario(capacity=[[9] * 3] * 2, calls=[], functions_of_app=(1,), tables=plain_tables(zones=2)))


def view(facts: Facts, placement: int, used: list[float], is_open: tuple[bool, bool] = (True, True)) -> Any:
    metros, clouds = len(facts.tables.metros), len(facts.tables.clouds)
    newest = SimpleNamespace(cold=np.full((1, 1, clouds), 0.5), origins=np.full((1, 1, metros), 1.0 / metros))
    return SimpleNamespace(
        placement=np.array([placement]),
        past=SimpleNamespace(history=newest),
        utilisation_now_ppm=np.rint(np.array(used) * 1e6).astype(np.int64),
        is_open=np.array(is_open),
    )


def test_the_score_adds_up_its_parts_and_a_move_needs_a_margin(facts: Facts) -> None:
    policy = WeightedScore(facts, Weights(1.0, 2.0, 3.0, 4.0), margin=0.5)
    # 1 ms to the data, half of the starts cold with a median of 1 s of 10, callers 2 ms away.
    expected = 1 / 250 + 2 * 0.05 + 3 * 2 / 250 + 4 * np.array([0.5, 0.6])
    np.testing.assert_allclose(policy.score(view(facts, 0, [0.5, 0.6]))[0], expected, rtol=1e-6)
    assert policy.decide(view(facts, 0, [0.5, 0.4])).placement.tolist() == [1]  # the first placement is free
    assert policy.decide(view(facts, 1, [0.45, 0.5])).placement.tolist() == [1]  # better by 0.2 only
    assert policy.decide(view(facts, 1, [0.3, 0.5])).placement.tolist() == [0]
    found, unit = policy.estimates(view(facts, 0, [0.3, 0.5], (False, True)))
    assert np.isnan(found[0]).tolist() == [True, False]
    assert unit == "score"


def test_an_app_whose_zones_are_all_out_may_use_any_allowed_one(facts: Facts) -> None:
    assert usable(facts, view(facts, 0, [0.5, 0.5], (False, True))).tolist() == [[False, True]]
    assert usable(facts, view(facts, 0, [0.5, 0.5], (False, False))).tolist() == [[True, True]]


def test_the_assignment_is_the_cheapest_within_its_limits() -> None:
    cost = np.array([[0.0, 0.2], [0.0, 0.5]])
    everything = np.ones((2, 2), dtype=np.bool_)
    one_each = (np.ones((2, 2)), np.arange(2), np.array([1.0, 1.0]))
    both = (np.ones((2, 2)), np.arange(2), np.array([2.0, 2.0]))
    assert assign(cost, [both], everything).tolist() == [0, 0]
    assert assign(cost, [one_each], everything).tolist() == [1, 0]  # the app that loses less leaves
    assert assign(cost, [one_each], np.array([[True, False], [True, True]])).tolist() == [0, 1]
    # Nothing fits: the shortage is paid, and there is an answer.
    none = (np.ones((2, 2)), np.zeros(2, dtype=np.int64), np.array([0.0]))
    assert assign(cost, [none], everything).tolist() == [0, 0]
    assert cost.max() < SHORTAGE_USD
