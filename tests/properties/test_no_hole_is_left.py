"""What a policy could live on and no longer can: idle instances that hold places, floors that are free or dodge their bill.

Not here: the rules one by one (tests/unit/simulator/test_rules_of_*), that both simulators follow them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from core.units import SLOT_US
from simulator.control.meters import pools_of
from simulator.control.view import UP, WORKING
from simulator.fleet import Field, Fleet
from simulator.parameters import Provisioned, World
from simulator.scenario import Scenario
from tests.worlds.drawn_worlds import SmallWorld, draw_small_world
from tests.worlds.hand_cases import call
from tests.worlds.kernel_play import busy_of, play
from tests.worlds.small_worlds import invent_tables, plain_scenario

PRICE_NANOUSD = {1024: 15_000, 2048: 30_000}  # of a floor's instance for one step in the plain world


def overfull(world: SmallWorld) -> list[str]:
    """Barriers at which more instances of a placement work, are warmed or are kept than its capacity, though fewer did before."""
    capacity, step_us = world.scenario.conditions.capacity.astype(np.int64), world.scenario.world.step_us
    last_slot = capacity.shape[1] - 1
    opening = capacity.copy()  # in an outage that of the slot after it: the calls that wait for its end start then
    for slot in range(last_slot - 1, -1, -1):
        opening[:, slot] = np.where(capacity[:, slot] == 0, opening[:, slot + 1], capacity[:, slot])
    wrong, before = [], np.zeros(len(capacity), dtype=np.int64)

    def look(fleet: Fleet) -> None:
        nonlocal before
        if fleet.step == fleet.end_step:  # this barrier is not passed any more
            return
        held = busy_of(fleet)
        allowed = np.maximum(before, opening[:, min((fleet.step - 1) * step_us // SLOT_US, last_slot)])
        wrong.extend(f"barrier {fleet.step}: {held[p]} at placement {p}, {allowed[p]} allowed" for p in np.flatnonzero(held > allowed))
        before = held

    play(world, at_barrier=look, is_coupled=True)
    return wrong


def test_what_works_never_exceeds_the_capacity() -> None:
    """At every barrier of the random worlds, except where the capacity fell under running calls or standing floors."""
    assert {seed: found for seed in range(120) if (found := overfull(draw_small_world(seed)))} == {}


@pytest.mark.slow
def test_what_works_never_exceeds_the_capacity_in_many_worlds(proof: Callable[..., None]) -> None:
    assert {seed: found for seed in range(120, 3_500) if (found := overfull(draw_small_world(seed)))} == {}
    proof(figure=3_380, bound="random worlds in which no barrier has more instances at work than places")


def draw_floors(rng: np.random.Generator) -> tuple[Scenario, Fleet]:
    """One app of 1-3 functions in a zone of 1-60 places, now and then called, on a cloud with any rules of floors."""
    functions, steps = int(rng.integers(1, 4)), int(rng.integers(10, 90))
    cloud = str(rng.choice(["aws", "azure", "gcp"]))
    minutes = int(rng.choice([0, 2, 5]))
    tables = invent_tables((cloud,), ("iad",), [(0, 0)], zones_of_region=[1], floor_min_billed_min=minutes)
    capacity = [rng.choice([0, 3, 8, 20, 60], size=-(-steps // 20), p=[0.1, 0.1, 0.3, 0.3, 0.2]).tolist()]
    calls = [
        call(float(rng.uniform(0, steps * 15)), float(rng.exponential(20)), function=int(rng.integers(functions)))
        for _ in range(rng.choice([0, 0, 1, 10, 60]))
    ]
    world = World(provisioned=Provisioned(lead_steps=int(rng.integers(0, 4))))
    scenario = plain_scenario(capacity=capacity, calls=calls, steps=steps, functions_of_app=(functions,), tables=tables, world=world)
    return scenario, Fleet(scenario, scenario.apps.home, luck_seed=int(rng.integers(1_000)))


def floors_that_are_free(seeds: Iterable[int]) -> tuple[list[int], int]:
    """Of random sequences of floors and sizes: those that pay for fewer steps than instances were kept for; steps that were kept."""
    wrong, total = [], 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        scenario, fleet = draw_floors(rng)
        pools = 1 if not scenario.tables.is_pool_per_function[0] else len(scenario.apps.function_ids)
        floors, size, owed, was_granted = np.zeros(len(scenario.apps.function_ids), dtype=np.int64), 1024, 0, False
        for step in range(scenario.steps):
            if rng.random() < 0.3:
                floors[rng.integers(pools)] = rng.choice([0, 0, 1, 2, 5, 50])
                fleet.set_floors(floors)
            if rng.random() < 0.05:
                size = int(rng.choice(list(PRICE_NANOUSD)))
                fleet.set_memory(np.array([size]), np.array([1_000]))
            fleet.advance(step + 1)
            granted = fleet.state.granted
            owed += int(np.minimum(granted, pools_of(fleet)[0][:, UP]).sum()) * PRICE_NANOUSD[size]
            was_granted = was_granted or bool(granted.any())
        fleet.finish()
        paid = int(fleet.out[:, :, Field.FLOOR_NANOUSD].sum())
        if paid < owed or (was_granted and paid == 0):
            wrong.append(seed)
        total += owed
    return wrong, total


def test_no_floor_is_free() -> None:
    """Every step for which a floor kept an instance is paid, used or not, whatever the order of rises, falls and new sizes."""
    wrong, total = floors_that_are_free(range(200))
    assert wrong == []
    assert total > 1_000 * PRICE_NANOUSD[1024]


@pytest.mark.slow
def test_no_floor_of_many_is_free(proof: Callable[..., None]) -> None:
    wrong, total = floors_that_are_free(range(200, 2_200))
    assert wrong == []
    proof(figure={"sequences": 2_000, "kept_usd": total / 1e9}, bound="all pay at least for the steps for which they kept an instance")


def test_a_quiet_app_cannot_lock_a_zone() -> None:
    """Sixty floored instances of an app without calls leave three quarters of the zone to the others."""
    calls = [call(30 + i / 10, 60, app=1) for i in range(40)]
    scenario = plain_scenario(capacity=[[40]], functions_of_app=(1, 1), calls=calls)
    fleet = Fleet(scenario, scenario.apps.home, luck_seed=1)
    fleet.set_floors(np.array([60, 0]))
    fleet.finish()
    assert int(fleet.out[1, :, Field.SERVED].sum()) == 30
    free = Fleet(scenario, scenario.apps.home, luck_seed=1)
    free.finish()
    assert int(free.out[1, :, Field.SERVED].sum()) == 40


def test_idle_instances_of_one_function_lock_nobody_out() -> None:
    """43 idle instances of one function in 52 places, then 52 calls of another at once: all are served."""
    calls = [*(call(1, 1) for _ in range(43)), *(call(31, 60, app=1) for _ in range(52))]
    fleet = Fleet(plain_scenario(capacity=[[52]], functions_of_app=(1, 1), calls=calls), np.zeros(2, dtype=np.int64), luck_seed=1)
    fleet.advance(3)
    assert pools_of(fleet)[0][:, (UP, WORKING)].tolist() == [[43, 0], [52, 52]]
    fleet.advance(4)
    assert pools_of(fleet)[0][:, (UP, WORKING)].tolist() == [[0, 0], [52, 52]]
    fleet.finish()
    assert int(fleet.out[:, :, Field.REJECTED].sum()) == 0
