"""Scenarios: families, fences, the folder: round trip, equal bytes anywhere, what is missing or damaged is named."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ParameterError, ScenarioError
from core.units import DAY_US
from simulator.conditions import CellSeries, profile_carbon
from simulator.parameters import Objective, Slo, World
from simulator.places.rounding import vcpus
from simulator.places.tables import Tables, load_tables
from simulator.scenario import Scenario, build_scenario, load_scenario, save
from simulator.workload import Invocations, build
from tests.worlds.families import FAMILIES

STEPS, SPLITS = 17_280, (12_000, 14_000, 16_000)


@pytest.fixture(scope="module")
def tables(repository: Path) -> Tables:
    return load_tables(repository / "data" / "reference", World())


def make(tables: Tables, family: str = "calm", seed: int = 1, **changes: Any) -> Scenario:
    rng = np.random.default_rng(1)
    app = rng.integers(0, 9, 500)
    trace = Invocations(
        [f"app {k}" for k in range(9)],
        [f"function {k}" for k in range(18)],
        app,
        app * 2 + rng.integers(0, 2, 500),
        rng.integers(0, 3 * DAY_US, 500),
        rng.integers(0, 9_000_000, 500),
        np.full(9, 150),
    )
    apps, calls, _ = build(seed, tables, World(), trace, 3 * DAY_US)
    cells = dict.fromkeys("abcdefgh", CellSeries(1.0 + np.sin(np.arange(29 * 288) / 50.0) / 5.0, -48))
    given = {"steps": STEPS, "split_steps": SPLITS, "world": World(), "slo": Slo(), "objective": Objective()} | changes
    carbon = profile_carbon(tables, 2, 72)
    return build_scenario(
        family, seed, changes=FAMILIES[family], **given, tables=tables, apps=apps, calls=calls, cells=cells, carbon_mg_per_kwh=carbon
    )


def content(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def assert_equal(one: Any, other: Any, where: str = "scenario") -> None:
    """Equal values and types, arrays and nested records included."""
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, where
        np.testing.assert_array_equal(one, other, err_msg=where)
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_equal(getattr(one, field.name), getattr(other, field.name), f"{where}.{field.name}")
    elif isinstance(one, tuple):
        assert isinstance(other, tuple), where
        assert len(one) == len(other), where
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b, where)
    else:
        assert one == other, where


@pytest.mark.parametrize("family", FAMILIES)
def test_a_scenario_comes_back_as_it_was(tmp_path: Path, tables: Tables, family: str) -> None:
    scenario = make(tables, family)
    folder = save(scenario, tmp_path)
    assert folder == tmp_path / f"{family}-1"
    assert_equal(scenario, load_scenario(folder))
    assert np.array_equal(vcpus(load_scenario(str(folder)).tables, 1769), vcpus(scenario.tables, 1769))


def test_families_change_what_they_say_and_nothing_else(tables: Tables) -> None:
    calm, crunch, outage, fenced = (make(tables, family) for family in ("calm", "crunch", "outage", "fenced"))
    assert (calm.world, fenced.world) == (World(), World())
    assert crunch.world == World(quota_per_placement=40)
    assert outage.world.outages.per_zone_year == 26
    assert outage.world.model_copy(update={"outages": World().outages}) == World()
    np.testing.assert_array_equal(calm.conditions.utilisation_ppm, crunch.conditions.utilisation_ppm)
    assert (crunch.conditions.capacity <= calm.conditions.capacity).all()
    is_out = [s.conditions.utilisation_ppm == 1_000_000 for s in (calm, outage)]
    assert is_out[1].sum() > is_out[0].sum()
    neither = ~is_out[0] & ~is_out[1]
    np.testing.assert_array_equal(calm.conditions.utilisation_ppm[neither], outage.conditions.utilisation_ppm[neither])
    assert calm.is_allowed.all()
    metro = tables.metro_of_region[tables.region_of_placement]
    for a, home in enumerate(fenced.apps.home):
        wanted = [tables.continent[m] == tables.continent[metro[home]] for m in metro]
        assert fenced.is_allowed[a].tolist() == wanted
    continents = {tables.continent[metro[home]] for home in fenced.apps.home}
    assert len(continents) > 1


def test_equal_scenarios_are_equal_bytes_and_share_their_workload(tmp_path: Path, tables: Tables) -> None:
    for name in ("one", "two"):
        for family in FAMILIES:
            save(make(tables, family), tmp_path / name)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    names = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert names == ["calm-1", "crunch-1", "fenced-1", "outage-1", "workload-1"]
    save(make(tables), tmp_path / "one")  # again, over what is there
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_a_scenario_can_be_copied_elsewhere(tmp_path: Path, tables: Tables) -> None:
    save(make(tables), tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    shutil.rmtree(tmp_path / "here")
    assert_equal(make(tables), load_scenario(tmp_path / "there" / "calm-1"))


def test_another_workload_of_the_seed_is_not_overwritten(tmp_path: Path, tables: Tables) -> None:
    scenario = make(tables)
    save(scenario, tmp_path)
    slower = dataclasses.replace(scenario.calls, duration_us=scenario.calls.duration_us + 1)
    with pytest.raises(ScenarioError, match="another workload of seed 1"):
        save(dataclasses.replace(scenario, calls=slower), tmp_path)
    assert_equal(scenario, load_scenario(tmp_path / "calm-1"))
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("calm-1/scenario.json", "there is no scenario"),
        ("calm-1/conditions.capacity.npy", "the file is missing"),
        ("workload-1/calls.bytes_in.npy", "the file is missing"),
        ("workload-1/scenario.json", "workload is missing, or another one"),
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, tables: Tables, file: str, message: str) -> None:
    save(make(tables), tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(ScenarioError, match=message) as caught:
        load_scenario(tmp_path / "calm-1")
    assert (tmp_path / file).name in caught.value.where or caught.value.where == str(tmp_path / "calm-1")
    assert "dvc repro" in caught.value.how


@pytest.mark.parametrize("file", ["calm-1/is_allowed.npy", "calm-1/tables.rtt_us.npy", "calm-1/scenario.json", "workload-1/apps.home.npy"])
@pytest.mark.parametrize("fault", ["cut", "empty", "flipped"])
def test_a_damaged_file_is_named(tmp_path: Path, tables: Tables, file: str, fault: str) -> None:
    save(make(tables), tmp_path)
    data = (tmp_path / file).read_bytes()
    flipped = bytes([*data[:-3], data[-3] ^ 0x55, *data[-2:]])
    (tmp_path / file).write_bytes({"cut": data[: len(data) // 2], "empty": b"", "flipped": flipped}[fault])
    with pytest.raises(ScenarioError, match="damaged"):
        load_scenario(tmp_path / "calm-1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 1}, "format 1, this version reads format 4"),
        ({"world": {"step_s": 7}}, "does not divide 300"),
        ({"steps": None}, "steps"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(tmp_path: Path, tables: Tables, change: dict[str, Any], message: str) -> None:
    folder = save(make(tables), tmp_path)
    found = json.loads((folder / "scenario.json").read_text()) | change
    if change.get("steps", 0) is None:
        del found["steps"]
    (folder / "scenario.json").write_text(json.dumps(found))
    with pytest.raises(ScenarioError, match=message):
        load_scenario(folder)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="there is no scenario"):
        load_scenario(tmp_path / "nowhere")


def test_splits_outside_the_steps_are_refused(tables: Tables) -> None:
    for splits in ((0, 10, 20), (10, 10, 20), (10, 20, STEPS + 1)):
        with pytest.raises(ParameterError, match="do not rise within"):
            make(tables, split_steps=splits)
