"""`trine import table`: a table of calls in another dialect becomes files of the source azure2021, one a day. Not here: guessing it.

Ids are hashed (SHA-256), times are rebased so that day 0 is the Sunday on or before the first call, columns are renamed. Rows in are rows
written plus rows rejected; the rejected ones are listed with their line and reason. A file's name holds the beginning of the digest of the
table it was made from, so that importing the same table again replaces its files and another table joins them.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
import os
import re
import shutil
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import LostRowsError, ParameterError, RawDataError
from core.units import DAY_US, US_PER_S
from tasks.data.cleaning import shown
from tasks.data.dialects import CANONICAL, HEX_ID, UNIX_FROM_S, Dialect
from tasks.data.tables import Table, open_table, sha256_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME = "AzureFunctionsInvocationTrace.own.{digest}.from-{zero}.day{day:02d}.csv"
OWN_FILE = re.compile(r"AzureFunctionsInvocationTrace\.own\.(?P<digest>[0-9a-f]{8})\.from-(?P<zero>start|\d{4}-\d\d-\d\d)\.day\d+\.csv")
REJECTS = "import.{digest}.rejects.jsonl"
FROM_START = "start"  # in place of a date: the times were not those of a clock
MOST_DAYS = 366  # of a trace; a row further from most others has a damaged time
FACTORS = {"s": Decimal(US_PER_S), "ms": Decimal(1000), "us": Decimal(1), "ns": Decimal("0.001")}
LARGEST_US = 10**17  # of a time, 3168 years; keeps sums within 64 bits
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class _Unusable(Exception):
    """Why a row is not usable."""


@dataclass
class _Calls:
    """Calls of one table as arrays of equal length: codes of ids, start and duration in us; and the rejected rows."""

    ids: dict[str, int] = field(default_factory=dict)
    app: array[int] = field(default_factory=lambda: array("q"))
    function: array[int] = field(default_factory=lambda: array("q"))
    start_us: array[int] = field(default_factory=lambda: array("q"))
    duration_us: array[int] = field(default_factory=lambda: array("q"))
    line: array[int] = field(default_factory=lambda: array("q"))
    rejects: list[tuple[int, str, str]] = field(default_factory=list)
    rows: int = 0


@dataclass(frozen=True)
class Imported:
    """What became of one table: rows in, rows written, rejected rows by reason, files, and the day that is day 0."""

    table: str
    rows: int
    written: int
    reasons: dict[str, int]
    files: tuple[str, ...]
    day_zero: str


def import_tables(files: Sequence[Path], dialect: Dialect, out: Path, day_zero: str = "") -> list[Imported]:
    """Write the canonical files of some tables into a folder (made if missing).

    Args:
        files: the tables: .csv, .tsv, .txt, .jsonl, .ndjson (each also .gz) or .parquet.
        dialect: their columns and units.
        out: the folder, e.g. data/inbox/azure2021.
        day_zero: date of day 0 as YYYY-MM-DD; empty: that of earlier imports in `out`, else the Sunday on or before the first call.

    Raises:
        ParameterError: a column of the mapping is in no header, or `day_zero` is no date or not that of earlier imports.
        RawDataError: a table cannot be read, or no row of it is usable; nothing of it is written.
    """
    if out.exists() and not out.is_dir():
        raise ParameterError("this is a file, a folder is expected", where=f"--out {out}", how="choose another name")
    zero = _agreed_zero(out, day_zero)
    digests = [sha256_of(file)[:8] for file in files]
    repeated = next((file for file, digest in zip(files, digests, strict=True) if digests.count(digest) > 1), None)
    if repeated:
        raise ParameterError("the same table is given twice", where=str(repeated), how="name each table once")
    tables = [_read(open_table(file), dialect) for file in files]
    spans = [_plausible(calls, file) for calls, file in zip(tables, files, strict=True)]
    if zero is None:
        zero = _day_zero(min(first for first, _ in spans))
    for calls, span in zip(tables, spans, strict=True):
        _rebase(calls, span, zero)
    return [_write(calls, file, digest, out, zero) for calls, file, digest in zip(tables, files, digests, strict=True)]


def _agreed_zero(out: Path, wanted: str) -> str | None:
    """The date of day 0 that was asked for or that earlier imports have; None if it is still open."""
    known = {found["zero"] for file in (out.iterdir() if out.is_dir() else ()) if (found := OWN_FILE.fullmatch(file.name))}
    if wanted:
        try:
            dt.date.fromisoformat(wanted)
        except ValueError:
            raise ParameterError(f"'{wanted}' is no date", where="--day-zero", how="write it as 2026-01-04") from None
    if wanted and known - {wanted}:
        what = f"day 0 of the files in this folder is {min(known)}, not {wanted}"
        raise ParameterError(what, where=str(out), how="leave --day-zero out, or import all tables again into an empty folder")
    if len(known) > 1:
        what = f"files in this folder count from different days: {', '.join(sorted(known))}"
        raise ParameterError(what, where=str(out), how="remove the files of one, and import its table again")
    return wanted or next(iter(known), None)


def _read(table: Table, dialect: Dialect) -> _Calls:
    """Read every row of a table; times are still those of its clock."""
    places = table.places(dialect.columns)
    calls = _Calls()
    for line, fields, raw, reason in table.rows:
        calls.rows += 1
        try:
            if reason:
                raise _Unusable(reason)
            start_us, duration_us = _times({role: fields[place] for role, place in places.items()}, dialect)
            app, function = _ids(fields, places)
        except _Unusable as unusable:
            calls.rejects.append((line, str(unusable), shown(raw)))
            continue
        calls.app.append(calls.ids.setdefault(app, len(calls.ids)))
        calls.function.append(calls.ids.setdefault(function, len(calls.ids)))
        calls.start_us.append(start_us)
        calls.duration_us.append(duration_us)
        calls.line.append(line)
    return calls


def _ids(fields: Sequence[str], places: dict[str, int]) -> tuple[str, str]:
    """The hashed ids of a row. A function is one of its app: two apps may have a function of the same name."""
    app = fields[places["app"]].strip()
    name = fields[places["func"]].strip() if "func" in places else app
    if not app or not name:
        raise _Unusable("missing_value")
    function = name if HEX_ID.fullmatch(name) and "func" in places else hashlib.sha256(f"{app}\0{name}".encode()).hexdigest()
    return app if HEX_ID.fullmatch(app) else hashlib.sha256(app.encode()).hexdigest(), function


def _times(texts: dict[str, str], dialect: Dialect) -> tuple[int, int]:
    """Start and duration in whole microseconds."""
    found = {role: _moment(texts[role].strip(), unit) for role, unit in dialect.units.items()}
    duration = found["duration"] if "duration" in found else found["end"] - found["start"]
    if duration < 0:
        raise _Unusable("negative_duration")
    start = found["start"] if "start" in found else found["end"] - duration
    if abs(start) > LARGEST_US or duration > LARGEST_US:
        raise _Unusable("time_out_of_range")
    return start, duration


def _moment(text: str, unit: str) -> int:
    if not text:
        raise _Unusable("missing_value")
    if unit == "iso":
        return _iso(text)
    try:
        value = Decimal(text) if "_" not in text else Decimal("x")
        if not value.is_finite():
            raise _Unusable("not_finite")
        if value.adjusted() > 30:
            raise _Unusable("time_out_of_range")
        return int((value * FACTORS[unit]).to_integral_value())
    except InvalidOperation:
        raise _Unusable("bad_number") from None


def _iso(text: str) -> int:
    """Microseconds since 1970; a time without a zone is UTC."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise _Unusable("bad_time") from None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)) - EPOCH) // dt.timedelta(microseconds=1)


