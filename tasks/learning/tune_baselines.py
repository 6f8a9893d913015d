"""Stage `tune_baselines`: what every rule may learn from the past, with the same budget. Not here: the rules (models/baselines), judging.

Per scenario: the knowledge of the train span, the best static placements and the coordinated ones. Per family and rule: the parameters
that did best on the valid spans of its scenarios. Every rule gets `budget_replays` coupled replays per scenario; one without parameters
needs none. Nothing here sees the test span.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from models.baselines import rules
from models.baselines.coordination import NAME as COORDINATED
from models.baselines.coordination import coordinated_static
from models.baselines.knowledge import Knowledge, learn
from simulator.control.loop import run as play
from simulator.control.view import Facts
from simulator.objective import objective_usd
from simulator.parameters import Section, Seed
from simulator.scenario import load_scenario
from tasks.core.parallel import map_in_processes
from tasks.core.records import write_record
from tasks.evaluation.arms.tuned import PLANNERS, TUNED, Known, Tuned
from tasks.learning.baselines_record import ChosenBaselines
from tasks.learning.knowledge_files import save_knowledge
from tasks.learning.learn_planner_outputs import load_learned, load_total
from tasks.learning.tune_baselines_outputs import baselines_folder, knowledge_folder
from tasks.world.scenario_outputs import scenario_folder
from tasks.world.worlds import worlds_of

if TYPE_CHECKING:
    from models.baselines.planning.learned import Learned
    from simulator.scenario import Scenario
    from tasks.core.params import Params
    from tasks.core.paths import Paths


class Settings(Section):
    """The section `tune_baselines`: the budget that every rule gets."""

    luck_seed: Seed = Field(description="of cold starts and keep-alives on the train and valid spans")
    budget_replays: int = Field(ge=1, le=100_000, description="coupled replays per rule and scenario")


def run(params: Params, paths: Paths) -> str:
    """Write `data/models/baselines/chosen.json` and one folder of knowledge per scenario; return the summary line."""
    settings, out = params.section("tune_baselines", Settings), baselines_folder(paths)
    worlds = worlds_of(scenario_folder(paths))
    out.mkdir(parents=True, exist_ok=True)
    jobs = [(str(scenario_folder(paths)), str(out), names, settings.luck_seed, settings.budget_replays) for names in worlds]
    found = {name: one for world in map_in_processes(_tune, jobs, "worlds") for name, one in world.items()}
    scenarios = sorted(found)
    families = {name: found[name]["family"] for name in scenarios}
    chosen = {
        family: {rule.name: _best(rule, [found[n] for n in scenarios if families[n] == family]) for rule in TUNED}
        for family in sorted(set(families.values()))
    }
    replays = {name: found[name]["replays"] for name in scenarios}
    write_record(
        out / "chosen.json",
        ChosenBaselines,
        {
            "luck_seed": settings.luck_seed,
            "budget_replays": settings.budget_replays,
            "replays": replays,
            "rules": chosen,
            "planner": {family: _best_planner(rules_of) for family, rules_of in chosen.items()},
            "placements": {name: found[name]["placements"] for name in scenarios},
        },
    )
    return (
        f"{len(scenarios)} scenarios, {sum(sum(r.values()) for r in replays.values())} coupled replays, {len(TUNED)} rules with parameters"
    )


def _tune(job: tuple[str, str, list[str], int, int]) -> dict[str, dict[str, Any]]:
    """Learn from the past of one world and tune every rule in each of its scenarios."""
    source, target, names, seed, budget = job
    planner = Path(target) / "planner"
    knowledge = learn(load_scenario(Path(source) / names[0], until="valid"), load_total(planner / names[0]))
    found = {}
    for name in names:
        save_knowledge(knowledge, knowledge_folder(Path(target), name))
        learned = load_learned(planner / name, "valid")
        found[name] = _tune_rules(load_scenario(Path(source) / name, until="valid"), knowledge, learned, seed, budget)
    return found


def _tune_rules(scenario: Scenario, knowledge: Knowledge, learned: Learned, seed: int, budget: int) -> dict[str, Any]:
    """Try every rule's parameters on the valid span, and coordinate static placements on the train span."""
    facts, period_steps = Facts.of(scenario), scenario.world.tactical_steps
    known = Known(facts, knowledge, learned)
    tried = {
        rule.name: [_valid_usd(scenario, rule.build(known, parameters, period_steps), seed) for parameters in rule.grid[:budget]]
        for rule in TUNED
    }
    best_static = rules.best_static(facts, knowledge)
    score = rules.mean_cost(facts, knowledge)
    coordinated, train_usd, used = coordinated_static(scenario, seed, "train", best_static.placement, score, budget)
    zones, apps = np.array(scenario.tables.zones), scenario.apps.app_ids
    return {
        "family": scenario.family,
        "home_usd": _valid_usd(scenario, rules.home(facts), seed),
        "tried": tried,
        "replays": {rule: len(values) for rule, values in tried.items()} | {COORDINATED: used},
        "placements": {
            name: dict(zip(apps, zones[placed].tolist(), strict=True))
            for name, placed in (("best_static", best_static.placement), (COORDINATED, coordinated))
        },
        "coordinated_train_usd": train_usd,
    }


def _valid_usd(scenario: Scenario, policy: Any, seed: int) -> float:
    fleet = play(scenario, policy, seed, "valid", bucket_us=scenario.world.tactical_us)
    return float(objective_usd(fleet.out.sum(axis=(0, 1)), scenario.objective))


def _best_planner(chosen: dict[str, Any]) -> str:
    """The planner with the lowest mean share of home on the valid spans of a family; the first of equal ones."""
    return min(PLANNERS, key=lambda name: min(tried["valid_share_of_home"] for tried in chosen[name]["tried"]))


def _best(rule: Tuned, found: list[dict[str, Any]]) -> dict[str, Any]:
    """The parameters with the lowest mean share of home over the scenarios of a family; the first of equal ones."""
    shares = np.mean([np.array(one["tried"][rule.name]) / one["home_usd"] for one in found], axis=0)
    tried = [
        {"parameters": parameters, "valid_share_of_home": round(float(share), 9)}
        for parameters, share in zip(rule.grid, shares, strict=False)
    ]
    return {"parameters": rule.grid[int(shares.argmin())], "tried": tried}
