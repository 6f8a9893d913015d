"""What must hold in any world, by the second simulator. Not here: that the kernel equals it (test_kernel_is_the_second_simulator.py)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.worlds.drawn_worlds import draw_small_world
from tests.worlds.second_simulator import FIELD_NAMES, simulate

SEEDS = range(40)


@pytest.mark.parametrize("seed", SEEDS)
def test_any_world_adds_up(seed: int) -> None:
    """Every call is served or rejected, in the bucket of its arrival; sums are bounded by what they are made of."""
    small = draw_small_world(seed)
    scenario, start, end = small.scenario, small.run["start_step"], small.run["end_step"]
    outcome = simulate(scenario, **small.run)
    step_us, bucket_us = scenario.world.step_us, small.run["bucket_us"]
    app_of_call = np.repeat(np.arange(len(scenario.apps.app_ids)), np.diff(scenario.calls.first_call)).tolist()
    called = Counter(
        (a, us // bucket_us)
        for a, us in zip(app_of_call, scenario.calls.arrival_us.tolist(), strict=True)
        if start * step_us <= us < end * step_us
    )
    assert {key: row["CALLS"] for key, row in outcome.fields.items() if row["CALLS"]} == called
    for (_, bucket), row in outcome.fields.items():
        assert 0 <= bucket < -(-scenario.steps * step_us // bucket_us)
        assert tuple(row) == FIELD_NAMES
        assert min(row.values()) >= 0
        assert row["SERVED"] + row["REJECTED"] == row["CALLS"]
        assert max(row["COLD_STARTS"], row["WAITED"]) <= row["SERVED"]
        assert row["REJECTED"] <= row["MISSES"] <= row["CALLS"]
        network_us = row["LATENCY_US"] - row["WAIT_US"] - row["BUSY_US"]
        assert row["SERVED"] * scenario.tables.rtt_us.min() <= network_us <= row["SERVED"] * scenario.tables.rtt_us.max()
        assert row["WAIT_US"] <= row["WAITED"] * (scenario.world.timeout_us + int(scenario.tables.cold_start_us.max()))
        assert row["IDLE_CARBON_NG"] <= row["CARBON_NG"]
        assert row["REJECT_NANOUSD"] >= row["REJECTED"] * 200_000
    assert outcome.total("MOVES") <= len(small.run["moves"])


@pytest.mark.parametrize("seed", SEEDS)
def test_buckets_do_not_change_sums_and_binding_means_waiting_or_rejection(seed: int) -> None:
    small = draw_small_world(seed)
    tactical = simulate(small.scenario, **small.run | {"bucket_us": small.scenario.world.tactical_us})
    one = simulate(small.scenario, **small.run | {"bucket_us": 10**13})
    assert {name: tactical.total(name) for name in FIELD_NAMES} == {name: one.total(name) for name in FIELD_NAMES}
    assert tactical.binding == one.binding
    rejected = {key for key, row in tactical.fields.items() if row["REJECTED"]}
    waited = {key for key, row in tactical.fields.items() if row["WAITED"]}
    assert rejected <= tactical.binding <= rejected | waited  # waiting for a warming instance is no limit of capacity
    bare = simulate(small.scenario, **small.run | {"bucket_us": small.scenario.world.tactical_us, "floors": ()})
    assert bare.binding == {key for key, row in bare.fields.items() if row["WAITED"] + row["REJECTED"]}


@pytest.mark.parametrize("seed", SEEDS)
def test_uncoupled_apps_do_not_know_each_other(seed: int) -> None:
    """With the calls, moves and floors of the other apps taken away, the rows of an app stay."""
    small = draw_small_world(seed)
    options = small.run | {"is_coupled": False}
    whole = simulate(small.scenario, **options)
    calls = small.scenario.calls
    for a in range(len(small.scenario.apps.app_ids)):
        begin, end = int(calls.first_call[a]), int(calls.first_call[a + 1])
        first_call = np.where(np.arange(len(calls.first_call)) > a, end, begin)
        alone = replace(small.scenario, calls=replace(calls, first_call=first_call))
        mine = {name: [order for order in options[name] if order[1] == a] for name in ("moves", "floors")}
        assert simulate(alone, **options | mine).fields == {key: row for key, row in whole.fields.items() if key[0] == a}


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_depends_on_the_order_of_placements(seed: int) -> None:
    small = draw_small_world(seed)
    scenario, count = small.scenario, len(small.scenario.tables.zones)
    turned = replace(
        scenario,
        tables=replace(
            scenario.tables,
            zones=scenario.tables.zones[::-1],
            cells=scenario.tables.cells[::-1],
            region_of_placement=scenario.tables.region_of_placement[::-1],
            zone_number=scenario.tables.zone_number[::-1],
        ),
        apps=replace(scenario.apps, home=count - 1 - scenario.apps.home),
        conditions=replace(
            scenario.conditions,
            utilisation_ppm=scenario.conditions.utilisation_ppm[::-1],
            capacity=scenario.conditions.capacity[::-1],
            slowdown_permille=scenario.conditions.slowdown_permille[::-1],
        ),
    )
    options = small.run | {
        "first_placement": [count - 1 - p for p in small.run["first_placement"]],
        "moves": [(step, a, count - 1 - p) for step, a, p in small.run["moves"]],
    }
    assert simulate(turned, **options) == simulate(scenario, **small.run)
