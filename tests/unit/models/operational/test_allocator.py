"""Allocations follow Little's law within what is free and what pays, app by app and for all at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.errors import ParameterError
from models.operational.allocator import (
    CALLS,
    CPU,
    UNLIMITED,
    AllocationRules,
    Allocator,
    Forecasted,
    Knowledge,
    allocate_app,
    allocate_resources,
    scaled_states,
)
from models.operational.scaler import MinMax
from simulator.control.baseline import Stay
from simulator.control.decision import Decision, PolicyBase
from simulator.control.loop import run
from simulator.control.view import View
from simulator.fleet import Field
from simulator.scenario import Scenario
from tests.worlds.operational_world import timer_world


class Told:
    """Answers the same for every window, and counts the windows it was asked about."""

    def __init__(self, cpu: float, rate: float) -> None:
        self.answer, self.asked = np.zeros(3, np.float32), 0
        self.answer[CPU], self.answer[CALLS] = cpu, rate

    def predict(self, states: np.ndarray) -> np.ndarray:
        self.asked += len(states)
        return np.tile(self.answer, (len(states), 1))


def known(benefit: float = 1e-2) -> Knowledge:
    inputs = MinMax(np.zeros((3, 4), np.float32), np.ones((3, 4), np.float32))
    return Knowledge(np.ones((3, 3), np.float32), inputs, np.full((3, 3), benefit), np.array([0, 1, 2]))


@pytest.fixture(scope="module")
def world() -> Scenario:
    return timer_world(functions=2)


@pytest.fixture(scope="module")
def view(world: Scenario) -> View:
    kept: list[View] = []

    class Keep(PolicyBase):
        name, period_steps, needs_steps = "keep", 1 << 40, True

        def decide(self, view: View) -> Decision:
            kept.append(view)
            return Decision()

    run(world, Keep(), 1, "test")
    return kept[0]


def states(rate: float = 0.5) -> np.ndarray:
    found = np.zeros((3, 12, 5), np.float32)
    found[:, :, 4], found[0, -1, 0] = 0.25, rate
    return found


def test_the_floor_is_the_instances_that_the_vcpus_need(view: View) -> None:
    allocator = Allocator(Told(cpu=2.6, rate=10.0), known())
    found = allocate_resources(states(), view, view.facts, allocator)
    assert found.vcpu_milli.tolist() == [1000, 2000, 4000] or found.vcpu_milli[0] == 1000
    assert found.memory_mb.tolist() == [1024, 2048, 4096]
    instances = np.floor(2.6 / (found.vcpu_milli / 1000) + 0.5).astype(int)
    first = view.facts.apps.first_function
    by_app = np.add.reduceat(found.floor, first[:-1])
    assert by_app.tolist() == instances.tolist()
    assert found.floor[1] == 0  # the second function of the app on azure has no pool
    assert (found.ceiling == UNLIMITED).all()


def test_windows_without_a_call_share_one_evaluation(view: View) -> None:
    told = Told(1.0, 1.0)
    Allocator(told, known()).forecast(states())
    assert told.asked == 2


def test_no_floor_where_it_does_not_pay_or_nothing_is_free(view: View) -> None:
    rules = AllocationRules()
    unprofitable = Allocator(Told(2.6, 10.0), known(benefit=1e-9), rules).allocate_resources(states(), view, view.facts)
    assert unprofitable.floor.tolist() == [0] * 6
    unpriced = Allocator(Told(2.6, 10.0), known(benefit=1e-9), replace(rules, is_priced=False))
    assert unpriced.allocate_resources(states(), view, view.facts).floor.sum() > 0
    full = replace(view, free=np.array([0, 9, 40]))
    found = Allocator(Told(26.0, 10.0), known()).allocate_resources(states(), full, view.facts)
    assert np.add.reduceat(found.floor, view.facts.apps.first_function[:-1]).tolist() == [0, 2, 10 if found.floor[4:].sum() == 10 else 7]


def test_a_margin_is_added_and_a_factor_multiplies(view: View) -> None:
    def floor(**rules: float) -> int:
        return int(Allocator(Told(1.0, 10.0), known(), AllocationRules(**rules)).allocate_resources(states(), view, view.facts).floor[0])

    assert [floor(), floor(margin=1.0), floor(factor=3.0), floor(threshold=1.5)] == [1, 2, 3, 0]


def test_scaled_states_keep_the_time_and_forget_what_is_up_without_a_call() -> None:
    raw = states()
    raw[:, :, 1] = 0.5  # something is up everywhere
    found = scaled_states(raw, MinMax(np.zeros((3, 4), np.float32), np.full((3, 4), 2.0, np.float32)))
    assert found[0, -1].tolist() == [0.25, 0.25, 0.0, 0.0, 0.25]
    assert (found[1:, :, :4] == 0).all()
    assert (found[:, :, 4] == 0.25).all()


def test_one_app_is_allocated_as_if_it_were_there(view: View) -> None:
    allocator = Allocator(Told(2.0, 10.0), known())
    found = allocate_app(states()[0], view, view.facts, allocator, 0, cloud="gcp", region="iad")
    assert sum(found.floor) == 2
    assert (found.memory_mb, found.ceiling) == (1024, UNLIMITED)
    with pytest.raises(ParameterError, match="no zone in 'gcp:nowhere'"):
        allocate_app(states()[0], view, view.facts, allocator, 0, cloud="gcp", region="nowhere")
    with pytest.raises(ParameterError, match="shape"):
        allocator.allocate_resources(states()[:2], view, view.facts)


def test_a_forecast_of_nothing_is_reactive_to_the_byte_and_statistics_move(world: Scenario) -> None:
    own = replace(known(), memory_class=np.zeros(3, dtype=np.int64))
    policy = Forecasted(Allocator(Told(0.0, 0.0), own), "nothing")
    assert run(world, policy, 1, "valid").out.tobytes() == run(world, Stay(), 1, "valid").out.tobytes()
    assert (policy.allocator.known.inputs.high < 1).any()
    assert (own.inputs.high == 1).all()
    always = Forecasted(Allocator(Told(1.0, 10.0), own), "always")
    assert run(world, always, 1, "valid").out[..., Field.FLOOR_NANOUSD].sum() > 0
