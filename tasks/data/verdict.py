"""The gate of every consumer of staged data: the verdict's file, its fingerprint, the check. Not here: judging (tasks/data/validate.py)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from core.errors import DamagedFileError, GateError
from tasks.core.records import Number, Record, read_record, write_record
from tasks.data.ingest_outputs import ingest_report

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths

NAMED_FAILURES = 8  # failed expectations an error message names; the verdict lists all of them


def verdict_file(paths: Paths, source: str) -> Path:
    """What `validate` writes: the verdict that gates every consumer."""
    return paths.reports / "validation" / f"{source}.json"


class Result(Record):
    """One expectation, judged; `examples` are rows that do not meet it, `limit` is what it allows, `found_at` where the first one is."""

    expectation: str
    column: str | None
    severity: str
    success: bool
    observed: str | Number | None
    table: str = ""
    examples: tuple[str, ...] = ()
    limit: str = ""
    found_at: str = ""


class Verdict(Record):
    """What `validate` says of the staged data of a source; `judged` is the fingerprint of that data."""

    written_by: ClassVar[str] = "validate"

    source: str
    origin: str = Field(alias="from")
    success: bool
    judged: str
    results: tuple[Result, ...]


def fingerprint(paths: Paths, source: str) -> str:
    """Return the SHA-256 (hex) of ingest.json and state.json: the counts, and the digest of every raw file that is staged.

    Raises:
        GateError: ingest.json is missing or unreadable.
    """
    report = ingest_report(paths, source)
    try:
        digest = hashlib.sha256(report.read_bytes())
    except OSError as error:
        raise GateError(
            f"the staged data of {source} is not there ({error.strerror})",
            where=_relative(paths, report),
            how=f"run: dvc repro validate@{source}",
        ) from None
    state = report.with_name("state.json")  # a source that is off has none
    if state.exists():
        digest.update(state.read_bytes())
    return digest.hexdigest()


def write_verdict(paths: Paths, source: str, origin: str, results: list[dict[str, Any]]) -> bool:
    """Write the verdict of a source; success means that no expectation of severity `critical` failed.

    Args:
        paths: of the working tree.
        source: its name.
        origin: the `from` of the source in params.yaml, as ingest.json states it.
        results: one entry per expectation: expectation, column, severity, success, observed (and examples where it failed).
    """
    success = not any(r["severity"] == "critical" and not r["success"] for r in results)
    verdict = {"source": source, "from": origin, "success": success, "judged": fingerprint(paths, source), "results": results}
    write_record(verdict_file(paths, source), Verdict, verdict)
    return success


def require_success(paths: Paths, source: str) -> Verdict:
    """Return the verdict of a source if it is a success and is about the data that is staged now.

    Raises:
        GateError: the verdict is missing, unreadable, not a success, or was reached on other data than what is staged.
    """
    file = verdict_file(paths, source)
    where, rerun = _relative(paths, file), f"run: dvc repro validate@{source}"
    try:
        verdict = read_record(file, Verdict)
    except FileNotFoundError:
        raise GateError(f"{source} has not been validated", where=where, how=rerun) from None
    except (OSError, DamagedFileError) as error:
        reason = error.what if isinstance(error, DamagedFileError) else error
        raise GateError(f"the verdict of {source} cannot be read: {reason}", where=where, how=f"delete it and {rerun}") from None
    if not verdict.success:
        raise GateError(
            f"{source} failed validation: {describe_failures(verdict.row()['results'])}",
            where=where,
            how=f"look at these expectations in the verdict, fix or remove the raw file that causes them, then {rerun}",
        )
    if verdict.judged != fingerprint(paths, source):
        raise GateError(f"the verdict of {source} is about other data than what is staged now", where=where, how=rerun)
    return verdict


def describe_failures(results: Sequence[Mapping[str, Any]]) -> str:
    """Name the failed critical expectations with value, limit and place.

    E.g. `column_values_to_be_between(rejected_share) observed 0.25, allowed 0 to 0.01; bad_id 5 rows, first in trace.csv line 17`.
    """
    failed = [r for r in results if r["severity"] == "critical" and not r["success"]]
    named = [_failure(r) for r in failed[:NAMED_FAILURES]]
    more = f"; and {len(failed) - NAMED_FAILURES} more" if len(failed) > NAMED_FAILURES else ""
    return "; ".join(named) + more if named else "no critical expectation is named"


def _failure(result: Mapping[str, Any]) -> str:
    text = f"{result.get('expectation')}({result.get('column') or 'table'}) observed {result.get('observed')}"
    if result.get("limit"):
        text += f", allowed {result['limit']}"
    return f"{text}, {result['found_at']}" if result.get("found_at") else text


def _relative(paths: Paths, file: Any) -> str:
    return str(file.relative_to(paths.root)) if file.is_relative_to(paths.root) else str(file)