def _plausible(calls: _Calls, file: Path) -> tuple[int, int]:
    """The span of starts around the median that a trace may have; one damaged time must not move all others.

    Raises:
        RawDataError: no row is usable.
    """
    if not calls.start_us:
        reasons = ", ".join(f"{reason} {count}" for reason, count in Counter(r for _, r, _ in calls.rejects).most_common())
        what = f"none of {calls.rows} rows is usable ({reasons})" if calls.rows else "the table has no row"
        raise RawDataError(what, where=str(file), how="correct the columns and units in --map; without --map, one is proposed")
    middle = sorted(calls.start_us)[len(calls.start_us) // 2]
    low, high = middle - MOST_DAYS * DAY_US, middle + MOST_DAYS * DAY_US
    return min(start for start in calls.start_us if low <= start <= high), high


def _day_zero(first_us: int) -> str:
    """The Sunday on or before a time of a clock, so that weekdays keep; `start` for times from the start of a trace."""
    if first_us < UNIX_FROM_S * US_PER_S:
        return FROM_START
    day = (EPOCH + dt.timedelta(microseconds=first_us)).date()
    return (day - dt.timedelta(days=(day.weekday() + 1) % 7)).isoformat()


def _rebase(calls: _Calls, span: tuple[int, int], zero: str) -> None:
    """Count times from day 0; rows before it or far from most others are rejected."""
    zero_us = 0 if zero == FROM_START else (dt.date.fromisoformat(zero) - EPOCH.date()).days * DAY_US
    kept = _Calls(ids=calls.ids, rejects=calls.rejects, rows=calls.rows)
    for app, function, start, duration, line in zip(calls.app, calls.function, calls.start_us, calls.duration_us, calls.line, strict=True):
        reason = "time_far_from_the_others" if not span[0] <= start <= span[1] else "before_day_zero" if start < zero_us else ""
        if reason:
            kept.rejects.append((line, reason, f"start {start} us, day 0 at {zero_us} us"))
            continue
        for column, value in zip(
            (kept.app, kept.function, kept.start_us, kept.duration_us, kept.line),
            (app, function, start - zero_us, duration, line),
            strict=True,
        ):
            column.append(value)
    for name in ("app", "function", "start_us", "duration_us", "line", "rejects"):
        setattr(calls, name, getattr(kept, name))


def _write(calls: _Calls, file: Path, digest: str, out: Path, zero: str) -> Imported:
    """Write one file a day beside the folder, then give them their names; files of an earlier import of this table go."""
    import numpy as np

    columns = [np.array(column, dtype=np.int64) for column in (calls.start_us, calls.app, calls.function, calls.duration_us)]
    if not len(columns[0]):
        raise RawDataError(f"no row of {calls.rows} lies on or after day 0 ({zero})", where=str(file), how="correct --day-zero")
    names = np.array(list(calls.ids))
    ranks = np.argsort(np.argsort(names))
    order = np.lexsort((columns[3], ranks[columns[2]], ranks[columns[1]], columns[0]))
    draft = out.with_name(f".{out.name}.{os.getpid()}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        written = _write_days([column[order] for column in columns], list(calls.ids), draft, digest, zero)
        rejects = draft / REJECTS.format(digest=digest)
        with rejects.open("w", encoding="utf-8", newline="\n") as handle:
            for line, reason, row in sorted(calls.rejects):
                handle.write(json.dumps({"file": file.name, "line": line, "reason": reason, "row": row}) + "\n")
        if not calls.rejects:
            rejects.unlink()
        if written + len(calls.rejects) != calls.rows:
            what = f"{calls.rows} rows in, {written} written, {len(calls.rejects)} rejected"
            raise LostRowsError(what, where=str(file), how="tell the maintainers; nothing was written")
        out.mkdir(parents=True, exist_ok=True)
        fresh = sorted(entry.name for entry in draft.iterdir())
        for name in fresh:
            (draft / name).replace(out / name)
        for old in out.iterdir():
            known = OWN_FILE.fullmatch(old.name)
            if ((known and known["digest"] == digest) or old.name == REJECTS.format(digest=digest)) and old.name not in fresh:
                old.unlink()
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    reasons = dict(sorted(Counter(reason for _, reason, _ in calls.rejects).items()))
    return Imported(str(file), calls.rows, written, reasons, tuple(name for name in fresh if OWN_FILE.fullmatch(name)), zero)


def _write_days(columns: list[NDArray[np.int64]], ids: list[str], draft: Path, digest: str, zero: str) -> int:
    start, app, function, duration = columns
    days, firsts = _runs(start // DAY_US)
    for day, (low, high) in zip(days, firsts, strict=True):
        with (draft / NAME.format(digest=digest, zero=zero, day=day)).open("w", encoding="utf-8", newline="\n") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            writer.writerow(CANONICAL)
            for k in range(low, high):
                end, length = int(start[k] + duration[k]), int(duration[k])
                writer.writerow((ids[app[k]], ids[function[k]], _seconds(end), _seconds(length)))
    return len(start)


def _runs(days: NDArray[np.int64]) -> tuple[list[int], list[tuple[int, int]]]:
    """Each day of an ascending array, with where its run begins and ends."""
    import numpy as np

    found, firsts = np.unique(days, return_index=True)
    ends = [*firsts[1:].tolist(), len(days)]
    return found.tolist(), list(zip(firsts.tolist(), ends, strict=True))


def _seconds(us: int) -> str:
    return f"{us // US_PER_S}.{us % US_PER_S:06d}"
