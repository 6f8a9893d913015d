"""What `compare` writes. Not here: writing it (compare.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths


def landscape_folder(paths: Paths) -> Path:
    """landscape.csv, classes.csv, without_five.csv and landscape.json of the decision landscape."""
    return paths.reports / "world"


def strategic_folder(paths: Paths) -> Path:
    """evaluation_results.csv and metrics.json of the strategic layer, among what others write there."""
    return paths.reports / "strategic"


def tactical_folder(paths: Paths) -> Path:
    """The same of the tactical layer."""
    return paths.reports / "tactical"
