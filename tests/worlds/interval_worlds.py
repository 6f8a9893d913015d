"""Small worlds in which only a few intervals are decided, and what the programme chooses there. Not here: the tests."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.baselines.knowledge import move_cost_usd
from models.baselines.programme import best_schedule
from simulator.control.counterfactual import objective_table
from simulator.control.loop import run
from simulator.objective import objective_usd
from simulator.parameters import Objective, Slo, World
from simulator.scenario import Scenario
from tests.worlds.drawn_worlds import draw_apps, draw_tables
from tests.worlds.small_worlds import make_calls, make_conditions

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
STEP_US = 15_000_000
SLOT_STEPS = 20  # of five minutes
STEPS = 100  # of an interval, as in the twins


def draw_world(seed: int, *, steps: int = STEPS, is_exact: bool = False, is_late: bool = False, is_short: bool = False) -> Scenario:
    """Draw a world of 2-3 placements and 3-4 intervals of `steps`, with congestion and capacity by slot, and random calls.

    `is_late`: calls arrive after the switch of a move, from 3 steps after the start of an interval on; else from its start on.
    `is_short`: all that calls leave behind has ended before the next interval; else calls arrive at any time and instances live on.
    `is_exact`: both, so that what an interval costs depends on where the app is in it and on nothing before.
    """
    is_late, is_short = is_late or is_exact, is_short or is_exact
    rng = np.random.default_rng(seed)
    tables = draw_tables(rng)
    while not 2 <= len(tables.zones) <= 3:
        tables = draw_tables(rng)
    keep_alive_s, cold_s = (40 if is_short else 10 * steps), 9  # less than an interval
    tables = dataclasses.replace(
        tables,
        keep_alive_us=np.sort(rng.integers(1, keep_alive_s * 10**6, tables.keep_alive_us.shape), axis=-1),
        cold_start_us=np.sort(rng.integers(1, cold_s * 10**6, tables.cold_start_us.shape), axis=-1),
    )
    world = World(tactical_steps=steps, timeout_s=20)
    apps = draw_apps(rng, tables)
    apps = dataclasses.replace(apps, state_bytes=rng.choice([0, 1_000, 10_000_000], len(apps.app_ids)))
    intervals, count = int(rng.integers(3, 5)), int(rng.integers(30, 120)) * steps // SLOT_STEPS
    app = rng.integers(0, len(apps.app_ids), count)
    first, last = (3 if is_late else 0) * STEP_US, (steps - 11 if is_short else steps) * STEP_US
    arrival = rng.integers(0, intervals, count) * steps * STEP_US + rng.integers(first, last, count)
    calls = make_calls(
        len(apps.app_ids),
        world,
        app=app,
        arrival_us=arrival,
        duration_us=rng.integers(0, 20_000_000, count),
        function=rng.integers(0, 1 << 20, count) % np.diff(apps.first_function)[app],
        bytes_in=rng.choice([0, 100_000, 3_000_000], count),
        bytes_out=rng.choice([0, 100_000], count),
    )
    shape = (len(tables.zones), intervals * steps // SLOT_STEPS + 1)
    conditions = make_conditions(
        rng.choice([0, 1, 2, 5, 9, 9], shape),
        slowdown_permille=rng.integers(1_000, 3_001, shape),
        carbon_mg_per_kwh=rng.integers(20_000, 800_001, (len(tables.regions), 1)),
    )
    fence = rng.random((len(apps.app_ids), shape[0])) < 0.8
    fence[np.arange(len(fence)), apps.home] = True
    end = intervals * steps
    objective = Objective(miss_usd=1e-5)
    return Scenario("drawn", "small", 0, end, (end, end, end), world, Slo(), objective, tables, apps, calls, conditions, fence)


def replayed(scenario: Scenario, policy: Any) -> Float64:
    """Objective of every app when nobody shares anything, USD, float64 [A]."""
    fleet = run(scenario, policy, 5, "all", is_coupled=False)
    return objective_usd(fleet.out.sum(axis=1), scenario.objective)


def by_programme(scenario: Scenario) -> tuple[Int64, Float64]:
    stay, fresh = (objective_table(scenario, 5, "all", is_fresh=is_fresh) for is_fresh in (False, True))
    return best_schedule(stay, fresh, move_cost_usd(scenario), scenario.is_allowed)
