"""What `train_candidates` and `train_candidates_ppo` write. Not here: writing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tasks.core.records import Number, Record

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths


class Strength(Record):
    """How much of the factors' logarithms counts, and what the arm then costs on the valid spans, % of home (winsorised), by scenario."""

    volume: Number
    response: Number
    valid_pct_of_home: dict[str, Number]
    mean: Number


class CandidatesChoice(Record):
    """The strength with the lowest mean over families, all that were tried, and the prior, which has none."""

    written_by: ClassVar[str] = "train_candidates"

    chosen: Strength
    tried: tuple[Strength, ...]
    prior: Strength


class TriedShare(Record):
    """A share of the logits of the network trained by PPO, and what the arm then costs on the valid spans, as in `Strength`."""

    strength: Number
    valid_pct_of_home: dict[str, Number]
    mean: Number


class PlannedChoice(Record):
    """The share with the lowest mean, in words why, and all that were tried; the first, 0, is the planner."""

    written_by: ClassVar[str] = "train_candidates_ppo"

    temperature: Number
    strength: Number
    why: str
    tried: tuple[TriedShare, ...]


def candidates_models(paths: Paths) -> Path:
    """seed-<n>.pt, their card and choice.json."""
    return paths.root / "data" / "models" / "tactical" / "candidates"


def candidates_history(paths: Paths) -> Path:
    """Rows of the training: layer, arm, seed, update, transitions, metric, value."""
    return paths.reports / "tactical" / "candidates_history.json"


def planned_models(paths: Paths) -> Path:
    """seed-<n>.pt of the network trained by PPO, their card and choice.json."""
    return paths.root / "data" / "models" / "tactical" / "candidates_ppo"


def planned_history(paths: Paths) -> Path:
    """Rows of that training, as those of `candidates_history`."""
    return paths.reports / "tactical" / "candidates_ppo_history.json"
