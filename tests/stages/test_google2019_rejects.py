"""Rows of google2019 that are not usable: each is rejected with its reason, by both readers alike. Not here: files that are refused."""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.core import params as params_module
from tasks.core.database import connect
from tasks.core.paths import Paths
from tasks.data.cleaning import clean, split_record
from tasks.data.sources import google2019
from tasks.data.sources.base import RawFile
from tests.worlds.google2019_files import (
    FORMS,
    KAGGLE,
    KAGGLE_HEADER,
    ROOT,
    ROWS,
    SERIES,
    T0,
    S,
    as_parquet,
    go,
    json_line,
    rejects,
    used,
)

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


@pytest.mark.parametrize("accompanied", [False, True], ids=["alone", "beside a broken line"])
@pytest.mark.parametrize(("reason", "line"), [(reason, json_line(c)) for reason, changes in BAD_JSON.items() for c in changes])
def test_rejects_a_bad_json_line_with_its_reason(tmp_path: Path, reason: str, line: str, accompanied: bool) -> None:
    lines = [json_line({}), line, json_line({"alloc_collection_id": 0, "cell": "a"}), *(["broken"] if accompanied else [])]
    found, paths = go(tmp_path, {"cell_a/instance_usage.json": ("\n".join(lines) + "\n").encode()})
    assert found["rejects_by_reason"] == Counter([reason, *(["bad_json"] if accompanied else [])])
    assert used(paths) == {("a", 0): (1.0, 1.0)}
    [rejected] = [r for r in rejects(paths) if r[1] == 2]
    assert rejected == ("cell_a/instance_usage.json", 2, reason, line[:200])


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
