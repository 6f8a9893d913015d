"""Training fleets as a learner's worlds. Not here: building them (tasks/world/scenario.py), learners, validation (validation.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.control.baseline import stored_home
from simulator.control.reward import Reward, eligible
from simulator.envs.episodes import Stage
from simulator.scenario import load_scenario
from tasks.core.records import read_record
from tasks.world.scenario_outputs import training_folder
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.paths import Paths


def training_folders(paths: Paths) -> list[Path]:
    """The folders of all training fleets, in their order."""
    rows = read_record(training_folder(paths) / "scenarios.json", ScenarioList).scenarios
    return [training_folder(paths) / row.id for row in rows]


def training_stages(paths: Paths, reward: Reward) -> list[Stage]:
    """The training fleets with their runs at home, to be shared by the worlds of all seeds."""
    found = []
    for folder in training_folders(paths):
        scenario = load_scenario(folder, until="train")
        home = stored_home(folder, scenario)
        found.append(Stage(scenario, home, np.arange(len(home)), eligible(scenario, reward.min_train_calls)))
    return found
