"""The world at its edges: moves out and back, no capacity, one instance, an outage of all. Not here: rules by hand (tests/unit)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulator.fleet import Field, Fleet
from simulator.parameters import World
from simulator.scenario import Scenario
from tests.worlds.drawn_worlds import draw_small_world
from tests.worlds.kernel_play import busy_of, differences, play
from tests.worlds.second_simulator import simulate
from tests.worlds.world_runs import GROUPS, OF_CALLS, BuildTwin, even, run, turned, with_conditions


def test_out_and_back_costs_two_copies(twin: Scenario) -> None:
    """Every app leaves and returns: two orders, the price of its state both ways, and the network's carbon of both."""
    scenario, tables, size = even(twin), twin.tables, twin.apps.state_bytes
    home, away = twin.apps.home, turned(twin)
    here, there = tables.region_of_placement[home], tables.region_of_placement[away]
    inside = tables.inter_zone_nanousd_per_mb[tables.cloud_of_region[here]]
    price = [np.where(here == there, inside, tables.egress_nanousd_per_mb[a, b]) for a, b in ((here, there), (there, here))]
    silent = replace(scenario, calls=replace(scenario.calls, **{n: getattr(scenario.calls, n)[:0] for n in GROUPS}))
    out = run(silent, None, {100: away, 2_000: home}, is_coupled=False).out.sum(axis=1)
    leaves = home != away
    np.testing.assert_array_equal(out[:, Field.MOVES], 2 * leaves)
    np.testing.assert_array_equal(out[:, Field.MOVE_NANOUSD], leaves * sum(size * p // 1_000_000 for p in price))
    np.testing.assert_array_equal(out[:, Field.CARBON_NG], leaves * 2 * (size * 400_000 // 1_000_000))


def test_without_capacity_nothing_runs(twin: Scenario) -> None:
    """No zone ever has capacity: every call is rejected and charged, and nothing else happens."""
    scenario = with_conditions(twin, capacity=np.zeros_like(twin.conditions.capacity))
    total = run(scenario).out.sum(axis=(0, 1))
    assert total[Field.CALLS] == total[Field.REJECTED] == total[Field.MISSES] == len(scenario.calls.arrival_us)
    assert total[Field.EXCESS_US] == total[Field.REJECTED] * scenario.world.timeout_us
    assert total[Field.REJECT_NANOUSD] > total[Field.REJECTED] * 200_000
    quiet = [f for f in Field if f not in (Field.CALLS, Field.REJECTED, Field.MISSES, Field.EXCESS_US, Field.REJECT_NANOUSD)]
    assert (total[quiet] == 0).all()


def test_a_quota_of_one_is_one_instance(build_twin: BuildTwin) -> None:
    scenario = build_twin(world=World(quota_per_placement=1))
    assert set(np.unique(scenario.conditions.capacity)) <= {0, 1}
    fleet, most = Fleet(scenario, scenario.apps.home, luck_seed=2), 0
    for step in range(0, 3_000, 3):
        fleet.advance(step)
        most = max(most, int(busy_of(fleet).max()))
    assert most == 1
    fleet.finish()
    total = fleet.out.sum(axis=(0, 1))
    assert 0 < total[Field.SERVED] < total[Field.CALLS]


def test_an_outage_of_every_zone(twin: Scenario) -> None:
    """From hour 30 to 34 nothing runs but what waited less than the timeout for the end; then all goes on."""
    capacity = twin.conditions.capacity.copy()
    capacity[:, 30 * 12 : 34 * 12] = 0
    scenario = with_conditions(twin, capacity=capacity)
    fleet = Fleet(scenario, scenario.apps.home, luck_seed=2)
    fleet.advance(31 * 240)
    busy_longer = fleet.state.alive.sum()
    fleet.advance(34 * 240 - 3)
    assert fleet.state.alive.sum() <= busy_longer
    fleet.finish()
    base = run(twin, luck_seed=2).out
    served, calls = fleet.out[:, :, Field.SERVED].sum(axis=0), fleet.out[:, :, Field.CALLS].sum(axis=0)
    assert calls[30:34].min() > 100
    assert served[31:33].sum() == 0
    assert served[33] < calls[33]
    assert (served[35:] > 0.9 * base[:, 35:, Field.SERVED].sum(axis=0)).all()
    np.testing.assert_array_equal(fleet.out[:, :29][:, :, OF_CALLS], base[:, :29][:, :, OF_CALLS])


def test_small_worlds_with_one_place_or_none() -> None:
    """Kernel and second simulator agree where capacity is 1 everywhere, and where every zone is out in the middle third."""
    for seed in range(40):
        small = draw_small_world(seed)
        for kind in ("one", "outage"):
            capacity = np.ones_like(small.scenario.conditions.capacity) if kind == "one" else small.scenario.conditions.capacity.copy()
            if kind == "outage":
                third = -(-capacity.shape[1] // 3)
                capacity[:, third : 2 * third] = 0
            world = replace(small, scenario=with_conditions(small.scenario, capacity=capacity))
            assert differences(play(world), simulate(world.scenario, **world.run)) == [], f"small world {seed}, {kind}"
