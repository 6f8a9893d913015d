"""Small scenarios of any shape, drawn from a seed, for properties of the world. Not here: plain ones (small_worlds.py)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from core.units import SLOT_US
from simulator.conditions import Conditions
from simulator.parameters import Objective, Provisioned, Slo, World
from simulator.places.tables import Tables
from simulator.scenario import Scenario
from simulator.workload import Apps, Calls
from tests.worlds.small_worlds import invent_tables, make_apps, make_calls, make_conditions

CLOUDS = ("aws", "azure", "gcp")
METROS = ("iad", "fra", "nrt")


@dataclass(frozen=True)
class SmallWorld:
    """A scenario and the keyword arguments of one run of it (luck_seed, first_placement, moves, floors, ...)."""

    scenario: Scenario
    run: dict[str, Any]


def draw_small_world(seed: int) -> SmallWorld:
    """Return a random small world: 1-3 clouds, 2-12 placements, 1-6 apps, 0-400 calls in bursts, capacities 0-24, outages, orders."""
    rng = np.random.default_rng(seed)
    tables = draw_tables(rng)
    clock = {
        "step_s": int(rng.choice([15, 15, 15, 20, 60])),
        "tactical_steps": int(rng.integers(5, 40)),
        "timeout_s": float(rng.choice([0.0, 1.5, 30.0, 400.0, 400.0])),
    }
    tables = with_drawn_rules(rng, tables)
    world = World(**clock, provisioned=Provisioned(lead_steps=int(rng.integers(0, 3))))  # type: ignore[arg-type]
    hours = float(rng.uniform(0.3, 3.0))
    steps = int(hours * 3600) // world.step_s
    apps = draw_apps(rng, tables)
    conditions = draw_conditions(rng, tables, world, steps)
    edges = np.unique(np.nonzero(np.diff(conditions.capacity == 0, axis=1))[1] + 1) * SLOT_US
    calls = draw_calls(rng, apps, tables, world, steps, edges)
    placements = len(tables.zones)
    scenario = Scenario(
        id=f"small-{seed}",
        family="small",
        seed=seed,
        steps=steps,
        split_steps=(steps // 2, steps * 3 // 4, steps),
        world=world,
        slo=Slo(floor_ms=int(rng.choice([0, 300, 2000])), factor=float(rng.choice([1.0, 1.5, 3.0]))),
        objective=Objective(),
        tables=tables,
        apps=apps,
        calls=calls,
        conditions=conditions,
        is_allowed=np.ones((len(apps.app_ids), placements), dtype=np.bool_),
    )
    return SmallWorld(scenario, draw_run(rng, scenario))


def with_drawn_rules(rng: Generator, tables: Tables) -> Tables:
    """The tables with random rules of the clouds; every known cloud is drawn, so that fewer clouds move no other draw."""
    mine = [CLOUDS.index(name) for name in tables.clouds]
    billed = [bool(rng.random() < 0.5) for _ in CLOUDS]
    per_function = [str(rng.choice(["function", "app"])) == "function" for _ in CLOUDS]
    dropped = [str(rng.choice(["drop", "redraw"])) == "drop" for _ in CLOUDS]
    minutes = [int(rng.choice([0, 2, 5])) for _ in CLOUDS]
    return replace(
        tables,
        is_cold_start_billed=np.array(billed)[mine],
        is_pool_per_function=np.array(per_function)[mine],
        is_floor_dropped=np.array(dropped)[mine],
        floor_min_billed_min=np.array(minutes, dtype=np.int64)[mine],
    )


def draw_tables(rng: Generator) -> Tables:
    """Invent tables with 2-12 placements; the clouds come in any order and need not be in every metro."""
    clouds = tuple(str(name) for name in rng.permutation(CLOUDS)[: rng.integers(1, 4)])
    metros = METROS[: rng.integers(1, 4)]
    places = [(c, m) for c in range(len(clouds)) for m in range(len(metros))]
    places = sorted(places[i] for i in rng.permutation(len(places))[: rng.integers(1, 5)])
    zones = rng.integers(2 if len(places) == 1 else 1, 4, size=len(places))
    m, r, c = len(metros), len(places), len(clouds)
    egress = rng.integers(0, 150_000, size=(r, r))
    np.fill_diagonal(egress, 0)
    keep_alive_s, cold_s = float(rng.choice([20, 100, 400])), float(rng.choice([1, 9, 30]))
    has_provisioned_duration = np.array([clouds[cloud] == "aws" for cloud, _ in places])
    return invent_tables(
        clouds,
        metros,
        places,
        zones_of_region=[int(n) for n in zones],
        rtt_us=rng.integers(1_000, 400_001, size=(m, r)),
        data_rtt_us=rng.integers(1_000, 400_001, size=(r, r)),
        us_per_kib=rng.integers(14, 200, size=(r, r)),
        egress_nanousd_per_mb=egress,
        inter_zone_nanousd_per_mb=rng.integers(0, 20_001, size=c),
        internet_nanousd_per_mb=rng.integers(50_000, 150_001, size=r),
        request_nanousd=rng.integers(0, 401, size=r),
        usd_per_gb_s=rng.uniform(2e-6, 2e-5, size=r),
        usd_per_vcpu_s=rng.uniform(0, 3e-5, size=r),
        provisioned_usd_per_gb_s=rng.uniform(1e-6, 5e-6, size=r),
        provisioned_usd_per_vcpu_s=rng.uniform(0, 5e-6, size=r),
        provisioned_duration_usd_per_gb_s=np.where(has_provisioned_duration, rng.uniform(1e-6, 1e-5, size=r), np.nan),
        is_pool_per_function=np.ones(c, dtype=np.bool_),
        is_cold_start_billed=np.ones(c, dtype=np.bool_),
        is_floor_dropped=np.ones(c, dtype=np.bool_),
        floor_min_billed_min=np.zeros(c, dtype=np.int64),
        billing_granularity_us=rng.choice([1, 1_000, 100_000], size=c),
        billing_minimum_us=rng.choice([0, 1_000, 100_000], size=c),
        memory_step_mb=rng.choice([0, 128], size=c),
        memory_cap_mb=rng.choice([0, 1536], size=c),
        cold_start_us=np.sort(np.rint(rng.uniform(0.01, 1.0, size=(c, 3, 257)) * cold_s * 1e6).astype(np.int64), axis=2),
        keep_alive_us=np.sort(np.rint(rng.uniform(0.2, 1.5, size=(c, 257)) * keep_alive_s * 1e6).astype(np.int64), axis=1),
        pue=rng.uniform(1.0, 1.3, size=c),
        watts_min=rng.uniform(0.5, 1.0, size=c),
        watts_max=rng.uniform(2.0, 4.5, size=c),
    )


def draw_apps(rng: Generator, tables: Tables) -> Apps:
    """Invent 1-6 apps with 1-4 functions each."""
    count = int(rng.integers(1, 7))
    names = tuple(f"app-{i}" for i in range(count))
    functions = rng.integers(1, 5, size=count)
    return make_apps(
        names,
        [int(n) for n in functions],
        memory_mb=rng.choice([128, 256, 300, 512, 2048, 4096], size=count),
        package=rng.integers(0, 3, size=count),
        payload=rng.integers(0, 3, size=count),
        home=rng.integers(0, len(tables.zones), size=count),
        data_region=rng.integers(0, len(tables.regions), size=count),
        state_bytes=rng.choice([0, 1_000, 10_000_000, 1_000_000_000], size=count),
        vcpu_bound_permille=rng.integers(200, 901, size=count),
        is_global=rng.random(count) < 0.4,
    )


def draw_calls(rng: Generator, apps: Apps, tables: Tables, world: World, steps: int, edges_us: NDArray[np.int64]) -> Calls:
    """Invent 0-400 calls in bursts: ties, whole steps and slots, times just before `edges_us`, durations from 0 to more than a minute."""
    count = int(rng.choice([0, 1, 20, 100, 200, 400]))
    end_us = steps * world.step_us
    bursts = max(1, count // int(rng.integers(1, 30)))
    start = rng.integers(0, end_us, size=bursts)
    grid = rng.choice([1, world.step_us, SLOT_US], size=bursts, p=[0.6, 0.2, 0.2])
    start = start // grid * grid
    if len(edges_us):
        is_near = rng.random(bursts) < 0.3
        start = np.where(is_near, np.minimum(rng.choice(edges_us, size=bursts), end_us) - rng.integers(1, 200_000, size=bursts), start)
    burst = rng.integers(0, bursts, size=count)
    gap = rng.choice([0, 1, 100_000, 5_000_000, 60_000_000], size=count) * rng.integers(0, 4, size=count)
    arrival = np.minimum(start[burst] + gap, end_us - 1)
    app = rng.integers(0, len(apps.app_ids), size=bursts)[burst]
    functions = np.diff(apps.first_function)[app]
    scale = rng.choice([0, 1_000, 200_000, 3_000_000, 70_000_000], size=count, p=[0.1, 0.3, 0.3, 0.25, 0.05])
    metro = tables.metro_of_region[tables.region_of_placement[apps.home]][app]
    return make_calls(
        len(apps.app_ids),
        world,
        app=app,
        arrival_us=arrival,
        duration_us=np.rint(scale * rng.uniform(0.5, 1.5, size=count)),
        function=rng.integers(0, 1 << 30, size=count) % functions,
        bytes_in=rng.choice([0, 4_000, 100_000, 30_000_000], size=count),
        bytes_out=rng.choice([0, 4_000, 300_000], size=count),
        origin=np.where(apps.is_global[app], rng.integers(0, len(tables.metros), size=count), metro),
    )


def draw_conditions(rng: Generator, tables: Tables, world: World, steps: int) -> Conditions:
    """Invent capacities by slot (1 to 24 at most), outages, contention, hourly carbon; the series may end before the trace."""
    slots = max(1, -(-steps * world.step_us // SLOT_US) - int(rng.integers(0, 3)))
    shape = (len(tables.zones), slots)
    capacity = rng.integers(1, int(rng.choice([1, 2, 3, 5, 5, 9, 14, 24])) + 1, size=shape)
    for p in range(shape[0]):
        for _ in range(rng.choice([0, 0, 0, 1, 3])):
            begin = int(rng.integers(0, slots))
            capacity[p, begin : begin + int(rng.integers(1, 4))] = 0
    hours = max(1, steps * world.step_s // 3600)
    return make_conditions(
        capacity,
        slowdown_permille=rng.integers(1_000, 3_001, size=shape),
        carbon_mg_per_kwh=rng.integers(20_000, 800_001, size=(len(tables.regions), hours)),
    )


def draw_run(rng: Generator, scenario: Scenario) -> dict[str, Any]:
    """Invent a run: first placements, moves in clusters, memory sizes, floors, a part of the trace, either kind of capacity."""
    apps, placements = len(scenario.apps.app_ids), len(scenario.tables.zones)
    functions = np.diff(scenario.apps.first_function)
    start = 0 if rng.random() < 0.6 else int(rng.integers(0, scenario.steps // 2))
    end = scenario.steps if rng.random() < 0.6 else int(rng.integers(start + 1, scenario.steps + 1))
    moves: dict[tuple[int, int], int] = {}
    for _ in range(rng.choice([0, 2, 8, 30])):
        step = int(rng.integers(start, end))
        a = int(rng.integers(0, apps))
        for later in range(int(rng.integers(1, 4))):
            if step + later < end:
                moves[step + later, a] = int(rng.integers(0, placements))
    floors: dict[tuple[int, int, int], int] = {}
    for _ in range(rng.choice([0, 3, 20, 60])):
        a = int(rng.integers(0, apps))
        floors[int(rng.integers(start, end)), a, int(rng.integers(0, functions[a]))] = int(rng.choice([0, 1, 1, 2, 4]))
    sizes: dict[tuple[int, int], tuple[int, int]] = {}
    for _ in range(rng.choice([0, 2, 10])):
        key = int(rng.integers(start, end)), int(rng.integers(0, apps))
        sizes[key] = int(rng.choice([128, 512, 512, 3008])), int(rng.integers(500, 2_001))
    return {
        "luck_seed": int(rng.integers(0, 1_000)),
        "first_placement": [int(p) for p in rng.integers(0, placements, size=apps)],
        "moves": [(step, a, p) for (step, a), p in sorted(moves.items())],
        "sizes": [(*key, *size) for key, size in sorted(sizes.items())],
        "floors": [(*key, instances) for key, instances in sorted(floors.items())],
        "duration_factor_permille": None if rng.random() < 0.5 else [int(x) for x in rng.integers(500, 2_001, size=apps)],
        "start_step": start,
        "end_step": end,
        "bucket_us": int(rng.choice([scenario.world.step_us, scenario.world.tactical_us, 3_600_000_000])),
        "is_coupled": bool(rng.random() < 0.7),
    }
