"""Section: how sound the data is (rows, validation, twin against real, measured or sampled). Not here: what the data says."""

from __future__ import annotations

from typing import Any

from tasks.core.sources import SOURCES
from tasks.data.twin_fit_record import FitRow, TwinFit
from tasks.data.verdict import Result, Verdict
from tasks.eda.records import Quality
from tasks.report.facts import COMMAND, plural
from tasks.report.page import Column, Page, num

ORDER, TITLE, NAV, QUESTION = 100, "Quality", "Quality", "Were rows lost, did the checks pass, how close is the twin, and what is sampled?"
KINDS = {"measured": "measured", "drawn": "sampled"}
FOLD_FROM = 12  # a table from this many rows on is folded
VERDICT = {True: "✓ met", False: "✕ missed"}


def add(page: Page) -> str:
    """HTML of the section."""
    return _rows(page) + _fit(page) + _checks(page) + _columns(page)


def _tags(page: Page, origins: list[str]) -> list[str]:
    return sorted({page.origin_tag(o) for o in origins if o != "off"}, reverse=True) or ["real"]


def _rows(page: Page) -> str:
    found = page.read("reports/eda/quality.json", Quality)
    sources = found.sources if found else ()
    if not sources:
        return ""
    lost = sum(s.rows_in - s.rows_staged - s.rows_rejected for s in sources)
    critical = sum(s.critical - s.critical_passed for s in sources)
    page.number("rows_lost", lost)
    page.number("rows_in", sum(s.rows_in for s in sources))
    page.number("sources", len(sources))
    page.number("critical_checks_failed", critical)
    heading = "No row is lost: in every source, rows in equal rows staged plus rows rejected"
    if lost:
        heading = f"{plural(lost, 'row')} are missing between the raw files and the staged tables"
    sentence = "All critical checks passed." if not critical else f"{plural(critical, 'critical check')} failed."
    rows = [
        s.row() | {
            "reasons": ", ".join(f"{k}: {num(v)}" for k, v in sorted(s.rejects_by_reason.items()) if v),
            "checks": f"{'✓' if s.critical_passed == s.critical else '✕'} {s.critical_passed} of {s.critical}",
            "warnings_text": f"{'✓' if s.warnings_passed == s.warnings else '≈'} {s.warnings_passed} of {s.warnings}",
        }
        for s in sources
    ]  # fmt: skip
    return page.table(
        "rows",
        heading=heading,
        sentence=sentence,
        columns=[
            Column("source", "Source"),
            Column("origin", "From"),
            Column("rows_in", "Rows in", "count", "number"),
            Column("rows_staged", "Staged", "count", "number"),
            Column("rows_rejected", "Rejected", "count", "number"),
            Column("reasons", "Why rejected"),
            Column("checks", "Critical checks", "passed", "verdict"),
            Column("warnings_text", "Warnings", "passed", "verdict"),
        ],
        rows=rows,
        tags=[*_tags(page, [s.origin for s in sources]), "measured"],
        provenance=f"{plural(len(sources), 'source')} · {plural(sum(s.rows_in for s in sources), 'raw row')}",
        command=COMMAND,
    )


def _fit(page: Page) -> str:
    found = page.read("reports/validation/twin_fit.json", TwinFit)
    if not found or not found.rows:
        return ""
    count = page.number("twin_fit_rows", len(found.rows))
    missed = [r for r in found.rows if not r.is_met]
    heading = f"The twin meets {num(count - len(missed))} of {num(count)} targets from the real traces"
    if not missed:
        heading = f"The twin meets all {num(count)} targets from the real traces within their tolerance"
    named = ", ".join(r.target for r in missed[:3]) + (" and others" if len(missed) > 3 else "")
    return page.table(
        "twin_fit",
        heading=heading,
        sentence=f"Missed: {named}." if missed else "Each target is a published figure of the trace, with its tolerance.",
        columns=[
            Column("source", "Source"),
            Column("target", "Target"),
            Column("twin", "Twin", kind="number"),
            Column("real", "Real", kind="number"),
            Column("tolerance", "Tolerance"),
            Column("verdict", "Verdict", "", "verdict"),
            Column("reason", "Reason"),
        ],
        rows=[_own_digits(r) for r in sorted(found.rows, key=lambda r: r.is_met)],
        tags=["twin", "real", "measured"],
        provenance=f"{plural(count, 'target')} · twin seed {page.number('seed', page.params.seed)}",
        command="dvc repro twin_fit report",
        folded=count >= FOLD_FROM,
    )


def _own_digits(row: FitRow) -> dict[str, Any]:
    """Targets have different units, so a column has no common decimals: three significant digits each."""
    own = {k: float(f"{v:.3g}") for k, v in (("twin", row.twin), ("real", row.real)) if isinstance(v, float)}
    return row.row() | own | {"verdict": VERDICT[row.is_met]}


def _checks(page: Page) -> str:
    judged = [
        (source, result)
        for source in SOURCES
        if (verdict := page.read(f"reports/validation/{source}.json", Verdict))
        for result in verdict.results
    ]
    if not judged:
        return ""
    passed = page.number("checks_passed", sum(result.success for _, result in judged))
    count = page.number("checks", len(judged))
    heading = f"All {num(count)} checks of the staged tables pass"
    if passed < count:
        heading = f"{num(passed)} of {num(count)} checks of the staged tables pass; no critical one fails"
    return page.table(
        "checks",
        heading=heading,
        sentence="A critical check that fails stops everything after it; a warning is shown and does not stop anything.",
        columns=[
            Column("source", "Source"),
            Column("expectation", "Expectation"),
            Column("column", "Column"),
            Column("severity", "Severity"),
            Column("verdict", "Verdict", "", "verdict"),
            Column("observed", "Observed"),
        ],
        rows=[_check_row(source, result) for source, result in judged],
        tags=[*(sorted(set(page.origins().values()), reverse=True) or ["real"]), "measured"],
        provenance=plural(count, "check"),
        command="dvc repro validate report",
        folded=count >= FOLD_FROM,
    )


def _check_row(source: str, result: Result) -> dict[str, Any]:
    verdict = "✓ passes" if result.success else "✕ fails" if result.severity == "critical" else "≈ warns"
    row = {"source": source, "expectation": result.expectation, "column": result.column or "", "severity": result.severity}
    return row | {"verdict": verdict, "observed": "" if result.observed is None else str(result.observed)}


def _columns(page: Page) -> str:
    found = page.read("reports/eda/quality.json", Quality)
    rows = found.columns if found else ()
    if not rows:
        return ""
    kinds = [r.kind for r in rows for _ in r.column.split(", ")]  # one row may name several columns
    sampled, count = page.number("columns_sampled", kinds.count("drawn")), page.number("columns", len(kinds))
    heading = f"{num(sampled)} of {plural(count, 'column')} {'is' if sampled == 1 else 'are'} sampled, because the traces do not state them"
    if not sampled:
        heading = f"All {plural(count, 'column')} are measured"
    origins = [origin for source, origin in page.origins().items() if source in {r.source for r in rows}]
    return page.table(
        "columns",
        heading=heading,
        sentence="Measured: computed from rows of the trace (or of its twin). Sampled: a random number from a stated distribution.",
        columns=[Column("source", "Source"), Column("column", "Column"), Column("kind", "Kind"), Column("how", "How")],
        rows=[r.row() | {"kind": KINDS[r.kind]} for r in rows],
        tags=[*_tags(page, origins), "sampled: as listed" if sampled else "measured"],
        provenance=plural(count, "column"),
        command=COMMAND,
        folded=len(rows) >= FOLD_FROM,
    )
