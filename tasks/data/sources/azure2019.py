"""Azure Functions trace 2019: counts a minute, percentiles of durations, memory of apps. Not here: the framework (tasks/data/ingest.py).

The release counts calls by minute; each call is sampled: a uniform microsecond inside its minute, a duration between the percentiles of
its function and day. Both depend on (app, function, day, minute, index) alone, so that later days never change them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import RawDataError
from core.units import DAY_US, MINUTE_US, MINUTES_PER_DAY
from tasks.data.ingest_settings import IngestSettings
from tasks.data.sources.base import Kind, RawFile, count_rows, one_row, shared_digits

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    from numpy.typing import NDArray

    from tasks.core.params import Params

KEYS = ("HashOwner", "HashApp", "HashFunction")
COUNT_KEYS = (*KEYS, "Trigger")
KNOTS = (0.0, 0.01, 0.25, 0.50, 0.75, 0.99, 1.0)  # of the percentiles that the release gives
DURATION_PARTS, MEMORY_PARTS = (0, 1, 25, 50, 75, 99, 100), (1, 5, 25, 50, 75, 95, 99, 100)  # percentiles
DURATION_HEADER = (*KEYS, "Average", "Count", "Minimum", "Maximum", *(f"percentile_Average_{p}" for p in DURATION_PARTS))
MEMORY_HEADER = (*KEYS[:2], "SampleCount", "AverageAllocatedMb", *(f"AverageAllocatedMb_pct{p}" for p in MEMORY_PARTS))
WIDTHS = {"durations": len(DURATION_HEADER), "memory": len(MEMORY_HEADER)}  # fields of a row; of counts the header says it
CALL_KEY_STREAM, ARRIVAL_STREAM, DURATION_STREAM, SILENT_STREAM = 13, 14, 15, 16  # random streams of the sampled columns
# A function without percentiles: log-normal of the function averages of the release (scale 682 ms, sigma 2.45; azure/SOURCES.md).
SILENT_MEDIAN_MS, SILENT_SIGMA = 682.0, 2.45
LEAST_MEMORY_MB, MOST_MEMORY_MB = 1, 10_240  # measured values are rounded and cut to these
CALLS_AT_ONCE = 1_000_000  # sampled together: limits the memory
REFERENCE_FILES = (Path(__file__).with_name("sampled.py"),)  # its memory_mb draws for apps without a measurement
_ID = re.compile(r"[0-9a-f]{64}")
_MINUTE = re.compile(r"[1-9][0-9]{0,3}")
_DAY = re.compile(r"\.d([0-9]{1,3})\.")
# The same readings as in sql/azure2019.
_COUNT = re.compile(r"[0-9]{1,7}")
_TRIGGER = re.compile(r"[a-z]+")
_MEASURE = re.compile(r"-?(?:[0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?")


def minutes_complaint(header: list[str]) -> str | None:
    """Return what is wrong with the header of a file of counts, or None: four keys, then a run of minutes within 1..1440."""
    if tuple(header[:4]) != COUNT_KEYS:
        return f"expected {','.join(COUNT_KEYS)} and minutes"
    minutes = [int(m) if _MINUTE.fullmatch(m) else 0 for m in header[4:]]
    if not minutes:
        return "no minute columns"
    if not 1 <= minutes[0] <= minutes[-1] <= MINUTES_PER_DAY or minutes != list(range(minutes[0], minutes[-1] + 1)):
        return f"the minute columns are no unbroken run within 1..{MINUTES_PER_DAY}"
    return None


KINDS = (
    Kind("functions", r"(?:.*/)?invocations_per_function_md\.(?:[^/]*\.)?csv(?:\.gz)?", minutes_complaint),
    Kind("durations", r"(?:.*/)?function_durations_percentiles\.(?:[^/]*\.)?csv(?:\.gz)?", DURATION_HEADER),
    Kind("memory", r"(?:.*/)?app_memory_percentiles\.(?:[^/]*\.)?csv(?:\.gz)?", MEMORY_HEADER),
)


def day_of_file(name: str) -> int:
    """Return the day of a file: `.d01.` in its name is day 0, as is no such part.

    Raises:
        RawDataError: the part is `.d00.`.
    """
    found = _DAY.search(name.rsplit("/", 1)[-1])
    if found is None:
        return 0
    if int(found.group(1)) == 0:
        raise RawDataError("day d00 does not exist: days count from d01", where=name, how="rename the file")
    return int(found.group(1)) - 1


def day_of(kind: str, name: str, fields: Sequence[str]) -> int | None:
    """Return the day of a row, which is that of its file."""
    return day_of_file(name)


def width(kind: str, path: Path) -> int | None:
    """Return the number of fields of every row of a file, where its header decides it: `ingest` asks before it looks line by line."""
    return len(COUNT_KEYS) + len(_minutes(path)) if kind == "functions" else None


def _minutes(path: Path) -> list[str]:
    import csv
    import gzip

    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as raw:
        return next(csv.reader([raw.readline().decode("utf-8-sig").rstrip("\r\n")]))[4:]


def check_fields(kind: str, fields: Sequence[str], params: Params) -> str | None:
    """Return why a row is not usable, or None (the width of a file of counts is that of its header: `width` says it)."""
    if len(fields) != WIDTHS.get(kind, len(fields)) or len(fields) < 5:
        return "wrong_column_count"
    if not all(_ID.fullmatch(text) for text in fields[: 2 if kind == "memory" else 3]):
        return "bad_id"
    if kind == "functions":
        if not _TRIGGER.fullmatch(fields[3]):
            return "bad_trigger"
        return None if all(_COUNT.fullmatch(text) for text in fields[4:]) else "bad_count"
    texts = fields[7:] if kind == "durations" else [fields[7]]
    others = fields[3:7] if kind == "durations" else [*fields[2:7], *fields[8:]]  # not used, may be empty
    if not all(_MEASURE.fullmatch(text) for text in (*texts, *filter(None, others))):
        return "bad_number"
    numbers = [float(text) for text in texts]
    if kind == "memory":
        return "negative_memory" if numbers[0] < 0 else None
    if numbers[0] < 0:
        return "negative_duration"
    if numbers != sorted(numbers):
        return "percentiles_not_ascending"
    return "duration_too_long" if numbers[-1] > params.section("ingest", IngestSettings).max_duration_s * 1000 else None


def read(con: duckdb.DuckDBPyConnection, file: RawFile, path: Path, work: Path, params: Params) -> tuple[int, int]:
    """Read one file into `work/<kind>/day=<N>/` (counts also into `work/counts`); see the interface in tasks/data/sources/base.py."""
    from tasks.core.database import literal, load_sql
    from tasks.data.raw_files import commas_too_many

    day = day_of_file(file.name)
    settings = params.section("ingest", IngestSettings)
    if day >= settings.max_arrival_day:
        what = f"day {day + 1} is beyond the last day that is read ({settings.max_arrival_day})"
        raise RawDataError(what, where=file.name, how="take the file out, or raise ingest.max_arrival_day in params.yaml")
    con.execute(load_sql("azure2019/macros.sql"))
    if file.kind == "functions":
        minutes = _minutes(path)
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in ("owner", "app", "function", "trigger", *minutes))
        given = {"file": literal(path), "columns": "{" + columns + "}", "cells": "[" + ", ".join(f'"{m}"' for m in minutes) + "]"}
        rows, bad = one_row(con, load_sql("azure2019/check_functions.sql").format(**given))
        tables = {name: load_sql(f"azure2019/read_{name}.sql").format(**given) for name in ("functions", "counts")}
    else:
        text = load_sql(f"azure2019/read_{file.kind}.sql").format(
            file=literal(path), most_ms=params.section("ingest", IngestSettings).max_duration_s * 1000
        )
        con.execute(f"create or replace temp table lines as {text}")
        rows, bad = one_row(con, "select count(*), count(*) filter (where not good) from lines")
        tables = {file.kind: "select * exclude (good) from lines"}
    bad = bad or commas_too_many(path, rows + 1, width(file.kind, path) or WIDTHS[file.kind])
    if not bad and rows:
        for name, text in tables.items():
            piece = work / name / f"day={day}" / f"{file.sha256[:16]}.parquet"
            piece.parent.mkdir(parents=True, exist_ok=True)
            con.execute(f"copy ({text}) to {literal(piece)} (format parquet)")
    return int(rows), int(bad)


def write_day(con: duckdb.DuckDBPyConnection, work: Path, day: int, out: Path, params: Params) -> int:
    """Write invocations, minute_counts and ids of one day; returns the lines of the raw files behind them (not the calls)."""
    from tasks.core.database import literal, load_sql

    pieces = {name: work / name / f"day={day}" for name in ("functions", "counts", "durations", "memory")}
    lines = sum(count_rows(con, pieces[name]) for name in ("functions", "durations", "memory") if pieces[name].exists())
    if not pieces["functions"].exists():
        return lines
    percentiles = ", ".join(f"{p} double" for p in ("p0", "p1", "p25", "p50", "p75", "p99", "p100"))
    tables = {"durations": f"app_id bigint, function_id bigint, {percentiles}", "memory": "app_id bigint, memory_mb double"}
    for name, columns in tables.items():
        con.execute(f"create or replace temp table day_{name} ({columns})")
        if pieces[name].exists():
            found = f"read_parquet({literal(pieces[name] / '*.parquet')}, hive_partitioning = false)"
            con.execute(f"insert into day_{name} select * from {found}")
    knots = _know_functions(con, pieces["functions"], params)
    copy = "copy ({}) to {} (format parquet, compression zstd)"
    con.execute(copy.format("select * exclude (position) from known_functions order by all", literal(out / "ids.parquet")))
    counts = out / "minute_counts.parquet"
    text = load_sql("azure2019/minute_counts.sql").format(counts=literal(pieces["counts"] / "*.parquet"))
    con.execute(copy.format(text, literal(counts)))
    sampled = work / f"sampled-{day}.parquet"
    _draw_to(con, counts, sampled, knots, day, params)
    con.execute(copy.format(load_sql("azure2019/write_day.sql").format(sampled=literal(sampled)), literal(out / "invocations.parquet")))
    sampled.unlink()
    return lines


def _know_functions(con: duckdb.DuckDBPyConnection, functions: Path, params: Params) -> NDArray[np.float64]:
    """Make the table known_functions (position, ids, names, trigger, memory_mb); return percentiles in ms, shape (functions, 7)."""
    import numpy as np
    import pyarrow as pa

    from simulator import rng
    from tasks.core.database import literal, load_sql
    from tasks.data.sources.sampled import memory_mb

    table = con.sql(load_sql("azure2019/day_functions.sql").format(functions=literal(functions / "*.parquet"))).to_arrow_table()
    app_ids, function_ids = (table.column(name).to_numpy() for name in ("app_id", "function_id"))
    measured = table.column("memory_mb").to_numpy().astype(np.float64)
    memory = np.where(np.isnan(measured), memory_mb(app_ids.tolist(), params), np.clip(np.rint(measured), LEAST_MEMORY_MB, MOST_MEMORY_MB))
    names = ("p0", "p1", "p25", "p50", "p75", "p99", "p100")
    knots = np.column_stack([table.column(name).to_numpy().astype(np.float64) for name in names])
    silent = SILENT_MEDIAN_MS * np.exp(SILENT_SIGMA * rng.normal(params.seed, _function_key(app_ids, function_ids, params), SILENT_STREAM))
    silent = np.minimum(silent, params.section("ingest", IngestSettings).max_duration_s * 1000.0)
    knots = np.where(np.isnan(knots), silent[:, None], knots)
    known = table.select(["app_id", "function_id", "app", "function", "trigger"])
    known = known.append_column("memory_mb", pa.array(memory.astype(np.int32)))
    known = known.append_column("position", pa.array(np.arange(len(memory), dtype=np.int32)))
    con.register("known_arrow", known)
    con.execute("create or replace temp table known_functions as select * from known_arrow")
    con.unregister("known_arrow")
    return knots


def _function_key(app_ids: NDArray[np.int64], function_ids: NDArray[np.int64], params: Params) -> NDArray[np.uint64]:
    """Return the key of a function's draws; the app counts, since two apps may share a function's hash."""
    import numpy as np

    from simulator import rng

    apps = rng.hash_u64(params.seed, app_ids, CALL_KEY_STREAM)
    return rng.hash_u64(params.seed, apps + function_ids.astype(np.uint64), CALL_KEY_STREAM)


def _draw_to(con: duckdb.DuckDBPyConnection, counts: Path, target: Path, knots: NDArray[np.float64], day: int, params: Params) -> None:
    """Write the calls of a day to `target`: position of the function, arrival_us, duration_us."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tasks.core.database import literal

    cells = con.execute(
        "select f.position, c.app_id, c.function_id, c.minute, c.calls "
        f"from read_parquet({literal(counts)}, hive_partitioning = false) c join known_functions f using (app_id, function_id) "
        "order by f.position, c.minute"
    ).fetchnumpy()
    schema = pa.schema([("position", pa.int32()), ("arrival_us", pa.int64()), ("duration_us", pa.int64())])
    with pq.ParquetWriter(target, schema) as writer:
        for columns in draw_calls(cells, knots, day, params):
            writer.write_table(pa.table(list(columns), schema=schema))


