"""Tables of calls in other dialects: which column means what, in which unit. Not here: writing the canonical file (import_table.py).

The canonical table is `app,func,end_timestamp,duration`: ids of 64 hexadecimal digits, seconds from the first day of the trace. A mapping
says how another table becomes one, e.g. `app=service,func=handler,start=ts:ms,duration=took:ms`.
"""

from __future__ import annotations

import csv
import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.errors import ParameterError

CANONICAL = ("app", "func", "end_timestamp", "duration")
TIME_UNITS = ("s", "ms", "us", "ns", "iso")
SPAN_UNITS = TIME_UNITS[:-1]
IDS, TIMES = ("app", "func"), ("start", "end")
HEX_ID = re.compile(r"[0-9a-f]{64}")
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
# Names that exports use, without punctuation and in lower case; the first that a header has is taken.
KNOWN = {
    "app": ("app", "appid", "appname", "application", "applicationid", "functionapp", "hashapp", "service", "servicename", "project"),
    "func": ("func", "function", "functionid", "functionname", "hashfunction", "handler", "operation", "operationname", "lambda", "name"),
    "end": (
        "endtimestamp",
        "end",
        "endtime",
        "endedat",
        "finish",
        "finished",
        "finishedat",
        "completed",
        "completedat",
        "stop",
        "stoptime",
    ),
    "start": (
        *("starttimestamp", "start", "starttime", "started", "startedat", "arrival", "invokedat", "timestamp", "ts", "time"),
        *("datetime", "date", "eventtime", "timegenerated"),
    ),
    "duration": ("duration", "elapsed", "elapsedtime", "took", "runtime", "executiontime", "latency", "responsetime", "billedduration"),
}
SUFFIXES = {"ns": "ns", "us": "us", "ms": "ms", "millis": "ms", "s": "s", "sec": "s", "seconds": "s"}
UNIX_FROM_S = 1e8  # March 1973: below, seconds are counted from the start of a trace
LARGEST_S = 1e11  # a number of seconds beyond this is one of milliseconds
LOOKS_LIKE_MS = 100  # a call that lasts longer than this many seconds, at the median, was given in milliseconds


@dataclass(frozen=True)
class Dialect:
    """Which column of a table is what, and the unit of times; a role that the table lacks is absent.

    Args:
        columns: column by role: app, func, start, end, duration.
        units: unit by role: start, end, duration.
    """

    columns: Mapping[str, str]
    units: Mapping[str, str]

    @property
    def text(self) -> str:
        """As `--map` takes it."""
        parts = [f"{role}={name}" + (f":{self.units[role]}" if role in self.units else "") for role, name in self.columns.items()]
        return ",".join(f'"{part}"' if "," in part or '"' in part else part for part in parts)


def parse(text: str) -> Dialect:
    """Read a mapping such as `app=service,start=ts:ms,duration=took`; a time without a unit is in seconds.

    Raises:
        ParameterError: it names an unknown role or unit, a role twice, or too little to know when a call began and how long it took.
    """
    columns: dict[str, str] = {}
    units: dict[str, str] = {}
    for part in next(csv.reader([text]), []):
        role, equals, name = part.strip().partition("=")
        if not equals or role not in KNOWN or role in columns or not name:
            near = difflib.get_close_matches(role, KNOWN, n=1)
            hint = f"; did you mean '{near[0]}'?" if near and near[0] != role else ""
            what = f"'{part}' is not role=column, each role once{hint}"
            raise ParameterError(what, where="--map", how=f"roles: {', '.join(KNOWN)}; e.g. --map app=service,start=ts:ms,duration=took:s")
        known = () if role in IDS else TIME_UNITS if role in TIMES else SPAN_UNITS
        column, colon, unit = name.rpartition(":")
        if known:
            units[role] = unit if colon and unit in known else "s"
        if colon and known and unit not in known and re.fullmatch(r"[a-zA-Z]{1,3}", unit):
            raise ParameterError(f"'{unit}' of '{part}' is no unit", where="--map", how=f"units: {', '.join(known)}")
        columns[role] = column if colon and unit in known else name
    if "app" not in columns or not (set(TIMES) <= columns.keys() or ("duration" in columns and set(TIMES) & columns.keys())):
        how = "name app, and two of start, end and duration, e.g. --map app=service,start=ts:ms,duration=took:s"
        raise ParameterError(f"'{text}' does not say enough", where="--map", how=how)
    return Dialect(columns, units)


