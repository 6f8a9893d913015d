"""What joins the timers saves more than its spread; else the timers stay alone."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.learning.operational_choice import ALONE, USES, Use, chosen

PARTS = np.array([100.0, 96.0, 104.0, 100.0, 98.0, 102.0])
HEAD, BOTH, MEMORY, FAR_MEMORY = USES[1:]


def costs(**saving: np.ndarray | float) -> dict[Use, np.ndarray]:
    uses = {"head": HEAD, "both": BOTH, "memory": MEMORY}
    return {ALONE: PARTS} | {uses[name]: PARTS - value for name, value in saving.items()}


def test_a_saving_that_comes_in_every_part_is_believed() -> None:
    assert chosen(costs(head=0.1, both=-0.1)) == HEAD
    assert chosen(costs(head=0.1, both=0.2)) == BOTH


def test_of_two_savings_the_larger_one_is_taken() -> None:
    parts = {ALONE: PARTS, MEMORY: PARTS - 0.3, FAR_MEMORY: PARTS - 0.4}
    assert chosen(parts) == FAR_MEMORY


def test_a_saving_of_one_part_is_not() -> None:
    burst = np.array([30.0, 0, 0, -1.0, 0, -1.0])
    assert burst.mean() > 4
    assert chosen(costs(memory=burst)) == ALONE


@pytest.mark.parametrize("saving", [0.0, -1.0])
def test_what_saves_nothing_is_left_out(saving: float) -> None:
    assert chosen(costs(head=saving, memory=saving)) == ALONE


def test_one_part_says_nothing_of_a_spread() -> None:
    assert chosen({ALONE: PARTS[:1], HEAD: PARTS[:1] - 5}) == ALONE
