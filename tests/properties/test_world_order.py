"""Whatever the numbers of a world: the order and place of rows, calls, folders, processes and pieces of a run mean nothing."""

from __future__ import annotations

import hashlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from simulator.fleet import Field, Fleet
from simulator.scenario import Scenario, load_scenario, save
from tests.worlds.changed_tables import shuffle_rows
from tests.worlds.drawn_worlds import draw_small_world
from tests.worlds.world_runs import BuildTwin, run, turned


@pytest.mark.parametrize("files", [("clouds",), ("metros",), ("zones",), ("clouds", "metros", "zones", "network", "prices", "energy")])
def test_places_are_names(build_twin: BuildTwin, twin: Scenario, repository: Path, tmp_path: Path, files: tuple[str, ...]) -> None:
    """With the rows of the tables in another order, every app fares the same in every hour, at home and under moves."""
    other = build_twin(folder=shuffle_rows(repository / "data" / "reference", tmp_path / "reference", 5, files))
    assert (other.tables.clouds, other.tables.metros, other.tables.zones) != (twin.tables.clouds, twin.tables.metros, twin.tables.zones)
    np.testing.assert_array_equal(run(other).out, run(twin).out)
    moved, there = (run(s, turned(s, 1), {4_000: turned(s, 2), 9_000: turned(s, 3)}) for s in (other, twin))
    assert there.out[:, :, Field.MOVES].sum() > 200
    np.testing.assert_array_equal(moved.out, there.out)
    np.testing.assert_array_equal(moved.binding, there.binding)


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


@pytest.mark.slow
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
    floors = (np.arange(int(run(twin, end_step=1).static.first_pool[-1])) % 40 == 0).astype(np.int64)

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
    np.testing.assert_array_equal(pieces.binding, whole.binding)


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
