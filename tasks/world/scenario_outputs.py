"""What `scenario` writes. Not here: writing it (scenario.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths


def scenario_folder(paths: Paths) -> Path:
    """`<family>-<seed>/` and `workload-<seed>/`: arrays that the simulator replays; scenarios.json lists them."""
    return paths.root / "data" / "scenario"


def training_folder(paths: Paths) -> Path:
    """The same for the fleets that learners train on: train spans only, of seeds that are never judged."""
    return paths.root / "data" / "training"
