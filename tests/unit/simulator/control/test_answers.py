"""Answers about placements that the judge refuses. Not here: floors and memory (test_orders.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import TrineError
from simulator.control.decision import Decision
from simulator.control.judge import evaluate
from simulator.control.view import View
from simulator.scenario import Scenario
from simulator.twin.fleets import twin_scenario
from tests.worlds.families import FAMILIES
from tests.worlds.told import Said

Int64 = NDArray[np.int64]


@pytest.fixture(scope="module")
def world() -> Scenario:
    """One day of 20 apps: train, valid and test end at 4000, 4800 and 5700 of 5760 steps."""
    return twin_scenario("fenced", changes=FAMILIES["fenced"], days=1, apps=20, rate=0.2)


def told(answer: Callable[[View], Any], period_steps: int = 100) -> Said:
    """A policy that places as a function of the view says."""
    return Said(lambda view: Decision(placement=answer(view)), period_steps)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda seen: seen.placement * 0 - 1, r"placement of app 0 .* is -1"),
        (lambda seen: seen.placement * 0 + 72, r"placement of app 0 .* is 72(.|\n)*use 0\.\.71"),
        (lambda seen: seen.placement[:-1], r"shape \(19,\)(.|\n)*int64 \[20\]"),
        (lambda seen: seen.placement[None], r"shape \(1, 20\)"),
        (lambda seen: 3, r"shape \(\)"),
        (lambda seen: ["aws"] * 20, "placement is <U3"),
        (lambda seen: seen.placement + 0.5, "placement is float64"),
        (lambda seen: np.where(np.arange(20) == 7, np.nan, 1), "placement of app 7 .* is NaN"),
        (lambda seen: [[0], [0, 1]], "placement is object"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_nonsense_answer_is_a_clear_error(world: Scenario, answer: Callable[[View], Any], words: str, first: bool) -> None:
    policy = told(lambda seen: seen.placement if seen.step == 4800 and not first else answer(seen))
    with pytest.raises(TrineError, match=words) as caught:
        evaluate(world, policy, seed=1)
    assert caught.value.where == f"policy 'said', step {4800 if first else 4900}"


@pytest.mark.parametrize("first", [True, False])
def test_a_forbidden_placement_is_a_clear_error(world: Scenario, first: bool) -> None:
    app = int(np.flatnonzero(~world.is_allowed.all(axis=1))[0])
    elsewhere = int(np.flatnonzero(~world.is_allowed[app])[0])

    def answer(seen: View) -> Int64:
        wanted = seen.placement.copy()
        if first or seen.step > 4800:
            wanted[app] = elsewhere
        return wanted

    with pytest.raises(TrineError, match=rf"app {app} \(.*\) may not run at {world.tables.zones[elsewhere]}"):
        evaluate(world, told(answer), seed=1)


def test_a_period_must_be_a_step_or_more(world: Scenario) -> None:
    with pytest.raises(TrineError, match="period_steps"):
        evaluate(world, told(lambda seen: seen.placement, period_steps=0), seed=1)
