"""What a step costs and an avoided cold start saves, against the hand and against the world."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.operational.economics import PRIOR_CALLS, Prices, cold_start_benefit, saved_usd, step_prices
from simulator.control.baseline import Stay
from simulator.control.decision import Decision, PolicyBase
from simulator.control.loop import run
from simulator.control.view import Facts, View
from simulator.fleet import Field
from simulator.objective import objective_usd
from simulator.places.constants import app_constants
from simulator.scenario import Scenario
from tests.worlds.operational_world import timer_world


@pytest.fixture(scope="module")
def world() -> Scenario:
    return timer_world(jitter_s=0.0)


def test_a_step_costs_its_floor_and_the_carbon_of_idling(world: Scenario) -> None:
    facts = Facts.of(world)
    found = step_prices(facts, app_constants(world, world.apps.memory_mb), world.apps.home, np.full(3, 360_000))
    idle_ng = 15 * (1.0 * 1 + 0.392) * 1e6 / 3_600_000 * 360_000  # one vCPU at 1 W, 1 GB, PUE 1
    idle_usd = idle_ng / 1e12 * world.objective.carbon_usd_per_kg
    np.testing.assert_allclose(found.idle_usd, idle_usd, rtol=1e-6)
    np.testing.assert_allclose(found.step_usd, 15 * 1e-6 + idle_usd, rtol=1e-3)
    assert found.unit_steps.tolist() == [1, 1, 20]
    assert found.is_drop.tolist() == [True, False, True]
    assert found.keeps_one_pool.tolist() == [True, False, False]


def test_a_saving_is_the_difference_that_the_world_makes(world: Scenario) -> None:
    """Of one app alone: the same calls with cold starts of a second, and with hardly any."""
    tables = dataclasses.replace(world.tables, cold_start_us=np.full_like(world.tables.cold_start_us, 1))
    cold, warm = (run(dataclasses.replace(world, tables=t), Stay(), 1, "test") for t in (world.tables, tables))
    difference = objective_usd(cold.out.sum(axis=1), world.objective) - objective_usd(warm.out.sum(axis=1), world.objective)
    starts = cold.out[:, :, Field.COLD_STARTS].sum(axis=1)
    constants = app_constants(world, world.apps.memory_mb)
    for app in range(3):
        first, end = int(world.calls.first_call[app]), int(world.calls.first_call[app + 1])
        own = first + np.flatnonzero(world.calls.arrival_us[first:end] >= 3600 * 15e6)[: int(starts[app])]
        found = saved_usd(world, constants[app], app, own, int(world.apps.home[app]))
        assert found.sum() == pytest.approx(difference[app], rel=0.02), f"app {app}"


def test_the_benefit_is_shrunk_towards_the_median_of_cloud_and_package(world: Scenario) -> None:
    flags = np.ones(len(world.calls.arrival_us), dtype=np.bool_)
    found = cold_start_benefit(world, flags, 3000)
    constants = app_constants(world, world.apps.memory_mb)
    own = np.arange(int(world.calls.first_call[1]))
    own = own[world.calls.arrival_us[own] < 3000 * 15e6]
    mean = saved_usd(world, constants[0], 0, own, 0).mean()
    medians = np.median([cold_start_of(world, a) for a in range(3)])
    assert found[0, 0] == pytest.approx((mean * len(own) + PRIOR_CALLS * medians) / (len(own) + PRIOR_CALLS), rel=1e-6)
    nothing = cold_start_benefit(world, np.zeros_like(flags), 3000)
    assert nothing.tolist() == [[0.0] * 3] * 3


def cold_start_of(world: Scenario, app: int) -> float:
    """Mean saving of an app's train calls on the first cloud."""
    first, end = int(world.calls.first_call[app]), int(world.calls.first_call[app + 1])
    own = np.arange(first, end)
    own = own[world.calls.arrival_us[own] < 3000 * 15e6]
    return float(saved_usd(world, app_constants(world, world.apps.memory_mb)[app], app, own, 0).mean())


def test_calls_after_the_span_change_no_benefit(world: Scenario) -> None:
    flags = np.ones(len(world.calls.arrival_us), dtype=np.bool_)
    later = dataclasses.replace(
        world.calls, duration_us=np.where(world.calls.arrival_us >= 3000 * 15e6, 9_000_000, world.calls.duration_us)
    )
    changed = dataclasses.replace(world, calls=later)
    np.testing.assert_array_equal(cold_start_benefit(world, flags, 3000), cold_start_benefit(changed, flags, 3000))


def test_prices_are_made_anew_when_an_app_moves_or_an_hour_begins(world: Scenario) -> None:
    kept: list[View] = []

    class Keep(PolicyBase):
        name, period_steps = "keep", 1

        def decide(self, view: View) -> Decision:
            kept.append(view)
            return Decision()

    run(world, Keep(), 1, "valid")
    prices = Prices()
    first = prices.at(kept[0])
    assert prices.at(kept[1]) is first
    assert prices.at(kept[300]) is not first
    moved = dataclasses.replace(kept[1], placement=np.array([2, 1, 0]))
    assert prices.at(moved).unit_steps.tolist() == [20, 1, 1]
