"""What a trace source has to say about itself. Belongs here: the shared types. Does not: anything about one source.

A source module (`tasks/data/sources/<name>.py`) offers the five names of `Source` at module level. `scan` uses KINDS,
`ingest` uses the rest: it reads each changed file once into unsorted per-day pieces, then writes each changed day sorted.
Optional: REFERENCE_FILES, the other files of the repository that a staged byte depends on; all days are rebuilt when one changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from core.errors import RawDataError

if TYPE_CHECKING:
    import duckdb

    from tasks.core.params import Params


@dataclass(frozen=True)
class Kind:
    """One kind of raw file.

    Args:
        name: of the table it feeds, e.g. `invocations` or `job_events`.
        pattern: regular expression on the POSIX path below the source's folder (full match).
        columns: the expected header in order, or a function of the header found that returns a complaint or None;
            for files without a header, the number of fields is what counts.
        has_header: whether line 1 is a header.
        layout: `csv`; `quoted_csv` when fields may hold newlines in quotes; `jsonl`; `parquet`.
        fields: what `check_fields` is given, for kinds whose columns may be in any order: names of columns (inside an object with a
            dot), '' where the row has none; `filename` is the file's name. Without it: all fields of the row. JSON lines and Parquet
            need it.
    """

    name: str
    pattern: str
    columns: tuple[str, ...] | Callable[[list[str]], str | None]
    has_header: bool = True
    layout: Literal["csv", "quoted_csv", "jsonl", "parquet"] = "csv"
    fields: tuple[str, ...] = ()

    @property
    def names(self) -> str:
        """The pattern as a shell would write it, for messages: `part-*.csv[.gz]`, square brackets round what may be missing."""
        said = self.pattern.removeprefix("(?:.*/)?").replace("[^/]*", "*").replace("l?", "[l]")
        said = re.sub(r"\(\?:([^()|]*)\)\?", r"[\1]", said)
        said = re.sub(r"\(\?:([^()]*)\)", lambda one: "{" + one[1].replace("|", ",") + "}", said)
        return said.replace("\\.", ".")


@dataclass(frozen=True)
class RawFile:
    """One raw file as the manifest lists it (`name` is relative to the folder; `rows` excludes the header)."""

    name: str
    kind: str
    bytes: int
    sha256: str
    rows: int
    first_day: int | None
    last_day: int | None


class Source(Protocol):
    """The interface of a source module."""

    KINDS: tuple[Kind, ...]

    def check_fields(self, kind: str, fields: Sequence[str], params: Params) -> str | None:
        """Return why a row is not usable (a short snake_case reason), or None. Used line by line on files with faults."""

    def read(self, con: duckdb.DuckDBPyConnection, file: RawFile, path: Path, work: Path, params: Params) -> tuple[int, int]:
        """Read one file into `work/<table>/day=<N>/<stem>.parquet` (unsorted, typed).

        Returns:
            (rows read, rows that fail a check). When the second is not zero, or on a duckdb.Error, `ingest` discards the pieces,
            cleans the file line by line with `check_fields`, and calls `read` again with the cleaned copy.
        """

    def write_day(self, con: duckdb.DuckDBPyConnection, work: Path, day: int, out: Path, params: Params) -> int:
        """Sort the pieces of one day into `out/<table>.parquet`; returns the rows staged from the raw files."""

    def summarise(self, con: duckdb.DuckDBPyConnection, staged: Path, params: Params) -> dict[str, Any]:
        """Write tables that span days (ids) into `staged` and return the source's own keys of ingest.json."""


def one_row(con: duckdb.DuckDBPyConnection, text: str) -> tuple[Any, ...]:
    """Return the only row of a query."""
    (row,) = con.execute(text).fetchall()
    return row


def count_rows(con: duckdb.DuckDBPyConnection, folder: Path) -> int:
    """Return the rows of all Parquet files in a folder."""
    from tasks.core.database import literal

    return int(one_row(con, f"select count(*) from read_parquet({literal(folder / '*.parquet')}, hive_partitioning = false)")[0])


def shared_digits(table: str, column: str) -> RawDataError:
    """Return the error of a source in which two ids share the digits that make their integers."""
    what = f"two {table} share the first 15 digits of their ids"
    return RawDataError(what, where=f"column {column}", how="tell the maintainers: ids need more digits")
