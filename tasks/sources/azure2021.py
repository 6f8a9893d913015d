"""Azure Functions trace 2021: one row a call. Not here: the framework (tasks/ingest.py), the twin.

The trace gives the end and the duration of a call; the start (arrival) is their difference in whole microseconds. It is silent
about memory and trigger: both are drawn, keyed by the id alone, so that later days never change them.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clouds.errors import RawDataError
from tasks.sources.base import Kind, RawFile
from tasks.sources.drawn import memory_mb

if TYPE_CHECKING:
    import duckdb

    from tasks.params import Params

HEADER = ("app", "func", "end_timestamp", "duration")
KINDS = (Kind("invocations", r"(?:.*/)?AzureFunctionsInvocationTrace[^/]*\.csv(?:\.gz)?", HEADER),)
DAY_US = 86_400_000_000
TRIGGER_STREAM = 11  # random stream of the drawn trigger
TRIGGER_MIX = Path(__file__).resolve().parents[2] / "data" / "reference" / "trigger_mix.csv"
REFERENCE_FILES = (
    TRIGGER_MIX,
    Path(__file__).with_name("drawn.py"),
)  # what else a staged byte depends on; `ingest` rebuilds all when one changes
_ID = re.compile(r"[0-9a-f]{64}")
# What DuckDB's read_csv takes as a number, so that both paths judge alike; NaN and infinity pass here, to be named apart.
_DIGITS = r"\d+(?:_\d+)*"
_NUMBER = re.compile(
    rf"\s*[+-]?(?:{_DIGITS}\.?(?:{_DIGITS})?(?:e[+-]?\d+)?|\.{_DIGITS}(?:e[+-]?\d+)?|nan|inf|infinity)\s*", re.IGNORECASE | re.ASCII
)


def check_fields(kind: str, fields: Sequence[str], params: Params) -> str | None:
    """Return why a row is not usable, or None."""
    if len(fields) != len(HEADER):
        return "wrong_column_count"
    if not (_ID.fullmatch(fields[0]) and _ID.fullmatch(fields[1])):
        return "bad_id"
    if not (_NUMBER.fullmatch(fields[2]) and _NUMBER.fullmatch(fields[3])):
        return "bad_number"
    end, duration = float(fields[2]), float(fields[3])
    if not (math.isfinite(end) and math.isfinite(duration)):
        return "not_finite"
    if duration < 0:
        return "negative_duration"
    if duration > params.ingest.max_duration_s:
        return "duration_too_long"
    if abs(end) > 1e12 or not 0 <= _us(end) - _us(duration) < params.ingest.max_arrival_day * DAY_US:
        return "arrival_out_of_range"
    return None


def _us(seconds: float) -> int:
    """Whole microseconds, halves away from zero as in DuckDB."""
    x = seconds * 1e6
    return int(math.copysign(math.floor(abs(x) + 0.5), x))


def read(con: duckdb.DuckDBPyConnection, file: RawFile, path: Path, work: Path, params: Params) -> tuple[int, int]:
    """Read one file into `work/{invocations,ids}/day=<N>/`; see the interface in tasks/sources/base.py.

    Two passes with integer ids: the 64-digit texts of all rows are never in memory together.
    """
    from tasks.database import literal, load_sql

    check = load_sql("azure2021/check_file.sql").format(
        file=literal(path), max_duration_s=params.ingest.max_duration_s, max_arrival_us=params.ingest.max_arrival_day * DAY_US
    )
    con.execute(f"create or replace temp table callers as {check}")
    rows, bad = _one(con, "select coalesce(sum(calls), 0), coalesce(sum(bad), 0) from callers")
    if bad or not rows:
        return int(rows), int(bad)
    days = [int(day) for (day,) in con.execute("select distinct day from callers order by day").fetchall()]
    for day in days:
        piece = work / "ids" / f"day={day}" / "piece.parquet"
        piece.parent.mkdir(parents=True)
        con.execute(
            "copy (select distinct ('0x' || app[:15])::bigint as app_id, ('0x' || function[:15])::bigint as function_id, app, function "
            f"from callers where day = {day}) to {literal(piece)} (format parquet)"
        )
    calls = load_sql("azure2021/read_file.sql").format(file=literal(path))
    target = work / "invocations"
    if len(days) == 1:
        (target / f"day={days[0]}").mkdir(parents=True)
        con.execute(
            f"copy (select * exclude (day) from ({calls})) to {literal(target / f'day={days[0]}' / 'piece.parquet')} (format parquet)"
        )
    else:
        con.execute(f"copy ({calls}) to {literal(target)} (format parquet, partition_by (day))")
    return int(rows), 0


def write_day(con: duckdb.DuckDBPyConnection, work: Path, day: int, out: Path, params: Params) -> int:
    """Write `out/invocations.parquet` and `out/ids.parquet` of one day; returns the calls."""
    from tasks.database import literal, load_sql

    ids = literal(out / "ids.parquet")
    text = load_sql("azure2021/write_ids.sql").format(pieces=literal(work / "ids" / f"day={day}" / "*.parquet"))
    con.execute(f"copy ({text}) to {ids} (format parquet, compression zstd)")
    apps = [row[0] for row in con.execute(f"select distinct app_id from {ids} order by 1").fetchall()]
    functions = [row[0] for row in con.execute(f"select distinct function_id from {ids} order by 1").fetchall()]
    _fill(con, "app_memory", "app_id bigint, memory_mb integer", list(zip(apps, memory_mb(apps, params), strict=True)))
    _fill(con, "function_trigger", "function_id bigint, trigger varchar", list(zip(functions, triggers(functions, params), strict=True)))
    target = literal(out / "invocations.parquet")
    text = load_sql("azure2021/write_day.sql").format(pieces=literal(work / "invocations" / f"day={day}" / "*.parquet"))
    con.execute(f"copy ({text}) to {target} (format parquet, compression zstd)")
    return int(_one(con, f"select count(*) from {target}")[0])


def triggers(function_ids: Sequence[int], params: Params) -> list[str]:
    """Return the drawn trigger of each function, by the share of functions in data/reference/trigger_mix.csv."""
    import numpy as np

    from simulator import rng

    with TRIGGER_MIX.open(encoding="utf-8", newline="") as handle:
        mix = [(row["trigger"], float(row["share_functions"])) for row in csv.DictReader(handle)]
    edges = np.cumsum([share for _, share in mix])
    u = rng.uniform(params.seed, np.array(function_ids, dtype=np.int64), TRIGGER_STREAM) * edges[-1]
    chosen = np.minimum(np.searchsorted(edges, u, side="right"), len(mix) - 1)
    return [mix[int(i)][0] for i in chosen]


def summarise(con: duckdb.DuckDBPyConnection, staged: Path, params: Params) -> dict[str, Any]:
    """Write apps.parquet and functions.parquet; return the totals of the source.

    Raises:
        RawDataError: two different ids share their first 15 hex digits.
    """
    from tasks.database import literal, load_sql

    days = sorted(staged.glob("day=*/invocations.parquet"))
    totals: dict[str, Any] = {"apps": 0, "functions": 0, "duration_us_sum": 0, "zero_durations": 0}
    totals |= {"arrival_us_min": None, "arrival_us_max": None, "exact_duplicates": 0}
    if not days:
        return totals
    names = {"ids": literal(staged / "day=*" / "ids.parquet"), "invocations": literal(staged / "day=*" / "invocations.parquet")}
    for table in ("apps", "functions"):
        text = load_sql(f"azure2021/{table}.sql").format(**names)
        con.execute(f"copy ({text}) to {literal(staged / f'{table}.parquet')} (format parquet, compression zstd)")
    for table, key, label in (("apps", "app_id", "app"), ("functions", "function_id", "function")):
        file = literal(staged / f"{table}.parquet")
        ids, labels = _one(con, f"select count(distinct {key}), count(distinct {label}) from {file}")
        if ids != labels:
            raise RawDataError(
                f"two {table} share the first 15 digits of their ids",
                where="column " + label,
                how="tell the maintainers: ids need more digits",
            )
        totals[table] = int(ids)
    found = [_one(con, load_sql("azure2021/totals.sql").format(invocations=literal(day))) for day in days]
    totals["duration_us_sum"] = sum(int(row[0]) for row in found)
    totals["zero_durations"] = sum(int(row[1]) for row in found)
    totals["arrival_us_min"] = min(int(row[2]) for row in found)
    totals["arrival_us_max"] = max(int(row[3]) for row in found)
    totals["exact_duplicates"] = sum(int(row[4]) for row in found)
    return totals


def _fill(con: duckdb.DuckDBPyConnection, table: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
    con.execute(f"create or replace temp table {table} ({columns})")
    marks = ", ".join("?" for _ in rows[0])
    con.executemany(f"insert into {table} values ({marks})", rows)


def _one(con: duckdb.DuckDBPyConnection, text: str) -> tuple[Any, ...]:
    row = con.execute(text).fetchone()
    assert row is not None  # noqa: S101 (aggregates always give a row)
    return row
