"""The baselines as the stages hand them over: worlds, parameter grids, knowledge on disk, arms in order. Not here: tuning, the rules."""

from __future__ import annotations

import dataclasses
import json
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from models.baselines import rules
from models.baselines.coordination import NAME as COORDINATED
from models.baselines.knowledge import Knowledge
from simulator.control.view import Facts
from tasks.core.files import read_json
from tasks.core.records import read_record
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.scenario import Scenario
    from tasks.learning.baselines_record import ChosenBaselines

# What is tried, in this order; the budget cuts the lists, which are equally long, so that no rule gets more of it.
HORIZONS = (8, 24, 4, 48, 2, 96, 16, 1, 12, 32, 6, 64, 3, 128, 20, 40, 10, 80, 5, 160, 28, 56, 14, 192)
GRIDS: dict[str, list[dict[str, float]]] = {
    "greedy_hysteresis": [
        {"horizon": h} for h in (8, 24, 4, 48, 2, 96, 16, 1, 12, 32, 6, 64, 3, 128, 20, 192, 5, 40, 10, 80, 28, 160, 14, 56)
    ],
    "persistence": [{"horizon": h, "margin": m} for m, h in product((1.0, 4.0, 2.0, 0.5), (3, 10, 5, 1, 8, 12))],
}


def worlds_of(folder: Path) -> list[list[str]]:
    """Return the scenarios in groups that differ in allowed placements only (calm and fenced), so that tables serve all of a group."""
    names = [row.id for row in read_record(folder / "scenarios.json", ScenarioList).scenarios]
    groups: dict[str, list[str]] = {}
    for name in names:
        described = read_json(folder / name / "scenario.json")
        same = {key: value for key, value in described.items() if key not in ("id", "family", "is_allowed")}
        groups.setdefault(json.dumps(same, sort_keys=True), []).append(name)
    return list(groups.values())


def policies(scenario: Scenario, chosen: ChosenBaselines, folder: Path, seed: int) -> list[Any]:
    """Return the tuned baselines of a scenario, in the order of the tables.

    Args:
        scenario: the world.
        chosen: what `tune_baselines` chose.
        folder: `data/models/baselines`.
        seed: of the random arm.
    """
    facts, knowledge = Facts.of(scenario), load_knowledge(folder / scenario.id)
    index = {zone: p for p, zone in enumerate(scenario.tables.zones)}
    placed = chosen.placements[scenario.id]
    coordinated = np.array([index[placed[COORDINATED][app]] for app in scenario.apps.app_ids], dtype=np.int64)
    best = {rule: entry.parameters for rule, entry in chosen.rules[scenario.family].items()}
    return [
        rules.random(facts, seed),
        rules.home(facts),
        rules.greedy_locality(facts, knowledge),
        rules.greedy_cold_start(facts, knowledge),
        rules.best_static(facts, knowledge),
        rules.Fixed(COORDINATED, coordinated),
        rule_named("greedy_objective", facts, knowledge, best["greedy_hysteresis"], scenario.world.tactical_steps),
        *(rule_named(name, facts, knowledge, parameters, scenario.world.tactical_steps) for name, parameters in best.items()),
    ]


def save_knowledge(knowledge: Knowledge, folder: Path) -> None:
    """Write the knowledge of one scenario, one array a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for field in dataclasses.fields(Knowledge):
        np.save(folder / f"{field.name}.npy", getattr(knowledge, field.name), allow_pickle=False)


def load_knowledge(folder: Path) -> Knowledge:
    """Read the knowledge of one scenario."""
    names = [field.name for field in dataclasses.fields(Knowledge)]
    return Knowledge(**{name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in names})


def rule_named(name: str, facts: Facts, knowledge: Knowledge, parameters: dict[str, float], period_steps: int) -> Any:
    """Return the rule `name` with these parameters."""
    horizon = int(parameters["horizon"])
    if name == "persistence":
        return rules.Persistence(facts, knowledge, horizon, margin=parameters["margin"], period_steps=period_steps)
    return rules.GreedyObjective(facts, knowledge, horizon, has_hysteresis=name == "greedy_hysteresis", period_steps=period_steps)
