"""What `ingest` writes. Not here: writing it (ingest.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths


def staged_folder(paths: Paths, source: str) -> Path:
    """Canonical tables of a source: `day=NN/<table>.parquet`, id tables, `rejects.parquet`, `ingest.json`."""
    return paths.root / "data" / "staged" / source


def ingest_report(paths: Paths, source: str) -> Path:
    """Counts of the last ingest: rows in, staged, rejected, and the totals of the source."""
    return staged_folder(paths, source) / "ingest.json"
