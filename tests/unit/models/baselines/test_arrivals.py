"""Apps without a history start where the rest of the fleet suggests. Not here: following the leader (test_newcomers.py)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.baselines.arrivals import StartsAsTheFleet, expected_usd
from models.baselines.newcomers import PRIOR_CALLS
from models.baselines.planning.curve import SampledCalls
from simulator.control.view import Facts
from simulator.workload import BYTES_IN_MEDIAN
from tests.worlds.small_worlds import plain_scenario, plain_tables

TYPICAL = SampledCalls(*(np.array([value], dtype=kind) for value, kind in ((1_000_000, "i8"), (4_000, "i4"), (4_000, "i4"), (0, "i1"))))


@pytest.fixture
def facts() -> Facts:
    return Facts.of(plain_scenario(capacity=[[9] * 3] * 3, calls=[], functions_of_app=(1, 1), tables=plain_tables(zones=3)))


def learned(*levels: float, known: tuple[int, ...] = (20, 20)) -> Any:
    return SimpleNamespace(known_calls=np.array(known), plain_level_usd=np.array(levels)[:, None])


def view(full: list[float], is_open: tuple[bool, ...] = (True, True, True), placement: tuple[int, int] = (0, 0)) -> Any:
    """Zones that have been as full as said, and no replay yet."""
    ppm = np.rint(np.array(full)[:, None] * 1e6).astype(np.int64)
    return SimpleNamespace(utilisation_ppm=ppm, is_open=np.array(is_open), placement=np.array(placement), replayed=None)


def test_it_starts_at_the_emptiest_zone_of_equal_ones(facts: Facts) -> None:
    policy = StartsAsTheFleet(facts, TYPICAL, learned(0.0, 0.0))
    assert policy.decide(view([0.9, 0.7, 0.95])).placement.tolist() == [1, 1]
    # The expectation goes on as calls of its own: nothing has come, so nothing moves.
    np.testing.assert_allclose(policy.total, PRIOR_CALLS * expected_usd(facts, TYPICAL, learned(0.0, 0.0), view([0.9, 0.7, 0.95])))
    assert policy.decide(view([0.9, 0.7, 0.95], placement=(1, 1))).placement.tolist() == [1, 1]


def test_a_zone_that_is_out_is_not_entered_unless_all_are(facts: Facts) -> None:
    full = [0.9, 0.7, 0.95]
    assert StartsAsTheFleet(facts, TYPICAL, learned(0.0, 0.0)).decide(view(full, (True, False, True))).placement.tolist() == [0, 0]
    assert StartsAsTheFleet(facts, TYPICAL, learned(0.0, 0.0)).decide(view(full, (False, False, False))).placement.tolist() == [1, 1]


def test_the_fleet_adds_its_median_level(facts: Facts) -> None:
    plain = expected_usd(facts, TYPICAL, learned(0.0, 0.0), view([0.6] * 3))
    known = SimpleNamespace(known_calls=np.array([20, 20, 20, 19]), plain_level_usd=np.array([[1.0], [2.0], [9.0], [1e6]]))
    np.testing.assert_allclose(expected_usd(facts, TYPICAL, known, view([0.6] * 3)), plain + 2.0)
    np.testing.assert_allclose(expected_usd(facts, TYPICAL, learned(5.0, 5.0, known=(0, 0)), view([0.6] * 3)), plain)
    nothing_seen = SimpleNamespace(utilisation_ppm=np.zeros((3, 0), dtype=np.int64))
    np.testing.assert_allclose(expected_usd(facts, TYPICAL, learned(0.0, 0.0), nothing_seen), plain)


def test_the_payload_class_sets_the_bytes(facts: Facts) -> None:
    heavy = Facts.of(plain_scenario(capacity=[[9] * 3] * 3, calls=[], functions_of_app=(1, 1), tables=plain_tables(zones=3)))
    heavy.apps.payload[:] = [0, 2]
    usd = expected_usd(heavy, TYPICAL, learned(0.0, 0.0), view([0.6] * 3))
    assert BYTES_IN_MEDIAN[2] > BYTES_IN_MEDIAN[0]
    assert (usd[1] > usd[0]).all()
