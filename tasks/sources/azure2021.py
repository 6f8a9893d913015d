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
ID_DIGITS = 15  # leading hex digits of an id that make its integer
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
    """Read one file into `work/invocations/day=<N>/`; see the interface in tasks/sources/base.py.

    Two passes: the first collects the distinct ids, the second reads them as enums, so that the 64-digit text of a row lives no longer
    than its parsing. Pieces hold codes of the temp tables known_app and known_function, which this run's files share.
    """
    from tasks.database import literal, load_sql

    con.execute(f"create or replace temp table callers as {load_sql('azure2021/read_ids.sql').format(file=literal(path))}")
    rows, bad = _one(con, "select coalesce(sum(calls), 0), coalesce(sum(calls) filter (where not is_valid), 0) from callers")
    if bad or not rows:
        return int(rows), int(bad)
    for column in ("app", "function"):
        con.execute(f"create temp table if not exists known_{column} (text varchar, code integer)")
        con.execute(f"insert into known_{column} {load_sql('azure2021/learn_ids.sql').format(column=column)}")
        con.execute(f"drop type if exists {column}_text")
        con.execute(f"create type {column}_text as enum (select distinct {column} from callers order by {column})")
        codes = f"select list(code order by text) from known_{column} where text in (select {column} from callers)"
        con.execute(f"set variable {column}_codes = ({codes})")
    calls = load_sql("azure2021/read_calls.sql").format(
        file=literal(path), max_duration_s=params.ingest.max_duration_s, max_arrival_us=params.ingest.max_arrival_day * DAY_US
    )
    target = work / "invocations"
    # pieces live for seconds: packing them costs more than it saves
    options = "format parquet, partition_by (day), compression uncompressed, dictionary_size_limit 1"
    con.execute(f"copy ({calls}) to {literal(target)} ({options})")
    faulty = target / "day=-1"
    if faulty.exists():
        pieces = literal(faulty / "*.parquet")
        return int(rows), int(_one(con, f"select count(*) from read_parquet({pieces}, hive_partitioning = false)")[0])
    return int(rows), 0


def write_day(con: duckdb.DuckDBPyConnection, work: Path, day: int, out: Path, params: Params) -> int:
    """Write `out/invocations.parquet` and `out/ids.parquet` of one day; returns the calls."""
    from tasks.database import literal, load_sql

    _rank_ids(con, params)
    pieces = literal(work / "invocations" / f"day={day}" / "*.parquet")
    for table, name in (("ids", "write_ids"), ("invocations", "write_day")):
        text = load_sql(f"azure2021/{name}.sql").format(pieces=pieces)
        con.execute(f"copy ({text}) to {literal(out / f'{table}.parquet')} (format parquet, compression zstd)")
    return int(_one(con, f"select count(*) from {literal(out / 'invocations.parquet')}")[0])


def _rank_ids(con: duckdb.DuckDBPyConnection, params: Params) -> None:
    """Set the lists that write_day.sql looks up: rank by code; id, memory, trigger by rank. Nothing to do while no id is new."""
    import pyarrow as pa

    met = _one(con, "select (select count(*) from known_app), (select count(*) from known_function), getvariable('ranked')")
    if met[2] == list(met[:2]):
        return
    for column in ("app", "function"):
        known = con.execute(f"select text, code from known_{column} order by text").fetchall()
        ids = [int(text[:ID_DIGITS], 16) for text, _ in known]
        drawn = memory_mb(ids, params) if column == "app" else triggers(ids, params)
        rank = pa.array(range(1, len(ids) + 1), pa.int32())
        con.register("ranked", pa.table({"rank": rank, "code": [code for _, code in known], "id": ids, "drawn": drawn}))
        value = {"app": "app_memory", "function": "function_triggers"}[column]
        kind = {"app": "integer", "function": "varchar"}[column]
        con.execute(f"set variable {column}_rank = (select list(rank order by code) from ranked)")
        con.execute(f"set variable {column}_ids = (select list(id order by rank) from ranked)")
        con.execute(f"set variable {value} = (select list(drawn::{kind} order by rank) from ranked)")
        con.unregister("ranked")
    con.execute(f"set variable ranked = {list(met[:2])}")


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
    con.execute(f"create or replace temp table function_calls as {load_sql('azure2021/count_calls.sql').format(**names)}")
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


def _one(con: duckdb.DuckDBPyConnection, text: str) -> tuple[Any, ...]:
    row = con.execute(text).fetchone()
    assert row is not None  # noqa: S101 (aggregates always give a row)
    return row
