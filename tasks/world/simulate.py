"""`trine simulate`: one trace at given placements through the world, as one summary. Not here: policies, stages (this is none)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from core.errors import RawDataError
from core.units import DAY_US
from models.baselines.rules import Fixed
from simulator.control.loop import Loop, finished
from simulator.draws import memory_mb
from simulator.fleet import Field
from simulator.parameters import Objective, Slo, World
from simulator.rng import text_id
from simulator.twin.fleets import twin_scenario
from simulator.workload import Invocations
from tasks.core import params as params_module
from tasks.core.files import write_json
from tasks.core.paths import Paths
from tasks.data.ingest_settings import IngestSettings
from tasks.world.scenario_settings import ScenarioSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.scenario import Scenario
    from tasks.core.params import Params

TRACE = {"app": pl.String, "func": pl.String, "end_timestamp": pl.Float64, "duration": pl.Float64}
PLACEMENTS = ("app_id", "provider", "metro", "zone")
MAX_DAYS = 366  # as scenario.days; the conditions of a world are as long as its trace
SUMMARY = {
    "calls": Field.CALLS,
    "served": Field.SERVED,
    "rejected": Field.REJECTED,
    "cold_starts": Field.COLD_STARTS,
    "misses": Field.MISSES,
    "cost_nanousd": Field.COST_NANOUSD,
    "egress_nanousd": Field.EGRESS_NANOUSD,
    "carbon_ng": Field.CARBON_NG,
    "latency_us_sum": Field.LATENCY_US,
    "excess_us_sum": Field.EXCESS_US,
    "moves": Field.MOVES,
}


def simulate(root: Path, trace: Path, placements: Path, out: Path, seed: int) -> dict[str, int]:
    """Run the calls of `trace` at `placements` and write `out/summary.json`; returns its content.

    Args:
        root: working tree, for params.yaml and the reference tables.
        trace: CSV with the columns of the Azure Functions 2021 trace, seconds.
        placements: CSV `app_id,provider,metro,zone`; the zone is its number in the region or its name.
        out: folder, made if missing once the run has ended well.
        seed: of what the trace lacks, of the conditions and the luck.

    Raises:
        RawDataError: a file is missing, has other columns, or names an app or a placement that does not exist; `out` is no folder.
        ParameterError: params.yaml is not valid.
    """
    if any(path.exists() and not path.is_dir() for path in (out, *out.parents)):
        raise RawDataError("the path is a file, or leads through one", where=str(out), how="name a folder for --out")
    paths = Paths(root)
    params = params_module.load(paths.params_file)
    calls = _read_trace(trace, seed, params)
    days = max(1, -(-int(calls.arrival_us.max() + 1) // DAY_US))
    scenario = twin_scenario(
        seed=seed,
        days=days,
        world=params.section("world", World),
        slo=params.section("slo", Slo),
        objective=params.section("objective", Objective),
        carbon_month=params.section("scenario", ScenarioSettings).carbon_month,
        reference=paths.reference,
        trace=calls,
    )
    placement, listed = _read_placements(placements, scenario)
    fleet = finished(Loop(scenario, Fixed("given", placement), seed, begin=0, end=scenario.steps))
    total = fleet.out.sum(axis=(0, 1))
    summary = {name: int(total[field]) for name, field in SUMMARY.items()} | {"apps_at_home": len(placement) - listed}
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "summary.json", summary)
    return summary


def _read_trace(file: Path, seed: int, params: Params) -> Invocations:
    frame = _read_csv(file, TRACE)
    bad = frame.filter(~pl.all_horizontal(pl.col("end_timestamp", "duration").is_finite()) | (pl.col("duration") < 0))
    if bad.height or frame.null_count().sum_horizontal().item() or not frame.height:
        fault = "it has no call" if not frame.height else "a time is missing, negative or not finite"
        raise RawDataError(fault, where=str(file), how="run it through the stages first: ingest counts and explains bad rows")
    if (frame.select("end_timestamp", "duration").to_numpy() > MAX_DAYS * DAY_US / 1e6).any():
        how = "count times in seconds from the first midnight of the trace, not from 1970"
        raise RawDataError(f"a call ends after {MAX_DAYS} days", where=str(file), how=how)
    duration = (frame["duration"] * 1e6).round().cast(pl.Int64).to_numpy()
    arrival = (frame["end_timestamp"] * 1e6).round().cast(pl.Int64).to_numpy() - duration
    if arrival.min() < 0:
        raise RawDataError("a call starts before the trace", where=str(file), how="count times from the first midnight of the trace")
    apps = frame["app"].unique().sort().to_list()
    both = frame.select(pl.concat_str("app", "func", separator="/")).to_series()
    functions = both.unique().sort().to_list()
    index = {name: i for i, name in enumerate(apps)}, {name: i for i, name in enumerate(functions)}
    app, function = (
        x.replace_strict(list(to), list(to.values()), return_dtype=pl.Int64).to_numpy()
        for x, to in zip((frame["app"], both), index, strict=True)
    )
    ids, ingest = np.array([text_id(name) for name in apps]), params.section("ingest", IngestSettings)
    memory = memory_mb(seed, ids, ingest.memory_median_mb, ingest.memory_sigma)
    return Invocations(apps, functions, app, function, arrival, duration, memory)


def _read_placements(file: Path, scenario: Scenario) -> tuple[NDArray[np.int64], int]:
    """Return the placement of every app, int64 [A], and how many the file lists."""
    t, apps = scenario.tables, {app: a for a, app in enumerate(scenario.apps.app_ids)}
    placement = scenario.apps.home.copy()
    names: dict[tuple[str, str, str], int] = {}
    for p, zone in enumerate(t.zones):
        r = int(t.region_of_placement[p])
        cloud, metro = t.clouds[int(t.cloud_of_region[r])], t.metros[int(t.metro_of_region[r])]
        names |= {(cloud, metro, label): p for label in (str(int(t.zone_number[p])), zone, zone.split(":")[-1])}
    seen = set()
    for line, row in enumerate(_read_csv(file, dict.fromkeys(PLACEMENTS, pl.String)).iter_rows(named=True), start=2):
        where = f"{file}, line {line}"
        if row["app_id"] not in apps:
            raise RawDataError(f"app '{row['app_id']}' has no call in the trace", where=where, how="remove the line, or fix the name")
        if row["app_id"] in seen:
            raise RawDataError(f"app '{row['app_id']}' is listed twice", where=where, how="keep one placement per app")
        key = (row["provider"], row["metro"], row["zone"])
        if key not in names:
            how = f"providers {', '.join(t.clouds)}; metros {', '.join(t.metros)}; zones by number from 0, or by name"
            raise RawDataError(f"no placement {'/'.join(map(str, key))}", where=where, how=how)
        seen.add(row["app_id"])
        placement[apps[row["app_id"]]] = names[key]
    return placement, len(seen)


def _read_csv(file: Path, schema: dict[str, Any]) -> pl.DataFrame:
    if not file.is_file():
        raise RawDataError("no such file", where=str(file), how="name a CSV file")
    try:
        frame = pl.read_csv(file, schema_overrides=schema)
    except pl.exceptions.PolarsError as error:
        raise RawDataError(f"not readable as CSV: {str(error).splitlines()[0]}", where=str(file), how="fix the file") from None
    missing = [name for name in schema if name not in frame.columns]
    if missing:
        how = f"the first line must name {', '.join(schema)}"
        raise RawDataError(f"column {', '.join(missing)} is missing", where=str(file), how=how)
    return frame.select(list(schema))
