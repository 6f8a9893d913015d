"""Which files of google2019 are taken: the cell that a path tells, what may lie side by side, broken files by name."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from core.errors import RawDataError
from tasks.data.sources import google2019_usage
from tests.worlds.google2019_files import (
    EXPECTED,
    FORMS,
    ROWS,
    SERIES,
    as_csv,
    as_json,
    as_kaggle,
    as_parquet,
    go,
    used,
)


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
        ("cell_a/instance_usage.csv", b"start_time,end_time,average_usage,start_time\n1,2,3,4\n", "is listed twice"),
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
