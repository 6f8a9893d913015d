"""Whatever the numbers of a world: clouds differ, every action changes it, and no observation shows its future."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.units import HOUR_US, SLOT_US
from simulator.control.decision import Decision, PolicyBase
from simulator.control.loop import run as judged
from simulator.control.view import View
from simulator.fleet import Field, Fleet
from simulator.scenario import Scenario
from tests.worlds.world_runs import OF_CALLS, TOTAL_SUMS, BuildTwin, Int64, even, run, with_conditions


def test_clouds_differ_in_the_same_state(twin: Scenario) -> None:
    """With equal conditions and one grid, any two clouds of a metro differ in money, time and carbon, for every app that calls."""
    scenario = even(twin)
    tables = scenario.tables
    has_calls = np.diff(scenario.calls.first_call) > 0
    for metro in range(len(tables.metros)):
        by_cloud = []
        for cloud in range(len(tables.clouds)):
            zone = int(np.flatnonzero(tables.region_of_placement == tables.region_at[cloud, metro])[0])
            by_cloud.append(run(scenario, np.full(len(has_calls), zone), is_coupled=False).out.sum(axis=1)[has_calls])
        for one, other in ((0, 1), (0, 2), (1, 2)):
            for field in (Field.COST_NANOUSD, Field.LATENCY_US, Field.CARBON_NG):
                assert (by_cloud[one][:, field] != by_cloud[other][:, field]).all(), (tables.metros[metro], field)


def test_every_action_changes_the_world(twin: Scenario) -> None:
    """A move to any other zone, a floor, another memory: each changes the outcome of each app that calls afterwards."""
    scenario, step = twin, 4_000
    last = np.zeros(len(scenario.apps.app_ids), dtype=np.int64)
    np.maximum.at(last, scenario.calls.group_app, scenario.calls.group_step)
    calls_later = last > step + 10
    assert calls_later.sum() > 80

    def played(act: Callable[[Fleet], None]) -> Int64:
        fleet = Fleet(scenario, scenario.apps.home, luck_seed=5, is_coupled=False)
        fleet.advance(step)
        act(fleet)
        fleet.finish()
        return fleet.out.sum(axis=1)[calls_later]

    home, tables = scenario.apps.home, scenario.tables
    base = played(lambda _: None)
    zones = len(tables.zones)
    for shift in (1, 5, 23, 24, 48):
        wanted = (home + shift) % zones
        moved = played(lambda fleet, wanted=wanted: fleet.move(wanted))
        assert (moved[:, TOTAL_SUMS] != base[:, TOTAL_SUMS]).any(axis=1).all(), shift
    floored = played(lambda fleet: fleet.set_floors(np.ones_like(fleet.state.floor)))
    assert (floored[:, Field.FLOOR_NANOUSD] > 0).all()
    assert (floored[:, TOTAL_SUMS] != base[:, TOTAL_SUMS]).any(axis=1).mean() > 0.95  # a timer that is always warm only pays for it
    assert (floored[:, Field.COLD_STARTS] < base[:, Field.COLD_STARTS]).mean() > 0.8
    same, double = scenario.apps.memory_mb, scenario.apps.memory_mb * 2
    scale = np.full(len(home), 1_000)
    np.testing.assert_array_equal(played(lambda fleet: fleet.set_memory(same, scale)), base)
    assert (played(lambda fleet: fleet.set_memory(double, scale))[:, Field.ENERGY_UJ] > base[:, Field.ENERGY_UJ]).all()
    slower = played(lambda fleet: fleet.set_memory(same, scale * 2))
    assert (slower[:, Field.BUSY_US] >= base[:, Field.BUSY_US]).all()
    assert (slower[:, Field.BUSY_US] > base[:, Field.BUSY_US]).mean() > 0.9


class Watcher(PolicyBase):
    """A policy that moves by all it sees, and remembers it."""

    name, period_steps = "watcher", 50

    def __init__(self) -> None:
        self.seen: list[View] = []

    def decide(self, view: View) -> Decision:
        self.seen.append(view)
        score = view.free * 1_000_003 + view.utilisation_now_ppm * 7 + view.slowdown_permille * 13
        score = score + view.grid_mg_per_kwh.sum() + view.recent.sum()
        best = np.argsort(score % 1_009, kind="stable")
        leaves = (view.recent[:, Field.LATENCY_US] + np.arange(len(view.placement)) + view.step) % 3 == 0
        return Decision(placement=np.where(leaves, best[np.arange(len(leaves)) % len(best)], view.placement))


def test_the_future_is_not_seen(build_twin: BuildTwin, twin: Scenario) -> None:
    """Without the calls after hour 40 and with other conditions from hour 41 on, observations to hour 40 and sums of its calls stay."""
    hour = 40
    end_us = hour * HOUR_US
    short, seen = build_twin(until_us=end_us), twin.conditions
    slots, hours = (hour + 1) * HOUR_US // SLOT_US, hour + 1
    changed: dict[str, NDArray[np.int64]] = {}
    for name, known in (("utilisation_ppm", slots), ("capacity", slots), ("slowdown_permille", slots), ("carbon_mg_per_kwh", hours)):
        changed[name] = getattr(seen, name).copy()
        changed[name][:, known:] = changed[name][:, known:] // 2 + 17
    short = with_conditions(short, **changed)
    watchers = (Watcher(), Watcher())
    long_run, short_run = (judged(s, w, 9, "all") for s, w in zip((twin, short), watchers, strict=True))
    barriers = [w.seen for w in watchers]
    past = [[o for o in seen if o.step * twin.world.step_us <= end_us] for seen in barriers]
    assert len(past[0]) == end_us // twin.world.step_us // 50 + 1
    for one, other in zip(*past, strict=True):
        # Counts of instances by function are left out: the shorter trace has fewer functions.
        for field in ("placement", "utilisation_ppm", "is_out", "slowdown_permille", "free", "carbon_mg_per_kwh", "recent", "peak"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field), err_msg=f"{field} at {one.step}")
    np.testing.assert_array_equal(long_run.out[:, :hour][:, :, OF_CALLS], short_run.out[:, :hour][:, :, OF_CALLS])
    assert long_run.out[:, :hour, Field.MOVES].sum() > 1_000
    assert (long_run.out[:, hour:] != short_run.out[:, hour:]).any()
