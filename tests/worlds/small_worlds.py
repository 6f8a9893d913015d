"""Small invented scenarios for tests of the world: sampled ones of any shape, a plain one for hand-made cases. Not here: real tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.conditions import OUTAGE_PPM, Conditions
from simulator.parameters import Objective, Slo, World
from simulator.places.tables import Tables
from simulator.rng import text_id
from simulator.scenario import Scenario
from simulator.workload import Apps, Calls


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


def make_conditions(capacity: ArrayLike, *, slowdown_permille: ArrayLike = 1_000, carbon_mg_per_kwh: ArrayLike) -> Conditions:
    """Return conditions with these capacities [P, S]; a slot without capacity is an outage."""
    instances: NDArray[np.int32] = np.array(capacity, dtype=np.int32)
    return Conditions(
        utilisation_ppm=np.where(instances == 0, OUTAGE_PPM, 500_000).astype(np.int32),
        capacity=instances,
        slowdown_permille=np.array(np.broadcast_to(slowdown_permille, instances.shape), dtype=np.int32),
        carbon_mg_per_kwh=np.array(carbon_mg_per_kwh, dtype=np.int64),
    )


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
