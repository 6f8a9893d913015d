"""Stage `ingest`: raw files of one source into sorted Parquet, one folder per day. Not here: the meaning of a source's rows (sources/).

Every row of the manifest is staged or rejected with a reason. Only days that a changed file touches are rebuilt; the new tree is built
beside the old one and moved into place at the end, so that a failure leaves the last good run.
"""

from __future__ import annotations

import importlib
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from core.errors import LostRowsError, RawDataError
from tasks.core.drafts import draft_of, replace_folder, sweep
from tasks.core.faults import GZIP_FAULTS, NO_SPACE_TEXTS, explained
from tasks.core.files import read_json, write_json
from tasks.core.records import write_record
from tasks.data import raw_files
from tasks.data.ingest_outputs import staged_folder
from tasks.data.ingest_record import IngestReport
from tasks.data.scan_outputs import manifest_file
from tasks.data.sources.base import RawFile
from tasks.data.staged_state import REJECTS, day_folder, fingerprint, hashes, last_state, sha256

if TYPE_CHECKING:
    import duckdb

    from tasks.core.params import Params
    from tasks.core.paths import Paths


@dataclass
class Job:
    """One run: where things are and what has been found so far."""

    con: duckdb.DuckDBPyConnection
    module: Any
    params: Params
    folder: Path
    work: Path
    draft: Path
    rejects: TextIO
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)


def run(params: Params, paths: Paths, source: str) -> str:
    """Bring `data/staged/<source>` up to date with the manifest; return the summary line.

    Raises:
        RawDataError: the manifest is missing, or a file changed after the scan.
        LostRowsError: rows read differ from rows staged plus rows rejected.
        SpaceError: no space on the disk; what was staged before is untouched.
    """
    if not manifest_file(paths, source).exists():
        raise RawDataError(f"{source} has not been scanned", where=str(manifest_file(paths, source)), how=f"run: dvc repro scan@{source}")
    manifest = read_json(manifest_file(paths, source))
    staged = staged_folder(paths, source)
    sweep(staged)
    draft = draft_of(staged)
    work = paths.root / ".trine" / f"ingest-{source}"
    import duckdb

    try:
        for folder in (draft, work):
            shutil.rmtree(folder, ignore_errors=True)
        draft.mkdir(parents=True)
        if manifest["from"] == "off":
            write_record(draft / "ingest.json", IngestReport, _counts("off", [], {}))
            summary = "off"
        else:
            work.mkdir(parents=True)
            summary = _build(params, paths, manifest, work, draft)
        replace_folder(draft, staged)
    except (OSError, duckdb.Error) as error:
        known = explained(error, paths.root, f"dvc repro ingest@{source}")
        if known is None:
            raise
        raise known from error
    finally:
        for folder in (draft, work):
            shutil.rmtree(folder, ignore_errors=True)
    return summary


def _build(params: Params, paths: Paths, manifest: dict[str, Any], work: Path, draft: Path) -> str:
    from tasks.core.database import connect

    source = manifest["source"]
    module = importlib.import_module(f"tasks.data.sources.{source}")
    code = fingerprint(params, source, getattr(module, "REFERENCE_FILES", ()))
    staged = staged_folder(paths, source)
    state = last_state(staged, code)
    files = [RawFile(**entry) for entry in manifest["files"]]
    folder = raw_files.resolve_folder(manifest["folder"], paths)
    with connect(paths) as con, (work / "rejects.jsonl").open("w", encoding="utf-8") as rejects:
        job = Job(con, module, params, folder, work, draft, rejects)
        dirty = _read_changed(job, files, state)
        rejects.flush()
        days = _write_days(job, staged, dirty, state)
        _write_rejects(job, staged)
        counts = _counts(manifest["origin"], files, job.records) | {"rows_staged": sum(day["rows"] for day in days.values())}
        if counts["rows_in"] != counts["rows_staged"] + counts["rows_rejected"]:
            what = f"{counts['rows_in']} rows in, {counts['rows_staged']} staged, {counts['rows_rejected']} rejected"
            raise LostRowsError(what, where=source, how="tell the maintainers; what was staged before is untouched")
        counts |= module.summarise(con, draft, params) | ({"days": manifest["days"]} if manifest.get("days") else {})
    write_record(draft / "ingest.json", IngestReport, counts)
    write_json(draft / "state.json", {"code": code, "files": job.records, "days": days, "rejects": sha256(draft / REJECTS)})
    size = sum(f.stat().st_size for f in draft.rglob("*") if f.is_file())
    return (
        f"{counts['rows_in']:,} rows in, {counts['rows_staged']:,} staged, {counts['rows_rejected']:,} rejected, "
        f"{len(dirty & {int(d) for d in days})} of {len(days)} days rebuilt, {size:,} bytes"
    )


def _read_changed(job: Job, files: list[RawFile], state: dict[str, Any]) -> set[int]:
    """Read new and changed files, then the unchanged ones that share a day with them; return the days to write."""
    last = state["files"]
    unchanged = [f for f in files if f.name in last and last[f.name]["sha256"] == f.sha256]
    kept = {f.name for f in unchanged}
    dirty: set[int] = set(state.get("damaged", ()))
    for name, record in last.items():
        if name not in kept:
            dirty |= set(record["days"])
    for file in files:
        if file.name in kept:
            job.records[file.name] = last[file.name]
        else:
            _read_file(job, file)
            dirty |= set(job.records[file.name]["days"])
    for file in unchanged:
        if dirty & set(last[file.name]["days"]):
            _read_file(job, file)
    return dirty


