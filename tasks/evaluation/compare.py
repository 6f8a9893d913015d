"""Stage `compare`: rows of the evaluation become the tables of the landscape. Not here: judging, plotting, words.

`reports/<layer>/`: what the arms of each layer cost and close (layers.py).

`landscape.csv`: totals by (arm, scenario), means over the seeds. `classes.csv`: by class of app, too. `without_five.csv`: without the five
apps that cost most at home. `landscape.json`: the headline figures with their intervals; the unit of replication is seed x scenario. A
share is of `home` in the same scenario; what closes a gap is a ratio of means of such shares. Names, labels and inks of the arms are those
of the evaluation's JSON, and their order is that of the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from core.errors import DamagedFileError, ScenarioError
from models import statistics
from simulator.fleet import LATENCY_EDGES_US
from simulator.objective import COMPONENTS
from simulator.scenario import load_scenario
from tasks.core.files import write_text_atomic
from tasks.core.records import read_record, write_record
from tasks.evaluation.compare_outputs import landscape_folder
from tasks.evaluation.evaluate_outputs import facts_file, rows_file
from tasks.evaluation.evaluation_record import ArmRow, EvaluatedAblation, EvaluatedBaselines, EvaluatedBound, EvaluatedLearned
from tasks.evaluation.headline import FIELDS, FIVE, by_class, gap_by_app, priced, summary
from tasks.evaluation.landscape_record import Landscape
from tasks.evaluation.layers import publish_layers
from tasks.world.scenario_outputs import scenario_folder
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from simulator.parameters import Objective
    from tasks.core.params import Params
    from tasks.core.paths import Paths

GROUPS = ("baselines", "bound")
NETWORKS: dict[str, type[EvaluatedLearned | EvaluatedAblation]] = {"learned": EvaluatedLearned, "ablation": EvaluatedAblation}
STAYS = ("random", "home", "best_static", "coordinated_static")  # baselines that place each app once; the others are rules, which may move
LEARNED = ("rush_head",)  # a network, no rule
QUANTILES = (0.5, 0.95, 0.99)
COUNTS = ("calls", "served", "rejected", "cold_starts", "misses", "moves")


@dataclass(frozen=True)
class Arms:
    """The arms of the evaluation, in the order of the tables.

    Args:
        rows: name, label, ink and whether it is causal.
        rules: names of the causal arms that may move an app.
    """

    rows: tuple[ArmRow, ...]
    rules: tuple[str, ...]

    @classmethod
    def of(cls, baselines: tuple[ArmRow, ...], with_foresight: tuple[ArmRow, ...]) -> Arms:
        """Return the arms of both groups; the rules are baselines."""
        return cls((*baselines, *with_foresight), tuple(arm.name for arm in baselines if arm.is_causal and arm.name not in STAYS + LEARNED))

    @property
    def order(self) -> dict[str, int]:
        """Place of each arm in the tables."""
        return {arm.name: i for i, arm in enumerate(self.rows)}


def run(params: Params, paths: Paths) -> str:
    """Write the tables below `reports/world/`; return the summary line.

    Raises:
        DamagedFileError: the rows hold an arm that no table of arms lists.
    """
    rows = pl.concat([pl.read_parquet(rows_file(paths, group)) for group in GROUPS])
    baselines = read_record(facts_file(paths, "baselines"), EvaluatedBaselines)
    with_foresight = read_record(facts_file(paths, "bound"), EvaluatedBound)
    scenarios = sorted(rows["scenario"].unique().to_list())
    objective = _objective(paths, scenarios)
    classes = pl.read_parquet(scenario_folder(paths) / "apps.parquet").select("scenario", "app_id", pl.col("rate_class").alias("class"))
    origins = {row.id: row.origin for row in read_record(scenario_folder(paths) / "scenarios.json", ScenarioList).scenarios}
    rows = rows.join(classes, on=["scenario", "app_id"], how="left")
    landscape = publish(
        rows, Arms.of(baselines.arms, with_foresight.arms), [facts.row() for facts in with_foresight.scenarios], origins, objective, paths
    )
    layers = _layers(rows.drop("class"), (*baselines.arms, *with_foresight.arms), objective, paths)
    said = f", layers {', '.join(layers)}" if layers else ""
    return f"{landscape.height} rows of {landscape['arm'].n_unique()} arms in {len(scenarios)} scenarios{said}"


def _layers(rows: pl.DataFrame, arms: tuple[ArmRow, ...], objective: Objective, paths: Paths) -> list[str]:
    """Write the files of the layers, and return those that have arms; without models, only rules are compared."""
    for group, kind in NETWORKS.items():
        if rows_file(paths, group).is_file():
            rows = pl.concat([rows, pl.read_parquet(rows_file(paths, group))])
            arms = (*arms, *read_record(facts_file(paths, group), kind).arms)
    whole, smaller = with_largest(rows, objective)
    return publish_layers(whole, smaller, arms, objective, paths)


def _objective(paths: Paths, scenarios: list[str]) -> Objective:
    """The objective of the scenarios, which must be the same in all."""
    found = {load_scenario(scenario_folder(paths) / name).objective for name in scenarios}
    if len(found) != 1:
        where, how = str(scenario_folder(paths)), "build them again: dvc repro --force scenario"
        raise ScenarioError("the scenarios have different objectives", where=where, how=how)
    return found.pop()


def publish(
    rows: pl.DataFrame, arms: Arms, bounds: list[dict[str, Any]], origins: dict[str, str], objective: Objective, paths: Paths
) -> pl.DataFrame:
    """Write the tables and the headline figures, and return the landscape.

    Args:
        rows: of the evaluation, with the `class` of the app.
        arms: of the evaluation.
        bounds: facts of the optimistic bound and of hindsight by scenario, kept as they are.
        origins: where the calls of each scenario come from (`from` of scenarios.json), kept as they are.
        objective: prices of the sums.
        paths: of the working tree.

    Raises:
        DamagedFileError: the rows hold an arm that `arms` does not list.
    """
    unknown = sorted(set(rows["arm"].unique().to_list()) - set(arms.order))
    if unknown:
        how = "add it to tasks/evaluation/arms, or write the rows again: dvc repro --force " + " ".join(f"evaluate_{g}" for g in GROUPS)
        raise DamagedFileError(f"unknown arm '{unknown[0]}'", where=str(rows_file(paths, GROUPS[0]).parent), how=how)
    rows, smaller = with_largest(rows, objective)
    landscape = _summed(rows, ["arm", "scenario", "family"], arms, objective)
    landscape_folder(paths).mkdir(parents=True, exist_ok=True)
    _write(paths, "landscape", landscape)
    _write(paths, "classes", _summed(rows, ["arm", "scenario", "family", "class"], arms, objective))
    _write(paths, "without_five", _summed(smaller, ["arm", "scenario", "family"], arms, objective))
    families = landscape["family"].unique().sort().to_list()
    headline = {}
    for family in families:
        own = rows.filter(pl.col("family") == family)
        found = summary(own, arms.rules, objective)
        headline[family] = found | {"classes": by_class(own, objective, found), "gap_by_app": gap_by_app(own, objective)}
    without = {family: summary(smaller.filter(pl.col("family") == family), arms.rules, objective) for family in families}
    found = {"families": headline, "without_five": without, "scenarios": bounds, "from": origins, "arms": [arm.row() for arm in arms.rows]}
    write_record(landscape_folder(paths) / "landscape.json", Landscape, found)
    return landscape


def with_largest(rows: pl.DataFrame, objective: Objective) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows with the number of `seeds` of their arm and scenario, and those without the five apps that cost most at home."""
    seeds = rows.group_by("arm", "scenario").agg(pl.col("seed").n_unique().alias("seeds"))
    rows = rows.join(seeds, on=["arm", "scenario"], how="left")
    at_home = rows.filter(pl.col("arm") == "home").group_by("scenario", "app_id").agg(*(pl.col(name).sum() for name in FIELDS))
    largest = (
        priced(at_home, objective)
        .sort("scenario", "total_usd", "app_id", descending=[False, True, False])
        .group_by("scenario", maintain_order=True)
        .head(FIVE)
        .select("scenario", "app_id")
    )
    return rows, rows.join(largest, on=["scenario", "app_id"], how="anti", maintain_order="left")


