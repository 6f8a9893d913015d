"""The compiled kernel and the second simulator agree to the integer on random small worlds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulator import kernel
from simulator.fleet import Field, Fleet
from tests.worlds import drawn_worlds, second_simulator
from tests.worlds.kernel_play import differences, play


@pytest.mark.parametrize("block", range(10))
def test_kernel_equals_the_second_simulator(block: int) -> None:
    for seed in range(50 * block, 50 * block + 50):
        world = drawn_worlds.draw_small_world(seed)
        assert differences(play(world), second_simulator.simulate(world.scenario, **world.run)) == [], f"small world {seed}"


@pytest.mark.slow
def test_kernel_equals_the_second_simulator_in_many_worlds(proof: Callable[..., None]) -> None:
    """The same on 3,000 further worlds."""
    wrong = []
    for seed in range(500, 3_500):
        world = drawn_worlds.draw_small_world(seed)
        if differences(play(world), second_simulator.simulate(world.scenario, **world.run)):
            wrong.append(seed)
    assert wrong == []
    proof(figure=3_000, bound="worlds in which kernel and second simulator agree in every integer")


def test_alone_is_uncoupled() -> None:
    """The quick replay of apps that are alone equals the coupled kernel with coupling off, and both the second simulator."""
    for seed in range(60):
        world = drawn_worlds.draw_small_world(seed)
        orders: dict[str, Any] = {"moves": (), "sizes": (), "floors": (), "duration_factor_permille": None, "is_coupled": False}
        slow = second_simulator.simulate(world.scenario, **(world.run | orders))
        assert differences(play(world, **orders), slow) == [], f"small world {seed}"
        run = world.run
        alone = Fleet(
            world.scenario,
            np.array(run["first_placement"]),
            luck_seed=run["luck_seed"],
            start_step=run.get("start_step", 0),
            end_step=run.get("end_step"),
            bucket_us=run["bucket_us"],
            is_coupled=False,
        )
        alone.replay_alone()
        assert differences(alone, slow) == [], f"small world {seed} alone"


@pytest.mark.parametrize("fresh_steps", [1, 7, 40])
def test_fresh_pools_are_runs_of_their_own(fresh_steps: int) -> None:
    """Closing the pools at every n-th barrier gives what runs of n steps give, each from empty pools.

    An outage that begins at such a barrier ends idle periods before it, but is beyond the end of the run of its own: with outages only
    what is not idle is equal.
    """
    busy = [field for field in Field if field not in (Field.CARBON_NG, Field.IDLE_CARBON_NG, Field.ENERGY_UJ)]
    for seed in range(30):
        world = drawn_worlds.draw_small_world(seed)
        start, conditions = np.array(world.run["first_placement"]), world.scenario.conditions
        calm = replace(world.scenario, conditions=replace(conditions, capacity=np.maximum(conditions.capacity, 1)))
        for scenario, fields in ((world.scenario, busy), (calm, list(Field))):
            options: dict[str, Any] = {"luck_seed": seed, "bucket_us": scenario.world.step_us, "is_coupled": False}
            fresh = Fleet(scenario, start, **options)
            fresh.replay_alone(fresh_steps)
            parts = np.zeros_like(fresh.out)
            for begin in range(0, scenario.steps, fresh_steps):
                part = Fleet(scenario, start, start_step=begin, end_step=min(begin + fresh_steps, scenario.steps), **options)
                part.replay_alone()
                parts += part.out
            np.testing.assert_array_equal(fresh.out[:, :, fields], parts[:, :, fields], err_msg=f"small world {seed}")


def test_the_quick_quotient_is_exact() -> None:
    """At multiples of steps, granules and odd divisors, one beside them, and anywhere below 2^52."""
    rng = np.random.default_rng(1)
    for divisor in (1, 3, 49, 1_000, 100_000, 15_000_000, 20_000_000, 60_000_000):
        multiples = divisor * rng.integers(1, 2**52 // divisor, size=300)
        numbers = [0, *multiples.tolist(), *(multiples - 1).tolist(), *(multiples + 1).tolist(), *rng.integers(0, 2**52, size=300).tolist()]
        assert [int(kernel._quotient(x, divisor, 1.0 / divisor)) for x in numbers] == [x // divisor for x in numbers], divisor
