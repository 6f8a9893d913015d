"""Small invented scenarios for tests of the world: drawn ones of any shape, and a plain one for hand-made cases. Not here: real tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from core.units import SLOT_US
from simulator.conditions import OUTAGE_PPM, Conditions
from simulator.parameters import Objective, Provisioned, Slo, World
from simulator.places.tables import Tables
from simulator.rng import text_id
from simulator.scenario import Scenario
from simulator.workload import Apps, Calls

CLOUDS = ("aws", "azure", "gcp")
METROS = ("iad", "fra", "nrt")


@dataclass(frozen=True)
class SmallWorld:
    """A scenario and the keyword arguments of one run of it (luck_seed, first_placement, moves, floors, ...)."""

    scenario: Scenario
    run: dict[str, Any]


def draw_small_world(seed: int) -> SmallWorld:
    """Return a random small world: 1-3 clouds, 2-12 placements, 1-6 apps, 0-400 calls in bursts, capacities 0-5, outages, orders."""
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


def invent_tables(
    clouds: tuple[str, ...], metros: tuple[str, ...], places: Sequence[tuple[int, int]], *, zones_of_region: Sequence[int], **values: Any
) -> Tables:
    """Return tables for regions at `places` (cloud, metro); `values` override a plain default and are broadcast to its shape.

    The plain world: 100 ms between regions and 2 ms to the caller, 10 us/KiB, 1,000 nano-USD per 10^6 bytes, 1e-5 USD/GB-s, floors at a
    tenth, 1 ms billing, cold start 1 s, keep-alive 60 s, 1 W idle and 3 W busy per vCPU; rules of the clouds as in
    data/reference.
    """
    c, m, r = len(clouds), len(metros), len(places)
    region = np.repeat(np.arange(r), zones_of_region)
    names = [f"{clouds[cloud]}:{metros[metro]}" for cloud, metro in places]
    region_at = np.full((c, m), -1)
    for index, (cloud, metro) in enumerate(places):
        region_at[cloud, metro] = index
    between = np.ones((r, r), dtype=np.int64) - np.eye(r, dtype=np.int64)
    plain: dict[str, tuple[Any, ArrayLike]] = {  # shape, value
        "rtt_us": ((m, r), 2_000),
        "data_rtt_us": ((r, r), 1_000 + 99_000 * between),
        "us_per_kib": ((r, r), 10),
        "egress_nanousd_per_mb": ((r, r), 1_000 * between),
        "inter_zone_nanousd_per_mb": ((c,), 500),
        "internet_nanousd_per_mb": ((r,), 2_000),
        "request_nanousd": ((r,), 200),
        "usd_per_gb_s": ((r,), 1e-5),
        "usd_per_vcpu_s": ((r,), 0.0),
        "provisioned_usd_per_gb_s": ((r,), 1e-6),
        "provisioned_usd_per_vcpu_s": ((r,), 0.0),
        "provisioned_duration_usd_per_gb_s": ((r,), np.nan),
        "is_pool_per_function": ((c,), [name != "azure" for name in clouds]),
        "is_cold_start_billed": ((c,), [name != "azure" for name in clouds]),
        "is_floor_dropped": ((c,), [name != "gcp" for name in clouds]),
        "floor_min_billed_min": ((c,), [5 if name == "aws" else 0 for name in clouds]),
        "billing_granularity_us": ((c,), 1_000),
        "billing_minimum_us": ((c,), 1_000),
        "memory_step_mb": ((c,), 0),
        "memory_cap_mb": ((c,), 0),
        "cold_start_us": ((c, 3, 257), 1_000_000),
        "keep_alive_us": ((c, 257), 60_000_000),
        "pue": ((c,), 1.0),
        "watts_min": ((c,), 1.0),
        "watts_max": ((c,), 3.0),
    }
    arrays = {name: np.array(np.broadcast_to(values.pop(name, default), shape)) for name, (shape, default) in plain.items()}
    single: dict[str, Any] = {"cpu_busy": 0.5, "memory_w_per_gb": 0.392} | values
    return Tables(
        clouds=clouds,
        metros=metros,
        regions=tuple(names),
        zones=tuple(f"{names[i]}-{n}" for i, zones in enumerate(zones_of_region) for n in range(zones)),
        cloud_of_region=np.array([cloud for cloud, _ in places]),
        metro_of_region=np.array([metro for _, metro in places]),
        region_of_placement=region,
        zone_number=np.concatenate([np.arange(zones) for zones in zones_of_region]),
        cells=tuple("abcdefgh"[p % 8] for p in range(len(region))),
        region_at=region_at,
        **arrays,
        vcpu_memory_mb=tuple(np.array([1024.0]) for _ in clouds),
        vcpu_count=tuple(np.array([1.0]) for _ in clouds),
        **single,
        home_share_cloud=np.full(c, 1 / c),
        home_share_metro=np.full(m, 1 / m),
        timezone=("UTC",) * m,
        continent=("europe",) * m,
        lat=np.zeros(m),
        lon=np.zeros(m),
        carbon_zones=((),) * m,
        carbon_profile_mg_per_kwh=np.full((m, 12, 24), 300_000),
        assumed=(),
    )


def plain_tables(*, zones: int = 1, **values: Any) -> Tables:
    """Return the tables of one aws region in one metro; `values` override the plain ones of `invent_tables`."""
    return invent_tables(("aws",), ("iad",), [(0, 0)], zones_of_region=[zones], **values)


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


def make_apps(app_ids: tuple[str, ...], functions_of_app: Sequence[int], **values: ArrayLike) -> Apps:
    """Return apps of 1024 MB at placement 0 with data in region 0 and 1 MB of state; `values` override and are broadcast."""
    count = len(app_ids)
    plain: dict[str, Any] = {"memory_mb": 1024, "package": 0, "payload": 0, "home": 0, "data_region": 0, "state_bytes": 1_000_000}
    plain |= {"vcpu_bound_permille": 500, "is_global": False}
    return Apps(
        app_ids=app_ids,
        id_base=np.array([(text_id(name) & 0xFFFFFFFF) << 32 for name in app_ids], dtype=np.uint64),
        function_ids=tuple(f"{name}-f{i}" for name, functions in zip(app_ids, functions_of_app, strict=True) for i in range(functions)),
        first_function=np.concatenate([[0], np.cumsum(functions_of_app)]).astype(np.int64),
        **{name: np.array(np.broadcast_to(value, (count,))) for name, value in (plain | values).items()},
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


def make_calls(apps: int, world: World, *, app: ArrayLike, arrival_us: ArrayLike, **values: ArrayLike) -> Calls:
    """Sort calls given in any order and group them by step; `values` (duration_us, function, bytes_in, ...) default to 0."""
    owner, arrival = np.asarray(app, dtype=np.int64), np.asarray(arrival_us, dtype=np.int64)
    types = {"duration_us": np.int64, "function": np.int32, "bytes_in": np.int32, "bytes_out": np.int32, "origin": np.int8}
    arrays = {name: np.array(np.broadcast_to(values.get(name, 0), arrival.shape), dtype=kind) for name, kind in types.items()}
    order = np.lexsort((arrays["duration_us"], arrays["function"], arrival, owner))
    owner, arrival = owner[order], arrival[order]
    groups: dict[tuple[int, int], list[int]] = {}
    for index, key in enumerate(zip((arrival // world.step_us).tolist(), owner.tolist(), strict=True)):
        groups.setdefault(key, []).append(index)
    keys = sorted(groups)
    return Calls(
        first_call=np.searchsorted(owner, np.arange(apps + 1)).astype(np.int64),
        arrival_us=arrival,
        **{name: array[order] for name, array in arrays.items()},
        group_step=np.array([step for step, _ in keys], dtype=np.int32),
        group_app=np.array([a for _, a in keys], dtype=np.int32),
        group_first=np.array([groups[key][0] for key in keys], dtype=np.int64),
        group_calls=np.array([len(groups[key]) for key in keys], dtype=np.int32),
    )


def draw_conditions(rng: Generator, tables: Tables, world: World, steps: int) -> Conditions:
    """Invent capacities by slot (0-5, sometimes up to 20), outages, contention, hourly carbon; the series may end before the trace."""
    slots = max(1, -(-steps * world.step_us // SLOT_US) - int(rng.integers(0, 3)))
    shape = (len(tables.zones), slots)
    capacity = rng.integers(1, int(rng.choice([1, 2, 3, 5, 5, 5, 20])) + 1, size=shape)
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


def make_conditions(capacity: ArrayLike, *, slowdown_permille: ArrayLike = 1_000, carbon_mg_per_kwh: ArrayLike) -> Conditions:
    """Return conditions with these capacities [P, S]; a slot without capacity is an outage."""
    room: NDArray[np.int32] = np.array(capacity, dtype=np.int32)
    return Conditions(
        utilisation_ppm=np.where(room == 0, OUTAGE_PPM, 500_000).astype(np.int32),
        capacity=room,
        slowdown_permille=np.array(np.broadcast_to(slowdown_permille, room.shape), dtype=np.int32),
        carbon_mg_per_kwh=np.array(carbon_mg_per_kwh, dtype=np.int64),
    )


def draw_run(rng: Generator, scenario: Scenario) -> dict[str, Any]:
    """Invent a run: first placements, moves in clusters, floors, a memory law, a part of the trace, either kind of capacity."""
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
    return {
        "luck_seed": int(rng.integers(0, 1_000)),
        "first_placement": [int(p) for p in rng.integers(0, placements, size=apps)],
        "moves": [(step, a, p) for (step, a), p in sorted(moves.items())],
        "floors": [(*key, instances) for key, instances in sorted(floors.items())],
        "duration_factor_permille": None if rng.random() < 0.5 else [int(x) for x in rng.integers(500, 2_001, size=apps)],
        "start_step": start,
        "end_step": end,
        "bucket_us": int(rng.choice([scenario.world.step_us, scenario.world.tactical_us, 3_600_000_000])),
        "is_coupled": bool(rng.random() < 0.7),
    }


def plain_scenario(
    *,
    capacity: Sequence[Sequence[int]],
    calls: Sequence[dict[str, int]],
    steps: int = 40,
    functions_of_app: Sequence[int] = (1,),
    world: World | None = None,
    tables: Tables | None = None,
    apps: dict[str, ArrayLike] | None = None,
    slowdown_permille: ArrayLike = 1_000,
) -> Scenario:
    """Return a scenario of hand-sized numbers.

    One aws region with a zone per row of `capacity` [P, S], the plain world of `invent_tables`, a grid of 360,000 mg/kWh.

    Args:
        capacity: instances by placement and five-minute slot.
        calls: one dict per call with app, arrival_us and what else differs from 0.
        steps: length of the trace.
        functions_of_app: how many functions each app has.
        world: instead of the default parameters.
        tables: instead of the plain ones.
        apps: attributes that differ from `make_apps`.
        slowdown_permille: [P, S] or one number.
    """
    world = world or World()
    tables = tables or plain_tables(zones=len(capacity))
    made = make_apps(tuple(f"app-{i}" for i in range(len(functions_of_app))), functions_of_app, **(apps or {}))
    columns = {name: [call.get(name, 0) for call in calls] for name in ("duration_us", "function", "bytes_in", "bytes_out", "origin")}
    return Scenario(
        id="plain",
        family="small",
        seed=0,
        steps=steps,
        split_steps=(steps, steps, steps),
        world=world,
        slo=Slo(),
        objective=Objective(),
        tables=tables,
        apps=made,
        calls=make_calls(
            len(functions_of_app),
            world,
            app=[call.get("app", 0) for call in calls],
            arrival_us=[call["arrival_us"] for call in calls],
            **columns,
        ),
        conditions=make_conditions(
            capacity, slowdown_permille=slowdown_permille, carbon_mg_per_kwh=np.full((len(tables.regions), 1), 360_000)
        ),
        is_allowed=np.ones((len(functions_of_app), len(capacity)), dtype=np.bool_),
    )


def with_id_base(scenario: Scenario, *ids: int) -> Scenario:
    """Return the scenario with these id bases, to reproduce a call whose id is known."""
    return replace(scenario, apps=replace(scenario.apps, id_base=np.array(ids, dtype=np.uint64)))
