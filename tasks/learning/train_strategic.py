"""Stage `train_strategic`: the specified DQN above the trained PPO, on the training fleets, its best checkpoint by the valid spans.

Episodes are random segments of the train spans, scaling is reactive. Not here: DQN (models/strategic/dqn.py), its search
(tune_strategic.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.tactical.ppo import PPOAgent
from simulator.arrays import sha256
from simulator.control.features import strategic
from simulator.control.reward import Reward
from tasks.core.records import read_record
from tasks.learning.checkpoint import Checkpoints, data_fingerprint, fingerprint, peak_memory
from tasks.learning.fleets import training_folders, training_stages
from tasks.learning.learning_settings import TrainStrategic
from tasks.learning.strategic_outputs import LAYER, strategic_models, strategic_reports, tuned_strategic
from tasks.learning.strategic_training import ARM, choosing, dqn_training
from tasks.learning.tactical_outputs import tactical_models
from tasks.learning.training_files import Trained, Tuned
from tasks.learning.validation import Validation

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

NOT_FOR = (
    "clouds that are not in data/reference: an action is a position in its tables",
    "tactical layers other than the one it was trained above: its values are of that layer's placements",
    "a claim about the test span: its figures are of the valid spans that chose the checkpoint",
)


def run(params: Params, paths: Paths) -> str:
    """Write `data/models/strategic/`, its history and its validation results; return the summary line.

    Raises:
        TrainingError: the training exploded; its last good state stays in .trine/checkpoints.
    """
    settings, reward = params.section("train_strategic", TrainStrategic), params.section("reward", Reward)
    dqn = settings.dqn.model_copy(update=read_record(tuned_strategic(paths), Tuned).parameters)
    validation, fleets = Validation(paths, settings.luck_seed), training_folders(paths)
    best = tactical_models(paths) / "best_model.pt"
    below = PPOAgent.load(best).policy
    data = data_fingerprint([*fleets, *validation.folders])
    every = {"train": settings.model_dump(mode="json"), "dqn": dqn.model_dump(mode="json"), "below": sha256(best)}
    every["reward"] = reward.model_dump(mode="json")
    training = dqn_training(
        [dqn] * len(settings.seeds),
        settings.seeds,
        training_stages(paths, reward),
        reward,
        below=below,
        transitions=settings.transitions,
        stretch=settings.stretch,
        apps=None,
        score=validation.score(choosing(below)),
    )
    with Checkpoints(paths, "train_strategic", fingerprint(every, data)) as checkpoints:
        checkpoints.run(ARM, training)
        trained = Trained(training, validation, LAYER, strategic.VERSION, dqn, tuple(f.name for f in fleets), data, NOT_FOR)
        card = trained.card(training.network.inputs, training.network.actions)
        summary = trained.write(card, strategic_models(paths), strategic_reports(paths))
    return f"{summary}, {peak_memory()}"
