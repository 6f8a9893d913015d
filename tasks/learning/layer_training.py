"""The search and the final training of an upper layer's specified network, as `tune_<layer>` and `train_<layer>` run them.

Not here: learners (tactical_training.py, strategic_training.py), how a search halves (search.py), what a file looks like
(training_files.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.training import VALIDATION
from tasks.core.records import read_record, write_record
from tasks.learning.checkpoint import Checkpoints, data_fingerprint, fingerprint, peak_memory
from tasks.learning.fleets import training_folders, training_stages
from tasks.learning.search import Float64, Point, choose, grid_of, halving, rounds_line, write_search
from tasks.learning.training_files import Trained, Tuned
from tasks.learning.validation import Validation

if TYPE_CHECKING:
    from simulator.control.reward import Reward
    from simulator.parameters import Section
    from tasks.core.paths import Paths
    from tasks.learning.card import LayerName
    from tasks.learning.fleet_training import Learner
    from tasks.learning.learning_settings import Search, Train
    from tasks.learning.validation import PolicyOf


@dataclass(frozen=True)
class Subject:
    """What is searched or trained.

    Args:
        layer: its name.
        learner: what trains.
        constants: of the learner, as they are specified or were chosen.
        policy_of: how a network is validated.
        models, reports, tuned: folders of what is written, and the file of what the search chose.
        neighbours: layers above or below in an episode, see `Learner.on`.
    """

    layer: LayerName
    learner: Learner[Any]
    constants: Section
    policy_of: PolicyOf
    models: Path
    reports: Path
    tuned: Path
    neighbours: dict[str, Any] = field(default_factory=dict)


def tune(subject: Subject, axes: Sequence[str], settings: Search, training: Train, reward: Reward, paths: Paths) -> str:
    """Search the grid of `axes` (fields of `settings` and of the learner's constants), write what was chosen; return the summary line."""
    constants, layer, arm = subject.constants, subject.layer, subject.learner.arm
    stages = training_stages(paths, reward)
    validation = Validation(paths, settings.luck_seed, families=settings.families, most=settings.scenarios)
    specified = {name: getattr(constants, name) for name in axes}
    grid = grid_of({name: getattr(settings, name) for name in axes}, specified)
    data = data_fingerprint([*training_folders(paths), *validation.folders])
    with Checkpoints(paths, f"tune_{layer}", fingerprint(_json(tune=settings, train=training, reward=reward), data)) as checkpoints:

        def trial(points: Sequence[Point], seeds: Sequence[int], transitions: int, name: str) -> Float64:
            pairs = [(constants.model_copy(update=dict(point)), seed) for point in points for seed in seeds]
            each, own = zip(*pairs, strict=True)
            made = subject.learner.on(
                stages,
                reward,
                each,
                own,
                transitions=transitions,
                stretch=settings.stretch,
                apps=settings.apps,
                **subject.neighbours,
            )
            checkpoints.run(name, made)
            scores = validation.score(subject.policy_of)([made.tensors(s) for s in range(len(pairs))])[VALIDATION]
            return np.array(scores).reshape(len(points), len(seeds))

        played = halving(grid, specified, settings.rounds, trial)
    write_record(subject.tuned, Tuned, choose(layer, arm, grid, specified, played))
    tuned = read_record(subject.tuned, Tuned)
    write_search(subject.reports / "search.csv", tuned, grid, played)
    what = "the specified point stays" if tuned.is_specified else f"chosen {tuned.parameters}"
    return f"{len(grid)} points in {rounds_line(played)}, {tuned.budget_transitions} transitions, {what}, {peak_memory()}"


def train(
    subject: Subject, settings: Train, reward: Reward, paths: Paths, *, feature_version: int, not_for: tuple[str, ...], below: str = ""
) -> str:
    """Train all seeds on all fleets, keep the best checkpoint of each by the valid spans, write everything; return the summary line.

    Args:
        subject: what is trained.
        settings: of the training.
        reward: scale and clip.
        paths: of the working tree.
        feature_version: of what the networks observe.
        not_for: what they must not be used for.
        below: digest of a frozen neighbour.

    Raises:
        TrainingError: the training exploded; its last good state stays in .trine/checkpoints.
    """
    validation, fleets = Validation(paths, settings.luck_seed), training_folders(paths)
    data = data_fingerprint([*fleets, *validation.folders])
    parts = _json(train=settings, constants=subject.constants, reward=reward) | {"below": below}
    score = validation.score(subject.policy_of)
    training = subject.learner.on(
        training_stages(paths, reward),
        reward,
        [subject.constants] * len(settings.seeds),
        settings.seeds,
        transitions=settings.transitions,
        stretch=settings.stretch,
        score=score,
        **subject.neighbours,
    )
    with Checkpoints(paths, f"train_{subject.layer}", fingerprint(parts, data)) as checkpoints:
        checkpoints.run(subject.learner.arm, training)
        names = tuple(folder.name for folder in fleets)
        trained = Trained(training, validation, subject.layer, feature_version, subject.constants, names, data, not_for)
        card = trained.card(training.network.inputs, training.network.actions)
        summary = trained.write(card, subject.models, subject.reports)
    return f"{summary}, {peak_memory()}"


def _json(**sections: Section) -> dict[str, Any]:
    return {name: section.model_dump(mode="json") for name, section in sections.items()}
