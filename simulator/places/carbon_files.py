"""Hourly carbon intensity from files: exports of Electricity Maps, or one wide table. Not here: profiles (simulator/places/tables.py).

An export has a row per hour and zone: `Datetime (UTC)`, `Zone id` and a life-cycle column, `Carbon intensity gCO2eq/kWh (Life cycle)`
or, in older files, `... (LCA)`. A wide table has `datetime_utc` and a column per zone. Both may be gzipped.
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulator.places.csv_rows import TableError

WIDE = "datetime_utc"
EXPORT_TIME, EXPORT_ZONE = "datetime (utc)", "zone id"
EXPORT_VALUES = ("carbon intensity gco2eq/kwh (life cycle)", "carbon intensity gco2eq/kwh (lca)")
GAP = "get the missing hours from the publisher, or set another world.carbon.start in params.yaml"


def load_hourly_carbon(files: Sequence[Path], zones: Sequence[Sequence[str]], start: date, hours: int) -> NDArray[np.int64]:
    """Return the carbon intensity of some zones for a run of hours.

    Args:
        files: one or more files of either layout; hours and zones that are not asked for are skipped.
        zones: per place, the names under which its electricity zone may be listed in the files (`Tables.carbon_zones`).
        start: the first hour is 00:00 UTC of this day.
        hours: how many.

    Returns:
        int64 [len(zones), hours], mg of CO2 equivalent per kWh, life cycle.

    Raises:
        TableError: an hour is missing or given twice with different values, a file has another layout, a value is no number.
    """
    first = datetime(start.year, start.month, start.day, tzinfo=UTC)
    rows_of: dict[str, list[int]] = defaultdict(list)
    for number, names in enumerate(zones):
        for name in names:
            rows_of[name].append(number)
    found = np.full((len(zones), hours), -1, dtype=np.int64)
    for file in files:
        try:
            for where, time, zone, text in _values(file, set(rows_of)):
                hour = (time - first) // timedelta(hours=1)
                if 0 <= hour < hours and text:
                    _put(found, rows_of[zone], hour, _milligrams(text, where), f"{zone} has two values at {time:%Y-%m-%d %H:%M}", where)
        except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
            raise TableError(f"the file cannot be read: {error}", where=str(file), how="get the file again: it may be cut off") from error
    _check_complete(found, files, zones, first)
    return found


def _put(found: NDArray[np.int64], rows: list[int], hour: int, value: int, what: str, where: str) -> None:
    """Set an hour of some rows, which must not hold another value."""
    for row in rows:
        if found[row, hour] not in (-1, value):
            raise TableError(what, where=where, how="remove the row, or name only one of the files")
        found[row, hour] = value


def _values(file: Path, zones: set[str]) -> Iterator[tuple[str, datetime, str, str]]:
    """Yield (where, time, zone, text) of every value of the wanted zones."""
    if not file.is_file():
        raise TableError("the file of hourly carbon is missing", where=str(file), how="name the files that exist")
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", encoding="utf-8-sig", newline="") as handle:
        reader = csv.reader(handle)
        header = [name.strip().replace("₂", "2") for name in next(reader, [])]
        lower = [name.lower() for name in header]
        value = next((lower.index(name) for name in EXPORT_VALUES if name in lower), None)
        if lower[:1] == [WIDE]:
            time, wanted = 0, [(column, -1) for column, name in enumerate(header) if name in zones]
        elif value is not None and EXPORT_TIME in lower and EXPORT_ZONE in lower:
            time, wanted = lower.index(EXPORT_TIME), [(value, lower.index(EXPORT_ZONE))]
        else:
            how = f"a file has {EXPORT_TIME!r}, {EXPORT_ZONE!r} and {EXPORT_VALUES[0]!r}, or {WIDE!r} and a column per zone"
            raise TableError(f"unknown layout of hourly carbon: {', '.join(header[:6])}", where=str(file), how=how)
        for row in reader:
            where = f"{file}, line {reader.line_num}"
            if not row:
                continue
            if len(row) != len(header):
                raise TableError(f"{len(row)} fields instead of {len(header)}", where=where, how="get the file again: it may be cut off")
            moment = None
            for column, zone_column in wanted:
                zone = header[column] if zone_column < 0 else row[zone_column].strip()
                if zone in zones:
                    moment = moment or _hour(row[time], where)
                    yield where, moment, zone, row[column].strip()


def _hour(text: str, where: str) -> datetime:
    """The full hour that a time names; without an offset it is UTC."""
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise TableError(f"not a time: {text!r}", where=where, how="write 2023-01-29 00:00:00") from None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    if (time.minute, time.second, time.microsecond) != (0, 0, 0):
        raise TableError(f"not a full hour: {text!r}", where=where, how="use the hourly files of the publisher")
    return time


def _milligrams(text: str, where: str) -> int:
    """Grams as text to milligrams."""
    try:
        grams = float(text)
    except ValueError:
        grams = math.nan
    if not (math.isfinite(grams) and grams >= 0):
        raise TableError(f"carbon intensity is not a number that is 0 or more: {text!r}", where=where, how="correct or remove the row")
    return round(grams * 1000)


def _check_complete(found: NDArray[np.int64], files: Sequence[Path], zones: Sequence[Sequence[str]], first: datetime) -> None:
    """Name the first missing hour of the first zone that has one."""
    for names, values in zip(zones, found, strict=True):
        missing = np.flatnonzero(values < 0)
        if missing.size:
            hour = first + timedelta(hours=int(missing[0]))
            what = f"{' or '.join(names)} has no value at {hour:%Y-%m-%d %H:%M} UTC ({missing.size} of {values.size} hours are missing)"
            raise TableError(what, where=", ".join(map(str, files)) or "no file", how=GAP)
