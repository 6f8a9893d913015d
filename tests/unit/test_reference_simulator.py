"""The slow simulator and the compiled kernel against hand calculations: one case per rule, and what must hold in any world.

Numbers of the plain world: t = arrival + 1,000 us; cold start 1 s; fetch 1,000 us; life 60 s; 10,000 fUSD/us, so 10 nano-USD per 1 ms; 200
nano-USD per request; 2.392 W busy, 1.392 W idle; 360,000 mg/kWh, so ng = uJ // 10; a floor costs 15,000 nano-USD per step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from kernel_play import outcome_of, play
from reference_simulator import FIELD_NAMES, Outcome, simulate
from small_worlds import SmallWorld, draw_small_world, invent_tables, make_conditions, plain_scenario, with_id_base

from simulator.parameters import Provisioned, World
from simulator.reference import Tables
from simulator.rng import hash_u64
from simulator.scenario import Scenario

SECOND = 1_000_000
SEEDS = range(40)


Run = Callable[..., Outcome]


@pytest.fixture(params=["reference", "kernel"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a scenario on either simulator; without options everything is at placement 0 and in one bucket."""

    def run_one(scenario: Scenario, **options: Any) -> Outcome:
        options = {"luck_seed": 0, "first_placement": [0] * len(scenario.apps.app_ids), "bucket_us": 15 * 10**11} | options
        if request.param == "reference":
            return simulate(scenario, **options)
        return outcome_of(play(SmallWorld(scenario, options)))

    return run_one


def check(outcome: Outcome, app: int | None = None, **expected: int) -> None:
    """The named sums, of one app or of all, are exactly these."""
    rows = [row for (a, _), row in outcome.fields.items() if app in (None, a)]
    assert {name: sum(row[name] for row in rows) for name in expected} == expected


def call(second: float, duration_s: float, **more: int) -> dict[str, int]:
    return {"arrival_us": round(second * SECOND), "duration_us": round(duration_s * SECOND), **more}


def world(**provisioned: Any) -> World:
    return World(provisioned=Provisioned(**provisioned))


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
    assert outcome.bound == set()
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


def test_slowdown_and_memory_law_scale_the_execution(run: Run) -> None:
    scenario = plain_scenario(capacity=[[5, 5]], calls=[call(0, 1), call(400, 1)], slowdown_permille=[[1_500, 2_000]], steps=40)
    check(run(scenario), BUSY_US=2 * 1_001_000 + 1_500_000 + 2_000_000)
    check(run(scenario, law_permille=[500]), BUSY_US=2 * 1_001_000 + 750_000 + 1_000_000)


def test_waiting_and_rejection(run: Run) -> None:
    """One instance: busy to 11.002 s, then to 21.003 s, then to 41.004 s; the fourth call would wait 38.003 s."""
    scenario = plain_scenario(capacity=[[1]], calls=[call(0, 10), call(1, 10), call(2, 20), call(3, 1)])
    outcome = run(scenario)
    waits = 10_001_000 + 19_002_000
    check(outcome, CALLS=4, SERVED=3, REJECTED=1, COLD_STARTS=1, WAITED=2, WAIT_US=waits, MISSES=3)
    check(outcome, LATENCY_US=6_000 + waits + 11_001_000 + 10_001_000 + 20_001_000, REJECT_NANOUSD=200_000 + 2 * 10_010)
    check(outcome, EXCESS_US=1_003_000 + 10_004_000 + 19_005_000 + 30_000_000)
    check(outcome, COST_NANOUSD=600 + 110_010 + 100_010 + 200_010, IDLE_CARBON_NG=8_352_000)
    assert outcome.bound == {(0, 0)}


def test_a_reject_costs_what_the_call_is_worth_at_home(run: Run) -> None:
    """At home a GB-s is 2e-5 USD and the data are near; at the placement without capacity it is 1e-5 and they are far."""
    tables = invent_tables(("aws",), ("iad", "fra"), [(0, 0), (0, 1)], zones_of_region=[1, 1], usd_per_gb_s=[1e-5, 2e-5])
    calls = [call(0, 1, bytes_in=102_400)]
    scenario = plain_scenario(capacity=[[0], [5]], calls=calls, tables=tables, apps={"home": 1, "data_region": 1}, slowdown_permille=3_000)
    outcome = run(scenario)
    check(outcome, REJECTED=1, MISSES=1, EXCESS_US=30 * SECOND, REJECT_NANOUSD=200_000 + 2 * 20_040, COST_NANOUSD=0, CARBON_NG=0)
    check(outcome, EGRESS_NANOUSD=0, LATENCY_US=0, BUSY_US=0, WAIT_US=0)
    check(run(scenario, law_permille=[2_000]), REJECT_NANOUSD=200_000 + 2 * 20_040)  # of the configured memory


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
        assert outcome.bound == {(0, 0), (1, 0)}
        check(run(scenario, is_coupled=False), COLD_STARTS=6, WAITED=0)


