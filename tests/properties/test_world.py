"""What must hold in any world, whatever its numbers: order and place of things mean nothing, actions and only actions change it.

Not here: single rules by hand (tests/unit/test_rules_of_*.py), random worlds on both simulators (test_kernel_is_the_reference.py).
"""

from __future__ import annotations

import csv
import hashlib
import multiprocessing
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from kernel_play import differences, play
from numpy.typing import NDArray
from reference_simulator import simulate
from small_worlds import draw_small_world

from simulator import judge
from simulator.fleet import Field, Fleet
from simulator.kernel import HOUR_US, SLOT_US
from simulator.money import components_usd
from simulator.observation import Observation
from simulator.parameters import World
from simulator.scenario import Scenario, load_scenario, save

Int64 = NDArray[np.int64]
BuildTwin = Callable[..., Scenario]
IDLE = (Field.IDLE_CARBON_NG, Field.ENERGY_UJ, Field.CARBON_NG)  # an idle period ends in the future of its bucket
OF_CALLS = [field for field in Field if field not in IDLE]
TOTAL_SUMS = [field for field in Field if field not in (Field.FLOOR_NANOUSD, Field.MOVE_NANOUSD, Field.MOVES, Field.REJECT_NANOUSD)]


def run(scenario: Scenario, placement: Int64 | None = None, moves: dict[int, Int64] | None = None, **options: object) -> Fleet:
    """A finished run with luck 11; `moves`: wanted placements by step."""
    fleet = Fleet(scenario, scenario.apps.home if placement is None else placement, **({"luck_seed": 11} | options))
    for step, wanted in (moves or {}).items():
        fleet.advance(step)
        fleet.move(wanted)
    fleet.finish()
    return fleet


def with_conditions(scenario: Scenario, **arrays: NDArray[np.int64]) -> Scenario:
    cast = {name: value.astype(getattr(scenario.conditions, name).dtype) for name, value in arrays.items()}
    return replace(scenario, conditions=replace(scenario.conditions, **cast))


def even(scenario: Scenario) -> Scenario:
    """The same conditions everywhere: room for all, no contention, one grid."""
    seen = scenario.conditions
    return with_conditions(
        scenario,
        capacity=np.full_like(seen.capacity, 1_000),
        slowdown_permille=np.full_like(seen.slowdown_permille, 1_000),
        carbon_mg_per_kwh=np.full_like(seen.carbon_mg_per_kwh, 400_000),
    )


def turned(scenario: Scenario, seed: int = 3) -> Int64:
    """Another placement for every app, chosen by the names of zones and apps only."""
    names = sorted(scenario.tables.zones)
    index = {name: p for p, name in enumerate(scenario.tables.zones)}
    pick = [hashlib.sha256(f"{seed} {app}".encode()).digest()[0] % len(names) for app in scenario.apps.app_ids]
    return np.array([index[names[i]] for i in pick])


# The order of things


