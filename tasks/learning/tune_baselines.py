"""Stage `tune_baselines`: what every rule may learn of the past, with the same budget. Not here: the rules (models/baselines), judging.

Per scenario: the knowledge of the train span, the best static placements and the coordinated ones. Per family and rule: the parameters
that did best on the valid spans of its scenarios. Every rule gets `budget_replays` coupled replays per scenario; one without parameters
needs none. Nothing here sees the test span.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.baselines import rules
from models.baselines.coordination import NAME as COORDINATED
from models.baselines.coordination import coordinated_static
from models.baselines.knowledge import Knowledge, learn
from simulator.control.judge import run as play
from simulator.control.view import Facts
from simulator.objective import objective_usd
from simulator.scenario import load_scenario
from tasks.core.parallel import map_in_processes
from tasks.core.records import write_record
from tasks.evaluation.baseline_arms import GRIDS, rule_named, save_knowledge, worlds_of
from tasks.learning.baselines_record import ChosenBaselines

if TYPE_CHECKING:
    from simulator.scenario import Scenario
    from tasks.core.params import Params
    from tasks.core.paths import Paths


def run(params: Params, paths: Paths) -> str:
    """Write `data/models/baselines/chosen.json` and one folder of knowledge per scenario; return the summary line."""
    settings, out = params.tune_baselines, paths.baselines
    worlds = worlds_of(paths.scenario)
    out.mkdir(parents=True, exist_ok=True)
    jobs = [
        (str(paths.scenario), str(out), names, settings.luck_seed, settings.budget_replays, params.world.tactical_steps) for names in worlds
    ]
    found = {name: one for world in map_in_processes(_tune, jobs) for name, one in world.items()}
    scenarios = sorted(found)
    families = {name: found[name]["family"] for name in scenarios}
    chosen = {
        family: {rule: _best(rule, [found[n] for n in scenarios if families[n] == family]) for rule in GRIDS}
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
            "placements": {name: found[name]["placements"] for name in scenarios},
        },
    )
    return (
        f"{len(scenarios)} scenarios, {sum(sum(r.values()) for r in replays.values())} coupled replays, {len(GRIDS)} rules with parameters"
    )


def _tune(job: tuple[str, str, list[str], int, int, int]) -> dict[str, dict[str, Any]]:
    """Learn the past of one world and tune every rule in each of its scenarios."""
    source, target, names, seed, budget, period_steps = job
    knowledge = learn(load_scenario(Path(source) / names[0]), seed)
    found = {}
    for name in names:
        save_knowledge(knowledge, Path(target) / name)
        found[name] = _tune_rules(load_scenario(Path(source) / name), knowledge, seed, budget, period_steps)
    return found


def _tune_rules(scenario: Scenario, knowledge: Knowledge, seed: int, budget: int, period_steps: int) -> dict[str, Any]:
    """Try every rule's parameters on the valid span, and coordinate static placements on the train span."""
    facts = Facts.of(scenario)
    tried = {
        rule: [_valid_usd(scenario, rule_named(rule, facts, knowledge, parameters, period_steps), seed) for parameters in grid[:budget]]
        for rule, grid in GRIDS.items()
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


def _best(rule: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """The parameters with the lowest mean share of home over the scenarios of a family; the first of equal ones."""
    shares = np.mean([np.array(one["tried"][rule]) / one["home_usd"] for one in found], axis=0)
    tried = [
        {"parameters": parameters, "valid_share_of_home": round(float(share), 9)}
        for parameters, share in zip(GRIDS[rule], shares, strict=False)
    ]
    return {"parameters": GRIDS[rule][int(shares.argmin())], "tried": tried}
