"""Stage `tune_tactical`: learning rate, clip and entropy of the specified PPO, on the valid spans. Not here: PPO, the final training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.control.reward import Reward
from tasks.learning.layer_training import Subject, tune
from tasks.learning.learning_settings import TrainTactical, TuneTactical
from tasks.learning.tactical_outputs import LAYER, tactical_models, tactical_reports, tuned_tactical
from tasks.learning.tactical_training import placing, ppo_learner

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

AXES = ("lr", "clip", "entropy")


def run(params: Params, paths: Paths) -> str:
    """Write `reports/tactical/search.csv` and `data/models/tuned/tactical.json`; return the summary line."""
    settings, training = params.section("tune_tactical", TuneTactical), params.section("train_tactical", TrainTactical)
    folders = tactical_models(paths), tactical_reports(paths), tuned_tactical(paths)
    subject = Subject(LAYER, ppo_learner(training.ppo), training.ppo, placing, *folders)
    return tune(subject, AXES, settings, training, params.section("reward", Reward), paths)
