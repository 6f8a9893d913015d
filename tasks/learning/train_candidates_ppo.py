"""Stage `train_candidates_ppo`: PPO with a KL term to the planner, on the training fleets, and how much of it counts.

The planner learns from the first half of a fleet's train span, episodes lie in the second. The strength is chosen on the valid spans of
judged scenarios; strength 0, the planner itself, is a choice, so what is learned is used only where it is better there. Not here: the
network (models/tactical/candidates_ppo.py), the supervised one (train_candidates.py).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from core.errors import ParameterError
from models.baselines.planning.learned import Learned, learn
from models.checkpoints import save_state
from models.tactical.candidates_ppo import ARM, PlannedAgent, PlannedNetwork, PlannedPpo, PlannedSettings
from models.tactical.planned import VERSION, Planned, PlannedWorld
from models.training import History, device_of
from simulator.control.baseline import HOME_SEED
from simulator.control.reward import Reward
from simulator.parameters import Section, Seed
from simulator.scenario import load_scenario
from tasks.core.drafts import folder_draft
from tasks.core.environment import Environment
from tasks.core.files import write_text_atomic
from tasks.core.parallel import map_in_processes
from tasks.core.records import read_record, write_record
from tasks.learning.baselines_record import ChosenBaselines
from tasks.learning.candidates_outputs import PlannedChoice, TriedShare, planned_history, planned_models
from tasks.learning.card import Card, Features, Figure, Normalisation, TrainedOn, versions, write_card
from tasks.learning.checkpoint import Checkpoints, data_fingerprint, fingerprint, peak_memory
from tasks.learning.fleets import training_folders, training_stages
from tasks.learning.history_text import history_text
from tasks.learning.learn_planner_outputs import load_rows, planner_folder
from tasks.learning.strengths import Spans, planner_options, play_strengths
from tasks.learning.tune_baselines_outputs import baselines_folder
from tasks.world.scenario_outputs import training_folder

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.envs.episodes import Stage
    from simulator.scenario import Scenario
    from tasks.core.params import Params
    from tasks.core.paths import Paths

KNOWN_SHARE = 0.5  # of the train span that the planner learns from
SMALL_BUDGET = 1_000_000
NOT_FOR = (
    "apps with fewer calls than the planner needs: they stay where they are",
    "another objective: levels and responses are in its units",
    "a claim about the test span: its figures are of the valid spans that chose its strength",
)
SMALL = "a claim about what learning by trying can do: millions of transitions belong to the profile `report`"


class Settings(Section):
    """The section `train_candidates_ppo`."""

    seeds: tuple[Seed, ...] = Field(min_length=1, description="training seeds, one batch")
    fleets: int = Field(ge=1, le=1000, description="training fleets that are learned from, the first ones")
    luck_seed: Seed = Field(description="luck of cold starts and keep-alives on the valid spans")
    families: tuple[str, ...] = Field(description="families whose valid spans choose the strength; empty: all")
    scenarios: int = Field(ge=1, le=1000, description="valid spans of a family")
    strengths: tuple[float, ...] = Field(min_length=1, description="shares of the network's logits that are tried beside 0, the planner")
    transitions: int = Field(ge=1, le=1_000_000_000, description="of each seed")
    stretch: int = Field(ge=1, le=100_000, description="decisions of an episode, at most those of the second half of the train span")
    network: PlannedSettings = Field(description="how the network learns")


def run(params: Params, paths: Paths) -> str:
    """Write `data/models/tactical/candidates_ppo/` and the history; return the summary line.

    Raises:
        ParameterError: the train span is too short for an episode.
        TrainingError: the training exploded; its last good state stays in .trine/checkpoints.
    """
    settings, reward = params.section("train_candidates_ppo", Settings), params.section("reward", Reward)
    folders = training_folders(paths)[: settings.fleets]
    data, parts = data_fingerprint(folders), settings.model_dump(mode="json") | {"reward": reward.model_dump(mode="json")}
    training = _training(paths, settings, reward, training_stages(paths, reward, settings.fleets))
    with Checkpoints(paths, "train_candidates_ppo", fingerprint(parts, data)) as checkpoints:
        checkpoints.run(ARM, training)
        choice = _choice(paths, settings, training)
        trained_on = TrainedOn(fingerprint=data, scenarios=tuple(folder.name for folder in folders), span="train")
        with folder_draft(planned_models(paths)) as draft:
            for s, seed in enumerate(settings.seeds):
                save_state(draft / f"seed-{seed}.pt", training.tensors(s))
            write_card(draft, _card(settings, training, choice, trained_on))
            write_record(draft / "choice.json", PlannedChoice, choice.model_dump(mode="json"))
        write_text_atomic(planned_history(paths), history_text(training.history.rows()))
    budget = f"{len(settings.seeds)} seeds of {training.units * training.per_unit} transitions"
    return f"{budget}, {choice.why}, {peak_memory()}"


def _training(paths: Paths, settings: Settings, reward: Reward, stages: list[Stage]) -> PlannedPpo:
    """The training of all seeds as one batch; every fleet has a planner that knows the first half of its train span."""
    ppo, chosen = settings.network.ppo, read_record(baselines_folder(paths) / "chosen.json", ChosenBaselines)
    planned, left, names = {}, [], [stage.scenario.id for stage in stages]
    jobs = [(training_folder(paths) / name, planner_folder(paths) / name) for name in names]
    learned = dict(zip(names, map_in_processes(_learn, jobs, "fleets"), strict=True))
    for scenario in (stage.scenario for stage in stages):
        steps = scenario.world.tactical_steps
        known = _known(scenario)
        left.append(scenario.split_steps[0] // steps - known)
        layer = Planned(learned[scenario.id], settings.network.temperature, **planner_options(chosen, scenario.family))
        planned[scenario.id] = (layer, known * steps)
    stretch = min(settings.stretch, min(left) // ppo.steps * ppo.steps)
    if stretch == 0:
        what, how = f"half of a train span has {min(left)} decisions, {ppo.steps} are needed", "use longer train spans, or fewer steps"
        raise ParameterError(what, where="params.yaml: train_candidates_ppo.network.ppo.steps", how=how)
    episodes = {"span": "train", "intervals": stretch, "luck_seed": HOME_SEED, "reward": reward}
    worlds = [PlannedWorld(stages, planned, multiple=ppo.envs, **episodes) for _ in settings.seeds]
    return PlannedPpo(
        settings.network.kl,
        [ppo] * len(worlds),
        worlds,
        settings.seeds,
        lambda random, device: PlannedNetwork(worlds[0].inputs, settings.network.hidden, settings.network.second, random, device),
        History("tactical", ARM, settings.seeds),
        transitions=settings.transitions,
        stretch=stretch,
        score=None,
        device=device_of(Environment().device),
    )


def _known(scenario: Scenario) -> int:
    """Intervals of a fleet that its planner learns from."""
    return int(KNOWN_SHARE * (scenario.split_steps[0] // scenario.world.tactical_steps))


def _learn(folders: tuple[Path, Path]) -> Learned:
    """What the planner of a fleet knows; `folders`: of the fleet and of its replays. In a process of its own, since it needs memory."""
    scenario = load_scenario(folders[0], until="train")
    return learn(scenario, load_rows(folders[1]), _known(scenario) * scenario.world.tactical_steps)


def _choice(paths: Paths, settings: Settings, training: PlannedPpo) -> PlannedChoice:
    """The strength that costs least on the valid spans, mean over the training seeds; the planner, strength 0, wins a tie."""
    spans = Spans(settings.luck_seed, settings.families, settings.scenarios)
    make = partial(PlannedAgent, temperature=settings.network.temperature)
    networks = [training.tensors(s) for s in range(len(settings.seeds))]
    found = play_strengths(paths, spans, make, networks, settings.strengths)
    tried = tuple(
        TriedShare(strength=strength, valid_pct_of_home=one.pct, mean=one.mean)
        for strength, one in zip((0.0, *settings.strengths), found, strict=True)
    )
    chosen = min(tried, key=lambda one: one.mean)
    said = f"{chosen.mean} % of home on the valid spans, the planner {tried[0].mean}"
    if chosen.strength == 0:
        best = min(tried[1:], key=lambda one: one.mean)
        said = f"falls back to the planner: {tried[0].mean} % of home on the valid spans, the network at best {best.mean}"
    return PlannedChoice(temperature=settings.network.temperature, strength=chosen.strength, why=said, tried=tried)


def _card(settings: Settings, training: PlannedPpo, choice: PlannedChoice, trained_on: TrainedOn) -> Card:
    network, seeds, transitions = settings.network, settings.seeds, training.units * training.per_unit
    spans = f"valid spans of {', '.join(choice.tried[0].valid_pct_of_home)}"
    names = {0.0: "objective of the planner"} | {one.strength: f"objective at strength {one.strength:g}" for one in choice.tried[1:]}
    figures = [
        Figure(name=names[one.strength], value=one.mean, low=None, high=None, unit="% of home, winsorised", measured_on=spans)
        for one in choice.tried
    ]
    own = network.model_dump(mode="json")
    return Card(
        layer="tactical",
        arm=ARM,
        sizes={"hidden": network.hidden, "second": network.second},
        parameters=training.network.size,
        features=Features(name="candidates, lagged, planner", version=VERSION),
        normalisation=Normalisation(kind="none: shares and logarithms"),
        trained_on=trained_on,
        settings=own.pop("ppo") | own,
        versions=versions(),
        seeds=seeds,
        best_seed=seeds[0],
        budget={"transitions": transitions, "updates": training.updates},
        figures=tuple(figures),
        not_for=(*NOT_FOR, SMALL) if transitions < SMALL_BUDGET else NOT_FOR,
        device=str(training.device.type),
    )
