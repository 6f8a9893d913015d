"""Stage `tune_strategic`: learning rate, discount and target period of the specified DQN, on the valid spans.

Below it the placement with the least estimate is taken, so that no network of the tactical layer is needed yet. Not here: DQN, the final
training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from models.training import VALIDATION
from simulator.control.reward import Reward
from tasks.core.records import read_record, write_record
from tasks.learning.checkpoint import Checkpoints, data_fingerprint, fingerprint, peak_memory
from tasks.learning.fleets import training_folders, training_stages
from tasks.learning.learning_settings import TrainStrategic, TuneStrategic
from tasks.learning.search import Float64, Point, choose, grid_of, halving, rounds_line, write_search
from tasks.learning.strategic_outputs import LAYER, strategic_reports, tuned_strategic
from tasks.learning.strategic_training import ARM, choosing, dqn_training
from tasks.learning.training_files import Tuned
from tasks.learning.validation import Validation

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

AXES = ("lr", "gamma", "target_every")


def run(params: Params, paths: Paths) -> str:
    """Write `reports/strategic/search.csv` and `data/models/tuned/strategic.json`; return the summary line."""
    settings, training = params.section("tune_strategic", TuneStrategic), params.section("train_strategic", TrainStrategic)
    stages = training_stages(paths, reward := params.section("reward", Reward))
    validation = Validation(paths, settings.luck_seed, families=settings.families, most=settings.scenarios)
    specified = {name: getattr(training.dqn, name) for name in AXES}
    grid = grid_of({name: getattr(settings, name) for name in AXES}, specified)
    data = data_fingerprint([*training_folders(paths), *validation.folders])
    both = {"tune": settings.model_dump(mode="json"), "train": training.model_dump(mode="json"), "reward": reward.model_dump(mode="json")}
    with Checkpoints(paths, "tune_strategic", fingerprint(both, data)) as checkpoints:

        def trial(points: Sequence[Point], seeds: Sequence[int], transitions: int, name: str) -> Float64:
            pairs = [(training.dqn.model_copy(update=dict(point)), seed) for point in points for seed in seeds]
            made = dqn_training(
                [one for one, _ in pairs],
                [seed for _, seed in pairs],
                stages,
                reward,
                below=None,
                transitions=transitions,
                stretch=settings.stretch,
                apps=settings.apps,
                score=None,
            )
            checkpoints.run(name, made)
            scores = validation.score(choosing(None))([made.tensors(s) for s in range(len(pairs))])[VALIDATION]
            return np.array(scores).reshape(len(points), len(seeds))

        played = halving(grid, specified, settings.rounds, trial)
    write_record(tuned_strategic(paths), Tuned, choose(LAYER, ARM, grid, specified, played))
    tuned = read_record(tuned_strategic(paths), Tuned)
    write_search(strategic_reports(paths) / "search.csv", tuned, grid, played)
    what = "the specified point stays" if tuned.is_specified else f"chosen {tuned.parameters}"
    return f"{len(grid)} points in {rounds_line(played)}, {tuned.budget_transitions} transitions, {what}, {peak_memory()}"