def draw_calls(
    cells: dict[str, Any], knots: NDArray[np.float64], day: int, params: Params
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]]:
    """Yield blocks of calls: (position, arrival_us, duration_us).

    Args:
        cells: arrays of equal length: position (row of `knots`), app_id, function_id, minute (1..1440), calls.
        knots: percentiles of the duration in ms at KNOTS, shape (functions, 7); linear between them.
        day: of the calls, from 0.
        params: for the seed.
    """
    import numpy as np

    from simulator import rng

    keys = _function_key(cells["app_id"], cells["function_id"], params)
    keys += (day * MINUTES_PER_DAY + cells["minute"].astype(np.uint64)) << np.uint64(40)
    start_us = day * DAY_US + (cells["minute"].astype(np.int64) - 1) * MINUTE_US
    ends = np.cumsum(cells["calls"].astype(np.int64))
    total = int(ends[-1]) if len(ends) else 0
    levels = np.array(KNOTS)
    for first in range(0, total, CALLS_AT_ONCE):
        call = np.arange(first, min(first + CALLS_AT_ONCE, total), dtype=np.int64)
        cell = np.searchsorted(ends, call, side="right")
        key = keys[cell] + (call - (ends[cell] - cells["calls"][cell])).astype(np.uint64)
        arrival = start_us[cell] + (rng.uniform(params.seed, key, ARRIVAL_STREAM) * MINUTE_US).astype(np.int64)
        u = rng.uniform(params.seed, key, DURATION_STREAM)
        low = np.searchsorted(levels[1:-1], u, side="right")
        position = cells["position"][cell].astype(np.int32)
        below, above = knots[position, low], knots[position, low + 1]
        share = (u - levels[low]) / (levels[low + 1] - levels[low])
        yield position, arrival, np.rint((below + share * (above - below)) * 1000.0).astype(np.int64)


