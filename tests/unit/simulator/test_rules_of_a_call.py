"""The second simulator and the compiled kernel against hand calculations: one case per rule of a call. Not here: barriers, any world.

tests/worlds/hand_cases.py has the numbers of the plain world.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.parameters import World
from tests.worlds.hand_cases import SECOND, Run, call, check, two_origins
from tests.worlds.small_worlds import invent_tables, make_conditions, plain_scenario, plain_tables, with_id_base


def test_worked_example(run: Run) -> None:
    """WORLD, section 2: a lonely cold call from London to a zone in Virginia, data in Frankfurt."""
    cold, life = np.zeros((1, 3, 257), dtype=np.int64), np.zeros((1, 257), dtype=np.int64)
    cold[0, 0, 160:162], life[0, 42:44] = (279_300, 279_775), (303_602_678, 303_770_089)
    tables = invent_tables(
        *(("aws",), ("iad", "fra", "lhr"), [(0, 0), (0, 1)]),
        zones_of_region=[3, 3],
        rtt_us=[[1_000, 89_784], [89_784, 1_000], [76_733, 15_000]],
        data_rtt_us=[[1_000, 89_784], [89_784, 1_000]],
        us_per_kib=14,
        egress_nanousd_per_mb=[[0, 20_000], [20_000, 0]],
        internet_nanousd_per_mb=90_000,
        usd_per_gb_s=1.66667e-5,
        cold_start_us=cold,
        keep_alive_us=life,
        pue=1.135,
        watts_min=0.74,
        watts_max=3.5,
    )
    tables = replace(tables, vcpu_memory_mb=(np.array([1769.0]),))
    scenario = plain_scenario(
        capacity=[[120]] * 6,
        calls=[{"arrival_us": 100_000_000, "duration_us": 120_000, "bytes_in": 100_000, "bytes_out": 20_000, "origin": 2}],
        tables=tables,
        apps={"memory_mb": 256, "data_region": 1},
        slowdown_permille=1_180,
    )
    conditions = make_conditions([[120]] * 6, slowdown_permille=1_180, carbon_mg_per_kwh=[[411_000], [445_000]])
    outcome = run(with_id_base(replace(scenario, conditions=conditions), 12345), luck_seed=11, first_placement=[1])
    busy_us, idle_uj = 512_146, 232_776 * 303_752_961 // 10**6
    check(outcome, CALLS=1, SERVED=1, COLD_STARTS=1, MISSES=1, REJECTED=0, WAITED=0, BUSY_US=busy_us, BILLED_US=513_000)
    check(outcome, LATENCY_US=588_879, EXCESS_US=468_879, COST_NANOUSD=2_338, EGRESS_NANOUSD=3_800)
    check(outcome, CARBON_NG=8_150_196, IDLE_CARBON_NG=8_072_313, ENERGY_UJ=235_301 + idle_uj)
    assert 8_150_196 == 26_863 + 51_020 + 8_072_313


def test_cold_then_warm_then_expired(run: Run) -> None:
    """Free at 2.002 s, reused at 10.001 s; free again at 11.002 s, gone at 71.002 s, just when the third call comes."""
    scenario = plain_scenario(capacity=[[5]], calls=[call(0, 1), call(10, 1), call(71.001, 1)])
    outcome = run(scenario)
    busy_us = 2_001_000 + 1_001_000 + 2_001_000
    idle_uj = 1_392_000 * (7_999_000 + 60_000_000 + 60_000_000) // 10**6
    check(outcome, SERVED=3, COLD_STARTS=2, MISSES=2, WAITED=0, BUSY_US=busy_us, BILLED_US=busy_us, LATENCY_US=busy_us + 6_000)
    check(outcome, EXCESS_US=1_003_000 + 3_000 + 1_003_000, COST_NANOUSD=600 + 20_010 + 10_010 + 20_010, EGRESS_NANOUSD=0)
    busy_uj = 4_786_392 + 2_394_392 + 4_786_392
    check(outcome, ENERGY_UJ=busy_uj + idle_uj, IDLE_CARBON_NG=1_113_460 + 8_352_000 + 8_352_000)
    check(outcome, CARBON_NG=478_639 + 239_439 + 478_639 + 1_113_460 + 8_352_000 + 8_352_000)
    assert outcome.binding == set()
    one_earlier = plain_scenario(capacity=[[5]], calls=[call(0, 1), call(10, 1), call(71.000999, 1)])
    check(run(one_earlier), COLD_STARTS=1)


@pytest.mark.parametrize(("duration_s", "misses"), [(1.406, 0), (1.405998, 1)])
def test_a_latency_of_exactly_the_objective_is_no_miss(run: Run, duration_s: float, misses: int) -> None:
    """Network, cold start and fetch take 1.003 s; the objective is 0.3 s and 1.5 times the duration: equal at 1.406 s."""
    check(run(plain_scenario(capacity=[[5]], calls=[call(0, duration_s)])), MISSES=misses, SERVED=1)


def test_the_instance_that_was_used_last_is_taken(run: Run) -> None:
    """Two instances free at 2.002 s and 3.002 s; the reuse at 10 s leaves the first one to die at 62.002 s."""
    outcome = run(plain_scenario(capacity=[[5]], calls=[call(0, 1), call(0, 2), call(10, 1)]))
    check(outcome, COLD_STARTS=2, IDLE_CARBON_NG=8_352_000 + 139_200 * 6_999_000 // 10**6 + 8_352_000)


def test_billed_time_is_rounded_up_from_the_cloud_s_minimum(run: Run) -> None:
    """1.001 s of cold start and fetch are 1.1 s; a warm millisecond is the minimum, 0.4 s."""
    tables = invent_tables(("aws",), ("iad",), [(0, 0)], zones_of_region=[1], billing_granularity_us=100_000, billing_minimum_us=400_000)
    outcome = run(plain_scenario(capacity=[[5]], calls=[call(0, 0), call(10, 0)], tables=tables))
    check(outcome, BILLED_US=1_500_000, BUSY_US=1_002_000, COST_NANOUSD=400 + 15_000)


def test_carbon_is_that_of_the_hour_of_the_begin(run: Run) -> None:
    """Hours of 360,000 and 720,000 mg/kWh, the last one lasts; the first idle period begins at 3,597.002 s and ends in the second hour."""
    calls = [call(3_595, 1), call(3_700, 1), call(7_300, 1)]
    scenario = plain_scenario(capacity=[[5]], calls=calls, steps=500)
    conditions = make_conditions([[5]], carbon_mg_per_kwh=[[360_000, 720_000]])
    outcome = run(replace(scenario, conditions=conditions))
    check(outcome, IDLE_CARBON_NG=5 * 8_352_000, CARBON_NG=5 * 8_352_000 + 478_639 + 2 * 957_278)


def test_slowdown_and_memory_scale_the_execution(run: Run) -> None:
    scenario = plain_scenario(capacity=[[5, 5]], calls=[call(0, 1), call(400, 1)], slowdown_permille=[[1_500, 2_000]], steps=40)
    check(run(scenario), BUSY_US=2 * 1_001_000 + 1_500_000 + 2_000_000)
    check(run(scenario, duration_factor_permille=[500]), BUSY_US=2 * 1_001_000 + 750_000 + 1_000_000)


def test_waiting_and_rejection(run: Run) -> None:
    """One instance: busy to 11.002 s, then to 21.003 s, then to 41.004 s; the fourth call would wait 38.003 s."""
    scenario = plain_scenario(capacity=[[1]], calls=[call(0, 10), call(1, 10), call(2, 20), call(3, 1)])
    outcome = run(scenario)
    waits = 10_001_000 + 19_002_000
    check(outcome, CALLS=4, SERVED=3, REJECTED=1, COLD_STARTS=1, WAITED=2, WAIT_US=waits, MISSES=3)
    check(outcome, LATENCY_US=6_000 + waits + 11_001_000 + 10_001_000 + 20_001_000, REJECT_NANOUSD=200_000 + 2 * 10_010)
    check(outcome, EXCESS_US=1_003_000 + 10_004_000 + 19_005_000 + 30_000_000)
    check(outcome, COST_NANOUSD=600 + 110_010 + 100_010 + 200_010, IDLE_CARBON_NG=8_352_000)
    assert outcome.binding == {(0, 0)}


def test_a_reject_costs_what_the_call_is_worth_at_home(run: Run) -> None:
    """At home a GB-s is 2e-5 USD and the data are near; at the placement without capacity it is 1e-5 and they are far."""
    tables = invent_tables(("aws",), ("iad", "fra"), [(0, 0), (0, 1)], zones_of_region=[1, 1], usd_per_gb_s=[1e-5, 2e-5])
    calls = [call(0, 1, bytes_in=102_400)]
    scenario = plain_scenario(capacity=[[0], [5]], calls=calls, tables=tables, apps={"home": 1, "data_region": 1}, slowdown_permille=3_000)
    outcome = run(scenario)
    check(outcome, REJECTED=1, MISSES=1, EXCESS_US=30 * SECOND, REJECT_NANOUSD=200_000 + 2 * 20_040, COST_NANOUSD=0, CARBON_NG=0)
    check(outcome, EGRESS_NANOUSD=0, LATENCY_US=0, BUSY_US=0, WAIT_US=0)
    check(run(scenario, duration_factor_permille=[2_000]), REJECT_NANOUSD=200_000 + 2 * 20_040)  # of the configured memory


@pytest.mark.parametrize(("timeout_s", "rejected"), [(10.001, 0), (10.000999, 1)])
def test_a_wait_of_exactly_the_timeout_is_served(run: Run, timeout_s: float, rejected: int) -> None:
    scenario = plain_scenario(capacity=[[1]], calls=[call(0, 10), call(1, 10)], world=World(timeout_s=timeout_s))
    check(run(scenario), REJECTED=rejected, WAITED=1 - rejected)


def test_grants_share_the_free_capacity_and_rotate_the_rest(run: Run) -> None:
    """Three places for two apps: the extra one goes to the first app at even barriers, to the second at odd ones."""
    for second, extra in ((0, 0), (15, 1)):
        scenario = plain_scenario(capacity=[[3]], functions_of_app=(1, 1), calls=[call(second, 1, app=a) for a in (0, 0, 0, 1, 1, 1)])
        outcome = run(scenario)
        check(outcome, extra, COLD_STARTS=2, WAITED=1)
        check(outcome, 1 - extra, COLD_STARTS=1, WAITED=2)
        assert outcome.binding == {(0, 0), (1, 0)}
        check(run(scenario, is_coupled=False), COLD_STARTS=6, WAITED=0)


def test_busy_instances_take_capacity_from_all(run: Run) -> None:
    """The first app's instance is busy to 72.002 s: too late at barrier 4 (60 s), idle at barrier 5 (75 s)."""
    calls = [call(0, 71), call(61, 1, app=1), call(76, 1, app=1)]
    scenario = plain_scenario(capacity=[[1]], functions_of_app=(1, 1), calls=calls)
    check(run(scenario), 1, REJECTED=1, COLD_STARTS=1)
    check(run(scenario, is_coupled=False), 1, REJECTED=0, COLD_STARTS=1)


