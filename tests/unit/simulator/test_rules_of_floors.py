"""The second simulator and the compiled kernel against hand calculations: what a floor is granted, keeps and costs. Not here: any world.

tests/worlds/hand_cases.py has the numbers of the plain world: aws, where a floor drops what it lets go and is billed in units of 20 steps.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.errors import TrineError
from simulator.fleet import Fleet
from tests.worlds.hand_cases import Run, call, check, world
from tests.worlds.small_worlds import invent_tables, make_conditions, plain_scenario, plain_tables

STEP_NANOUSD = 15_000
BY_STEP = {"floor_min_billed_min": 0}


def test_floor_holds_an_instance_and_is_billed_by_unit(run: Run) -> None:
    """Ready at 15 s, would expire at 75 s, is held to the next barrier but one; the last of ten barriers is at 135 s: it ends at 165 s."""
    scenario = plain_scenario(capacity=[[5]], calls=[], steps=10)
    outcome = run(scenario, floors=[(0, 0, 0, 1)])
    check(outcome, FLOOR_NANOUSD=20 * STEP_NANOUSD, ENERGY_UJ=1_392_000 * 150, COST_NANOUSD=0, COLD_STARTS=0)
    by_step = plain_scenario(capacity=[[5]], calls=[], steps=10, tables=plain_tables(**BY_STEP))
    check(run(by_step, floors=[(0, 0, 0, 1)]), FLOOR_NANOUSD=10 * STEP_NANOUSD)
    blocked = make_conditions([[0, 5]], carbon_mg_per_kwh=[[0]])  # granted when the outage ends, at 300 s: idle from 315 s to 375 s
    outcome = run(replace(by_step, steps=21, conditions=blocked), floors=[(0, 0, 0, 1)])
    check(outcome, FLOOR_NANOUSD=STEP_NANOUSD, ENERGY_UJ=1_392_000 * 60)


@pytest.mark.parametrize(("release", "idle_until"), [("drop", 90), ("redraw", 150)])
def test_a_falling_floor_releases_and_bills_five_minutes(run: Run, release: str, idle_until: int) -> None:
    """Raised at barrier 0, dropped at barrier 6: 6 steps and the 14 left of 20."""
    scenario = plain_scenario(capacity=[[5]], calls=[], tables=plain_tables(is_floor_dropped=release == "drop"))
    floors = [(0, 0, 0, 1), (6, 0, 0, 0)]
    check(run(scenario, floors=floors), FLOOR_NANOUSD=20 * STEP_NANOUSD, ENERGY_UJ=1_392_000 * (idle_until - 15))
    check(run(scenario, floors=[(0, 0, 0, 1), (20, 0, 0, 0)]), FLOOR_NANOUSD=20 * STEP_NANOUSD)  # a whole unit has no rest
    free = plain_scenario(capacity=[[5]], calls=[], tables=plain_tables(**BY_STEP))
    check(run(free, floors=floors), FLOOR_NANOUSD=6 * STEP_NANOUSD)


def test_the_rest_of_a_unit_is_billed_at_the_end_of_the_run(run: Run) -> None:
    """Ten minute buckets: the run ends at barrier 10, the rest belongs to its last step."""
    scenario = plain_scenario(capacity=[[5]], calls=[])
    outcome = run(scenario, floors=[(0, 0, 0, 1)], end_step=10, bucket_us=60_000_000)
    assert [outcome.fields[0, bucket]["FLOOR_NANOUSD"] // STEP_NANOUSD for bucket in range(3)] == [4, 4, 2 + 10]
    check(run(scenario, floors=[(0, 0, 0, 1)], end_step=20), FLOOR_NANOUSD=20 * STEP_NANOUSD)
    check(run(scenario, floors=[(0, 0, 0, 1)], end_step=21), FLOOR_NANOUSD=40 * STEP_NANOUSD)


def test_every_place_in_a_floor_has_a_unit_of_its_own(run: Run) -> None:
    """Five for 25 steps are two units each; a sixth that is taken at step 5 and given up at step 25 is one."""
    scenario = plain_scenario(capacity=[[24]], calls=[])
    check(run(scenario, floors=[(0, 0, 0, 5), (25, 0, 0, 0)]), FLOOR_NANOUSD=5 * 40 * STEP_NANOUSD)
    sixth = run(scenario, floors=[(0, 0, 0, 5), (5, 0, 0, 6), (25, 0, 0, 0)])
    check(sixth, FLOOR_NANOUSD=(5 * 40 + 20) * STEP_NANOUSD)


def test_a_place_taken_again_inside_its_unit_is_paid_by_it(run: Run) -> None:
    """Up at 0, down at 5, up at 10, down at 15 is one unit; held on past step 20, another one; taken again at 20, another one."""
    scenario = plain_scenario(capacity=[[24]], calls=[])
    up_and_down = [(0, 0, 0, 1), (5, 0, 0, 0), (10, 0, 0, 1)]
    check(run(scenario, floors=[*up_and_down, (15, 0, 0, 0)]), FLOOR_NANOUSD=20 * STEP_NANOUSD)
    check(run(scenario, floors=[*up_and_down, (20, 0, 0, 0)]), FLOOR_NANOUSD=20 * STEP_NANOUSD)
    check(run(scenario, floors=[*up_and_down, (21, 0, 0, 0)]), FLOOR_NANOUSD=40 * STEP_NANOUSD)
    check(run(scenario, floors=[(0, 0, 0, 1), (5, 0, 0, 0), (20, 0, 0, 1), (21, 0, 0, 0)]), FLOOR_NANOUSD=40 * STEP_NANOUSD)
    first = run(scenario, floors=up_and_down, end_step=19, bucket_us=75_000_000)  # paid when it was given up: nothing for steps 10-18
    assert [first.fields[0, bucket]["FLOOR_NANOUSD"] // STEP_NANOUSD for bucket in (0, 1)] == [5, 15]
    assert (0, 2) not in first.fields or first.fields[0, 2]["FLOOR_NANOUSD"] == 0


def test_the_place_whose_unit_ends_first_is_given_up_first(run: Run) -> None:
    """One taken at 0, one at 12; the first is given up at 18 (2 left of 20), the second at 30 (2 left of 20): two units."""
    scenario = plain_scenario(capacity=[[24]], calls=[])
    check(run(scenario, floors=[(0, 0, 0, 1), (12, 0, 0, 2), (18, 0, 0, 1), (30, 0, 0, 0)]), FLOOR_NANOUSD=40 * STEP_NANOUSD)
    check(run(scenario, floors=[(0, 0, 0, 1), (12, 0, 0, 2), (18, 0, 0, 1), (33, 0, 0, 0)]), FLOOR_NANOUSD=60 * STEP_NANOUSD)


def test_a_dropped_floor_frees_capacity_at_once(run: Run) -> None:
    """Four places: three busy, one held by app 0's floor: it is dropped at the barrier (90 s) whose step has the fourth call of app 1."""
    calls = [*(call(1, 200, app=1) for _ in range(3)), call(91, 1, app=1)]
    scenario = plain_scenario(capacity=[[4]], functions_of_app=(1, 1), calls=calls)
    check(run(scenario, floors=[(0, 0, 0, 1), (6, 0, 0, 0)]), 1, SERVED=4, COLD_STARTS=4)
    check(run(scenario, floors=[(0, 0, 0, 1)]), 1, SERVED=3, REJECTED=1)


