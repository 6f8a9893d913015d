"""Stage `train_rush_head`: the network that sees bursts coming, trained on the training fleets. Not here: the network, its features.

It writes weights, card and history of the losses to `data/models/rush_head/`. It sees the train spans of the training fleets alone; a
judged scenario adds what the planner has learned of its apps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from models.checkpoints import save_state
from models.tactical import rush_head, rush_training
from models.training import device_of
from simulator.control import bursts
from simulator.parameters import Section, Seed
from simulator.scenario import load_scenario
from tasks.core.drafts import folder_draft
from tasks.core.environment import Environment
from tasks.core.files import write_json
from tasks.core.records import read_record
from tasks.learning.card import Card, Features, Figure, Normalisation, TrainedOn, versions, write_card
from tasks.learning.checkpoint import Checkpoints, data_fingerprint, fingerprint, peak_memory
from tasks.learning.learn_planner_outputs import load_learned, load_rows, planner_folder
from tasks.learning.train_rush_head_outputs import HISTORY, WEIGHTS, rush_head_folder
from tasks.world.scenario_outputs import training_folder
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

NOT_FOR = (
    "apps with fewer than 20 known calls",
    "fleets whose calls do not come in bursts within the hour",
    "other lengths of an interval",
)


class Settings(Section):
    """The section `train_rush_head`."""

    seeds: tuple[Seed, ...] = Field(min_length=1, description="of training; the mean answer of their networks counts")
    hidden: int = Field(ge=1, le=4096, description="units of each of the two hidden layers")
    epochs: int = Field(ge=1, le=1000, description="passes over all intervals of the training fleets")
    batch: int = Field(ge=1, le=1_000_000, description="samples of an update")
    lr: float = Field(gt=0, le=1, description="learning rate at its highest")


def run(params: Params, paths: Paths) -> str:
    """Write `data/models/rush_head/`; return the summary line.

    Raises:
        TrainingError: the training exploded.
    """
    settings = params.section("train_rush_head", Settings)
    fleets, planners = training_folder(paths), planner_folder(paths)
    names = [row.id for row in read_record(fleets / "scenarios.json", ScenarioList).scenarios]
    data = []
    for name in names:
        scenario = load_scenario(fleets / name, until="train")
        learned, rows = load_learned(planners / name, "valid"), load_rows(planners / name)
        data.append(rush_training.samples(scenario, learned, rows, scenario.split_steps[0]))
    how = rush_training.Settings(settings.hidden, settings.epochs, settings.batch, settings.lr)
    device = device_of(Environment().device)
    training = rush_training.Training(data, settings.seeds, how, device)
    print_of_data = data_fingerprint([fleets / name for name in names])
    with Checkpoints(paths, "train_rush_head", fingerprint(settings.model_dump(mode="json"), print_of_data)) as checkpoints:
        checkpoints.run(rush_head.NAME, training)
    with folder_draft(rush_head_folder(paths)) as folder:
        save_state(folder / WEIGHTS, training.tensors())
        history = training.history.rows()
        write_json(folder / HISTORY, history)
        trained_on = TrainedOn(fingerprint=print_of_data, scenarios=tuple(names), span="train")
        write_card(folder, card(settings, training, trained_on, str(device)))
    return f"{training.count} intervals of {len(names)} fleets, {training.total} updates of {len(settings.seeds)} networks, {peak_memory()}"


def card(settings: Settings, training: rush_training.Training, trained_on: TrainedOn, device: str) -> Card:
    """Return the card of the networks."""
    tensors: dict[str, Any] = training.tensors()
    last = [row["value"] for row in training.history.rows()[-len(settings.seeds) :]]
    return Card(
        layer="tactical",
        arm=rush_head.NAME,
        sizes={"inputs": rush_head.INPUTS, "hidden": settings.hidden, "outputs": rush_head.OUTPUTS},
        parameters=training.head.networks.size,
        features=Features(name="bursts", version=bursts.VERSION),
        normalisation=Normalisation(
            kind="mean and standard deviation", centre=tuple(tensors["centre"].tolist()), scale=tuple(tensors["scale"].tolist())
        ),
        trained_on=trained_on,
        settings=settings.model_dump(mode="json", exclude={"seeds"}),
        versions=versions(),
        seeds=settings.seeds,
        best_seed=settings.seeds[0],
        budget={"samples": training.count * settings.epochs, "updates": training.total},
        figures=(
            Figure(name="deviance", value=sum(last) / len(last), low=min(last), high=max(last), unit="nats", measured_on="last batch"),
        ),
        not_for=NOT_FOR,
        device=device,
    )
