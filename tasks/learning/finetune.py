"""Stage `finetune`: one joint round on frozen neighbours, and what the orchestrator uses of each layer.

First the strategic network trains on above the frozen tactical one, then the tactical one below the result; scaling stays reactive. The
pair is kept only if it is cheaper on the valid spans than the one it began with. Of every layer, the cheapest alternative on these spans is
chosen. Not here: the first training (train_strategic.py, train_tactical.py, train_candidates.py), the learners.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from models.baselines.planning.learned import Learned
from models.checkpoints import load_state, save_state
from models.orchestrator import Orchestrator
from models.strategic.dqn import DQNAgent, DqnSettings
from models.tactical.candidates import CandidatesAgent
from models.tactical.candidates_ppo import PlannedAgent
from models.tactical.ppo import PPOAgent, PpoSettings
from models.training import SeedTraining, Tensors
from simulator.control.decision import Composite, Policy
from simulator.control.features import strategic, tactical
from simulator.control.reward import Reward
from simulator.control.view import Facts
from simulator.parameters import Section, Seed
from tasks.core.drafts import folder_draft
from tasks.core.files import write_text_atomic
from tasks.core.records import read_record, write_record
from tasks.learning.baselines_record import ChosenBaselines
from tasks.learning.candidates_outputs import CandidatesChoice, PlannedChoice, candidates_models, planned_models
from tasks.learning.card import Card, Features, Figure, Normalisation, TrainedOn, versions, write_card
from tasks.learning.checkpoint import Checkpoints, data_fingerprint, fingerprint, peak_memory
from tasks.learning.finetune_outputs import ChosenLayer, chosen_file, joint_history, joint_models
from tasks.learning.fleets import training_folders, training_stages
from tasks.learning.history_text import history_text
from tasks.learning.learn_planner_outputs import load_learned, planner_folder
from tasks.learning.strategic_outputs import strategic_models
from tasks.learning.strategic_training import dqn_learner
from tasks.learning.strengths import planner_options
from tasks.learning.tactical_outputs import tactical_models
from tasks.learning.tactical_training import ppo_learner
from tasks.learning.tune_baselines_outputs import baselines_folder
from tasks.learning.valid_spans import ValidSpan, mean_over_families, valid_families, valid_scenarios

if TYPE_CHECKING:
    from simulator.scenario import Scenario
    from tasks.core.params import Params
    from tasks.core.paths import Paths

ARM = "joint"
NOT_FOR = (
    "one of its networks without the other: they were trained on each other",
    "a claim about the test span: it was kept by the valid spans",
)
NO_LAYER = "none"
Options = Mapping[str, dict[str, float]]  # of the planner, by family
PolicyOf = Callable[[Facts, Learned, str], Policy]  # of a scenario: facts, what was learned of its past, its family


class Settings(Section):
    """The section `finetune`."""

    seed: Seed = Field(description="training seed of the joint round")
    luck_seed: Seed = Field(description="luck of cold starts and keep-alives on the valid spans")
    families: tuple[str, ...] = Field(description="families whose valid spans decide; empty: all")
    scenarios: int = Field(ge=1, le=1000, description="valid spans of a family")
    strategic_transitions: int = Field(ge=1, le=1_000_000_000, description="of the strategic network")
    strategic_stretch: int = Field(ge=1, le=100_000, description="decisions of its episodes")
    tactical_transitions: int = Field(ge=1, le=1_000_000_000, description="of the tactical network")
    tactical_stretch: int = Field(ge=1, le=100_000, description="decisions of its episodes")
    lr: float = Field(gt=0, le=1, description="learning rate of both")
    epsilon: float = Field(ge=0, le=1, description="share of random clouds at the start")


@dataclass(frozen=True)
class Spans:
    """The valid spans, with what is known before them."""

    scenarios: dict[str, Scenario]
    spans: dict[str, ValidSpan]
    learned: dict[str, Learned]

    @classmethod
    def of(cls, paths: Paths, settings: Settings) -> Spans:
        """Load them."""
        scenarios = valid_scenarios(paths, valid_families(paths, settings.families, settings.scenarios))
        spans = {name: ValidSpan(scenario, settings.luck_seed) for name, scenario in scenarios.items()}
        return cls(scenarios, spans, {name: load_learned(planner_folder(paths) / name, "valid") for name in scenarios})

    def cost(self, policy_of: PolicyOf) -> float:
        """What a policy costs, % of home, mean over families."""
        families = {name: scenario.family for name, scenario in self.scenarios.items()}
        found = {}
        for name, span in self.spans.items():
            found[name] = span.pct_of_home(policy_of(Facts.of(self.scenarios[name]), self.learned[name], families[name]))
        return mean_over_families(found, families)


def run(params: Params, paths: Paths) -> str:
    """Write `data/models/joint/`, the history of the round, and `chosen.json` of both layers; return the summary line.

    Raises:
        TrainingError: a training exploded; its last good state stays in .trine/checkpoints.
    """
    settings, reward = params.section("finetune", Settings), params.section("reward", Reward)
    clouds, places = (load_state(folder / "best_model.pt") for folder in (strategic_models(paths), tactical_models(paths)))
    spans, stages = Spans.of(paths, settings), training_stages(paths, reward)
    folders = training_folders(paths)
    data = data_fingerprint(folders)
    ppo, dqn, seeds = PpoSettings(lr=settings.lr), DqnSettings(lr=settings.lr, epsilon=settings.epsilon), [settings.seed]
    with Checkpoints(paths, "finetune", fingerprint(settings.model_dump(mode="json"), data)) as checkpoints:
        above = dqn_learner(ARM).on(
            stages,
            reward,
            [dqn],
            seeds,
            transitions=settings.strategic_transitions,
            stretch=settings.strategic_stretch,
            start=clouds,
            tactical=PPOAgent(places).policy,
        )
        checkpoints.run("strategic", above)
        new_clouds = above.tensors(0)
        below = ppo_learner(ppo, ARM).on(
            stages,
            reward,
            [ppo],
            seeds,
            transitions=settings.tactical_transitions,
            stretch=settings.tactical_stretch,
            start=places,
            strategic=DQNAgent(new_clouds).policy,
        )
        checkpoints.run("tactical", below)
        new_places = below.tensors(0)
        before = spans.cost(lambda facts, *_: _pair(clouds, places, facts))
        after = spans.cost(lambda facts, *_: _pair(new_clouds, new_places, facts))
        trained_on = TrainedOn(fingerprint=data, scenarios=tuple(folder.name for folder in folders), span="train")
        pairs = (new_clouds, new_places) if after < before else (clouds, places)
        _write(paths, settings, pairs, (above, below), (before, after), trained_on)
        write_text_atomic(joint_history(paths), history_text([*above.history.rows(), *below.history.rows()]))
    placing = _choose_tactical(paths, spans, places)
    joint = new_clouds if after < before else None
    clouding = _choose_strategic(paths, spans, clouds, joint, placing)
    said = clouding.arm if clouding.is_used else f"{NO_LAYER} (the best network: {clouding.arm})"
    return f"pair {before:.2f} -> {after:.2f} % of home, tactical {placing.arm}, strategic {said}, {peak_memory()}"


def _pair(clouds: Tensors, places: Tensors, facts: Facts) -> Policy:
    return Composite(ARM, strategic=DQNAgent(clouds).policy(facts), tactical=PPOAgent(places).policy(facts))


def _write(
    paths: Paths,
    settings: Settings,
    pair: tuple[Tensors, Tensors],
    trainings: tuple[SeedTraining, SeedTraining],
    costs: tuple[float, float],
    trained_on: TrainedOn,
) -> None:
    """Write the pair that is kept, together and apart."""
    versions_of = {"strategic": strategic.VERSION, "tactical": tactical.VERSION}
    names = ("before the joint round", "after it")
    figures = tuple(
        Figure(name=name, value=round(cost, 6), low=None, high=None, unit="% of home, winsorised", measured_on="valid spans")
        for name, cost in zip(names, costs, strict=True)
    )
    sizes = [{"inputs": one.network.inputs, "actions": one.network.actions} for one in trainings]  # type: ignore[attr-defined]
    with folder_draft(joint_models(paths)) as draft:
        for layer, tensors, size, training in zip(versions_of, pair, sizes, trainings, strict=True):
            card = _card(settings, layer, size, versions_of[layer], training, figures, trained_on)
            save_state(draft / layer / "best_model.pt", tensors)
            write_card(draft / layer, card)
        joined = {f"{layer}.{name}": tensor for layer, tensors in zip(versions_of, pair, strict=True) for name, tensor in tensors.items()}
        save_state(draft / "best_model.pt", joined)
        both = {f"{layer}_{name}": value for layer, size in zip(versions_of, sizes, strict=True) for name, value in size.items()}
        write_card(draft, _card(settings, ARM, both, sum(versions_of.values()), trainings[1], figures, trained_on))


def _card(
    settings: Settings,
    layer: Any,
    sizes: Mapping[str, int],
    version: int,
    training: SeedTraining,
    figures: tuple[Figure, ...],
    trained_on: TrainedOn,
) -> Card:
    return Card(
        layer=layer,
        arm=ARM,
        sizes=dict(sizes),
        parameters=training.network.size,
        features=Features(name=layer, version=version),
        normalisation=Normalisation(kind="none: features have fixed bounds"),
        trained_on=trained_on,
        settings={name: value for name, value in settings.model_dump(mode="json").items() if not isinstance(value, list)},
        versions=versions(),
        seeds=(settings.seed,),
        best_seed=settings.seed,
        budget={"strategic transitions": settings.strategic_transitions, "tactical transitions": settings.tactical_transitions},
        figures=figures,
        not_for=NOT_FOR,
        device=str(training.device.type),
    )


def _choose_tactical(paths: Paths, spans: Spans, places: Tensors) -> ChosenLayer:
    """The cheapest of the planner, the two networks on top of it and the specified one (in the clouds of home), without a layer above."""
    tuned = read_record(baselines_folder(paths) / "chosen.json", ChosenBaselines)
    planner: Options = {family: planner_options(tuned, family) for family in sorted(tuned.rules)}
    strength = read_record(candidates_models(paths) / "choice.json", CandidatesChoice).chosen
    file = min(candidates_models(paths).glob("seed-*.pt"))
    share = {"volume": float(strength.volume), "response": float(strength.response)}
    trying, tried = read_record(planned_models(paths) / "choice.json", PlannedChoice), min(planned_models(paths).glob("seed-*.pt"))
    p = {"strength": float(trying.strength), "temperature": float(trying.temperature)}
    alternatives: dict[str, tuple[Any, str, dict[str, float]]] = {
        "planner_response": (None, "", {}),
        "candidates": (CandidatesAgent.load(file, (share["volume"], share["response"])), f"candidates/{file.name}", share),
        "candidates_ppo": (PlannedAgent.load(tried, p["strength"], p["temperature"]), f"candidates_ppo/{tried.name}", p),
        "ppo_specified": (PPOAgent(places), "best_model.pt", {}),
    }
    costs = {arm: spans.cost(_layers(None, agent, planner)) for arm, (agent, _, _) in alternatives.items()}
    arm = min(costs, key=lambda name: costs[name])
    _, name, parameters = alternatives[arm]
    return _say(paths, "tactical", costs, arm=arm, file=name, parameters=parameters, planner=planner)


def _layers(above: DQNAgent | None, agent: Any, planner: Options) -> PolicyOf:
    """Both layers; no agent: the planner."""
    return lambda facts, learned, family: Orchestrator(above, agent or planner[family], planner=planner[family]).policy(facts, learned)


def _choose_strategic(paths: Paths, spans: Spans, clouds: Tensors, joint: Tensors | None, placing: ChosenLayer) -> ChosenLayer:
    """The cheaper of the first network and the one of the joint round, if that was kept, above the chosen tactical layer; or neither."""
    models = paths.root / "data" / "models"
    below = Orchestrator.load(models, ("tactical",)).tactical if placing.file else None
    networks = {"dqn_specified": clouds} | ({} if joint is None else {ARM: joint})
    costs = {name: spans.cost(_layers(DQNAgent(own), below, placing.planner)) for name, own in networks.items()}
    arm = min(costs, key=lambda name: costs[name])
    costs[NO_LAYER] = float(placing.valid_pct_of_home[placing.arm])
    file = "best_model.pt" if arm == "dqn_specified" else f"../{ARM}/strategic/best_model.pt"
    return _say(paths, "strategic", costs, arm=arm, file=file, is_used=costs[arm] < costs[NO_LAYER])


def _say(paths: Paths, layer: str, costs: Mapping[str, float], *, is_used: bool = True, **chosen: Any) -> ChosenLayer:
    """Write what was chosen, and why."""
    listed = ", ".join(f"{name} {cost:.2f}" for name, cost in sorted(costs.items(), key=lambda one: one[1]))
    why = f"the least cost on the valid spans, % of home: {listed}"
    found = {"parameters": {}, "planner": {}} | chosen | {"is_used": is_used, "why": why, "valid_pct_of_home": dict(costs)}
    write_record(chosen_file(paths, layer), ChosenLayer, found)
    return ChosenLayer(**found)
