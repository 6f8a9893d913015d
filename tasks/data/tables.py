"""Tables of any columns, row by row: CSV with any of three separators, JSON lines, Parquet. Not here: what the columns mean (dialects.py).

A record is one line: a quote that is never closed spoils its own line and no other.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ParameterError, RawDataError
from tasks.data.raw_files import raw_lines

Row = tuple[int, Sequence[str], bytes, str]  # line (of Parquet the row), fields in the order of the header, the raw row, why not usable

TEXTS, LINES, COLUMNS = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson", ".json"), (".parquet",)
SEPARATORS = (",", ";", "\t", "|")
LOOKED_AT = 100  # first rows, for the keys of JSON lines and for guesses
ARCHIVES = (".zip", ".rar", ".7z", ".tar", ".tgz", ".bz2", ".xz", ".zst")


@dataclass(frozen=True)
class Table:
    """A table that is being read.

    Args:
        file: of the table.
        header: names of the columns.
        rows: one after the other; they can be taken once.
    """

    file: Path
    header: list[str]
    rows: Iterator[Row]

    def places(self, columns: Mapping[str, str]) -> dict[str, int]:
        """Return the position of each named column.

        Raises:
            ParameterError: the header lacks one, or has it twice; the nearest name is told.
        """
        for name in columns.values():
            if self.header.count(name) != 1:
                near = difflib.get_close_matches(name, self.header, n=1)
                hint = f"did you mean '{near[0]}'? " if near and near[0] != name else ""
                what = f"the column '{name}' is {'listed twice' if name in self.header else 'not there'}"
                raise ParameterError(what, where=f"{self.file}: header", how=f"{hint}columns: {', '.join(self.header)}")
        return {role: self.header.index(name) for role, name in columns.items()}


def is_table(name: str) -> bool:
    """Whether a name is one of a file that `open_table` reads."""
    return Path(name.lower().removesuffix(".gz")).suffix in (*TEXTS, *LINES, *COLUMNS)


def is_archive(name: str) -> bool:
    """Whether a name is one of an archive, which has to be unpacked first."""
    return Path(name.lower()).suffix in ARCHIVES


def open_table(file: Path) -> Table:
    """Open a table.

    Raises:
        ParameterError: the file is not there, is no regular file, or its name is not one of a table.
        RawDataError: it cannot be read as what its name says.
    """
    if not file.is_file():
        what = "this is a folder, a table is expected" if file.is_dir() else "the table is not there"
        raise ParameterError(what, where=str(file), how="name the files of the trace")
    suffix = Path(file.name.lower().removesuffix(".gz")).suffix
    if is_archive(file.name) or not is_table(file.name):
        how = (
            "unpack it and import what is inside" if is_archive(file.name) else f"tables: {', '.join((*TEXTS, *LINES, *COLUMNS))}, also .gz"
        )
        raise ParameterError(
            f"'{file.name}' is {'an archive' if is_archive(file.name) else 'no table by its name'}", where=str(file), how=how
        )
    if suffix in COLUMNS:
        return _parquet(file)
    lines = raw_lines(file, str(file))
    return _json_lines(file, lines) if suffix in LINES else _text(file, lines)


def first_rows(file: Path) -> tuple[list[str], list[Sequence[str]]]:
    """Return the header of a table and its first usable rows, for guesses; see `open_table` for the errors."""
    table = open_table(file)
    return table.header, [fields for _, fields, _, reason in itertools.islice(table.rows, LOOKED_AT) if not reason]


def sha256_of(file: Path) -> str:
    """Return the digest of a file.

    Raises:
        ParameterError: it is not there.
    """
    try:
        with file.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except (FileNotFoundError, IsADirectoryError):
        raise ParameterError("the table is not there, or is a folder", where=str(file), how="name the files of the trace") from None


def _text(file: Path, lines: Iterator[bytes]) -> Table:
    first = next(lines, b"").rstrip(b"\r\n")
    text = first.decode("utf-8", errors="replace")
    separator = max(SEPARATORS, key=text.count)
    header = _fields(text, separator)
    if not first or b"\0" in first or header is None or len(header) < 2:
        how = "the first line has to name the columns, separated by comma, semicolon, tab or |"
        raise RawDataError("the first line names no columns", where=f"{file}, line 1", how=how)

    def rows() -> Iterator[Row]:
        for number, line in enumerate(lines, start=2):
            raw = line.rstrip(b"\n").removesuffix(b"\r")
            fields, reason = _parsed(raw, separator, len(header))
            yield number, fields, raw, reason

    return Table(file, [name.strip() for name in header], rows())


def _parsed(raw: bytes, separator: str, width: int) -> tuple[Sequence[str], str]:
    if b"\0" in raw:
        return (), "nul_byte"
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return (), "not_utf8"
    fields = _fields(text, separator)
    if fields is None:
        return (), "bad_quotes"
    return fields, "" if len(fields) == width else "wrong_column_count"


def _fields(text: str, separator: str) -> list[str] | None:
    if '"' not in text:
        return text.split(separator)
    try:
        return next(csv.reader([text], delimiter=separator, strict=True), [])
    except csv.Error:
        return None


def _json_lines(file: Path, lines: Iterator[bytes]) -> Table:
    head = list(itertools.islice(lines, LOOKED_AT))
    names: dict[str, None] = {}
    for line in head:
        names |= dict.fromkeys(_flat(_json_object(line) or {}))
    if not names:
        raise RawDataError(f"none of the first {len(head)} lines is a JSON object", where=f"{file}, line 1", how="is this the right file?")
    header = list(names)

    def rows(found: Iterable[bytes]) -> Iterator[Row]:
        for number, line in enumerate(found, start=1):
            raw = line.rstrip(b"\r\n")
            value = _json_object(raw)
            flat = _flat(value or {})
            yield number, [flat.get(name, "") for name in header], raw, "bad_json" if value is None else ""

    return Table(file, header, rows(itertools.chain(head, lines)))


def _json_object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line.decode("utf-8"), parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Texts by name; what lies in an object inside is named with a dot."""
    out: dict[str, str] = {}
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            out |= _flat(inner, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = "" if inner is None else str(inner)
    return out


def _parquet(file: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        source = pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise RawDataError(f"not readable as Parquet: {error}", where=str(file), how="export it again") from error

    def rows() -> Iterator[Row]:
        number = 0
        try:
            for batch in source.iter_batches():
                for row in batch.to_pylist():
                    number += 1
                    fields = ["" if value is None else str(value) for value in row.values()]
                    yield number, fields, ",".join(fields).encode("utf-8", errors="backslashreplace"), ""
        except (pa.ArrowException, OSError) as error:
            what = f"the Parquet file is damaged: {error}"
            raise RawDataError(what, where=f"{file}, after row {number}", how="export it again") from error

    return Table(file, list(source.schema_arrow.names), rows())
