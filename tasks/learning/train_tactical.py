"""Stage `train_tactical`: the specified PPO, trained on the training fleets, its best checkpoint by the valid spans.

Clouds are sampled for every app and episode, scaling is reactive. Not here: PPO (models/tactical/ppo.py), its search (tune_tactical.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.control.features import tactical
from simulator.control.reward import Reward
from tasks.core.records import read_record
from tasks.learning.checkpoint import Checkpoints, data_fingerprint, fingerprint, peak_memory
from tasks.learning.fleets import training_folders, training_stages
from tasks.learning.learning_settings import TrainTactical
from tasks.learning.tactical_outputs import LAYER, tactical_models, tactical_reports, tuned_tactical
from tasks.learning.tactical_training import ARM, placing, ppo_training
from tasks.learning.training_files import Trained, Tuned
from tasks.learning.validation import Validation

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
    settings, reward = params.section("train_tactical", TrainTactical), params.section("reward", Reward)
    ppo = settings.ppo.model_copy(update=read_record(tuned_tactical(paths), Tuned).parameters)
    validation, fleets = Validation(paths, settings.luck_seed), training_folders(paths)
    data = data_fingerprint([*fleets, *validation.folders])
    every = {"train": settings.model_dump(mode="json"), "ppo": ppo.model_dump(mode="json"), "reward": reward.model_dump(mode="json")}
    training = ppo_training(
        [ppo] * len(settings.seeds),
        settings.seeds,
        training_stages(paths, reward),
        reward,
        transitions=settings.transitions,
        stretch=settings.stretch,
        apps=None,
        score=validation.score(placing),
    )
    with Checkpoints(paths, "train_tactical", fingerprint(every, data)) as checkpoints:
        checkpoints.run(ARM, training)
        trained = Trained(training, validation, LAYER, tactical.VERSION, ppo, tuple(f.name for f in fleets), data, NOT_FOR)
        card = trained.card(training.network.inputs, training.network.actions)
        summary = trained.write(card, tactical_models(paths), tactical_reports(paths))
    return f"{summary}, {peak_memory()}"