@pytest.mark.parametrize(("duration_s", "served"), [(73.998, 1), (73.998001, 0)])
def test_an_instance_that_becomes_idle_at_a_barrier_gives_its_place(run: Run, duration_s: float, served: int) -> None:
    """App 0's instance is free at 75 s, when step 5 begins; or 1 us later."""
    scenario = plain_scenario(capacity=[[1]], functions_of_app=(1, 1), calls=[call(0, duration_s), call(76, 1, app=1)])
    check(run(scenario), 1, SERVED=served, REJECTED=1 - served)


def test_pools_are_functions_or_apps(run: Run) -> None:
    calls = [call(0, 1), call(10, 1, function=1)]
    check(run(plain_scenario(capacity=[[5]], functions_of_app=(2,), calls=calls)), COLD_STARTS=2)
    azure = invent_tables(("azure",), ("iad",), [(0, 0)], zones_of_region=[1])
    outcome = run(plain_scenario(capacity=[[5]], functions_of_app=(2,), calls=calls, tables=azure))
    check(outcome, COLD_STARTS=1, BUSY_US=3_002_000, BILLED_US=2_002_000)  # azure does not bill the cold start


def test_outage_kills_delays_and_rejects(run: Run) -> None:
    """Outage from 300 s to 600 s.

    App 0 is free at 292.002 s and dies at 300 s; its call at 400 s would wait too long, that at 580 s waits to 600 s and starts cold (a
    grant inside an outage is that of the slot after it), that at 601 s finds it busy to 602.001 s and starts cold, too. App 1 runs to
    320.002 s and dies then. App 2 runs to 601.002 s and lives on: its call of 590 s waits for the end of the outage and starts cold.
    """
    calls = [call(290, 1), call(400, 1), call(580, 1), call(601, 1), call(299, 20, app=1), call(200, 400, app=2), call(590, 1, app=2)]
    outcome = run(plain_scenario(capacity=[[5, 0, 5]], functions_of_app=(1, 1, 1), calls=calls, steps=60))
    check(outcome, 0, SERVED=3, REJECTED=1, COLD_STARTS=3, WAITED=1, WAIT_US=19_999_000, IDLE_CARBON_NG=1_113_321 + 2 * 8_352_000)
    check(outcome, 1, SERVED=1, WAITED=0, IDLE_CARBON_NG=0)
    check(outcome, 2, SERVED=2, COLD_STARTS=2, WAITED=1, WAIT_US=9_999_000, IDLE_CARBON_NG=2 * 8_352_000)
    check(outcome, 2, LATENCY_US=4_000 + 9_999_000 + 401_001_000 + 2_001_000)
    assert outcome.binding == {(0, 0), (2, 0)}


