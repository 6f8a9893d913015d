"""What `train_rush_head` writes. Not here: training (train_rush_head.py), the network (models/tactical/rush_head.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths

WEIGHTS, HISTORY = "best_model.pt", "training_history.json"


def rush_head_folder(paths: Paths) -> Path:
    """Weights of the networks of all training seeds, their card, and the losses."""
    return paths.root / "data" / "models" / "rush_head"
