"""Hourly carbon from files: both layouts, the weeks of the world's calendar, and what a gap says."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from simulator.parameters import World
from simulator.places.carbon_files import load_hourly_carbon
from simulator.places.csv_rows import TableError
from simulator.places.tables import load_tables

ROOT = Path(__file__).resolve().parents[4]
START = date(2023, 1, 29)
HEADER = (
    "Datetime (UTC),Country,Zone name,Zone id,Carbon intensity gCO₂eq/kWh (direct),Carbon intensity gCO₂eq/kWh (Life cycle),"
    "Carbon-free energy percentage (CFE%),Renewable energy percentage (RE%),Data source,Data estimated,Data estimation method"
)


def export(zone: str, grams: list[str], *, first: int = 0) -> list[str]:
    return [f"2023-01-29 {first + h:02}:00:00,Land,Name,{zone},1.0,{g},50,40,src,false," for h, g in enumerate(grams)]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_exports_of_several_zones(tmp_path: Path) -> None:
    before = "2023-01-28 23:00:00,Land,Name,DE,1.0,999,50,40,src,false,"
    one = write(tmp_path / "de.csv", [HEADER, before, *export("DE", ["400.25", "401", "402.0006"])])
    two = write(tmp_path / "gb.csv", [HEADER, *export("FR", ["1", "1", "1"]), *export("GB", ["0", "2", "3"])])
    found = load_hourly_carbon([two, one], [("DE", "DE-LU"), ("GB",), ("DE",)], START, 3)
    assert found.dtype == np.int64
    assert found.tolist() == [[400_250, 401_000, 402_001], [0, 2000, 3000], [400_250, 401_000, 402_001]]


def test_an_older_export_and_a_gzipped_one(tmp_path: Path) -> None:
    header = HEADER.replace("(Life cycle)", "(LCA)").replace("Zone id", "Zone Id").replace("₂", "2").replace("Carbon i", "Carbon I")
    lines = "\n".join([header, *export("SG", ["490.5"])]).replace("2023-01-29 00:00:00", "2023-01-29T08:00:00+08:00")
    with gzip.open(tmp_path / "sg.csv.gz", "wt", encoding="utf-8") as handle:
        handle.write(lines)
    assert load_hourly_carbon([tmp_path / "sg.csv.gz"], [("SG",)], START, 1).tolist() == [[490_500]]


def test_the_wide_layout(tmp_path: Path) -> None:
    wide = write(tmp_path / "wide.csv", ["datetime_utc,DE-LU,GB", "2023-01-29 01:00:00,2,20", "2023-01-29 00:00:00,1,10"])
    assert load_hourly_carbon([wide], [("GB",), ("DE", "DE-LU")], START, 2).tolist() == [[10_000, 20_000], [1000, 2000]]


@pytest.mark.parametrize(
    ("lines", "says", "line"),
    [
        ([HEADER, *export("DE", ["1"]), *export("DE", ["3"], first=2)], r"DE or DE-LU has no value at 2023-01-29 01:00 UTC \(1 of 3", ""),
        ([HEADER, *export("DE", ["1", "", "3"])], "no value at 2023-01-29 01:00", ""),
        ([HEADER, *export("FR", ["1", "2", "3"])], r"no value at 2023-01-29 00:00 UTC \(3 of 3", ""),
        ([HEADER, *export("DE", ["1", "x", "3"])], "not a number that is 0 or more: 'x'", "line 3"),
        ([HEADER, *export("DE", ["1", "-2", "3"])], "'-2'", "line 3"),
        ([HEADER, *export("DE", ["1", "nan", "3"])], "'nan'", "line 3"),
        ([HEADER, *export("DE", ["1", "2", "3"]), *export("DE", ["4"])], "DE has two values at 2023-01-29 00:00", "line 5"),
        ([HEADER, *export("DE", ["1", "2"]), "2023-01-29 02:00:00,Land"], "2 fields instead of 11", "line 4"),
        ([HEADER, "29/01/2023 00:00,L,N,DE,1,2,3,4,s,f,"], "not a time: '29/01/2023 00:00'", "line 2"),
        ([HEADER, "2023-01-29 00:05:00,L,N,DE,1,2,3,4,s,f,"], "not a full hour", "line 2"),
        (["when,DE", "2023-01-29 00:00:00,1"], "unknown layout of hourly carbon: when, DE", ""),
        ([""], "unknown layout", ""),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, lines: list[str], says: str, line: str) -> None:
    file = write(tmp_path / "de.csv", lines)
    with pytest.raises(TableError, match=says) as caught:
        load_hourly_carbon([file], [("DE", "DE-LU")], START, 3)
    assert str(file) in caught.value.where
    assert line in caught.value.where
    assert caught.value.how


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="missing"):
        load_hourly_carbon([tmp_path / "none.csv"], [("DE",)], START, 1)


def test_a_cut_archive_is_named(tmp_path: Path) -> None:
    whole = gzip.compress("\n".join([HEADER, *export("DE", [str(i) for i in range(24)])]).encode())
    (tmp_path / "cut.csv.gz").write_bytes(whole[:-20])
    with pytest.raises(TableError, match="the file cannot be read") as caught:
        load_hourly_carbon([tmp_path / "cut.csv.gz"], [("DE",)], START, 24)
    assert caught.value.where.endswith("cut.csv.gz")


def test_means_of_the_fourteen_days(sample_dir: Path) -> None:
    tables = load_tables(ROOT / "data" / "reference", World())
    file = sample_dir / "reference" / "carbon_hourly_lca_gco2eq_per_kwh_2022_2024.csv.gz"
    found = load_hourly_carbon([file], tables.carbon_zones, World().carbon.start, 336)
    grams = dict(zip(tables.metros, (found.mean(axis=1) / 1000).round().astype(int).tolist(), strict=True))
    assert grams == {"iad": 412, "fra": 434, "lhr": 181, "nrt": 554, "sin": 491, "syd": 567, "bom": 761, "gru": 55}
