"""One raw file as an entry of the manifest: hashed, its rows counted, its first lines checked. Not here: which files (scan.py)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import RawDataError
from tasks.core.faults import GZIP_FAULTS
from tasks.data import cleaning, inbox, raw_files
from tasks.data.sources.base import Kind

if TYPE_CHECKING:
    from types import ModuleType

BLOCK = 1 << 20
HEAD = 1 << 18  # bytes kept of the beginning, for the header
TAIL = 1 << 16  # bytes kept of the end, for the last day


def describe(name: str, path: Path, kind: Kind, module: ModuleType, shown: str) -> dict[str, Any]:
    """Hash one file, count its rows, check its first lines; the entry of the manifest. Messages call the folder `shown`.

    Raises:
        RawDataError: empty, unreadable, damaged, or not what its name says.
    """
    size = path.stat().st_size
    if size == 0:
        raise RawDataError("the file is empty", where=name, how="fetch it again or remove it")
    try:
        with path.open("rb") as handle:
            sha256 = hashlib.file_digest(handle, "sha256").hexdigest() if raw_files.is_gzip(name) or kind.layout == "parquet" else ""
    except OSError as error:
        raise raw_files.unreadable(name, error) from error
    if kind.layout == "parquet":
        return _entry(name, kind, size, sha256, _parquet_rows(name, path, kind), None, None)
    head, tail, lines, digest = _stream(name, path)
    firsts = raw_files.first_lines(head, whole=len(head) < HEAD)
    if inbox.is_importable(module):
        inbox.require_canonical(path, f"{shown}/{name}", shown)
    raw_files.check_first_lines(kind, name, firsts)
    rows = sum(1 for _ in cleaning.records(raw_files.raw_lines(path, name), kind, name)) if kind.layout == "quoted_csv" else lines
    first_row = firsts[int(kind.has_header) :][:1]
    last_row = tail.rstrip(b"\r\n").rsplit(b"\n", 1)[-1:] if rows > kind.has_header else []
    days = [_day(module, kind, name, row) for row in (first_row, last_row)]
    return _entry(name, kind, size, sha256 or digest, rows - kind.has_header, days[0], days[1])


def _stream(name: str, path: Path) -> tuple[bytes, bytes, int, str]:
    """Read a file once: (beginning, end, number of physical lines, SHA-256 of the bytes read)."""
    digest, lines, head, tail, last = hashlib.sha256(), 0, b"", b"", b"\n"
    try:
        with raw_files.open_raw(path) as handle:
            while block := handle.read(BLOCK):
                digest.update(block)
                lines += block.count(b"\n")
                if len(head) < HEAD:
                    head += block[: HEAD - len(head)]
                tail = block[-TAIL:] if len(block) >= TAIL else (tail + block)[-TAIL:]
                last = block[-1:]
    except GZIP_FAULTS as error:
        raise raw_files.damaged_gzip(path, name, error) from error
    except OSError as error:
        raise raw_files.unreadable(name, error) from error
    if not head:
        raise RawDataError("the file is empty once unpacked", where=name, how="fetch it again or remove it")
    return head, tail, lines + (last != b"\n"), digest.hexdigest()


def _parquet_rows(name: str, path: Path, kind: Kind) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        meta = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise RawDataError(f"not readable as Parquet: {error}", where=name, how="fetch it again or remove it") from error
    found = meta.schema_arrow.names
    wrong = kind.columns(found) if callable(kind.columns) else None if tuple(found) == kind.columns else f"expected {kind.columns}"
    if wrong:
        raise RawDataError(f"wrong columns: {wrong}; found {found}", where=name, how="export the table again with these columns")
    return int(meta.metadata.num_rows)


def _day(module: ModuleType, kind: Kind, name: str, row: list[bytes]) -> int | None:
    """Ask the source for the day of a row (sources without `day_of`, and rows that make no sense, have none)."""
    if not row or not hasattr(module, "day_of"):
        return None
    fields = raw_files.split_line(row[0].strip().decode("utf-8", errors="replace"))
    return module.day_of(kind.name, name, fields) if fields else None


def _entry(name: str, kind: Kind, size: int, sha256: str, rows: int, first: int | None, last: int | None) -> dict[str, Any]:
    return {"name": name, "kind": kind.name, "bytes": size, "sha256": sha256, "rows": rows, "first_day": first, "last_day": last}
