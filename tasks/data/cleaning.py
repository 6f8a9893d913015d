"""The tolerant path of ingest: good rows to a clean copy, bad ones to rejects. Not here: the fast path, a source's checks."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, TextIO, cast

from core.errors import RawDataError
from tasks.data.sources.base import Kind

BOM = b"\xef\xbb\xbf"
ROW_SHOWN = 200  # characters of a rejected row that are kept
LONGEST_FIELD = 1 << 24  # bytes; a quote that is never closed must not swallow the memory
LONGEST_ROW = 1_000_000  # bytes of a row whose fields are picked by name; DuckDB's default limit is twice that
# What DuckDB's parser takes for JSON and Python's does not, or the other way round: such a line is refused by both readers.
# Written for both dialects of regular expressions.
ODD_JSON = r"(?i)[:\[,][ \t]*[-+]?(?:nan|inf)|,[ \t]*[\]}]|\\u[d][89a-f]|\r"
_ODD_JSON = re.compile(ODD_JSON)
_FIELD = re.compile(r'"([^"]*(?:""[^"]*)*)"|(?! *")([^,\r\n]*)')

Check = Callable[[Sequence[str]], str | None]


def clean(path: Path, name: str, kind: Kind, check: Check, target: Path, rejects: TextIO) -> tuple[int, Counter[str]]:
    """Copy the usable rows of a file to `target`: text as UTF-8 with LF, no BOM, not compressed; Parquet as Parquet.

    Args:
        path: the raw file; decompressed when it ends in `.gz`, its byte-order mark left out.
        name: the file's name in the manifest.
        kind: says layout, header and the fields that `check` is given.
        check: returns why the fields of a row are not usable, or None.
        target: the clean copy.
        rejects: gets one JSON object per line: file, line (from 1, of the raw file; of Parquet the row), reason, row.

    Returns:
        (rows kept, rows rejected by reason).

    Raises:
        RawDataError: the file cannot be read as a whole (damaged Parquet, a quote that is never closed).
    """

    def reject(number: int, reason: str, row: bytes) -> None:
        reasons[reason] += 1
        rejects.write(json.dumps({"file": name, "line": number, "reason": reason, "row": shown(row)}) + "\n")

    reasons = Counter[str]()
    if kind.layout == "parquet":
        return _clean_parquet(path, name, kind, check, target, reject), reasons
    kept, header = 0, None
    with _opened(path) as source, target.open("wb") as out:
        for number, raw in records(source, kind, name):
            if number == 1 and kind.has_header and kind.layout != "jsonl":
                header = split_record(raw.decode("utf-8", errors="replace"))
                out.write(raw + b"\n")
                continue
            reason = classify(raw, kind, check, header, name)
            if reason is None:
                out.write(raw + b"\n")
                kept += 1
            else:
                reject(number, reason, raw)
    return kept, reasons


def classify(raw: bytes, kind: Kind, check: Check, header: list[str] | None = None, name: str = "") -> str | None:
    """Return why a record (without its line end) is not usable, or None.

    Args:
        raw: the record.
        kind: of the file.
        check: of the source.
        header: the columns of the file, for kinds with `fields`.
        name: of the file, for kinds with `fields`.
    """
    if b"\0" in raw:
        return "nul_byte"
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return "not_utf8"
    if kind.fields and len(raw) > LONGEST_ROW:
        return "row_too_long"
    if kind.fields:
        return _classify_by_name(text, kind, check, header or [], name)
    if '"' not in text:
        return check(text.split(","))
    try:
        rows = list(csv.reader(text.splitlines(keepends=True), strict=True))
    except csv.Error:
        return "bad_quotes"
    return check(rows[0]) if len(rows) == 1 else "wrong_column_count"


def _classify_by_name(text: str, kind: Kind, check: Check, header: list[str], name: str) -> str | None:
    if kind.layout == "jsonl":
        found = json_object(text)
        return "bad_json" if found is None else check(pick(kind, lambda field: _member(found, field), name))
    values = split_record(text)
    if values is None:
        # a lone carriage return ends a row, too
        return "bad_quotes" if split_record(text.replace("\r", "")) is None else "wrong_column_count"
    if len(values) != len(header):
        return "wrong_column_count"
    row = dict(zip(header, values, strict=True))
    return check(pick(kind, lambda field: row.get(field, ""), name))


def pick(kind: Kind, value: Callable[[str], str], name: str) -> list[str]:
    """Return the fields that the kind names, in its order; `filename` is the file's name."""
    return [name if field == "filename" else value(field) for field in kind.fields]


