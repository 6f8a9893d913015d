"""Timers just in time: when a floor rises and falls, and what that is worth in a run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.operational import timers
from models.operational.clocks import before, chance
from models.operational.timers import TimerRules, Timers
from simulator.control.baseline import Stay
from simulator.control.decision import Decision, PolicyBase
from simulator.control.loop import run
from simulator.control.view import View
from simulator.fleet import Field
from simulator.scenario import Scenario
from simulator.workload import Calls
from tests.worlds.operational_world import timer_world
from tests.worlds.small_worlds import make_calls

STEP = 15e6
NEVER = timers.NEVER


def test_chances_of_a_run_add_up() -> None:
    mean, sd = 1e9, 2e7
    assert before(mean, mean, sd) == pytest.approx(0.495)
    assert chance(0.0, 0.0, 3e9, mean, sd) == pytest.approx(0.99)
    steps = [chance(mean, mean + i * STEP, mean + (i + 1) * STEP, mean, sd) for i in range(40)]
    assert sum(steps) == pytest.approx(0.495 / 0.505, rel=1e-6)


def test_worth_is_the_best_stopping_of_a_hand_computed_case() -> None:
    """A run for certain in the step after the next: one step in vain, one that earns."""
    mean, sd = 2.5 * STEP, 1.0
    assert timers.worth(0.0, STEP, mean, sd, 10.0, 1.0, False) == pytest.approx(0.99 * 10 - 3.0, abs=0.05)
    assert timers.worth(0.0, STEP, mean, sd, 1.0, 1.0, False) == 0.0


def test_no_floor_pays_when_it_costs_more_than_it_saves() -> None:
    for ahead in range(10):
        assert not timers._keep(False, NEVER, 0, STEP, ahead * STEP, 5e6, 1.0, 1.0, 2.0, 1)


def test_a_floor_rises_one_step_before_the_run_and_waits_for_it() -> None:
    mean, sd = 20.5 * STEP, 1e6
    rises = [step for step in range(24) if timers._keep(False, NEVER, step, STEP, mean, sd, 1.0, 10.0, 1.0, 1)]
    assert rises == [19]
    assert timers._keep(True, 19, 20, STEP, mean, sd, 1.0, 10.0, 1.0, 1)
    assert not timers._keep(True, 19, 30, STEP, mean, sd, 1.0, 10.0, 1.0, 1)  # it has not come: no longer worth waiting


def test_a_unit_of_twenty_steps_must_pay_as_a_whole() -> None:
    mean, sd = 30.5 * STEP, 1e6
    assert not any(timers._keep(False, NEVER, step, STEP, mean, sd, 1.0, 10.0, 1.0, 20) for step in range(40))
    assert any(timers._keep(False, NEVER, step, STEP, mean, sd, 1.0, 30.0, 1.0, 20) for step in range(40))
    assert timers._keep(True, 11, 30, STEP, mean, sd, 1.0, 30.0, 1.0, 20)


def test_a_pulse_comes_once_and_again_only_after_a_keep_alive() -> None:
    mean, sd = 100.5 * STEP, 2e7
    due = [step for step in range(130) if timers._pulse(NEVER, step, STEP, mean, sd, 1.0, 10.0, 1.0, 0.02)]
    assert 90 <= due[0] <= 97
    assert not timers._pulse(due[0], due[0] + 1, STEP, mean, sd, 1.0, 10.0, 1.0, 0.02)


class Zeros(PolicyBase):
    """Orders no floor at every step."""

    name, period_steps = "zeros", 1

    def decide(self, view: View) -> Decision:
        return Decision(floors=np.zeros(len(view.facts.apps.function_ids), dtype=np.int64))


@pytest.fixture(scope="module")
def world() -> Scenario:
    return timer_world()


def test_reactive_is_all_floors_zero_to_the_byte_and_timers_differ(world: Scenario) -> None:
    benefit = np.full((len(world.apps.app_ids), len(world.tables.clouds)), 1e-3)
    reactive, zeros, just_in_time = (run(world, policy, 1, "test") for policy in (Stay(), Zeros(), Timers(benefit)))
    assert reactive.out.tobytes() == zeros.out.tobytes()
    assert reactive.out.tobytes() != just_in_time.out.tobytes()


@pytest.mark.parametrize("rules", [TimerRules(), TimerRules(1.4)])
def test_warm_just_in_time_avoids_most_cold_starts_of_a_timer(world: Scenario, rules: TimerRules) -> None:
    """The first app is on a cloud that drops, the second where an idle life follows, the third pays in units."""
    benefit = np.full((3, 3), 1e-3)
    policy = Timers(benefit, rules)
    warm, cold = run(world, policy, 1, "test"), run(world, Stay(), 1, "test")
    starts = [fleet.out[:, :, Field.COLD_STARTS].sum(axis=1) for fleet in (warm, cold)]
    steps = np.rint(warm.out[:, :, Field.FLOOR_NANOUSD].sum(axis=1) / (15 * 1e-6 * 1e9))
    runs = cold.out[:, :, Field.CALLS].sum(axis=1)
    assert policy.tracker.clocks.app.tolist() == [0, 1, 2]
    assert (starts[1] == runs).all()
    assert (starts[0] <= [0.35 * runs[0], 0.1 * runs[1], 0.35 * runs[2]]).all(), starts
    assert steps[1] <= 1.1 * runs[1]
    assert 2 * (runs[0] - starts[0][0]) <= steps[0] <= 6 * runs[0]
    assert steps[2] >= 20 * (runs[2] - starts[0][2])


def test_a_timer_that_stopped_is_not_waited_for_any_more(world: Scenario) -> None:
    """The same calls, none from the middle of the test span on: two runs are waited for, no third."""
    end = (world.split_steps[1] + 1000) * world.world.step_us
    stopped = dataclasses.replace(world, calls=calls_before(world, end))
    paid = [run(each, Timers(np.full((3, 3), 1e-3)), 1, "test", bucket_us=world.world.step_us).out[0] for each in (world, stopped)]
    steps = [(out[end // world.world.step_us :, Field.FLOOR_NANOUSD] > 0).sum() for out in paid]
    assert steps[0] > 60
    assert 0 < steps[1] < 60


def calls_before(world: Scenario, end_us: int) -> Calls:
    """The calls of a world before a time."""
    calls, kept = world.calls, world.calls.arrival_us < end_us
    app = np.repeat(np.arange(len(world.apps.app_ids)), np.diff(calls.first_call))[kept]
    columns = {name: getattr(calls, name)[kept].tolist() for name in ("arrival_us", "function", "duration_us")}
    return make_calls(len(world.apps.app_ids), world.world, app=app.tolist(), **columns)


def test_an_app_that_gains_nothing_has_no_floor(world: Scenario) -> None:
    benefit = np.zeros((3, 3))
    warm = run(world, Timers(benefit), 1, "test")
    assert warm.out.tobytes() == run(world, Stay(), 1, "test").out.tobytes()


def test_counting_on_less_of_the_benefit_keeps_fewer_warm() -> None:
    world, benefit = timer_world(jitter_s=20.0), np.full((3, 3), 4e-4)
    paid = [
        run(world, Timers(benefit, TimerRules(benefit_share=share)), 1, "test").out[..., Field.FLOOR_NANOUSD].sum()
        for share in (1.0, 0.2, 0.03)
    ]
    assert paid[0] > paid[1] > paid[2]
