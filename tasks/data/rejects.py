"""What was rejected, in words: reason, count, first file and line. Not here: rejecting (ingest.py, cleaning.py)."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.errors import ParameterError
from tasks.core.records import read_record
from tasks.core.sources import SOURCES
from tasks.data.ingest_outputs import ingest_report, staged_folder
from tasks.data.ingest_record import IngestReport

if TYPE_CHECKING:
    from tasks.core.paths import Paths

REJECTS = "rejects.parquet"


@dataclass(frozen=True)
class Reason:
    """Rows of a source that were rejected for one reason, and the first of them."""

    reason: str
    rows: int
    file: str
    line: int
    row: str


def reasons_of(paths: Paths, source: str) -> list[Reason]:
    """Return why rows of a staged source were rejected, most rows first; [] where none was, or nothing is staged."""
    file = staged_folder(paths, source) / REJECTS
    if not file.is_file():
        return []
    from tasks.core.database import connect, literal, load_sql

    with connect(paths) as con:
        rows = con.execute(load_sql("rejects/reasons.sql").format(rejects=literal(file))).fetchall()
    return [Reason(*row) for row in rows]


def lines_of(paths: Paths, wanted: str = "") -> Iterator[str]:
    """Yield what `trine rejects` prints.

    Args:
        paths: of the working tree.
        wanted: a source; empty: all of them.

    Raises:
        ParameterError: there is no such source.
    """
    if wanted and wanted not in SOURCES:
        near = difflib.get_close_matches(wanted, SOURCES, n=1)
        how = f"did you mean '{near[0]}'?" if near else f"sources: {', '.join(SOURCES)}"
        raise ParameterError(f"there is no source '{wanted}'", where="trine rejects", how=how)
    for source in [wanted] if wanted else SOURCES:
        if not ingest_report(paths, source).is_file():
            yield f"{source}: not ingested (run: trine run)"
            continue
        counts = read_record(ingest_report(paths, source), IngestReport)
        if counts.origin == "off":
            if wanted:
                yield f"{source}: off"
            continue
        yield f"{source}: {counts.rows_rejected:,} of {counts.rows_in:,} rows rejected"
        yield from map(_line, reasons_of(paths, source))
        before = import_reasons(paths, source)
        if before:
            yield f"{source}: {sum(one.rows for one in before):,} rows rejected before, by trine import"
            yield from map(_line, before)


def _line(one: Reason) -> str:
    return f"  {one.reason:<24}{one.rows:>10,}  first: {one.file} line {one.line}: {one.row}"


def import_reasons(paths: Paths, source: str) -> list[Reason]:
    """Return why `trine import` rejected rows of the tables whose files lie in the inbox, most rows first."""
    folder, found = paths.inbox(source), dict[str, list[dict[str, Any]]]()
    for file in sorted(folder.glob("import.*.rejects.jsonl")) if folder.is_dir() else ():
        for text in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(text)
            found.setdefault(row["reason"], []).append(row)
    reasons = (Reason(reason, len(rows), rows[0]["file"], rows[0]["line"], rows[0]["row"]) for reason, rows in found.items())
    return sorted(reasons, key=lambda one: (-one.rows, one.reason))
