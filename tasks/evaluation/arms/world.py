"""What learned arms and ablations are built from: one scenario, and the checkpoints of an arm. Not here: any arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.tactical.candidates import CandidatesAgent
from models.tactical.candidates_ppo import PlannedAgent
from simulator.control.view import Facts
from simulator.scenario import Scenario
from tasks.core.records import read_record
from tasks.evaluation.arms.tuned import Known
from tasks.learning.baselines_record import ChosenBaselines
from tasks.learning.candidates_outputs import CandidatesChoice, PlannedChoice
from tasks.learning.knowledge_files import load_knowledge
from tasks.learning.learn_planner_outputs import load_learned
from tasks.learning.tune_baselines_outputs import knowledge_folder


@dataclass(frozen=True, eq=False)
class World:
    """One scenario with everything that is known before its test span.

    Args:
        scenario: the world; an arm reads its past alone.
        known: facts, and what rules may know of the past.
        models: the folder `data/models`.
        seed: of the luck.
        parameters: of the tuned rules, by name.
    """

    scenario: Scenario
    known: Known
    models: Path
    seed: int
    parameters: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, scenario: Scenario, models: Path, seed: int) -> World:
        """Read what is known of a scenario from `data/models`."""
        baselines = models / "baselines"
        chosen = read_record(baselines / "chosen.json", ChosenBaselines)
        learned = load_learned(baselines / "planner" / scenario.id, "test")
        known = Known(Facts.of(scenario), load_knowledge(knowledge_folder(baselines, scenario.id)), learned)
        return cls(scenario, known, models, seed, {rule: entry.parameters for rule, entry in chosen.rules[scenario.family].items()})

    @property
    def facts(self) -> Facts:
        """What does not change."""
        return self.known.facts

    def planner_options(self) -> dict[str, Any]:
        """The tuned options of `planner_response`, the prior of what is learned."""
        tuned = self.parameters["planner_response"]
        period_steps = self.facts.world.tactical_steps
        return {"horizon": int(tuned["horizon"]), "switches": tuned["switches"], "period_steps": period_steps}


def by_seed(folder: Path) -> dict[int, Path]:
    """The checkpoints `seed-<n>.pt` of an arm, by training seed."""
    return {int(file.stem.removeprefix("seed-")): file for file in sorted(folder.glob("seed-*.pt"))}


def candidates_agents(models: Path) -> dict[int, CandidatesAgent]:
    """The networks of the candidates arm, with the strength that was chosen, by training seed."""
    folder = models / "tactical" / "candidates"
    chosen = read_record(folder / "choice.json", CandidatesChoice).chosen
    return {seed: CandidatesAgent.load(file, (chosen.volume, chosen.response)) for seed, file in by_seed(folder).items()}


def planned_agents(models: Path) -> dict[int, PlannedAgent]:
    """The networks on top of the planner that were trained by PPO, with the strength that was chosen, by training seed."""
    folder = models / "tactical" / "candidates_ppo"
    chosen = read_record(folder / "choice.json", PlannedChoice)
    return {seed: PlannedAgent.load(file, chosen.strength, chosen.temperature) for seed, file in by_seed(folder).items()}
