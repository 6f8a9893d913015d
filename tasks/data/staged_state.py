"""What the last `ingest` of a source left and whether it still holds: hashes of code, parameters and files. Not here: staging."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core.files import read_json
from tasks.data.ingest_settings import IngestSettings

if TYPE_CHECKING:
    from tasks.core.params import Params

HOUSE = Path(__file__).resolve().parents[2]
CODE = (
    "core/errors.py",
    "simulator/rng.py",
    "tasks/data/cleaning.py",
    "tasks/core/database.py",
    "tasks/core/files.py",
    "tasks/data/ingest.py",
    "tasks/data/raw_files.py",
    "tasks/data/sources/base.py",
    "tasks/data/staged_state.py",
)
REJECTS = "rejects.parquet"


def fingerprint(params: Params, source: str, reference: tuple[Path, ...]) -> str:
    """Return the hash of everything but the raw files that a staged byte depends on: code, SQL, reference data, parameters, DuckDB."""
    import duckdb

    settings = params.section("ingest", IngestSettings)
    digest = hashlib.sha256(f"{duckdb.__version__} {params.seed} {params.epoch} {settings.model_dump_json()}".encode())
    files = [
        *(HOUSE / name for name in CODE),
        HOUSE / "tasks" / "data" / "sources" / f"{source}.py",
        *sorted((HOUSE / "sql" / source).rglob("*.sql")),
    ]
    for file in (*files, *reference):
        digest.update(f"{file.relative_to(HOUSE).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """Return the digest of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hashes(folder: Path) -> dict[str, str]:
    """Return the digest of each Parquet file of a folder by name."""
    return {f.name: sha256(f) for f in sorted(folder.glob("*.parquet"))}


def day_folder(day: str | int) -> str:
    """Return the name of the folder of a day."""
    return f"day={int(day):02d}"


def last_state(staged: Path, code: str) -> dict[str, Any]:
    """Return the state of the last run, without days whose files are not those it wrote; empty when all must be rebuilt."""
    nothing: dict[str, Any] = {"files": {}, "days": {}}
    try:
        state: dict[str, Any] = read_json(staged / "state.json")
        if state["code"] != code or state["rejects"] != sha256(staged / REJECTS):
            return nothing
        state["damaged"] = {int(d) for d, day in state["days"].items() if day["files"] != hashes(staged / day_folder(d))}
    except (OSError, ValueError, KeyError, TypeError):
        return nothing
    return state
