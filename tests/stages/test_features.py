"""The stage on a small staged source: layout, no leak from the future, equal bytes, the gate."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from core.errors import GateError, RawDataError
from core.units import DAY_US
from tasks.core.files import read_json, write_json
from tasks.core.params import Params, load
from tasks.core.paths import Paths
from tasks.data import features
from tasks.data.features_outputs import features_folder
from tasks.data.ingest_outputs import ingest_report, staged_folder
from tasks.data.region_features import google_positions
from tasks.data.verdict import verdict_file, write_verdict
from tests.worlds.stage_files import ingest_counts
from tests.worlds.stamps import unstamped

DAYS, STEP_US = 2, 15_000_000


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    found = load(repository / "params.yaml")
    return found.changed({"as_of_day": DAYS, "window_days": DAYS})


def some_calls(seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    parts = []
    for app, n in ((11, 40), (12, 900), (13, 4000)):
        arrival = np.sort(rng.integers(0, DAYS * DAY_US, n))
        duration = rng.integers(0, 40_000_000, n) * (rng.random(n) > 0.1)
        parts.append(
            pl.DataFrame({"app_id": app, "function_id": app * 10 + rng.integers(0, 3, n), "arrival_us": arrival, "duration_us": duration})
        )
    return pl.concat(parts).with_columns(memory_mb=pl.lit(128, pl.Int32), trigger=pl.lit("http"))


def stage(root: Path, repository: Path, calls: pl.DataFrame, google: bool = True) -> Paths:
    """Write the calls, and cells of 29 days, as ingest would, with successful verdicts."""
    shutil.copytree(repository / "data" / "reference", root / "data" / "reference")
    shutil.copy(repository / "params.yaml", root)
    paths = Paths(root)
    for day in range(DAYS):
        folder = staged_folder(paths, "azure2021") / f"day={day:02d}"
        folder.mkdir(parents=True)
        part = calls.filter(pl.col("arrival_us") // DAY_US == day)
        part.sort("app_id", "arrival_us", "function_id", "duration_us").write_parquet(folder / "invocations.parquet")
    calls.select("app_id", "function_id").unique().sort("app_id", "function_id").write_parquet(
        staged_folder(paths, "azure2021") / "functions.parquet"
    )
    write_json(ingest_report(paths, "azure2021"), ingest_counts("twin"))
    write_json(ingest_report(paths, "google2019"), ingest_counts("twin" if google else "off"))
    for day in range(29 if google else 0):
        folder = staged_folder(paths, "google2019") / f"day={day:02d}"
        folder.mkdir(parents=True)
        slots = np.arange(day * 288, day * 288 + 288, dtype=np.int32)
        rows = [
            pl.DataFrame({"cell": c, "slot": slots, "cpu_fraction": slots / 1e4 + k, "memory_fraction": slots / 2e4})
            for k, c in enumerate("abcdefgh")
        ]
        pl.concat(rows).write_parquet(folder / "utilisation.parquet")
    for source in ("azure2021", "google2019"):
        write_verdict(paths, source, "twin", [])
    return paths


def everything(paths: Paths) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(features_folder(paths) / f"{n}.parquet") for n in ("train", "valid", "test")]).sort("app_id", "step")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, repository: Path, params: Params) -> Paths:
    paths = stage(tmp_path_factory.mktemp("built"), repository, some_calls())
    features.run(params, paths)
    return paths


def test_split_and_counts(built: Paths) -> None:
    facts = read_json(features_folder(built) / "features.json")
    assert facts["span_steps"] == DAYS * 5760
    assert (facts["unit_steps"], facts["split_steps"]) == (100, [8000, 9800, 11_500])
    ends = [0, *facts["split_steps"]]
    for k, name in enumerate(("train", "valid", "test")):
        part = pl.read_parquet(features_folder(built) / f"{name}.parquet")
        assert part.height == facts["rows"][name] > 0
        assert part["step"].is_between(ends[k], ends[k + 1], closed="left").all()
        assert part.equals(part.sort("app_id", "step"))
    calls = some_calls().filter(pl.col("arrival_us") < ends[3] * STEP_US)
    assert everything(built)["calls"].sum() == calls.height


def test_column_types_are_the_contract(built: Paths) -> None:
    schema = pl.read_parquet_schema(features_folder(built) / "train.parquet")
    integers = {"app_id", "busy_us", "duration_p50_us", "duration_p95_us", "since_last_call_us"}
    assert {k for k, v in schema.items() if v == pl.Int64} == integers
    assert schema["calls_max_5min"] == schema["calls_lag_1w"] == schema["concurrency_max_60min"] == schema["step"] == pl.Int32
    assert schema["concurrency_lag_15s"] == schema["calls_mean_1min"] == schema["week_cos"] == pl.Float64
    assert len(schema) == 12 + 12 + 8 + 4


def test_windows_divide_by_the_steps_that_exist(built: Paths) -> None:
    rows = everything(built).filter(pl.col("app_id") == 13)
    dense = np.zeros(DAYS * 5760)
    dense[rows["step"].to_numpy()] = rows["calls"].to_numpy()
    wanted = [dense[max(0, s - 239) : s + 1].mean() for s in rows["step"]]
    np.testing.assert_allclose(rows["calls_mean_60min"].to_numpy(), wanted, rtol=1e-12)
    assert rows["calls_lag_1d"].to_list() == [int(dense[s - 5760]) if s >= 5760 else 0 for s in rows["step"]]


@pytest.mark.parametrize("cut", [3000, 8500])
def test_the_future_does_not_move_features_of_the_past(built: Paths, params: Params, cut: int) -> None:
    calls, at = some_calls(), cut * STEP_US
    span = DAYS * 5760
    altered = calls.with_columns(
        arrival_us=pl.when(pl.col("arrival_us") >= at).then(DAYS * DAY_US - 1 - (pl.col("arrival_us") - at) // 3).otherwise("arrival_us"),
        duration_us=pl.when(pl.col("arrival_us") + pl.col("duration_us") > at)
        .then(pl.max_horizontal(at - pl.col("arrival_us"), 0) + 77_000_000)
        .otherwise("duration_us"),
    )
    tables = [features.feature_table(c.sort("app_id", "arrival_us"), params, span) for c in (calls, altered)]
    before = [t.filter(pl.col("step") < cut) for t in tables]
    assert before[0].equals(before[1])
    assert before[0].height > 0
    assert not tables[0].equals(tables[1])


def test_the_scaler_sees_train_only(tmp_path: Path, built: Paths, repository: Path, params: Params) -> None:
    end = read_json(features_folder(built) / "features.json")["split_steps"][0] * STEP_US
    # every call that starts or still runs after the train span is gone or becomes absurd
    altered = some_calls().with_columns(duration_us=pl.when(pl.col("arrival_us") >= end).then(3_600_000_000).otherwise("duration_us"))
    paths = stage(tmp_path, repository, altered)
    features.run(params, paths)
    for name in ("scaler.json", "train.parquet", "apps.parquet"):
        assert (features_folder(paths) / name).read_bytes() == (features_folder(built) / name).read_bytes()
    assert (features_folder(paths) / "test.parquet").read_bytes() != (features_folder(built) / "test.parquet").read_bytes()
    scaler = read_json(features_folder(built) / "scaler.json")["features"]
    train = pl.read_parquet(features_folder(built) / "train.parquet")["busy_us"].to_numpy()
    low, middle, high = np.percentile(train, [25, 50, 75])
    assert scaler["busy_us"] == {"center": pytest.approx(middle), "scale": pytest.approx(high - low)}


def test_rate_classes_are_counted_on_train_and_scaled(built: Paths) -> None:
    end = read_json(features_folder(built) / "features.json")["split_steps"][0]
    apps = pl.read_parquet(features_folder(built) / "apps.parquet")
    counts = some_calls().filter(pl.col("arrival_us") < end * STEP_US).group_by("app_id").len().sort("app_id")["len"]
    assert apps["calls_train"].to_list() == counts.to_list()
    np.testing.assert_allclose(apps["calls_per_14d"].to_numpy(), counts.to_numpy() * 80_640 / end, rtol=1e-12)
    bounds = [(100, "rare"), (1000, "low"), (20_160, "mid"), (float("inf"), "high")]
    assert apps["rate_class"].to_list() == [next(n for b, n in bounds if rate < b) for rate in apps["calls_per_14d"]]


def test_regions_follow_the_calendar(built: Paths) -> None:
    regions = pl.read_parquet(features_folder(built) / "regions.parquet")
    assert regions.height == 24 * DAYS * 288
    one = regions.filter(pl.col("region") == "us-east-1")
    assert one["cell"].unique().to_list() == ["a"]
    np.testing.assert_allclose(one["cpu_fraction"].to_numpy(), (1068 + np.arange(DAYS * 288)) / 1e4)
    assert one["cpu_slope"][1:].to_numpy() == pytest.approx(1e-4)
    assert one["carbon_rank_24h"].is_between(1 / 24, 1.0).all()
    assert one["carbon_g_per_kwh"].n_unique() <= 24
    cells = regions.select("cloud", "metro", "cell").unique()
    assert cells.height == 24
    assert all(cells.filter(pl.col("cloud") == c)["cell"].n_unique() == 8 for c in ("aws", "azure", "gcp"))


def test_google_days_repeat_after_whole_weeks() -> None:
    slots, week = np.arange(29 * 288), 7 * 288
    found = google_positions(slots, np.arange(60 * 288))
    assert found[0] == 1068
    assert set((found - 1068 - np.arange(60 * 288)) % week) == {0}
    assert found.max() < 28 * 288


def test_without_google_there_are_no_regions(tmp_path: Path, repository: Path, params: Params) -> None:
    paths = stage(tmp_path, repository, some_calls().head(40), google=False)
    features.run(params, paths)
    assert pl.read_parquet(features_folder(paths) / "regions.parquet").height == 0
    assert read_json(features_folder(paths) / "features.json")["regions"] == 0


def test_the_gate_and_an_empty_window(tmp_path: Path, built: Paths, repository: Path, params: Params) -> None:
    paths = stage(tmp_path, repository, some_calls())
    with pytest.raises(RawDataError, match="no call lies in the window"):
        features.run(params.changed({"as_of_day": 9}), paths)
    verdict = json.loads(verdict_file(paths, "azure2021").read_text()) | {"success": False}
    write_json(verdict_file(paths, "azure2021"), verdict)
    with pytest.raises(GateError):
        features.run(params, paths)


@pytest.mark.slow
def test_equal_bytes_on_one_and_four_threads_in_another_folder(tmp_path: Path, built: Paths, repository: Path) -> None:
    paths = stage(tmp_path, repository, some_calls())
    raw = yaml.safe_load(paths.params_file.read_text(encoding="utf-8"))
    raw |= {"as_of_day": DAYS, "window_days": DAYS}
    paths.params_file.write_text(yaml.safe_dump(raw), encoding="utf-8")
    seen = []
    for threads in ("1", "4"):
        env = os.environ | {"TRINE_THREADS": threads, "POLARS_MAX_THREADS": threads, "PYTHONPATH": str(repository)}
        shutil.copy(repository / "dvc.yaml", tmp_path)
        subprocess.run([sys.executable, "-m", "tasks", "features"], cwd=tmp_path, env=env, check=True, capture_output=True)
        seen.append({p.name: p.read_bytes() for p in sorted(features_folder(paths).iterdir())})
    assert seen[0] == seen[1]
    assert unstamped(features_folder(paths)) == unstamped(features_folder(built))


@pytest.mark.parametrize("group_calls", [1, 1000, 10_000])
def test_how_apps_are_grouped_moves_no_byte(
    tmp_path: Path, built: Paths, params: Params, monkeypatch: pytest.MonkeyPatch, group_calls: int
) -> None:
    monkeypatch.setattr(features, "GROUP_CALLS", group_calls)
    features.write_tables(params, built, tmp_path)
    for name in ("train", "valid", "test", "apps"):
        assert (tmp_path / f"{name}.parquet").read_bytes() == (features_folder(built) / f"{name}.parquet").read_bytes()
    assert len(list(tmp_path.iterdir())) == 4


def test_a_day_without_a_call_is_an_empty_window(tmp_path: Path, repository: Path, params: Params) -> None:
    paths = stage(tmp_path, repository, some_calls())
    for day in range(DAYS):
        file = staged_folder(paths, "azure2021") / f"day={day:02d}" / "invocations.parquet"
        pl.read_parquet(file).clear().write_parquet(file)
    tables = tmp_path / "tables"
    tables.mkdir()
    with pytest.raises(RawDataError, match="no call lies in the window"):
        features.write_tables(params, paths, tables)


def test_groups_hold_whole_apps_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "GROUP_CALLS", 10)
    apps, calls = np.arange(1, 8), np.array([4, 6, 1, 30, 3, 3, 5])
    assert features._groups(apps, calls) == [(1, 2), (3, 3), (4, 4), (5, 6), (7, 7)]


def test_a_table_read_app_by_app_equals_one_of_all_calls_at_once(built: Paths, params: Params) -> None:
    whole = features.feature_table(some_calls().sort("app_id", "arrival_us"), params, DAYS * 5760)
    end = read_json(features_folder(built) / "features.json")["split_steps"][2]
    assert everything(built).equals(whole.filter(pl.col("step") < end))


def test_only_the_days_of_the_window_are_read_in_order_of_the_day(tmp_path: Path, params: Params) -> None:
    paths = Paths(tmp_path)
    for day in (3, 9, 10, 99, 100, 101):
        folder = staged_folder(paths, "azure2021") / f"day={day:02d}"
        folder.mkdir(parents=True)
        (folder / "invocations.parquet").touch()
    window = params.changed({"as_of_day": 101, "window_days": 92})
    files, days = features._files_of_window(window, paths)
    assert [f.parent.name for f in files] == ["day=09", "day=10", "day=99", "day=100"]
    assert days == [3, 9, 10, 99, 100, 101]


def test_the_clock_is_that_of_the_trace_in_a_later_window(params: Params) -> None:
    calls = pl.DataFrame({"app_id": [1], "function_id": [0], "arrival_us": [0], "duration_us": [0]})
    later = features.feature_table(calls, params.changed({"as_of_day": 3 + DAYS}), 10)
    assert later["week_sin"].to_list() == pytest.approx([np.sin(2 * np.pi * 3 / 7)])
    assert later["time_cos"].to_list() == [1.0]
