"""What `tune_baselines` writes. Not here: writing it (tune_baselines.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths


def baselines_folder(paths: Paths) -> Path:
    """chosen.json (parameters and placements of the rules) and `knowledge`; `learn_planner` writes beside them."""
    return paths.root / "data" / "models" / "baselines"


def knowledge_folder(baselines: Path, scenario: str) -> Path:
    """What the rules know of the train span of a scenario."""
    return baselines / "knowledge" / scenario