def _read_file(job: Job, file: RawFile) -> None:
    """Read one file into pieces below `work/all`; by the tolerant path when the fast one finds a fault."""
    path = job.folder / file.name
    if not path.is_file() or path.stat().st_size != file.bytes:
        raise RawDataError("the file changed after the scan", where=str(path), how="run the pipeline again (scan comes first)")
    part = job.work / "part"
    reasons: Counter[str] = Counter()
    if _attempt(job, file, path, part) != (file.rows, 0):
        reasons = _read_tolerantly(job, file, path, part)
    days = set()
    for i, piece in enumerate(sorted(part.rglob("*.parquet"))):
        table, day = piece.relative_to(part).parts[:2]
        days.add(int(day.removeprefix("day=")))
        target = job.work / "all" / table / day / f"{len(job.read)}-{i}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        piece.rename(target)
    job.read.add(file.name)
    job.records[file.name] = {"sha256": file.sha256, "days": sorted(days), "rejected": dict(sorted(reasons.items()))}


def _attempt(job: Job, file: RawFile, path: Path, part: Path) -> tuple[int, int] | None:
    """Return rows and bad rows of the fast path; None when DuckDB cannot read the file as it is."""
    import duckdb

    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        result: tuple[int, int] = job.module.read(job.con, file, path, part, job.params)
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        if any(text in str(error).lower() for text in NO_SPACE_TEXTS):
            raise
        return None
    except GZIP_FAULTS as error:
        raise raw_files.damaged_gzip(path, file.name, error) from error
    return result


def _read_tolerantly(job: Job, file: RawFile, path: Path, part: Path) -> Counter[str]:
    from tasks.data.cleaning import clean

    kind = next(k for k in job.module.KINDS if k.name == file.kind)
    copy = job.work / "clean" / Path(file.name.removesuffix(".gz")).name
    copy.parent.mkdir(exist_ok=True)
    width = job.module.width(kind.name, path) if hasattr(job.module, "width") else None

    def check(fields: Sequence[str]) -> str | None:
        if width is not None and len(fields) != width:
            return "wrong_column_count"
        reason: str | None = job.module.check_fields(kind.name, fields, job.params)
        return reason

    kept, reasons = clean(path, file.name, kind, check, copy, job.rejects)
    if kept + reasons.total() != file.rows:
        what = f"{file.rows} rows in the manifest, {kept} usable and {reasons.total()} rejected in the file"
        raise LostRowsError(what, where=str(path), how="run the pipeline again (scan comes first); else tell the maintainers")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    rows, bad = job.module.read(job.con, file, copy, part, job.params)
    copy.unlink()
    if (rows, bad) != (kept, 0):
        what = f"the two readers disagree: {kept} usable rows, {rows} read, {bad} of them bad"
        raise LostRowsError(what, where=str(path), how="tell the maintainers, with the file")
    return reasons


def _write_days(job: Job, staged: Path, dirty: set[int], state: dict[str, Any]) -> dict[str, Any]:
    """Write the days in `dirty`, link the others from the last run; return rows and file hashes by day."""
    wanted = {day for record in job.records.values() for day in record["days"]}
    days: dict[str, Any] = {}
    for day in sorted(wanted):
        out = job.draft / day_folder(day)
        out.mkdir()
        if day in dirty:
            rows = job.module.write_day(job.con, job.work / "all", day, out, job.params)
            days[str(day)] = {"rows": rows, "files": hashes(out)}
        else:
            days[str(day)] = state["days"][str(day)]
            for name in days[str(day)]["files"]:
                _link(staged / day_folder(day) / name, out / name)
    return days


def _link(old: Path, new: Path) -> None:
    try:
        os.link(old.resolve(), new)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(old, new)


def _write_rejects(job: Job, staged: Path) -> None:
    """Write the rejects of this run's files and of those kept from the last run."""
    from tasks.core.database import literal

    job.con.execute('create or replace temp table rejects (file varchar, line bigint, reason varchar, "row" varchar)')
    fresh = job.work / "rejects.jsonl"
    if fresh.stat().st_size:
        columns = "{'file': 'VARCHAR', 'line': 'BIGINT', 'reason': 'VARCHAR', 'row': 'VARCHAR'}"
        lines = f"read_json({literal(fresh)}, format = 'newline_delimited', columns = {columns})"
        job.con.execute(f"insert into rejects select * from {lines}")
    kept = [name for name, record in job.records.items() if name not in job.read and record["rejected"]]
    if kept:
        job.con.execute(f"insert into rejects select * from read_parquet({literal(staged / REJECTS)}) where list_contains(?, file)", [kept])
    target = literal(job.draft / REJECTS)
    job.con.execute(f'copy (select * from rejects order by file, line, reason, "row") to {target} (format parquet, compression zstd)')


def _counts(origin: str, files: list[RawFile], records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the keys of ingest.json that every source has."""
    reasons: Counter[str] = Counter()
    for record in records.values():
        reasons.update(record["rejected"])
    listed = [{"name": f.name, "sha256": f.sha256, "rows": f.rows, "rejected": sum(records[f.name]["rejected"].values())} for f in files]
    return {
        "from": origin,
        "rows_in": sum(f.rows for f in files),
        "rows_staged": 0,
        "rows_rejected": reasons.total(),
        "rejects_by_reason": dict(sorted(reasons.items())),
        "files": listed,
    }
