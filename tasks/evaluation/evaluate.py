"""Stage `evaluate@baselines|bound`: every arm in every scenario, as rows by (arm, seed, scenario, app, hour). Not here: comparing them.

`bound` computes what every interval would cost at each of the placements, staying or just moved in, finds the best schedule of each app
alone, and throws the table away. The schedule is judged twice: alone (`optimistic_bound`) and coupled; `hindsight` is the cheaper of the
coupled schedule and of static placements coordinated on the test span itself. These start from the cheapest of home, the train span's
best and the test span's best, so that hindsight is never dearer than `home` or `best_static`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from core.units import HOUR_US
from models.baselines import rules
from models.baselines.coordination import coordinated_static
from models.baselines.programme import best_schedule, best_static
from models.baselines.rules import Fixed, Scheduled
from models.baselines.tables import move_cost_usd, objective_table
from simulator.control.judge import evaluate, rows_of, span_steps
from simulator.control.judge import run as play
from simulator.control.view import Facts
from simulator.objective import objective_usd
from simulator.scenario import load_scenario
from tasks.core.parallel import map_in_processes
from tasks.core.records import read_record, write_record
from tasks.evaluation.baseline_arms import load_knowledge, policies, worlds_of
from tasks.evaluation.evaluation_record import EvaluatedBaselines, EvaluatedBound
from tasks.learning.baselines_record import ChosenBaselines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.baselines.knowledge import Knowledge
    from simulator.fleet import Fleet
    from simulator.scenario import Scenario
    from tasks.core.params import Params
    from tasks.core.paths import Paths

# Labels and inks as the page shows them, in the order of its tables.
ARMS = {
    "baselines": [
        {"name": name, "label": label, "ink": ink, "is_causal": True}
        for name, label, ink in (
            ("random", "Random, one draw", "random"),
            ("home", "Home", "home"),
            ("greedy_locality", "Nearest region", "home"),
            ("greedy_cold_start", "Fewest cold starts", "home"),
            ("greedy_objective", "Greedy, no hysteresis", "home"),
            ("greedy_hysteresis", "Greedy with hysteresis", "home"),
            ("best_static", "Best static (train)", "static"),
            ("coordinated_static", "Coordinated static", "home"),
            ("persistence", "Persistence rule", "home"),
        )
    ],
    "bound": [
        {"name": "hindsight", "label": "Hindsight (coupled)", "ink": "hindsight", "is_causal": False},
        {"name": "optimistic_bound", "label": "Optimistic bound (alone)", "ink": "bound", "is_causal": False},
    ],
}
KEYS = ["arm", "seed", "scenario", "app_id", "hour"]


def run(params: Params, paths: Paths, group: str) -> str:
    """Write `data/evaluation/<group>.parquet` and `<group>.json` (facts of each scenario); return the summary line."""
    jobs = [
        (str(paths.scenario), str(paths.baselines), names, seed, params.evaluate.hindsight_replays)
        for names in worlds_of(paths.scenario)
        for seed in params.evaluate.seeds
    ]
    found = [one for world in map_in_processes(_baselines if group == "baselines" else _bound, jobs) for one in world]
    rows = pl.concat([frame for frame, _ in found]).sort(KEYS)
    paths.evaluation.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(paths.evaluation / f"{group}.parquet", compression="zstd", statistics=False)
    kind = EvaluatedBaselines if group == "baselines" else EvaluatedBound
    scenarios = sorted((facts for _, facts in found), key=lambda f: (f["scenario"], f["seed"]))
    write_record(paths.evaluation / f"{group}.json", kind, {"arms": ARMS[group], "scenarios": scenarios})
    return f"{rows.height} rows of {rows['arm'].n_unique()} arms in {rows['scenario'].n_unique()} scenarios"


def _baselines(job: tuple[str, str, list[str], int, int]) -> list[tuple[pl.DataFrame, dict[str, Any]]]:
    """Judge the tuned rules in the scenarios of one world."""
    source, folder, names, seed, _ = job
    found = []
    for name in names:
        scenario = load_scenario(Path(source) / name)
        arms = policies(scenario, read_record(Path(folder) / "chosen.json", ChosenBaselines), Path(folder), seed)
        rows = pl.concat([frame_of(evaluate(scenario, arm, seed)) for arm in arms])
        found.append((rows, {"scenario": name, "seed": seed, "arms": [arm.name for arm in arms]}))
    return found


def _bound(job: tuple[str, str, list[str], int, int]) -> list[tuple[pl.DataFrame, dict[str, Any]]]:
    """Find and judge the best schedules in the scenarios of one world; they share the tables."""
    source, folder, names, seed, budget = job
    world = load_scenario(Path(source) / names[0])
    stay, fresh = (objective_table(world, seed, "test", is_fresh=is_fresh) for is_fresh in (False, True))
    knowledge = [load_knowledge(Path(folder) / name) for name in names]
    return [
        _hindsight(load_scenario(Path(source) / name), known, stay, fresh, seed, budget)
        for name, known in zip(names, knowledge, strict=True)
    ]


def _hindsight(
    scenario: Scenario, knowledge: Knowledge, stay: NDArray[np.float64], fresh: NDArray[np.float64], seed: int, budget: int
) -> tuple[pl.DataFrame, dict[str, Any]]:
    hour = span_steps(scenario, "test")[0] * scenario.world.step_us // HOUR_US
    schedule, value = best_schedule(stay, fresh, move_cost_usd(scenario, hour), scenario.is_allowed)
    placement, alone = best_static(stay, scenario.is_allowed)
    starts = [scenario.apps.home, rules.best_static(Facts.of(scenario), knowledge).placement, placement]
    start = min(starts, key=lambda place: _usd(play(scenario, Fixed("start", place), seed), scenario))
    coordinated, coordinated_usd, used = coordinated_static(scenario, seed, "test", start, stay.sum(axis=2).T, budget)
    period = scenario.world.tactical_steps
    optimistic = play(scenario, Scheduled("optimistic_bound", schedule, period), seed, is_coupled=False, has_histogram=True)
    coupled = play(scenario, Scheduled("hindsight", schedule, period), seed, has_histogram=True)
    coupled_usd = _usd(coupled, scenario)
    is_programme = coupled_usd <= coordinated_usd
    if not is_programme:
        coupled = play(scenario, Fixed("hindsight", coordinated), seed, has_histogram=True)
    rows = [frame_of(rows_of(optimistic, "optimistic_bound", seed)), frame_of(rows_of(coupled, "hindsight", seed))]
    return pl.concat(rows), {
        "scenario": scenario.id,
        "seed": seed,
        "programme_usd": round(float(value.sum()), 9),
        "static_alone_usd": round(float(alone.sum()), 9),
        "programme_coupled_usd": round(coupled_usd, 9),
        "coordinated_usd": round(coordinated_usd, 9),
        "coordinated_replays": len(starts) + used,
        "hindsight_is": "programme" if is_programme else "coordinated",
        "moves": int((np.diff(schedule, axis=0) != 0).sum()),
    }


def _usd(fleet: Fleet, scenario: Scenario) -> float:
    return float(objective_usd(fleet.out.sum(axis=(0, 1)), scenario.objective))


def frame_of(rows: dict[str, Any]) -> pl.DataFrame:
    """Return the judge's columns as a frame; the histogram becomes a list column."""
    columns = {name: values for name, values in rows.items() if name != "latency_histogram"}
    histogram = pl.Series("latency_histogram", rows["latency_histogram"].tolist(), dtype=pl.List(pl.Int32))
    return pl.DataFrame(columns).with_columns(histogram)
