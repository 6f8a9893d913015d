"""What the stages of the operational layer write. Not here: writing it."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

from tasks.core.files import write_text_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tasks.core.paths import Paths

LAYER: Final = "operational"
SEARCH_COLUMNS = ("layer", "arm", "point", "parameters", "seed", "score", "score_se", "is_chosen")
VALIDATION_COLUMNS = ("layer", "arm", "seed", "update", "family", "objective_pct_of_home", "is_best")


def tuned_operational(paths: Paths) -> Path:
    """tuned.json (parameters of the floor rules), and one folder per scenario with what is known of its apps."""
    return paths.root / "data" / "models" / "tuned" / LAYER


def operational_models(paths: Paths) -> Path:
    """best_model.pt, card.json, best_model.onnx, chosen.json, and one folder per arm with seed-<n>.pt."""
    return paths.root / "data" / "models" / LAYER


def operational_reports(paths: Paths) -> Path:
    """Searches, histories, validation, forecasts and money of the layer."""
    return paths.reports / LAYER


def write_rows(file: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text_atomic(file, text.getvalue())
