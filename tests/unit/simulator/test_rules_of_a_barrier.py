"""The second simulator and the compiled kernel against hand calculations: moves, floors, spans, buckets. Not here: calls, any world.

tests/worlds/hand_cases.py has the numbers of the plain world.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.parameters import Provisioned, World
from simulator.rng import hash_u64
from tests.worlds.hand_cases import SECOND, Run, call, check, linear_distributions, sampled, two_origins, world
from tests.worlds.small_worlds import invent_tables, plain_scenario


def test_move_copies_then_switches_to_an_empty_pool(run: Run) -> None:
    """1 MB is copied in 10.765 ms, so the order of barrier 1 switches at barrier 2. The old instance is idle to its expiry."""
    calls = [call(0, 1), call(16, 1), call(31, 1)]
    scenario = plain_scenario(capacity=[[5], [5]], calls=calls, slowdown_permille=[[1_000], [2_000]])
    outcome = run(scenario, moves=[(1, 0, 1)])
    check(outcome, MOVES=1, MOVE_NANOUSD=500, COLD_STARTS=2, BUSY_US=2_001_000 + 1_001_000 + 3_001_000)
    idle_ng = 139_200 * 13_999_000 // 10**6 + 2 * 8_352_000
    check(outcome, IDLE_CARBON_NG=idle_ng, CARBON_NG=idle_ng + 478_639 + 239_439 + 717_839 + 360_000)
    check(run(scenario), MOVES=0, COLD_STARTS=1, MOVE_NANOUSD=0)
    back = plain_scenario(capacity=[[5], [5]], calls=[call(0, 1), call(46, 1)])
    check(run(back, moves=[(1, 0, 1), (2, 0, 0)]), MOVES=2, COLD_STARTS=2)  # returned at barrier 3, its old instance is not its own
    full = plain_scenario(capacity=[[1], [1]], calls=[call(0, 50), call(46, 1)])  # but holds the one place, except where nothing is shared
    check(run(full, moves=[(1, 0, 1), (2, 0, 0)]), SERVED=1, REJECTED=1)
    check(run(full, moves=[(1, 0, 1), (2, 0, 0)], is_coupled=False), SERVED=2, COLD_STARTS=2)


def test_instances_left_behind_hold_capacity_while_they_are_busy(run: Run) -> None:
    """App 0 leaves zone 0 at barrier 2; its instance is busy to 42.002 s, so app 1 finds capacity at barrier 3. It lives to 102.002 s."""
    calls = [call(0, 41), call(31, 1, app=1), call(46, 1, app=1)]
    scenario = plain_scenario(capacity=[[1], [1]], functions_of_app=(1, 1), calls=calls)
    outcome = run(scenario, moves=[(1, 0, 1)])
    check(outcome, 0, IDLE_CARBON_NG=8_352_000)
    check(outcome, 1, REJECTED=1, COLD_STARTS=1)


def test_launches_left_behind_hold_nothing(run: Run) -> None:
    """Three of four places are busy. App 0's floor, launched at barrier 1 to be ready at 60 s, is left behind at 2: app 1 has its place."""
    calls = [*(call(1, 100, app=1) for _ in range(3)), call(31, 1, app=1)]
    scenario = plain_scenario(capacity=[[4], [0]], functions_of_app=(1, 1), calls=calls, world=world(lead_steps=3))
    check(run(scenario, floors=[(1, 0, 0, 1)], moves=[(1, 0, 1)]), 1, REJECTED=0, COLD_STARTS=4)
    check(run(scenario, floors=[(1, 0, 0, 1)]), 1, REJECTED=1, COLD_STARTS=3)


