"""Replays at all placements: what they are, from a table or beside a run. Not here: the loop's clocks (test_loop.py)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from core.errors import ParameterError, TrineError
from simulator.control.counterfactual import Replays, placement_fields, replay_table
from simulator.control.loop import Loop, finished, run
from simulator.fleet import Field
from simulator.objective import components_usd, objective_usd
from simulator.scenario import Scenario
from simulator.twin.fleets import twin_scenario
from tests.worlds.told import Said, nothing


@pytest.fixture(scope="module")
def world() -> Scenario:
    """One day of 20 apps: the test span is steps 4800 to 5700."""
    return twin_scenario("calm", days=1, apps=20, rate=0.2)


def replaying(period: int, **more: Any) -> Said:
    return Said(nothing, period, needs_replays=True, **more)


def test_replays_are_runs_alone_at_every_placement_with_a_luck_of_their_own(world: Scenario) -> None:
    policy = replaying(100)
    run(world, policy, seed=3)
    table = replay_table(world, "test")
    assert table.values.shape == (9, len(world.tables.zones), 20, 3)
    assert policy.views[0].replayed is not None
    assert not policy.views[0].replayed.any()
    for k, view in enumerate(policy.views[1:]):
        np.testing.assert_array_equal(view.replayed, table.values[k])
    # Whole-span replays by the other kernel entry agree in what is booked at arrival.
    for placement in (0, 30, 71):
        fields = placement_fields(world, 12, "test", placement)
        carbon = components_usd(fields, world.objective)["carbon"]
        usd = objective_usd(fields, world.objective) - carbon
        np.testing.assert_allclose(table.values[:, placement, :, 0], (usd.T * 1e9), atol=1.0)
        np.testing.assert_array_equal(table.values[:, placement, :, 2], fields[:, :, Field.CALLS].T)
    assert (replay_table(world, "test", luck_seed=13).values != table.values).any()


@pytest.mark.parametrize("period", [1, 70, 100, 300])
def test_replays_from_a_table_and_computed_are_the_same_bytes(world: Scenario, period: int) -> None:
    computed, given = replaying(period), replaying(period)
    run(world, computed, seed=3)
    run(world, given, seed=3, replays=replay_table(world, "test"))
    for one, other in zip(computed.views, given.views, strict=True):
        assert one.replayed is not None
        assert other.replayed is not None
        assert one.replayed.tobytes() == other.replayed.tobytes()
    total = sum(int(view.replayed[:, :, 2].sum()) for view in computed.views)  # type: ignore[index]
    arrived = world.calls.arrival_us // world.world.step_us
    last = 4800 + (computed.views[-1].step - 4800) // 100 * 100
    assert total == int(((arrived >= 4800) & (arrived < last)).sum()) * len(world.tables.zones) > 0


def test_a_run_that_begins_inside_a_span_sees_the_replays_of_the_span(world: Scenario) -> None:
    policy = replaying(100)
    finished(Loop(world, policy, 3, begin=5200, end=5700))
    table = replay_table(world, "test")
    np.testing.assert_array_equal(policy.views[1].replayed, table.values[4])
    short = dataclasses.replace(table, values=table.values[:2])
    with pytest.raises(TrineError, match="no interval 50"):
        run(world, replaying(100), seed=3, replays=short)
    with pytest.raises(ParameterError, match="three spans"):
        replay_table(world, "all")


def test_who_needs_no_replays_gets_none(world: Scenario) -> None:
    policy = Said(nothing, 100)
    run(world, policy, seed=3, replays=replay_table(world, "test"))
    assert all(view.replayed is None and view.steps is None for view in policy.views)


def test_replays_begin_with_their_span(world: Scenario) -> None:
    assert Replays(world, 4900).next_interval == 48
    assert Replays(world, 100).next_interval == 0
