"""Stage `evaluate_baselines`: the rules in every scenario, as rows by (arm, seed, scenario, app, hour). Not here: the arms, comparing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from models.tactical.rush_head import load
from models.training import device_of
from simulator.control.counterfactual import replay_table
from simulator.control.judge import evaluate
from simulator.control.view import Facts
from simulator.scenario import load_scenario
from tasks.core.records import read_record
from tasks.evaluation.arms.baselines import ARMS, Judged
from tasks.evaluation.arms.tuned import Known
from tasks.evaluation.evaluation_record import EvaluatedBaselines
from tasks.evaluation.rows import Found, Job, frame_of, jobs_of, judge_group
from tasks.learning.baselines_record import ChosenBaselines
from tasks.learning.knowledge_files import load_knowledge
from tasks.learning.learn_planner_outputs import load_learned, load_typical
from tasks.learning.train_rush_head_outputs import WEIGHTS, rush_head_folder
from tasks.learning.tune_baselines_outputs import knowledge_folder

if TYPE_CHECKING:
    from pathlib import Path

    from models.tactical.rush_head import RushHead
    from simulator.scenario import Scenario
    from tasks.core.params import Params
    from tasks.core.paths import Paths

GROUP = "baselines"


class BaselinesJob(NamedTuple):
    """One world on one luck, and the weights of the rush head."""

    job: Job
    weights: Path


def run(params: Params, paths: Paths) -> str:
    """Write the rows and facts of the group; return the summary line."""
    weights = rush_head_folder(paths) / WEIGHTS
    return judge_group(GROUP, ARMS, EvaluatedBaselines, _judge, [BaselinesJob(job, weights) for job in jobs_of(params, paths)], paths)


def policies(scenario: Scenario, chosen: ChosenBaselines, folder: Path, head: RushHead, seed: int) -> list[Any]:
    """Return the tuned baselines of a scenario, in the order of the table.

    Args:
        scenario: the world.
        chosen: content of chosen.json.
        folder: `data/models/baselines`.
        head: trained network that sees bursts coming.
        seed: of the luck, and of the random arm.
    """
    index = {zone: p for p, zone in enumerate(scenario.tables.zones)}
    learned = load_learned(folder / "planner" / scenario.id, "test")
    world = Judged(
        known=Known(Facts.of(scenario), load_knowledge(knowledge_folder(folder, scenario.id)), learned),
        head=head,
        typical=load_typical(folder / "planner"),
        seed=seed,
        placements={
            name: np.array([index[placed[app]] for app in scenario.apps.app_ids], dtype=np.int64)
            for name, placed in chosen.placements[scenario.id].items()
        },
        parameters={rule: entry.parameters for rule, entry in chosen.rules[scenario.family].items()},
    )
    return [arm.build(world) for arm in ARMS]


def _judge(piece: BaselinesJob) -> Found:
    """Judge the rules in the scenarios of one world; they share the replays."""
    job, head = piece.job, load(piece.weights)
    device_of("cpu")  # one thread, and the same bytes every time
    chosen, found = read_record(job.baselines / "chosen.json", ChosenBaselines), []
    replays = replay_table(load_scenario(job.scenarios / job.names[0]), "test")
    for name in job.names:
        scenario = load_scenario(job.scenarios / name)
        arms = policies(scenario, chosen, job.baselines, head, job.seed)
        rows = pl.concat([frame_of(evaluate(scenario, arm, job.seed, replays=replays)) for arm in arms])
        found.append((rows, {"scenario": name, "seed": job.seed}))
    return found
