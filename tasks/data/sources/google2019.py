"""Google cluster trace 2019: use of the eight cells in five-minute slots, from ready-made series or from usage rows.

Not here: usage rows (google2019_usage.py), the framework (tasks/data/ingest.py), the twin.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import RawDataError
from core.units import SLOTS_PER_DAY
from simulator import rng
from tasks.core.database import literal, load_sql
from tasks.data.ingest_settings import IngestSettings
from tasks.data.sources import google2019_usage
from tasks.data.sources.base import Kind, RawFile

if TYPE_CHECKING:
    import duckdb

    from tasks.core.params import Params

LEVEL_STREAM = 12  # random stream of the sampled capacity
MAX_UNITS_US = 1e16  # a whole cell uses about 1e12; beyond this a number is damaged
HEADER = ("", "avgcpu", "avgmem", "time", "timestamp", "day_of_week", "hour_of_day")
KINDS = (Kind("utilisation", r"(?:.*/)?cell_2019_[a-h]\.csv", HEADER), *google2019_usage.KINDS)
# what DuckDB reads as a number, too: Python alone would take 1_000 and digits of other scripts
_INTEGER = re.compile(r"-?[0-9]{1,9}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:nan|inf|infinity)", re.ASCII | re.IGNORECASE)
CELLS_FILE = Path(__file__).resolve().parents[3] / "data" / "reference" / "cells.csv"
REFERENCE_FILES = (CELLS_FILE, Path(__file__).with_name("google2019_usage.py"))  # what else a staged byte depends on


def cell_of(name: str) -> str:
    """Return the cell's letter from the file's name."""
    found = re.search(r"cell_2019_([a-h])\.csv", name)
    assert found is not None, name  # noqa: S101 (scan lists matching names only)
    return found.group(1)


def check_files(files: Sequence[dict[str, Any]]) -> tuple[str, str] | None:
    """Return what is wrong with a set of files (what, how to fix it), or None: no use may be counted twice."""
    series = {cell_of(file["name"]): file["name"] for file in files if file["kind"] == "utilisation"}
    for name in (file["name"] for file in files if file["kind"] != "utilisation"):
        cells = google2019_usage.cells_of_path(name)
        if len(cells) > 1:
            return f"the path {name} names the cells {' and '.join(cells)}", "let the folder and the file's name agree"
        if cells and cells[0] in series:
            what = f"cell {cells[0]} has a series and usage rows: {series[cells[0]]} and {name}"
            return what, "keep one of the two, they hold the same use"
        if not cells and series:
            what = f"a series lies beside usage rows of any cell: {next(iter(series.values()))} and {name}"
            return what, "keep one of the two, or put the usage rows of each cell into a folder cell_<a..h>"
    return None


def check_fields(kind: str, fields: Sequence[str], params: Params) -> str | None:
    """Return why a row is not usable, or None."""
    if kind != "utilisation":
        return google2019_usage.check_fields(fields, params)
    if len(fields) != len(HEADER) or any("\r" in text for text in fields):
        return "wrong_column_count"
    if any('"' in text for text in fields):
        return "bad_quotes"
    if not (_INTEGER.fullmatch(fields[0]) and _NUMBER.fullmatch(fields[1]) and _NUMBER.fullmatch(fields[2])):
        return "bad_number"
    slot, cpu, memory = int(fields[0]), float(fields[1]), float(fields[2])
    if not (math.isfinite(cpu) and math.isfinite(memory)):
        return "not_finite"
    if cpu < 0 or memory < 0:
        return "negative_usage"
    if cpu > MAX_UNITS_US or memory > MAX_UNITS_US:
        return "usage_too_large"
    if not 0 <= slot < params.section("ingest", IngestSettings).max_arrival_day * SLOTS_PER_DAY:
        return "slot_out_of_range"
    return None


def read(con: duckdb.DuckDBPyConnection, file: RawFile, path: Path, work: Path, params: Params) -> tuple[int, int]:
    """Read one file into `work/<utilisation or usage>/day=<N>/<stem>.parquet`; see the interface in tasks/data/sources/base.py."""
    if file.kind != "utilisation":
        return google2019_usage.read(con, file, path, work, params)
    text = load_sql("google2019/read_series.sql").format(file=literal(path), cell=literal(cell_of(file.name)))
    con.execute(f"create or replace temp table series as {text}")
    limit = params.section("ingest", IngestSettings).max_arrival_day * SLOTS_PER_DAY
    units = MAX_UNITS_US / 3e8
    bad = (
        "not has_all_columns or slot is null or cpu_used is null or memory_used is null "
        "or not isfinite(cpu_used) or not isfinite(memory_used) "
        f"or cpu_used < 0 or memory_used < 0 or cpu_used > {units} or memory_used > {units} or slot < 0 or slot >= {limit}"
    )
    counts = con.execute(f"select count(*), count(*) filter (where {bad}), count(distinct slot) from series").fetchone()
    assert counts is not None  # noqa: S101
    if not counts[1] and counts[2] != counts[0]:
        twice = con.execute("select slot from series group by slot having count(*) > 1 order by slot limit 1").fetchone()
        raise RawDataError(f"slot {twice[0] if twice else '?'} is listed twice", where=str(path), how="remove one of the two lines")
    if counts[1]:
        return int(counts[0]), int(counts[1])
    for (day,) in con.execute(f"select distinct slot // {SLOTS_PER_DAY} from series order by 1").fetchall():
        piece = work / "utilisation" / f"day={day}" / f"{file.sha256[:16]}.parquet"
        piece.parent.mkdir(parents=True, exist_ok=True)
        of_day = f"select * exclude (has_all_columns) from series where slot // {SLOTS_PER_DAY} = {day} order by slot"
        con.execute(f"copy ({of_day}) to {literal(piece)} (format parquet)")
    return int(counts[0]), 0


def write_day(con: duckdb.DuckDBPyConnection, work: Path, day: int, out: Path, params: Params) -> int:
    """Write `out/utilisation.parquet` of one day, sorted by cell and slot, if any; returns the raw rows that went in.

    Days with usage rows also get `usage_rows.parquet`: how many of them are summed and how many lie inside an alloc.
    """
    series, usage = (work / table / f"day={day}" / "*.parquet" for table in ("utilisation", "usage"))
    rows = 0
    con.execute("create or replace temp table day_slots (cell varchar, slot integer, cpu_used double, memory_used double)")
    if series.parent.exists():
        _check_slots(con, literal(series))
        con.execute(f"insert into day_slots select cell, slot, cpu_used, memory_used from read_parquet({literal(series)})")
        rows += _one(con, "select count(*) from day_slots")
    if usage.parent.exists():
        con.execute(f"insert into day_slots {load_sql('google2019/sum_usage.sql').format(pieces=literal(usage))}")
        # through a table: otherwise the bytes depend on how many pieces there are
        con.execute(f"create or replace temp table day_usage as {load_sql('google2019/count_usage.sql').format(pieces=literal(usage))}")
        con.execute(f"copy (select * from day_usage order by cell) to {literal(out / 'usage_rows.parquet')} (format parquet)")
        rows += _one(con, "select sum(rows_summed + rows_inside_allocs) from day_usage")
    if _one(con, "select count(*) from day_slots"):
        con.execute("create or replace temp table cell_capacities (cell varchar, capacity_ncu double, capacity_nmu double)")
        con.executemany("insert into cell_capacities values (?, ?, ?)", capacities(params))
        target = literal(out / "utilisation.parquet")
        con.execute(f"copy ({load_sql('google2019/write_day.sql')}) to {target} (format parquet, compression zstd)")
    return rows


def _check_slots(con: duckdb.DuckDBPyConnection, pieces: str) -> None:
    twice = con.execute(f"select cell, slot from read_parquet({pieces}) group by all having count(*) > 1 order by all limit 1").fetchone()
    if twice:
        how = "keep one file per cell, or files whose slots do not overlap"
        raise RawDataError(f"two files hold slot {twice[1]} of cell {twice[0]}", where=f"cell_2019_{twice[0]}.csv", how=how)


def _one(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(query).fetchone()
    assert row is not None  # noqa: S101
    return int(row[0] or 0)


def capacities(params: Params) -> list[tuple[str, float, float]]:
    """Return (cell, NCU, NMU): the published mean use divided by a sampled level, since the trace holds no capacity."""
    with CELLS_FILE.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    ids = np.array([rng.text_id(f"cell {row['cell']}") for row in rows])
    spread = params.section("ingest", IngestSettings).cell_level_spread * (2.0 * rng.uniform(params.seed, ids, LEVEL_STREAM) - 1.0)
    level = params.section("ingest", IngestSettings).cell_level_median + spread
    return [(r["cell"], float(r["mean_ncu"]) / x, float(r["mean_nmu"]) / x) for r, x in zip(rows, level.tolist(), strict=True)]


def summarise(con: duckdb.DuckDBPyConnection, staged: Path, params: Params) -> dict[str, Any]:
    """Return `cells`: slots and lag-1 autocorrelation of CPU (sum of products of neighbours over the sum of squares) per cell.

    Also `utilisation`: rows of that table; and where there are usage rows, how many were summed and how many lie inside an alloc.
    """
    usage: dict[str, int] = {}
    if any(staged.glob("day=*/usage_rows.parquet")):
        counts = f"read_parquet({literal(staged / 'day=*' / 'usage_rows.parquet')})"
        usage = {f"usage_{name}": _one(con, f"select sum({name}) from {counts}") for name in ("rows_summed", "rows_inside_allocs")}
    if not any(staged.glob("day=*/utilisation.parquet")):
        return {"cells": {}, "utilisation": 0} | usage
    found: dict[str, dict[str, Any]] = {}
    pattern = literal(staged / "day=*" / "utilisation.parquet")
    rows = con.execute(f"select cell, slot, cpu_used from read_parquet({pattern}) order by cell, slot").fetchnumpy()
    cells = np.asarray(rows["cell"]).astype(str)
    for cell in sorted(set(cells.tolist())):
        x = np.asarray(rows["cpu_used"])[cells == cell]
        d = x - x.mean()
        power = float((d * d).sum())
        found[cell] = {"slots": len(x), "cpu_lag1": round(float((d[1:] * d[:-1]).sum()) / power, 6) if power > 0 else None}
    return {"cells": found, "utilisation": len(cells)} | usage
