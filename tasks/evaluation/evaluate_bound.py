"""Stage `evaluate_bound`: what foresight could do in every scenario, as rows by (arm, seed, scenario, app, hour). Not here: comparing.

It computes what every interval would cost at each of the placements, for an app that stays and for one that has just moved in, finds the
best schedule of each app alone, and throws the table away. The schedule is judged twice: alone (`optimistic_bound`) and coupled;
`hindsight` is the cheapest of three that know the test span, each judged coupled: that schedule, schedules in which the apps take turns and
leave room for each other, and coordinated static placements. The latter start from the cheapest of home, the train span's best and the test
span's best, so that hindsight never costs more than `home` or `best_static`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from core.units import HOUR_US
from models.baselines import rules
from models.baselines.coordination import coordinated_schedule, coordinated_static, demand
from models.baselines.knowledge import move_cost_usd
from models.baselines.programme import best_schedule, best_static_with_foresight
from models.baselines.rules import Fixed, Scheduled
from simulator.control.counterfactual import objective_table
from simulator.control.judge import rows_of
from simulator.control.loop import run as play
from simulator.control.spans import span_steps
from simulator.control.view import Facts
from simulator.objective import objective_usd
from simulator.parameters import Section
from simulator.scenario import load_scenario
from tasks.evaluation.arms.bound import ARMS, HINDSIGHT, OPTIMISTIC
from tasks.evaluation.evaluation_record import EvaluatedBound
from tasks.evaluation.rows import Found, Job, frame_of, jobs_of, judge_group
from tasks.learning.knowledge_files import load_knowledge
from tasks.learning.tune_baselines_outputs import knowledge_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.baselines.knowledge import Knowledge
    from simulator.control.decision import Policy
    from simulator.fleet import Fleet
    from simulator.scenario import Scenario
    from tasks.core.params import Params
    from tasks.core.paths import Paths

GROUP = "bound"


class Settings(Section):
    """The section `evaluate_bound`."""

    hindsight_replays: int = Field(ge=1, le=100_000, description="coupled replays that coordinate the static placements of hindsight")


class BoundJob(NamedTuple):
    """One world on one luck, and the replays that coordinate hindsight's placements."""

    job: Job
    budget: int


def run(params: Params, paths: Paths) -> str:
    """Write the rows and facts of the group; return the summary line."""
    budget = params.section("evaluate_bound", Settings).hindsight_replays
    return judge_group(GROUP, ARMS, EvaluatedBound, _judge, [BoundJob(job, budget) for job in jobs_of(params, paths)], paths)


def _judge(piece: BoundJob) -> Found:
    """Find and judge the best schedules in the scenarios of one world; they share the tables."""
    job = piece.job
    world = load_scenario(job.scenarios / job.names[0])
    stay, fresh = (objective_table(world, job.seed, "test", is_fresh=is_fresh) for is_fresh in (False, True))
    found = []
    for name in job.names:
        scenario, knowledge = load_scenario(job.scenarios / name), load_knowledge(knowledge_folder(job.baselines, name))
        found.append(_hindsight(scenario, knowledge, stay, fresh, job.seed, piece.budget))
    return found


def _hindsight(
    scenario: Scenario, knowledge: Knowledge, stay: NDArray[np.float64], fresh: NDArray[np.float64], seed: int, budget: int
) -> tuple[pl.DataFrame, dict[str, Any]]:
    hour = span_steps(scenario, "test")[0] * scenario.world.step_us // HOUR_US
    move_usd = move_cost_usd(scenario, hour)
    schedule, value = best_schedule(stay, fresh, move_usd, scenario.is_allowed)
    placement, alone = best_static_with_foresight(stay, scenario.is_allowed)
    starts = [scenario.apps.home, rules.best_static(Facts.of(scenario), knowledge).placement, placement]
    start = min(starts, key=lambda place: _usd(play(scenario, Fixed("start", place), seed), scenario))
    coordinated, _, used = coordinated_static(scenario, seed, "test", start, stay.sum(axis=2).T, budget)
    period = scenario.world.tactical_steps
    together = coordinated_schedule(stay, fresh, move_usd, scenario.is_allowed, schedule, demand(scenario, "test"))
    optimistic = play(scenario, Scheduled(OPTIMISTIC, schedule, period), seed, is_coupled=False, has_histogram=True)
    candidates: dict[str, Policy] = {  # at equal cost, the first
        "programme": Scheduled(HINDSIGHT, schedule, period),
        "coordinated_programme": Scheduled(HINDSIGHT, together, period),
        "coordinated_static": Fixed(HINDSIGHT, coordinated),
    }
    judged = {name: play(scenario, policy, seed, has_histogram=True) for name, policy in candidates.items()}
    usd = {name: _usd(fleet, scenario) for name, fleet in judged.items()}
    best = min(usd, key=lambda name: usd[name])
    rows = [frame_of(rows_of(optimistic, OPTIMISTIC, seed)), frame_of(rows_of(judged[best], HINDSIGHT, seed))]
    return pl.concat(rows), {
        "scenario": scenario.id,
        "seed": seed,
        "programme_usd": round(float(value.sum()), 9),
        "static_alone_usd": round(float(alone.sum()), 9),
        "programme_coupled_usd": round(usd["programme"], 9),
        "coordinated_programme_usd": round(usd["coordinated_programme"], 9),
        "coordinated_static_usd": round(usd["coordinated_static"], 9),
        "coordinated_replays": len(starts) + used,
        "hindsight_is": best,
        "moves": int((np.diff(schedule, axis=0) != 0).sum()),
    }


def _usd(fleet: Fleet, scenario: Scenario) -> float:
    return float(objective_usd(fleet.out.sum(axis=(0, 1)), scenario.objective))
