"""`trine simulate`: one trace at given placements, its summary, and what is wrong with an input. Not here: the world itself."""

from __future__ import annotations

import csv
import functools
import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.cli import app
from simulator.twin import fleets as twin_scenario
from simulator.twin.google2019 import generate_google2019

KEYS = [
    *("calls", "served", "rejected", "cold_starts", "misses", "cost_nanousd", "egress_nanousd", "carbon_ng"),
    *("latency_us_sum", "excess_us_sum", "moves"),
]
generated_once = functools.cache(generate_google2019)  # most of the time of a run
TRACE = "app,func,end_timestamp,duration\n" + "".join(f"{'ab'[k % 2]},f{k % 3},{60 * k + 10}.5,{k % 4}.25\n" for k in range(200))
PLACED = "app_id,provider,metro,zone\na,aws,iad,0\nb,gcp,fra,1\n"


@pytest.fixture(autouse=True)
def in_the_repository(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.setattr(twin_scenario, "generate_google2019", generated_once)


def simulated(folder: Path, trace: str | bytes, placements: str | bytes, *more: str) -> Result:
    folder.mkdir(exist_ok=True)
    for name, content in (("trace.csv", trace), ("placements.csv", placements)):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    files = ["--trace", str(folder / "trace.csv"), "--placements", str(folder / "placements.csv"), "--out", str(folder / "out")]
    return CliRunner().invoke(app, ["simulate", *files, *more])


def summary(folder: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((folder / "out" / "summary.json").read_text(encoding="utf-8"))
    return found


def test_the_summary_is_complete_and_equal_twice(tmp_path: Path) -> None:
    result = simulated(tmp_path / "one", TRACE, PLACED)
    assert result.exit_code == 0, result.output
    found = summary(tmp_path / "one")
    assert set(KEYS) <= set(found)
    assert all(type(value) is int for value in found.values())
    assert found["calls"] == 200 == found["served"] + found["rejected"]
    assert f"200 calls, {found['served']} served" in result.output
    assert found["moves"] == 0
    assert 0 < found["cold_starts"] <= found["served"]
    own_us = sum(k % 4 * 1_000_000 + 250_000 for k in range(200))
    assert found["latency_us_sum"] >= own_us
    assert found["excess_us_sum"] >= found["latency_us_sum"] - own_us
    assert min(found["cost_nanousd"], found["egress_nanousd"], found["carbon_ng"]) > 0
    assert simulated(tmp_path / "two", TRACE, PLACED).exit_code == 0
    assert (tmp_path / "one" / "out" / "summary.json").read_bytes() == (tmp_path / "two" / "out" / "summary.json").read_bytes()


def test_order_of_rows_and_names_of_zones_change_nothing(tmp_path: Path) -> None:
    head, *rows = TRACE.splitlines(keepends=True)
    assert simulated(tmp_path / "one", TRACE, PLACED).exit_code == 0
    named = "zone,metro,app_id,provider\n1,fra,b,gcp\naws:us-east-1a,iad,a,aws\n"
    assert simulated(tmp_path / "two", head + "".join(reversed(rows)), named).exit_code == 0
    assert summary(tmp_path / "one") == summary(tmp_path / "two")


def test_placements_and_the_seed_change_the_outcome(tmp_path: Path) -> None:
    other = PLACED.replace("a,aws,iad,0", "a,azure,syd,2")
    cases = {"one": (PLACED, "1"), "two": (other, "1"), "three": (PLACED, "2")}
    for name, (placements, seed) in cases.items():
        assert simulated(tmp_path / name, TRACE, placements, "--seed", seed).exit_code == 0
    one, two, three = (summary(tmp_path / name) for name in cases)
    assert one["calls"] == two["calls"] == three["calls"]
    assert len({(s["cost_nanousd"], s["egress_nanousd"], s["carbon_ng"]) for s in (one, two, three)}) == 3


def test_apps_that_are_left_out_stay_at_home_and_are_counted(tmp_path: Path) -> None:
    for name, lines in (("none", 1), ("one", 2), ("both", 3)):
        assert simulated(tmp_path / name, TRACE, "".join(PLACED.splitlines(keepends=True)[:lines])).exit_code == 0
    assert [summary(tmp_path / name)["apps_at_home"] for name in ("none", "one", "both")] == [2, 1, 0]


FAULTS: dict[str, tuple[str | bytes, str | bytes, str]] = {
    "trace lacks a column": (TRACE.replace("func,", "fn,", 1), PLACED, "column func is missing"),
    "placements lack a column": (TRACE, PLACED.replace("metro", "city"), "column metro is missing"),
    "unknown app": (TRACE, PLACED + "c,aws,iad,0\n", "app 'c' has no call in the trace"),
    "unnamed app": (TRACE, PLACED + ",aws,iad,0\n", "line 4"),
    "app twice": (TRACE, PLACED + "a,gcp,fra,1\n", "app 'a' is listed twice"),
    "unknown zone": (TRACE, PLACED.replace("fra,1", "fra,7"), "no placement gcp/fra/7"),
    "zone of another region": (TRACE, PLACED.replace("aws,iad,0", "aws,iad,aws:eu-west-2a"), "no placement aws/iad/aws:eu-west-2a"),
    "unknown metro": (TRACE, PLACED.replace("fra", "muc"), "no placement gcp/muc/1"),
    "unknown provider": (TRACE, PLACED.replace("gcp", "ibm"), "no placement ibm/fra/1"),
    "empty trace": ("", PLACED, "not readable as CSV"),
    "trace without calls": ("app,func,end_timestamp,duration\n", PLACED, "it has no call"),
    "empty placements": (TRACE, "", "not readable as CSV"),
    "negative duration": (TRACE + "a,f0,99,-1\n", PLACED, "negative or not finite"),
    "endless duration": (TRACE + "a,f0,99,inf\n", PLACED, "negative or not finite"),
    "no number": (TRACE + "a,f0,soon,1\n", PLACED, "not readable as CSV"),
    "missing time": (TRACE + "a,f0,,1\n", PLACED, "a time is missing"),
    "missing app": (TRACE + ",f0,99,1\n", PLACED, "is missing"),
    "before the trace": (TRACE + "a,f0,5,9\n", PLACED, "a call starts before the trace"),
    "seconds since 1970": (TRACE + "a,f0,1612137600,9\n", PLACED, "after 366 days"),
    "beyond all times": (TRACE + "a,f0,1e300,9\n", PLACED, "after 366 days"),
    "no CSV": (bytes(range(256)) * 9, PLACED, "not readable as CSV"),
    "placements are no CSV": (TRACE, b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not readable as CSV"),
    "ragged rows": (TRACE + "a,f0,99,1,7,8\n", PLACED, "not readable as CSV"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_input_is_named_without_a_traceback(tmp_path: Path, name: str) -> None:
    trace, placements, words = FAULTS[name]
    result = simulated(tmp_path, trace, placements)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert words in result.output
    assert str(tmp_path) in result.output
    assert "fix:" in result.output
    assert not (tmp_path / "out").exists()


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "trace.csv").write_text(TRACE, encoding="utf-8")
    (tmp_path / "placements.csv").write_text(PLACED, encoding="utf-8")
    good = {"trace": "trace.csv", "placements": "placements.csv", "out": "out"}
    for option, name, words in (
        ("trace", "folder", "no such file"),
        ("trace", "nowhere.csv", "no such file"),
        ("placements", "folder", "no such file"),
        ("placements", "nowhere.csv", "no such file"),
        ("out", "trace.csv", "the path is a file"),
        ("out", "trace.csv/below", "the path is a file"),
    ):
        arguments = [text for key, value in (good | {option: name}).items() for text in (f"--{key}", str(tmp_path / value))]
        result = CliRunner().invoke(app, ["simulate", *arguments])
        assert result.exit_code == 1, (option, name, result.output, result.exception)
        assert isinstance(result.exception, SystemExit)
        assert words in result.output
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "trace.csv").read_text(encoding="utf-8") == TRACE


def test_the_head_of_the_real_trace_runs(tmp_path: Path, sample_dir: Path) -> None:
    real = sample_dir / "azure" / "2021" / "AzureFunctionsInvocationTraceForTwoWeeksJan2021.head998.csv"
    with real.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    apps = sorted({row["app"] for row in rows})
    placements = "app_id,provider,metro,zone\n" + "".join(f"{name},aws,iad,{k % 3}\n" for k, name in enumerate(apps))
    result = simulated(tmp_path, real.read_bytes(), placements)
    assert result.exit_code == 0, result.output
    found = summary(tmp_path)
    assert found["calls"] == len(rows) == found["served"] + found["rejected"]
    assert found["apps_at_home"] == 0
    assert found["served"] > 0.9 * len(rows)
