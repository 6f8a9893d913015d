"""Stage `learn_planner`: replays of the past at all placements, and what the planner learns from them. Not here: learning, the planner.

Per scenario: the replays of the train and valid spans, which every learner may read, and their sums over the train span, which is what
rules learn from; what is known at the end of the train span, for what
is tuned on the valid span; what is known at the end of the valid span, for what is judged. The forecast of congestion is fitted on the
train span. Of a training fleet, only the train span is there; calls of the first one stand for apps without a history. Nothing here sees
the test span.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from core.errors import ParameterError
from models.baselines.planning.curve import typical_calls
from models.baselines.planning.learned import learn
from models.baselines.planning.rows import rows_of
from simulator.control.counterfactual import replay_table
from simulator.scenario import load_scenario
from tasks.core.drafts import folder_draft
from tasks.core.parallel import map_in_processes
from tasks.learning.learn_planner_outputs import TYPICAL, planner_folder, save_arrays, save_total
from tasks.world.scenario_outputs import scenario_folder, training_folder
from tasks.world.worlds import worlds_of

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.control.spans import Span
    from tasks.core.params import Params
    from tasks.core.paths import Paths


class Job(NamedTuple):
    """One world: where its scenarios are, where to write, their names, and whether it is a training fleet."""

    source: Path
    target: Path
    names: list[str]
    is_training: bool


def run(params: Params, paths: Paths) -> str:
    """Write `data/models/baselines/planner/`; return the summary line.

    Raises:
        ParameterError: there is no training fleet.
    """
    judged, training = scenario_folder(paths), training_folder(paths)
    fleets = worlds_of(training)
    if not fleets:
        how = "name a seed and a family: calls of their first fleet stand for apps without a history"
        raise ParameterError("there is no training fleet", where="params.yaml: scenario.training", how=how)
    with folder_draft(planner_folder(paths)) as target:
        jobs = [Job(judged, target, names, False) for names in worlds_of(judged)]
        jobs += [Job(training, target, names, True) for names in fleets]
        found = map_in_processes(_learn, jobs, "worlds")
        fleet = load_scenario(training / fleets[0][0], until="train")
        save_arrays(typical_calls(fleet), target / TYPICAL)
    return f"{sum(len(job.names) for job in jobs)} scenarios of {len(jobs)} worlds, {sum(found)} replayed intervals of apps with calls"


def _spans(job: Job) -> tuple[Span, ...]:
    return ("train",) if job.is_training else ("train", "valid")


def _learn(job: Job) -> int:
    """Replay one world and learn; its scenarios share everything. Return the rows."""
    first = job.source / job.names[0]
    scenario = load_scenario(first, until="train") if job.is_training else load_scenario(first, until="valid")
    train, valid, _ = scenario.split_steps
    tables = [replay_table(scenario, span) for span in _spans(job)]
    rows = rows_of(tables)
    before_valid = learn(scenario, rows, train)
    for name in job.names:
        save_arrays(rows, job.target / name / "rows")
        save_arrays(before_valid, job.target / name / "before_valid")
    if not job.is_training:
        before_test = learn(scenario, rows, valid, before_valid.congestion)
        for name in job.names:
            save_arrays(before_test, job.target / name / "before_test")
            save_total(tables[0].total, job.target / name)
    return len(rows.app)