def shuffle_rows(reference: Path, to: Path, files: tuple[str, ...], seed: int) -> Path:
    shutil.copytree(reference, to)
    for name in files:
        with (to / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
            header, *rows = list(csv.reader(lines))
        order = np.random.default_rng(seed).permutation(len(rows))
        with (to / f"{name}.csv").open("w", encoding="utf-8", newline="") as lines:
            csv.writer(lines, lineterminator="\n").writerows([header, *(rows[i] for i in order)])
    return to


@pytest.mark.parametrize("files", [("clouds",), ("metros",), ("zones",), ("clouds", "metros", "zones", "network", "prices", "energy")])
def test_places_are_names(build_twin: BuildTwin, twin: Scenario, repository: Path, tmp_path: Path, files: tuple[str, ...]) -> None:
    """With the rows of the tables in another order, every app fares the same in every hour, at home and under moves."""
    other = build_twin(folder=shuffle_rows(repository / "data" / "reference", tmp_path / "reference", files, seed=5))
    assert (other.tables.clouds, other.tables.metros, other.tables.zones) != (twin.tables.clouds, twin.tables.metros, twin.tables.zones)
    np.testing.assert_array_equal(run(other).out, run(twin).out)
    moved, there = (run(s, turned(s, 1), {4_000: turned(s, 2), 9_000: turned(s, 3)}) for s in (other, twin))
    assert there.out[:, :, Field.MOVES].sum() > 200
    np.testing.assert_array_equal(moved.out, there.out)
    np.testing.assert_array_equal(moved.bound, there.bound)


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_equal_input_gives_equal_bytes(build_twin: BuildTwin, twin: Scenario, tmp_path: Path) -> None:
    """The trace in another order, another folder, there and back from disk: equal files, equal outcomes."""
    shuffled = build_twin(shuffled=7)
    one, other = save(twin, tmp_path / "a"), save(shuffled, tmp_path / "b" / "deeper")
    assert content(tmp_path / "a") == content(tmp_path / "b" / "deeper")
    again = save(load_scenario(one), tmp_path / "c")
    assert content(tmp_path / "c") == content(tmp_path / "a")
    want = run(twin, turned(twin), has_histogram=True)
    for scenario in (shuffled, load_scenario(other), load_scenario(again)):
        got = run(scenario, turned(scenario), has_histogram=True)
        np.testing.assert_array_equal(got.out, want.out)
        np.testing.assert_array_equal(got.state.histogram, want.state.histogram)


def digest(folder: Path, seed: int) -> str:
    scenario = load_scenario(folder)
    return hashlib.sha256(run(scenario, moves={3_000: turned(scenario, seed)}, luck_seed=seed).out.tobytes()).hexdigest()


def test_company_changes_nothing(twin: Scenario, tmp_path: Path) -> None:
    """Four runs alone, in four threads at once and in four processes at once."""
    folder = save(twin, tmp_path)
    seeds = (1, 2, 3, 4)
    alone = [digest(folder, seed) for seed in seeds]
    assert len(set(alone)) == len(seeds)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(digest, [folder] * 4, seeds)) == alone
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as processes:
        assert list(processes.map(digest, [folder] * 4, seeds)) == alone


@pytest.mark.parametrize("batch", [1, 64])
def test_pieces_are_the_whole(twin: Scenario, batch: int) -> None:
    """One advance, and advances of 1 and 64 steps, with moves and floors in between."""
    floors = np.arange(int(run(twin, end_step=1).static.first_pool[-1])) % 40 == 0

    def orders(fleet: Fleet, step: int) -> None:
        if step == 5_000:
            fleet.move(turned(twin))
        if step in (2_000, 7_000):
            fleet.set_floors(floors * 2 if step == 2_000 else floors)

    fleets = []
    for size in (10_000, batch):
        fleet = Fleet(twin, twin.apps.home, luck_seed=3, bucket_us=twin.world.tactical_us)
        marks = sorted({*range(0, twin.steps, size), 2_000, 5_000, 7_000})
        for step in marks:
            fleet.advance(step)
            orders(fleet, step)
        fleet.finish()
        fleets.append(fleet)
    whole, pieces = fleets
    assert whole.out[:, :, Field.FLOOR_NANOUSD].sum() > 0
    np.testing.assert_array_equal(pieces.out, whole.out)
    np.testing.assert_array_equal(pieces.bound, whole.bound)


def test_fleets_side_by_side_do_not_touch_each_other() -> None:
    """64 small worlds, a few steps of each in turn, give what each gives alone."""
    worlds = [draw_small_world(seed) for seed in range(64)]
    fleets = [Fleet(w.scenario, np.array(w.run["first_placement"]), luck_seed=w.run["luck_seed"]) for w in worlds]
    for step in range(0, max(fleet.end_step for fleet in fleets), 7):
        for fleet in fleets:
            fleet.advance(step)
    for world, fleet in zip(worlds, fleets, strict=True):
        fleet.finish()
        alone = Fleet(world.scenario, np.array(world.run["first_placement"]), luck_seed=world.run["luck_seed"])
        alone.finish()
        np.testing.assert_array_equal(fleet.out, alone.out)


