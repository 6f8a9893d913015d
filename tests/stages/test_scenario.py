"""The stage on a small staged twin: layout, staged calls and twins alike, the gate, equal bytes on any number of threads."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from core.errors import GateError, ParameterError, RawDataError
from core.units import DAY_US
from simulator.parameters import Family, Objective, Slo, World
from simulator.places.tables import load_tables
from simulator.scenario import load_scenario
from simulator.twin.azure2021 import generate_azure2021, published_calls
from simulator.workload import build
from tasks.core.files import read_json, write_json
from tasks.core.params import Params, load
from tasks.core.paths import Paths
from tasks.data.ingest_outputs import ingest_report
from tasks.data.verdict import verdict_file, write_verdict
from tasks.world import scenario
from tasks.world.scenario_outputs import scenario_folder
from tasks.world.scenario_settings import ScenarioSettings
from tasks.world.twin_calls import twin_invocations, with_comparable_apps
from tests.worlds.stage_files import ingest_counts
from tests.worlds.staged_twin import APPS, DAYS, RATE, SPLITS, small, stage
from tests.worlds.stamps import unstamped


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    return small(load(repository / "params.yaml"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, repository: Path, params: Params) -> Paths:
    paths = stage(tmp_path_factory.mktemp("built"), repository, params)
    summary = scenario.run(params, paths)
    assert re.fullmatch(r"\d+ calls of 2 seeds in 4 scenarios, 0 calls after the end left out, 0 training fleets", summary)
    return paths


def copy_of(built: Paths, root: Path) -> Paths:
    shutil.copytree(built.root, root, dirs_exist_ok=True)
    shutil.rmtree(root / "data" / "scenario")
    return Paths(root)


def content(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_params_hold_every_default_of_the_world(repository: Path) -> None:
    found = load(repository / "params.yaml")
    for name, kind in (("world", World), ("slo", Slo), ("objective", Objective)):
        assert found.section(name, kind) == kind()
    text = (repository / "params.yaml").read_text(encoding="utf-8")
    for section in (World, Slo, Objective):
        for name in section.model_fields:
            assert re.search(rf"\b{name}:", text), f"{name} cannot be set: a profile may override only what params.yaml has"


def test_every_parameter_is_of_a_type_that_dvc_can_watch(repository: Path) -> None:
    raw = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(raw)) == raw  # a bare date, for one, is not


def test_the_sample_profile_is_the_small_scenario(repository: Path, tmp_path: Path) -> None:
    text = (repository / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(re.sub(r"(?m)^profile: \w+", "profile: sample", text), encoding="utf-8")
    found = load(tmp_path / "params.yaml").section("scenario", ScenarioSettings)
    assert (found.days, found.rate, found.split_steps, found.calls) == (3, 0.2, (12_000, 14_000, 16_000), "twin")


def test_the_class_of_every_app_is_written_once(built: Paths) -> None:
    found = pl.read_parquet(scenario_folder(built) / "apps.parquet")
    assert found.columns == ["scenario", "app_id", "calls_train", "calls_per_14d", "rate_class"]
    for (name,), part in found.group_by("scenario"):
        one = load_scenario(scenario_folder(built) / str(name))
        assert part["app_id"].to_list() == list(one.apps.app_ids)
        train_us, calls = one.split_steps[0] * one.world.step_us, one.calls
        for a, (count, per_14d, kind) in enumerate(part.select("calls_train", "calls_per_14d", "rate_class").iter_rows()):
            arrivals = calls.arrival_us[calls.first_call[a] : calls.first_call[a + 1]]
            assert count == (arrivals < train_us).sum()
            assert per_14d == pytest.approx(count * 14 * DAY_US / train_us)
            assert kind == ("rare" if per_14d < 100 else "low" if per_14d < 1000 else "mid" if per_14d < 20_160 else "high")
    assert set(found["scenario"]) == {"calm-1", "calm-2", "fenced-1", "fenced-2"}
    assert found["rate_class"].n_unique() > 1


def test_scenarios_and_what_is_said_of_them(built: Paths) -> None:
    names = sorted(p.name for p in scenario_folder(built).iterdir())
    assert names == ["apps.parquet", "calm-1", "calm-2", "fenced-1", "fenced-2", "scenarios.json", "workload-1", "workload-2"]
    rows = read_json(scenario_folder(built) / "scenarios.json")["scenarios"]
    assert [row["id"] for row in rows] == ["calm-1", "fenced-1", "calm-2", "fenced-2"]
    for row in rows:
        found = load_scenario(scenario_folder(built) / row["id"])
        twin = generate_azure2021(row["seed"], DAYS, APPS, RATE)
        assert row["calls"] == len(found.calls.arrival_us) == len(twin.app)
        assert (row["apps"], row["functions"]) == (APPS, len(np.unique(twin.function)))
        assert (found.seed, found.steps, found.split_steps, found.family) == (row["seed"], DAYS * 5760, SPLITS, row["family"])
        assert found.conditions.utilisation_ppm.shape == (72, DAYS * 288)
        assert row["from"] == "twin"


def test_the_staged_twin_is_the_twin_of_the_seed(built: Paths, params: Params, tmp_path: Path) -> None:
    paths = copy_of(built, tmp_path)
    scenario.run(small(params, calls="twin"), paths)
    assert content(scenario_folder(paths)) == content(scenario_folder(built))


def test_the_later_days_of_the_window_are_replayed(built: Paths, params: Params, tmp_path: Path) -> None:
    """The last day of the trace is replayed as it is: its weekday and its calls, with times from its own midnight."""
    paths = copy_of(built, tmp_path)
    later = small(params, days=1, split_steps=(2000, 3000, 4000), seeds=(1,), families={"calm": Family()})
    scenario.run(later.changed({"as_of_day": 4}), paths)
    last, first = load_scenario(scenario_folder(paths) / "calm-1"), load_scenario(scenario_folder(built) / "calm-1")
    assert sorted(last.calls.arrival_us) == sorted(t for t in first.calls.arrival_us if t < DAY_US)
    shape = last.conditions.utilisation_ppm.shape
    assert shape == (72, 288)
    assert (last.conditions.utilisation_ppm != first.conditions.utilisation_ppm[:, :288]).mean() > 0.5  # a Wednesday, not the Sunday


def attributes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Memory, payload, home, data region and whether callers are global, of each app by its name."""
    apps = load_scenario(folder).apps
    columns = (apps.memory_mb, apps.payload, apps.home, apps.data_region, apps.is_global)
    return {name: tuple(int(column[a]) for column in columns) for a, name in enumerate(apps.app_ids)}