def test_left_instances_outlive_an_outage(run: Run) -> None:
    """Left at barrier 19 (285 s) with an expiry of 336.002 s; the outage of 300 s does not cut the idle period."""
    scenario = plain_scenario(capacity=[[5, 0], [5, 5]], calls=[call(274, 1)], steps=40)
    check(run(scenario, moves=[(18, 0, 1)]), IDLE_CARBON_NG=8_352_000)
    check(run(scenario), IDLE_CARBON_NG=139_200 * (300_000_000 - 276_002_000) // 10**6)


def test_a_later_order_replaces_a_pending_one_and_the_current_place_cancels_it(run: Run) -> None:
    """4 GB take 39.06 s: ordered at barrier 1 the switch is at 4, ordered again at barrier 2 it is at 5."""
    calls = [call(second, 1) for second in (46, 61, 76)]  # steps 3, 4 and 5; no one is alive at first
    scenario = plain_scenario(
        capacity=[[5]] * 3, calls=calls, apps={"state_bytes": 4_000_000_000}, slowdown_permille=[[1_000], [2_000], [3_000]]
    )
    check(run(scenario, moves=[(1, 0, 1)]), MOVES=1, MOVE_NANOUSD=2_000_000, BUSY_US=2_001_000 + 3_001_000 + 2_001_000)
    check(run(scenario, moves=[(1, 0, 1), (2, 0, 2)]), MOVES=2, MOVE_NANOUSD=4_000_000, BUSY_US=2_001_000 + 1_001_000 + 4_001_000)
    check(run(scenario, moves=[(1, 0, 1), (2, 0, 0)]), MOVES=1, MOVE_NANOUSD=2_000_000, BUSY_US=2_001_000 + 1_001_000 + 1_001_000)
    again = run(scenario, moves=[(1, 0, 1), (2, 0, 1)])  # ordered already
    check(again, MOVES=1, MOVE_NANOUSD=2_000_000, BUSY_US=2_001_000 + 3_001_000 + 2_001_000)


def test_move_between_regions_pays_the_way_from_old_to_new(run: Run) -> None:
    tables = invent_tables(
        *(("aws",), ("iad", "fra"), [(0, 0), (0, 1)]),
        zones_of_region=[1, 1],
        egress_nanousd_per_mb=[[0, 20_000], [70_000, 0]],
        us_per_kib=[[10, 20_000], [10, 10]],
    )
    calls = [call(31, 1), call(46, 1, bytes_in=2_048_000)]
    scenario = plain_scenario(capacity=[[5], [5]], calls=calls, tables=tables)
    carbon = replace(scenario.conditions, carbon_mg_per_kwh=np.array([[360_000], [720_001]]))
    outcome = run(replace(scenario, conditions=carbon), moves=[(1, 0, 1)])
    # 100 ms + 10^6 * 20,000 // 1024 us = 19.63 s from 15 s: the switch is at 45 s. The second call fetches from the old region.
    fetch_us = 100_000 + 2_000 * 20_000
    check(outcome, MOVE_NANOUSD=20_000, COLD_STARTS=2, BUSY_US=2_001_000 + 2_000_000 + fetch_us, EGRESS_NANOUSD=40_960)
    busy_ng = 4_786_392 // 10 + 2_392_000 * (2_000_000 + fetch_us) // 10**6 * 720_001 // 3_600_000
    idle_ng = 8_352_000 + 83_520_000 * 720_001 // 3_600_000
    check(outcome, IDLE_CARBON_NG=idle_ng, CARBON_NG=busy_ng + idle_ng + 540_000 + 2_048_000 * 540_000 // 10**6)


def test_a_floor_holds_those_that_would_live_longest(run: Run) -> None:
    """Free at 2.002 s and 3.002 s; the second is held to 165 s, the first ends at 62.002 s."""
    scenario = plain_scenario(capacity=[[5]], calls=[call(0, 1), call(0, 2)], steps=10)
    idle_ng = 8_352_000 + 1_392_000 * (165_000_000 - 3_002_000) // 10**6 // 10
    check(run(scenario, floors=[(1, 0, 0, 1)]), IDLE_CARBON_NG=idle_ng)


def test_luck_is_keyed_by_the_rank_inside_the_app(run: Run) -> None:
    """Two calls of each of two apps start cold; the distribution of each is read at the hash of (seed, id base of the app | rank)."""
    calls = [call(second, 0, app=a) for a in (0, 1) for second in (0, 1)]
    scenario = plain_scenario(capacity=[[9]], functions_of_app=(1, 1), calls=calls, tables=linear_distributions())
    slow = replace(scenario, tables=replace(scenario.tables, cold_start_us=scenario.tables.cold_start_us + 2 * SECOND))
    outcome = run(slow, luck_seed=5)
    for a in (0, 1):
        words = [int(hash_u64(5, np.array([int(scenario.apps.id_base[a]) | rank], dtype=np.uint64), 1)[0]) for rank in (0, 1)]
        cold_us = [2 * SECOND + (word >> 56) * 100_000 + ((word >> 40 & 0xFFFF) * 100_000 >> 16) for word in words]
        check(outcome, a, COLD_STARTS=2, BUSY_US=sum(cold_us) + 2 * 1_000)


def test_of_two_that_became_idle_at_once_the_one_that_lives_longer_is_taken(run: Run) -> None:
    """Both free at 2.002 s with lives of their own; the call of 10 s takes the longer life and leaves the shorter one to its end."""
    tables = replace(linear_distributions(), cold_start_us=np.full((1, 3, 257), SECOND))
    scenario = plain_scenario(capacity=[[5]], calls=[call(0, 1), call(0, 1), call(10, 1)], tables=tables)
    for luck in range(20):
        words = [int(hash_u64(luck, np.array([int(scenario.apps.id_base[0]) | rank], dtype=np.uint64), 2)[0]) for rank in range(3)]
        lives = [(word >> 56) * SECOND + ((word >> 40 & 0xFFFF) * SECOND >> 16) for word in words]
        if min(lives[:2]) > 10 * SECOND:
            idle_us = [7_999_000, min(lives[:2]), lives[2]]
            check(run(scenario, luck_seed=luck), COLD_STARTS=2, IDLE_CARBON_NG=sum(1_392_000 * us // 10**6 // 10 for us in idle_us))


def test_launches_are_sampled_by_step_and_index_in_the_app(run: Run) -> None:
    """Launches 0 and 1 in the first function, 2 in the second, at barrier 3; without a lead the cold start counts. One is held to 75 s."""
    scenario = plain_scenario(
        capacity=[[12]], functions_of_app=(2,), calls=[], tables=linear_distributions(), world=world(lead_steps=0), steps=4
    )
    outcome = run(scenario, luck_seed=4, floors=[(3, 0, 0, 2), (3, 0, 1, 1)])
    ready = [45 * SECOND + sampled(scenario, ident, 3, 100_000, luck_seed=4) for ident in range(3 * 65536, 3 * 65536 + 3)]
    ends = [begin + sampled(scenario, 3 * 65536 + i, 2, SECOND, luck_seed=4) for i, begin in enumerate(ready)]
    assert sum(end < 75 * SECOND for end in ends) == 1
    check(outcome, ENERGY_UJ=sum(1_392_000 * (max(end, 75 * SECOND) - begin) // 10**6 for begin, end in zip(ready, ends, strict=True)))


def test_resampled_lives_go_to_the_first_to_expire(run: Run) -> None:
    """A floor of 3 falls to 1 at barrier 30: two idle instances, sorted by (expiry, begin), get lives 0 and 1 of that barrier."""
    tables = linear_distributions(is_floor_dropped=False, floor_min_billed_min=0)
    scenario = plain_scenario(capacity=[[12]], calls=[], tables=tables, world=world(lead_steps=0), steps=31)
    outcome = run(scenario, luck_seed=5, floors=[(0, 0, 0, 3), (30, 0, 0, 1)])
    # After seven minutes all three live to the next barrier but one of the last barrier (435 s), so the begin decides.
    begins = sorted(sampled(scenario, ident, 3, 100_000) for ident in range(3))
    ends = [450 * SECOND + sampled(scenario, 30 * 65536 + index, 2, SECOND) for index in range(2)] + [465_000_000]
    held = max(range(3), key=lambda i: (ends[i], begins[i]))
    ends[held] = max(ends[held], 480_000_000)
    check(outcome, ENERGY_UJ=sum(1_392_000 * (end - begin) // 10**6 for begin, end in zip(begins, ends, strict=True)))


def test_a_warming_instance_is_not_busy(run: Run) -> None:
    """Floor 1, ready at 45 s. A call of 1 s starts cold; that of 10 s finds its instance idle and none busy: 5 nano-USD per ms."""
    tables = invent_tables(("aws",), ("iad",), [(0, 0)], zones_of_region=[1], provisioned_duration_usd_per_gb_s=5e-6)
    scenario = plain_scenario(capacity=[[5]], calls=[call(1, 1), call(10, 1)], tables=tables, world=world(lead_steps=3))
    check(run(scenario, floors=[(0, 0, 0, 1)]), COLD_STARTS=1, COST_NANOUSD=400 + 20_010 + 5_005)


def test_warm_calls_on_a_floor_have_their_own_price(run: Run) -> None:
    """Floor 1: the call of 31 s runs at 5 nano-USD per ms, that of 32 s is cold; that of 60 s is cheap, that of 60.5 s is warm at 10."""
    tables = invent_tables(("aws",), ("iad",), [(0, 0)], zones_of_region=[1], provisioned_duration_usd_per_gb_s=5e-6)
    calls = [call(31, 2), call(32, 1), call(60, 1), call(60.5, 1)]
    outcome = run(plain_scenario(capacity=[[5]], calls=calls, tables=tables), floors=[(0, 0, 0, 1)])
    check(outcome, COLD_STARTS=1, WAITED=0, COST_NANOUSD=800 + 10_005 + 20_010 + 5_005 + 10_010)


def test_a_warming_floor_instance_is_awaited_if_it_is_sooner_than_a_cold_start(run: Run) -> None:
    """Cold starts take 20 s. Launched at 0 s, ready at 20 s: the call of 16 s waits 3.999 s; the next one is cold."""
    slow = invent_tables(("aws",), ("iad",), [(0, 0)], zones_of_region=[1], cold_start_us=20 * SECOND)
    scenario = plain_scenario(capacity=[[5]], calls=[call(16, 1), call(17, 1)], tables=slow)
    outcome = run(scenario, floors=[(0, 0, 0, 1)])
    check(outcome, COLD_STARTS=1, WAITED=1, WAIT_US=3_999_000, LATENCY_US=4_000 + 3_999_000 + 1_001_000 + 21_001_000)
    assert outcome.binding == set()  # it could have started cold
    late = plain_scenario(capacity=[[5]], calls=[call(1, 1)], world=world(lead_steps=3))
    check(run(late, floors=[(0, 0, 0, 1)]), COLD_STARTS=1, WAITED=0)


@pytest.mark.parametrize(("second", "cold_starts"), [(43.999, 1), (43.999001, 0)])
def test_a_warming_instance_that_takes_as_long_as_a_cold_start_is_not_awaited(run: Run, second: float, cold_starts: int) -> None:
    """Ready at 45 s; cold starts take 1 s. The call reaches the pool 1 s before, or 1 us later."""
    scenario = plain_scenario(capacity=[[5]], calls=[call(second, 1)], world=world(lead_steps=3))
    check(run(scenario, floors=[(0, 0, 0, 1)]), COLD_STARTS=cold_starts, WAITED=1 - cold_starts)


@pytest.mark.parametrize(("timeout_s", "cold_starts", "wait_us"), [(24.999, 0, 24_999_000), (24.998999, 1, 9_999_000)])
def test_a_warming_instance_beyond_the_timeout_is_not_awaited(run: Run, timeout_s: float, cold_starts: int, wait_us: int) -> None:
    """Cold starts take 20 s. The call of 590.001 s waits for the outage to 600 s; the floor of barrier 19 is ready 22 steps on."""
    slow = invent_tables(("aws",), ("iad",), [(0, 0)], zones_of_region=[1], cold_start_us=20 * SECOND)
    params = World(timeout_s=timeout_s, provisioned=Provisioned(lead_steps=22))
    scenario = plain_scenario(capacity=[[5, 0, 5]], calls=[call(590, 1)], tables=slow, world=params, steps=60)
    check(run(scenario, floors=[(19, 0, 0, 1)]), REJECTED=0, COLD_STARTS=cold_starts, WAIT_US=wait_us)


def test_a_warming_instance_that_is_ready_in_an_outage_is_not_awaited(run: Run) -> None:
    """Cold starts take 20 s. Launched at 270 s, ready at 315 s: the call of 299.001 s waits for it, unless an outage begins at 300 s."""
    slow = invent_tables(("aws",), ("iad",), [(0, 0)], zones_of_region=[1], cold_start_us=20 * SECOND)
    for capacity, cold_starts in ((5, 0), (0, 1)):
        options = {"calls": [call(299, 1)], "tables": slow, "world": world(lead_steps=3), "steps": 60}
        outcome = run(plain_scenario(capacity=[[5, capacity, 5]], **options), floors=[(18, 0, 0, 1)])
        check(outcome, REJECTED=0, COLD_STARTS=cold_starts, WAIT_US=(1 - cold_starts) * 15_999_000)


def test_a_warming_instance_is_not_busy_for_an_earlier_start(run: Run) -> None:
    """Two launches, ready at 45 s. The far call takes one at 45.1 s; the near one, at 44.95 s, waits for the other: one of two is busy."""
    tables = two_origins(provisioned_duration_usd_per_gb_s=5e-6)
    calls = [call(44.9, 1, origin=1), call(44.949, 1)]
    scenario = plain_scenario(capacity=[[8]], calls=calls, tables=tables, world=world(lead_steps=3))
    check(run(scenario, floors=[(0, 0, 0, 2)]), COLD_STARTS=0, WAIT_US=50_000, COST_NANOUSD=400 + 2 * 5_005)


def test_a_part_of_the_trace(run: Run) -> None:
    """Only the call of step 4 is in [4, 5); it finds no instance, and its own lives out its 60 s."""
    scenario = plain_scenario(capacity=[[5]], calls=[call(50, 1), call(60, 1), call(75, 1)])
    check(run(scenario, start_step=4, end_step=5), CALLS=1, COLD_STARTS=1, IDLE_CARBON_NG=8_352_000)
    assert run(scenario, start_step=6, end_step=9).fields == {}


def test_buckets_of_calls_idle_periods_and_floors(run: Run) -> None:
    """Minute buckets: a call belongs to its arrival, its idle period to its begin, a floor to its step, what is later to the last.

    9 steps are 3 buckets. The instance of the call of 59 s is idle from 61.002 s. The floor of barrier 4 (60 s) counts it while it is busy,
    so nothing is launched; at barrier 8 (120 s) it is dropped. The second call starts cold and is idle from 151.002 s.
    """
    scenario = plain_scenario(capacity=[[5]], calls=[call(59, 1), call(130, 20)], steps=9)
    outcome = run(scenario, bucket_us=60 * SECOND, floors=[(4, 0, 0, 1), (8, 0, 0, 0)])
    assert sorted(outcome.fields) == [(0, 0), (0, 1), (0, 2)]
    rows = [outcome.fields[0, bucket] for bucket in range(3)]
    assert [row["CALLS"] for row in rows] == [1, 0, 1]
    assert [row["COLD_STARTS"] for row in rows] == [1, 0, 1]
    assert [row["FLOOR_NANOUSD"] for row in rows] == [0, 4 * 15_000, 16 * 15_000]
    assert [row["IDLE_CARBON_NG"] for row in rows] == [0, 8_212_521, 8_352_000]
