"""The tolerant path of ingest: good lines to a clean copy, bad ones to rejects. Not here: the fast path, a source's checks."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TextIO, cast

from tasks.sources.base import Kind

BOM = b"\xef\xbb\xbf"
ROW_SHOWN = 200  # characters of a rejected row that are kept

Check = Callable[[Sequence[str]], str | None]


def clean(path: Path, name: str, kind: Kind, check: Check, target: Path, rejects: TextIO) -> tuple[int, Counter[str]]:
    """Copy the usable rows of a text file to `target` (UTF-8, LF, no BOM, not compressed).

    Args:
        path: the raw file; decompressed when it ends in `.gz`, its byte-order mark left out.
        name: the file's name in the manifest.
        kind: says layout and header; `parquet` has no lines and is not for this path.
        check: returns why the fields of a row are not usable, or None; for `jsonl` the one field is the line.
        target: the clean copy.
        rejects: gets one JSON object a line: file, line (from 1, of the raw file), reason, row.

    Returns:
        (rows kept, rows rejected by reason).
    """
    kept, reasons = 0, Counter[str]()
    with _opened(path) as source, target.open("wb") as out:
        for number, raw in _records(source, kind):
            if number == 1 and kind.has_header and kind.layout != "jsonl":
                out.write(raw + b"\n")
                continue
            reason = classify(raw, kind, check)
            if reason is None:
                out.write(raw + b"\n")
                kept += 1
            else:
                reasons[reason] += 1
                rejects.write(json.dumps({"file": name, "line": number, "reason": reason, "row": shown(raw)}) + "\n")
    return kept, reasons


def classify(raw: bytes, kind: Kind, check: Check) -> str | None:
    """Return why a record (without its line end) is not usable, or None."""
    if b"\0" in raw:
        return "nul_byte"
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return "not_utf8"
    if kind.layout == "jsonl":
        return check([text])
    if '"' not in text:
        return check(text.split(","))
    try:
        rows = list(csv.reader(text.splitlines(keepends=True), strict=True))
    except csv.Error:
        return "bad_quotes"
    return check(rows[0]) if len(rows) == 1 else "wrong_column_count"


def shown(raw: bytes) -> str:
    """Return the start of a record as printable text; bytes that are not UTF-8 and NUL are escaped."""
    return raw[: 4 * ROW_SHOWN].decode("utf-8", errors="backslashreplace").replace("\0", "\\x00")[:ROW_SHOWN]


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _records(lines: Iterable[bytes], kind: Kind) -> Iterator[tuple[int, bytes]]:
    """Yield (line number of the record's first line, record without its line end)."""
    first, held = 1, b""
    for number, line in enumerate(lines, start=1):
        held += line.removeprefix(BOM) if number == 1 else line
        # an odd number of quotes so far: the record goes on in the next line
        if kind.layout == "quoted_csv" and held.count(b'"') % 2:
            continue
        yield first, held.rstrip(b"\n").removesuffix(b"\r")
        first, held = number + 1, b""
    if held:
        yield first, held.rstrip(b"\n").removesuffix(b"\r")
