"""The compiled kernel and the plain reference simulator agree to the integer on random small worlds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import reference_simulator
import small_worlds
from kernel_play import differences, play

from simulator.fleet import Fleet


@pytest.mark.parametrize("block", range(10))
def test_kernel_equals_reference(block: int) -> None:
    for seed in range(50 * block, 50 * block + 50):
        world = small_worlds.draw_small_world(seed)
        assert differences(play(world), reference_simulator.simulate(world.scenario, **world.run)) == [], f"small world {seed}"


@pytest.mark.slow
def test_kernel_equals_reference_in_many_worlds(proof: Callable[..., None]) -> None:
    """The same on 3,000 further worlds."""
    wrong = []
    for seed in range(500, 3_500):
        world = small_worlds.draw_small_world(seed)
        if differences(play(world), reference_simulator.simulate(world.scenario, **world.run)):
            wrong.append(seed)
    assert wrong == []
    proof(figure=3_000, bound="worlds in which kernel and reference agree in every integer")


def test_alone_is_uncoupled() -> None:
    """The quick replay of apps that are alone equals the coupled kernel with coupling off, and both the reference."""
    for seed in range(60):
        world = small_worlds.draw_small_world(seed)
        orders: dict[str, Any] = {"moves": (), "floors": (), "law_permille": None, "is_coupled": False}
        slow = reference_simulator.simulate(world.scenario, **(world.run | orders))
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
