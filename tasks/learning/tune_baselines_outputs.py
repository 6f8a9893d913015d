"""What `tune_baselines` writes. Not here: writing it (tune_baselines.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths


def baselines_folder(paths: Paths) -> Path:
    """chosen.json (parameters and placements of the rules) and one folder of knowledge per scenario."""
    return paths.root / "data" / "models" / "baselines"
