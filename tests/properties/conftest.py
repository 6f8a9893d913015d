"""One scenario of the twin, three days at a fifth of the rate, and a way to build it again with something changed."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from simulator import workload
from simulator.conditions import cell_series, hours_of, profile_carbon
from simulator.parameters import Objective, Slo, World
from simulator.reference import load_tables
from simulator.rng import normal, text_id
from simulator.scenario import Family, Scenario, build_scenario
from simulator.twin import generate_azure2021
from simulator.twin_google import CELLS, generate_google2019

SEED, DAYS, RATE, STEPS = 1, 3, 0.2, 17_280
SPLITS = (12_000, 14_000, 16_000)
BuildTwin = Callable[..., Scenario]


@pytest.fixture(scope="session")
def build_twin(repository: Path) -> BuildTwin:
    """Build the scenario; `folder`: other reference tables, `shuffled`: the trace in another order, `until_us`: only calls before it."""
    trace, google = generate_azure2021(SEED, days=DAYS, rate=RATE), generate_google2019(SEED)
    reference = repository / "data" / "reference"

    def build(
        *, folder: Path = reference, family: Family = "calm", world: World | None = None, shuffled: int = 0, until_us: int | None = None
    ) -> Scenario:
        world = world or World()
        tables = load_tables(folder, world)
        with (folder / "cells.csv").open(encoding="utf-8", newline="") as rows:
            timezone = {row["cell"]: row["timezone"] for row in csv.DictReader(rows)}
        cells = {c: cell_series(np.arange(google.cpu_ncu.shape[1]), google.cpu_ncu[i], timezone[c]) for i, c in enumerate(CELLS)}
        invocations = _invocations(trace, shuffled)
        end_us = STEPS * world.step_us if until_us is None else until_us
        apps, calls, _ = workload.build(SEED, tables, world, invocations, end_us)
        return build_scenario(
            family,
            SEED,
            steps=STEPS,
            split_steps=SPLITS,
            world=world,
            slo=Slo(),
            objective=Objective(),
            tables=tables,
            apps=apps,
            calls=calls,
            cells=cells,
            carbon_mg_per_kwh=profile_carbon(tables, 1, hours_of(STEPS, world)),
        )

    return build


@pytest.fixture(scope="session")
def twin(build_twin: BuildTwin) -> Scenario:
    """The scenario as it is."""
    return build_twin()


def _invocations(trace: workload.Invocations, shuffled: int) -> workload.Invocations:
    """The twin's calls; with `shuffled` apps, functions and calls come in an order drawn from it."""

    def turned(names: Sequence[str], index: np.ndarray) -> tuple[list[str], np.ndarray]:
        order = np.random.default_rng(shuffled).permutation(len(names)) if shuffled else np.arange(len(names))
        return [names[i] for i in order], np.argsort(order)[index]

    app_ids, app = turned(trace.app_ids, trace.app)
    function_ids, function = turned(trace.function_ids, trace.function)
    memory = 154 * np.exp(0.45 * normal(SEED, np.array([text_id(name) for name in app_ids]), 10))
    order = np.random.default_rng(shuffled).permutation(len(app)) if shuffled else np.arange(len(app))
    arrays = (app[order], function[order], trace.arrival_us[order], trace.duration_us[order])
    return workload.Invocations(app_ids, function_ids, *arrays, memory.astype(np.int64))
