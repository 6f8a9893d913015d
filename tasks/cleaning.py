"""Reads a raw file with faults line by line. Here: good rows into a clean copy, bad ones into rejects. Not here: what makes a row bad."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.scan import BOM, open_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.params import Params
    from tasks.sources.base import Kind

ROW_CHARACTERS = 200  # of a rejected row that are kept


@dataclass(frozen=True)
class Reject:
    """One row that was not staged: its line (the header is line 1), the reason, the beginning of its text."""

    line: int
    reason: str
    row: str


def clean(path: Path, kind: Kind, source: Any, params: Params, target: Path) -> tuple[int, list[Reject]]:
    """Copy the usable rows of `path` to `target` (same header, `\\n`, UTF-8).

    Args:
        path: the raw file, plain or `.gz`.
        kind: of the file.
        source: the source module; its `check_fields` decides.
        params: bounds.
        target: the clean copy.

    Returns:
        (rows seen without the header, rejects).
    """
    rejects: list[Reject] = []
    rows = 0
    with open_bytes(path) as handle, target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        if kind.layout == "quoted_csv":
            lines: Any = enumerate(csv.reader(io.TextIOWrapper(handle, encoding="utf-8", errors="replace", newline="")), start=1)
        else:
            lines = enumerate(handle, start=1)
        for number, line in lines:
            if number == 1 and kind.has_header:
                fields = line if isinstance(line, list) else line.removeprefix(BOM).decode("utf-8").rstrip("\r\n").split(",")
                writer.writerow(fields)
                continue
            rows += 1
            fields, reason = (line, None) if isinstance(line, list) else _fields(line)
            reason = reason or source.check_fields(kind.name, fields, params)
            if reason is None:
                writer.writerow(fields)
            else:
                shown = ",".join(line) if isinstance(line, list) else line.rstrip(b"\r\n").decode("utf-8", errors="backslashreplace")
                rejects.append(Reject(number, reason, shown.replace("\0", "\\0")[:ROW_CHARACTERS]))
    return rows, rejects


def _fields(line: bytes) -> tuple[list[str], str | None]:
    if b"\0" in line:
        return [], "nul_byte"
    try:
        return line.decode("utf-8").rstrip("\r\n").split(","), None
    except UnicodeDecodeError:
        return [], "not_utf8"
