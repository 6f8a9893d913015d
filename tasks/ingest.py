"""Stage `ingest`: raw files of one source into sorted day partitions of Parquet. Not here: what a source looks like (tasks/sources/).

A file is first read by DuckDB, strictly. If anything is wrong with it, it is cleaned line by line (tasks/cleaning.py) and the clean
copy is read; so rows in = rows staged + rows rejected, and every reject has its line and reason. Only days that a new, changed or
removed file touches are written again; everything is prepared beside the staged data and moved into place at the end.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import json
import shutil
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clouds.errors import LostRowsError, RawDataError, SpaceError
from tasks.cleaning import Reject, clean
from tasks.database import SQL, connect, literal
from tasks.files import read_json, write_json
from tasks.scan import resolve_folder
from tasks.sources.base import RawFile

if TYPE_CHECKING:
    import duckdb

    from tasks.params import Params
    from tasks.paths import Paths

STATE = "state.json"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run(params: Params, paths: Paths, source: str) -> str:
    """Bring data/staged/<source> up to date with the manifest; return the summary line.

    Raises:
        RawDataError: a file as a whole cannot be read, or is not the one that scan saw.
        LostRowsError: rows in are not rows staged plus rows rejected.
        SpaceError: the disk is full; the staged data of the last good run is untouched.
    """
    import duckdb

    staged = paths.staged(source)
    draft = staged.with_name(f".{source}.new")
    shutil.rmtree(draft, ignore_errors=True)  # left behind by a run that was killed
    manifest = read_json(paths.manifest(source))
    try:
        draft.mkdir(parents=True)
        if manifest["from"] == "off":
            counts: dict[str, Any] = {"from": "off", "rows_in": 0, "rows_staged": 0, "rows_rejected": 0, "rejects_by_reason": {}}
            write_json(draft / "ingest.json", counts)
            rebuilt = 0
        else:
            with connect(paths) as con:
                counts, rebuilt = _ingest(con, params, paths, source, manifest, draft)
        _move_into_place(draft, staged)
    except (OSError, duckdb.Error) as error:
        if (
            (isinstance(error, OSError) and error.errno in NO_SPACE)
            or "space left" in str(error).lower()
            or "file too large" in str(error).lower()
        ):
            raise SpaceError(f"the disk is full: {error}", where=str(staged), how="free space; the last good data is untouched") from error
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return f"{counts['rows_in']:,} rows in, {counts['rows_staged']:,} staged, {counts['rows_rejected']:,} rejected, {rebuilt} days written"


def _ingest(
    con: duckdb.DuckDBPyConnection, params: Params, paths: Paths, source: str, manifest: dict[str, Any], draft: Path
) -> tuple[dict[str, Any], int]:
    module = importlib.import_module(f"tasks.sources.{source}")
    staged, work = paths.staged(source), draft / "work"
    work.mkdir()
    files = {f["name"]: RawFile(**f) for f in manifest["files"]}
    old = _old_state(staged, params, source)
    same = {n for n, f in files.items() if old.get(n, {}).get("sha256") == f.sha256 and old[n]["rows"] == f.rows}
    touched = {d for n, e in old.items() if n not in same for d in e["days"]}
    folder = resolve_folder(manifest["folder"], paths)
    state: dict[str, Any] = {n: old[n] for n in same}
    read: set[str] = set()
    while todo := sorted(n for n in files if n not in read and (n not in same or touched & set(state[n]["days"]))):
        for name in todo:
            state[name] = _read_file(con, module, files[name], folder / name, work, params)
            read.add(name)
            touched |= set(state[name]["days"])
    for day in sorted(touched):
        if any(day in e["days"] for e in state.values()):
            out = draft / "staged" / f"day={day:02d}"
            out.mkdir(parents=True)
            module.write_day(con, work, day, out, params)
    kept = [p for p in sorted(staged.glob("day=*")) if int(p.name[4:]) not in touched]
    for folder_of_day in kept:
        shutil.copytree(folder_of_day, draft / "staged" / folder_of_day.name)
    shutil.rmtree(work)
    (draft / "staged").mkdir(exist_ok=True)
    counts = _finish(con, module, manifest, state, draft / "staged", params)
    write_json(draft / "staged" / STATE, {"fingerprint": _fingerprint(params, source), "files": state})
    for item in sorted((draft / "staged").iterdir()):
        item.rename(draft / item.name)
    (draft / "staged").rmdir()
    return counts, len(touched)


def _old_state(staged: Path, params: Params, source: str) -> dict[str, Any]:
    """What the last run knew of each file; empty when the code, the parameters or the seed changed."""
    file = staged / STATE
    if not file.exists():
        return {}
    state = read_json(file)
    return state["files"] if state["fingerprint"] == _fingerprint(params, source) else {}


def _fingerprint(params: Params, source: str) -> str:
    """Of everything but the raw files that decides the staged bytes."""
    here = Path(__file__).resolve().parent
    files = [here / "ingest.py", here / "cleaning.py", here / "sources" / f"{source}.py", *sorted((SQL / source).glob("*.sql"))]
    digest = hashlib.sha256(json.dumps([params.ingest.model_dump(), params.seed, params.epoch], sort_keys=True).encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _read_file(con: duckdb.DuckDBPyConnection, module: Any, file: RawFile, path: Path, work: Path, params: Params) -> dict[str, Any]:
    """Read one file into the work folder; returns its entry of the state: sha256, rows, rejects, days."""
    import duckdb

    if not path.exists() or path.stat().st_size != file.bytes:
        raise RawDataError("the file is not the one that scan saw", where=str(path), how="run scan again: dvc repro")
    kind = next(k for k in module.KINDS if k.name == file.kind)
    pieces = work / file.sha256[:16]
    pieces.mkdir()
    rejects: list[Reject] = []
    try:
        rows, faults = module.read(con, file, path, pieces, params)
    except (duckdb.Error, UnicodeDecodeError) as error:
        if "space left" in str(error).lower() or "file too large" in str(error).lower():
            raise
        rows, faults = -1, 0
    if faults or rows != file.rows:
        shutil.rmtree(pieces)
        pieces.mkdir()
        copy = pieces / "clean.csv"
        try:
            seen, rejects = clean(path, kind, module, params, copy)
        except EOFError as error:
            raise RawDataError(f"the archive is cut: {error}", where=str(path), how="fetch the file again") from error
        rows, faults = module.read(con, file, copy, pieces, params)
        copy.unlink()
        if seen != file.rows or faults or rows + len(rejects) != seen:
            raise LostRowsError(
                f"{seen} rows seen ({file.rows} by scan), {rows} read, {len(rejects)} rejected, {faults} still at fault",
                where=str(path),
                how="report this with the file: the check by line and the check in SQL disagree",
            )
    days = _merge_pieces(pieces, work)
    return {"sha256": file.sha256, "rows": file.rows, "days": days, "rejects": [asdict(r) for r in rejects]}


def _merge_pieces(pieces: Path, work: Path) -> list[int]:
    """Move the pieces of one file to those of the others; returns the days they belong to."""
    days: set[int] = set()
    for piece in sorted(pieces.rglob("*.parquet")):
        target = work / piece.relative_to(pieces)
        target.parent.mkdir(parents=True, exist_ok=True)
        piece.rename(target)
        if target.parent.name.startswith("day="):
            days.add(int(target.parent.name[4:]))
    shutil.rmtree(pieces)
    return sorted(days)


def _finish(
    con: duckdb.DuckDBPyConnection, module: Any, manifest: dict[str, Any], state: dict[str, Any], staged: Path, params: Params
) -> dict[str, Any]:
    """Write rejects.parquet and ingest.json, and hold that no row was lost."""
    rejects = [(name, r["line"], r["reason"], r["row"]) for name in sorted(state) for r in state[name]["rejects"]]
    con.execute("create or replace temp table rejects (file varchar, line bigint, reason varchar, row varchar)")
    if rejects:
        con.executemany("insert into rejects values (?, ?, ?, ?)", rejects)
    con.execute(f"copy (select * from rejects order by all) to {literal(staged / 'rejects.parquet')} (format parquet)")
    rows_in = sum(f["rows"] for f in manifest["files"])
    rows_staged = 0
    for day in sorted(staged.glob("day=*")):
        for kind in module.KINDS:
            if (day / f"{kind.name}.parquet").exists():
                found = con.execute(f"select count(*) from read_parquet({literal(day / f'{kind.name}.parquet')})").fetchone()
                rows_staged += int(found[0]) if found else 0
    if rows_in != rows_staged + len(rejects):
        raise LostRowsError(
            f"{rows_in} rows in, {rows_staged} staged, {len(rejects)} rejected", where=str(staged), how="report this with the raw files"
        )
    counts = {
        "from": manifest["from"],
        "files": len(manifest["files"]),
        "rows_in": rows_in,
        "rows_staged": rows_staged,
        "rows_rejected": len(rejects),
        "rejects_by_reason": dict(sorted(Counter(r[2] for r in rejects).items())),
    }
    counts |= module.summarise(con, staged, params) if rows_staged else {}
    write_json(staged / "ingest.json", counts)
    return counts


def _move_into_place(draft: Path, staged: Path) -> None:
    """Replace the staged folder by the draft; the old one is kept until the new one stands."""
    old = staged.with_name(f".{staged.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if staged.exists():
        staged.rename(old)
    draft.rename(staged)
    shutil.rmtree(old, ignore_errors=True)
