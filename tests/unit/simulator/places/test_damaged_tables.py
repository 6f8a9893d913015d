"""Reference tables that are damaged are refused by name and line. Not here: what whole tables say (test_tables.py)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.parameters import World
from simulator.places.csv_rows import TableError
from simulator.places.tables import load_tables
from tests.worlds.changed_tables import Rows, rewrite

ROOT = Path(__file__).resolve().parents[4]
REFERENCE = ROOT / "data" / "reference"
WORLD = World()


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        (
            "network.csv",
            lambda rows: [r for r in rows if r["src"] != "aws:sa-east-1" or r["dst"] != "gcp:us-east4"],
            "aws:sa-east-1 -> gcp",
        ),
        ("network.csv", lambda rows: [rows[1] | {"rtt_us": ""}, *rows[2:], rows[0]], "rtt_us is empty"),
        ("network.csv", lambda rows: [rows[1] | {"gbps": "0"}, *rows[2:], rows[0]], "gbps is 0"),
        ("network.csv", lambda rows: [rows[1] | {"dst": "aws:us-east-9"}, *rows], "unknown dst 'aws:us-east-9'"),
        ("clouds.csv", lambda rows: [rows[0] | {"pool_key": "zone"}, *rows[1:]], "unknown pool_key 'zone'"),
        ("clouds.csv", lambda rows: [rows[0] | {"cold_start_billed": ""}, *rows[1:]], "cold_start_billed is empty"),
        ("clouds.csv", lambda rows: [rows[0] | {"floor_min_billed_min": "-5"}, *rows[1:]], "less than 0"),
        ("regions.csv", lambda rows: [*rows, rows[0] | {"cloud": "ibm"}], "unknown cloud 'ibm'"),
        ("regions.csv", lambda rows: [*rows, rows[0] | {"region": "us-east-2"}], "aws has two regions in iad"),
        ("regions.csv", lambda rows: [r for r in rows if r["metro"] != "gru"], "unknown region aws:sa-east-1"),
        ("zones.csv", lambda rows: [*rows, rows[0]], "aws us-east-1a occurs twice"),
        ("zones.csv", lambda rows: rows[3:], "region aws:us-east-1 has no zone"),
        ("metros.csv", lambda rows: [*rows, rows[0] | {"metro": "cmh"}], "metro cmh has no region"),
        ("metros.csv", lambda rows: [rows[0] | {"continent": "atlantis"}, *rows[1:]], "unknown continent"),
        ("metros.csv", lambda rows: [r | {"home_share": "0"} for r in rows], "home_share is 0 everywhere"),
        ("prices.csv", lambda rows: rows[1:], "aws:us-east-1 has no price of execution"),
        ("prices.csv", lambda rows: [rows[0] | {"usd": "1,6e-5"}, *rows[1:]], "usd is not a number: '1,6e-5'"),
        ("prices.csv", lambda rows: [rows[0] | {"usd": "nan"}, *rows[1:]], "usd is not a number: 'nan'"),
        ("prices.csv", lambda rows: [rows[0] | {"usd": "-1e-5"}, *rows[1:]], "less than 0"),
        ("prices.csv", lambda rows: [rows[0] | {"unit": "GB-h"}, *rows], "unknown price: execution per GB-h"),
        ("billing.csv", lambda rows: rows[1:], "cloud aws has no row in billing.csv"),
        ("billing.csv", lambda rows: [rows[0] | {"minimum_us": "0.5"}, *rows[1:]], "minimum_us is not a whole number"),
        ("vcpu.csv", lambda rows: rows[1:], "cloud aws has no row in vcpu.csv"),
        ("cold_start.csv", lambda rows: [r for r in rows if r["package"] != "medium"], "no distribution mikhail_2021 for aws medium"),
        ("cold_start.csv", lambda rows: [rows[0] | {"probability": "2.5"}, *rows[1:]], "probability is 2.5, more than 1"),
        ("keep_alive.csv", lambda rows: [rows[0] | {"cloud": "ibm"}, *rows], "unknown cloud: ibm"),
        ("carbon_profiles.csv", lambda rows: rows[:-1], "no carbon profile of syd"),
        ("carbon_profiles.csv", lambda rows: [rows[0] | {"month": "13"}, *rows], "month 13, hour 0 does not exist"),
    ],
)
def test_a_damaged_table_is_named(folder: Path, name: str, change: Callable[[Rows], Rows], says: str) -> None:
    rewrite(folder / name, change)
    with pytest.raises(TableError) as caught:
        load_tables(folder, WORLD)
    assert says in caught.value.what
    assert str(folder) in caught.value.where
    assert caught.value.how


def test_a_bad_number_is_named_with_its_line(folder: Path) -> None:
    rewrite(folder / "energy.csv", lambda rows: [rows[0], rows[1] | {"pue": "?"}, rows[2]])
    with pytest.raises(TableError) as caught:
        load_tables(folder, WORLD)
    assert caught.value.where == f"{folder / 'energy.csv'}, line 3"


def test_a_missing_file_a_missing_column_and_a_cut_row_are_named(folder: Path) -> None:
    text = (folder / "billing.csv").read_text(encoding="utf-8")
    for broken, says in (
        (None, "billing.csv is missing"),
        (text.replace("minimum_us", "least"), "no column minimum_us"),
        (text[:-40], "fields"),
    ):
        if broken is None:
            (folder / "billing.csv").unlink()
        else:
            (folder / "billing.csv").write_text(broken, encoding="utf-8")
        with pytest.raises(TableError, match=says):
            load_tables(folder, WORLD)


def test_another_encoding_is_named(folder: Path) -> None:
    text = (folder / "metros.csv").read_text(encoding="utf-8").replace("Sao Paulo", "São Paulo")
    (folder / "metros.csv").write_text(text, encoding="latin-1")
    with pytest.raises(TableError, match="cannot be read") as caught:
        load_tables(folder, WORLD)
    assert caught.value.where == str(folder / "metros.csv")
    (folder / "metros.csv").write_text(text, encoding="utf-8-sig")  # as a spreadsheet saves it
    assert load_tables(folder, WORLD).metros[0] == "iad"
