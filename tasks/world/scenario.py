"""Stage `scenario`: the worlds in which policies are judged. Not here: how a world is drawn (simulator/), what happens in it.

The seed equal to `seed` replays the staged azure2021 table (the twin's, or real calls), every other seed a twin of its own. The zones
replay the staged days of the Google cells. Scenarios of one seed share one workload on disk.
"""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import ParameterError, RawDataError
from core.units import DAY_S, DAY_US
from simulator.conditions import CellSeries, cell_series, hours_of, profile_carbon
from simulator.control.baseline import record_home
from simulator.places.carbon_files import load_hourly_carbon
from simulator.places.tables import load_tables
from simulator.scenario import Scenario, build_scenario, save
from simulator.twin.azure2021 import published_calls
from simulator.workload import Invocations, build
from tasks.core.database import connect, literal, load_sql
from tasks.core.records import read_record, write_record
from tasks.core.verdict import require_success
from tasks.data.ingest_record import IngestReport
from tasks.data.raw_files import resolve_folder
from tasks.world.scenario_record import ScenarioList
from tasks.world.twin_calls import twin_invocations, with_comparable_apps

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from simulator.places.tables import Tables
    from tasks.core.params import Params
    from tasks.core.paths import Paths


def run(params: Params, paths: Paths) -> str:
    """Write `data/scenario/<family>-<seed>/`, the workloads they share, and scenarios.json; return the summary line.

    Raises:
        GateError: a source that is used has no successful verdict of its present data.
        ParameterError: `seed` is not among the seeds, a split lies outside the days, a cell or an hour of carbon is missing.
        RawDataError: a source that is used is off.
    """
    settings = params.scenario
    require_success(paths, "google2019")
    if settings.calls == "staged":
        require_success(paths, "azure2021")
        if params.seed not in settings.seeds:
            how = f"add {params.seed} to the seeds, or set scenario.calls to twin"
            raise ParameterError("no scenario would replay the staged calls", where="params.yaml: scenario.seeds", how=how)
    tables = load_tables(paths.reference, params.world)
    steps = settings.days * DAY_S // params.world.step_s
    cells = read_cells(paths)
    draft = paths.scenario.with_name(".scenario.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    rows, total, clipped = [], 0, 0
    for seed in settings.seeds:
        is_staged = settings.calls == "staged" and seed == params.seed
        trace = staged_invocations(params, paths) if is_staged else twin_invocations(params, seed)
        first_day = _first_day(params) if is_staged else 0
        origin = read_record(paths.ingest_report("azure2021"), IngestReport).origin if is_staged else "twin"
        if origin == "twin":  # what a real trace lacks is drawn by name alone: its next days move nothing
            ranked = published_calls(seed, params.traces["azure2021"].apps if is_staged else settings.apps)
            trace = with_comparable_apps(trace, ranked, seed, tables, params)
        apps, calls, left_out = build(seed, tables, params.world, trace, steps * params.world.step_us)
        carbon = _carbon(params, paths, tables, hours_of(steps, params.world), first_day)
        total, clipped = total + len(calls.arrival_us), clipped + left_out
        for family in settings.families:
            scenario = build_scenario(
                family,
                seed,
                steps=steps,
                split_steps=settings.split_steps,
                world=params.world,
                slo=params.slo,
                objective=params.objective,
                tables=tables,
                apps=apps,
                calls=calls,
                cells=cells,
                carbon_mg_per_kwh=carbon,
                first_day=first_day,
            )
            folder = save(scenario, draft)
            rows.append({"from": origin, "calls_after_end": left_out, **finish(scenario, folder)})
    listed = {"days": settings.days, "carbon_month": settings.carbon_month, "scenarios": rows}
    write_record(draft / "scenarios.json", ScenarioList, listed)
    shutil.rmtree(paths.scenario, ignore_errors=True)
    draft.rename(paths.scenario)
    return f"{total} calls of {len(settings.seeds)} seeds in {len(rows)} scenarios, {clipped} calls after the end left out"


def finish(scenario: Scenario, folder: Path) -> dict[str, Any]:
    """Store the home run beside the arrays of a scenario in `folder`; return what scenarios.json says of it."""
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


def staged_invocations(params: Params, paths: Paths) -> Invocations:
    """Staged calls of the last `scenario.days` days before `as_of_day`, times from the first of these days.

    Raises:
        RawDataError: azure2021 is off, or no call lies in these days.
    """
    staged, first = paths.staged("azure2021"), _first_day(params)
    found = {int(f.parent.name.removeprefix("day=")): f for f in staged.glob("day=*/invocations.parquet")}
    files = [found[day] for day in sorted(found) if first <= day < first + params.scenario.days]
    if not files:
        how = "switch azure2021 on, or choose days that the trace has"
        raise RawDataError("no call lies in the scenario's days", where="params.yaml: as_of_day, scenario.days", how=how)
    names = {name: literal(staged / f"{name}.parquet") for name in ("apps", "functions")}
    names |= {"invocations": "[" + ", ".join(literal(f) for f in files) + "]"}
    with connect(paths) as con:
        text = load_sql("scenario/calls.sql").format(**names, first_us=first * DAY_US, end_us=(first + params.scenario.days) * DAY_US)
        calls = con.sql(text).fetchnumpy()
        apps = con.sql(load_sql("scenario/apps.sql").format(**names)).fetchnumpy()
        functions = con.sql(load_sql("scenario/functions.sql").format(**names)).fetchnumpy()
    app, function, arrival_us, duration_us = (np.asarray(calls[k], np.int64) for k in ("app", "function", "arrival_us", "duration_us"))
    memory = np.asarray(apps["memory_mb"], dtype=np.int64)
    return Invocations(apps["app"].tolist(), functions["function"].tolist(), app, function, arrival_us, duration_us, memory)


def read_cells(paths: Paths) -> dict[str, CellSeries]:
    """Return the staged CPU of every Google cell in local time.

    Raises:
        RawDataError: google2019 is off, or a cell is not in cells.csv.
    """
    if not any(paths.staged("google2019").glob("day=*/utilisation.parquet")):
        raise RawDataError("google2019 has no series", where="params.yaml: traces.google2019.from", how="switch the source on")
    pattern = literal(paths.staged("google2019") / "day=*" / "utilisation.parquet")
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
    return max(params.as_of_day - params.scenario.days, 0)


def _carbon(params: Params, paths: Paths, tables: Tables, hours: int, first_day: int) -> NDArray[np.int64]:
    """Carbon intensity per metro and hour: int64 [M, hours] mg/kWh, of the files that are named, else of the carried profile."""
    names = params.scenario.carbon_hourly
    if not names:
        return profile_carbon(tables, params.scenario.carbon_month, hours)
    files = [resolve_folder(name, paths) for name in names]
    start = params.world.carbon.start + dt.timedelta(days=first_day)
    return load_hourly_carbon(files, tables.carbon_zones, start, hours)
