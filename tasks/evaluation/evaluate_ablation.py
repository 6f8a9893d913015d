"""Stage `evaluate_ablation`: the candidates arm with parts taken away, in some families, as rows. Not here: the arms, comparing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
from pydantic import Field

from models.tactical.weighted import multiplier
from simulator.control.judge import evaluate
from simulator.control.view import Facts
from simulator.parameters import Section
from simulator.scenario import load_scenario
from tasks.core.records import read_record
from tasks.evaluation.arms.ablation import ARMS, Ablated
from tasks.evaluation.arms.world import World
from tasks.evaluation.evaluate_settings import EvaluateSettings
from tasks.evaluation.evaluation_record import EvaluatedAblation
from tasks.evaluation.rows import Found, frame_of, judge_group
from tasks.learning.learn_planner_outputs import load_learned
from tasks.world.scenario_outputs import scenario_folder
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

GROUP = "ablation"


class Settings(Section):
    """The section `evaluate_ablation`."""

    families: tuple[str, ...] = Field(
        min_length=1, description="families in which ablations are judged; those that are not built are left out"
    )
    max_miss_share: float = Field(ge=0, le=1, description="of the arm slo_constraint: share of calls that may miss on the valid span")


class Job(NamedTuple):
    """One scenario: folders of the scenarios and of all models, its name, seed of the luck, limit on misses."""

    scenarios: Path
    models: Path
    name: str
    seed: int
    max_miss_share: float


def run(params: Params, paths: Paths) -> str:
    """Write the rows and facts of the group; return the summary line."""
    settings, seed = params.section("evaluate_ablation", Settings), params.section("evaluate", EvaluateSettings).seeds[0]
    rows = read_record(scenario_folder(paths) / "scenarios.json", ScenarioList).scenarios
    folders = scenario_folder(paths), paths.root / "data" / "models"
    jobs = [Job(*folders, row.id, seed, settings.max_miss_share) for row in rows if row.family in settings.families]
    return judge_group(GROUP, ARMS, EvaluatedAblation, _judge, jobs, paths)


def _judge(job: Job) -> Found:
    """Judge all arms in one scenario; the multiplier of the SLO comes from its valid span."""
    scenario = load_scenario(job.scenarios / job.name)
    world = World.of(scenario, job.models, job.seed)
    plain = Ablated.of(world, 1.0)
    past = load_scenario(job.scenarios / job.name, until="valid")
    facts, options = Facts.of(past), world.planner_options()
    learned = load_learned(job.models / "baselines" / "planner" / job.name, "valid")
    found, share = multiplier(past, learned, lambda priced: plain.agent.policy(facts, priced, **options), job.max_miss_share, job.seed)
    ablated = Ablated(world, plain.agent, found)
    rows = pl.concat([frame_of(evaluate(scenario, arm.build(ablated), job.seed)) for arm in ARMS])
    facts_found = {"scenario": job.name, "seed": job.seed, "multiplier": found, "valid_miss_share": round(share, 9)}
    return [(rows, facts_found)]
