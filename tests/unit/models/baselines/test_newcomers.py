"""Apps without a history: start at home, move when the leader's lead pays for the move. Not here: what replays say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.baselines.newcomers import PRIOR_CALLS, FollowTheLeader, prior_usd
from models.baselines.planner import SWITCH_USD
from models.baselines.planning.curve import SampledCalls
from simulator.control.view import Facts
from tests.worlds.small_worlds import plain_scenario, plain_tables


def typical(duration_us: int = 1_000_000) -> SampledCalls:
    """One call without data."""
    values = ((duration_us, "i8"), (0, "i4"), (0, "i4"), (0, "i1"))
    return SampledCalls(*(np.array([value], dtype=kind) for value, kind in values))


@pytest.fixture
def facts() -> Facts:
    return Facts.of(plain_scenario(capacity=[[9] * 3] * 3, calls=[], functions_of_app=(1, 1), tables=plain_tables(zones=3)))


def view(placement: list[int], usd: list[list[float]], is_open: tuple[bool, ...] = (True, True, True)) -> Any:
    """A view in which the calls of the last interval would have cost `usd` [A][P]."""
    replayed = np.zeros((3, len(usd), 3), dtype=np.int64)
    replayed[:, :, 0] = np.rint(np.array(usd).T * 1e9)
    return SimpleNamespace(placement=np.array(placement), replayed=replayed, is_open=np.array(is_open))


def test_it_starts_at_home_and_moves_when_the_lead_pays(facts: Facts) -> None:
    policy = FollowTheLeader(facts, typical())
    assert policy.decide(view([2, 2], [[0, 0, 0], [0, 0, 0]])).placement.tolist() == facts.apps.home.tolist()
    copy = 500 * facts.apps.state_bytes[0] / 1e6 / 1e9  # between zones
    price = copy + SWITCH_USD
    assert policy.decide(view([0, 0], [[0.9 * price, 0, price], [2 * price, 0, price]])).placement.tolist() == [0, 1]
    # The lead adds up; a zone that is out is not entered.
    again = [[0.2 * price, 0, price], [0, 0, 0]]
    assert policy.decide(view([0, 1], again, (True, False, True))).placement.tolist() == [0, 1]
    assert policy.decide(view([0, 1], [[0, 0, 0], [0, 0, 0]])).placement.tolist() == [1, 1]
    found, unit = policy.estimates(view([0, 0], again))
    assert found.shape == (2, 3)
    assert unit.startswith("USD")


def test_the_prior_is_what_typical_calls_cost_there(facts: Facts) -> None:
    usd = prior_usd(facts, typical())
    # 1 GB for 1.001 s at the mean utilisation 0.6, where nothing slows down; 3 ms late, no miss.
    expected = 200e-9 + 1.001 * 1e-5 + 3e-3 * facts.objective.latency_usd_per_s
    np.testing.assert_allclose(usd, expected, rtol=1e-9)
    np.testing.assert_allclose(FollowTheLeader(facts, typical()).total, PRIOR_CALLS * usd)