def _summed(rows: pl.DataFrame, keys: list[str], arms: Arms, objective: Objective) -> pl.DataFrame:
    """Sum rows by `keys` and price the sums, with shares, latency quantiles and the share of intervals in which capacity was binding.

    Money, carbon and counts are of one test span: means over the seeds. Quantiles and shares pool the seeds. Whole numbers are summed, then
    priced, then divided, so that no order of rows or threads shows. Sorted by arm, scenario.
    """
    order = pl.col("arm").replace_strict(arms.order, return_dtype=pl.Int64).alias("_order")
    bins = pl.col("latency_histogram").list.to_array(len(LATENCY_EDGES_US) + 1).alias("_bins")
    sums = (pl.col(name).sum() for name in (*FIELDS, "intervals", "binding_intervals"))
    out = rows.group_by(keys).agg(*sums, pl.col("seeds").first(), bins)
    out = out.with_columns(order).sort("_order", *keys[1:])
    counted = np.stack([np.sum(np.array(x.to_list(), dtype=np.int64), axis=0) for x in out["_bins"]])
    found = statistics.histogram_quantiles(counted, LATENCY_EDGES_US, QUANTILES) / 1e6
    latency = [pl.Series(f"latency_p{round(100 * q)}_s", found[:, i]) for i, q in enumerate(QUANTILES)]
    money = priced(out, objective)
    return money.select(
        *keys,
        *(pl.col(name) / pl.col("seeds") for name in ("total_usd", *(f"{name}_usd" for name in COMPONENTS))),
        *(_mean_count(money, name) for name in COUNTS),
        (pl.col("carbon_ng") / 1e12 / pl.col("seeds")).alias("carbon_kg"),
        (pl.col("excess_us") / pl.col("calls") / 1e6).alias("excess_s_per_call"),
        (pl.col("binding_intervals") / pl.col("intervals")).alias("binding_share"),
        *latency,
    )


def _mean_count(sums: pl.DataFrame, name: str) -> pl.Expr:
    """Mean over the seeds; a column whose means are all whole holds whole numbers."""
    is_whole = bool((sums[name] % sums["seeds"] == 0).all())
    return pl.col(name) // pl.col("seeds") if is_whole else pl.col(name) / pl.col("seeds")


def _write(paths: Paths, name: str, table: pl.DataFrame) -> None:
    floats = [pl.col(column).round(9) for column, kind in table.schema.items() if kind.is_float()]
    write_text_atomic(landscape_folder(paths) / f"{name}.csv", table.with_columns(floats).write_csv())
