"""A scenario without stages: the twin's calls, or any others, in the twin's conditions. Not here: staged data (tasks/world/scenario.py)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from core.units import DAY_S
from simulator.conditions import CellSeries, cell_series, hours_of, profile_carbon
from simulator.draws import memory_mb
from simulator.parameters import Family, Objective, Slo, World
from simulator.places.tables import load_tables
from simulator.rng import text_id
from simulator.scenario import Scenario, build_scenario
from simulator.twin.azure2021 import generate_azure2021
from simulator.twin.google2019 import CELLS, generate_google2019
from simulator.workload import Invocations, build

REFERENCE = Path(__file__).resolve().parents[2] / "data" / "reference"
MEMORY_MEDIAN_MB, MEMORY_SIGMA = 154.0, 0.45  # release of 2019: p50 154 MB


def twin_scenario(
    family: str = "calm",
    seed: int = 1,
    *,
    changes: Family | None = None,
    days: int = 14,
    apps: int = 119,
    rate: float = 1.0,
    split_steps: tuple[int, int, int] | None = None,
    world: World | None = None,
    slo: Slo | None = None,
    objective: Objective | None = None,
    carbon_month: int = 2,
    reference: Path = REFERENCE,
    trace: Invocations | None = None,
    cells: Mapping[str, CellSeries] | None = None,
) -> Scenario:
    """Build a scenario on the twins of a seed.

    Args:
        family: name of the scenario family.
        seed: of the twins and of everything sampled.
        changes: what the family changes in the world; None: nothing.
        days: length.
        apps: of the azure2021 twin.
        rate: factor on its calls.
        split_steps: ends of train, valid and test; default 70, 85 and 99 % of the steps on whole tactical intervals.
        world: parameters of the world.
        slo: what counts as a miss.
        objective: prices of the outcome.
        carbon_month: month of the carried carbon profile.
        reference: folder of the reference tables.
        trace: calls instead of those of the azure2021 twin.
        cells: series instead of those of the google2019 twin.
    """
    world = world or World()
    tables = load_tables(reference, world)
    trace = trace or _twin(seed, days, apps, rate)
    steps = days * DAY_S // world.step_s
    fleet, calls, _ = build(seed, tables, world, trace, steps * world.step_us)
    if split_steps is None:
        train, valid, test = (int(steps * share) // world.tactical_steps * world.tactical_steps for share in (0.70, 0.85, 0.99))
        split_steps = (train, valid, test)
    return build_scenario(
        family,
        seed,
        changes=changes or Family(),
        steps=steps,
        split_steps=split_steps,
        world=world,
        slo=slo or Slo(),
        objective=objective or Objective(),
        tables=tables,
        apps=fleet,
        calls=calls,
        cells=cells or twin_cells(seed, reference),
        carbon_mg_per_kwh=profile_carbon(tables, carbon_month, hours_of(steps, world)),
    )


def twin_cells(seed: int, reference: Path = REFERENCE) -> dict[str, CellSeries]:
    """Return the CPU of the twin's Google cells in the local time of their sites (cells.csv of `reference`), by name."""
    cpu = generate_google2019(seed).cpu_ncu
    with (reference / "cells.csv").open(encoding="utf-8", newline="") as handle:
        timezone = {row["cell"]: row["timezone"] for row in csv.DictReader(handle)}
    return {cell: cell_series(np.arange(cpu.shape[1]), cpu[i], timezone[cell]) for i, cell in enumerate(CELLS)}


def _twin(seed: int, days: int, apps: int, rate: float) -> Invocations:
    twin = generate_azure2021(seed, days, apps, rate)
    memory = memory_mb(seed, np.array([text_id(app) for app in twin.app_ids]), MEMORY_MEDIAN_MB, MEMORY_SIGMA)
    return Invocations(twin.app_ids, twin.function_ids, twin.app, twin.function, twin.arrival_us, twin.duration_us, memory)