def test_living_instances_take_capacity_from_all(run: Run) -> None:
    """The first app's idle instance fills the place until 62.002 s: too late at barrier 4 (60 s), in time at barrier 5 (75 s)."""
    calls = [call(0, 1), call(61, 1, app=1), call(76, 1, app=1)]
    scenario = plain_scenario(capacity=[[1]], functions_of_app=(1, 1), calls=calls)
    check(run(scenario), 1, REJECTED=1, COLD_STARTS=1)
    check(run(scenario, is_coupled=False), 1, REJECTED=0, COLD_STARTS=1)


@pytest.mark.parametrize(("duration_s", "served"), [(13.998, 1), (13.998001, 0)])
def test_an_instance_that_ends_at_a_barrier_gives_its_place(run: Run, duration_s: float, served: int) -> None:
    """App 0's instance is free at 15 s and ends at 75 s, when step 5 begins; or 1 us later."""
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
    assert outcome.bound == {(0, 0), (2, 0)}


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


def test_what_an_outage_ends_gives_room(run: Run) -> None:
    """App 0's instance would live to 892.002 s; it dies at 300 s, so the one place is free for app 1 after the outage."""
    tables = invent_tables(("aws",), ("iad",), [(0, 0)], zones_of_region=[1], keep_alive_us=600 * SECOND)
    calls = [call(290, 1), call(590, 1, app=1)]
    check(run(plain_scenario(capacity=[[1, 0, 1]], functions_of_app=(1, 1), calls=calls, tables=tables, steps=60)), SERVED=2, COLD_STARTS=2)
    check(run(plain_scenario(capacity=[[1, 1, 1]], functions_of_app=(1, 1), calls=calls, tables=tables, steps=60)), SERVED=1, REJECTED=1)


def test_an_instance_that_ended_in_an_outage_by_itself_is_not_ended_again(run: Run) -> None:
    """A floor carries an instance over the begin of an outage (300 s): free at 310 s, held to 345 s, redrawn at 330 s to live to 390 s.

    The call of 595 s waits for the end of the outage. The idle time from 310 s to 390 s stays booked. The call of 380 s, which comes while
    the instance lives and may wait 220 s, finds what the outage left: nothing, since 310 s.
    """
    release = {"release": dict.fromkeys(("aws", "azure", "gcp"), "redraw"), "min_billed_min": {"aws": 0}}
    floors = [(19, 0, 0, 1), (22, 0, 0, 0)]
    for second, idle_s in ((595, 80 + 60), (380, 0 + 60)):
        params = World(timeout_s=400, provisioned=Provisioned(**release))
        scenario = plain_scenario(capacity=[[5, 0, 5]], calls=[call(280, 28.998), call(second, 1)], world=params, steps=60)
        outcome = run(scenario, floors=floors)
        check(outcome, SERVED=2, COLD_STARTS=2, FLOOR_NANOUSD=3 * 15_000, IDLE_CARBON_NG=139_200 * idle_s)


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


def two_origins(**values: Any) -> Tables:
    """One region; callers in the second metro are 400 ms away."""
    return invent_tables(("aws",), ("iad", "fra"), [(0, 0)], zones_of_region=[1], rtt_us=[[2_000], [400_000]], **values)


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
    full = plain_scenario(capacity=[[1], [1]], calls=[call(0, 1), call(46, 1)])  # but holds the one place, except where nothing is shared
    check(run(full, moves=[(1, 0, 1), (2, 0, 0)]), SERVED=1, REJECTED=1)
    check(run(full, moves=[(1, 0, 1), (2, 0, 0)], is_coupled=False), SERVED=2, COLD_STARTS=2)


def test_instances_left_behind_hold_capacity_until_they_expire(run: Run) -> None:
    """App 0 leaves zone 0 at barrier 2; its instance stays until 62.002 s, so app 1 finds room at barrier 5 only."""
    calls = [call(0, 1), call(31, 1, app=1), call(61, 1, app=1), call(76, 1, app=1)]
    scenario = plain_scenario(capacity=[[1], [1]], functions_of_app=(1, 1), calls=calls)
    check(run(scenario, moves=[(1, 0, 1)]), 1, REJECTED=2, COLD_STARTS=1)


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


