"""Stage `evaluate_operational`: forecasts and floors on the test span, every app at home. Not here: the arms, other layers.

Single steps are expensive, so only the scenarios that the settings name are judged, a few arms in a process. The table
`reports/operational/evaluation_results.csv` has one row per (arm, class, target): errors of the forecast, and (target `money`) what the arm
costs in per cent of reactive scaling, all scenarios together, with a bootstrap interval over them, by class of app and by cloud of its
home; `money_miss_<usd>` is the same where a miss costs another sum. `pictures.json` is what the section draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import polars as pl
import torch
from pydantic import Field as Described

from models.statistics import ratio_of_means
from simulator.control.judge import evaluate
from simulator.fleet import Field
from simulator.parameters import Section, Seed
from tasks.core.files import write_text_atomic
from tasks.core.parallel import map_in_processes
from tasks.core.records import read_record, write_record
from tasks.evaluation.arms.operational import ARMS, REACTIVE, Operational
from tasks.evaluation.evaluate_outputs import rows_file
from tasks.evaluation.headline import FIELDS, priced
from tasks.evaluation.operational_forecasts import compared, errors, forecasts
from tasks.evaluation.operational_pictures import pictures
from tasks.evaluation.operational_pictures_record import FloorPictures
from tasks.evaluation.operational_world import Judged
from tasks.evaluation.rows import frame_of
from tasks.learning.operational_outputs import LAYER, operational_reports
from tasks.world.scenario_outputs import scenario_folder
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.params import Params
    from tasks.core.paths import Paths

COLUMNS = (
    *("arm", "app_class", "target", "rmse", "mae", "mase", "pinball", "objective_pct_of_reactive", "ci_low", "ci_high"),
    *("cold_start_rate", "sla_rate", "floor_usd"),
)
SHOWN, FORECASTS = -2, -1
PARTS = 8  # jobs into which the arms of a scenario are cut, the long ones first, so that two processes end at about the same time
MONEY = "money"


Money = Annotated[float, Described(ge=0, le=1e6)]


class EvaluateOperational(Section):
    """The section `evaluate_operational`: where the arms are judged."""

    luck_seed: Seed = Described(description="luck on the test span, the same for every arm")
    families: tuple[str, ...] = Described(min_length=1, description="families that are judged")
    scenarios: int = Described(ge=1, le=1000, description="of each family, the first ones")
    also_miss_usd: tuple[Money, ...] = Described(description="what a miss costs besides, in further runs of every arm")
    forecast_steps: int = Described(ge=1, le=10_000, description="steps between the windows on which forecasts are compared")


class Job(NamedTuple):
    """One scenario with what a miss costs there (None: as it says, and in `also` further prices for arms that know none), and a part of
    the arms; part `FORECASTS` is the forecasts, `SHOWN` with what is drawn of them.
    """

    folder: Path
    models: Path
    seed: int
    miss_usd: float | None
    also: tuple[float, ...]
    part: int
    every: int


def run(params: Params, paths: Paths) -> str:
    """Write `data/evaluation/operational.parquet`, evaluation_results.csv and pictures.json; return the summary line."""
    settings = params.section("evaluate_operational", EvaluateOperational)
    listed = read_record(scenario_folder(paths) / "scenarios.json", ScenarioList).scenarios
    names = [n for f in settings.families for n in [row.id for row in listed if row.family == f][: settings.scenarios]]
    models, luck, every = paths.root / "data" / "models", settings.luck_seed, settings.forecast_steps
    folders = [scenario_folder(paths) / name for name in names]
    parts = [*((usd, 0) for usd in settings.also_miss_usd), *((None, part) for part in range(PARTS)[::-1])]
    jobs = [Job(folder, models, luck, usd, settings.also_miss_usd, part, every) for folder in folders for usd, part in parts]
    jobs += [Job(folder, models, luck, None, (), FORECASTS if i else SHOWN, every) for i, folder in enumerate(folders)]
    found = map_in_processes(_work, jobs, "parts of scenarios")
    rows = pl.concat([one for one in found if isinstance(one, pl.DataFrame)])
    forecast = [one for one in found if not isinstance(one, pl.DataFrame)]
    classes = pl.read_parquet(scenario_folder(paths) / "apps.parquet").select("scenario", "app_id", pl.col("rate_class").alias("class"))
    rows = rows.join(classes, on=["scenario", "app_id"], how="left").sort("target", "arm", "scenario", "app_id")
    file = rows_file(paths, LAYER)
    file.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(file, compression="zstd", statistics=False)
    money = [_money_table(frame, str(target)) for (target,), frame in rows.group_by("target", maintain_order=True)]
    table = pl.concat([_forecast_table([row for errors_of, _ in forecast for row in errors_of]), *money], how="diagonal")
    order = {arm.name: arm.order for arm in ARMS}
    table = table.with_columns(pl.col("arm").replace_strict(order, default=0, return_dtype=pl.Int64).alias("_order"))
    table = table.sort("_order", "arm", "target", "app_class").select(COLUMNS)
    floats = [pl.col(name).round(9) for name, kind in table.schema.items() if kind.is_float()]
    write_text_atomic(operational_reports(paths) / "evaluation_results.csv", table.with_columns(floats).write_csv())
    shown = {"labels": {arm.name: arm.label for arm in ARMS}, **forecast[0][1]}
    write_record(operational_reports(paths) / "pictures.json", FloorPictures, shown)
    return f"{len(ARMS)} arms in {len(names)} scenarios, {table.height} rows"


def _work(job: Job) -> pl.DataFrame | tuple[list[dict[str, Any]], dict[str, Any]]:
    """Money of a part of the arms by app, or the errors and pictures of the forecasts, in one scenario."""
    torch.set_num_threads(1)
    world = Judged(job.folder, job.models, job.seed, job.miss_usd)
    if job.part >= 0:
        arms = ARMS[job.part :: PARTS] if job.miss_usd is None else [arm for arm in ARMS if arm.weighs_money]
        return pl.concat([_money(world, arm, () if arm.weighs_money else job.also) for arm in arms])
    classes = pl.read_parquet(job.folder.parent / "apps.parquet").filter(pl.col("scenario") == job.folder.name)
    own = dict(zip(classes["app_id"].to_list(), classes["rate_class"].to_list(), strict=True))
    of = np.array([own[app] for app in world.scenario.apps.app_ids])
    asked = compared(world, job.every)
    made = {arm: asked.of(forecast) for arm, forecast in forecasts(world).items()}
    return errors(world, asked, made, of), pictures(world, asked, made, of) if job.part == SHOWN else {}


def _money(world: Judged, arm: Operational, also: tuple[float, ...]) -> pl.DataFrame:
    """What an arm costs by app, and what the same run costs where a miss has other prices."""
    scenario = world.scenario
    rows = frame_of(evaluate(scenario, arm.build(world), world.seed)).drop("latency_histogram")
    sums = rows.group_by("scenario", "app_id").agg(*(pl.col(name).sum() for name in FIELDS)).sort("app_id")
    cloud = scenario.tables.cloud_of_region[scenario.tables.region_of_placement[scenario.apps.home]]
    home = pl.DataFrame({"app_id": list(scenario.apps.app_ids), "cloud": [scenario.tables.clouds[c] for c in cloud]})
    found = []
    for miss_usd in (world.miss_usd, *also):
        objective = scenario.objective if miss_usd is None else scenario.objective.model_copy(update={"miss_usd": miss_usd})
        target = MONEY if miss_usd is None else f"{MONEY}_miss_{miss_usd:g}"
        total = priced(sums, objective).select("scenario", "app_id", *FIELDS, "total_usd")
        found.append(total.with_columns(pl.lit(arm.name).alias("arm"), pl.lit(target).alias("target")).join(home, on="app_id", how="left"))
    return pl.concat(found)


def _forecast_table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Means over the scenarios."""
    keys = ("arm", "app_class", "target")
    metrics = ("rmse", "mae", "mase", "pinball")
    return pl.DataFrame(rows, infer_schema_length=None).group_by(*keys).agg(*(pl.col(name).mean() for name in metrics))


def _money_table(rows: pl.DataFrame, target: str) -> pl.DataFrame:
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
                    "target": target,
                    "objective_pct_of_reactive": 100 * ratio.value,
                    "ci_low": 100 * ratio.low if ratio.low == ratio.low else None,
                    "ci_high": 100 * ratio.high if ratio.high == ratio.high else None,
                    "cold_start_rate": float(frame[Field.COLD_STARTS.name.lower()].sum()) / calls if calls else None,
                    "sla_rate": 1 - float(frame[Field.MISSES.name.lower()].sum()) / calls if calls else None,
                    "floor_usd": float(frame[Field.FLOOR_NANOUSD.name.lower()].sum()) / 1e9 / frame.height,
                }
            )
    return pl.DataFrame(found, infer_schema_length=None)
