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
    from collections.abc import Sequence
    from pathlib import Path

    from simulator.envs.episodes import Episodes
    from tasks.core.paths import Paths


def training_folders(paths: Paths) -> list[Path]:
    """The folders of all training fleets, in their order."""
    rows = read_record(training_folder(paths) / "scenarios.json", ScenarioList).scenarios
    return [training_folder(paths) / row.id for row in rows]


def training_stages(paths: Paths, reward: Reward, most: int | None = None) -> list[Stage]:
    """The training fleets (the first `most`; None: all) with their runs at home, to be shared by the worlds of all seeds."""
    found = []
    for folder in training_folders(paths)[:most]:
        scenario = load_scenario(folder, until="train")
        home = stored_home(folder, scenario)
        found.append(Stage(scenario, home, np.arange(len(home)), eligible(scenario, reward.min_train_calls)))
    return found


def fitting(stretch: int, stages: Sequence[Stage], episodes: type[Episodes], multiple: int = 1) -> int:
    """Return the decisions of an episode: `stretch`, or as many as the shortest train span holds, since days of one's own may be few.

    Args:
        stretch: as it is set.
        stages: training fleets.
        episodes: their class, which knows how many steps lie between two decisions.
        multiple: what `stretch` is a multiple of, and the answer as well.
    """
    held = min(stage.scenario.split_steps[0] // episodes.period_of(stage.scenario.world) for stage in stages)
    return min(stretch, held) // multiple * multiple or stretch  # where none fits, the episodes say what is wrong
