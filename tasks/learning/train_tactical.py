"""Stage `train_tactical`: the specified PPO, trained on the training fleets, its best checkpoint by the valid spans.

Clouds are sampled for every app and episode, scaling is reactive. Not here: PPO (models/tactical/ppo.py), its search (tune_tactical.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.control.features import tactical
from simulator.control.reward import Reward
from tasks.core.records import read_record
from tasks.learning.layer_training import Subject, train
from tasks.learning.learning_settings import TrainTactical
from tasks.learning.tactical_outputs import LAYER, tactical_models, tactical_reports, tuned_tactical
from tasks.learning.tactical_training import placing, ppo_learner
from tasks.learning.training_files import Tuned

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

NOT_FOR = (
    "clouds, regions or zones that are not in data/reference: an action is a position in its tables",
    "apps alone in the world: it was trained in fleets that share capacity",
    "a claim about the test span: its figures are of the valid spans that chose the checkpoint",
)


def run(params: Params, paths: Paths) -> str:
    """Write `data/models/tactical/`, its history and its validation results; return the summary line.

    Raises:
        TrainingError: the training exploded; its last good state stays in .trine/checkpoints.
    """
    settings = params.section("train_tactical", TrainTactical)
    ppo = settings.ppo.model_copy(update=read_record(tuned_tactical(paths), Tuned).parameters)
    folders = tactical_models(paths), tactical_reports(paths), tuned_tactical(paths)
    subject = Subject(LAYER, ppo_learner(ppo), ppo, placing, *folders)
    return train(subject, settings, params.section("reward", Reward), paths, feature_version=tactical.VERSION, not_for=NOT_FOR)
