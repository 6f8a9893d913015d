"""What the stages `evaluate_<group>` share: which worlds are judged on which luck, and the files of a group. Not here: any arm, judging."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from tasks.core.parallel import map_in_processes
from tasks.core.records import Record, write_record
from tasks.evaluation.arms.table import Arm, arm_named, described
from tasks.evaluation.evaluate_outputs import facts_file, rows_file
from tasks.evaluation.evaluate_settings import EvaluateSettings
from tasks.learning.tune_baselines_outputs import baselines_folder
from tasks.world.scenario_outputs import scenario_folder
from tasks.world.worlds import worlds_of

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.params import Params
    from tasks.core.paths import Paths

KEYS = ["arm", "seed", "scenario", "app_id", "hour"]


class Job(NamedTuple):
    """One world on one luck: folders of the scenarios and of the baselines, names of the world's scenarios, seed of the luck."""

    scenarios: Path
    baselines: Path
    names: list[str]
    seed: int


Found = list[tuple[pl.DataFrame, dict[str, Any]]]  # by scenario: rows, facts


def jobs_of(params: Params, paths: Paths) -> list[Job]:
    """Return every world on every luck."""
    seeds = params.section("evaluate", EvaluateSettings).seeds
    scenarios, baselines = scenario_folder(paths), baselines_folder(paths)
    return [Job(scenarios, baselines, names, seed) for names in worlds_of(scenarios) for seed in seeds]


def judge_group(
    group: str, arms: Sequence[Arm], kind: type[Record], work: Callable[[Any], Found], jobs: Sequence[Any], paths: Paths
) -> str:
    """Do the work of every job in processes, write `data/evaluation/<group>.parquet` and `.json` (a `kind`); return the summary line.

    Raises:
        ParameterError: a row is of an arm that the table of the group does not have.
    """
    found = [one for world in map_in_processes(work, jobs, "worlds") for one in world]
    rows = pl.concat([frame for frame, _ in found]).sort(KEYS)
    for name in rows["arm"].unique().sort().to_list():
        arm_named(arms, name)
    rows_file(paths, group).parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(rows_file(paths, group), compression="zstd", statistics=False)
    facts = sorted((facts for _, facts in found), key=lambda f: (f["scenario"], f["seed"]))
    write_record(facts_file(paths, group), kind, {"arms": described(arms), "scenarios": facts})
    return f"{rows.height} rows of {rows['arm'].n_unique()} arms in {rows['scenario'].n_unique()} scenarios"


def frame_of(rows: dict[str, Any]) -> pl.DataFrame:
    """Return the judge's columns as a frame; the histogram becomes a list column."""
    columns = {name: values for name, values in rows.items() if name != "latency_histogram"}
    histogram = pl.Series("latency_histogram", rows["latency_histogram"].tolist(), dtype=pl.List(pl.Int32))
    return pl.DataFrame(columns).with_columns(histogram)
