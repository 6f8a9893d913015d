"""Stage `evaluate_newcomers`: what arms do for apps that come without a history. Not here: arms of apps with one (evaluate_*.py).

In every scenario, a part of the apps by a hash of their ids has made no call before the test span: views, replays and everything that is
learned are without them. They follow the leader of replays of their own calls, from home or from where the rest of the fleet suggests; the
others follow the planner, or the network that corrects it. Rows are sums over the apps without a history; home, hindsight and arms that do
know their past are those of the other stages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from models import statistics
from models.baselines.arrivals import StartsAsTheFleet
from models.baselines.newcomers import Beside, FollowTheLeader
from models.baselines.planner import Planner
from models.baselines.planning.costs import Costs
from models.baselines.planning.learned import Learned, learn
from models.training import device_of
from simulator.control.counterfactual import replay_table
from simulator.control.loop import run as play
from simulator.control.view import Facts
from simulator.newcomers import one_in, without_past
from simulator.objective import objective_usd
from simulator.parameters import Section
from simulator.scenario import load_scenario
from tasks.core.files import write_text_atomic
from tasks.core.parallel import map_in_processes
from tasks.core.records import read_record, write_record
from tasks.core.terms import SMALL_GAP
from tasks.evaluation.arms.world import World, candidates_agents
from tasks.evaluation.evaluate_outputs import rows_file
from tasks.evaluation.evaluate_settings import EvaluateSettings
from tasks.evaluation.headline import FIELDS, LEVEL, as_interval, priced
from tasks.evaluation.newcomers_outputs import Newcomers, newcomers_file, newcomers_record
from tasks.learning.learn_planner_outputs import load_learned, load_rows, load_typical, planner_folder
from tasks.world.scenario_outputs import scenario_folder
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.control.decision import Policy
    from simulator.scenario import Scenario
    from tasks.core.params import Params
    from tasks.core.paths import Paths

HOME, HINDSIGHT = "home", "hindsight"
COLUMNS = {"scenario": pl.String, "family": pl.String, "apps": pl.Int64, "arm": pl.String, "total_usd": pl.Float64}
REFERENCES = {"baselines": (HOME, "best_static", "greedy_hysteresis", "follow_the_leader", "planner_response"), "bound": (HINDSIGHT,)}


class Settings(Section):
    """The section `evaluate_newcomers`."""

    one_in: int = Field(ge=1, le=1000, description="one in so many apps, by a hash of its id, has no calls before the test span")
    families: tuple[str, ...] = Field(min_length=1, description="families in which they are judged; those that are not built are left out")


class Job(NamedTuple):
    """One scenario: the working tree, its name, seed of the luck, one in so many apps."""

    paths: Paths
    name: str
    seed: int
    one_in: int


def run(params: Params, paths: Paths) -> str:
    """Write `reports/tactical/newcomers.csv` and `.json`; return the summary line."""
    settings, seed = params.section("evaluate_newcomers", Settings), params.section("evaluate", EvaluateSettings).seeds[0]
    rows = read_record(scenario_folder(paths) / "scenarios.json", ScenarioList).scenarios
    jobs = [Job(paths, row.id, seed, settings.one_in) for row in rows if row.family in settings.families]
    judged = pl.concat(map_in_processes(_judge, jobs, "scenarios"))
    table = judged.sort("family", "scenario", "arm").with_columns(pl.col("total_usd").round(9))
    newcomers_file(paths).parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(newcomers_file(paths), table.write_csv())
    write_record(newcomers_record(paths), Newcomers, {"one_in": settings.one_in, "level": LEVEL, "families": summary(table)})
    return f"{table['arm'].n_unique()} arms in {len(jobs)} scenarios, one in {settings.one_in} apps without a history"


def _judge(job: Job) -> pl.DataFrame:
    """Judge the arms in one scenario, and sum what others cost the same apps; see `newcomers_file`. No row where none of them is called."""
    device_of("cpu")  # one thread, and the same bytes every time
    whole = load_scenario(scenario_folder(job.paths) / job.name)
    is_new = one_in(job.one_in, whole.apps.app_ids)
    if not has_calls(whole, is_new):  # a fleet of one's own may be small
        return pl.DataFrame(schema=COLUMNS)
    scenario = without_past(whole, is_new, whole.split_steps[1])
    replays, found = replay_table(scenario, "test"), _references(job, whole, is_new)
    for policy in policies(job, scenario, is_new):
        fleet = play(scenario, policy, job.seed, replays=replays)
        found[policy.name] = float(objective_usd(fleet.out.sum(axis=1), whole.objective)[is_new].sum())
    keys = {"scenario": job.name, "family": whole.family, "apps": int(is_new.sum())}
    return pl.DataFrame([keys | {"arm": arm, "total_usd": usd} for arm, usd in found.items()])


def has_calls(scenario: Scenario, is_new: NDArray[np.bool_]) -> bool:
    """Whether one of the apps of `is_new` (bool [A]) is called in the test span."""
    _, begin, end = scenario.split_steps
    calls = scenario.calls
    return bool((is_new[calls.group_app] & (calls.group_step >= begin) & (calls.group_step < end)).any())


def policies(job: Job, scenario: Scenario, is_new: NDArray[np.bool_]) -> list[Policy]:
    """The arms; `scenario` is without the past of the apps of `is_new` (bool [A])."""
    facts, models = Facts.of(scenario), job.paths.root / "data" / "models"
    learned, options = learned_without(job.paths, scenario, is_new), World.of(scenario, models, job.seed).planner_options()
    agents = candidates_agents(models)
    known = {
        "planner": Planner(Costs(facts, learned), "planner_response", **options),
        "candidates": agents[min(agents)].policy(facts, learned, **options),
    }
    typical, period = load_typical(planner_folder(job.paths)), scenario.world.tactical_steps
    following = {
        name: Beside(f"newcomers_{name}", policy, FollowTheLeader(facts, typical, period), is_new) for name, policy in known.items()
    }
    informed = Planner(known["planner"].costs, "planner_response", **options)
    return [*following.values(), Beside("newcomers_informed", informed, StartsAsTheFleet(facts, typical, learned, period), is_new)]


def learned_without(paths: Paths, scenario: Scenario, is_new: NDArray[np.bool_]) -> Learned:
    """What the planner learns of the past before the test span if the apps of `is_new` (bool [A]) have none; congestion is no app's."""
    folder = planner_folder(paths) / scenario.id
    forecast = load_learned(folder, "test").congestion
    return learn(scenario, load_rows(folder).of_apps(~is_new), scenario.split_steps[1], forecast)


