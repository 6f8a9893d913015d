"""Stage `scenario`: the worlds in which policies are judged. Not here: how a world is sampled (simulator/), what happens in it.

The seed equal to `seed` replays the staged calls (the twin's, or real ones), every other seed a twin of its own. The zones replay the
staged days of the Google cells. Scenarios of one seed share one workload on disk. The class of every app is written here, once.
"""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from core.errors import ParameterError, RawDataError
from core.units import DAY_S, DAY_US
from simulator.conditions import CellSeries, cell_series, hours_of, profile_carbon
from simulator.control.baseline import record_home
from simulator.parameters import Family, Objective, Slo, World
from simulator.places.carbon_files import load_hourly_carbon
from simulator.places.tables import load_tables
from simulator.scenario import Scenario, build_scenario, cut, save
from simulator.twin.azure2021 import published_calls
from simulator.workload import Invocations, build
from tasks.core.app_classes import AppClasses, with_classes
from tasks.core.database import connect, literal, load_sql
from tasks.core.drafts import folder_draft
from tasks.core.parallel import map_in_processes
from tasks.core.records import read_record, write_record
from tasks.data.ingest_outputs import ingest_report, staged_folder
from tasks.data.ingest_record import IngestReport
from tasks.data.raw_files import resolve_folder
from tasks.data.traces import trace_of
from tasks.data.verdict import require_success
from tasks.world.scenario_outputs import scenario_folder, training_folder
from tasks.world.scenario_record import ScenarioList
from tasks.world.scenario_settings import ScenarioSettings, TrainingFleets
from tasks.world.scenario_span import require_calls, with_found_span
from tasks.world.twin_calls import twin_invocations, with_comparable_apps

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from simulator.places.tables import Tables
    from tasks.core.params import Params
    from tasks.core.paths import Paths


@dataclass(frozen=True)
class SeedJob:
    """The scenarios of one seed, for a process of its own: what they are made of, and the folder to write into."""

    params: Params
    paths: Paths
    tables: Tables
    cells: dict[str, CellSeries]
    draft: Path
    seed: int
    families: Mapping[str, Family]
    is_training: bool


@dataclass(frozen=True)
class SeedFound:
    """What was written for one seed: rows of scenarios.json, classes of apps, calls of one scenario, calls after the end."""

    rows: list[dict[str, Any]]
    classes: pl.DataFrame
    calls: int
    left_out: int


def run(params: Params, paths: Paths) -> str:
    """Write `data/scenario/<family>-<seed>/`, the workloads they share, apps.parquet and scenarios.json; return the summary line.

    `data/training` gets the same of the training fleets, which end with their train span.

    Raises:
        GateError: a source that is used has no successful verdict of its present data.
        ParameterError: `seed` is not among the seeds, a split lies outside the days, a cell or an hour of carbon is missing.
        RawDataError: a source that is used is off.
    """
    settings = params.section("scenario", ScenarioSettings)
    require_success(paths, settings.cells)
    if settings.calls == "staged":
        require_success(paths, settings.source)
    params = with_found_span(params, paths)
    if settings.calls == "staged" and params.seed not in settings.seeds:
        how = f"add {params.seed} to the seeds, or set scenario.calls to twin"
        raise ParameterError("no scenario would replay the staged calls", where="params.yaml: scenario.seeds", how=how)
    tables = load_tables(paths.reference, params.section("world", World))
    cells = read_cells(paths, settings.cells)
    with folder_draft(scenario_folder(paths)) as judged, folder_draft(training_folder(paths)) as trained:
        rows, total, clipped = _write(params, paths, tables, cells, judged)
        fleets, _, _ = _write(params, paths, tables, cells, trained, training=settings.training)
    built = f"{len(settings.seeds)} seeds in {rows} scenarios, {clipped} calls after the end left out"
    return f"{total} calls of {built}, {fleets} training fleets"