def test_only_what_serves_no_call_is_released(run: Run) -> None:
    """Floor 2 -> 1 at barrier 3 with one instance busy: one idle goes, the busy one is the floor now.

    Idle from 15 s: the one taken at 40.001 s, the other dropped at 45 s. Busy to 70.002 s, would live to 130.002 s, held to 165 s by the
    last barrier, at 135 s.
    """
    scenario = plain_scenario(capacity=[[8]], calls=[call(40, 30)], steps=10, tables=plain_tables(**BY_STEP))
    outcome = run(scenario, floors=[(0, 0, 0, 2), (3, 0, 0, 1)])
    idle_us = (25_001_000, 30_000_000, 165_000_000 - 70_002_000)
    check(outcome, COLD_STARTS=0, FLOOR_NANOUSD=STEP_NANOUSD * (3 * 2 + 7 * 1))
    check(outcome, ENERGY_UJ=2_392_000 * 30_001_000 // 10**6 + sum(1_392_000 * us // 10**6 for us in idle_us))


@pytest.mark.parametrize(("release", "energy_s"), [("drop", 0), ("redraw", 60)])
def test_a_fall_ends_what_is_still_warming_where_it_is_dropped(run: Run, release: str, energy_s: int) -> None:
    """Launched at barrier 0 to be ready at 45 s, given up at 15 s; the call of 50 s starts cold, or finds it."""
    tables = plain_tables(is_floor_dropped=release == "drop")
    scenario = plain_scenario(capacity=[[5]], calls=[], tables=tables, world=world(lead_steps=3))
    check(run(scenario, floors=[(0, 0, 0, 1), (1, 0, 0, 0)]), ENERGY_UJ=1_392_000 * energy_s)
    called = plain_scenario(capacity=[[5]], calls=[call(50, 1)], tables=tables, world=world(lead_steps=3))
    check(run(called, floors=[(0, 0, 0, 1), (1, 0, 0, 0)]), COLD_STARTS=int(release == "drop"))


def test_floor_launches_take_free_capacity_before_grants(run: Run) -> None:
    """Eight places, six busy. A floor of 2 at barrier 1, ready at 30 s. A call at 16 s may not start cold: it waits 13.999 s."""
    calls = [*(call(1, 200, app=1) for _ in range(6)), call(16, 1), call(16, 1, app=1)]
    outcome = run(plain_scenario(capacity=[[8]], functions_of_app=(1, 1), calls=calls), floors=[(1, 0, 0, 2)])
    check(outcome, 0, COLD_STARTS=0, WAIT_US=13_999_000)
    check(outcome, 1, COLD_STARTS=6, REJECTED=1)


def test_a_floor_rises_only_while_places_are_free(run: Run) -> None:
    """Twelve places, eleven busy to 91.002 s: of three wanted, one is granted and launched at barrier 1, the others at 105 s."""
    calls = [call(1, 90, app=1) for _ in range(11)]
    tables = plain_tables(**BY_STEP)
    scenario = plain_scenario(capacity=[[12]], functions_of_app=(1, 1), calls=calls, tables=tables, steps=10)
    outcome = run(scenario, floors=[(1, 0, 0, 3)])
    check(outcome, 0, ENERGY_UJ=1_392_000 * ((165 - 30) + 2 * 60), FLOOR_NANOUSD=STEP_NANOUSD * (6 * 1 + 3 * 3))


def test_a_rising_floor_takes_no_idle_instance_above_the_capacity(run: Run) -> None:
    """Four places, busy with app 1 to 117.002 s, and a fifth instance, idle: at 30 s it yields, and app 0's floor rises at 120 s only."""
    calls = [call(0, 1), *(call(16, 100, app=1) for _ in range(4)), call(31, 1)]
    scenario = plain_scenario(capacity=[[4]], functions_of_app=(1, 1), calls=calls)
    outcome = run(scenario, floors=[(2, 0, 0, 1)])
    check(outcome, 1, COLD_STARTS=4)
    check(outcome, 0, REJECTED=1, FLOOR_NANOUSD=40 * STEP_NANOUSD)


def test_floors_of_a_zone_keep_a_quarter_of_its_capacity_at_most(run: Run) -> None:
    """Eleven places allow two in order of app id; the third app's floor is not paid, and rises when the first one's falls."""
    scenario = plain_scenario(capacity=[[11]], functions_of_app=(1, 1, 1), calls=[], tables=plain_tables(**BY_STEP), steps=10)
    floors = [(0, app, 0, 1) for app in (2, 1, 0)]
    outcome = run(scenario, floors=floors)
    for app, steps in enumerate((10, 10, 0)):
        check(outcome, app, FLOOR_NANOUSD=steps * STEP_NANOUSD)
    later = run(scenario, floors=[*floors, (4, 0, 0, 0)])
    for app, steps in enumerate((4, 10, 6)):
        check(later, app, FLOOR_NANOUSD=steps * STEP_NANOUSD)
    alone = run(scenario, floors=floors, is_coupled=False)  # each app has all of the zone
    check(alone, FLOOR_NANOUSD=30 * STEP_NANOUSD)


def test_a_floor_that_stands_keeps_its_place(run: Run) -> None:
    """App 1 has the one place; app 0 asks later and gets none. Where the capacity falls, nothing is taken away and nothing is added."""
    scenario = plain_scenario(capacity=[[7, 3, 8]], functions_of_app=(1, 1), calls=[], tables=plain_tables(**BY_STEP), steps=60)
    outcome = run(scenario, floors=[(0, 1, 0, 1), (5, 0, 0, 1)])
    check(outcome, 1, FLOOR_NANOUSD=60 * STEP_NANOUSD)
    check(outcome, 0, FLOOR_NANOUSD=20 * STEP_NANOUSD)  # from 600 s on, where the zone has eight places


def test_a_floor_goes_along_with_its_app(run: Run) -> None:
    """Raised at barrier 0, switched away at barrier 2: 2 steps and the 18 left of 20; idle at the old place from 15 s to 75 s.

    At the new place the floor is kept from barrier 2 to the last one, 39 (585 s): two units; launched at 30 s, idle from 45 s to 615 s.
    """
    scenario = plain_scenario(capacity=[[5], [5]], calls=[])
    moved = [(1, 0, 1)]
    check(run(scenario, floors=[(0, 0, 0, 1)], moves=moved), FLOOR_NANOUSD=(20 + 40) * STEP_NANOUSD, ENERGY_UJ=1_392_000 * (60 + 570))
    ended = run(scenario, floors=[(0, 0, 0, 1), (2, 0, 0, 0)], moves=moved)  # at the barrier of the switch: it never rises there
    check(ended, FLOOR_NANOUSD=20 * STEP_NANOUSD, ENERGY_UJ=1_392_000 * 60)
    short = run(scenario, floors=[(0, 0, 0, 1)], moves=moved, end_step=4)  # held to 75 s only, so it lives its 60 s from 45 s
    check(short, FLOOR_NANOUSD=40 * STEP_NANOUSD, ENERGY_UJ=2 * 1_392_000 * 60)
    back = run(scenario, floors=[(0, 0, 0, 1)], moves=[(1, 0, 1), (3, 0, 0)], end_step=6)  # there and back: a unit in each of three pools
    check(back, FLOOR_NANOUSD=60 * STEP_NANOUSD, ENERGY_UJ=3 * 1_392_000 * 60)


def test_a_new_size_is_a_new_pool(run: Run) -> None:
    """2 GB from barrier 2 on. The instance idle from 2.002 s lives its 60 s unused, at the power of 1 GB; the call of 31 s starts cold."""
    scenario = plain_scenario(capacity=[[5]], calls=[call(0, 1), call(31, 1)])
    idle_large_uw = 2_000_000 + 2 * 392_000
    outcome = run(scenario, sizes=[(2, 0, 2048, 1_000)])
    idle_ng = 8_352_000 + idle_large_uw * 60 // 10
    check(outcome, COLD_STARTS=2, IDLE_CARBON_NG=idle_ng)
    check(run(scenario, sizes=[(2, 0, 1024, 500)]), COLD_STARTS=1, BUSY_US=2_001_000 + 501_000)  # the size in force: another factor only
    full = plain_scenario(capacity=[[1]], calls=[call(0, 50), call(31, 1), call(61, 1)])
    check(run(full, sizes=[(2, 0, 2048, 1_000)]), REJECTED=1, COLD_STARTS=2)  # what runs goes on to hold its place


def test_a_new_size_ends_the_floor_of_the_old_one(run: Run) -> None:
    """Raised at barrier 0, resized at barrier 2: one unit at the price of 1 GB, two at that of 2 GB; the old instance lives to 75 s."""
    scenario = plain_scenario(capacity=[[5]], calls=[])
    outcome = run(scenario, floors=[(0, 0, 0, 1)], sizes=[(2, 0, 2048, 1_000)])
    check(outcome, FLOOR_NANOUSD=(20 + 2 * 40) * STEP_NANOUSD, ENERGY_UJ=1_392_000 * 60 + 2_784_000 * 570)


@pytest.mark.parametrize("floors", [[-1], [1, 1], [0.5]])
def test_wrong_floors_are_refused(floors: list[float]) -> None:
    """In a fleet without a policy, too: -20 after 1 and before 0 renewed sixteen keep-alives for the price of two steps."""
    scenario = plain_scenario(capacity=[[5]], calls=[], tables=invent_tables(("gcp",), ("iad",), [(0, 0)], zones_of_region=[1]))
    fleet = Fleet(scenario, scenario.apps.home, luck_seed=1)
    with pytest.raises(TrineError, match=r"floors need shape \(1,\) and whole numbers from 0 on"):
        fleet.set_floors(np.array(floors))