def _references(job: Job, scenario: Scenario, is_new: NDArray[np.bool_]) -> dict[str, float]:
    """What arms that know the past cost the apps of `is_new` (bool [A]), USD."""
    apps = np.array(scenario.apps.app_ids)[is_new].tolist()
    found: dict[str, float] = {}
    for group, arms in REFERENCES.items():
        rows = pl.scan_parquet(rows_file(job.paths, group)).filter(
            (pl.col("scenario") == job.name) & (pl.col("seed") == job.seed) & pl.col("arm").is_in(arms) & pl.col("app_id").is_in(apps)
        )
        sums = rows.group_by("arm").agg(*(pl.col(name).sum() for name in FIELDS)).collect()
        found |= dict(priced(sums, scenario.objective).select("arm", "total_usd").iter_rows())
    return found


def summary(table: pl.DataFrame) -> dict[str, Any]:
    """By family and arm: the share of the way from home to hindsight, over the apps without a history; intervals are over scenarios."""
    found = {}
    for (family,), rows in table.group_by("family", maintain_order=True):
        usd = {arm: own.sort("scenario")["total_usd"].to_numpy() for (arm,), own in rows.group_by("arm", maintain_order=True)}
        gap = (usd[HOME] - usd[HINDSIGHT]) / usd[HOME]
        is_small = float(gap.mean()) < SMALL_GAP
        closed = {
            arm: None if is_small else as_interval(statistics.ratio_of_means((usd[HOME] - own) / usd[HOME], gap, LEVEL))
            for arm, own in usd.items()
            if arm not in (HOME, HINDSIGHT)
        }
        found[str(family)] = {"gap_share_of_home": as_interval(statistics.bootstrap_mean(gap, LEVEL)), "closed": closed}
    return found
