"""Autoscaling baselines do what their names say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.operational.gaps import Gaps, Hazard, Hold, HybridHistogram
from models.operational.hindsight import Scheduled, greedy_floors
from models.operational.memory import best_sizes, sizes_usd
from models.operational.scaling import MovingAverage, SeasonalNaive, Static, StaticMemory, rounded
from models.operational.timers import Timers
from simulator.control.baseline import Stay
from simulator.control.decision import Decision, PolicyBase
from simulator.control.loop import Loop, finished, run
from simulator.control.view import View
from simulator.fleet import Field, Fleet
from simulator.objective import objective_usd
from simulator.scenario import Scenario
from tests.worlds.operational_world import timer_world

BENEFIT = np.full((3, 3), 1e-3)


@pytest.fixture(scope="module")
def world() -> Scenario:
    return timer_world()


def figures(scenario: Scenario, policy: PolicyBase) -> tuple[np.ndarray, np.ndarray]:
    """Floor steps paid and cold starts of each app."""
    fleet = run(scenario, policy, 1, "test")
    paid = fleet.out[:, :, Field.FLOOR_NANOUSD].sum(axis=1) / (15 * 1e-6 * 1e9)
    return np.rint(paid), fleet.out[:, :, Field.COLD_STARTS].sum(axis=1)


def test_a_part_of_an_instance_counts_from_the_threshold_on() -> None:
    assert rounded(np.array([0.0, 0.3, 0.5, 1.2, 1.6]), 0.5).tolist() == [0, 0, 1, 1, 2]
    assert rounded(np.array([0.0, 0.3, 0.95]), 0.9).tolist() == [0, 0, 1]


def test_static_keeps_the_same_floor_all_the_time(world: Scenario) -> None:
    paid, cold = figures(world, Static(1e5, 1.0))
    assert (paid == np.rint(paid / 2100) * 2100).all()
    assert paid.min() > 0
    assert (cold <= 1).all()
    assert figures(world, Static(1.0, 0.5))[0].tolist() == [0, 0, 0]


def test_a_moving_average_follows_what_works() -> None:
    scenario = timer_world()
    long = dataclasses.replace(scenario.calls, duration_us=np.full(len(scenario.calls.arrival_us), 300_000_000))
    paid, _ = figures(dataclasses.replace(scenario, calls=long), MovingAverage(steps=4, threshold=0.5))
    assert (paid > 0).all()
    assert figures(scenario, MovingAverage())[0].tolist() == [0, 0, 0]


class Days(PolicyBase):
    """Asks a seasonal rule at every barrier, from a start, and keeps what it answers for one function."""

    name, period_steps = "days", 1

    def __init__(self, inner: SeasonalNaive) -> None:
        self.inner, self.found = inner, {}

    def decide(self, view: View) -> Decision:
        floors = self.inner.decide(view).floors
        assert floors is not None
        self.found[view.step] = floors
        return Decision()


def test_seasonal_naive_is_warm_at_the_time_of_yesterdays_calls() -> None:
    scenario = timer_world()
    asked = Days(SeasonalNaive(window_steps=0))
    finished(Loop(scenario, asked, 1, begin=5000, end=5600))
    assert not any(floors.any() for floors in asked.found.values())  # there is no yesterday
    rule = SeasonalNaive(window_steps=0)
    views: list[View] = []

    class Keep(PolicyBase):
        name, period_steps = "keep", 1

        def decide(self, view: View) -> Decision:
            views.append(view)
            return Decision()

    finished(Loop(scenario, Keep(), 1, begin=100, end=140))
    rule.decide(views[0])
    for view in views[1:]:
        rule.decide(view)
    own = scenario.calls.arrival_us[: scenario.calls.first_call[1]] // 15_000_000
    expected = {int(step) for step in own if 100 <= step < 139}
    assert expected
    assert {100 + int(step) for step in np.flatnonzero(rule._ring[100:139, 0])} == expected


def test_histograms_have_the_gaps(world: Scenario) -> None:
    views: list[View] = []

    class Keep(PolicyBase):
        name, period_steps = "keep", 1 << 40

        def decide(self, view: View) -> Decision:
            views.append(view)
            return Decision()

    run(world, Keep(), 1, "test")
    gaps = Gaps.of(views[0])
    assert (np.abs(gaps.counts.argmax(axis=1) - np.array([10, 25, 30])) <= 1).all()
    assert gaps.is_representative().all()
    assert (np.abs(gaps.quantile(0.5) - np.array([10, 25, 30])) <= 1).all()


def test_the_hybrid_histogram_is_warm_when_the_next_call_is_due(world: Scenario) -> None:
    paid, cold = figures(world, HybridHistogram())
    reactive = figures(world, Stay())[1]
    assert (cold < 0.4 * reactive).all()
    assert (paid < 0.4 * 2100).all()
    assert figures(world, HybridHistogram(most_minutes=0))[0].tolist() == [0, 0, 0]


def test_the_hazard_rule_is_warm_where_it_pays(world: Scenario) -> None:
    paid, cold = figures(world, Hazard(BENEFIT))
    reactive = figures(world, Stay())[1]
    assert cold[0] < 0.5 * reactive[0]
    assert figures(world, Hazard(BENEFIT * 1e-3))[0].tolist() == [0, 0, 0]
    assert figures(world, Hazard(BENEFIT, share=0.05))[0].sum() <= paid.sum()


def test_hold_prolongs_idle_lives_where_they_follow_a_floor(world: Scenario) -> None:
    paid, cold = figures(world, Hold(BENEFIT))
    reactive = figures(world, Stay())[1]
    assert paid[[0, 2]].tolist() == [0, 0]
    assert 0 < paid[1] <= 1.2 * reactive[1]
    assert cold[1] <= 0.2 * reactive[1]


def test_one_memory_size_is_ordered_once_with_the_floors_below(world: Scenario) -> None:
    classes = np.array([0, 1, 0])
    alone = run(world, StaticMemory(classes), 1, "test")
    both = run(world, StaticMemory(classes, Timers(BENEFIT)), 1, "test")
    assert alone.memory_mb.tolist() == both.memory_mb.tolist() == [1024, 2048, 1024]
    assert both.out[:, :, Field.FLOOR_NANOUSD].sum() > alone.out[:, :, Field.FLOOR_NANOUSD].sum() == 0


def test_sizes_are_priced_by_replays_of_the_past(world: Scenario) -> None:
    usd = sizes_usd(world, 1, ("train",))
    plain = Fleet(world, world.apps.home, luck_seed=1, start_step=0, end_step=world.split_steps[0], is_coupled=False)
    plain.replay_alone()
    np.testing.assert_allclose(usd[:, 0], objective_usd(plain.out.sum(axis=1), world.objective))
    assert best_sizes(np.array([[1.0, 0.9, 0.95], [1.0, 1.1, 1.2], [1.0, 0.99, 1.0]]), 0.05).tolist() == [1, 0, 0]


def test_hindsight_avoids_what_pays_and_nothing_else(world: Scenario) -> None:
    flags = np.ones(len(world.calls.arrival_us), dtype=np.bool_)
    policy = greedy_floors(world, flags, 1)
    assert isinstance(policy, Scheduled)
    cost = [objective_usd(run(world, p, 1, "test").out.sum(axis=(0, 1)), world.objective) for p in (policy, Stay(), Timers(BENEFIT))]
    paid, cold = figures(world, greedy_floors(world, flags, 1))
    assert cost[0] < cost[2] < cost[1]
    assert cold[:2].tolist() == [0, 0]
    assert paid[0] == 2 * figures(world, Stay())[1][0]