# What changes the world, and what does not


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
    law = np.full(len(home), 1_000)
    np.testing.assert_array_equal(played(lambda fleet: fleet.set_memory(same, law)), base)
    assert (played(lambda fleet: fleet.set_memory(double, law))[:, Field.ENERGY_UJ] > base[:, Field.ENERGY_UJ]).all()
    slower = played(lambda fleet: fleet.set_memory(same, law * 2))
    assert (slower[:, Field.BUSY_US] >= base[:, Field.BUSY_US]).all()
    assert (slower[:, Field.BUSY_US] > base[:, Field.BUSY_US]).mean() > 0.9


@dataclass
class Watcher:
    """A policy that moves by all it sees, and remembers it."""

    seen: list[Observation]
    name: str = "watcher"
    period_steps: int = 50

    def decide(self, seen: Observation) -> Int64:
        self.seen.append(seen)
        score = seen.free * 1_000_003 + seen.utilisation_ppm * 7 + seen.slowdown_permille * 13
        score = score + seen.carbon_mg_per_kwh.sum() + seen.recent.sum()
        best = np.argsort(score % 1_009, kind="stable")
        leaves = (seen.recent[:, Field.LATENCY_US] + np.arange(len(seen.placement)) + seen.step) % 3 == 0
        return np.where(leaves, best[np.arange(len(leaves)) % len(best)], seen.placement)


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
    watchers = (Watcher([]), Watcher([]))
    long_run, short_run = (judge.run(s, w, 9, "all") for s, w in zip((twin, short), watchers, strict=True))
    barriers = [w.seen for w in watchers]
    past = [[o for o in seen if o.step * twin.world.step_us <= end_us] for seen in barriers]
    assert len(past[0]) == end_us // twin.world.step_us // 50 + 1
    for one, other in zip(*past, strict=True):
        for field in ("placement", "utilisation_ppm", "slowdown_permille", "free", "carbon_mg_per_kwh", "recent"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field), err_msg=f"{field} at {one.step}")
    np.testing.assert_array_equal(long_run.out[:, :hour][:, :, OF_CALLS], short_run.out[:, :hour][:, :, OF_CALLS])
    assert long_run.out[:, :hour, Field.MOVES].sum() > 1_000
    assert (long_run.out[:, hour:] != short_run.out[:, hour:]).any()


# Sums


def test_sums_of_apps_are_the_sums_of_the_fleet(twin: Scenario) -> None:
    """Uncoupled, each app alone (the others' calls taken away) gives its rows of the whole; money of sums is the sum of money."""
    whole = run(twin, turned(twin), is_coupled=False)
    calls = twin.calls
    rows = np.zeros_like(whole.out)
    for a in np.flatnonzero(np.diff(calls.first_call) > 0)[::4].tolist():
        mine = calls.group_app == a
        groups = {name: getattr(calls, name)[mine] for name in ("group_step", "group_app", "group_first", "group_calls")}
        rows[a] = run(replace(twin, calls=replace(calls, **groups)), turned(twin), is_coupled=False).out[a]
        np.testing.assert_array_equal(rows[a], whole.out[a])
    by_app = components_usd(whole.out, twin.objective)
    of_sums = components_usd(whole.out.sum(axis=(0, 1)), twin.objective)
    for name, usd in by_app.items():
        assert usd.sum() == pytest.approx(float(of_sums[name]), rel=1e-9), name


def test_buckets_are_sums_of_smaller_ones(twin: Scenario) -> None:
    moves = {5_000: turned(twin)}
    hours, days = (run(twin, moves=moves, bucket_us=width).out for width in (HOUR_US, 24 * HOUR_US))
    np.testing.assert_array_equal(hours.reshape(len(hours), 3, 24, -1).sum(axis=2), days)


