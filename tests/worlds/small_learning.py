"""The stages that learn, on the worlds of report_world.py and with budgets of a few seconds. Not here: what they must write."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tasks.core.params import Params
from tasks.core.paths import Paths

ROUNDS = [{"transitions": 256, "seeds": [1], "keep": 2}, {"transitions": 256, "seeds": [1, 2], "keep": 1}]
SEARCH: dict[str, Any] = {"families": ["calm"], "scenarios": 1, "apps": 8, "rounds": ROUNDS}
SMALL: dict[str, dict[str, Any]] = {
    "tune_tactical": SEARCH | {"stretch": 32, "lr": [3e-4, 1e-3], "clip": [0.2], "entropy": [0.01, 0.03]},
    "tune_strategic": SEARCH | {"stretch": 8, "lr": [1e-3], "gamma": [0.8, 0.95], "target_every": [100]},
    "train_tactical": {"transitions": 1500, "stretch": 32, "seeds": [1, 2]},
    "train_strategic": {"transitions": 800, "stretch": 8, "seeds": [1, 2]},
}


def changes() -> dict[str, Any]:
    """The small settings by the names of params.yaml."""
    found = {f"{section}.{name}": value for section, values in SMALL.items() for name, value in values.items()}
    return found | {"train_tactical.ppo.validate_every": 3, "train_strategic.dqn.validate_every": 60, "train_strategic.dqn.warm_up": 100}


def small(params: Params) -> Params:
    """The parameters with small budgets."""
    return params.changed(changes())


def copy_worlds(built: Paths, root: Path) -> Paths:
    """The scenarios and training fleets of a tree in another one, which holds nothing that was learned."""
    for name in ("data/scenario", "data/training", "data/reference"):
        shutil.copytree(built.root / name, root / name)
    return Paths(root)
