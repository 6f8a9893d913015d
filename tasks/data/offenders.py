"""Where a staged row that fails an expectation is, and what the expectation allows. Not here: judging (validate.py, gx_duckdb.py)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core.files import read_json
from tasks.core.paths import Paths
from tasks.data.ingest_outputs import staged_folder
from tasks.data.rejects import reasons_of

if TYPE_CHECKING:
    import duckdb

NAMED_FILES = 3  # raw files of a day that a message names
NAMED_REASONS = 3  # of rejected rows


def limit_of(kwargs: dict[str, Any]) -> str:
    """Return what an expectation allows, in words: `0 to 86400000000`, `at most 0.01`, `one of http, queue`; "" where it has no limit."""
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None or high is not None:
        return f"at least {low}" if high is None else f"at most {high}"
    if "value_set" in kwargs:
        return f"one of {', '.join(map(str, kwargs['value_set']))}"
    return str(kwargs["value"]) if "value" in kwargs else ""


def place_of(con: duckdb.DuckDBPyConnection, paths: Paths, source: str, table: str, kind: str, kwargs: dict[str, Any]) -> str:
    """Return where the first row is that an expectation does not allow, or "" for an expectation about no single row.

    Args:
        con: a database.
        paths: of the working tree.
        source: its name.
        table: staged table; `ingest` for the counts, of which the rejected rows are named.
        kind: of the expectation, as Great Expectations calls it.
        kwargs: of the expectation, values filled in.
    """
    if table == "ingest":
        return _rejected(paths, source) if kwargs.get("column") == "rejected_share" else ""
    condition = _condition(kind, kwargs)
    if not condition:
        return ""
    from tasks.core.database import literal

    staged = staged_folder(paths, source)
    rows = f"read_parquet({literal(staged / 'day=*' / f'{table}.parquet')}, filename = true, file_row_number = true)"
    found = con.execute(f"select filename, file_row_number from {rows} where {condition} order by all limit 1").fetchone()
    if found is None:
        return ""
    file = Path(str(found[0]))
    raw = _raw_files(staged, int(file.parent.name.removeprefix("day=")))
    return f"first in {file.relative_to(paths.root).as_posix()} row {int(found[1]) + 1}" + (f" (of {raw})" if raw else "")


def _condition(kind: str, kwargs: dict[str, Any]) -> str:
    """SQL that is true for a row that the expectation does not allow; "" for one about no single row."""
    column = '"' + str(kwargs.get("column", "")).replace('"', '""') + '"'
    if kind == "expect_column_values_to_not_be_null":
        return f"{column} is null"
    if kind == "expect_column_values_to_be_between":
        sides = [
            f"{column} {sign} {kwargs[key]!r}" for key, sign in (("min_value", "<"), ("max_value", ">")) if kwargs.get(key) is not None
        ]
        return " or ".join(sides)
    if kind == "expect_column_distinct_values_to_be_in_set":
        from tasks.core.database import literal

        listed = ", ".join(literal(value) if isinstance(value, str) else repr(value) for value in kwargs["value_set"])
        return f"{column} is not null and {column} not in ({listed})"
    return ""


def _rejected(paths: Paths, source: str) -> str:
    reasons = reasons_of(paths, source)
    named = [f"{one.reason} {one.rows} rows, first in {one.file} line {one.line}" for one in reasons[:NAMED_REASONS]]
    more = [f"and {len(reasons) - NAMED_REASONS} more reasons (trine rejects {source})"] if len(reasons) > NAMED_REASONS else []
    return "; ".join([*named, *more])


def _raw_files(staged: Path, day: int) -> str:
    """The raw files whose rows a day holds."""
    files = [name for name, record in read_json(staged / "state.json")["files"].items() if day in record["days"]]
    more = [f"and {len(files) - NAMED_FILES} more"] if len(files) > NAMED_FILES else []
    return ", ".join([*sorted(files)[:NAMED_FILES], *more])
