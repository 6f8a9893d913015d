"""Usage rows of the Google cluster trace 2019: `instance_usage` as JSON lines, CSV or Parquet, and the `borg_traces` layout of Kaggle.

A row says what one instance used on average in a window of at most a few minutes; here the windows of a cell are summed into its
five-minute slots. Not here: the ready-made series of a cell (google2019.py).

Only instances outside an alloc are summed, as in the notebook published with the trace (google/cluster-data,
clusterdata_analysis_colab.ipynb): the row of an alloc instance contains the use of the instances inside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import RawDataError
from core.units import DAY_US, HOUR_US, SLOTS_PER_DAY
from tasks.core.database import literal, load_sql
from tasks.data.cleaning import ODD_JSON, json_object, parquet_names, split_record
from tasks.data.ingest_settings import IngestSettings
from tasks.data.raw_files import raw_lines
from tasks.data.sources.base import Kind, RawFile

if TYPE_CHECKING:
    import duckdb

    from tasks.core.params import Params

CELLS = "abcdefgh"
FIRST_US = 600_000_000  # trace time of slot 0: the trace begins 600 s after its time 0
LONGEST_WINDOW_US = HOUR_US  # a window is 300 s or less by the schema; far beyond it a time is damaged
MOST_UNITS = 1e4  # NCU or NMU of one instance; a whole cell uses about 6e3
LINES_LOOKED_AT = 100  # for a cell, where neither path nor header tells it
SPLIT_USE = (("average_usage.cpus", "average_usage.memory"), ("average_usage_cpus", "average_usage_memory"))
FIELDS = (
    "start_time", "end_time", "alloc_collection_id", *SPLIT_USE[0], *SPLIT_USE[1], "average_usage", "cell", "cluster", "filename",
)  # fmt: skip
# The same readings as in sql/google2019/macros.sql.
_TIME = re.compile(r"[0-9]{1,19}(?:\.[0-9]{0,19})?(?:[eE]\+?[0-9]{1,2})?")
_MEASURE = re.compile(r"[+-]?(?:[0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE | re.ASCII)
_CELL = re.compile(r"[a-h]|[1-8](?:\.0)?")
_PATH_CELL = re.compile(r"(?:^|[/_.-])(?:cell[_-]?(?:2019_)?|clusterdata_2019_|instance_usage_)([a-h])(?![A-Za-z])")


def usage_complaint(header: list[str]) -> str | None:
    """Return what is wrong with the columns of a CSV or Parquet file of usage rows, or None; other columns are allowed."""
    missing = [name for name in ("start_time", "end_time") if name not in header]
    if missing:
        return f"no column {' and '.join(missing)}"
    if "average_usage" not in header and not any(set(pair) <= set(header) for pair in SPLIT_USE):
        return "no column average_usage, nor average_usage.cpus and average_usage.memory"
    twice = sorted({name for name in header if name in FIELDS and header.count(name) > 1})
    return f"the column {twice[0]} is listed twice" if twice else None


KINDS = (
    Kind("usage_json", r"(?:.*/)?instance_usage[^/]*\.jsonl?(?:\.gz)?", usage_complaint, has_header=False, layout="jsonl", fields=FIELDS),
    Kind("usage_csv", r"(?:.*/)?(?:instance_usage|borg_traces)[^/]*\.csv(?:\.gz)?", usage_complaint, layout="quoted_csv", fields=FIELDS),
    Kind("usage_parquet", r"(?:.*/)?instance_usage[^/]*\.parquet", usage_complaint, layout="parquet", fields=FIELDS),
)


def cells_of_path(name: str) -> list[str]:
    """Return the letters of the cells that a path names, e.g. `cell_a/instance_usage-0.json.gz`, `instance_usage_a-0.parquet`."""
    return sorted(set(_PATH_CELL.findall(name)))


def check_fields(fields: Sequence[str], params: Params) -> str | None:
    """Return why a row is not usable, or None.

    Args:
        fields: those of FIELDS, as text.
        params: of the run.
    """
    start, end, alloc, cpus, memory, cpus2, memory2, both, cell, cluster, name = fields
    uses = [cpus or cpus2 or _member(both, "cpus"), memory or memory2 or _member(both, "memory")]
    reason = _check_cell(cell or cluster, name)
    if reason:
        return reason
    if not start or not end or any(use in ("", "None", "null") for use in uses):
        return "missing_value"
    if any(_NOT_FINITE.fullmatch(text) for text in (start, end, *uses)):
        return "not_finite"
    if not all(_MEASURE.fullmatch(use) for use in uses) or not all(_TIME.fullmatch(text) for text in (start, end, alloc or "0")):
        return "bad_number"
    if min(float(use) for use in uses) < 0:
        return "negative_usage"
    if max(float(use) for use in uses) > MOST_UNITS:
        return "usage_too_large"
    return _check_window(float(start), float(end), params)


def _check_cell(text: str, name: str) -> str | None:
    named = cells_of_path(name)
    if text and not _CELL.fullmatch(text):
        return "unknown_cluster"
    if not text:
        return None if named else "unknown_cluster"
    letter = text if text in CELLS else CELLS[int(text[0]) - 1]
    return None if not named or named == [letter] else "other_cell_than_path"


def _check_window(start_us: float, end_us: float, params: Params) -> str | None:
    if not (start_us.is_integer() and end_us.is_integer()):
        return "bad_number"
    if end_us <= start_us:
        return "end_not_after_start"
    if start_us < FIRST_US or end_us > _limit_us(params):
        return "time_out_of_range"
    return "window_too_long" if end_us - start_us > LONGEST_WINDOW_US else None


def _member(text: str, name: str) -> str:
    """Return a number in the text of a JSON object or Python dictionary, e.g. of cpus in `{'cpus': 0.5, 'memory': None}`."""
    found = re.search(rf"['\"]{name}['\"] *: *([^,}} ]+)", text)
    return found[1] if found else ""


def _limit_us(params: Params) -> int:
    return FIRST_US + params.section("ingest", IngestSettings).max_arrival_day * DAY_US


def read(con: duckdb.DuckDBPyConnection, file: RawFile, path: Path, work: Path, params: Params) -> tuple[int, int]:
    """Read one file into `work/usage/day=<N>/<hash>.parquet`, summed by slot; see the interface in tasks/data/sources/base.py.

    Raises:
        RawDataError: neither the path nor the rows tell the cell.
    """
    named = cells_of_path(file.name)
    bounds: dict[str, object] = {"first_us": FIRST_US, "limit_us": _limit_us(params), "window_us": LONGEST_WINDOW_US, "most": MOST_UNITS}
    given = bounds | {"path_cell": literal(named[0]) if named else "cast(null as varchar)"} | _relation(file, path)
    con.execute(load_sql("google2019/macros.sql"))
    con.execute(f"create or replace temp table usage_rows as {load_sql('google2019/read_usage.sql').format(**given)}")
    counts = con.execute("select count(*), count(*) filter (where not good) from usage_rows").fetchone()
    assert counts is not None  # noqa: S101
    if not counts[1]:
        text = load_sql("google2019/spread_usage.sql").format(first_us=FIRST_US)
        con.execute(f"create or replace temp table usage_slots as {text}")
        for (day,) in con.execute(f"select distinct slot // {SLOTS_PER_DAY} from usage_slots order by 1").fetchall():
            piece = work / "usage" / f"day={day}" / f"{file.sha256[:16]}.parquet"
            piece.parent.mkdir(parents=True, exist_ok=True)
            of_day = f"select * from usage_slots where slot // {SLOTS_PER_DAY} = {day} order by cell, slot"
            con.execute(f"copy ({of_day}) to {literal(piece)} (format parquet)")
    con.execute("drop table if exists usage_slots; drop table usage_rows")
    return int(counts[0]), int(counts[1])


def _relation(file: RawFile, path: Path) -> dict[str, str]:
    """Return the parameters of read_usage.sql that say where the rows are and how to get each text."""
    if file.kind == "usage_json":
        columns = {field: f"try(line ->> '$.{field}')" for field in FIELDS[:-1] if field != "average_usage"}
        _require_cell(file, _has_cell_keys(file, path))
        rows = (
            f"read_csv({literal(path)}, header = false, auto_detect = false, delim = '\x01', quote = '', escape = '', strict_mode = true, "
        )
        is_row = f"coalesce(json_valid(line) and json_type(line) = 'OBJECT' and not regexp_matches(line, {literal(ODD_JSON)}), false)"
        return {"rows": rows + "columns = {'line': 'VARCHAR'})", "is_row": is_row} | _texts(columns)
    if file.kind == "usage_parquet":
        names = parquet_names(path)
        columns = {name: f"cast({'.'.join(_quoted(part) for part in name.split('.'))} as varchar)" for name in names if name in FIELDS}
        _require_cell(file, "cell" in names or "cluster" in names)
        return {"rows": f"read_parquet({literal(path)})", "is_row": "true"} | _texts(columns)
    names = split_record(next(raw_lines(path, file.name)).rstrip(b"\r\n").decode("utf-8")) or []
    columns = {name: f"c{i}" for i, name in enumerate(names) if name in FIELDS}
    _require_cell(file, "cell" in names or "cluster" in names)
    types = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(names) + 1))
    # an empty field is '', a missing one null: a column too few leaves the last null, one too many (even if empty) fills the one beyond
    rows = (
        f"read_csv({literal(path)}, header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', strict_mode = true, "
        f"parallel = false, null_padding = true, nullstr = '<missing>', columns = {{{types}}})"
    )
    return {"rows": rows, "is_row": f"c{len(names) - 1} is not null and c{len(names)} is null"} | _texts(columns)


def _texts(columns: dict[str, str]) -> dict[str, str]:
    """Return the expressions of read_usage.sql by the columns that the file has (SQL by name)."""

    def first(*names: str, member: str | None = None) -> str:
        texts = [f"nullif({columns[name]}, '')" for name in names if name in columns]
        texts += [f"{member}({columns['average_usage']})"] if member and "average_usage" in columns else []
        return f"coalesce({', '.join([*texts, 'cast(null as varchar)'])})"

    return {
        "start_time": first("start_time"),
        "end_time": first("end_time"),
        "alloc": first("alloc_collection_id"),
        "cpus": first("average_usage.cpus", "average_usage_cpus", member="usage_cpus"),
        "memory": first("average_usage.memory", "average_usage_memory", member="usage_memory"),
        "cell": first("cell", "cluster"),
    }


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _has_cell_keys(file: RawFile, path: Path) -> bool:
    for _, line in zip(range(LINES_LOOKED_AT), raw_lines(path, file.name), strict=False):
        found = json_object(line.rstrip(b"\r\n").decode("utf-8", errors="replace"))
        if found and ("cell" in found or "cluster" in found):
            return True
    return False


def _require_cell(file: RawFile, has_column: bool) -> None:
    if not has_column and not cells_of_path(file.name):
        how = "put the file into a folder cell_<a..h>, name it instance_usage_<a..h>*, or add a column `cell` (a-h) or `cluster` (1-8)"
        raise RawDataError("the cell of these usage rows cannot be told from the path or the rows", where=file.name, how=how)
