"""What the stages of the operational layer write. Not here: writing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths

LAYER = "operational"


def tuned_operational(paths: Paths) -> Path:
    """tuned.json (parameters of the floor rules), and one folder per scenario with what is known of its apps."""
    return paths.root / "data" / "models" / "tuned" / LAYER


def operational_models(paths: Paths) -> Path:
    """best_model.pt, card.json, best_model.onnx, chosen.json, and one folder per arm with seed-<n>.pt."""
    return paths.root / "data" / "models" / LAYER


def operational_reports(paths: Paths) -> Path:
    """Searches, histories, validation, forecasts and money of the layer."""
    return paths.reports / LAYER