def _write(
    params: Params,
    paths: Paths,
    tables: Tables,
    cells: dict[str, CellSeries],
    draft: Path,
    training: TrainingFleets | None = None,
) -> tuple[int, int, int]:
    """Write the judged scenarios, or (training) the train spans of fleets on twins; return scenarios, calls, calls left out."""
    settings = params.section("scenario", ScenarioSettings)
    seeds = settings.seeds if training is None else training.seeds
    families = {name: found for name, found in settings.families.items() if training is None or name in training.families}
    jobs = [SeedJob(params, paths, tables, cells, draft, seed, families, is_training=training is not None) for seed in seeds if families]
    found = map_in_processes(_write_seed, jobs, "seeds")
    if found:
        pl.concat([one.classes for one in found]).write_parquet(draft / "apps.parquet")
    rows = [row for one in found for row in one.rows]
    listed = {"days": settings.days, "carbon_month": settings.carbon_month, "scenarios": rows}
    write_record(draft / "scenarios.json", ScenarioList, listed)
    return len(rows), sum(one.calls for one in found), sum(one.left_out for one in found)


def _write_seed(job: SeedJob) -> SeedFound:
    """Write the scenarios of one seed, which share its calls."""
    settings, limits = job.params.section("scenario", ScenarioSettings), job.params.section("app_classes", AppClasses)
    is_staged = not job.is_training and settings.calls == "staged" and job.seed == job.params.seed
    origin, left_out, scenarios = _scenarios_of(job.params, job.paths, job.seed, job.families, job.tables, job.cells, is_staged=is_staged)
    rows, classes, calls = [], [], 0
    for whole in scenarios:
        if not job.is_training:
            require_calls(whole, _first_day(job.params) if is_staged else 0)
        scenario = cut(whole, "train" if job.is_training else "test")
        folder = save(scenario, job.draft)
        classes.append(app_classes(scenario, limits))
        rows.append({"from": origin, "calls_after_end": left_out, **finish(scenario, folder)})
        calls = len(scenario.calls.arrival_us)
    return SeedFound(rows, pl.concat(classes), calls, left_out)


def _scenarios_of(
    params: Params,
    paths: Paths,
    seed: int,
    families: Mapping[str, Family],
    tables: Tables,
    cells: dict[str, CellSeries],
    *,
    is_staged: bool,
) -> tuple[str, int, list[Scenario]]:
    """Where the calls of a seed come from, how many after the end were left out, and its scenarios, one a family."""
    settings, world = params.section("scenario", ScenarioSettings), params.section("world", World)
    steps = settings.days * DAY_S // world.step_s
    trace = staged_invocations(params, paths) if is_staged else twin_invocations(params, seed)
    first_day = _first_day(params) if is_staged else 0
    origin = read_record(ingest_report(paths, settings.source), IngestReport).origin if is_staged else "twin"
    if origin == "twin":  # what a real trace lacks is sampled by name alone: its next days move nothing
        ranked = published_calls(seed, trace_of(params, settings.source).apps if is_staged else settings.apps)
        trace = with_comparable_apps(trace, ranked, seed, tables, world, params)
    apps, calls, left_out = build(seed, tables, world, trace, steps * world.step_us)
    carbon = _carbon(params, paths, tables, hours_of(steps, world), first_day)
    scenarios = [
        build_scenario(
            family,
            seed,
            changes=changes,
            steps=steps,
            split_steps=settings.split_steps,
            world=world,
            slo=params.section("slo", Slo),
            objective=params.section("objective", Objective),
            tables=tables,
            apps=apps,
            calls=calls,
            cells=cells,
            carbon_mg_per_kwh=carbon,
            first_day=first_day,
        )
        for family, changes in families.items()
    ]
    return origin, left_out, scenarios


def finish(scenario: Scenario, folder: Path) -> dict[str, Any]:
    """Store the run at home beside the arrays of a scenario in `folder`; return what scenarios.json says of it."""
    record_home(scenario, folder)
    conditions = scenario.conditions
    is_out = conditions.capacity == 0  # outages only
    return {
        "id": scenario.id,
        "family": scenario.family,
        "seed": scenario.seed,
        "steps": scenario.steps,
        "split_steps": list(scenario.split_steps),
        "apps": len(scenario.apps.app_ids),
        "functions": len(scenario.apps.function_ids),
        "calls": len(scenario.calls.arrival_us),
        "placements": len(scenario.tables.zones),
        "allowed_share": round(float(scenario.is_allowed.mean()), 6),
        "utilisation_mean": round(float(conditions.utilisation_ppm[~is_out].mean()) / 1e6, 6),
        "slowdown_mean": round(float(conditions.slowdown_permille[~is_out].mean()) / 1e3, 6),
        "zone_hours_out": round(float(is_out.sum()) / 12, 6),
    }


