"""The card of a model: what was trained, on what, how well it did, and what it must not be used for.

`card.json` lies beside the weights. It holds no time of day and no path, so equal trainings have equal cards. Not here: the weights
(models/checkpoints.py), how the page shows a card (tasks/report/parts/card.py).
"""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar, Literal

from models.checkpoints import CARD
from tasks.core.records import Number, Record, write_record

if TYPE_CHECKING:
    from pathlib import Path

LayerName = Literal["strategic", "tactical", "operational", "joint"]
PACKAGES = ("numba", "numpy", "torch")


class Features(Record):
    """What the network observes: the module of `simulator.control.features`, and its version."""

    name: str
    version: int


class Normalisation(Record):
    """What the learner subtracts from each feature and divides it by; both are empty where features go in as they are."""

    kind: str
    centre: tuple[Number, ...] = ()
    scale: tuple[Number, ...] = ()


class TrainedOn(Record):
    """Scenarios and the span of them; the fingerprint is of all their arrays."""

    fingerprint: str
    scenarios: tuple[str, ...]
    span: str


class Figure(Record):
    """One measured figure with its interval; low and high are None where it is one value of one seed."""

    name: str
    value: Number
    low: Number | None
    high: Number | None
    unit: str
    measured_on: str


class Card(Record):
    """One arm of one layer.

    `sizes` are of layers and spaces by name, `parameters` of one network. `seeds` were trained, `best_seed` lies in the file of the layer's
    best model. `budget` counts what was spent: transitions, windows, updates, of each seed.
    """

    written_by: ClassVar[str] = "train_<layer>"

    layer: LayerName
    arm: str
    sizes: dict[str, int]
    parameters: int
    features: Features
    normalisation: Normalisation
    trained_on: TrainedOn
    settings: dict[str, Number | str | bool]
    versions: dict[str, str]
    seeds: tuple[int, ...]
    best_seed: int
    budget: dict[str, int]
    figures: tuple[Figure, ...]
    not_for: tuple[str, ...]
    device: str


def versions() -> dict[str, str]:
    """What the weights depend on beside code and data: Python, the packages that compute, the instruction set."""
    return {"machine": platform.machine(), "python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def write_card(folder: Path, card: Card) -> None:
    """Write the card of the weights in `folder`.

    Raises:
        DamagedFileError: a value has another type than the card's.
    """
    write_record(folder / CARD, Card, card.model_dump(mode="json"))
