"""Azure Functions trace 2021: one row per call. Not here: the framework (tasks/data/ingest.py), the twin.

The trace gives the end and the duration of a call; the start (arrival) is their difference in whole microseconds. It is silent
about memory and trigger: both are sampled, keyed by the id alone, so that later days never change them.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from core.units import DAY_US
from tasks.data.ingest_settings import IngestSettings
from tasks.data.raw_files import BOM, open_raw
from tasks.data.sources.base import Kind, RawFile, one_row, shared_digits
from tasks.data.sources.sampled import ID_DIGITS, TRIGGER_MIX, memory_mb, triggers

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from tasks.core.params import Params

HEADER = ("app", "func", "end_timestamp", "duration")
KINDS = (Kind("invocations", r"(?:.*/)?AzureFunctionsInvocationTrace[^/]*\.(?:csv|txt)(?:\.gz)?", HEADER),)
IS_IMPORTABLE = True  # `trine import table` makes files of this source
REFERENCE_FILES = (
    TRIGGER_MIX,
    Path(__file__).with_name("sampled.py"),
)  # what else a staged byte depends on; `ingest` rebuilds all when one changes
_ID = re.compile(r"[0-9a-f]{64}")
# What Arrow's CSV reader takes as a number, so that both paths judge alike; NaN and infinity pass here, to be named apart.
_NUMBER = re.compile(r"[ \t]*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf|infinity)[ \t]*", re.IGNORECASE | re.ASCII)
# A quote that neither opens nor closes a field; Arrow would read "1"2 as 12.
_BROKEN_QUOTES = re.compile(rb'[^,\n]"[^,\r\n]')
MAX_END_S = 1e12  # far beyond any day; keeps microseconds within 64 bits
BLOCK_BYTES = 1 << 22  # of a file that are parsed at once
HELD_ROWS = 1 << 21  # read before they are written as pieces, 24 bytes each
PIECE_ROWS = 1 << 17  # in a row group of a piece
COLUMNS = ("app", "function")


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
    if duration > params.section("ingest", IngestSettings).max_duration_s:
        return "duration_too_long"
    if abs(end) > MAX_END_S or not 0 <= _us(end) - _us(duration) < params.section("ingest", IngestSettings).max_arrival_day * DAY_US:
        return "arrival_out_of_range"
    return None


def _us(seconds: float) -> int:
    """Whole microseconds, halves to even as in np.rint."""
    return round(seconds * 1e6)


def read(con: duckdb.DuckDBPyConnection, file: RawFile, path: Path, work: Path, params: Params) -> tuple[int, int]:
    """Read one file into `work/invocations/day=<N>/`; see the interface in tasks/data/sources/base.py.

    One pass by Arrow's CSV reader, which ends at the first block with a row that fails a check. A block's ids come as a dictionary, so
    that each text is looked at once a block. Pieces hold codes of the temp tables known_app and known_function, which the files of a
    run share.
    """
    known = [_known(con, column) for column in COLUMNS]
    threads = int(one_row(con, "select current_setting('threads')")[0])
    held: dict[int, list[pa.Table]] = {}
    rows = rows_held = 0
    for calls in _parsed(path, threads, params):
        if calls is None:
            return rows + 1, 1
        for day, part in _by_day(calls, *known):
            held.setdefault(day, []).append(part)
        rows += calls.num_rows
        rows_held += calls.num_rows
        if rows_held >= HELD_ROWS:
            _write_pieces(held, work / "invocations", rows)
            held, rows_held = {}, 0
    _write_pieces(held, work / "invocations", rows)
    for column, codes in zip(COLUMNS, known, strict=True):
        _remember(con, column, codes)
    return rows, 0


def _parsed(path: Path, threads: int, params: Params) -> Iterator[pa.Table | None]:
    """Yield the calls of a file block by block, in order; None for a block with a row that fails a check."""
    buffers = [bytearray(BLOCK_BYTES) for _ in range(threads + 2)]  # one is filled, one is looked at, the others are parsed
    with open_raw(path) as handle, ThreadPoolExecutor(threads) as pool:
        handle.readline()  # the header, which `scan` has checked
        waiting: deque[Future[pa.Table | None]] = deque()
        for buffer, size in _blocks(handle, buffers):
            waiting.append(pool.submit(_parse, buffer, size, params))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        for future in waiting:
            yield future.result()


def _blocks(handle: IO[bytes], buffers: list[bytearray]) -> Iterator[tuple[bytearray, int]]:
    """Fill the buffers in turn; yield each with the size of its whole lines. A longer line comes in parts, which are no rows."""
    rest = b""
    for buffer in cycle(buffers):
        view = memoryview(buffer)
        view[: len(rest)] = rest
        size = len(rest) + handle.readinto(view[len(rest) :])  # type: ignore[attr-defined]
        end = buffer.rfind(b"\n", 0, size) + 1 if size > len(rest) else size
        if size:
            yield buffer, end or size
        if size == len(rest):
            break
        rest = bytes(view[end or size : size])


def _parse(buffer: bytearray, size: int, params: Params) -> pa.Table | None:
    """Parse the lines in the first `size` bytes: ids as dictionaries, arrival_us, duration_us; None where check_fields rejects a row."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv as arrow_csv

    block = memoryview(buffer)[:size]
    is_quoted = buffer.find(b'"', 0, size) >= 0
    if (is_quoted and _BROKEN_QUOTES.search(block)) or buffer.startswith(BOM):
        return None
    ids = pa.dictionary(pa.int32(), pa.binary())
    types = dict(zip(HEADER, (ids, ids, pa.float64(), pa.float64()), strict=True))
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(block),
            arrow_csv.ReadOptions(use_threads=False, block_size=size, column_names=HEADER),
            arrow_csv.ParseOptions(quote_char='"' if is_quoted else False, ignore_empty_lines=False),
            arrow_csv.ConvertOptions(column_types=types, null_values=[], check_utf8=False),
        )
    except pa.ArrowInvalid:
        return None
    app, function, end_s, duration_s = (column.chunk(0) for column in table.columns)
    if not all(pc.all(pc.match_substring_regex(column.dictionary, f"^{_ID.pattern}$")).as_py() for column in (app, function)):
        return None
    end_s, duration_s = end_s.to_numpy(), duration_s.to_numpy()
    most_s = params.section("ingest", IngestSettings).max_duration_s
    if not ((np.abs(end_s) <= MAX_END_S) & (duration_s >= 0) & (duration_s <= most_s)).all():
        return None
    duration_us = np.rint(duration_s * 1e6).astype(np.int64)
    arrival_us = np.rint(end_s * 1e6).astype(np.int64) - duration_us
    if arrival_us.min() < 0 or arrival_us.max() >= params.section("ingest", IngestSettings).max_arrival_day * DAY_US:
        return None
    return pa.table({"app": app, "func": function, "arrival_us": arrival_us, "duration_us": duration_us})


