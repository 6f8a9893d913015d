"""What `scan` writes. Not here: writing it (scan.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths


def raw_folder(paths: Paths, source: str) -> Path:
    """Manifest of a source and, for the twin, its files (in `files/`)."""
    return paths.root / "data" / "raw" / source


def manifest_file(paths: Paths, source: str) -> Path:
    """What `scan` found: name, kind, bytes, sha256, lines, first and last day of each raw file."""
    return raw_folder(paths, source) / "manifest.json"
