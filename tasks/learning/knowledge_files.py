"""Knowledge of a train span on disk, one array per file. Not here: learning it (models/baselines/knowledge.py)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from models.baselines.knowledge import Knowledge

if TYPE_CHECKING:
    from pathlib import Path


def save_knowledge(knowledge: Knowledge, folder: Path) -> None:
    """Write the knowledge of one scenario, one array per file."""
    folder.mkdir(parents=True, exist_ok=True)
    for field in dataclasses.fields(Knowledge):
        np.save(folder / f"{field.name}.npy", getattr(knowledge, field.name), allow_pickle=False)


def load_knowledge(folder: Path) -> Knowledge:
    """Read the knowledge of one scenario."""
    names = [field.name for field in dataclasses.fields(Knowledge)]
    return Knowledge(**{name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in names})
