"""Stage `tune_operational`: what is known of the apps of each scenario, and the parameters of every floor rule, with one budget for all.

The rules are tried on the valid span, at home, coupled, in the scenarios of the named families; what did best on average is used in all.
Not here: the rules (models/operational), networks (train_operational.py). Nothing here sees the test span.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import Field

from models.statistics import matrix
from simulator.control.baseline import Stay
from simulator.control.loop import run as play
from simulator.objective import objective_usd
from simulator.parameters import Section
from simulator.scenario import load_scenario
from tasks.core.parallel import map_in_processes
from tasks.core.records import read_record, write_record
from tasks.evaluation.arms.floors import RULES, FloorRule
from tasks.learning.operational_known import learn_known, save_known
from tasks.learning.operational_outputs import LAYER, SEARCH_COLUMNS, operational_reports, tuned_operational, write_rows
from tasks.learning.tune_operational_record import TunedFloors
from tasks.world.scenario_outputs import scenario_folder
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from simulator.control.decision import Policy
    from simulator.scenario import Scenario
    from tasks.core.params import Params
    from tasks.core.paths import Paths


class Settings(Section):
    """The section `tune_operational`: the budget that every floor rule gets, and where it is spent."""

    luck_seed: int = Field(ge=0, description="of cold starts and keep-alives on the train and valid spans")
    budget_replays: int = Field(ge=1, description="coupled runs of the valid span per rule and scenario")
    families: tuple[str, ...] = Field(min_length=1, description="in whose scenarios the rules are tried")
    scenarios: int = Field(ge=1, description="of each family, the first ones")


class Job(NamedTuple):
    """One scenario: its folder, where to write what is known of it, whether rules are tried in it, luck, budget."""

    folder: str
    out: str
    is_tried: bool
    luck_seed: int
    budget: int


Tried = dict[str, list[float]]  # by rule and point: objective in % of home


def run(params: Params, paths: Paths) -> str:
    """Write `data/models/tuned/operational/` and `reports/operational/search.csv`; return the summary line."""
    settings, out = params.section("tune_operational", Settings), tuned_operational(paths)
    rows = [(row.id, row.family) for row in read_scenarios(paths).scenarios]
    tried = [n for f in settings.families for n in [name for name, family in rows if family == f][: settings.scenarios]]
    jobs = [
        Job(str(scenario_folder(paths) / name), str(out / name), name in tried, settings.luck_seed, settings.budget_replays)
        for name, _ in rows
    ]
    found = [one for one in map_in_processes(_tune, jobs) if one]
    chosen = {rule.name: _best(rule, found) for rule in RULES}
    write_record(
        out / "tuned.json",
        TunedFloors,
        {
            "luck_seed": settings.luck_seed,
            "budget_replays": settings.budget_replays,
            "scenarios": tried,
            "rules": {name: dict(rule.grid[index]) for (name, index), rule in zip(chosen.items(), RULES, strict=True)},
        },
    )
    write_rows(operational_reports(paths) / "search.csv", SEARCH_COLUMNS, _rows(found, chosen, settings.luck_seed))
    runs = sum(len(points) for one in found for points in one.values())
    return f"{len(rows)} scenarios, {runs} runs of {len(RULES)} floor rules in {len(tried)} of them"


def read_scenarios(paths: Paths) -> ScenarioList:
    """The judged scenarios."""
    return read_record(scenario_folder(paths) / "scenarios.json", ScenarioList)


def _tune(job: Job) -> Tried:
    """Learn what is known of one scenario; try the rules if it is one of those."""
    scenario = load_scenario(job.folder, until="valid")
    known, _ = learn_known(scenario, Path(job.folder), job.luck_seed)
    save_known(known, Path(job.out))
    if not job.is_tried:
        return {}
    home = _valid_usd(scenario, Stay(), job.luck_seed)
    found: Tried = {}
    for rule in RULES:
        found[rule.name] = []
        for parameters in rule.grid[: job.budget]:
            usd = _valid_usd(scenario, rule.build(known, parameters), job.luck_seed)
            found[rule.name].append(100 * usd / home)
    return found


def _valid_usd(scenario: Scenario, policy: Policy, seed: int) -> float:
    fleet = play(scenario, policy, seed, "valid", bucket_us=scenario.world.tactical_us)
    return float(objective_usd(fleet.out.sum(axis=(0, 1)), scenario.objective))


def _best(rule: FloorRule, found: list[Tried]) -> int:
    """The point with the lowest mean objective in % of home; the first of equal ones."""
    return int(np.mean([one[rule.name] for one in found], axis=0).argmin())


def _rows(found: list[Tried], chosen: dict[str, int], seed: int) -> list[tuple[object, ...]]:
    """Rows of `search.csv`."""
    rows: list[tuple[object, ...]] = []
    for rule in RULES:
        for point in range(len(found[0][rule.name])):
            scores = matrix([one[rule.name][point] for one in found])
            error = float(scores.std(ddof=1) / np.sqrt(scores.size)) if scores.size > 1 else ""
            text = json.dumps(dict(rule.grid[point]), sort_keys=True)
            rows.append((LAYER, rule.name, point, text, seed, round(float(scores.mean()), 6), error, chosen[rule.name] == point))
    return rows