def _known(con: duckdb.DuckDBPyConnection, column: str) -> dict[bytes, int]:
    con.execute(f"create temp table if not exists known_{column} (text varchar, code integer)")
    return {text.encode(): code for text, code in con.execute(f"select text, code from known_{column}").fetchall()}


def _remember(con: duckdb.DuckDBPyConnection, column: str, codes: dict[bytes, int]) -> None:
    import pyarrow as pa

    con.register("codes", pa.table({"text": [text.decode() for text in codes], "code": pa.array(codes.values(), pa.int32())}))
    con.execute(f"create or replace temp table known_{column} as select text::varchar as text, code from codes")
    con.unregister("codes")


def _by_day(calls: pa.Table, apps: dict[bytes, int], functions: dict[bytes, int]) -> Iterator[tuple[int, pa.Table]]:
    """Yield (day, its calls with codes in place of ids) for each day; new ids join `apps` and `functions`."""
    import numpy as np
    import pyarrow as pa

    app, function, arrival_us, duration_us = (column.chunk(0) for column in calls.columns)
    codes = [_coded(app, apps), _coded(function, functions)]
    table = pa.table([*codes, arrival_us, duration_us], ["app_code", "function_code", "arrival_us", "duration_us"])
    day = arrival_us.to_numpy() // DAY_US
    if (day != day[0]).any():
        table = table.take(np.argsort(day, kind="stable"))
    sizes = np.bincount(day)
    for wanted in np.flatnonzero(sizes).tolist():
        yield wanted, table.slice(sizes[:wanted].sum(), sizes[wanted])


