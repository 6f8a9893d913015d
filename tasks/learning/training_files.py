"""Files that all stages that train write: weights, cards, histories, validation results, searches. Not here: their paths."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from models.checkpoints import save_state
from models.statistics import bootstrap_mean
from tasks.core.files import write_text_atomic
from tasks.core.records import Number, Record
from tasks.learning.card import Card, Features, Figure, LayerName, Normalisation, TrainedOn, versions, write_card

if TYPE_CHECKING:
    from pathlib import Path

    from models.training import SeedTraining
    from simulator.parameters import Section
    from tasks.learning.validation import Validation

SEARCH_COLUMNS = ("layer", "arm", "point", "parameters", "seed", "score", "score_se", "is_chosen")
VALIDATION_COLUMNS = ("layer", "arm", "seed", "update", "family", "objective_pct_of_home", "is_best")
Row = Mapping[str, Any]


class Tuned(Record):
    """What a search chose, and whether it beat the specified values by more than the spread between repeats."""

    written_by: ClassVar[str] = "tune_<layer>"

    layer: str
    arm: str
    parameters: dict[str, Number]
    specified: dict[str, Number]
    is_specified: bool
    score: Number
    specified_score: Number
    spread: Number
    points: int
    budget_transitions: int


@dataclass(frozen=True)
class Trained:
    """A training that has ended, and what its card says that the training does not know.

    Args:
        training: its best checkpoints are written.
        validation: that chose them.
        layer: of the networks.
        feature_version: of what they observe.
        settings: of the learner.
        fleets: scenarios that it was trained on.
        fingerprint: of all data.
        not_for: what the networks must not be used for.
    """

    training: SeedTraining
    validation: Validation
    layer: LayerName
    feature_version: int
    settings: Section
    fleets: tuple[str, ...]
    fingerprint: str
    not_for: tuple[str, ...]

    def card(self, inputs: int, actions: int) -> Card:
        """The card of the arm."""
        training = self.training
        return Card(
            layer=self.layer,
            arm=training.history.arm,
            sizes={"inputs": inputs, "actions": actions},
            parameters=training.network.size,
            features=Features(name=self.layer, version=self.feature_version),
            normalisation=Normalisation(kind="none: features have fixed bounds"),
            trained_on=TrainedOn(fingerprint=self.fingerprint, scenarios=self.fleets, span="train"),
            settings=self.settings.model_dump(mode="json"),
            versions=versions(),
            seeds=tuple(training.history.seeds),
            best_seed=training.history.seeds[int(np.argmin(training.best.score))],
            budget={"transitions": training.units * training.per_unit, "updates": training.updates},
            figures=figures(training, self.validation),
            not_for=self.not_for,
            device=training.device.type,
        )

    def write(self, card: Card, models: Path, reports: Path) -> str:
        """Write networks, card, history and validation results; return what the summary line says of them."""
        write_models(models, self.training, card)
        write_history(reports / "training_history.json", self.training)
        write_validation(reports / "validation_results.csv", self.training, self.validation)
        best = f"best {self.training.best.score.min():.2f} % of home"
        return f"{len(card.seeds)} seeds of {card.budget['transitions']} transitions, {best}"


def write_models(folder: Path, training: SeedTraining, card: Card) -> None:
    """Write every seed's best network to `<arm>/seed-<n>.pt` below `folder`, the best seed's to `best_model.pt`, each with its card."""
    for s, seed in enumerate(training.history.seeds):
        save_state(folder / card.arm / f"seed-{seed}.pt", training.tensors(s))
        if seed == card.best_seed:
            save_state(folder / "best_model.pt", training.tensors(s))
    for place in (folder, folder / card.arm):
        write_card(place, card)


def write_history(file: Path, training: SeedTraining) -> None:
    """Write the rows of a history: layer, arm, seed, update, transitions, metric, value."""
    rows = training.history.rows()
    write_text_atomic(file, "[\n" + ",\n".join(json.dumps(row, allow_nan=False) for row in rows) + "\n]\n")


def write_validation(file: Path, training: SeedTraining, validation: Validation) -> None:
    """Write the validations of a training, by seed, update and family."""
    found: dict[tuple[int, int], dict[str, float]] = {}
    for row in training.history.rows():
        if row["metric"].startswith("validation/"):
            found.setdefault((row["update"], row["seed"]), {})[row["metric"].removeprefix("validation/")] = row["value"]
    best = dict(zip(training.history.seeds, training.best.update, strict=True))
    head = (training.history.layer, training.history.arm)
    rows = [
        (*head, seed, update, family, repr(round(value, 6)), best[seed] == update)
        for (update, seed), pct in sorted(found.items())
        for family, value in validation.by_family(pct).items()
    ]
    write_rows(file, VALIDATION_COLUMNS, rows)


def write_rows(file: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text_atomic(file, text.getvalue())


def figures(training: SeedTraining, validation: Validation) -> tuple[Figure, ...]:
    """The objective of the best checkpoints on the valid spans, by family, with a two-way bootstrap over seeds and scenarios."""
    seeds, rows = training.history.seeds, training.history.rows()
    at = {(row["seed"], row["update"], row["metric"]): row["value"] for row in rows}
    found = []
    for family in sorted(set(validation.families.values())):
        names = [name for name, of in validation.families.items() if of == family]
        values = [[at[seed, update, f"validation/{n}"] for n in names] for seed, update in zip(seeds, training.best.update, strict=True)]
        interval = bootstrap_mean(values)
        low, high = (None if np.isnan(end) else round(float(end), 6) for end in (interval.low, interval.high))
        found.append(
            Figure(
                name=f"objective, {family}",
                value=round(float(np.mean(values)), 6),
                low=low,
                high=high,
                unit="% of home, winsorised",
                measured_on=f"valid spans of {len(names)} scenarios, {len(seeds)} training seeds",
            )
        )
    return tuple(found)
