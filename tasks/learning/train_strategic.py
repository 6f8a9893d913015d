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
from tasks.learning.layer_training import Subject, train
from tasks.learning.learning_settings import TrainStrategic
from tasks.learning.strategic_outputs import LAYER, strategic_models, strategic_reports, tuned_strategic
from tasks.learning.strategic_training import choosing, dqn_learner
from tasks.learning.tactical_outputs import tactical_models
from tasks.learning.training_files import Tuned

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
    settings = params.section("train_strategic", TrainStrategic)
    dqn = settings.dqn.model_copy(update=read_record(tuned_strategic(paths), Tuned).parameters)
    best = tactical_models(paths) / "best_model.pt"
    below = PPOAgent.load(best).policy
    folders = strategic_models(paths), strategic_reports(paths), tuned_strategic(paths)
    subject = Subject(LAYER, dqn_learner(), dqn, choosing(below), *folders, {"tactical": below})
    reward, version = params.section("reward", Reward), strategic.VERSION
    return train(subject, settings, reward, paths, feature_version=version, not_for=NOT_FOR, below=sha256(best))
