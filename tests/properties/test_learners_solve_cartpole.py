"""The training code of both learners solves CartPole-v1; only hyper-parameters differ from those of the layers. Not here: the layers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.cartpole import BOUND, LEARNERS, SEEDS, TRANSITIONS, measure


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_the_best_checkpoints_of_five_seeds_hold_the_pole(learner: str, proof: Callable[..., None]) -> None:
    found = measure(learner, SEEDS, TRANSITIONS)
    proof(figure=found, bound=f"mean return >= {BOUND} of 100 greedy episodes, averaged over {len(SEEDS)} training seeds")
    assert found["mean"] >= BOUND
