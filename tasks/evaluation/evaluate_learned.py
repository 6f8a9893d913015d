"""Stage `evaluate_learned`: networks in every scenario, as rows by (arm, seed, scenario, app, hour). Not here: the arms, comparing.

All arms are judged on the first luck of `evaluate.seeds`. Where an arm has training seeds, `seed` of its rows is the training seed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
from pydantic import Field

from simulator.control.judge import evaluate
from simulator.parameters import Section
from simulator.scenario import load_scenario
from tasks.core.records import read_record, write_record
from tasks.evaluation.arms.learned import ARMS
from tasks.evaluation.arms.world import World
from tasks.evaluation.evaluate_outputs import policy_file
from tasks.evaluation.evaluate_settings import EvaluateSettings
from tasks.evaluation.evaluation_record import EvaluatedLearned
from tasks.evaluation.policy_record import ShownPolicies
from tasks.evaluation.rows import Found, frame_of, judge_group
from tasks.evaluation.shown_policies import shown_policies
from tasks.world.scenario_outputs import scenario_folder
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

GROUP = "learned"
SHOWN = ("candidates", "candidates_ppo", "ppo_specified", "strategic_tactical")  # arms whose decisions the page shows


class Settings(Section):
    """The section `evaluate_learned`."""

    full_in: tuple[str, ...] = Field(description="families in which arms that decide every step are judged")


class Job(NamedTuple):
    """One scenario: folders of the scenarios and of all models, its name, seed of the luck, families of arms that decide every step."""

    scenarios: Path
    models: Path
    name: str
    seed: int
    full_in: tuple[str, ...]


def run(params: Params, paths: Paths) -> str:
    """Write the rows and facts of the group, and what policies do in the first scenario; return the summary line."""
    seed, full_in = params.section("evaluate", EvaluateSettings).seeds[0], params.section("evaluate_learned", Settings).full_in
    names = [row.id for row in read_record(scenario_folder(paths) / "scenarios.json", ScenarioList).scenarios]
    folders = scenario_folder(paths), paths.root / "data" / "models"
    first = load_scenario(scenario_folder(paths) / names[0])
    world = World.of(first, paths.root / "data" / "models", seed)
    shown = {arm.name: arm.build(world) for arm in ARMS if arm.name in SHOWN}
    policies = {name: by_seed[min(by_seed)] for name, by_seed in shown.items()}
    write_record(policy_file(paths), ShownPolicies, shown_policies(first, policies, world.known.learned, seed))
    return judge_group(GROUP, ARMS, EvaluatedLearned, _judge, [Job(*folders, name, seed, full_in) for name in names], paths)


def _judge(job: Job) -> Found:
    """Judge the arms of its family in one scenario, one training seed after the other."""
    scenario = load_scenario(job.scenarios / job.name)
    world, frames = World.of(scenario, job.models, job.seed), []
    for arm in (arm for arm in ARMS if not arm.has_steps or scenario.family in job.full_in):
        for seed, policy in arm.build(world).items():
            frame = frame_of(evaluate(scenario, policy, job.seed))
            frames.append(frame.with_columns(pl.lit(seed, dtype=pl.Int64).alias("seed")))
    return [(pl.concat(frames), {"scenario": job.name, "seed": job.seed})]