def _coded(ids: Any, codes: dict[bytes, int]) -> npt.NDArray[np.int32]:
    """Return the code of each id of a dictionary array: the next free one for an id not met before."""
    import numpy as np

    found = [codes.setdefault(text, len(codes)) for text in ids.dictionary.to_pylist()]
    return np.array(found, dtype=np.int32)[ids.indices.to_numpy()]


def _write_pieces(held: dict[int, list[pa.Table]], target: Path, number: int) -> None:
    """Write the calls of each day into `target/day=<N>/<number>.parquet`, unsorted."""
    import pyarrow as pa
    from pyarrow import parquet

    # pieces live for seconds: packing them costs more than it saves; from statistics DuckDB would learn "not null" of a single piece
    # and write it into the staged file, whose bytes would then depend on the number of pieces
    options = {"compression": "none", "use_dictionary": False, "write_statistics": False, "row_group_size": PIECE_ROWS}
    for day, tables in held.items():
        folder = target / f"day={day}"
        folder.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.concat_tables(tables), folder / f"{number:012d}.parquet", **options)


def write_day(con: duckdb.DuckDBPyConnection, work: Path, day: int, out: Path, params: Params) -> int:
    """Write `out/invocations.parquet` and `out/ids.parquet` of one day; returns the calls."""
    from tasks.core.database import literal, load_sql

    _rank_ids(con, params)
    pieces = literal(work / "invocations" / f"day={day}" / "*.parquet")
    rows = 0
    options = "format parquet, compression zstd, parquet_version v2"  # v2 packs sorted integers: smaller and faster
    for table, name in (("ids", "write_ids"), ("invocations", "write_day")):
        text = load_sql(f"azure2021/{name}.sql").format(pieces=pieces)
        rows = one_row(con, f"copy ({text}) to {literal(out / f'{table}.parquet')} ({options})")[0]
    return int(rows)


def _rank_ids(con: duckdb.DuckDBPyConnection, params: Params) -> None:
    """Set the lists that write_day.sql looks up: rank by code; id, memory, trigger by rank. Nothing to do while no id is new."""
    import pyarrow as pa

    met = one_row(con, "select (select count(*) from known_app), (select count(*) from known_function), getvariable('ranked')")
    if met[2] == list(met[:2]):
        return
    for column in COLUMNS:
        known = con.execute(f"select text, code from known_{column} order by text").fetchall()
        ids = [int(text[:ID_DIGITS], 16) for text, _ in known]
        sampled = memory_mb(ids, params) if column == "app" else triggers(ids, params)
        rank = pa.array(range(1, len(ids) + 1), pa.int32())
        con.register("ranked", pa.table({"rank": rank, "code": [code for _, code in known], "id": ids, "sampled": sampled}))
        value = {"app": "app_memory", "function": "function_triggers"}[column]
        kind = {"app": "integer", "function": "varchar"}[column]
        con.execute(f"set variable {column}_rank = (select list(rank order by code) from ranked)")
        con.execute(f"set variable {column}_ids = (select list(id order by rank) from ranked)")
        con.execute(f"set variable {value} = (select list(sampled::{kind} order by rank) from ranked)")
        con.unregister("ranked")
    con.execute(f"set variable ranked = {list(met[:2])}")


def summarise(con: duckdb.DuckDBPyConnection, staged: Path, params: Params) -> dict[str, Any]:
    """Write apps.parquet and functions.parquet; return the totals of the source.

    Raises:
        RawDataError: two different ids share their first 15 hex digits.
    """
    from tasks.core.database import literal, load_sql

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
        ids, labels = one_row(con, f"select count(distinct {key}), count(distinct {label}) from {file}")
        if ids != labels:
            raise shared_digits(table, label)
        totals[table] = int(ids)
    # each day's rows are compared in their order, by one thread; the branches of a union run side by side
    each_day = (f"({load_sql('azure2021/totals.sql').format(invocations=literal(day))})" for day in days)
    found = con.execute(" union all ".join(each_day)).fetchall()
    totals["duration_us_sum"] = sum(int(row[0]) for row in found)
    totals["zero_durations"] = sum(int(row[1]) for row in found)
    totals["arrival_us_min"] = min(int(row[2]) for row in found)
    totals["arrival_us_max"] = max(int(row[3]) for row in found)
    totals["exact_duplicates"] = sum(int(row[4]) for row in found)
    return totals