def test_floor_holds_an_instance_and_is_billed_by_step(run: Run) -> None:
    """Ready at 15 s, would expire at 75 s, is held to the next barrier but one; the last of ten barriers is at 135 s: it ends at 165 s."""
    scenario = plain_scenario(capacity=[[5]], calls=[], steps=10)
    outcome = run(scenario, floors=[(0, 0, 0, 1)])
    check(outcome, FLOOR_NANOUSD=150_000, ENERGY_UJ=1_392_000 * 150, COST_NANOUSD=0, COLD_STARTS=0)
    check(run(scenario, floors=[(0, 0, 0, 3)]), FLOOR_NANOUSD=450_000)
    blocked = make_conditions([[0, 5]], carbon_mg_per_kwh=[[0]])  # launched when the outage ends, at 300 s: idle from 315 s to 375 s
    outcome = run(replace(scenario, steps=21, conditions=blocked), floors=[(0, 0, 0, 1)])
    check(outcome, FLOOR_NANOUSD=21 * 15_000, ENERGY_UJ=1_392_000 * 60)
    check(run(replace(scenario, conditions=make_conditions([[1]], carbon_mg_per_kwh=[[0]])), floors=[(0, 0, 0, 3)]), FLOOR_NANOUSD=450_000)


@pytest.mark.parametrize(("release", "idle_until"), [("drop", 90), ("redraw", 150)])
def test_a_falling_floor_releases_and_bills_five_minutes(run: Run, release: str, idle_until: int) -> None:
    """Raised at barrier 0, dropped at barrier 6: 6 steps and the 14 left of 20."""
    scenario = plain_scenario(capacity=[[5]], calls=[], world=world(release=dict.fromkeys(("aws", "azure", "gcp"), release)))
    floors = [(0, 0, 0, 1), (6, 0, 0, 0)]
    check(run(scenario, floors=floors), FLOOR_NANOUSD=20 * 15_000, ENERGY_UJ=1_392_000 * (idle_until - 15))
    check(run(scenario, floors=[(0, 0, 0, 1), (20, 0, 0, 0)]), FLOOR_NANOUSD=20 * 15_000)  # a whole unit has no rest
    free = plain_scenario(capacity=[[5]], calls=[], world=world(min_billed_min={"aws": 0}))
    check(run(free, floors=floors), FLOOR_NANOUSD=6 * 15_000)


def test_a_dropped_floor_gives_room_at_once(run: Run) -> None:
    """One place, held by app 0's floor: it is dropped at the barrier (90 s) whose step has the call of app 1."""
    scenario = plain_scenario(capacity=[[1]], functions_of_app=(1, 1), calls=[call(91, 1, app=1)])
    check(run(scenario, floors=[(0, 0, 0, 1), (6, 0, 0, 0)]), 1, SERVED=1, COLD_STARTS=1)
    check(run(scenario, floors=[(0, 0, 0, 1)]), 1, REJECTED=1)


