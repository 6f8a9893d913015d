"""Stage `tune_tactical`: learning rate, clip and entropy of the specified PPO, on the valid spans. Not here: PPO, the final training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from models.training import VALIDATION
from simulator.control.reward import Reward
from tasks.core.records import read_record, write_record
from tasks.learning.checkpoint import Checkpoints, data_fingerprint, fingerprint, peak_memory
from tasks.learning.fleets import training_folders, training_stages
from tasks.learning.learning_settings import TrainTactical, TuneTactical
from tasks.learning.search import Float64, Point, choose, grid_of, halving, rounds_line, write_search
from tasks.learning.tactical_outputs import LAYER, tactical_reports, tuned_tactical
from tasks.learning.tactical_training import ARM, placing, ppo_training
from tasks.learning.training_files import Tuned
from tasks.learning.validation import Validation

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

AXES = ("lr", "clip", "entropy")


def run(params: Params, paths: Paths) -> str:
    """Write `reports/tactical/search.csv` and `data/models/tuned/tactical.json`; return the summary line."""
    settings, training = params.section("tune_tactical", TuneTactical), params.section("train_tactical", TrainTactical)
    stages = training_stages(paths, reward := params.section("reward", Reward))
    validation = Validation(paths, settings.luck_seed, families=settings.families, most=settings.scenarios)
    specified = {name: getattr(training.ppo, name) for name in AXES}
    grid = grid_of({name: getattr(settings, name) for name in AXES}, specified)
    data = data_fingerprint([*training_folders(paths), *validation.folders])
    both = {"tune": settings.model_dump(mode="json"), "train": training.model_dump(mode="json"), "reward": reward.model_dump(mode="json")}
    with Checkpoints(paths, "tune_tactical", fingerprint(both, data)) as checkpoints:

        def trial(points: Sequence[Point], seeds: Sequence[int], transitions: int, name: str) -> Float64:
            pairs = [(training.ppo.model_copy(update=dict(point)), seed) for point in points for seed in seeds]
            made = ppo_training(
                [one for one, _ in pairs],
                [seed for _, seed in pairs],
                stages,
                reward,
                transitions=transitions,
                stretch=settings.stretch,
                apps=settings.apps,
                score=None,
            )
            checkpoints.run(name, made)
            scores = validation.score(placing)([made.tensors(s) for s in range(len(pairs))])[VALIDATION]
            return np.array(scores).reshape(len(points), len(seeds))

        played = halving(grid, specified, settings.rounds, trial)
    write_record(tuned_tactical(paths), Tuned, choose(LAYER, ARM, grid, specified, played))
    tuned = read_record(tuned_tactical(paths), Tuned)
    write_search(tactical_reports(paths) / "search.csv", tuned, grid, played)
    what = "the specified point stays" if tuned.is_specified else f"chosen {tuned.parameters}"
    return f"{len(grid)} points in {rounds_line(played)}, {tuned.budget_transitions} transitions, {what}, {peak_memory()}"
