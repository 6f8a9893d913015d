"""Section: how sound the data is (rows, validation, twin against real, measured or drawn). Not here: what the data says."""

from __future__ import annotations

from typing import Any

from tasks.core.sources import SOURCES
from tasks.data.traces import all_traces, trace_of
from tasks.report.facts import COMMAND, plural
from tasks.report.page import Column, Page, num

TITLE, NAV, QUESTION = "Quality", "Quality", "Were rows lost, did the checks pass, how near is the twin, and what is drawn?"
FOLD_FROM = 12  # a table from this many rows on is folded
VERDICT = {True: "✓ holds", False: "✕ misses", None: "– not judged"}


def render(page: Page) -> str:
    """HTML of the section."""
    return _rows(page) + _fit(page) + _checks(page) + _columns(page)


def _tags(page: Page, origins: list[str]) -> list[str]:
    return sorted({page.origin_tag(o) for o in origins if o != "off"}, reverse=True) or ["real"]


def _rows(page: Page) -> str:
    sources = (page.json("eda/quality.json") or {}).get("sources") or []
    if not sources:
        return ""
    lost = sum(s["rows_in"] - s["rows_staged"] - s["rows_rejected"] for s in sources)
    critical = sum(s["critical"] - s["critical_passed"] for s in sources)
    page.metric("rows_lost", lost)
    page.metric("rows_in", sum(s["rows_in"] for s in sources))
    page.metric("sources", len(sources))
    page.metric("critical_checks_failed", critical)
    heading = "No row is lost: rows in are rows staged plus rows rejected, in every source"
    if lost:
        heading = f"{plural(lost, 'row')} went missing between the raw files and the staged tables"
    sentence = "All critical checks passed." if not critical else f"{plural(critical, 'critical check')} failed."
    rows = [
        s | {
            "reasons": ", ".join(f"{k}: {num(v)}" for k, v in sorted((s.get("rejects_by_reason") or {}).items()) if v),
            "checks": f"{'✓' if s['critical_passed'] == s['critical'] else '✕'} {s['critical_passed']} of {s['critical']}",
            "warnings_text": f"{'✓' if s['warnings_passed'] == s['warnings'] else '≈'} {s['warnings_passed']} of {s['warnings']}",
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
        tags=[*_tags(page, [s["origin"] for s in sources]), "measured"],
        provenance=f"{plural(len(sources), 'source')} · {plural(sum(s['rows_in'] for s in sources), 'raw row')}",
        command=COMMAND,
    )


def _fit(page: Page) -> str:
    found = (page.json("validation/twin_fit.json") or {}).get("rows") or []
    if not found:
        return ""
    page.metric("twin_fit_rows", len(found))
    judged = [r for r in found if r["pass"] is not None]
    missed = [r for r in judged if not r["pass"]]
    heading = f"The twin meets {num(len(judged) - len(missed))} of {num(len(judged))} targets of the real traces"
    if judged and not missed:
        heading = f"The twin meets all {num(len(judged))} targets of the real traces within their tolerance"
    if not judged:
        heading = "The twin was not judged against the real traces"
    named = ", ".join(str(r["target"]) for r in missed[:3]) + (" and others" if len(missed) > 3 else "")
    rows = [r | {"verdict": VERDICT[r["pass"]]} for r in sorted(found, key=lambda r: (r["pass"] is not False, r["pass"] is None))]
    texts = {k for k in ("twin", "real", "tolerance") if any(isinstance(r.get(k), str) for r in rows)}
    return page.table(
        "twin_fit",
        heading=heading,
        sentence=f"Missed: {named}." if missed else "Each target with its tolerance; a row without a real figure is not judged.",
        columns=[
            Column("source", "Source"),
            Column("target", "Target"),
            *(Column(k, k.capitalize(), kind="text" if k in texts else "number") for k in ("twin", "real", "tolerance")),
            Column("verdict", "Verdict", "", "verdict"),
            Column("reason", "Reason"),
        ],
        rows=[_each_own_digits(r) for r in rows],
        tags=["twin", "real", "measured"],
        provenance=f"{plural(len(found), 'target')} · twin seed {page.metric('seed', page.params.seed)}",
        command="dvc repro twin_fit report",
        folded=len(found) >= FOLD_FROM,
    )


def _each_own_digits(row: dict[str, Any]) -> dict[str, Any]:
    """Targets have different units, so a column has no common decimals: three significant digits each."""
    own = {k: float(f"{row[k]:.3g}") for k in ("twin", "real", "tolerance") if isinstance(row.get(k), float)}
    return row | own


def _checks(page: Page) -> str:
    rows = []
    for source in SOURCES:
        verdict = page.json(f"validation/{source}.json") or {}
        for result in verdict.get("results") or []:
            rows.append(
                {
                    "source": source,
                    "expectation": result["expectation"],
                    "column": result.get("column") or "",
                    "severity": result["severity"],
                    "verdict": "✓ holds" if result["success"] else "✕ fails" if result["severity"] == "critical" else "≈ warns",
                    "observed": str(result.get("observed") if result.get("observed") is not None else ""),
                }
            )
    if not rows:
        return ""
    passed = page.metric("checks_passed", sum(r["verdict"] == "✓ holds" for r in rows))
    page.metric("checks", len(rows))
    heading = f"All {num(len(rows))} checks of the staged tables hold"
    if passed < len(rows):
        heading = f"{num(passed)} of {num(len(rows))} checks of the staged tables hold; no critical one fails"
    origins = [t.origin for t in all_traces(page.params).values()]
    return page.table(
        "checks",
        heading=heading,
        sentence="A critical check that fails stops everything after it; a warning is shown and passed on.",
        columns=[
            Column("source", "Source"),
            Column("expectation", "Expectation"),
            Column("column", "Column"),
            Column("severity", "Severity"),
            Column("verdict", "Verdict", "", "verdict"),
            Column("observed", "Observed"),
        ],
        rows=rows,
        tags=[*_tags(page, origins), "measured"],
        provenance=plural(len(rows), "check"),
        command="dvc repro validate report",
        folded=len(rows) >= FOLD_FROM,
    )


def _columns(page: Page) -> str:
    rows = (page.json("eda/quality.json") or {}).get("columns") or []
    if not rows:
        return ""
    kinds = [r["kind"] for r in rows for _ in r["column"].split(", ")]  # one row may name several columns
    drawn, count = page.metric("columns_drawn", kinds.count("drawn")), page.metric("columns", len(kinds))
    heading = f"{num(drawn)} of {plural(count, 'column')} {'is' if drawn == 1 else 'are'} drawn, because the public traces are silent"
    if not drawn:
        heading = f"All {plural(count, 'column')} are measured"
    origins = [trace_of(page.params, s).origin for s in {r["source"] for r in rows} if s in all_traces(page.params)]
    return page.table(
        "columns",
        heading=heading,
        sentence="Measured: computed from rows of the trace (or of its twin). Drawn: a random number with a stated distribution.",
        columns=[Column("source", "Source"), Column("column", "Column"), Column("kind", "Kind"), Column("how", "How")],
        rows=rows,
        tags=[*_tags(page, origins), "drawn: as listed" if drawn else "measured"],
        provenance=plural(count, "column"),
        command=COMMAND,
        folded=len(rows) >= FOLD_FROM,
    )
