"""Google cluster trace 2011: machine events, job events, task usage. Not here: the framework (tasks/data/ingest.py).

Times are microseconds; 0 means "before the trace" and stays on day 0, 2^63-1 means "after it" and falls on day 9999. Fields that the
schema calls optional may be empty.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.units import DAY_US
from tasks.data.ingest_settings import IngestSettings
from tasks.data.sources.base import Kind, RawFile

if TYPE_CHECKING:
    import duckdb

    from tasks.core.params import Params

AFTER_TRACE_US = 2**63 - 1
AFTER_TRACE_DAY = 9999
# Per field, from the trace's schema.csv: t time, i integer, f decimal, s text; upper case where it must not be empty.
FIELDS = {"machine_events": "TIIsff", "job_events": "TiIIsiss", "task_usage": "TTIII" + "f" * 13 + "if"}
MACHINE_COLUMNS = ("time", "machine ID", "event type", "platform ID", "CPUs", "Memory")
JOB_COLUMNS = ("time", "missing info", "job ID", "event type", "user", "scheduling class", "job name", "logical job name")
USAGE_COLUMNS = (
    "start time", "end time", "job ID", "task index", "machine ID", "CPU rate", "canonical memory usage", "assigned memory usage",
    "unmapped page cache", "total page cache", "maximum memory usage", "disk I/O time", "local disk space usage", "maximum CPU rate",
    "maximum disk IO time", "cycles per instruction", "memory accesses per instruction", "sample portion", "aggregation type",
    "sampled CPU usage",
)  # fmt: skip
KINDS = (
    Kind("machine_events", r"(?:.*/)?machine_events/part-[^/]*\.csv(?:\.gz)?", MACHINE_COLUMNS, has_header=False),
    Kind("job_events", r"(?:.*/)?job_events/part-[^/]*\.csv(?:\.gz)?", JOB_COLUMNS, has_header=False),
    Kind("task_usage", r"(?:.*/)?task_usage/[^/]*\.csv(?:\.gz)?", USAGE_COLUMNS, has_header=False),
)
# The same readings as in sql/google2011/macros.sql.
_WHOLE = re.compile(r"[0-9]{1,19}")
_MEASURE = re.compile(r"-?(?:[0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?")
_TEXT = re.compile(r"[A-Za-z0-9+/=_-]*")


def day_of(kind: str, name: str, fields: Sequence[str]) -> int | None:
    """Return the day of a row, or None when its time is not readable."""
    if not fields or not _WHOLE.fullmatch(fields[0]):
        return None
    time_us = int(fields[0])
    return AFTER_TRACE_DAY if time_us == AFTER_TRACE_US else time_us // DAY_US


def check_fields(kind: str, fields: Sequence[str], params: Params) -> str | None:
    """Return why a row is not usable, or None."""
    if len(fields) != len(FIELDS[kind]):
        return "wrong_column_count"
    for sort, text in zip(FIELDS[kind], fields, strict=True):
        reason = _check(sort, text, params)
        if reason:
            return reason
    return None


def _check(sort: str, text: str, params: Params) -> str | None:
    if not text:
        return "missing_value" if sort.isupper() else None
    if sort == "s":
        return None if _TEXT.fullmatch(text) else "bad_text"
    if sort == "f":
        return None if _MEASURE.fullmatch(text) else "bad_number"
    if not _WHOLE.fullmatch(text) or int(text) > AFTER_TRACE_US:
        return "bad_number"
    if sort == "T" and not (int(text) < params.section("ingest", IngestSettings).max_arrival_day * DAY_US or int(text) == AFTER_TRACE_US):
        return "time_out_of_range"
    return None


def read(con: duckdb.DuckDBPyConnection, file: RawFile, path: Path, work: Path, params: Params) -> tuple[int, int]:
    """Read one file into `work/<kind>/day=<N>/<hash>.parquet`; see the interface in tasks/data/sources/base.py."""
    from tasks.core.database import literal
    from tasks.data.raw_files import commas_too_many

    con.execute(f"create or replace temp table events as {_read_text(con, file.kind, path, params)}")
    counts = con.execute("select count(*), count(*) filter (where not good) from events").fetchone()
    assert counts is not None  # noqa: S101
    bad = int(counts[1]) or commas_too_many(path, int(counts[0]), len(FIELDS[file.kind]))
    if bad:
        return int(counts[0]), bad
    for (day,) in con.execute("select distinct day from events order by 1").fetchall():
        piece = work / file.kind / f"day={day}" / f"{file.sha256[:16]}.parquet"
        piece.parent.mkdir(parents=True, exist_ok=True)
        con.execute(f"copy (select * exclude (day, good) from events where day = {day}) to {literal(piece)} (format parquet)")
    con.execute("drop table events")
    return int(counts[0]), 0


def _read_text(con: duckdb.DuckDBPyConnection, kind: str, path: Path, params: Params) -> str:
    from tasks.core.database import literal, load_sql

    con.execute(load_sql("google2011/macros.sql"))
    return load_sql(f"google2011/read_{kind}.sql").format(
        file=literal(path), max_us=params.section("ingest", IngestSettings).max_arrival_day * DAY_US
    )


def write_day(con: duckdb.DuckDBPyConnection, work: Path, day: int, out: Path, params: Params) -> int:
    """Write the three tables of one day, sorted by all columns (empty where the day has no row); returns their rows."""
    from tasks.core.database import literal, load_sql

    rows = 0
    for kind in FIELDS:
        target = literal(out / f"{kind}.parquet")
        folder = work / kind / f"day={day}"
        if folder.exists():
            text = load_sql("google2011/write_day.sql").format(pieces=literal(folder / "*.parquet"))
        else:
            nothing = work / "nothing.csv"
            nothing.touch()
            text = load_sql("google2011/empty_day.sql").format(read=_read_text(con, kind, nothing, params))
        con.execute(f"copy ({text}) to {target} (format parquet, compression zstd)")
        rows += _rows(con, target)
    return rows


def summarise(con: duckdb.DuckDBPyConnection, staged: Path, params: Params) -> dict[str, Any]:
    """Return the rows of each table."""
    from tasks.core.database import literal

    days = any(staged.glob("day=*"))
    return {kind: _rows(con, literal(staged / "day=*" / f"{kind}.parquet")) if days else 0 for kind in FIELDS}


def _rows(con: duckdb.DuckDBPyConnection, files: str) -> int:
    row = con.execute(f"select count(*) from read_parquet({files}, hive_partitioning = false)").fetchone()
    assert row is not None  # noqa: S101
    return int(row[0])