def summarise(con: duckdb.DuckDBPyConnection, staged: Path, params: Params) -> dict[str, Any]:
    """Write apps.parquet and functions.parquet; return the totals of the source.

    Raises:
        RawDataError: two different ids share their first 15 hex digits.
    """
    from tasks.core.database import literal, load_sql

    totals: dict[str, Any] = {"apps": 0, "functions": 0, "minutes": 0, "invocations": 0, "nonzero_cells": 0}
    totals |= {"busiest_minute": None, "quietest_minute": None}
    if not any(staged.glob("day=*/minute_counts.parquet")):
        return totals
    names = {name: literal(staged / "day=*" / f"{name}.parquet") for name in ("ids", "minute_counts")}
    for table, keys in (("apps", "app_id"), ("functions", "app_id, function_id")):
        file = literal(staged / f"{table}.parquet")
        con.execute(f"copy ({load_sql(f'azure2019/{table}.sql').format(**names)}) to {file} (format parquet, compression zstd)")
        rows, ids = one_row(con, f"select count(*), count(distinct ({keys})) from read_parquet({file})")
        if rows != ids:
            raise shared_digits(table, table[:-1])
        totals[table] = int(rows)
    minutes = con.execute(load_sql("azure2019/minutes.sql").format(**names)).fetchall()
    totals |= {"minutes": len(minutes), "invocations": sum(m[2] for m in minutes), "nonzero_cells": sum(m[3] for m in minutes)}
    if minutes:
        for key, found in (("busiest_minute", max(minutes, key=lambda m: m[2])), ("quietest_minute", min(minutes, key=lambda m: m[2]))):
            totals[key] = {"day": found[0], "minute": found[1], "calls": found[2]}
    return totals
