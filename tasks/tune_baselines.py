"""Stage `tune_baselines`: what every rule may learn of the past, with the same budget. Not here: the rules (models/baselines), judging.

Per scenario: the knowledge of the train span, the best static placements and the coordinated ones. Per family and rule: the parameters
that did best on the valid spans of its scenarios. Every rule gets `budget_replays` coupled replays per scenario; one without parameters
needs none. Nothing here sees the test span.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.baselines import placement as rules
from models.baselines.coordinated import NAME as COORDINATED
from models.baselines.coordinated import coordinated_static
from models.baselines.knowledge import learn
from simulator.judge import run as play
from simulator.money import objective_usd
from simulator.observation import Facts
from simulator.scenario import load_scenario
from tasks.baseline_arms import GRIDS, rule_named, save_knowledge
from tasks.files import read_json, write_json
from tasks.parallel import map_in_processes

if TYPE_CHECKING:
    from simulator.scenario import Scenario
    from tasks.params import Params
    from tasks.paths import Paths


def run(params: Params, paths: Paths) -> str:
    """Write `data/models/baselines/chosen.json` and one folder of knowledge per scenario; return the summary line."""
    settings, out = params.tune_baselines, paths.baselines
    scenarios = [row["id"] for row in read_json(paths.scenario / "scenarios.json")["scenarios"]]
    out.mkdir(parents=True, exist_ok=True)
    jobs = [
        (str(paths.scenario / name), str(out / name), settings.luck_seed, settings.budget_replays, params.world.tactical_steps)
        for name in scenarios
    ]
    found = dict(zip(scenarios, map_in_processes(_tune, jobs), strict=True))
    families = {name: found[name]["family"] for name in scenarios}
    chosen = {
        family: {rule: _best(rule, [found[n] for n in scenarios if families[n] == family]) for rule in GRIDS}
        for family in sorted(set(families.values()))
    }
    replays = {name: found[name]["replays"] for name in scenarios}
    write_json(
        out / "chosen.json",
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


def _tune(job: tuple[str, str, int, int, int]) -> dict[str, Any]:
    """Learn one scenario's past and try every rule's parameters on its valid span."""
    source, target, seed, budget, period_steps = job
    scenario, folder = load_scenario(source), Path(target)
    facts, knowledge = Facts.of(scenario), learn(scenario, seed)
    save_knowledge(knowledge, folder)
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
