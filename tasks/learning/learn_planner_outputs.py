"""What `learn_planner` writes, and reading it. Not here: learning (learn_planner.py), what the arrays mean (models/baselines/planning)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.baselines.planning.curve import SampledCalls
from models.baselines.planning.learned import Learned
from models.baselines.planning.rows import ReplayRows

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths

TYPICAL, TOTAL = "typical", "train_total.npy"
Record = TypeVar("Record")
Before = Literal["valid", "test"]  # the span in which decisions are to be made


def planner_folder(paths: Paths) -> Path:
    """One folder per scenario, training fleets included: `rows/`, `before_valid/`, `before_test/`, one array per file, and the sums over
    the train span; beside them `typical/`.
    """
    return paths.root / "data" / "models" / "baselines" / "planner"


def load_rows(folder: Path) -> ReplayRows:
    """Read the replays of the train and valid spans from the folder of one scenario (of a training fleet: of its train span)."""
    return _load(ReplayRows, folder / "rows")


def load_learned(folder: Path, before: Before) -> Learned:
    """Read what was learned from everything before a span, from the folder of one scenario."""
    return _load(Learned, folder / f"before_{before}")


def load_typical(folder: Path) -> SampledCalls:
    """Read the calls of another fleet that stand for apps without a history; `folder`: see `planner_folder`."""
    return _load(SampledCalls, folder / TYPICAL)


def save_total(total: NDArray[np.int64], folder: Path) -> None:
    """Write the sums of the replays over the train span, int64 [P, A, len(Field)], into the folder of one scenario."""
    np.save(folder / TOTAL, total, allow_pickle=False)


def load_total(folder: Path) -> NDArray[np.int64]:
    """Read the sums of the replays over the train span, int64 [P, A, len(Field)], from the folder of one scenario."""
    found: NDArray[np.int64] = np.load(folder / TOTAL, allow_pickle=False)
    return found


def save_arrays(record: Any, folder: Path) -> None:
    """Write the fields of a dataclass, one array per file."""
    folder.mkdir(parents=True, exist_ok=True)
    for field in dataclasses.fields(record):
        np.save(folder / f"{field.name}.npy", getattr(record, field.name), allow_pickle=False)


def _load(kind: type[Record], folder: Path) -> Record:
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in names})