def test_the_most_called_apps_use_the_same_memory_and_payload_in_every_seed(built: Paths, params: Params) -> None:
    ranked = []
    for seed in (1, 2):
        found = attributes(scenario_folder(built) / f"calm-{seed}")
        ranked.append([found[name] for name in published_calls(seed, APPS)])
    assert [row[:2] for row in ranked[0]] == [row[:2] for row in ranked[1]]
    assert [row[2:] for row in ranked[0]] != [row[2:] for row in ranked[1]]
    assert len({row[:2] for row in ranked[0]}) > 3


def test_without_steady_apps_every_app_has_a_memory_of_its_own(built: Paths, params: Params) -> None:
    own, tables = twin_invocations(params, 1), load_tables(built.reference, World())
    ranked = published_calls(1, APPS)
    none, steady = (with_comparable_apps(own, ranked, 1, tables, World(), p) for p in (small(params, steady_apps=0), params))
    assert none.memory_mb.tolist() == own.memory_mb.tolist()
    assert steady.memory_mb.tolist() != own.memory_mb.tolist()
    assert none.payload is not None
    assert none.payload.tolist() == [-1] * APPS
    assert none.draw is not None
    assert steady.draw is not None
    assert none.draw.tolist() == steady.draw.tolist()


def test_real_calls_have_attributes_by_name_alone(built: Paths, params: Params, tmp_path: Path) -> None:
    paths = copy_of(built, tmp_path)
    write_json(ingest_report(paths, "azure2021"), ingest_counts("path"))
    write_verdict(paths, "azure2021", "path", [])
    settings = small(params, seeds=(1,), families={"calm": Family()})
    scenario.run(settings, paths)
    found = attributes(scenario_folder(paths) / "calm-1")
    trace = scenario.staged_invocations(settings, paths)
    apps, _, _ = build(1, load_tables(paths.reference, World()), World(), trace, DAYS * DAY_US)
    assert {name: row[2] for name, row in found.items()} == dict(zip(apps.app_ids, apps.home.tolist(), strict=True))
    assert {name: row[0] for name, row in found.items()} == dict(zip(apps.app_ids, apps.memory_mb.tolist(), strict=True))
    assert found != attributes(scenario_folder(built) / "calm-1")


