"""Stage `calibrate`: our world against theory and measurement, the bill of one call, its limits, other assumptions. Not here: the arms.

`calibration.csv`: one row per check. `calibration.json`: the checks, the bill, the limits, the sensitivity table, where calls run and every
assumed value, of the first calm scenario (of the first scenario where no family is calm). What a call costs at home is the average over
twins of several seeds, and that of the twin of `seed`.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from core.units import DAY_S
from simulator.parameters import Section, Seed, World
from simulator.places.csv_rows import read_rows
from simulator.places.tables import load_tables
from simulator.scenario import load_scenario
from tasks.core.files import write_text_atomic
from tasks.core.parallel import map_in_processes
from tasks.core.records import read_record, write_record
from tasks.learning.baselines_record import ChosenBaselines
from tasks.learning.tune_baselines_outputs import baselines_folder
from tasks.world.calibration_assumed import assumed_rows
from tasks.world.calibration_bill import bill, worked_checks
from tasks.world.calibration_places import places, shifts
from tasks.world.calibration_record import Calibration
from tasks.world.calibration_theory import distribution_checks, queue_checks, short, simfaas_checks
from tasks.world.calibration_world import home_checks, limits, night_shift_checks, replays, run_at_home, sensitivity, twin_at_home
from tasks.world.scenario_outputs import scenario_folder
from tasks.world.scenario_record import ScenarioList
from tasks.world.scenario_settings import ScenarioSettings

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.scenario import Scenario
    from tasks.core.params import Params
    from tasks.core.paths import Paths

COLUMNS = ("what", "expected", "found", "standard_error", "unit", "low", "high", "source", "kind", "is_within")
FULL_DAYS, FULL_APPS = 14, 119


class Settings(Section):
    """The section `calibrate`: how much is simulated for the comparison with theory, and on what luck."""

    runs: int = Field(ge=2, le=10_000, description="independent runs of each queue; their spread gives the standard error")
    calls: int = Field(ge=1000, le=10**8, description="calls of a run")
    draws: int = Field(ge=1000, le=10**8, description="draws from each distribution of cold starts and keep-alives")
    home_seeds: tuple[Seed, ...] = Field(min_length=1, description="twins over which the figures per call at home are averaged")
    luck_seed: Seed = Field(description="of the run at home, the bill of one call and the sensitivities")


def calibration_file(paths: Paths) -> Path:
    """The world against theory and measurement, bill of a call, limits, sensitivity; the checks also as .csv."""
    return paths.reports / "world" / "calibration.json"


def run(params: Params, paths: Paths) -> str:
    """Write `reports/world/calibration.csv` and `.json`; return the summary line."""
    settings = params.section("calibrate", Settings)
    listed = read_record(scenario_folder(paths) / "scenarios.json", ScenarioList)
    row = next((row for row in listed.scenarios if row.family == "calm"), listed.scenarios[0])
    params = params.changed({"scenario.days": listed.days, "scenario.split_steps": list(row.split_steps)})  # as they were found
    name, origin = row.id, row.origin
    scenario = load_scenario(scenario_folder(paths) / name)
    chosen = read_record(baselines_folder(paths) / "chosen.json", ChosenBaselines).placements[name]["best_static"]
    index = {zone: p for p, zone in enumerate(scenario.tables.zones)}
    static = np.array([index[chosen[app]] for app in scenario.apps.app_ids], dtype=np.int64)
    home = run_at_home(scenario, settings.luck_seed)
    jobs = [(params, scenario.world, scenario.slo, scenario.objective, seed, settings.luck_seed) for seed in settings.home_seeds]
    twins = dict(zip(settings.home_seeds, map_in_processes(twin_at_home, jobs, "twins"), strict=True))
    groups = [twins, {params.seed: twins[params.seed]}] if params.seed in twins and len(twins) > 1 else [twins]
    checks = [
        *queue_checks(settings.runs, settings.calls),
        *simfaas_checks(settings.runs),
        *_distributions(scenario, paths, settings.draws),
        *night_shift_checks(scenario),
        *worked_checks(load_tables(paths.reference, World())),
        *(check for group in groups for check in home_checks(group, _is_full_size(params))),
    ]
    rows = [check.row() for check in checks]
    found: dict[str, Any] = {
        "scenario": name,
        "from": origin,
        "family": scenario.family,
        "seed": scenario.seed,
        "luck_seed": settings.luck_seed,
        "test_days": [round(s * scenario.world.step_s / DAY_S, 4) for s in scenario.split_steps[1:]],
        "apps": len(scenario.apps.app_ids),
        "calls": len(scenario.calls.arrival_us),
        "checks": rows,
        "bill": bill(scenario, settings.luck_seed, paths.reference),
        "limits": {key: short(value) for key, value in limits(scenario, home, paths.reference).items()},
        "sensitivity": sensitivity(scenario, static, settings.luck_seed, paths.reference),
        "places": places(scenario, static, paths.reference),
        "shifts": shifts(scenario, static, replays(scenario, static, settings.luck_seed)),
        "assumed": assumed_rows(paths.reference, scenario.world),
    }
    write_text_atomic(calibration_file(paths).with_suffix(".csv"), _csv(rows))
    write_record(calibration_file(paths), Calibration, found)
    judged = [row for row in rows if row["is_within"] is not None]
    return f"{sum(row['is_within'] for row in judged)} of {len(judged)} checks within their tolerance, {len(rows) - len(judged)} not judged"


def _distributions(scenario: Scenario, paths: Paths, draws: int) -> list[Any]:
    cold = read_rows(
        paths.reference,
        "cold_start.csv",
        ("law", "cloud", "package", "probability", "seconds", "source"),
        ("law", "cloud", "package", "probability"),
    )
    keep = read_rows(
        paths.reference, "keep_alive.csv", ("law", "cloud", "idle_s", "cold_probability", "source"), ("law", "cloud", "idle_s")
    )
    cold = [row for row in cold if row.text("law") == scenario.world.cold_start.source]
    return distribution_checks(scenario.tables, cold, keep, scenario.world.keep_alive.source, draws)


def _is_full_size(params: Params) -> bool:
    """Whether the world has the length, apps and rate for which the figures per call were measured."""
    wanted = params.section("scenario", ScenarioSettings)
    return (wanted.days, wanted.apps, wanted.rate) == (FULL_DAYS, FULL_APPS, 1.0)


def _csv(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(["" if row[name] is None else row[name] for name in COLUMNS] for row in rows)
    return out.getvalue()
