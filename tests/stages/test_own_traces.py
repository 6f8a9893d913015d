"""Profile own: what lies in the inbox, in any dialect, becomes worlds; everything else is answered with what to do. Not here: importing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core.errors import GateError, ParameterError, RawDataError, TrineError
from tasks.core.files import read_json
from tasks.core.params import Params
from tasks.core.paths import Paths
from tasks.core.records import read_record
from tasks.data import features, ingest, scan, validate
from tasks.data.dialects import parse
from tasks.data.features_record import FeaturesSummary
from tasks.data.import_table import import_tables
from tasks.data.ingest_outputs import ingest_report, staged_folder
from tasks.data.ingest_record import IngestReport
from tasks.data.scan_outputs import manifest_file
from tasks.data.twin_files import write_twin
from tasks.data.whose import PUBLISHED_NAME
from tasks.world import scenario
from tasks.world.scenario_outputs import scenario_folder
from tasks.world.scenario_record import ScenarioList
from tasks.world.scenario_span import ends_of
from tests.unit.tasks.data.test_import_table import RENAMED, UNIX_MS
from tests.worlds import own_traces
from tests.worlds.folders import contents

NAME = "AzureFunctionsInvocationTrace.csv"
SMALL = {"traces__google2019__days": 2, "scenario__families": {"calm": {}}, "scenario__training": {"seeds": [], "families": []}}


def put(paths: Paths, name: str, data: bytes) -> Path:
    target = paths.inbox("azure2021") / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return target


def staged(params: Params, paths: Paths, *sources: str) -> IngestReport:
    """Scan, ingest and validate; what was found of azure2021."""
    for source in ("azure2021", *sources):
        scan.run(params, paths, source)
        ingest.run(params, paths, source)
        validate.run(params, paths, source)
    found = read_record(ingest_report(paths, "azure2021"), IngestReport)
    assert found.rows_in == found.rows_staged + found.rows_rejected
    return found


def said(params: Params, paths: Paths, source: str = "azure2021") -> TrineError:
    with pytest.raises((RawDataError, ParameterError)) as caught:
        scan.run(params, paths, source)
    return caught.value


def test_two_days_in_three_dialects_are_staged_as_equal_bytes_and_reach_worlds_labelled_own(tmp_path: Path) -> None:
    """Canonical files as they are; the others after the one command that the refusal names."""
    made = {}
    for name, data, columns in (
        ("canonical", own_traces.canonical(), ""),
        ("ms", own_traces.unix_ms(), UNIX_MS),
        ("renamed", own_traces.renamed(), RENAMED),
    ):
        params, paths = own_traces.own_tree(tmp_path / name, **SMALL)
        file = put(paths, "calls.csv" if name == "renamed" else NAME, data)
        if columns:
            assert f"--map {columns}" in str(said(params, paths)).replace("'", "")
            import_tables([file], parse(columns), paths.inbox("azure2021"))
        scan.run(params, paths, "azure2021")
        ingest.run(params, paths, "azure2021")
        found = read_record(ingest_report(paths, "azure2021"), IngestReport)
        assert (found.origin, found.rows_staged, found.days and (found.days.first, found.days.until)) == ("own", 400, (1, 3))
        made[name] = contents(staged_folder(paths, "azure2021"), "*.parquet")
    assert made["canonical"] == made["ms"] == made["renamed"]
    params, paths = own_traces.own_tree(tmp_path / "canonical", **SMALL)
    staged(params, paths, "google2019")
    features.run(params, paths)
    summary = read_record(paths.root / "data" / "features" / "features.json", FeaturesSummary)
    assert (summary.origin, summary.span_steps, summary.split_steps) == ("own", 11_520, (8_000, 9_800, 11_500))
    scenario.run(params, paths)
    [world] = read_record(scenario_folder(paths) / "scenarios.json", ScenarioList).scenarios
    assert (world.origin, world.calls, world.steps, world.split_steps) == ("own", 400, 11_520, (8_000, 9_800, 11_500))


@pytest.mark.parametrize("end", [".txt", ".txt.gz", ".csv", ".csv.gz"])
def test_the_published_name_is_read_and_a_part_of_it_is_not_called_the_public_trace(tmp_path: Path, end: str) -> None:
    params, paths = own_traces.own_tree(tmp_path)
    name = f"{PUBLISHED_NAME}{end}"
    put(paths, name, own_traces.compressed(own_traces.canonical()) if name.endswith(".gz") else own_traces.canonical())
    assert scan.run(params, paths, "azure2021").startswith("1 files, 400 rows")
    assert read_json(manifest_file(paths, "azure2021"))["origin"] == "own"


def test_every_ignored_file_gets_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params, paths = own_traces.own_tree(tmp_path)
    put(paths, NAME, own_traces.canonical())
    for name in ("notes.txt", "more.zip", ".DS_Store", "deep/machine.log"):
        put(paths, name, b"x\n")
    put(paths, "other.csv", own_traces.renamed())
    (paths.inbox("azure2021").parent / "stray.csv").write_bytes(own_traces.unix_ms())
    scan.run(params, paths, "azure2021")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    found = {line.split(": ")[0].removeprefix("ignored data/inbox/"): line for line in lines}
    assert found["azure2021/notes.txt"].endswith(
        "no file of this source by its name; names are like AzureFunctionsInvocationTrace*.{csv,txt}[.gz]"
    )
    assert "no file of this source" in found["azure2021/deep/machine.log"]
    assert "unpack it" in found["azure2021/more.zip"]
    assert "hidden" in found["azure2021/.DS_Store"]
    assert "run: trine import table data/inbox/azure2021/other.csv --map" in found["azure2021/other.csv"]
    assert f"run: trine import table data/inbox/stray.csv --map {UNIX_MS} --out data/inbox/azure2021" in found["stray.csv"]


def test_an_imported_table_beside_its_files_does_not_count_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params, paths = own_traces.own_tree(tmp_path)
    file = put(paths, NAME, own_traces.unix_ms())
    assert "another dialect" in said(params, paths).what
    import_tables([file], parse(UNIX_MS), paths.inbox("azure2021"))
    assert scan.run(params, paths, "azure2021").startswith("2 files, 400 rows")
    assert f"ignored data/inbox/azure2021/{NAME}: imported already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "unit"),
    [
        (own_traces.canonical().replace(b",8", b",176757").replace(b",1", b",1767"), "s"),
        (own_traces.unix_ms(), "ms"),
        (b"app,func,end_timestamp,duration\nshop,pay,10.5,0.5\n", "s"),
        (own_traces.renamed(), "iso"),
    ],
    ids=["unix seconds", "unix milliseconds", "readable ids", "renamed columns"],
)
def test_another_dialect_is_answered_with_the_exact_command(tmp_path: Path, data: bytes, unit: str) -> None:
    params, paths = own_traces.own_tree(tmp_path)
    put(paths, NAME, data)
    found = said(params, paths)
    assert found.how.startswith(f"run: trine import table data/inbox/azure2021/{NAME} --map ")
    assert f":{unit},duration=" in found.how
    assert not manifest_file(paths, "azure2021").exists()


def test_generated_files_are_recognised_in_the_inbox_under_any_name(tmp_path: Path) -> None:
    params, paths = own_traces.own_tree(tmp_path, traces__google2019__from="inbox or twin")
    [day, *_] = write_twin("azure2021", tmp_path / "made", 3, 2, 9, 0.1)
    put(paths, NAME, day.read_bytes())
    scan.run(params, paths, "azure2021")
    assert read_json(manifest_file(paths, "azure2021"))["origin"] == "twin"
    cells = write_twin("google2019", tmp_path / "cells", 3, 2, 9, 1.0)
    paths.inbox("google2019").mkdir()
    cells[0].rename(paths.inbox("google2019") / cells[0].name)
    scan.run(params, paths, "google2019")
    found = read_json(manifest_file(paths, "google2019"))
    assert (found["from"], found["origin"]) == ("inbox", "twin")


def test_a_source_that_may_be_off_follows_the_inbox(tmp_path: Path) -> None:
    params, paths = own_traces.own_tree(tmp_path)
    assert scan.run(params, paths, "azure2019") == "off"
    paths.inbox("azure2019").mkdir()
    (paths.inbox("azure2019") / "notes.txt").write_text("x", encoding="utf-8")
    assert scan.run(params, paths, "azure2019") == "off"
    paths.inbox("azure2021").rmdir()
    assert "does not exist" in said(params, paths).what


def test_a_name_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    params, paths = own_traces.own_tree(tmp_path)
    put(paths, NAME, own_traces.canonical())
    odd = os.fsencode(paths.inbox("azure2021")) + b"/caf\xe9.txt"
    Path(os.fsdecode(odd)).write_bytes(b"x")
    scan.run(params, paths, "azure2021")
    assert read_json(manifest_file(paths, "azure2021"))["ignored"] == ["caf\\xe9.txt"]
    Path(os.fsdecode(odd)).rename(os.fsdecode(os.fsencode(paths.inbox("azure2021")) + b"/AzureFunctionsInvocationTrace\xe9.csv"))
    found = said(params, paths)
    assert found.what == "a name is not UTF-8"
    assert "Trace\\xe9.csv" in found.where


@pytest.mark.parametrize(
    ("last_call_s", "until"), [(2 * 86_400 - 60, 2), (86_400 + 3_600, 1), (86_400 - 60, 1), (3_600, 1)],
    ids=["whole days", "a day that has just begun", "one whole day", "part of a day"],
)  # fmt: skip
def test_latest_is_the_last_complete_day(tmp_path: Path, last_call_s: int, until: int) -> None:
    params, paths = own_traces.own_tree(tmp_path)
    ids = f"{'a' * 64},{'b' * 64}"
    rows = [f"{ids},{second + 0.5},0.5" for second in range(60, last_call_s + 1, 1_800)] + [f"{ids},{last_call_s}.5,0.5", f"{ids},9e9,0.5"]
    put(paths, NAME, ("\n".join(["app,func,end_timestamp,duration", *rows]) + "\n").encode())
    scan.run(params, paths, "azure2021")
    assert read_json(manifest_file(paths, "azure2021"))["days"] == {"first": 0, "until": until}
    assert "days" not in read_json(manifest_file(paths, "azure2021")) or params.until_day is None
    numbered = params.changed({"as_of_day": 2})
    scan.run(numbered, paths, "azure2021")
    assert "days" not in read_json(manifest_file(paths, "azure2021"))


def test_spans_without_calls_are_refused_with_the_days_found_and_what_to_set(tmp_path: Path) -> None:
    params, paths = own_traces.own_tree(tmp_path, **SMALL)
    put(paths, NAME, own_traces.canonical())
    staged(params, paths, "google2019")
    given = params.changed({"as_of_day": 14, "scenario.days": 14, "scenario.split_steps": [56_000, 68_000, 80_000]})
    with pytest.raises(RawDataError) as caught:
        scenario.run(given, paths)
    assert caught.value.what == "the valid span of the world calm-1 has no call (days 9.72 to 11.81); calls were found on day 1, 2"
    assert "set as_of_day to 3" in caught.value.how
    with pytest.raises(RawDataError, match="no call lies in the window") as caught:
        features.run(params.changed({"as_of_day": 40}), paths)
    assert caught.value.how == "days with calls: 1, 2; set as_of_day to 3 (or latest) and window_days to at most 2"
    with pytest.raises(RawDataError, match="no call lies in the train span"):
        features.run(params.changed({"as_of_day": 2, "window_days": 2, "features.split": [0.2, 0.4, 0.4]}), paths)
    with pytest.raises(GateError):
        features.run(params.changed({"features.source": "azure2019"}), paths)
    assert list(tmp_path.glob("data/.*")) == []


def test_ends_leave_room_for_the_last_calls() -> None:
    shares = (0.7, 0.15, 0.15)
    assert ends_of(80_640, shares) == (56_000, 68_000, 80_000)
    assert ends_of(11_520, shares) == (8_000, 9_800, 11_500)
    assert ends_of(144_000, shares)[2] == 143_000
    assert ends_of(5_760, shares) == (4_000, 4_800, 5_700)


def test_a_page_of_own_traces_says_own(tmp_path: Path) -> None:
    from tests.worlds.page_inputs import build, eda_inputs, write_inputs

    answers = eda_inputs()
    for answer in answers.values():
        if isinstance(answer, dict) and answer.get("origin") == "twin" and answer.get("source") == "azure2021":
            answer["origin"] = "own"
    paths = write_inputs(tmp_path, eda=answers)
    report = read_json(ingest_report(paths, "azure2021"))
    ingest_report(paths, "azure2021").write_text(json.dumps(report | {"from": "own"}), encoding="utf-8")
    verdict = paths.reports / "validation" / "azure2021.json"
    from tasks.data.verdict import write_verdict

    write_verdict(paths, "azure2021", "own", list(read_json(verdict)["results"]))
    text = build(tmp_path).read_text(encoding="utf-8")
    body = text[text.index("<body>") :]
    assert '<div class="origin"><span class="tag own">own</span><span>your own traces' in body
    assert "day 0 (Sun)" in body
    assert "31 Jan" not in body
