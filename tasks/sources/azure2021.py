"""Azure Functions invocation trace 2021. Here: its schema, its checks, its staged calls. Not here: the framework (tasks/ingest.py).

Memory (per app) and trigger (per function) are not in this trace: they are drawn from a counter-based random number keyed by the id.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clouds.errors import RawDataError
from simulator import rng
from tasks.database import literal, load_sql
from tasks.sources.base import Kind, RawFile

if TYPE_CHECKING:
    import duckdb

    from tasks.params import Params

DAY_US = 86_400_000_000
MEMORY_STREAM, TRIGGER_STREAM = 10, 11
MIN_MEMORY_MB = 30  # smallest app of the 2019 release
HEADER = ("app", "func", "end_timestamp", "duration")
KINDS = (Kind("invocations", r"(?:.*/)?AzureFunctionsInvocationTrace[^/]*\.(?:csv|txt)(?:\.gz)?", HEADER),)
TRIGGERS_FILE = Path(__file__).resolve().parents[2] / "data" / "reference" / "trigger_mix.csv"
_HEX64 = re.compile(r"[0-9a-f]{64}")


def check_fields(kind: str, fields: Sequence[str], params: Params) -> str | None:
    """Return why a call is not usable, or None."""
    if len(fields) != len(HEADER):
        return "wrong_column_count"
    if not (_HEX64.fullmatch(fields[0]) and _HEX64.fullmatch(fields[1])):
        return "bad_id"
    try:
        end, duration = float(fields[2]), float(fields[3])
    except ValueError:
        return "bad_number"
    if not (math.isfinite(end) and math.isfinite(duration)):
        return "not_finite"
    if duration < 0:
        return "negative_duration"
    if duration > params.ingest.max_duration_s:
        return "duration_too_long"
    if abs(end) > 1e10 or not 0 <= round(end * 1e6) - round(duration * 1e6) < params.ingest.max_arrival_day * DAY_US:
        return "arrival_out_of_range"
    return None


def read(con: duckdb.DuckDBPyConnection, file: RawFile, path: Path, work: Path, params: Params) -> tuple[int, int]:
    """Read one file into `work/invocations/day=<N>/<stem>.parquet`; see the interface in tasks/sources/base.py."""
    stem = file.sha256[:16]
    draft = work / f"{stem}.parquet"
    text = load_sql("azure2021/read_calls.sql").format(file=literal(path))
    con.execute(f"copy ({text}) to {literal(draft)} (format parquet, compression snappy)")
    longest, latest = params.ingest.max_duration_s * 1_000_000, params.ingest.max_arrival_day * DAY_US
    bad = (
        f"app_id is null or function_id is null or arrival_us is null or duration_us is null or duration_us < 0 "
        f"or duration_us > {longest} or arrival_us < 0 or arrival_us >= {latest}"
    )
    pieces = f"read_parquet({literal(draft)})"
    counts = con.execute(f"select count(*), count(*) filter (where {bad}) from {pieces}").fetchone()
    assert counts is not None  # noqa: S101
    rows, faults = int(counts[0]), int(counts[1])
    if not faults:
        ids = con.execute(f"select distinct app_id, function_id, app, function from {pieces} order by all").fetchall()
        faults = sum(not (_HEX64.fullmatch(i[2]) and _HEX64.fullmatch(i[3])) for i in ids)
    if not faults:
        con.execute("create table if not exists ids (app_id bigint, function_id bigint, app varchar, function varchar)")
        if ids:
            con.executemany("insert into ids values (?, ?, ?, ?)", ids)
        days = con.execute(f"select distinct arrival_us // {DAY_US} from {pieces} order by 1").fetchall()
        for (day,) in days:
            piece = work / "invocations" / f"day={day}" / f"{stem}.parquet"
            piece.parent.mkdir(parents=True, exist_ok=True)
            where = f"where arrival_us // {DAY_US} = {day}" if len(days) > 1 else ""
            columns = "app_id, function_id, arrival_us, duration_us"
            con.execute(f"copy (select {columns} from {pieces} {where}) to {literal(piece)} (format parquet, compression snappy)")
        listed = work / "ids" / f"{stem}.parquet"
        listed.parent.mkdir(parents=True, exist_ok=True)
        con.execute(f"copy (select distinct * from ids order by all) to {literal(listed)} (format parquet)")
        con.execute("drop table ids")
    draft.unlink()
    return rows, faults


def write_day(con: duckdb.DuckDBPyConnection, work: Path, day: int, out: Path, params: Params) -> int:
    """Write `out/invocations.parquet` of one day and `out/ids.parquet` (codes to published ids); returns the calls."""
    ids = f"read_parquet({literal(work / 'ids' / '*.parquet')})"
    pieces = literal(work / "invocations" / f"day={day}" / "*.parquet")
    _draw(con, f"select distinct app_id, function_id from read_parquet({pieces})", params)
    target = out / "invocations.parquet"
    con.execute(
        f"copy ({load_sql('azure2021/write_day.sql').format(pieces=pieces)}) to {literal(target)} (format parquet, compression zstd)"
    )
    used = f"select distinct app_id, function_id from read_parquet({literal(target)})"
    con.execute(
        f"copy (select distinct i.* from {ids} i join ({used}) u using (app_id, function_id) order by all) "
        f"to {literal(out / 'ids.parquet')} (format parquet)"
    )
    row = con.execute(f"select count(*) from read_parquet({literal(target)})").fetchone()
    assert row is not None  # noqa: S101
    return int(row[0])


def _draw(con: duckdb.DuckDBPyConnection, pairs: str, params: Params) -> None:
    """Make the tables drawn_memory(app_id, memory_mb) and drawn_trigger(function_id, trigger) for the ids of `pairs`."""
    found = con.execute(f"select app_id, function_id from ({pairs}) order by all").fetchnumpy()
    apps, functions = np.unique(found["app_id"]), np.unique(found["function_id"])
    level = rng.normal(params.seed, apps, MEMORY_STREAM)
    memory = np.maximum(np.rint(params.ingest.memory_median_mb * np.exp(params.ingest.memory_sigma * level)), MIN_MEMORY_MB)
    with TRIGGERS_FILE.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    edges = np.cumsum([float(r["share_functions"]) for r in rows])
    names = np.array([r["trigger"] for r in rows])
    which = np.searchsorted(edges / edges[-1], rng.uniform(params.seed, functions, TRIGGER_STREAM), side="right")
    con.execute("create or replace temp table drawn_memory (app_id bigint, memory_mb integer)")
    con.execute("create or replace temp table drawn_trigger (function_id bigint, trigger varchar)")
    if len(apps):
        con.executemany("insert into drawn_memory values (?, ?)", list(zip(apps.tolist(), memory.astype(int).tolist(), strict=True)))
        con.executemany("insert into drawn_trigger values (?, ?)", list(zip(functions.tolist(), names[which].tolist(), strict=True)))


def summarise(con: duckdb.DuckDBPyConnection, staged: Path, params: Params) -> dict[str, Any]:
    """Write apps.parquet and functions.parquet; return the totals of ingest.json.

    Raises:
        RawDataError: two published ids share their first 15 digits.
    """
    calls = f"read_parquet({literal(staged / 'day=*' / 'invocations.parquet')})"
    files = literal(staged / "day=*" / "ids.parquet")
    ids = f"(select distinct app_id, function_id, app, function from read_parquet({files}, hive_partitioning = false))"
    clash = con.execute(
        f"select app_id from {ids} group by app_id having count(distinct app) > 1 "
        f"union all select function_id from {ids} group by function_id having count(distinct function) > 1"
    ).fetchone()
    if clash:
        raise RawDataError(f"two ids begin with {clash[0]:015x}", where=str(staged), how="remove one of the two apps or functions")
    per_function = f"select app_id, function_id, any_value(trigger) as trigger, count(*) as invocations from {calls} group by all"
    con.execute(
        f"copy (select f.app_id, f.function_id, i.function, f.trigger, f.invocations from ({per_function}) f "
        f"join {ids} i using (app_id, function_id) order by all) to {literal(staged / 'functions.parquet')} (format parquet)"
    )
    per_app = f"select app_id, any_value(memory_mb) as memory_mb, count(*) as invocations, count(distinct function_id) as functions from {calls} group by all"
    con.execute(
        f"copy (select a.app_id, i.app, a.functions, a.invocations, a.memory_mb from ({per_app}) a "
        f"join (select distinct app_id, app from {ids}) i using (app_id) order by all) "
        f"to {literal(staged / 'apps.parquet')} (format parquet)"
    )
    cursor = con.execute(load_sql("azure2021/totals.sql").format(calls=literal(staged / "day=*" / "invocations.parquet")))
    row = cursor.fetchone()
    assert row is not None  # noqa: S101
    return dict(zip([c[0] for c in cursor.description or []], row, strict=True))
