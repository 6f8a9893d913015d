"""Stage `evaluate_operational`: forecasts and floors on the test span, every app at home. Not here: the arms, other layers.

Single steps are expensive, so only the scenarios that the settings name are judged. `reports/operational/evaluation_results.csv` has one
row per (arm, class, target): errors of the forecast, and (target `money`) what the arm costs in per cent of reactive scaling, all
scenarios together, with a bootstrap interval over them, by class of app and by cloud of its home.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field as Described

from models.statistics import ratio_of_means
from simulator.control.home_run import load_home_run
from simulator.control.judge import evaluate
from simulator.fleet import Field
from simulator.parameters import Section, Seed
from simulator.scenario import load_scenario
from tasks.core.files import write_text_atomic
from tasks.core.parallel import map_in_processes
from tasks.core.records import read_record
from tasks.evaluation.arms.operational import ARMS, REACTIVE, Judged, network
from tasks.evaluation.evaluate_outputs import rows_file
from tasks.evaluation.headline import FIELDS, priced
from tasks.evaluation.operational_forecasts import errors, recorded_run
from tasks.evaluation.rows import frame_of
from tasks.learning.operational_known import load_known
from tasks.learning.operational_outputs import LAYER, operational_reports
from tasks.learning.tune_operational_record import TunedFloors
from tasks.world.scenario_outputs import scenario_folder
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from simulator.scenario import Scenario
    from tasks.core.params import Params
    from tasks.core.paths import Paths

COLUMNS = (
    *("arm", "app_class", "target", "rmse", "mae", "mase", "pinball", "objective_pct_of_reactive", "ci_low", "ci_high"),
    *("cold_start_rate", "sla_rate", "floor_usd"),
)
MARGIN_WINDOWS = 4000


class EvaluateOperational(Section):
    """The section `evaluate_operational`: where the arms are judged."""

    luck_seed: Seed = Described(description="luck on the test span, the same for every arm")
    families: tuple[str, ...] = Described(min_length=1, description="families that are judged")
    scenarios: int = Described(ge=1, le=1000, description="of each family, the first ones")
    forecast_steps: int = Described(ge=1, le=10_000, description="steps between the windows on which forecasts are compared")


class Job(NamedTuple):
    """One scenario, the folders, luck, and steps between windows."""

    scenarios: Path
    models: Path
    name: str
    seed: int
    every: int


def run(params: Params, paths: Paths) -> str:
    """Write `data/evaluation/operational.parquet` and `reports/operational/evaluation_results.csv`; return the summary line."""
    settings = params.section("evaluate_operational", EvaluateOperational)
    listed = read_record(scenario_folder(paths) / "scenarios.json", ScenarioList).scenarios
    names = [n for f in settings.families for n in [row.id for row in listed if row.family == f][: settings.scenarios]]
    models = paths.root / "data" / "models"
    jobs = [Job(scenario_folder(paths), models, name, settings.luck_seed, settings.forecast_steps) for name in names]
    found = map_in_processes(_judge, jobs)
    rows = pl.concat([frame for frame, _ in found])
    classes = pl.read_parquet(scenario_folder(paths) / "apps.parquet").select("scenario", "app_id", pl.col("rate_class").alias("class"))
    rows = rows.join(classes, on=["scenario", "app_id"], how="left").sort("arm", "scenario", "app_id")
    file = rows_file(paths, LAYER)
    file.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(file, compression="zstd", statistics=False)
    table = pl.concat([_forecast_table([one for _, errors_of in found for one in errors_of]), _money_table(rows)], how="diagonal")
    order = {arm.name: arm.order for arm in ARMS}
    table = table.with_columns(pl.col("arm").replace_strict(order, default=0, return_dtype=pl.Int64).alias("_order"))
    table = table.sort("_order", "arm", "target", "app_class").select(COLUMNS)
    floats = [pl.col(name).round(9) for name, kind in table.schema.items() if kind.is_float()]
    write_text_atomic(operational_reports(paths) / "evaluation_results.csv", table.with_columns(floats).write_csv())
    return f"{len(ARMS)} arms in {len(names)} scenarios, {table.height} rows"


def _judge(job: Job) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Money of every arm by app, and errors of every forecast, in one scenario."""
    scenario = load_scenario(job.scenarios / job.name)
    world = judged(scenario, job)
    recorded = recorded_run(world, job.scenarios / job.name)
    parts = []
    for arm in ARMS:
        rows = frame_of(evaluate(scenario, arm.build(world), job.seed)).drop("latency_histogram")
        sums = rows.group_by("scenario", "app_id").agg(*(pl.col(name).sum() for name in FIELDS)).sort("app_id")
        total = priced(sums, scenario.objective).select("scenario", "app_id", *FIELDS, "total_usd")
        parts.append(total.with_columns(pl.lit(arm.name).alias("arm")))
    cloud = scenario.tables.cloud_of_region[scenario.tables.region_of_placement[scenario.apps.home]]
    home = pl.DataFrame({"app_id": list(scenario.apps.app_ids), "cloud": [scenario.tables.clouds[c] for c in cloud]})
    classes = pl.read_parquet(job.scenarios / "apps.parquet").filter(pl.col("scenario") == job.name)
    own = dict(zip(classes["app_id"].to_list(), classes["rate_class"].to_list(), strict=True))
    of = np.array([own[app] for app in scenario.apps.app_ids])
    return pl.concat(parts).join(home, on="app_id", how="left"), errors(world, recorded, of, job.every)


