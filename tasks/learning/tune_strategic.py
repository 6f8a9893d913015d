"""Stage `tune_strategic`: learning rate, discount and target period of the specified DQN, on the valid spans.

Below it the placement with the least estimate is taken, so that no network of the tactical layer is needed yet. Not here: DQN, the final
training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.control.reward import Reward
from tasks.learning.layer_training import Subject, tune
from tasks.learning.learning_settings import TrainStrategic, TuneStrategic
from tasks.learning.strategic_outputs import LAYER, strategic_models, strategic_reports, tuned_strategic
from tasks.learning.strategic_training import choosing, dqn_learner

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

AXES = ("lr", "gamma", "target_every")


def run(params: Params, paths: Paths) -> str:
    """Write `reports/strategic/search.csv` and `data/models/tuned/strategic.json`; return the summary line."""
    settings, training = params.section("tune_strategic", TuneStrategic), params.section("train_strategic", TrainStrategic)
    folders = strategic_models(paths), strategic_reports(paths), tuned_strategic(paths)
    subject = Subject(LAYER, dqn_learner(), training.dqn, choosing(None), *folders, {"tactical": None})
    return tune(subject, AXES, settings, training, params.section("reward", Reward), paths)