def recognised(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Dialect | None:
    """Guess the dialect of a table of calls from its header and a few rows; None if it does not look like one.

    Args:
        header: names of the columns.
        rows: fields of the first rows; others than the header has are passed over.
    """
    named = {_plain(name.rsplit(".", 1)[-1]): (place, name) for place, name in reversed(list(enumerate(header)))}
    found: dict[str, tuple[int, str, str]] = {}  # role -> place, name, unit of its suffix
    for role, names in KNOWN.items():
        hit = next(((*named[key], unit) for name in names for key, unit in _spellings(name, role) if key in named), None)
        if hit is not None and hit[0] not in {place for place, _, _ in found.values()}:
            found[role] = hit
    if "app" not in found and "func" in found:
        found = {"app": found.pop("func"), **found}
    if "app" not in found or not (set(TIMES) <= found.keys() or ("duration" in found and set(TIMES) & found.keys())):
        return None
    if "duration" in found:  # one time is enough, and the end is the one that the canonical table has
        found.pop("start" if "end" in found else "", None)
    full = [row for row in rows if len(row) == len(header)]
    units = {role: unit or _unit([row[place] for row in full], role) for role, (place, _, unit) in found.items() if role not in IDS}
    if "duration" in units and not found["duration"][2]:
        units["duration"] = _span_unit([row[found["duration"][0]] for row in full])
    return Dialect({role: name for role, (_, name, _) in found.items()}, units)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _spellings(name: str, role: str) -> list[tuple[str, str]]:
    return [(name, "")] + [(f"{name}{suffix}", unit) for suffix, unit in SUFFIXES.items() if role not in IDS]


def _unit(texts: Sequence[str], role: str) -> str:
    """The unit of a time by its size."""
    numbers = _numbers(texts)
    if not numbers:
        return "iso" if any(map(_is_iso, texts)) and role in TIMES else "s"
    size, steps = sorted(map(abs, numbers))[len(numbers) // 2], 0
    while size >= LARGEST_S and steps < len(SPAN_UNITS) - 1:
        size, steps = size / 1000, steps + 1
    return SPAN_UNITS[steps]


def _span_unit(texts: Sequence[str]) -> str:
    """Whole numbers that would be minutes and more if they were seconds are milliseconds."""
    numbers = _numbers(texts)
    is_whole = bool(numbers) and all(number.is_integer() for number in numbers) and not any("." in text for text in texts)
    return "ms" if is_whole and sorted(numbers)[len(numbers) // 2] >= LOOKS_LIKE_MS else "s"


def _numbers(texts: Sequence[str]) -> list[float]:
    return [float(text) for text in map(str.strip, texts) if NUMBER.fullmatch(text)]


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text.strip())
    except ValueError:
        return False
    return True


def is_canonical(dialect: Dialect, header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the table needs no import: canonical header, seconds from the start of the trace, hashed ids."""
    if tuple(header) != CANONICAL or dialect.units.get("end") != "s":
        return False
    full = [row for row in rows if len(row) == len(header)]
    has_ids = any(HEX_ID.fullmatch(row[0]) and HEX_ID.fullmatch(row[1]) for row in full) or not full
    return has_ids and not any(abs(number) >= UNIX_FROM_S for number in _numbers([row[2] for row in full])[:1])


def command(file: str, dialect: Dialect, out: str) -> str:
    """The command that imports a file, as a shell takes it."""
    return f"trine import table {shlex.quote(file)} --map {shlex.quote(dialect.text)} --out {shlex.quote(out)}"
