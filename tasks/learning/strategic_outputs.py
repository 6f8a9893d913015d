"""What `tune_strategic` and `train_strategic` write. Not here: writing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths

LAYER: Final = "strategic"


def strategic_models(paths: Paths) -> Path:
    """best_model.pt with its card, and one folder per arm: seed-<n>.pt and a card."""
    return paths.root / "data" / "models" / LAYER


def strategic_reports(paths: Paths) -> Path:
    """search.csv, training_history.json, validation_results.csv."""
    return paths.reports / LAYER


def tuned_strategic(paths: Paths) -> Path:
    """What the search chose."""
    return paths.root / "data" / "models" / "tuned" / f"{LAYER}.json"