def test_calls_and_their_bytes_are_conserved(twin: Scenario) -> None:
    """Every call is served or rejected in its hour; where all are served, egress and requests are those of all calls, summed one by one."""
    calls, apps, tables = twin.calls, twin.apps, twin.tables
    fleet = run(twin, has_histogram=True)
    app = np.repeat(np.arange(len(apps.app_ids)), np.diff(calls.first_call))
    arrived = np.zeros(fleet.out.shape[:2], dtype=np.int64)
    np.add.at(arrived, (app, calls.arrival_us // HOUR_US), 1)
    np.testing.assert_array_equal(fleet.out[:, :, Field.CALLS], arrived)
    np.testing.assert_array_equal(fleet.out[:, :, Field.SERVED] + fleet.out[:, :, Field.REJECTED], arrived)
    np.testing.assert_array_equal(fleet.state.histogram.sum(axis=2), fleet.out[:, :, Field.SERVED])
    total = fleet.out.sum(axis=1)
    region = tables.region_of_placement[apps.home][app]
    inbound = calls.bytes_in.astype(np.int64) * tables.egress_nanousd_per_mb[apps.data_region[app], region]
    outbound = calls.bytes_out.astype(np.int64) * tables.internet_nanousd_per_mb[region]
    egress = np.bincount(app, weights=(inbound + outbound) // 1_000_000, minlength=len(total)).astype(np.int64)
    rtt = np.bincount(app, weights=tables.rtt_us[calls.origin, region], minlength=len(total)).astype(np.int64)
    all_served = (total[:, Field.REJECTED] == 0) & (total[:, Field.CALLS] > 0)
    assert all_served.sum() > 50
    np.testing.assert_array_equal(total[all_served, Field.EGRESS_NANOUSD], egress[all_served])
    network = total[:, Field.LATENCY_US] - total[:, Field.WAIT_US] - total[:, Field.BUSY_US]
    np.testing.assert_array_equal(network[all_served], rtt[all_served])


def test_records_of_groups_add_up(twin: Scenario) -> None:
    """What is recorded of each group of calls sums to the hours of the apps, and recording changes nothing."""
    fleet = run(twin, has_record=True)
    np.testing.assert_array_equal(fleet.out, run(twin).out)
    groups, sums = twin.calls, np.zeros((*fleet.out.shape[:2], 3), dtype=np.int64)
    np.add.at(sums, (groups.group_app, groups.group_step.astype(np.int64) * twin.world.step_us // HOUR_US), fleet.recorded)
    np.testing.assert_array_equal(sums, fleet.out[:, :, [Field.WAITED, Field.WAIT_US, Field.BUSY_US]])
    waited, wait_us, busy_us = fleet.recorded.T
    assert waited.sum() > 100
    assert ((waited > 0) == (wait_us > 0)).all()
    assert (waited <= groups.group_calls).all()
    assert (busy_us >= 0).all()


def test_capacity_is_kept(build_twin: BuildTwin) -> None:
    """In a tight world the instances of a placement never grow past its capacity; an app's move takes none of it at once."""
    tight = build_twin(family="crunch")
    fleet = Fleet(tight, tight.apps.home, luck_seed=2)
    fleet.advance(1)
    is_full = 0
    for step in range(1, 6_000):
        before, capacity = fleet.state.alive.copy(), tight.conditions.capacity[:, (step - 1) * tight.world.step_us // SLOT_US]
        fleet.advance(step + 1)
        now = tight.conditions.capacity[:, step * tight.world.step_us // SLOT_US]
        assert (fleet.state.alive >= 0).all()
        assert (fleet.state.alive <= np.maximum(before, np.maximum(now, capacity))).all(), step
        is_full += int((fleet.state.alive >= now).any())
    assert is_full > 50


# Luck


def test_an_empty_pool_meets_the_same_luck_anywhere(twin: Scenario) -> None:
    """The first call of an app starts cold: equally long in all zones of a cloud, at the same quantile of the law on every cloud."""
    first = twin.calls.first_call[:-1][np.diff(twin.calls.first_call) > 0]
    owner = np.flatnonzero(np.diff(twin.calls.first_call) > 0)
    groups = [
        int(np.flatnonzero((twin.calls.group_app == a) & (twin.calls.group_first == i))[0]) for a, i in zip(owner, first, strict=True)
    ]
    chosen = np.sort(groups)
    names = ("group_step", "group_app", "group_first")
    calls = {name: getattr(twin.calls, name)[chosen] for name in names}
    lonely = replace(even(twin), calls=replace(twin.calls, **calls, group_calls=np.ones(len(chosen), dtype=np.int32)))
    tables, package = twin.tables, twin.apps.package[owner]
    fetch = tables.data_rtt_us[twin.apps.data_region[owner]]
    fetch = fetch + twin.calls.bytes_in[first][:, None] * tables.us_per_kib[twin.apps.data_region[owner]] // 1024
    quantile: list[NDArray[np.float64]] = []
    for cloud in range(len(tables.clouds)):
        cold = []
        for place in np.flatnonzero(tables.cloud_of_region[tables.region_of_placement] == cloud)[[0, 4, 11, 23]].tolist():
            busy = run(lonely, np.full(len(twin.apps.app_ids), place), is_coupled=False).out.sum(axis=1)[owner, Field.BUSY_US]
            cold.append(busy - twin.calls.duration_us[first] - fetch[:, tables.region_of_placement[place]])
        for other in cold[1:]:
            np.testing.assert_array_equal(other, cold[0])
        law = tables.cold_start_us[cloud]
        inside = [np.interp(us, law[kind], np.arange(257), left=0, right=256) for us, kind in zip(cold[0], package, strict=True)]
        quantile.append(np.array(inside))
    for other in quantile[1:]:
        in_body = (quantile[0] > 8) & (quantile[0] < 248)  # outside, laws are flat and a value has many quantiles
        assert in_body.sum() > 60
        np.testing.assert_allclose(other[in_body], quantile[0][in_body], atol=0.01)


def test_a_call_that_meets_the_same_state_has_the_same_luck(twin: Scenario) -> None:
    """An app that was elsewhere for hours and one that stayed fare alike from their first call after a long silence on."""
    scenario, home = even(twin), twin.apps.home
    away, back, width = 4_000, 8_000, twin.world.tactical_us
    stayed = run(scenario, is_coupled=False, bucket_us=width, luck_seed=4).out
    left = run(scenario, None, {away: turned(twin), back: home}, is_coupled=False, bucket_us=width, luck_seed=4).out
    compared = 0
    for a in np.flatnonzero(turned(twin) != home).tolist():
        silent = np.flatnonzero(stayed[a, back // 100 + 1 :, Field.CALLS] == 0) + back // 100 + 1
        # A silent interval (25 min) after one in which whatever runs has ended: no instance outlives 16 minutes.
        quiet = [b for b in silent if b + 1 in silent and b + 2 < stayed.shape[1]]
        if quiet:
            later = slice(quiet[0] + 1, None)
            np.testing.assert_array_equal(left[a, later], stayed[a, later])
            compared += int(stayed[a, later, Field.CALLS].sum())
    assert compared > 1_000
    assert (left[:, away // 100 : back // 100] != stayed[:, away // 100 : back // 100]).any()


# Edges


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


GROUPS = ("group_step", "group_app", "group_first", "group_calls")


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
        most = max(most, int(fleet.state.alive.max()))
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
    assert (served[35:] > 0.9 * calls[35:]).all()
    np.testing.assert_array_equal(fleet.out[:, :29][:, :, OF_CALLS], base[:, :29][:, :, OF_CALLS])


def test_small_worlds_with_one_place_or_none() -> None:
    """Kernel and reference agree where capacity is 1 everywhere, and where every zone is out in the middle third."""
    for seed in range(40):
        small = draw_small_world(seed)
        for kind in ("one", "outage"):
            capacity = np.ones_like(small.scenario.conditions.capacity) if kind == "one" else small.scenario.conditions.capacity.copy()
            if kind == "outage":
                third = -(-capacity.shape[1] // 3)
                capacity[:, third : 2 * third] = 0
            world = replace(small, scenario=with_conditions(small.scenario, capacity=capacity))
            assert differences(play(world), simulate(world.scenario, **world.run)) == [], f"small world {seed}, {kind}"
