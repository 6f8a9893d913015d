"""The real slices of all four sources give the totals that were counted by other means. Not here: faults of azure2021 (test_ingest.py)."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from core.errors import RawDataError
from tasks.core import params as params_module
from tasks.core.files import read_json
from tasks.core.paths import Paths
from tasks.data import ingest, scan, validate
from tasks.data.ingest_outputs import ingest_report, staged_folder
from tasks.data.ingest_settings import IngestSettings
from tasks.data.sources import azure2019, google2011
from tasks.data.verdict import verdict_file

Staged = tuple[dict[str, Any], Paths]
FOLDERS = {"azure2019": "azure/2019", "google2011": "google/original/2011"}
COUNTS = "invocations_per_function_md.s500_min480-959.csv"
DURATIONS = "function_durations_percentiles.s500_min480-959.csv"
JOBS = "job_events/part-00003-of-00500.csv.gz"


def tree(root: Path, repository: Path, source: str, origin: str | None = None) -> tuple[params_module.Params, Paths]:
    """A working tree with the profile `sample`; `origin` replaces where `source` comes from."""
    text = (repository / "params.yaml").read_text(encoding="utf-8")
    lines = ["profile: sample" if line.startswith("profile:") else line for line in text.splitlines()]
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shutil.copytree(repository / "expectations", root / "expectations")
    (root / "data").mkdir()
    (root / "data" / "reference").symlink_to(repository / "data" / "reference")
    params, paths = params_module.load(root / "params.yaml"), Paths(root)
    if origin:
        params = params.changed({f"traces.{source}.from": origin})
    return params, paths


def stage(params: params_module.Params, paths: Paths, source: str) -> dict[str, Any]:
    scan.run(params, paths, source)
    ingest.run(params, paths, source)
    found: dict[str, Any] = read_json(ingest_report(paths, source))
    assert found["rows_in"] == found["rows_staged"] + found["rows_rejected"]
    return found


def query(text: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        return con.execute(text).fetchall()


def hashes(paths: Paths, source: str) -> dict[str, str]:
    staged = staged_folder(paths, source)
    return {str(f.relative_to(staged)): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(staged.rglob("*")) if f.is_file()}


@pytest.fixture
def real(tmp_path: Path, repository: Path, sample_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Staged]:
    """Stage the real slice of a source; returns (ingest.json, paths)."""
    monkeypatch.setenv("TRINE_SAMPLE_DIR", str(sample_dir))

    def run(source: str) -> Staged:
        params, paths = tree(tmp_path / source, repository, source)
        return stage(params, paths, source), paths

    return run


@pytest.fixture
def inbox(tmp_path: Path, repository: Path, sample_dir: Path) -> Callable[..., tuple[params_module.Params, Paths, Path]]:
    """Copy some files of a real slice into an inbox; returns (params, paths, inbox)."""

    def run(source: str, *names: str) -> tuple[params_module.Params, Paths, Path]:
        params, paths = tree(tmp_path / "w", repository, source, "inbox")
        for name in names:
            target = paths.inbox(source) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(sample_dir / FOLDERS[source] / name, target)
        return params, paths, paths.inbox(source)

    return run


def test_azure2021(real: Callable[[str], Staged]) -> None:
    found, _ = real("azure2021")
    expected = {"rows_in": 998, "rows_staged": 998, "apps": 21, "functions": 49, "duration_us_sum": 24_782_782_000}
    expected |= {"zero_durations": 43, "arrival_us_min": 1_491, "arrival_us_max": 6_464_802_797}
    assert {key: found[key] for key in expected} == expected


def test_google2019(real: Callable[[str], Staged]) -> None:
    cells = real("google2019")[0]["cells"]
    assert {cell: values["slots"] for cell, values in cells.items()} == dict.fromkeys("abcdefgh", 8_352)
    assert {cell: round(cells[cell]["cpu_lag1"], 4) for cell in "ach"} == {"a": 0.9476, "c": 0.8994, "h": 0.9937}


def test_azure2019(real: Callable[[str], Staged]) -> None:
    found, paths = real("azure2019")
    expected = {"functions": 500, "apps": 476, "minutes": 480, "invocations": 3_037_902, "nonzero_cells": 58_121, "rows_rejected": 0}
    assert {key: found[key] for key in expected} == expected
    assert found["busiest_minute"] == {"day": 0, "minute": 722, "calls": 7_603}
    assert found["quietest_minute"] == {"day": 0, "minute": 502, "calls": 3_013}
    day = staged_folder(paths, "azure2019") / "day=00"
    by_minute = (
        "select app_id, function_id, arrival_us // 60000000 + 1 as minute, count(*) as calls "
        f"from '{day / 'invocations.parquet'}' group by all"
    )
    lost = f"select count(*) from (select app_id, function_id, minute, calls from '{day / 'minute_counts.parquet'}' except {by_minute})"
    assert query(lost) == [(0,)]
    assert query(f"select count(*) from '{day / 'invocations.parquet'}'") == [(3_037_902,)]


def test_google2011_with_its_verdict(real: Callable[[str], Staged]) -> None:
    found, paths = real("google2011")
    expected = {"machine_events": 37_780, "job_events": 140_101, "task_usage": 120, "rows_in": 178_001, "rows_rejected": 0}
    assert {key: found[key] for key in expected} == expected
    staged = staged_folder(paths, "google2011")
    machines = query(f"select count(*) - count(cpus), count(*) - count(memory) from '{staged}/day=*/machine_events.parquet'")
    assert machines == [(32, 32)]
    validate.run(params_module.load(paths.params_file), paths, "google2011")
    verdict = read_json(verdict_file(paths, "google2011"))
    assert verdict["success"] is True
    assert all(result["success"] for result in verdict["results"])


def test_durations_follow_the_percentiles_and_draws_stay_when_others_come(repository: Path) -> None:
    params = params_module.load(repository / "params.yaml")
    knots = np.array([[1.0, 2, 10, 20, 40, 100, 200], [5.0] * 7])
    names = ("position", "app_id", "function_id", "minute", "calls")
    both = dict(zip(names, np.array([[0, 7, 70, 3, 20_000], [1, 8, 80, 1440, 5]]).T, strict=True))
    alone = {name: values[1:] for name, values in both.items()}
    position, arrival, duration = next(azure2019.draw_calls(both, knots, 2, params))
    start = 2 * azure2019.DAY_US + 2 * azure2019.MINUTE_US
    first = position == 0
    assert arrival[first].min() >= start
    assert arrival[first].max() < start + azure2019.MINUTE_US
    assert np.quantile(duration[first], [0.25, 0.5, 0.75]) == pytest.approx([10_000, 20_000, 40_000], rel=0.05)
    assert duration[first].min() >= 1_000
    assert duration[first].max() <= 200_000
    assert duration[~first].tolist() == [5_000] * 5
    assert next(azure2019.draw_calls(alone, knots, 2, params))[1].tolist() == arrival[~first].tolist()


def small_counts(inbox: Path, rows: int = 40) -> Path:
    """Keep the last rows of the file of counts (quick functions), with its header."""
    file = inbox / COUNTS
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([lines[0], *lines[-rows:]]) + "\n", encoding="utf-8")
    return file


def test_azure2019_rejects_rows_with_their_reasons(inbox: Callable[..., Any]) -> None:
    params, paths, folder = inbox("azure2019", COUNTS, DURATIONS)
    file = small_counts(folder)
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].rsplit(",", 1)[0]
    lines[2] = lines[2].rsplit(",", 1)[0] + ",1_000"
    lines[3] = lines[3].replace(lines[3].split(",")[1], "xyz")
    file.write_bytes(("\n".join(lines) + "\n").encode() + b"\xff\n")
    durations = folder / DURATIONS
    text = durations.read_text(encoding="utf-8").splitlines()
    text[1] = text[1].rsplit(",", 1)[0] + ",0"
    text[2] = text[2].rsplit(",", 1)[0] + ",99999999999"
    durations.write_text("\n".join(text) + "\n", encoding="utf-8")
    found = stage(params, paths, "azure2019")
    reasons = {"wrong_column_count": 1, "bad_count": 1, "bad_id": 1, "percentiles_not_ascending": 1, "duration_too_long": 1}
    reasons["not_utf8"] = 1
    assert found["rejects_by_reason"] == dict(sorted(reasons.items()))
    assert (found["rows_in"], found["functions"]) == (541, 37)
    calls = staged_folder(paths, "azure2019") / "day=00" / "invocations.parquet"
    [(memory, most)] = query(f"select min(memory_mb), max(duration_us) from '{calls}'")
    assert memory >= 30  # no memory table: sampled as for 2021
    assert most <= params.section("ingest", IngestSettings).max_duration_s * 1_000_000


def test_azure2019_a_later_day_leaves_the_first_on_any_threads(inbox: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    params, paths, folder = inbox("azure2019", COUNTS)
    file = small_counts(folder)
    monkeypatch.setenv("TRINE_THREADS", "1")
    stage(params, paths, "azure2019")
    first = {name: h for name, h in hashes(paths, "azure2019").items() if name.startswith("day=00")}
    lines = file.read_text(encoding="utf-8").splitlines()
    (folder / COUNTS.replace("_md.", "_md.anon.d02.")).write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    found = stage(params, paths, "azure2019")
    grown = hashes(paths, "azure2019")
    assert {name: h for name, h in grown.items() if name.startswith("day=00")} == first
    assert (found["functions"], found["minutes"] > 480) == (40, True)
    shutil.rmtree(staged_folder(paths, "azure2019"))
    monkeypatch.setenv("TRINE_THREADS", "4")
    stage(params, paths, "azure2019")
    assert hashes(paths, "azure2019") == grown


@pytest.mark.parametrize("header", ["1,2,4", "0,1,2", "1440,1441", "1,2,x", "2,1"])
def test_azure2019_minutes_are_one_run(header: str) -> None:
    assert azure2019.minutes_complaint([*azure2019.COUNT_KEYS, *header.split(",")])
    assert azure2019.minutes_complaint([*azure2019.COUNT_KEYS, "480", "481"]) is None


def test_google2011_sentinels_faults_and_empty_fields(inbox: Callable[..., Any]) -> None:
    params, paths, folder = inbox("google2011", JOBS)
    with gzip.open(folder / JOBS, "rt", encoding="utf-8") as handle:
        good = handle.read().splitlines()[:20]
    after = str(google2011.AFTER_TRACE_US)
    odd = ["0,,1,0,,,,", f"{after},,1,0,u=,0,,", "5,,1_0,0,u=,0,,", "-5,,1,0,u=,0,,", "5,,,0,u=,0,,", "5,,1,0", f"{10**15},,1,0,u=,0,,"]
    with gzip.open(folder / JOBS, "wt", encoding="utf-8") as handle:
        handle.write("\n".join([*good, *odd]) + "\n")
    found = stage(params, paths, "google2011")
    assert found["rejects_by_reason"] == {"bad_number": 2, "missing_value": 1, "time_out_of_range": 1, "wrong_column_count": 1}
    assert (found["job_events"], found["machine_events"]) == (22, 0)
    late = staged_folder(paths, "google2011") / "day=9999" / "job_events.parquet"
    assert query(f"select time_us, job_id from '{late}'") == [(google2011.AFTER_TRACE_US, 1)]


def test_google2011_a_cut_gzip_stops_with_the_files_name(inbox: Callable[..., Any]) -> None:
    params, paths, folder = inbox("google2011", JOBS)
    data = (folder / JOBS).read_bytes()
    (folder / JOBS).write_bytes(data[: len(data) // 2])
    with pytest.raises(RawDataError, match="part-00003"):
        scan.run(params, paths, "google2011")
