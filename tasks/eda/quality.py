"""What arrived, what was refused, what is missing, and which columns are sampled. Not here: judging (tasks/data/validate.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.core.database import literal, load_sql
from tasks.core.records import read_record
from tasks.data.ingest_outputs import ingest_report, staged_folder
from tasks.data.ingest_record import IngestReport

if TYPE_CHECKING:
    import duckdb

    from tasks.core.paths import Paths
    from tasks.data.verdict import Verdict

# The one list of what no trace states and we sample (keyed by id, counter-based); everything else in the staged tables is measured.
SAMPLED = [
    {
        "source": "azure2021",
        "column": "memory_mb",
        "how": "log-normal per app, median and sigma in params.yaml (2019 release: p50 143-154 MB)",
    },
    {"source": "azure2021", "column": "trigger", "how": "per function, by the 2019 shares of functions (data/reference/trigger_mix.csv)"},
    {"source": "azure2019", "column": "arrival_us", "how": "inside the measured minute"},
    {"source": "azure2019", "column": "duration_us", "how": "from the measured percentiles of the function and day"},
    {
        "source": "google2019",
        "column": "cpu_fraction",
        "how": "use is measured; the capacity it is divided by is mean use / an assumed level",
    },
    {
        "source": "google2019",
        "column": "memory_fraction",
        "how": "use is measured; the capacity it is divided by is mean use / an assumed level",
    },
]


def source_rows(con: duckdb.DuckDBPyConnection, paths: Paths, verdicts: dict[str, Verdict]) -> dict[str, Any]:
    """Return sources (one row each), columns (measured or sampled), missing values by table and column.

    Args:
        con: a database.
        paths: of the working tree.
        verdicts: by source, as `require_success` returns them.
    """
    rows: list[dict[str, Any]] = []
    missing: list[dict[str, Any]] = []
    for source, verdict in verdicts.items():
        counts = read_record(ingest_report(paths, source), IngestReport)
        if counts.origin == "off":
            continue
        row = {k: getattr(counts, k) for k in ("rows_in", "rows_staged", "rows_rejected", "rejects_by_reason")}
        for severity, name in (("critical", "critical"), ("warning", "warnings")):
            judged = [r for r in verdict.results if r.severity == severity]
            row |= {name: len(judged), f"{name}_passed": sum(r.success for r in judged)}
        rows.append({"source": source, "origin": counts.origin, "exact_duplicates": counts.totals.get("exact_duplicates")} | row)
        missing += _missing(con, paths, source)
    return {"sources": rows, "columns": _columns(missing), "missing": missing}


def _columns(missing: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every staged column as measured or sampled (`drawn` in the file), in order."""
    how = {(d["source"], d["column"]): d["how"] for d in SAMPLED}
    names = sorted({(m["source"], m["column"]) for m in missing})
    return [
        {"source": s, "column": c, "kind": "drawn" if (s, c) in how else "measured", "how": how.get((s, c), "as the trace states it")}
        for s, c in names
    ]


def _missing(con: duckdb.DuckDBPyConnection, paths: Paths, source: str) -> list[dict[str, Any]]:
    found = []
    for table in sorted({f.name for f in staged_folder(paths, source).glob("day=*/*.parquet")}):
        pattern = literal(staged_folder(paths, source) / "day=*" / table)
        described = con.execute(f"describe select * from read_parquet({pattern}, hive_partitioning = false)").fetchall()
        counts = ", ".join(f'count(*) filter (where "{c[0]}" is null) as "{c[0]}"' for c in described)
        query = load_sql("eda/missing.sql").format(table=pattern, counts=counts)
        for name, n, rows in con.execute(query).fetchall():
            found.append({"source": source, "table": table.removesuffix(".parquet"), "column": name, "missing": n, "rows": rows})
    return found