def test_the_next_nights_window_moves_no_app(built: Paths, params: Params, tmp_path: Path) -> None:
    paths = copy_of(built, tmp_path)
    settings = small(params, days=2, split_steps=(8000, 9000, 11_000), seeds=(1,), families={"calm": Family()})
    nights = []
    for night in (2, 3):
        scenario.run(settings.changed({"as_of_day": night}), paths)
        nights.append(attributes(scenario_folder(paths) / "calm-1"))
    assert nights[0] == nights[1] == attributes(scenario_folder(built) / "calm-1")


def test_hourly_carbon_replaces_the_profile(built: Paths, params: Params, tmp_path: Path) -> None:
    paths = copy_of(built, tmp_path)
    tables = load_scenario(scenario_folder(built) / "calm-1").tables
    names = [zones[0] for zones in tables.carbon_zones]
    start = dt.datetime(2023, 1, 29)
    rows = [["datetime_utc", *names]]
    for h in range(24 * DAYS):
        rows.append([str(start + dt.timedelta(hours=h)), *(str(100 * k + h) for k in range(len(names)))])
    (tmp_path / "hourly.csv").write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    scenario.run(small(params, carbon_hourly=("hourly.csv",), families={"calm": Family()}), paths)
    found = load_scenario(scenario_folder(paths) / "calm-1").conditions.carbon_mg_per_kwh
    for r, m in enumerate(tables.metro_of_region):
        assert found[r].tolist() == [1000 * (100 * m + h) for h in range(24 * DAYS)]


def test_the_gate_and_what_is_missing(built: Paths, params: Params, tmp_path: Path, repository: Path) -> None:
    paths = copy_of(built, tmp_path / "gate")
    with pytest.raises(ParameterError, match="no scenario would replay the staged calls"):
        scenario.run(small(params, seeds=(2, 3)), paths)
    with pytest.raises(ParameterError, match="do not rise within"):
        scenario.run(small(params, split_steps=(12_000, 14_000, 80_000)), paths)
    with pytest.raises(RawDataError, match="no call lies"):
        scenario.run(params.changed({"as_of_day": 90}), paths)
    write_json(verdict_file(paths, "google2019"), read_json(verdict_file(paths, "google2019")) | {"success": False})
    with pytest.raises(GateError):
        scenario.run(small(params, calls="twin"), paths)
    assert not scenario_folder(paths).exists()
    without = stage(tmp_path / "without", repository, params, google=False)
    with pytest.raises(RawDataError, match="google2019 has no series"):
        scenario.run(params, without)


@pytest.mark.slow
def test_equal_bytes_on_one_and_four_threads_in_another_folder(built: Paths, tmp_path: Path, repository: Path) -> None:
    paths = copy_of(built, tmp_path)
    raw = yaml.safe_load(paths.params_file.read_text(encoding="utf-8"))
    raw["as_of_day"] = DAYS
    raw["traces"]["azure2021"]["apps"] = APPS
    raw["scenario"] |= {
        "days": DAYS,
        "apps": APPS,
        "rate": RATE,
        "split_steps": list(SPLITS),
        "families": {"calm": {}, "fenced": {"is_fenced": True}},
        "training": {"seeds": [], "families": []},
    }
    paths.params_file.write_text(yaml.safe_dump(raw), encoding="utf-8")
    seen = []
    for threads in ("1", "4"):
        env = os.environ | {"TRINE_THREADS": threads, "PYTHONPATH": str(repository)}
        shutil.copy(repository / "dvc.yaml", tmp_path)
        subprocess.run([sys.executable, "-m", "tasks", "scenario"], cwd=tmp_path, env=env, check=True, capture_output=True)
        seen.append(content(scenario_folder(paths)))
    assert seen[0] == seen[1]
    assert unstamped(scenario_folder(paths)) == unstamped(scenario_folder(built))
