"""Orders: what is refused and with which words, floors and memory in force, records. Not here: the clocks of the parts (test_loop.py)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import TrineError
from simulator.control.baseline import Stay
from simulator.control.decision import Composite, Decision, Reason
from simulator.control.loop import Loop, finished, run
from simulator.control.orders import memory_classes
from simulator.control.view import Facts, View
from simulator.fleet import Field
from simulator.scenario import Scenario
from simulator.twin.fleets import twin_scenario
from tests.worlds.small_worlds import plain_scenario
from tests.worlds.told import Said, nothing

Int64 = NDArray[np.int64]


@pytest.fixture(scope="module")
def world() -> Scenario:
    """One day of 20 apps: the test span is steps 4800 to 5700."""
    return twin_scenario("calm", days=1, apps=20, rate=0.2)


def test_a_record_says_why() -> None:
    """A copy takes longer than the run: stay, move, under way, return, in turn."""
    scenario = plain_scenario(capacity=[[5] * 4, [5] * 4], calls=[{"arrival_us": 5}], steps=80)
    apps = dataclasses.replace(scenario.apps, state_bytes=np.array([10**12]))
    scenario = dataclasses.replace(scenario, apps=apps, split_steps=(78, 79, 80))
    wanted = iter([0, 0, 1, 1, 0, 1, 1, 1])
    loop = Loop(scenario, Said(lambda view: Decision(placement=np.array([next(wanted)])), 1), 1, begin=0, end=8, has_record=True)
    finished(loop)
    assert loop.records is not None
    first, stay, move, under_way, back = Reason.FIRST, Reason.STAY, Reason.MOVE, Reason.UNDER_WAY, Reason.RETURN
    assert [int(r.reason[0]) for r in loop.records] == [first, stay, move, under_way, back, move, under_way, under_way]
    assert [r.step for r in loop.records] == list(range(8))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda view: Decision(cloud=view.cloud), "the all part orders cloud"),
        (lambda view: view.placement, "answered ndarray"),
        (lambda view: Decision(floors=np.zeros(3, dtype=np.int64)), r"floors is int64 of shape \(3,\)"),
        (lambda view: Decision(floors=np.full(len(view.pools), -1)), r"floors of app 0 \('.*'\) is -1"),
        (lambda view: Decision(floors=np.where(np.arange(len(view.pools)) == 0, np.nan, 0)), r"floors of app 0 .* is NaN"),
        (lambda view: Decision(memory_class=np.full(20, 3)), r"memory_class of app 0 .* is 3"),
    ],
)
def test_a_wrong_order_stops_the_run_with_arm_and_step(world: Scenario, answer: Callable[[View], Any], words: str) -> None:
    with pytest.raises(TrineError, match=words) as caught:
        run(world, Said(lambda view: nothing(view) if view.step < 5000 else answer(view), 100), seed=1)
    assert caught.value.where == "policy 'said', step 5000"


def test_a_floor_for_a_function_without_a_pool_is_an_error(world: Scenario) -> None:
    facts = Facts.of(world)
    app = int(np.flatnonzero(np.diff(world.apps.first_function) > 1)[0])
    second = int(world.apps.first_function[app]) + 1
    floors = np.zeros(world.apps.first_function[-1], dtype=np.int64)
    floors[second] = 1
    azure = int(np.flatnonzero(facts.keeps_one_pool)[0])
    elsewhere = int(np.flatnonzero(~facts.keeps_one_pool)[0])

    def order(place: int) -> Callable[[View], Decision]:
        return lambda view: Decision(placement=np.full(20, place), floors=floors)

    with pytest.raises(TrineError, match=rf"app {app} .* keeps one pool there"):
        run(world, Said(order(azure), 100), seed=1)
    assert run(world, Said(order(elsewhere), 100), seed=1).out[:, :, Field.FLOOR_NANOUSD].sum() > 0


def test_floors_follow_an_app_and_are_summed_where_a_cloud_keeps_one_pool(world: Scenario) -> None:
    facts = Facts.of(world)
    app = int(np.flatnonzero(np.diff(world.apps.first_function) > 1)[0])
    functions = slice(*world.apps.first_function[app : app + 2].tolist())
    one, other = (int(np.flatnonzero(facts.keeps_one_pool == kept)[0]) for kept in (False, True))
    floors = np.zeros(world.apps.first_function[-1], dtype=np.int64)
    floors[functions] = 1
    places = Said(lambda view: Decision(placement=np.full(20, one if view.step < 5000 else other)), 100)
    keeps = Said(lambda view: Decision(floors=floors) if not facts.keeps_one_pool[view.placement[app]] else Decision(), 1)
    run(world, Composite("both", tactical=places, operational=keeps), seed=3)
    granted = [(view.step, view.pools[functions, 4].tolist()) for view in keeps.views]
    count = functions.stop - functions.start
    moved = next(view.step for view in keeps.views if view.placement[app] == other)
    assert 5000 < moved < 5100
    assert all(floor == [1] * count for step, floor in granted if 4801 <= step < moved)
    assert all(floor == [count] + [0] * (count - 1) for step, floor in granted if step > moved)


def test_memory_follows_the_cloud_of_the_app(world: Scenario) -> None:
    facts = Facts.of(world)
    sizes, factor = memory_classes(facts)
    policy = Said(lambda view: Decision(memory_class=np.full(20, 2)), 100)
    loop = Loop(world, policy, 1, begin=4800, end=5700)
    fleet = finished(loop)
    assert fleet.memory_mb.tolist() == sizes[:, 2].tolist()
    from simulator import kernel

    column = getattr(kernel, "DURATION_FACTOR", None) or kernel.LAW
    assert fleet.state.constants[:, :, column].tolist() == factor[:, world.tables.cloud_of_region, 2].tolist()
    assert (policy.views[1].memory_class == 2).all()
    small = np.flatnonzero(sizes[:, 2] > sizes[:, 0])
    plain = run(world, Stay(), 1).out[small].sum(axis=(0, 1))
    larger = fleet.out[small].sum(axis=(0, 1))
    assert larger[Field.BUSY_US] < plain[Field.BUSY_US]
    assert larger[Field.COST_NANOUSD] != plain[Field.COST_NANOUSD]
