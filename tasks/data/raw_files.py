"""Raw trace files as folders, lines and headers, as `scan` and `ingest` share them. Not here: hashes (scan), what a row means (sources)."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from core.errors import ParameterError, RawDataError
from tasks.core.faults import GZIP_FAULTS
from tasks.data.sources.base import Kind

if TYPE_CHECKING:
    from tasks.core.paths import Paths

BOM = b"\xef\xbb\xbf"
SHOWN = 120  # characters of a header shown in a message
LONGEST_LINE = 1 << 24  # a first line beyond 16 MiB is no header of ours
READ_BYTES = 1 << 20
GZIP_BITS = 31  # of zlib: a header of gzip
UNPACKED_AT_ONCE = 1 << 12


def folder_text(origin: str, source: str) -> str:
    """Return the folder of a source's raw files by where they come from (empty when the source is off)."""
    if origin == "off":
        return ""
    return {"twin": f"data/raw/{source}/files", "inbox": f"data/inbox/{source}"}.get(origin, origin.removeprefix("path:"))


def resolve_folder(text: str, paths: Paths) -> Path:
    """Return the folder that `text` names: relative to the working tree, `$TRINE_SAMPLE_DIR` filled in.

    Raises:
        ParameterError: another variable is used.
    """
    if "$TRINE_SAMPLE_DIR" in text:
        from tasks.core.environment import Environment

        text = text.replace("$TRINE_SAMPLE_DIR", str(Environment().sample_dir))
    if "$" in text:
        how = "write the path out, or use $TRINE_SAMPLE_DIR, the only variable that is filled in"
        raise ParameterError(f"'{text}' holds a variable", where="params.yaml: traces", how=how)
    return paths.root / Path(text).expanduser()


def kind_of(name: str, kinds: Iterable[Kind]) -> Kind | None:
    """Return the first kind whose pattern matches the POSIX path `name` below the folder, or None."""
    return next((k for k in kinds if re.fullmatch(k.pattern, name)), None)


def kind_named(kinds: Iterable[Kind], name: str) -> Kind:
    """Return the kind of that name."""
    return next(k for k in kinds if k.name == name)


def is_gzip(name: str) -> bool:
    """Whether the name says that the file is compressed."""
    return name.endswith(".gz")


def open_raw(path: Path) -> IO[bytes]:
    """Open a raw file for reading, through gzip where the name says so."""
    return cast("IO[bytes]", gzip.open(path, "rb")) if is_gzip(path.name) else path.open("rb")


def commas_too_many(path: Path, rows: int, columns: int) -> int:
    """Return how many commas a file holds beyond those that part `columns` fields in each of `rows` lines (the header counts as one).

    DuckDB reads over empty fields behind the last column, but refuses a line with too few; so where it has read a file whose usable
    fields hold no comma, 0 says that no line has a field too many.
    """
    found = 0
    with open_raw(path) as handle:
        while block := handle.read(READ_BYTES):
            found += block.count(b",")
    return found - rows * (columns - 1)


def unreadable(name: str, error: OSError) -> RawDataError:
    """The error of a file that cannot be opened or read."""
    return RawDataError(f"the file cannot be read: {error.strerror or error}", where=name, how="check its permissions and its disk")


def damaged_gzip(path: Path, name: str, error: Exception) -> RawDataError:
    """The error of a truncated or damaged gzip file; it is read once more to name the byte and the line that can be reached."""
    byte, lines = _reach(path)
    how = "fetch the file again (gzip -t must accept it) or take it out of the folder"
    where = f"{name}, after line {lines} (byte {byte:,} of {path.stat().st_size:,})"
    return RawDataError(f"the gzip stream is cut off or damaged: {error}", where=where, how=how)


def _reach(path: Path) -> tuple[int, int]:
    """Return how many bytes of a damaged gzip file can be unpacked, and how many whole lines they hold."""
    done, lines, unpacker = 0, 0, zlib.decompressobj(wbits=GZIP_BITS)
    with path.open("rb") as handle:
        while block := handle.read(UNPACKED_AT_ONCE):
            before = unpacker.copy()
            try:
                unpacker, text = _unpacked(unpacker, block)
            except zlib.error:
                break
            done, lines = done + len(block), lines + text.count(b"\n")
        else:
            return done, lines
    for k in range(len(block)):  # the fault lies in this block
        try:
            before, text = _unpacked(before, block[k : k + 1])
        except zlib.error:
            return done + k, lines
        lines += text.count(b"\n")
    return done + len(block), lines


