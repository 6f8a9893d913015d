"""The gate of every consumer of staged data: the verdict's file, its fingerprint, the check. Not here: judging (tasks/data/validate.py)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from core.errors import DamagedFileError, GateError
from tasks.core.files import read_json, write_json
from tasks.data.ingest_outputs import ingest_report

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths

NAMED_FAILURES = 8  # failed expectations an error message names; the verdict lists all of them


def verdict_file(paths: Paths, source: str) -> Path:
    """What `validate` writes: the verdict that gates every consumer."""
    return paths.reports / "validation" / f"{source}.json"


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
    write_json(verdict_file(paths, source), verdict)
    return success


def require_success(paths: Paths, source: str) -> dict[str, Any]:
    """Return the verdict of a source if it is a success and speaks of the data that is staged now.

    Raises:
        GateError: the verdict is missing, unreadable, not a success, or was reached on other data than what is staged.
    """
    file = verdict_file(paths, source)
    where, rerun = _relative(paths, file), f"run: dvc repro validate@{source}"
    try:
        verdict = read_json(file)
    except FileNotFoundError:
        raise GateError(f"{source} has not been validated", where=where, how=rerun) from None
    except (OSError, DamagedFileError) as error:
        reason = error.what if isinstance(error, DamagedFileError) else error
        raise GateError(f"the verdict of {source} cannot be read: {reason}", where=where, how=f"delete it and {rerun}") from None
    if not isinstance(verdict, dict) or not isinstance(verdict.get("results"), list):
        raise GateError(f"the verdict of {source} is not a verdict", where=where, how=f"delete it and {rerun}")
    if verdict.get("success") is not True:
        raise GateError(
            f"{source} failed validation: {describe_failures(verdict['results'])}",
            where=where,
            how=f"look at these expectations in the verdict, mend or remove the raw file that causes them, then {rerun}",
        )
    if verdict.get("judged") != fingerprint(paths, source):
        raise GateError(f"the verdict of {source} speaks of other data than what is staged now", where=where, how=rerun)
    return verdict


def describe_failures(results: list[dict[str, Any]]) -> str:
    """Name the failed critical expectations, e.g. `values_between(duration_us) observed 7 of 100 unexpected`."""
    failed = [r for r in results if r.get("severity") == "critical" and not r.get("success")]
    named = [f"{r.get('expectation')}({r.get('column') or 'table'}) observed {r.get('observed')}" for r in failed[:NAMED_FAILURES]]
    more = f"; and {len(failed) - NAMED_FAILURES} more" if len(failed) > NAMED_FAILURES else ""
    return "; ".join(named) + more if named else "no critical expectation is named"


def _relative(paths: Paths, file: Any) -> str:
    return str(file.relative_to(paths.root)) if file.is_relative_to(paths.root) else str(file)
