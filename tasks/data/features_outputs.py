"""What `features` writes. Not here: writing it (features.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths


def features_folder(paths: Paths) -> Path:
    """train/valid/test.parquet, apps.parquet, regions.parquet, scaler.json, features.json."""
    return paths.root / "data" / "features"
