"""No luck beats the programme by much: random placement policies on small worlds in which apps share nothing. Not here: all schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from models.baselines.rules import Scheduled
from tests.worlds.interval_worlds import STEPS, by_programme, draw_world, replayed

POLICIES = 20  # in each world


def advantages(seeds: Iterable[int]) -> list[float]:
    """How much less than the programme's schedule each random one costs, as a share of it; the sum over the apps of a world."""
    found = []
    for seed in seeds:
        scenario = draw_world(seed)
        schedule, _ = by_programme(scenario)
        programme = replayed(scenario, Scheduled("programme", schedule, STEPS)).sum()
        rng = np.random.default_rng(seed)
        for _ in range(POLICIES):
            luck = np.where(scenario.is_allowed, rng.random((len(schedule), *scenario.is_allowed.shape)), -1.0).argmax(axis=2)
            moves = rng.random(schedule.shape) < rng.choice([0.1, 0.5, 1.0])  # from near the programme's to anything
            found.append(1.0 - replayed(scenario, Scheduled("random", np.where(moves, luck, schedule), STEPS)).sum() / programme)
    return found


def test_no_random_policy_beats_the_programme_by_more_than_a_hundredth() -> None:
    """A representative share of `make verify`."""
    found = advantages(range(20))
    assert max(found) <= 0.01
    assert min(found) < -0.1  # most are much worse


@pytest.mark.slow
def test_none_of_many_random_policies_beats_the_programme_by_more_than_a_hundredth(proof: Callable[..., None]) -> None:
    found = advantages(range(100))
    assert len(found) == 2_000
    assert max(found) <= 0.01
    proof(figure={"policies": len(found), "largest_advantage": round(max(found), 5)}, bound="at most 1 % below the programme's schedule")
