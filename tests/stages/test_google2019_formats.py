"""Usage rows of google2019 in all their formats: sums known by hand, equal results, every row staged or rejected, clear errors."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clouds.errors import RawDataError
from tasks import ingest, scan, validate
from tasks import params as params_module
from tasks.cleaning import clean, split_record
from tasks.database import connect
from tasks.eda_cells import correlation
from tasks.files import read_json
from tasks.paths import Paths
from tasks.sources import google2019, google2019_usage
from tasks.sources.base import RawFile

ROOT = Path(__file__).resolve().parents[2]
S = 1_000_000
T0 = 600 * S  # trace time of slot 0
# (start in s after slot 0, end, alloc, cpus, memory)
Row = tuple[float, float, int, float, float]
ROWS: list[Row] = [
    (0, 300, 0, 0.5, 0.25),  # all of slot 0
    (150, 450, 0, 0.2, 0.5),  # half in slot 0, half in slot 1
    (300, 360, 0, 1.0, 2.0),  # a fifth of slot 1
    (300, 600, 330587160469, 0.75, 0.75),  # runs inside an alloc: contained in that alloc's own row
    (86_100, 86_700, 0, 0.125, 0.0),  # the last slot of day 0 and the first of day 1
]
EXPECTED = {0: (0.6, 0.5), 1: (0.3, 0.65), 287: (0.125, 0.0), 288: (0.125, 0.0)}
KAGGLE_HEADER = ",start_time,end_time,alloc_collection_id,average_usage,cpu_usage_distribution,cluster,failed"


def us(seconds: float) -> int:
    return T0 + round(seconds * S)


def as_json(rows: list[Row], **more: object) -> bytes:
    lines = []
    for start, end, alloc, cpus, memory in rows:
        row = {"start_time": str(us(start)), "end_time": str(us(end)), "alloc_collection_id": str(alloc)}
        lines.append(json.dumps(row | {"average_usage": {"cpus": cpus, "memory": memory}, "tail": [0.5, 1]} | more))
    return ("\n".join(lines) + "\n").encode()


def as_csv(rows: list[Row], names: tuple[str, str] = ("average_usage.cpus", "average_usage.memory")) -> bytes:
    lines = [f"machine_id,{names[0]},start_time,end_time,{names[1]},alloc_collection_id"]
    lines += [f"7,{cpus!r},{us(start)},{us(end)},{memory!r},{alloc or ''}" for start, end, alloc, cpus, memory in rows]
    return ("\n".join(lines) + "\n").encode()


def as_kaggle(rows: list[Row], cluster: str = "1", end: str = "\r\n") -> bytes:
    lines = [KAGGLE_HEADER]
    for i, (start, stop, alloc, cpus, memory) in enumerate(rows):
        use = f"\"{{'cpus': {cpus!r}, 'memory': {memory!r}}}\""
        lines.append(f'{i},{us(start):.6E},{us(stop)},{alloc},{use},"[0. 0.1\n 0.2, ""x""]",{cluster},0')
    return (end.join(lines) + end).encode()


def as_parquet(rows: list[Row], nested: bool = True, **more: list[Any]) -> bytes:
    start, end, alloc, cpus, memory = (list(column) for column in zip(*rows, strict=True))
    table: dict[str, Any] = {"start_time": [us(s) for s in start], "end_time": [us(s) for s in end], "alloc_collection_id": alloc}
    if nested:
        table["average_usage"] = [{"cpus": c, "memory": m} for c, m in zip(cpus, memory, strict=True)]
    else:
        table |= {"average_usage_cpus": cpus, "average_usage_memory": memory}
    out = io.BytesIO()
    pq.write_table(pa.table(table | more), out)
    return out.getvalue()


FORMS: dict[str, tuple[str, Callable[[list[Row]], bytes]]] = {
    "JSON": ("cell_a/instance_usage-000000000000.json", as_json),
    "JSON lines, gzip": ("clusterdata_2019_a/instance_usage-000000000000.jsonl.gz", lambda rows: gzip.compress(as_json(rows))),
    "JSON with a cell, CRLF, BOM": ("instance_usage.json", lambda r: b"\xef\xbb\xbf" + as_json(r, cell="a").replace(b"\n", b"\r\n")),
    "CSV": ("instance_usage_a.csv", as_csv),
    "CSV, underscores, gzip": (
        "x/instance_usage_a-1.csv.gz",
        lambda r: gzip.compress(as_csv(r, ("average_usage_cpus", "average_usage_memory"))),
    ),
    "Kaggle": ("borg_traces_data.csv", as_kaggle),
    "Kaggle, LF": ("borg_traces_data.csv", lambda rows: as_kaggle(rows, "a", "\n")),
    "Parquet": ("instance_usage_a000.parquet", as_parquet),
    "Parquet, flat, with clusters": (
        "instance_usage.parquet",
        lambda rows: as_parquet(rows, nested=False, cluster=pa.array([1] * len(rows), pa.int8())),
    ),
}


def tree(root: Path, files: dict[str, bytes]) -> tuple[params_module.Params, Paths]:
    """A working tree whose inbox of google2019 holds `files`."""
    params = params_module.load(ROOT / "params.yaml")
    params = params.model_copy(update={"traces": params.traces | {"google2019": params_module.Trace.model_validate({"from": "inbox"})}})
    paths = Paths(root)
    for name, data in files.items():
        target = paths.inbox("google2019") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return params, paths


def go(root: Path, files: dict[str, bytes]) -> tuple[dict[str, Any], Paths]:
    params, paths = tree(root, files)
    scan.run(params, paths, "google2019")
    ingest.run(params, paths, "google2019")
    return report(paths), paths


def report(paths: Paths) -> dict[str, Any]:
    found: dict[str, Any] = read_json(paths.ingest_report("google2019"))
    assert found["rows_in"] == found["rows_staged"] + found["rows_rejected"]
    assert found["rows_rejected"] == sum(found["rejects_by_reason"].values())
    return found


def used(paths: Paths) -> dict[tuple[str, int], tuple[float, float]]:
    """(cell, slot) to (NCU, NMU)."""
    pattern = f"{paths.staged('google2019')}/day=*/utilisation.parquet"
    with duckdb.connect() as con:
        rows = con.execute(f"select cell, slot, cpu_used, memory_used from read_parquet('{pattern}')").fetchall()
    return {(cell, slot): (cpu, memory) for cell, slot, cpu, memory in rows}


def days(paths: Paths) -> dict[str, bytes]:
    staged = paths.staged("google2019")
    return {str(f.relative_to(staged)): f.read_bytes() for f in sorted(staged.glob("day=*/*.parquet"))}


@pytest.mark.parametrize("form", FORMS)
def test_windows_are_summed_by_the_time_they_share_with_a_slot(tmp_path: Path, form: str) -> None:
    name, write = FORMS[form]
    found, paths = go(tmp_path, {name: write(ROWS)})
    assert used(paths) == {("a", slot): use for slot, use in EXPECTED.items()}
    assert (found["rows_in"], found["rows_rejected"], found["utilisation"]) == (5, 0, 4)
    assert (found["usage_rows_summed"], found["usage_rows_inside_allocs"]) == (4, 1)
    assert found["cells"] == {"a": {"slots": 4, "cpu_lag1": found["cells"]["a"]["cpu_lag1"]}}


@pytest.mark.parametrize("form", [name for name in FORMS if name != "JSON"])
def test_every_format_of_the_same_rows_gives_the_same_bytes(tmp_path: Path, form: str) -> None:
    rows = [(7.5 * i, 7.5 * i + 1 + i % 299, 0, (i * 7919 % 4096) / 4096, (i * 104_729 % 1024) / 1024 / 3) for i in range(300)]
    plain = go(tmp_path / "json", {FORMS["JSON"][0]: as_json(rows)})[1]
    other = go(tmp_path / "other", {FORMS[form][0]: FORMS[form][1](rows)})[1]
    assert days(plain) == days(other)


@pytest.mark.parametrize("form", ["JSON", "CSV", "Kaggle", "Parquet"])
def test_a_folder_of_each_format_passes_validation(tmp_path: Path, form: str) -> None:
    rows = [(300 * i, 300 * i + 300, 0, 0.5 + i % 7 / 10, 0.25) for i in range(600)]
    shutil.copytree(ROOT / "expectations", tmp_path / "expectations")
    _, paths = go(tmp_path, {FORMS[form][0]: FORMS[form][1](rows)})
    summary = validate.run(params_module.load(ROOT / "params.yaml"), paths, "google2019")
    assert summary == "17 expectations, 0 not met, success"


def test_bytes_do_not_depend_on_threads_nor_on_how_rows_are_cut_into_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        ((i * 7919) % 170_000, (i * 7919) % 170_000 + 1 + i % 300, 9 * (i % 5 == 0), 1 / (1 + i % 97), 1 / (3 + i % 89))
        for i in range(40_000)
    ]
    found = []
    for threads in ("1", "4"):
        monkeypatch.setenv("TRINE_THREADS", threads)
        whole = go(tmp_path / f"whole{threads}", {"cell_b/instance_usage-0.json": as_json(rows)})[1]
        parts = {f"cell_b/instance_usage-{i}.json": as_json(rows[i::3]) for i in range(3)}
        found += [days(whole), days(go(tmp_path / f"parts{threads}", parts)[1])]
    assert found[0] == found[1] == found[2] == found[3]
    assert len(found[0]) == 4


def test_a_new_file_rebuilds_only_the_days_it_touches(tmp_path: Path) -> None:
    first = {"cell_a/instance_usage-0.json": as_json([(0, 300, 0, 0.5, 0.5), (90_000, 90_300, 0, 0.5, 0.5)])}
    params, paths = tree(tmp_path / "step", first)
    scan.run(params, paths, "google2019")
    ingest.run(params, paths, "google2019")
    second = {"cell_a/instance_usage-1.json": as_json([(0, 300, 0, 0.25, 0.25)])}
    tree(tmp_path / "step", second)
    scan.run(params, paths, "google2019")
    assert "1 of 2 days rebuilt" in ingest.run(params, paths, "google2019")
    assert used(paths) == {("a", 0): (0.75, 0.75), ("a", 300): (0.5, 0.5)}
    assert days(paths) == days(go(tmp_path / "scratch", first | second)[1])


GOOD = {"start_time": str(T0), "end_time": str(T0 + 300 * S), "average_usage": {"cpus": 0.5, "memory": 0.5}}
LATE = str(T0 + 366 * 86_400 * S)
BAD_JSON = {
    "bad_json": ['{"start_time":', "", "null", "[1]", '"x"', '{"a":1}{"a":2}', '{"a":1,}', '{"a":NaN}', '{"a":"\\ud800"}', "{'a':1}", "\t"],
    "missing_value": [
        {"start_time": None},
        {"end_time": ""},
        {"average_usage": None},
        {"average_usage": {"cpus": 0.5}},
        {"average_usage": {"cpus": 0.5, "memory": None}},
        {"average_usage": "x"},
    ],
    "bad_number": [
        {"start_time": "12x"},
        {"start_time": f"{T0}.5"},
        {"start_time": "-600000000"},
        {"alloc_collection_id": "abc"},
        {"average_usage": {"cpus": "1_0", "memory": 1}},
        {"average_usage": {"cpus": True, "memory": 1}},
        {"average_usage": {"cpus": [1], "memory": 1}},
    ],
    "not_finite": [{"average_usage": {"cpus": "nan", "memory": 1}}, {"average_usage": {"cpus": 1, "memory": "-Infinity"}}],
    "negative_usage": [{"average_usage": {"cpus": -0.1, "memory": 1}}, {"average_usage": {"cpus": 0, "memory": -1e-9}}],
    "usage_too_large": [{"average_usage": {"cpus": 1e9, "memory": 1}}],
    "end_not_after_start": [{"end_time": str(T0)}, {"end_time": str(T0 - 1)}],
    "time_out_of_range": [{"start_time": "0"}, {"start_time": str(T0 - 1)}, {"start_time": LATE, "end_time": f"{2**63 - 1}"}],
    "window_too_long": [{"end_time": str(T0 + 3601 * S)}],
    "unknown_cluster": [{"cell": "i"}, {"cluster": 9}, {"cluster": "0"}],
    "other_cell_than_path": [{"cell": "b"}, {"cluster": 2}],
}


def json_line(change: object) -> str:
    return change if isinstance(change, str) else json.dumps(GOOD | change)  # type: ignore[operator]


@pytest.mark.parametrize("accompanied", [False, True], ids=["alone", "beside a broken line"])
@pytest.mark.parametrize(("reason", "line"), [(reason, json_line(c)) for reason, changes in BAD_JSON.items() for c in changes])
def test_rejects_a_bad_json_line_with_its_reason(tmp_path: Path, reason: str, line: str, accompanied: bool) -> None:
    lines = [json_line({}), line, json_line({"alloc_collection_id": 0, "cell": "a"}), *(["broken"] if accompanied else [])]
    found, paths = go(tmp_path, {"cell_a/instance_usage.json": ("\n".join(lines) + "\n").encode()})
    assert found["rejects_by_reason"] == Counter([reason, *(["bad_json"] if accompanied else [])])
    assert used(paths) == {("a", 0): (1.0, 1.0)}
    [rejected] = [r for r in rejects(paths) if r[1] == 2]
    assert rejected == ("cell_a/instance_usage.json", 2, reason, line[:200])


def rejects(paths: Paths) -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        return con.execute(f"select * from '{paths.staged('google2019')}/rejects.parquet'").fetchall()


KAGGLE = f"1,{T0},{T0 + 300 * S},0,\"{{'cpus': 0.5, 'memory': 0.5}}\",\"[1\n 2]\",1,0"
BAD_KAGGLE = {
    "wrong_column_count": [KAGGLE + ",", KAGGLE + ",1", KAGGLE[:-2], "", KAGGLE[:-1] + "a\rb"],
    "bad_quotes": [KAGGLE.replace("2]", '2" ]'), KAGGLE.replace("1,0", '1,"a"b')],
    "missing_value": [KAGGLE.replace("0.5,", "None,"), KAGGLE.replace("'memory'", "'mem'"), KAGGLE.replace(str(T0) + ",", ",", 1)],
    "bad_number": [KAGGLE.replace("0.5,", "0x5,"), KAGGLE.replace(str(T0) + ",", f"{T0} ,", 1), KAGGLE.replace(",0,", ",none,", 1)],
    "not_finite": [KAGGLE.replace("0.5,", "inf,"), KAGGLE.replace(str(T0) + ",", "nan,", 1)],
    "negative_usage": [KAGGLE.replace("0.5,", "-0.5,")],
    "end_not_after_start": [KAGGLE.replace(str(T0 + 300 * S), str(T0))],
    "time_out_of_range": [KAGGLE.replace(str(T0) + ",", "5.99999E+08,", 1)],
    "unknown_cluster": [KAGGLE[:-4] + ",0,0", KAGGLE[:-4] + ",9,0", KAGGLE[:-4] + ",,0", KAGGLE[:-4] + ",A,0"],
    "nul_byte": [KAGGLE.replace("0.5", "0\0.5", 1)],
}


@pytest.mark.parametrize("accompanied", [False, True], ids=["alone", "beside a broken line"])
@pytest.mark.parametrize(("reason", "record"), [(reason, r) for reason, records in BAD_KAGGLE.items() for r in records])
def test_rejects_a_bad_csv_record_with_its_reason(tmp_path: Path, reason: str, record: str, accompanied: bool) -> None:
    lines = [KAGGLE_HEADER, KAGGLE, record, KAGGLE, *(["x,y"] if accompanied else [])]
    found, paths = go(tmp_path, {"borg_traces.csv": ("\n".join(lines) + "\n").encode()})
    assert found["rejects_by_reason"] == Counter([reason, *(["wrong_column_count"] if accompanied else [])])
    assert used(paths) == {("a", 0): (1.0, 1.0)}
    assert rejects(paths)[0][:3] == ("borg_traces.csv", 4, reason)


def test_a_quote_that_is_never_closed_loses_no_row(tmp_path: Path) -> None:
    lines = [KAGGLE_HEADER, KAGGLE, '2,"open', *[KAGGLE] * 5]
    found, _ = go(tmp_path, {"borg_traces.csv": ("\n".join(lines) + "\n").encode()})
    assert found["rows_staged"] >= 1
    assert found["rows_rejected"] >= 1


def test_bad_rows_of_parquet_are_rejected_and_the_rest_kept(tmp_path: Path) -> None:
    nan = float("nan")
    rows = [(0, 300, 0, 0.5, 0.5), (0, 300, 0, nan, 0.5), (0, 300, 0, -1.0, 0.5), (300, 300, 0, 1.0, 1.0), (300, 600, 9, 0.5, 0.5)]
    path, target, work = tmp_path / "instance_usage_a.parquet", tmp_path / "clean.parquet", tmp_path / "work"
    path.write_bytes(as_parquet(rows, collection_id=list(range(5))))
    kind = next(k for k in google2019.KINDS if k.name == "usage_parquet")
    params, lines = params_module.load(ROOT / "params.yaml"), io.StringIO()
    kept, reasons = clean(path, path.name, kind, lambda f: google2019.check_fields(kind.name, f, params), target, lines)
    assert (kept, reasons) == (2, {"not_finite": 1, "negative_usage": 1, "end_not_after_start": 1})
    assert [json.loads(line)["line"] for line in lines.getvalue().splitlines()] == [2, 3, 4]
    file = RawFile(path.name, kind.name, 1, "0" * 64, 5, None, None)
    with connect(Paths(tmp_path)) as con:
        assert google2019.read(con, file, path, work, params) == (5, 3)
        assert google2019.read(con, file, target, work, params) == (2, 0)


def test_a_parquet_column_of_nothing_counts_as_absent(tmp_path: Path) -> None:
    rows = [(0, 300, 0, 0.5, 0.25)] * 2
    nothing = {"alloc_collection_id": pa.nulls(2), "cell": pa.nulls(2)}
    found, paths = go(tmp_path, {"instance_usage_h.parquet": as_parquet(rows, **nothing)})
    assert (found["rows_staged"], found["usage_rows_inside_allocs"]) == (2, 0)
    assert used(paths) == {("h", 0): (1.0, 0.5)}


@pytest.mark.parametrize("form", ["JSON", "CSV"])
def test_a_row_of_megabytes_is_rejected(tmp_path: Path, form: str) -> None:
    name, write = FORMS[form]
    long = b'{"x": "' + b"x" * 3_000_000 + b'"}\n' if form == "JSON" else b"1,1,1,1,1," + b"1" * 3_000_000 + b"\n"
    found, _ = go(tmp_path, {name: write(ROWS) + long})
    assert (found["rows_staged"], found["rejects_by_reason"]) == (5, {"row_too_long": 1})


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("cell_a/instance_usage-000000000000.json.gz", ["a"]),
        ("deep/cell_h/x/instance_usage.csv", ["h"]),
        ("clusterdata_2019_c/instance_usage-0.json", ["c"]),
        ("instance_usage_d.parquet", ["d"]),
        ("instance_usage_e-000.parquet", ["e"]),
        ("instance_usage_f000.parquet", ["f"]),
        ("cell_2019_g/instance_usage.json", ["g"]),
        ("instance_usage_average.csv", []),
        ("instance_usage_i.csv", []),
        ("cellar/instance_usage.csv", []),
        ("excell_a/instance_usage.csv", []),
        ("borg_traces_data.csv", []),
        ("cell_a/instance_usage_b.csv", ["a", "b"]),
    ],
)
def test_the_path_tells_the_cell(name: str, cells: list[str]) -> None:
    assert google2019_usage.cells_of_path(name) == cells


@pytest.mark.parametrize("form", ["JSON", "CSV", "Parquet"])
def test_says_so_when_nothing_tells_the_cell(tmp_path: Path, form: str) -> None:
    name = "instance_usage." + {"JSON": "json", "CSV": "csv", "Parquet": "parquet"}[form]
    with pytest.raises(RawDataError, match="the cell of these usage rows cannot be told") as caught:
        go(tmp_path, {name: FORMS[form][1](ROWS)})
    assert caught.value.where == name
    assert "cell_<a..h>" in caught.value.how


SERIES_HEADER = ",avgcpu,avgmem,time,timestamp,day_of_week,hour_of_day\n"
SERIES = (SERIES_HEADER + "".join(f"{k},{3e11},{15e10},t,s,2,0\n" for k in range(4))).encode()


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"cell_2019_a.csv": SERIES, "cell_a/instance_usage-0.json": as_json(ROWS)}, "cell a has a series and usage rows"),
        ({"cell_2019_b.csv": SERIES, "borg_traces.csv": as_kaggle(ROWS)}, "a series lies beside usage rows of any cell"),
        ({"cell_a/instance_usage_b.json": as_json(ROWS)}, "names the cells a and b"),
    ],
)
def test_refuses_what_would_count_use_twice(tmp_path: Path, files: dict[str, bytes], says: str) -> None:
    with pytest.raises(RawDataError, match=says) as caught:
        go(tmp_path, files)
    assert all(Path(name).name in str(caught.value) for name in files)
    assert caught.value.how


def test_a_series_and_usage_rows_of_another_cell_share_a_folder(tmp_path: Path) -> None:
    found, paths = go(tmp_path, {"cell_2019_b.csv": SERIES, "cell_a/instance_usage-0.json": as_json(ROWS)})
    assert found["rows_in"] == found["rows_staged"] == 9
    assert found["utilisation"] == 8
    assert used(paths) == {("a", slot): use for slot, use in EXPECTED.items()} | {("b", k): (1000.0, 500.0) for k in range(4)}


JSON_GZ = gzip.compress(as_json([(i, i + 300, 0, 0.5, 1 / (i + 1)) for i in range(400)]))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("cell_a/instance_usage.json", b"", "empty"),
        ("cell_a/instance_usage.json", bytes(range(256)) * 40, "JSON object"),
        ("cell_a/instance_usage.json.gz", JSON_GZ[:-30], "gzip.* damaged"),
        ("cell_a/instance_usage.json.gz", JSON_GZ[:60] + b"\x99" * 40 + JSON_GZ[100:], "gzip.* damaged"),
        ("cell_a/instance_usage.json.gz", as_json(ROWS), "gzip.* damaged"),
        ("cell_a/instance_usage.csv", as_csv(ROWS).split(b"\n", 1)[1], "wrong header"),
        ("cell_a/instance_usage.csv", b"start_time,end_time\n1,2\n", "wrong header: no column average_usage"),
        ("cell_a/instance_usage.csv", b"start_time,end_time,average_usage,start_time\n1,2,3,4\n", "stands twice"),
        ("cell_a/instance_usage.csv", bytes(range(256)) * 40, "first line is not"),
        ("cell_a/instance_usage.csv.gz", gzip.compress(as_csv(ROWS))[:-9], "gzip.* damaged"),
        ("cell_a/instance_usage.parquet", as_parquet(ROWS)[:-20], "not readable as Parquet"),
        ("cell_a/instance_usage.parquet", bytes(range(256)) * 40, "not readable as Parquet"),
        ("cell_a/instance_usage.parquet", b"", "empty"),
    ],
)
def test_refuses_a_broken_file_by_name(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    with pytest.raises(RawDataError, match=says) as caught:
        go(tmp_path, {name: data})
    assert name in caught.value.where
    assert caught.value.how


def test_a_parquet_file_damaged_inside_is_named(tmp_path: Path) -> None:
    data = as_parquet([(i, i + 1, 0, 1 / (i + 1), 0.5) for i in range(5000)])
    with pytest.raises(RawDataError, match=r"damaged|unusable") as caught:
        go(tmp_path, {"cell_a/instance_usage.parquet": data[:100] + b"\xff" * 3000 + data[3100:]})
    assert "instance_usage.parquet" in caught.value.where


@pytest.mark.parametrize("extra", [[], ["broken"]], ids=["alone", "beside a broken line"])
@pytest.mark.parametrize("line", ["9,1,1,t,s,2,0,", "9,1,1,t,s,2", "9,1,1,t,s,2,0,x"])
def test_a_series_line_with_a_comma_too_many_or_too_few_is_rejected_by_both_readers(tmp_path: Path, line: str, extra: list[str]) -> None:
    data = SERIES + "".join(f"{text}\n" for text in [line, *extra]).encode()
    found, _ = go(tmp_path, {"cell_2019_c.csv": data})
    assert (found["rows_staged"], found["rejects_by_reason"]) == (4, {"wrong_column_count": 1 + len(extra)})


@pytest.mark.parametrize("text", ['a,"b,""c""\nd",e', "", ",", '"",""', "a\u2028b,c", '"x" ,y', 'a"b', '"open', "a\rb"])
def test_records_are_split_at_commas_outside_quotes(text: str) -> None:
    expected = {
        'a,"b,""c""\nd",e': ["a", 'b,"c"\nd', "e"],
        "": [""],
        ",": ["", ""],
        '"",""': ["", ""],
        'a"b': ['a"b'],
        "a\u2028b,c": ["a\u2028b", "c"],
    }
    assert split_record(text) == expected.get(text)


def test_correlation_of_too_few_or_constant_values_is_none() -> None:
    import numpy as np

    rising, flat = np.array([1.0, 2.0, 4.0]), np.ones(3)
    assert correlation(rising, -rising) == pytest.approx(-1)
    assert correlation(rising, flat) is correlation(flat, rising) is correlation(rising[:2], rising[:2]) is None


def by_hand(file: Path) -> tuple[dict[tuple[str, int], list[float]], Counter[str]]:
    """Sum a Kaggle file without the parsers under test; (cell, slot) to [NCU, NMU], and what became of each row."""
    sums: dict[tuple[str, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
    fates: Counter[str] = Counter()
    with file.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            start, end = round(float(row["start_time"])), round(float(row["end_time"]))
            if end <= start:
                fates["rejected"] += 1
            elif float(row["alloc_collection_id"]):
                fates["inside_alloc"] += 1
            else:
                fates["summed"] += 1
                use = json.loads(row["average_usage"].replace("'", '"'))
                for slot in range((start - T0) // (300 * S), (end - 1 - T0) // (300 * S) + 1):
                    left = T0 + slot * 300 * S
                    share = (min(end, left + 300 * S) - max(start, left)) / (300 * S)
                    cell = "abcdefgh"[int(row["cluster"]) - 1]
                    sums[cell, slot][0] += use["cpus"] * share
                    sums[cell, slot][1] += use["memory"] * share
    return sums, fates


@pytest.mark.parametrize(
    ("name", "fates"),
    [
        ("borg_traces_slice_99.csv", {"summed": 74, "inside_alloc": 25}),
        # its times went through a spreadsheet: windows of a few seconds have no length any more
        ("borg_traces_sample_1500.csv", {"summed": 1041, "inside_alloc": 325, "rejected": 134}),
    ],
)
def test_the_real_kaggle_samples(tmp_path: Path, sample_dir: Path, name: str, fates: dict[str, int]) -> None:
    file = sample_dir / "google" / "original" / "2019" / "kaggle_borg_traces" / name
    found, paths = go(tmp_path, {name: file.read_bytes()})
    expected, counted = by_hand(file)
    assert counted == fates
    assert (found["usage_rows_summed"], found["usage_rows_inside_allocs"]) == (fates["summed"], fates["inside_alloc"])
    assert found["rejects_by_reason"] == ({"end_not_after_start": 134} if "rejected" in fates else {})
    got = used(paths)
    assert set(got) == set(expected)
    for key, values in expected.items():
        assert got[key] == pytest.approx(values, rel=1e-9, abs=1e-10)  # each row is rounded to 1e-12


def test_the_real_row_of_the_json_export(tmp_path: Path, sample_dir: Path) -> None:
    data = (sample_dir / "google" / "original" / "2019" / "instance_usage_one_row.jsonl").read_bytes()
    found, paths = go(tmp_path / "as it is", {"cell_a/instance_usage_one_row.jsonl": data})
    assert (found["rows_staged"], found["usage_rows_inside_allocs"], found["utilisation"], found["cells"]) == (1, 1, 0, {})
    assert list(days(paths)) == ["day=21/usage_rows.parquet"]
    outside = data.replace(b'"alloc_collection_id":"330587160469"', b'"alloc_collection_id":"0"')
    _, paths = go(tmp_path / "outside", {"cell_a/instance_usage_one_row.jsonl": outside})
    [(key, use)] = used(paths).items()
    assert key == ("a", (1_838_400 - 600) // 300)
    assert use == pytest.approx((0.008392333984375, 0.0094757080078125), abs=1e-9)


# Values on the edge of what the parsers take, in any place of a row.
odd_values = st.one_of(
    st.sampled_from(
        (
            *("", " ", "0", "-0", "+1", "1.", ".5", "1e3", "1E-9", "1e400", "1e-400", "nan", "inf", "None", "null", "true", "1_0", "0x1"),
            *("\u0661", "a", "h", "9", "1.0", "6.000E+08", str(T0), str(T0 + S), str(2**63), "9" * 40, '""', 'a"b', ' "'),
            *("\\", "\\u0000", "\\ud800", ",]", "'cpus': 1"),
        )
    ),
    st.floats().map(repr),
    st.text(alphabet="\"'{}[],:\\ \n\r\t\0e1.\u2028", max_size=6),
)
QUICK = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def written(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def counts(name: str, data: bytes, root: Path) -> dict[str, Any]:
    shutil.rmtree(root, ignore_errors=True)
    return go(root, {name: data})[0]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("odd")


@QUICK
@given(st.lists(st.tuples(st.integers(0, 8), odd_values, st.booleans()), min_size=1, max_size=6))
def test_odd_json_values_meet_the_same_fate_in_both_readers(scratch: Path, changes: list[tuple[int, str, bool]]) -> None:
    parts = ['{"start_time": ', str(T0), ', "end_time": ', str(T0 + S), ', "average_usage": {"cpus": ', "1", ', "memory": ', "1", "}}"]
    lines = [json_line({})]
    for place, value, is_text in changes:
        text = json.dumps(value) if is_text else value
        lines.append("".join(text if i == place else part for i, part in enumerate(parts)).replace("\n", " "))
    alone, beside = (counts("cell_a/instance_usage.json", written(texts), scratch / "json") for texts in (lines, [*lines, "broken"]))
    assert alone["rows_in"] == len(lines)
    assert beside["rows_staged"] == alone["rows_staged"] >= 1


@QUICK
@given(st.lists(st.tuples(st.integers(0, 7), odd_values, st.booleans()), min_size=1, max_size=6))
def test_odd_csv_values_meet_the_same_fate_in_both_readers(scratch: Path, changes: list[tuple[int, str, bool]]) -> None:
    fields = ["1", str(T0), str(T0 + S), "0", "\"{'cpus': 0.5, 'memory': 0.5}\"", "x", "1", "0"]
    lines = [KAGGLE_HEADER, KAGGLE]
    for place, value, is_quoted in changes:
        text = '"' + value.replace('"', '""') + '"' if is_quoted else value
        lines.append(",".join(text if i == place else field for i, field in enumerate(fields)))
    alone, beside = (counts("borg_traces.csv", written(texts), scratch / "csv") for texts in (lines, [*lines[:1], "x", *lines[1:]]))
    assert alone["rows_in"] == beside["rows_in"] - 1
    assert beside["rows_staged"] == alone["rows_staged"] >= 1
