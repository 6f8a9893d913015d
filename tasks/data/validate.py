"""Stage `validate`: judges the staged tables of one source by expectations/<source>.json. Not here: the gate (tasks/data/verdict.py).

A critical failure does not fail this stage: the verdict must stay on disk for the report, and DVC deletes the outputs of a failed stage.
It fails every consumer instead, which calls `require_success` first.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from core.errors import ParameterError, RawDataError
from core.units import US_PER_S
from simulator.parameters import Section
from tasks.core.database import connect, connection_config, literal
from tasks.core.records import read_record
from tasks.data.ingest_outputs import ingest_report, staged_folder
from tasks.data.ingest_record import IngestReport
from tasks.data.ingest_settings import IngestSettings
from tasks.data.offenders import limit_of, place_of
from tasks.data.verdict import describe_failures, write_verdict

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths


class Settings(Section):
    """The section `validate`: how much of a failure is shown."""

    sample_rows: int = Field(ge=0, le=100, description="offending rows shown per failed expectation")


def run(params: Params, paths: Paths, source: str) -> str:
    """Write the verdict of `source`; return the summary line.

    Raises:
        RawDataError: the source has not been ingested.
        ParameterError: the suite names a value that ingest.json does not have.
    """
    if not ingest_report(paths, source).exists():
        raise RawDataError(f"{source} has not been ingested", where="data/staged", how=f"run: dvc repro ingest@{source}")
    counts = read_record(ingest_report(paths, source), IngestReport).row()
    if counts["from"] == "off":
        write_verdict(paths, source, "off", [])
        return "off"
    suite = json.loads((paths.expectations / f"{source}.json").read_text(encoding="utf-8"))
    results: list[dict[str, Any]] = []
    scratch = Path(tempfile.mkdtemp(prefix="trine-validate-"))
    try:
        for table, expectations in sorted(suite["tables"].items()):
            results += _judge(params, paths, source, table, expectations, counts, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    success = write_verdict(paths, source, counts["from"], results)
    failed = [r for r in results if not r["success"]]
    verdict = "success" if success else f"FAILED: {describe_failures(results)}"
    return f"{len(results)} expectations, {len(failed)} not met, {verdict}"


def _judge(
    params: Params, paths: Paths, source: str, table: str, expectations: list[dict[str, Any]], counts: dict[str, Any], scratch: Path
) -> list[dict[str, Any]]:
    from tasks.data.gx_duckdb import run_suite

    if table != "ingest" and not any(staged_folder(paths, source).glob(f"day=*/{table}.parquet")):
        if not counts.get(table, counts["rows_staged"]):
            return []  # an optional table of which the raw files held nothing
        missing = {"expectation": "table_exists", "column": None, "table": table, "severity": "critical", "success": False}
        return [missing | {"observed": "no staged file"}]
    filled = [_filled(e, counts, params) for e in expectations]
    for i, expectation in enumerate(filled):
        expectation.setdefault("meta", {})["position"] = i
    view = _view(paths, source, table, counts)
    raw = run_suite(view, {"name": f"{source}.{table}", "expectations": filled}, scratch / f"{table}.duckdb", connection_config(paths))
    shown = params.section("validate", Settings).sample_rows
    rows = [_row(table, r, shown) for r in sorted(raw, key=lambda r: r["expectation_config"]["meta"]["position"])]
    with connect(paths) as con:
        for row, expectation in zip(rows, filled, strict=True):
            if not row["success"]:
                kind, kwargs = expectation["type"], expectation["kwargs"]
                row |= {"limit": limit_of(kwargs), "found_at": place_of(con, paths, source, table, kind, kwargs)}
    return rows


def _view(paths: Paths, source: str, table: str, counts: dict[str, Any]) -> str:
    """The query whose rows are judged: the staged files with their partition's day, or the counts of ingest.json."""
    if table == "ingest":
        n_in, staged, rejected = (int(counts[k]) for k in ("rows_in", "rows_staged", "rows_rejected"))
        share = rejected / n_in if n_in else 0.0
        return f"select {n_in} as rows_in, {staged} as rows_staged, {rejected} as rows_rejected, {share!r}::double as rejected_share"
    files = literal(staged_folder(paths, source) / "day=*" / f"{table}.parquet")
    return f"select * from read_parquet({files}, hive_partitioning = true, hive_types = {{'day': bigint}})"


def _filled(expectation: dict[str, Any], counts: dict[str, Any], params: Params) -> dict[str, Any]:
    """Replace `$ingest.<key>` and `$params.max_duration_us` in the arguments by their values."""
    known = {f"$ingest.{k}": v for k, v in counts.items()} | {
        "$params.max_duration_us": params.section("ingest", IngestSettings).max_duration_s * US_PER_S
    }
    kwargs = {}
    for key, value in expectation["kwargs"].items():
        if isinstance(value, str) and value.startswith("$"):
            if value not in known:
                raise ParameterError(f"unknown value {value}", where="expectations/", how=f"known: {', '.join(sorted(known))}")
            value = known[value]
        kwargs[key] = value
    return {**expectation, "kwargs": kwargs}


def _row(table: str, result: dict[str, Any], shown: int) -> dict[str, Any]:
    """One row of the verdict: sorted, without times and ids."""
    config, found = result["expectation_config"], result["result"]
    meta = config.get("meta") or {}
    shares = found.get("partial_unexpected_list") if table == "ingest" else None
    if shares:  # the one row of the counts: its value says more than "1 of 1"
        observed = str(shares[0])
    elif "unexpected_count" in found and "element_count" in found:
        observed = f"{found['unexpected_count']} of {found['element_count']} unexpected"
    elif found.get("observed_value") is not None:
        observed = str(found["observed_value"])
    else:
        observed = str(found.get("unexpected_count", "no value"))
    raised = (result.get("exception_info") or {}).get("raised_exception")
    name = meta.get("name") or config["type"].removeprefix("expect_")
    row = {
        "expectation": name,
        "column": meta.get("column") or config["kwargs"].get("column"),
        "table": table,
        "severity": config["severity"],
        "success": bool(result["success"]),
        "observed": "could not be evaluated" if raised else observed,
    }
    examples = found.get("partial_unexpected_list") or (found.get("details") or {}).get("unexpected_rows") or []
    if not row["success"] and shown and examples:
        row["examples"] = [str(e) for e in examples[:shown]]
    return row