def app_classes(scenario: Scenario, limits: AppClasses) -> pl.DataFrame:
    """Return the class of each app of a scenario: scenario, app_id, calls_train, calls_per_14d, rate_class."""
    calls, train_us = scenario.calls, scenario.split_steps[0] * scenario.world.step_us
    before = np.concatenate([[0], np.cumsum(calls.arrival_us < train_us)])
    counted = pl.DataFrame(
        {
            "scenario": [scenario.id] * len(scenario.apps.app_ids),
            "app_id": list(scenario.apps.app_ids),
            "calls_train": np.diff(before[calls.first_call]).astype(np.int64),
        }
    )
    return with_classes(counted, train_us, limits)


def staged_invocations(params: Params, paths: Paths) -> Invocations:
    """Staged calls of the last `scenario.days` days before `as_of_day`, times from the first of these days.

    Raises:
        RawDataError: the source of the calls is off, or no call lies in these days.
    """
    settings = params.section("scenario", ScenarioSettings)
    staged, first = staged_folder(paths, settings.source), _first_day(params)
    found = {int(f.parent.name.removeprefix("day=")): f for f in staged.glob("day=*/invocations.parquet")}
    files = [found[day] for day in sorted(found) if first <= day < first + settings.days]
    if not files:
        how = f"switch {settings.source} on, or choose days that the trace has"
        raise RawDataError("no call lies in the scenario's days", where="params.yaml: as_of_day, scenario.days", how=how)
    names = {name: literal(staged / f"{name}.parquet") for name in ("apps", "functions")}
    names |= {"invocations": "[" + ", ".join(literal(f) for f in files) + "]"}
    with connect(paths) as con:
        text = load_sql("scenario/calls.sql").format(**names, first_us=first * DAY_US, end_us=(first + settings.days) * DAY_US)
        calls = con.sql(text).fetchnumpy()
        apps = con.sql(load_sql("scenario/apps.sql").format(**names)).fetchnumpy()
        functions = con.sql(load_sql("scenario/functions.sql").format(**names)).fetchnumpy()
    app, function, arrival_us, duration_us = (np.asarray(calls[k], np.int64) for k in ("app", "function", "arrival_us", "duration_us"))
    memory = np.asarray(apps["memory_mb"], dtype=np.int64)
    return Invocations(apps["app"].tolist(), functions["function"].tolist(), app, function, arrival_us, duration_us, memory)


def read_cells(paths: Paths, source: str) -> dict[str, CellSeries]:
    """Return the staged CPU of every cell of a source in local time.

    Raises:
        RawDataError: the source is off, or a cell is not in cells.csv.
    """
    if not any(staged_folder(paths, source).glob("day=*/utilisation.parquet")):
        raise RawDataError(f"{source} has no series", where=f"params.yaml: traces.{source}.from", how="switch the source on")
    pattern = literal(staged_folder(paths, source) / "day=*" / "utilisation.parquet")
    with connect(paths) as con:
        rows = con.sql(load_sql("scenario/cells.sql").format(utilisation=pattern)).fetchnumpy()
    with (paths.reference / "cells.csv").open(encoding="utf-8", newline="") as handle:
        timezones = {row["cell"]: row["timezone"] for row in csv.DictReader(handle)}
    cell, slot, cpu = np.asarray(rows["cell"]).astype(str), np.asarray(rows["slot"]), np.asarray(rows["cpu_fraction"], dtype=np.float64)
    out = {}
    for name in np.unique(cell).tolist():
        if name not in timezones:
            raise RawDataError(f"cell '{name}' has no time zone", where="data/reference/cells.csv", how="add a row for it")
        out[name] = cell_series(slot[cell == name], cpu[cell == name], timezones[name])
    return out


def _first_day(params: Params) -> int:
    """First day that is replayed, counted from the Sunday on which the trace starts."""
    return max(params.as_of_day - params.section("scenario", ScenarioSettings).days, 0)


def _carbon(params: Params, paths: Paths, tables: Tables, hours: int, first_day: int) -> NDArray[np.int64]:
    """Carbon intensity per metro and hour: int64 [M, hours] mg/kWh, of the files that are named, else of the carried profile."""
    settings = params.section("scenario", ScenarioSettings)
    names = settings.carbon_hourly
    if not names:
        return profile_carbon(tables, settings.carbon_month, hours)
    files = [resolve_folder(name, paths) for name in names]
    start = params.section("world", World).carbon.start + dt.timedelta(days=first_day)
    return load_hourly_carbon(files, tables.carbon_zones, start, hours)
