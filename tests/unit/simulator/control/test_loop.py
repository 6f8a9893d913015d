"""The loop: clocks of the parts, what each sees since its last decision, orders, floors and memory, records. Not here: the judge's rows."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import ParameterError, TrineError
from simulator.control import meters
from simulator.control.decision import Composite, Decision, Reason
from simulator.control.features.estimate import Estimate, least_estimate
from simulator.control.loop import Loop, finished, run
from simulator.control.spans import span_steps
from simulator.control.view import IDLE_NEWEST_US, IDLE_OLDEST_US, RUNS, UP, WORKING, Facts, View
from simulator.fleet import Field, Fleet
from simulator.scenario import Scenario, load_scenario, save
from simulator.twin.fleets import twin_scenario
from tests.worlds.small_worlds import plain_scenario
from tests.worlds.told import Said, nothing

Int64 = NDArray[np.int64]


@pytest.fixture(scope="module")
def world() -> Scenario:
    """One day of 20 apps: the test span is steps 4800 to 5700."""
    return twin_scenario("calm", days=1, apps=20, rate=0.2)


def first_of(view: View) -> Int64:
    """The first placement of each app's given cloud."""
    return np.array([np.flatnonzero(view.facts.cloud_of_placement == c)[0] for c in view.cloud])


def test_parts_decide_on_their_own_clocks_in_order_and_a_strategic_tick_asks_the_tactical_part(world: Scenario) -> None:
    order: list[tuple[int, str]] = []

    def part(role: str, answer: Callable[[View], Decision], period: int) -> Said:
        def told(view: View) -> Decision:
            order.append((view.step, role))
            return answer(view)

        return Said(told, period)

    clouds = np.arange(20) % 3
    strategic = part("strategic", lambda view: Decision(cloud=(clouds + view.step // 250) % 3), 250)
    tactical = part("tactical", lambda view: Decision(placement=first_of(view)), 100)
    operational = part("operational", nothing, 150)
    run(world, Composite("all", strategic=strategic, tactical=tactical, operational=operational), seed=3)
    expected = []
    for since in range(0, 900, 50):
        expected += [(4800 + since, "strategic")] * (since % 250 == 0)
        expected += [(4800 + since, "tactical")] * (since % 250 == 0 or since % 100 == 0)
        expected += [(4800 + since, "operational")] * (since % 150 == 0)
    assert order == expected
    for view in tactical.views:  # what the strategic part ordered, at its tick and until the next one
        assert view.cloud.tolist() == ((clouds + (4800 + (view.step - 4800) // 250 * 250) // 250) % 3).tolist()
    start = operational.views[0]
    assert start.placement.tolist() == first_of(tactical.views[0]).tolist()  # the first placement is in force at once
    later = operational.views[5]  # step 5550: a strategic tick, so the tactical part has just ordered
    ordered = first_of(next(view for view in tactical.views if view.step == later.step))
    assert (ordered != later.placement).any()
    assert later.target.tolist() == np.where(ordered == later.placement, -1, ordered).tolist()


def test_a_composite_that_is_asked_by_itself_asks_every_part(world: Scenario) -> None:
    floors = np.ones(world.apps.first_function[-1], dtype=np.int64)
    strategic = Said(lambda view: Decision(cloud=np.full(20, 2)), 1000)
    tactical, operational = Said(lambda view: Decision(placement=first_of(view)), 100), Said(lambda view: Decision(floors=floors), 1)
    seen = Said(nothing, 100)
    run(world, seen, seed=3)
    orders = Composite("all", strategic=strategic, tactical=tactical, operational=operational).decide(seen.views[1])
    assert orders.cloud is not None
    assert orders.placement is not None
    assert orders.cloud.tolist() == [2] * 20
    assert set(world.tables.cloud_of_region[world.tables.region_of_placement[orders.placement]].tolist()) == {2}
    assert orders.floors is floors
    assert operational.views[0].target.tolist() == orders.placement.tolist()


def test_each_part_sees_what_happened_since_its_own_last_decision(world: Scenario) -> None:
    tactical, operational = Said(lambda view: Decision(placement=view.placement), 300), Said(nothing, 70)
    fleet = run(world, Composite("both", tactical=tactical, operational=operational), seed=3, bucket_us=world.world.step_us)
    for part in (tactical, operational):
        for one, two in zip(part.views[:-1], part.views[1:], strict=True):
            for field in (Field.CALLS, Field.COLD_STARTS, Field.LATENCY_US, Field.COST_NANOUSD):
                np.testing.assert_array_equal(two.recent[:, field], fleet.out[:, one.step : two.step, field].sum(axis=1))
        assert part.views[0].recent.sum() == 0
    assert all((view.peak >= np.bincount(_app_of(world), view.pools[:, UP], minlength=20)).all() for view in tactical.views)
    assert max(int(view.peak.max()) for view in tactical.views) > max(int(view.pools[:, UP].max()) for view in tactical.views) - 1


def _app_of(scenario: Scenario) -> Int64:
    return np.repeat(np.arange(len(scenario.apps.app_ids)), np.diff(scenario.apps.first_function))


def test_peak_is_the_most_instances_alive_at_the_end_of_a_step() -> None:
    """Five calls at once in step 2 and three in step 30, every instance lives 60 s: peaks of 5, 0 left, 3."""
    calls = [{"arrival_us": 31_000_000, "duration_us": 1_000_000}] * 5 + [{"arrival_us": 451_000_000, "duration_us": 1_000_000}] * 3
    scenario = dataclasses.replace(plain_scenario(capacity=[[9] * 3], calls=calls, steps=60), split_steps=(58, 59, 60))
    policy = Said(nothing, 10)
    run(scenario, policy, seed=1, span="all")
    assert [int(view.peak[0]) for view in policy.views] == [0, 5, 0, 0, 3, 0]


def test_pools_and_runs_are_as_of_the_barrier() -> None:
    """Barrier 10 (150 s): function 0 works on one call and has two idle ones (20 s and 30 s), function 1 has none left."""
    calls = [
        {"app": 0, "function": 1, "arrival_us": 1_000_000, "duration_us": 0},
        {"app": 0, "function": 0, "arrival_us": 118_997_000, "duration_us": 0},
        {"app": 0, "function": 0, "arrival_us": 118_998_000, "duration_us": 10_000_000},
        {"app": 0, "function": 0, "arrival_us": 140_000_000, "duration_us": 60_000_000},
        {"app": 0, "function": 0, "arrival_us": 141_000_000, "duration_us": 60_000_000},
    ]
    scenario = plain_scenario(capacity=[[9]], calls=calls, functions_of_app=(2,), steps=20)
    scenario = dataclasses.replace(scenario, split_steps=(18, 19, 20))
    policy = Said(nothing, 10)
    fleet = run(scenario, policy, seed=1, span="all")
    view = policy.views[1]
    assert fleet.out[0, :, Field.COLD_STARTS].sum() == 3  # the last two find the two idle ones
    assert view.pools[0, [UP, WORKING]].tolist() == [2, 2]
    assert view.pools[1].tolist() == [0, 0, -1, -1, 0]
    assert policy.views[0].runs.max() == -1
    assert view.runs[0, -4:].tolist() == [arrival + 1_000 for arrival in (118_997_000, 118_998_000, 140_000_000, 141_000_000)]
    assert view.runs[0, :-4].tolist() == [-1] * (RUNS - 4)
    assert view.runs[1, -1] == 1_001_000
    idle = Said(nothing, 9)  # barrier 9, 135 s: both wait for a call, since their ends at about 120 s and 130 s
    run(scenario, idle, seed=1, span="all")
    newest, oldest = idle.views[1].pools[0, [IDLE_NEWEST_US, IDLE_OLDEST_US]].tolist()
    assert idle.views[1].pools[0, [UP, WORKING]].tolist() == [2, 0]
    assert (newest, oldest) == (135_000_000 - 129_999_000 - 1_000, 135_000_000 - 119_998_000 - 1_000)


def test_runs_hold_arrivals_from_before_the_run_at_home(world: Scenario) -> None:
    policy = Said(nothing, 100)
    run(world, policy, seed=3)
    t, calls, view = world.tables, world.calls, policy.views[3]
    now = view.step * world.world.step_us
    for q, app in enumerate(_app_of(world).tolist()):
        lo, hi = calls.first_call[app : app + 2]
        mine = np.arange(lo, hi)[(calls.function[lo:hi] == q - world.apps.first_function[app]) & (calls.arrival_us[lo:hi] < now)]
        at = calls.arrival_us[mine] + (t.rtt_us[calls.origin[mine], t.region_of_placement[world.apps.home[app]]] >> 1)
        expected = np.sort(at)[-RUNS:]
        assert view.runs[q, RUNS - len(expected) :].tolist() == expected.tolist()


def test_past_calls_are_those_before_the_barrier_and_say_which_have_ended(world: Scenario) -> None:
    policy = Said(nothing, 100)
    run(world, policy, seed=3)
    for view in policy.views[::4]:
        for app in range(20):
            past, lo, hi = view.past.calls(app), *world.calls.first_call[app : app + 2]
            arrival = world.calls.arrival_us[lo:hi]
            assert past.arrival_us.tolist() == arrival[arrival < view.now_us].tolist()
            assert past.has_ended.tolist() == (past.arrival_us + past.duration_us <= view.now_us).tolist()
            assert view.past.until[app] == view.past.first_call[app] + len(past.arrival_us)
        with pytest.raises(ValueError, match="read-only"):
            view.past.calls(0).duration_us[:] = 0
        assert len(view.past.history.cold) == view.step // 100 + 1


def test_runs_are_the_same_whenever_they_are_asked_for(world: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every barrier, at the last one only, and where they are looked up on the way because nobody has asked for long."""
    always, late, long = (Said(lambda view: Decision(placement=np.full(20, view.step // 100 % 2)), 100) for _ in range(3))
    loop = Loop(world, always, 3, begin=4800, end=5700)
    while (turn := loop.turn()) is not None:
        assert not turn.view.runs.flags.writeable
        loop.answer(turn.policy.decide(turn.view))
    run(world, late, seed=3)
    monkeypatch.setattr(meters, "MOST_UNASKED", 2)
    run(world, long, seed=3)
    for policy in (late, long):
        for one, other in zip(reversed(policy.views), reversed(always.views), strict=True):
            np.testing.assert_array_equal(one.runs, other.runs)
            np.testing.assert_array_equal(one.past.until, other.past.until)
    assert long.views[-1].arrivals._unasked <= 2


def test_what_no_decision_changes_is_made_once_and_follows_the_facts(world: Scenario) -> None:
    """Two runs meet at a barrier with equal histories; a policy that weighs carbon otherwise gets an estimate of its own."""
    views = [Loop(world, Said(nothing, 100), seed, begin=4800, end=5700).view("all") for seed in (1, 2)]
    assert views[0].facts is views[1].facts is Facts.of(world)
    assert views[0].past.history is views[1].past.history
    best, of_home = least_estimate(views[0])
    assert least_estimate(views[1])[0] is best
    usd = Estimate(views[0].facts).usd(views[0])
    np.testing.assert_array_equal(of_home, usd[np.arange(20)[:, None], best] / usd[np.arange(20), world.apps.home][:, None])
    other = dataclasses.replace(views[0].facts, objective=world.objective.model_copy(update={"carbon_usd_per_kg": 1e6}))
    assert not np.array_equal(least_estimate(dataclasses.replace(views[0], facts=other))[1], of_home)


def test_an_absent_tactical_part_goes_where_a_call_is_estimated_to_cost_least(world: Scenario) -> None:
    seen: list[Int64] = []

    def clouds(view: View) -> Decision:
        usd = Estimate(view.facts).usd(view)
        inside = np.where(view.facts.cloud_of_placement == 1, usd, np.inf)
        seen.append(inside.min(axis=1) - 1e-15)
        seen.append(usd)
        return Decision(cloud=np.ones(20, dtype=np.int64))

    loop = Loop(world, Composite("s", strategic=Said(clouds, 1000)), 3, begin=4800, end=5700, has_record=True)
    fleet = finished(loop)
    assert (world.tables.cloud_of_region[world.tables.region_of_placement[fleet.placement]] == 1).all()
    assert (seen[1][np.arange(20), fleet.placement] <= seen[0] + 2e-15).all()
    assert loop.records is not None
    record = loop.records[0]
    assert record.unit == "USD per call"
    assert record.estimates is not None
    assert np.isnan(record.estimates).sum() == 20 * 48
    assert record.reason.tolist() == [Reason.FIRST] * 20
    everywhere = Said(nothing, 100)
    everywhere.scope = "all"
    with pytest.raises(TrineError, match="leave out the strategic part"):
        Composite("wrong", strategic=Said(clouds, 1000), tactical=everywhere)
    with pytest.raises(TrineError, match="no part"):
        Composite("empty")


def test_steps_are_the_last_twelve(world: Scenario) -> None:
    policy = Said(nothing, 5, needs_steps=True)
    fleet = run(world, policy, seed=3, bucket_us=world.world.step_us)
    fields = (Field.CALLS, Field.WAITED, Field.REJECTED)
    for view in policy.views[::20]:
        assert view.steps is not None
        for row in range(12):
            step = view.step - 12 + row
            expected = fleet.out[:, step, fields] if step >= 4800 else np.zeros((20, 3))
            np.testing.assert_array_equal(view.steps[row, :, :3], expected)
        up = np.bincount(_app_of(world), view.pools[:, UP], minlength=20)
        working = np.bincount(_app_of(world), view.pools[:, WORKING], minlength=20)
        if view.step > 4800:
            assert view.steps[-1, :, 4].tolist() == up.tolist()
            assert view.steps[-1, :, 5].tolist() == working.tolist()
            assert view.steps[-1, :, 6].tolist() == (working * world.apps.memory_mb).tolist()
    assert Said(nothing, 5).needs_steps is False


def test_single_steps_change_nothing(world: Scenario) -> None:
    one, other = run(world, Said(nothing, 100), 3), run(world, Said(nothing, 1), 3)
    np.testing.assert_array_equal(one.out, other.out)


def test_the_wall_hides_what_comes_after_a_span(world: Scenario, tmp_path: Any) -> None:
    folder = save(world, tmp_path)
    seen = load_scenario(folder, until="valid")
    assert seen.calls.arrival_us.max() < 4800 * 15_000_000 < world.calls.arrival_us.max()
    assert seen.steps == 4800 + (5760 - 5700)
    assert seen.conditions.capacity.shape[1] == -(-seen.steps // 20)
    assert seen.conditions.carbon_mg_per_kwh.shape[1] == -(-seen.steps // 240)
    for span in ("train", "valid"):
        one, other = (run(s, Said(nothing, 100), 3, span) for s in (world, seen))  # type: ignore[arg-type]
        np.testing.assert_array_equal(one.out.sum(axis=1), other.out.sum(axis=1))
    for span in ("test", "all"):
        with pytest.raises(ParameterError, match="until the end of 'valid'"):
            span_steps(seen, span)  # type: ignore[arg-type]


def test_only_the_loop_and_its_counterfactuals_drive_a_fleet(repository: Any) -> None:
    """Whoever decides or judges goes through the loop; checks of single calls (calibration) and sampled traces may build a fleet."""
    allowed = {"simulator/control/loop.py", "simulator/control/counterfactual.py", "simulator/fleet.py"}
    found = {
        str(file.relative_to(repository))
        for package in ("simulator", "models", "tasks", "flows")
        for file in (repository / package).rglob("*.py")
        if re.search(r"\bFleet\(", file.read_text(encoding="utf-8"))
    }
    assert found - allowed == set()
    assert Fleet.__module__ == "simulator.fleet"