def _unpacked(unpacker: zlib._Decompress, data: bytes) -> tuple[zlib._Decompress, bytes]:
    """Unpack some bytes; a gzip file may have several members, each with an unpacker of its own."""
    text = unpacker.decompress(data)
    while unpacker.eof and unpacker.unused_data:
        rest, unpacker = unpacker.unused_data, zlib.decompressobj(wbits=GZIP_BITS)
        text += unpacker.decompress(rest)
    return unpacker, text


def raw_lines(path: Path, name: str) -> Iterator[bytes]:
    """Yield the physical lines of a file, terminators included, the byte-order mark of the first left out.

    Raises:
        RawDataError: the file cannot be read, or its gzip stream is damaged (the line is named).
    """
    number = 0
    try:
        with open_raw(path) as handle:
            for line in handle:
                number += 1
                yield line.removeprefix(BOM) if number == 1 else line
    except GZIP_FAULTS as error:
        raise damaged_gzip(path, name, error) from error
    except OSError as error:
        raise unreadable(name, error) from error


def split_line(text: str) -> list[str] | None:
    """Return the fields of one CSV line, or None where its quotes do not pair."""
    if '"' not in text:
        return text.split(",")
    import csv

    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error:
        return None


def check_first_lines(kind: Kind, name: str, lines: Sequence[bytes]) -> None:
    """Check the header, or the number of fields where the kind has none.

    Args:
        kind: of the file.
        name: of the file, for the message.
        lines: the first whole lines, the byte-order mark left out.

    Raises:
        RawDataError: expected and found are both named.
    """
    expected = ",".join(kind.columns) if isinstance(kind.columns, tuple) else f"a header of {kind.name}"
    how = f"expected: {_short(expected)}; restore the header line, or take the file out of the folder"
    if kind.layout == "jsonl":
        return _check_json(name, lines)
    if not kind.has_header:
        return _check_width(kind, name, lines)
    try:
        first = lines[0].rstrip(b"\r\n").decode("utf-8")
    except UnicodeDecodeError:
        raise RawDataError("the first line is not text", where=f"{name}, line 1", how=how) from None
    fields = split_line(first)
    if fields is None or "\0" in first:
        raise RawDataError(f"the first line is not a header: {_short(first)!r}", where=f"{name}, line 1", how=how)
    if callable(kind.columns):
        complaint = kind.columns(fields)
        if complaint is not None:
            raise RawDataError(f"wrong header: {complaint}; found: {_short(first)!r}", where=f"{name}, line 1", how=how)
    elif tuple(fields) != kind.columns:
        raise RawDataError(f"wrong or missing header, found: {_short(first)!r}", where=f"{name}, line 1", how=how)
    return None


def _check_width(kind: Kind, name: str, lines: Sequence[bytes]) -> None:
    if callable(kind.columns):
        return
    for line in lines:
        try:
            fields = split_line(line.rstrip(b"\r\n").decode("utf-8"))
        except UnicodeDecodeError:
            continue
        if fields is not None and len(fields) == len(kind.columns):
            return
    what = f"none of the first {len(lines)} lines has the {len(kind.columns)} fields of {kind.name}"
    raise RawDataError(what, where=f"{name}, line 1", how="is this the right file? Take it out of the folder or fetch it again")


def _check_json(name: str, lines: Sequence[bytes]) -> None:
    import json

    for line in lines:
        try:
            if isinstance(json.loads(line), dict):
                return
        except ValueError:
            continue
    what = f"none of the first {len(lines)} lines is a JSON object"
    raise RawDataError(what, where=f"{name}, line 1", how="is this the right file? Take it out of the folder or fetch it again")


def first_lines(head: bytes, whole: bool, most: int = 100) -> list[bytes]:
    """Return up to `most` lines of the first bytes of a file; a last line that may go on (`whole` false) is left out if others exist."""
    lines = list(io.BytesIO(head.removeprefix(BOM)))[:most]
    return lines if whole or len(lines) < 2 or lines[-1].endswith(b"\n") else lines[:-1]


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