def test_only_idle_surplus_is_released(run: Run) -> None:
    """Floor 2 -> 1 at barrier 3 with one instance busy: one idle goes, the busy one is the floor now. The rest is 17 steps.

    Idle from 15 s: the one taken at 40.001 s, the other dropped at 45 s. Busy to 70.002 s, would live to 130.002 s, held to 165 s by the
    last barrier, at 135 s.
    """
    scenario = plain_scenario(capacity=[[5]], calls=[call(40, 30)], steps=10)
    outcome = run(scenario, floors=[(0, 0, 0, 2), (3, 0, 0, 1)])
    idle_us = (25_001_000, 30_000_000, 165_000_000 - 70_002_000)
    check(outcome, COLD_STARTS=0, FLOOR_NANOUSD=15_000 * (3 * 2 + 7 * 1 + 17))
    check(outcome, ENERGY_UJ=2_392_000 * 30_001_000 // 10**6 + sum(1_392_000 * us // 10**6 for us in idle_us))


def test_a_floor_that_was_never_reached_releases_nothing(run: Run) -> None:
    """One place: floors 3 and 2 have one instance, which stays to two steps past the last barrier, 165 s."""
    scenario = plain_scenario(capacity=[[1]], calls=[], steps=10)
    outcome = run(scenario, floors=[(0, 0, 0, 3), (4, 0, 0, 2)])
    check(outcome, ENERGY_UJ=1_392_000 * 150, FLOOR_NANOUSD=15_000 * (4 * 3 + 6 * 2 + 16))


def test_a_floor_holds_those_that_would_live_longest(run: Run) -> None:
    """Free at 2.002 s and 3.002 s; the second is held to 165 s, the first ends at 62.002 s."""
    scenario = plain_scenario(capacity=[[5]], calls=[call(0, 1), call(0, 2)], steps=10)
    idle_ng = 8_352_000 + 1_392_000 * (165_000_000 - 3_002_000) // 10**6 // 10
    check(run(scenario, floors=[(1, 0, 0, 1)]), IDLE_CARBON_NG=idle_ng)


def linear_laws() -> Tables:
    """A law is its uniform in units of 1/256: 0.1 s of cold start, 1 s of life."""
    steps = np.arange(257)
    return invent_tables(("aws",), ("iad",), [(0, 0)], zones_of_region=[1], cold_start_us=steps * 100_000, keep_alive_us=steps * SECOND)


def drawn(scenario: Scenario, ident: int, stream: int, unit_us: int, luck_seed: int = 5) -> int:
    """A floor's draw: 24 bits of the hash that is keyed by the seed, the app and step * 65536 + index."""
    seed = luck_seed ^ int(scenario.apps.id_base[0]) >> 32
    word = int(hash_u64(seed, np.array([ident]), stream)[0])
    return (word >> 56) * unit_us + ((word >> 40 & 0xFFFF) * unit_us >> 16)


def test_luck_is_keyed_by_the_rank_inside_the_app(run: Run) -> None:
    """Two calls of each of two apps start cold; the law of each is read at the hash of (seed, id base of the app | rank)."""
    calls = [call(second, 0, app=a) for a in (0, 1) for second in (0, 1)]
    scenario = plain_scenario(capacity=[[9]], functions_of_app=(1, 1), calls=calls, tables=linear_laws())
    slow = replace(scenario, tables=replace(scenario.tables, cold_start_us=scenario.tables.cold_start_us + 2 * SECOND))
    outcome = run(slow, luck_seed=5)
    for a in (0, 1):
        words = [int(hash_u64(5, np.array([int(scenario.apps.id_base[a]) | rank], dtype=np.uint64), 1)[0]) for rank in (0, 1)]
        cold_us = [2 * SECOND + (word >> 56) * 100_000 + ((word >> 40 & 0xFFFF) * 100_000 >> 16) for word in words]
        check(outcome, a, COLD_STARTS=2, BUSY_US=sum(cold_us) + 2 * 1_000)


def test_of_two_that_became_idle_at_once_the_one_that_lives_longer_is_taken(run: Run) -> None:
    """Both free at 2.002 s with lives of their own; the call of 10 s takes the longer life and leaves the shorter one to its end."""
    tables = replace(linear_laws(), cold_start_us=np.full((1, 3, 257), SECOND))
    scenario = plain_scenario(capacity=[[5]], calls=[call(0, 1), call(0, 1), call(10, 1)], tables=tables)
    for luck in range(20):
        words = [int(hash_u64(luck, np.array([int(scenario.apps.id_base[0]) | rank], dtype=np.uint64), 2)[0]) for rank in range(3)]
        lives = [(word >> 56) * SECOND + ((word >> 40 & 0xFFFF) * SECOND >> 16) for word in words]
        if min(lives[:2]) > 10 * SECOND:
            idle_us = [7_999_000, min(lives[:2]), lives[2]]
            check(run(scenario, luck_seed=luck), COLD_STARTS=2, IDLE_CARBON_NG=sum(1_392_000 * us // 10**6 // 10 for us in idle_us))


def test_launches_are_drawn_by_step_and_index_in_the_app(run: Run) -> None:
    """Launches 0 and 1 in the first function, 2 in the second, at barrier 3; without a lead the cold start counts. One is held to 75 s."""
    scenario = plain_scenario(capacity=[[5]], functions_of_app=(2,), calls=[], tables=linear_laws(), world=world(lead_steps=0), steps=4)
    outcome = run(scenario, luck_seed=4, floors=[(3, 0, 0, 2), (3, 0, 1, 1)])
    ready = [45 * SECOND + drawn(scenario, ident, 3, 100_000, luck_seed=4) for ident in range(3 * 65536, 3 * 65536 + 3)]
    ends = [begin + drawn(scenario, 3 * 65536 + i, 2, SECOND, luck_seed=4) for i, begin in enumerate(ready)]
    assert sum(end < 75 * SECOND for end in ends) == 1
    check(outcome, ENERGY_UJ=sum(1_392_000 * (max(end, 75 * SECOND) - begin) // 10**6 for begin, end in zip(ready, ends, strict=True)))


def test_redrawn_lives_go_to_the_first_to_expire(run: Run) -> None:
    """A floor of 3 falls to 1 at barrier 30: two idle instances, sorted by (expiry, begin), get lives 0 and 1 of that barrier."""
    release = {"release": dict.fromkeys(("aws", "azure", "gcp"), "redraw"), "min_billed_min": {"aws": 0}, "lead_steps": 0}
    scenario = plain_scenario(capacity=[[5]], calls=[], tables=linear_laws(), world=world(**release), steps=31)
    outcome = run(scenario, luck_seed=5, floors=[(0, 0, 0, 3), (30, 0, 0, 1)])
    # After seven minutes all three live to the next barrier but one of the last barrier (435 s), so the begin decides.
    begins = sorted(drawn(scenario, ident, 3, 100_000) for ident in range(3))
    ends = [450 * SECOND + drawn(scenario, 30 * 65536 + index, 2, SECOND) for index in range(2)] + [465_000_000]
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
    assert outcome.bound == set()  # it could have started cold
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
    scenario = plain_scenario(capacity=[[5]], calls=calls, tables=tables, world=world(lead_steps=3))
    check(run(scenario, floors=[(0, 0, 0, 2)]), COLD_STARTS=0, WAIT_US=50_000, COST_NANOUSD=400 + 2 * 5_005)


def test_floor_launches_take_free_capacity_before_grants(run: Run) -> None:
    """Two places, floor 3: two launches at barrier 0, ready at 15 s. A call at 1 s may not start cold: it waits 13.999 s."""
    scenario = plain_scenario(capacity=[[2]], functions_of_app=(1, 1), calls=[call(1, 1), call(1, 1, app=1)])
    outcome = run(scenario, floors=[(0, 0, 0, 3)])
    check(outcome, 0, COLD_STARTS=0, WAIT_US=13_999_000)
    check(outcome, 1, COLD_STARTS=0, REJECTED=1)


def test_a_floor_goes_along_with_its_app(run: Run) -> None:
    """Raised at barrier 0, switched away at barrier 2: 2 steps and the 18 left of 20; idle at the old place from 15 s to 75 s.

    At the new place it stands from barrier 2 to the last one, 39 (585 s): 38 steps; launched at 30 s, idle from 45 s to 615 s.
    """
    scenario = plain_scenario(capacity=[[5], [5]], calls=[])
    moved = [(1, 0, 1)]
    check(run(scenario, floors=[(0, 0, 0, 1)], moves=moved), FLOOR_NANOUSD=(20 + 38) * 15_000, ENERGY_UJ=1_392_000 * (60 + 570))
    ended = run(scenario, floors=[(0, 0, 0, 1), (2, 0, 0, 0)], moves=moved)  # at the barrier of the switch: it never rises there
    check(ended, FLOOR_NANOUSD=20 * 15_000, ENERGY_UJ=1_392_000 * 60)
    short = run(scenario, floors=[(0, 0, 0, 1)], moves=moved, end_step=4)  # held to 75 s only, so it lives its 60 s from 45 s
    check(short, FLOOR_NANOUSD=22 * 15_000, ENERGY_UJ=2 * 1_392_000 * 60)
    back = run(scenario, floors=[(0, 0, 0, 1)], moves=[(1, 0, 1), (3, 0, 0)], end_step=6)  # there and back: units of 2 + 18, 2 + 18, 2
    check(back, FLOOR_NANOUSD=42 * 15_000, ENERGY_UJ=3 * 1_392_000 * 60)


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
def test_buckets_do_not_change_sums_and_bound_is_waiting_or_rejection(seed: int) -> None:
    small = draw_small_world(seed)
    tactical = simulate(small.scenario, **small.run | {"bucket_us": small.scenario.world.tactical_us})
    one = simulate(small.scenario, **small.run | {"bucket_us": 10**13})
    assert {name: tactical.total(name) for name in FIELD_NAMES} == {name: one.total(name) for name in FIELD_NAMES}
    assert tactical.bound == one.bound
    rejected = {key for key, row in tactical.fields.items() if row["REJECTED"]}
    waited = {key for key, row in tactical.fields.items() if row["WAITED"]}
    assert rejected <= tactical.bound <= rejected | waited  # who waits for a warming instance instead of a cold start is not bound
    bare = simulate(small.scenario, **small.run | {"bucket_us": small.scenario.world.tactical_us, "floors": ()})
    assert bare.bound == {key for key, row in bare.fields.items() if row["WAITED"] + row["REJECTED"]}


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
