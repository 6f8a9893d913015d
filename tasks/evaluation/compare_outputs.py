"""What `compare` writes. Not here: writing it (compare.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths


def landscape_folder(paths: Paths) -> Path:
    """landscape.csv, classes.csv, without_five.csv and landscape.json of the decision landscape."""
    return paths.reports / "world"


def layer_folder(paths: Paths, layer: str) -> Path:
    """evaluation_results.csv and metrics.json of a layer, among what others write there."""
    return paths.reports / layer