def judged(scenario: Scenario, job: Job) -> Judged:
    """What the arms are built from in a scenario; the margin is that of train windows."""
    tuned = job.models / "tuned" / LAYER
    known = load_known(tuned / job.name)
    flags = load_home_run(job.scenarios / job.name, scenario).nothing_idle
    parameters = read_record(tuned / "tuned.json", TunedFloors).rules
    world = Judged(scenario, known, flags, job.models, parameters, np.zeros(3, dtype=np.float32), job.seed)
    return Judged(scenario, known, flags, job.models, parameters, _margin(world, job.scenarios / job.name), job.seed)


def _margin(world: Judged, folder: Path) -> np.ndarray:
    """What the symmetric network lacks of the specified one's mean forecast, on windows of the train span, float32 [3]."""
    recorded, train = recorded_run(world, folder), world.scenario.split_steps[0]
    rng = np.random.Generator(np.random.PCG64(1))
    app = rng.integers(0, len(recorded.inputs), MARGIN_WINDOWS)
    window = recorded.windows(app, rng.integers(0, train - 1, MARGIN_WINDOWS))
    more, less = (network(world, arm).predict(window).mean(axis=0) for arm in ("lstm_specified", "lstm_symmetric"))
    return np.asarray(np.maximum(more - less, 0), dtype=np.float32)


def _forecast_table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Means over the scenarios."""
    keys = ("arm", "app_class", "target")
    metrics = ("rmse", "mae", "mase", "pinball")
    return pl.DataFrame(rows, infer_schema_length=None).group_by(*keys).agg(*(pl.col(name).mean() for name in metrics))


def _money_table(rows: pl.DataFrame) -> pl.DataFrame:
    """Money by arm: all apps, by class and by cloud; a ratio of means over the scenarios, with its interval."""
    groups: list[tuple[str, pl.Expr]] = [("all", pl.lit(value=True))]
    groups += [(name, pl.col("class") == name) for name in sorted(rows["class"].unique().to_list())]
    groups += [(f"cloud {name}", pl.col("cloud") == name) for name in sorted(rows["cloud"].unique().to_list())]
    found = []
    for group, condition in groups:
        sums = rows.filter(condition).group_by("arm", "scenario").agg(pl.col("total_usd").sum(), *(pl.col(n).sum() for n in FIELDS))
        usd = {str(arm): frame.sort("scenario") for (arm,), frame in sums.group_by("arm")}
        base = usd[REACTIVE]["total_usd"].to_numpy()
        for arm, frame in usd.items():
            ratio = ratio_of_means([frame["total_usd"].to_numpy()], [base])
            calls = float(frame[Field.CALLS.name.lower()].sum())
            found.append(
                {
                    "arm": arm,
                    "app_class": group,
                    "target": "money",
                    "objective_pct_of_reactive": 100 * ratio.value,
                    "ci_low": 100 * ratio.low if ratio.low == ratio.low else None,
                    "ci_high": 100 * ratio.high if ratio.high == ratio.high else None,
                    "cold_start_rate": float(frame[Field.COLD_STARTS.name.lower()].sum()) / calls if calls else None,
                    "sla_rate": 1 - float(frame[Field.MISSES.name.lower()].sum()) / calls if calls else None,
                    "floor_usd": float(frame[Field.FLOOR_NANOUSD.name.lower()].sum()) / 1e9 / frame.height,
                }
            )
    return pl.DataFrame(found, infer_schema_length=None)
