"""Stage `train_candidates`: the network that corrects the planner, from replays of the training fleets at all placements.

The fleets of the last training seed choose the update that is kept. How much of each factor counts is chosen on the valid spans of judged
scenarios, where the prior is played, too. Not here: the network (models/tactical/candidates.py), replays (learn_planner.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import Field

from models.checkpoints import save_state
from models.tactical.candidates import ARM, FEATURE_VERSION, CandidatesAgent, CandidatesSettings, CandidatesTraining
from models.tactical.samples import Samples, samples_of
from models.tactical.scoring import OWN, PLACES
from models.training import device_of
from simulator.parameters import Section, Seed
from simulator.scenario import load_scenario
from tasks.core.drafts import folder_draft
from tasks.core.environment import Environment
from tasks.core.files import write_text_atomic
from tasks.core.parallel import map_in_processes
from tasks.core.records import read_record, write_record
from tasks.learning.candidates_outputs import CandidatesChoice, Strength, candidates_history, candidates_models
from tasks.learning.card import Card, Features, Figure, Normalisation, TrainedOn, versions, write_card
from tasks.learning.checkpoint import Checkpoints, data_fingerprint, fingerprint, peak_memory
from tasks.learning.history_text import history_text
from tasks.learning.learn_planner_outputs import load_rows, planner_folder
from tasks.learning.strengths import Spans, play_strengths
from tasks.world.scenario_outputs import training_folder
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from pathlib import Path

    from models.training import Tensors
    from tasks.core.params import Params
    from tasks.core.paths import Paths

PRIOR = (0.0, 0.0)
NOT_FOR = (
    "apps with fewer calls than the planner needs: they keep the prior",
    "another objective: levels and responses are in its units",
    "a claim about the test span: its figures are of the valid spans that chose its strength",
)


class Settings(Section):
    """The section `train_candidates`."""

    seeds: tuple[Seed, ...] = Field(min_length=1, description="training seeds, one batch")
    fleets: int = Field(
        ge=2, le=100, description="training seeds of fleets that are learned from, the last one validates; at most those there are"
    )
    luck_seed: Seed = Field(description="luck of cold starts and keep-alives on the valid spans")
    families: tuple[str, ...] = Field(description="families whose valid spans choose the strength; empty: all")
    scenarios: int = Field(ge=1, le=1000, description="valid spans of a family")
    strengths: tuple[tuple[float, float], ...] = Field(
        min_length=1, description="shares of the factors' logarithms that are tried: volume, response"
    )
    network: CandidatesSettings = Field(description="how the network learns")


class TrainingFleet(NamedTuple):
    """A training fleet: its folder, that of what the planner knows of it, and the clip of the targets."""

    scenario: Path
    planner: Path
    clip: float


def run(params: Params, paths: Paths) -> str:
    """Write `data/models/tactical/candidates/` and the history; return the summary line.

    Raises:
        TrainingError: the training exploded; its last good state stays in .trine/checkpoints.
    """
    settings = params.section("train_candidates", Settings)
    folders, kept_out = _fleets(paths, settings)
    data = data_fingerprint([*folders, *kept_out])
    device = device_of(Environment().device)
    train, valid = (_samples(paths, each, settings.network.clip) for each in (folders, kept_out))
    training = CandidatesTraining(settings.network, settings.seeds, train, valid, device)
    with Checkpoints(paths, "train_candidates", fingerprint(settings.model_dump(mode="json"), data)) as checkpoints:
        checkpoints.run(ARM, training)
        best = int(np.argmin(training.best.score))
        choice = _choice(paths, settings, training.tensors(best))
        names = tuple(folder.name for folder in folders)
        card = _card(settings, training, choice, TrainedOn(fingerprint=data, scenarios=names, span="train"), len(train))
        with folder_draft(candidates_models(paths)) as draft:
            for s, seed in enumerate(settings.seeds):
                save_state(draft / f"seed-{seed}.pt", training.tensors(s))
            write_card(draft, card)
            write_record(draft / "choice.json", CandidatesChoice, choice.model_dump(mode="json"))
        write_text_atomic(candidates_history(paths), history_text(training.history.rows()))
    said = f"{choice.chosen.mean} % of home on the valid spans (prior {choice.prior.mean})"
    return f"{len(train)} rows of {len(folders)} fleets, {len(settings.seeds)} seeds, {said}, {peak_memory()}"


def _fleets(paths: Paths, settings: Settings) -> tuple[list[Path], list[Path]]:
    """Folders of the fleets to learn from and of those that validate: the last training seed."""
    rows = read_record(training_folder(paths) / "scenarios.json", ScenarioList).scenarios
    seeds = sorted({row.seed for row in rows})[: settings.fleets]
    if len(seeds) == 1:  # a profile with a single fleet: it learns and validates on it, and its card shows that
        return [training_folder(paths) / row.id for row in rows], [training_folder(paths) / row.id for row in rows]
    of = {seed: [training_folder(paths) / row.id for row in rows if row.seed == seed] for seed in seeds}
    return [folder for seed in seeds[:-1] for folder in of[seed]], of[seeds[-1]]


def _samples(paths: Paths, folders: list[Path], clip: float) -> Samples:
    jobs = [TrainingFleet(folder, planner_folder(paths) / folder.name, clip) for folder in folders]
    return Samples.joined(map_in_processes(_observe, jobs, "fleets"))


def _observe(fleet: TrainingFleet) -> Samples:
    scenario = load_scenario(fleet.scenario, until="train")
    return samples_of(scenario, load_rows(fleet.planner), scenario.split_steps[0], fleet.clip)


def _choice(paths: Paths, settings: Settings, tensors: Tensors) -> CandidatesChoice:
    """Play every strength on the valid spans; the first of equal ones is chosen, and the prior is no choice."""
    spans = Spans(settings.luck_seed, settings.families, settings.scenarios)
    prior, *found = play_strengths(paths, spans, CandidatesAgent, [tensors], settings.strengths)
    tried = [
        Strength(volume=volume, response=response, valid_pct_of_home=one.pct, mean=one.mean)
        for (volume, response), one in zip((PRIOR, *settings.strengths), (prior, *found), strict=True)
    ]
    return CandidatesChoice(chosen=min(tried[1:], key=lambda one: one.mean), tried=tuple(tried[1:]), prior=tried[0])


def _card(settings: Settings, training: CandidatesTraining, choice: CandidatesChoice, trained_on: TrainedOn, rows: int) -> Card:
    network, seeds = settings.network, settings.seeds
    measured_on = f"valid spans of {', '.join(choice.chosen.valid_pct_of_home)}"
    figures = [
        Figure(name=name, value=one.mean, low=None, high=None, unit="% of home, winsorised", measured_on=measured_on)
        for name, one in (("objective", choice.chosen), ("objective of the prior", choice.prior))
    ]
    return Card(
        layer="tactical",
        arm=ARM,
        sizes={"own": OWN, "places": PLACES, "hidden": network.hidden, "second": network.second},
        parameters=training.network.size,
        features=Features(name="candidates, lagged", version=FEATURE_VERSION),
        normalisation=Normalisation(kind="mean and standard deviation of the training rows, folded into the first layers"),
        trained_on=trained_on,
        settings=network.model_dump(mode="json"),
        versions=versions(),
        seeds=seeds,
        best_seed=seeds[int(np.argmin(training.best.score))],
        budget={"rows": rows, "updates": training.updates, "transitions": training.units * training.per_unit},
        figures=tuple(figures),
        not_for=NOT_FOR,
        device=str(training.device.type),
    )