def json_object(text: str) -> dict[str, Any] | None:
    """Return a line as an object whose numbers are still text (of repeated keys, the first), or None if it is none."""
    if _ODD_JSON.search(text):
        return None

    def first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return dict(reversed(pairs))

    try:
        found = json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=first_wins)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _member(found: Any, dotted: str) -> str:
    """Return the text at a dotted path of an object, '' where there is nothing."""
    for key in dotted.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return "" if found is None else str(found)


def split_record(text: str) -> list[str] | None:
    """Return the fields of one CSV record (quoted ones may hold newlines), or None where quotes do not pair or a row ends inside."""
    fields, at = [], 0
    while True:
        found = _FIELD.match(text, at)
        if found is None:
            return None
        fields.append(found[2] if found[1] is None else found[1].replace('""', '"'))
        at = found.end()
        if at == len(text):
            return fields
        if text[at] != ",":
            return None
        at += 1


def shown(raw: bytes) -> str:
    """Return the start of a record as printable text; bytes that are not UTF-8 and NUL are escaped."""
    return raw[: 4 * ROW_SHOWN].decode("utf-8", errors="backslashreplace").replace("\0", "\\x00")[:ROW_SHOWN]


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def records(lines: Iterable[bytes], kind: Kind, name: str) -> Iterator[tuple[int, bytes]]:
    """Yield (number of the record's first line, record without its line end), the header included, the byte-order mark left out.

    `scan` counts with this, too: what it counted is what is judged here.

    Raises:
        RawDataError: a field is longer than LONGEST_FIELD.
    """
    plain = (line.removeprefix(BOM) if i == 0 else line for i, line in enumerate(lines))
    if kind.layout == "quoted_csv":
        yield from _quoted_records(plain, name)
        return
    for number, line in enumerate(plain, start=1):
        yield number, line.rstrip(b"\n").removesuffix(b"\r")


def _quoted_records(lines: Iterable[bytes], name: str) -> Iterator[tuple[int, bytes]]:
    held: list[bytes] = []

    def texts() -> Iterator[str]:
        for line in lines:
            held.append(line)
            yield line.decode("latin-1").replace("\r", " ")  # only quotes, commas and line feeds decide where a record ends

    csv.field_size_limit(LONGEST_FIELD)
    reader, first = csv.reader(texts()), 1
    try:
        for _ in reader:
            yield first, b"".join(held).removesuffix(b"\n").removesuffix(b"\r")
            held.clear()
            first = reader.line_num + 1
    except csv.Error as error:
        how = "a quote that is never closed is the usual cause: fix that line"
        raise RawDataError(f"not readable as CSV: {error}", where=f"{name}, record that begins in line {first}", how=how) from error


def parquet_names(path: Path) -> list[str]:
    """Return the columns of a Parquet file that can hold a value, those inside structures with dots."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def inside(field: pa.Field) -> list[tuple[str, pa.DataType]]:
        if not pa.types.is_struct(field.type):
            return [(field.name, field.type)]
        return [(f"{field.name}.{child.name}", child.type) for child in field.type]

    # DuckDB 2.0.0 fails on reading a column of the type null
    return [name for field in pq.read_schema(path) for name, kind in inside(field) if not pa.types.is_null(kind)]


def _clean_parquet(path: Path, name: str, kind: Kind, check: Check, target: Path, reject: Callable[[int, str, bytes], None]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept, number = 0, 0
    try:
        source = pq.ParquetFile(path)
        used = [f for f in source.schema_arrow if f.name in {field.split(".")[0] for field in kind.fields}]
        with pq.ParquetWriter(target, pa.schema(used)) as out:
            for batch in source.iter_batches(columns=[f.name for f in used]):
                mask = []
                for row in batch.to_pylist():
                    number += 1
                    fields = pick(kind, lambda field, row=row: _member(row, field), name)  # type: ignore[misc]
                    reason = check(fields)
                    mask.append(reason is None)
                    if reason is not None:
                        reject(number, reason, ",".join(fields).encode("utf-8", errors="backslashreplace"))
                out.write_batch(batch.filter(pa.array(mask, type=pa.bool_())))
                kept += sum(mask)
    except (pa.ArrowException, OSError) as error:
        what = f"the Parquet file is damaged: {error}"
        raise RawDataError(what, where=f"{name}, after row {number}", how="export it again or take it out of the folder") from error
    return kept
