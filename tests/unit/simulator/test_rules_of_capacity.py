"""The second simulator and the compiled kernel against hand calculations: who holds a place, who yields, what is granted. Not here: floors.

tests/worlds/hand_cases.py has the numbers of the plain world.
"""

from __future__ import annotations

import pytest

from tests.worlds.hand_cases import Run, call, check
from tests.worlds.small_worlds import invent_tables, plain_scenario


def test_idle_instances_block_nobody(run: Run) -> None:
    """App 0 leaves two idle instances in two places; both calls of app 1 start cold at once, and app 0's next call starts cold again."""
    calls = [call(0, 1), call(0, 1), call(16, 20, app=1), call(16, 20, app=1), call(46, 1)]
    scenario = plain_scenario(capacity=[[2]], functions_of_app=(1, 1), calls=calls)
    outcome = run(scenario)
    check(outcome, 1, COLD_STARTS=2, REJECTED=0)
    # At barrier 2 (30 s) four are alive and two have to go: those of app 0, idle since 2.002 s.
    check(outcome, 0, COLD_STARTS=3, IDLE_CARBON_NG=2 * (139_200 * 27_998_000 // 10**6) + 8_352_000)
    assert outcome.binding == set()


def test_of_the_idle_the_longest_idle_yields(run: Run) -> None:
    """Three places: idle since 2.002 s (app 1) and 4.002 s (app 0), three calls of app 2 at 16 s. At 30 s two of five yield."""
    calls = [call(0, 3), call(0, 1, app=1), *(call(16, 1, app=2) for _ in range(3))]
    scenario = plain_scenario(capacity=[[3]], functions_of_app=(1, 1, 1), calls=calls)
    outcome = run(scenario)
    check(outcome, 1, IDLE_CARBON_NG=139_200 * 27_998_000 // 10**6)
    check(outcome, 0, IDLE_CARBON_NG=139_200 * 25_998_000 // 10**6)
    check(outcome, 2, COLD_STARTS=3, IDLE_CARBON_NG=3 * 8_352_000)
    wider = run(plain_scenario(capacity=[[4]], functions_of_app=(1, 1, 1), calls=calls))
    check(wider, 0, IDLE_CARBON_NG=8_352_000)
    check(wider, 1, IDLE_CARBON_NG=139_200 * 27_998_000 // 10**6)


def test_busy_instances_never_yield(run: Run) -> None:
    """The capacity falls from 3 to 1 at 300 s with two busy and one idle: only the idle one ends. Both others are idle from 381.002 s.

    One of them ends at the next barrier, 390 s.
    """
    calls = [call(280, 100), call(280, 100), call(280, 1)]
    outcome = run(plain_scenario(capacity=[[3, 1]], functions_of_app=(1,), calls=calls))
    idle_us = (17_998_000, 8_998_000, 60_000_000)
    check(outcome, SERVED=3, IDLE_CARBON_NG=sum(139_200 * us // 10**6 for us in idle_us))


def test_a_floor_is_no_idle_instance(run: Run) -> None:
    """Four places, one kept by app 0's floor: of four calls of app 1 three start cold, and the floor is not ended."""
    calls = [*(call(31, 100, app=1) for _ in range(4)), call(61, 1)]
    scenario = plain_scenario(capacity=[[4]], functions_of_app=(1, 1), calls=calls)
    outcome = run(scenario, floors=[(0, 0, 0, 1)])
    check(outcome, 1, COLD_STARTS=3, REJECTED=1)
    check(outcome, 0, COLD_STARTS=0, SERVED=1)


def test_grants_leave_places_for_idle_instances_that_calls_wake(run: Run) -> None:
    """Three places, two idle of app 0. In step 1 it has two calls and app 1 two: both wake, and only one starts cold."""
    calls = [call(0, 1), call(0, 1), *(call(16, 50, app=a) for a in (0, 0, 1, 1))]
    outcome = run(plain_scenario(capacity=[[3]], functions_of_app=(1, 1), calls=calls))
    check(outcome, 0, COLD_STARTS=2, SERVED=4)
    check(outcome, 1, COLD_STARTS=1, REJECTED=1)
    one = [call(0, 1), call(0, 1), *(call(16, 50, app=a) for a in (0, 1, 1))]  # one call cannot wake two
    grants = run(plain_scenario(capacity=[[4]], functions_of_app=(1, 1), calls=one))
    check(grants, 1, COLD_STARTS=2, REJECTED=0)


@pytest.mark.parametrize(("cloud", "cold_starts"), [("aws", 1), ("azure", 2)])
def test_calls_wake_the_pool_they_belong_to(run: Run, cloud: str, cold_starts: int) -> None:
    """Two places, one idle of function 0, two calls of function 1: in pools of their own none wakes it, so both places may be granted."""
    tables = invent_tables((cloud,), ("iad",), [(0, 0)], zones_of_region=[1])
    calls = [call(0, 1), *(call(16, 50, function=1) for _ in range(2))]
    outcome = run(plain_scenario(capacity=[[2]], functions_of_app=(2,), calls=calls, tables=tables))
    check(outcome, SERVED=3, COLD_STARTS=3 if cloud == "aws" else 2)


def test_uncoupled_idle_instances_yield_to_their_own_app(run: Run) -> None:
    """Two functions, one place: the second one's call starts cold, and the first one's instance ends at the next barrier (30 s)."""
    calls = [call(0, 1), call(16, 1, function=1)]
    scenario = plain_scenario(capacity=[[1]], functions_of_app=(2,), calls=calls)
    idle_ng = 139_200 * 27_998_000 // 10**6 + 8_352_000
    for is_coupled in (True, False):
        check(run(scenario, is_coupled=is_coupled), COLD_STARTS=2, IDLE_CARBON_NG=idle_ng)
