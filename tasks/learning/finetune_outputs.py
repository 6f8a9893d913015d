"""What `finetune` writes. Not here: writing it (finetune.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tasks.core.records import Number, Record

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths


class ChosenLayer(Record):
    """What the orchestrator uses of a layer (`models.orchestrator.Chosen`), and what every alternative costs on the valid spans.

    Beside the arms of the strategic layer, `none` is an alternative: no cloud is given from above.
    """

    written_by: ClassVar[str] = "finetune"

    arm: str
    file: str
    parameters: dict[str, Number]
    why: str
    is_used: bool
    planner: dict[str, dict[str, Number]]
    valid_pct_of_home: dict[str, Number]


def joint_models(paths: Paths) -> Path:
    """best_model.pt (both networks) with its card, and one folder per layer with its network and card."""
    return paths.root / "data" / "models" / "joint"


def chosen_file(paths: Paths, layer: str) -> Path:
    """What the orchestrator uses of a layer."""
    return paths.root / "data" / "models" / layer / "chosen.json"


def joint_history(paths: Paths) -> Path:
    """Rows of the joint round: layer, arm, seed, update, transitions, metric, value."""
    return paths.reports / "joint" / "training_history.json"