def test_a_call_that_crosses_the_begin_of_an_outage_finds_its_pool_dead(run: Run) -> None:
    """Sent at 299.9995 s, handled before the barrier at 300 s, reaches the zone in the outage: waits to 600 s and starts cold."""
    scenario = plain_scenario(capacity=[[5, 0, 5]], calls=[call(298, 1), call(299.9995, 1)], world=World(timeout_s=400), steps=60)
    check(run(scenario), COLD_STARTS=1 + 1, WAIT_US=299_999_500, IDLE_CARBON_NG=139_200 * 0 + 8_352_000)
    earlier = plain_scenario(capacity=[[5, 0, 5]], calls=[call(288, 1), call(299.9995, 1)], world=World(timeout_s=400), steps=60)
    check(run(earlier), COLD_STARTS=2, IDLE_CARBON_NG=139_200 * (300_000_000 - 290_002_000) // 10**6 + 8_352_000)


@pytest.mark.parametrize(("timeout_s", "rejected"), [(299.9995, 0), (299.999499, 1)])
def test_an_outage_of_exactly_the_timeout_is_waited_out(run: Run, timeout_s: float, rejected: int) -> None:
    scenario = plain_scenario(capacity=[[5, 0, 5]], calls=[call(299.9995, 1)], world=World(timeout_s=timeout_s), steps=60)
    check(run(scenario), REJECTED=rejected)


@pytest.mark.parametrize(("timeout_s", "rejected"), [(11.001, 0), (11.000999, 1)])
def test_the_wait_in_an_outage_counts(run: Run, timeout_s: float, rejected: int) -> None:
    """One place, held by an instance that runs to 601.002 s: from 590.001 s the call waits for the outage to 600 s, then for it."""
    calls = [call(200, 400), call(590, 1)]
    scenario = plain_scenario(capacity=[[1, 0, 1]], calls=calls, world=World(timeout_s=timeout_s), steps=60)
    check(run(scenario), REJECTED=rejected, COLD_STARTS=1, WAIT_US=(1 - rejected) * 11_001_000)


def test_a_grant_inside_an_outage_is_that_of_the_slot_after_it(run: Run) -> None:
    """One place after the outage: the call of 590 s starts cold at 600 s, that of 591 s waits for its instance, free at 602.001 s."""
    scenario = plain_scenario(capacity=[[5, 0, 1]], calls=[call(590, 1), call(591, 1)], steps=60)
    check(run(scenario), COLD_STARTS=1, WAITED=2, WAIT_US=9_999_000 + 11_000_000)
    never = plain_scenario(capacity=[[5, 0, 0]], calls=[call(590, 1)], world=World(timeout_s=400), steps=60)
    check(run(never), REJECTED=1)


def test_what_a_floor_gives_up_in_an_outage_yields(run: Run) -> None:
    """A floor carries an instance over the begin of an outage (300 s): free at 310 s, held to 345 s, given up at 330 s.

    An outage has no capacity, so it ends there, whatever life it got. The call of 595 s waits for the end of the outage and starts cold, as
    does that of 380 s, which may wait 220 s.
    """
    tables = plain_tables(is_floor_dropped=False, floor_min_billed_min=0)
    floors = [(19, 0, 0, 1), (22, 0, 0, 0)]
    for second in (595, 380):
        calls = [call(280, 28.998), call(second, 1)]
        scenario = plain_scenario(capacity=[[5, 0, 5]], calls=calls, world=World(timeout_s=400), tables=tables, steps=60)
        outcome = run(scenario, floors=floors)
        check(outcome, SERVED=2, COLD_STARTS=2, FLOOR_NANOUSD=3 * 15_000, IDLE_CARBON_NG=139_200 * (20 + 60))


@pytest.mark.parametrize(("near", "cold_starts"), [(61.95, 2), (62.001, 3)])
def test_an_instance_is_idle_by_its_own_times_whatever_came_before(run: Run, near: float, cold_starts: int) -> None:
    """Idle from 2.002 s to 62.002 s. The call of 61.9 s from afar arrives at 62.1 s: too late. One from near may be in time."""
    calls = [call(0, 1), call(61.9, 1, origin=1), call(near, 1)]
    scenario = plain_scenario(capacity=[[5]], calls=calls, tables=two_origins())
    check(run(scenario), COLD_STARTS=cold_starts, WAITED=0)


def test_an_instance_that_is_freed_later_than_a_call_starts_is_busy(run: Run) -> None:
    """Two places, free at 10.1 s and 10.15 s. The far call starts at 10.2 s and takes the second; the near one waits for the first."""
    calls = [call(0, 9.098), call(0, 9.148), call(10, 1, origin=1), call(10.05, 1)]
    scenario = plain_scenario(capacity=[[2]], calls=calls, tables=two_origins())
    check(run(scenario), COLD_STARTS=2, WAITED=1, WAIT_US=10_100_000 - 10_051_000)
    lonely = plain_scenario(capacity=[[1]], calls=[call(0, 1), call(10, 1, origin=1), call(10.05, 1)], tables=two_origins())
    check(run(lonely), COLD_STARTS=1, WAITED=1, WAIT_US=11_201_000 - 10_051_000)


def test_an_outage_begins_with_its_first_microsecond(run: Run) -> None:
    scenario = plain_scenario(capacity=[[5, 0, 5]], calls=[call(299.998999, 1), call(299.999, 1)], steps=60)
    check(run(scenario), SERVED=1, REJECTED=1)


@pytest.mark.parametrize(("duration_s", "idle_carbon_ng"), [(398.998, 8_352_000), (398.997999, 0)])
def test_who_is_free_when_the_outage_ends_lives_on(run: Run, duration_s: float, idle_carbon_ng: int) -> None:
    """Busy from 200.001 s to 600 s, the end of the outage; 1 us less and it dies with it."""
    scenario = plain_scenario(capacity=[[5, 0, 5]], calls=[call(200, duration_s)], steps=60)
    check(run(scenario), SERVED=1, IDLE_CARBON_NG=idle_carbon_ng)


def test_an_outage_in_the_last_slot_never_ends(run: Run) -> None:
    scenario = plain_scenario(capacity=[[5, 0]], calls=[call(599, 1)], steps=40)
    check(run(scenario), REJECTED=1, WAITED=0)


def test_nobody_waits_for_an_instance_that_is_free_in_an_outage(run: Run) -> None:
    """Free at 311.002 s, in the outage; with capacity there the call of 281 s would be served."""
    calls = [call(280, 30), call(290, 1)]
    check(run(plain_scenario(capacity=[[1, 0, 1]], calls=calls, steps=60)), SERVED=1, REJECTED=1)
    check(run(plain_scenario(capacity=[[1, 1, 1]], calls=calls, steps=60)), SERVED=2, WAIT_US=21_001_000)
