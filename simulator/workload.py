"""Apps and their calls as the world replays them. Not here: utilisation and carbon (simulator/conditions.py), reading traces (tasks).

What a trace lacks (home, data region, payload, package, state, origin of a call) is sampled from counter-based random numbers keyed by the
app's id and by names, so that neither the order of apps, nor that of the reference tables, nor a longer trace moves a draw.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import ParameterError
from simulator.conditions import utc_offsets_min
from simulator.draws import choose
from simulator.places.table_parts import PACKAGES
from simulator.rng import normal, text_id, uniform

if TYPE_CHECKING:
    from simulator.parameters import World
    from simulator.places.tables import Tables

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Int8 = NDArray[np.int8]
UInt64 = NDArray[np.uint64]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

PAYLOADS = ("light", "medium", "heavy")
BYTES_IN_MEDIAN, BYTES_OUT_MEDIAN, BYTES_SIGMA = (4_000, 100_000, 3_000_000), (4_000, 30_000, 300_000), 1.0  # assumed
MEMORY_SIZES_MB, MEMORY_HEADROOM = (128, 256, 512, 1024, 2048, 4096), 1.1  # configured = the least size that holds use x headroom
VCPU_BOUND_PERMILLE = (200, 900)
NIGHT_CALLS, PEAK_HOUR = 0.15, 15  # a metro calls with weight night + max(0, cos) around the peak of its local time
MOST_BYTES = 2**31 - 1
BLOCK = 1 << 16  # calls sampled at once, so that temporaries stay in the cache
# Streams of random numbers (1-3 are the kernel's, 10-12 the staging's).
HOME_CLOUD, HOME_METRO, HOME_ZONE = 20, 21, 22
DATA_ELSEWHERE, DATA_METRO, DATA_OTHER_CLOUD, DATA_CLOUD = 23, 24, 25, 26
PACKAGE, PAYLOAD, STATE, VCPU_BOUND, GLOBAL = 27, 28, 29, 30, 31
BYTES_IN, BYTES_OUT, ORIGIN = 32, 33, 34


@dataclass(frozen=True, eq=False)
class Apps:
    """A apps, sorted by `app_ids`.

    Args:
        app_ids: names of the apps.
        id_base: uint64 [A], upper half of the ids of the app's calls: (text_id(app_id) & 0xFFFFFFFF) << 32.
        memory_mb: int64 [A], configured memory.
        package: int64 [A], 0 small, 1 medium, 2 large.
        payload: int64 [A], 0 light, 1 medium, 2 heavy.
        home: int64 [A], placement where the app lives without a policy.
        data_region: int64 [A], region that holds its data.
        state_bytes: int64 [A], bytes that a move copies.
        vcpu_bound_permille: int64 [A], share of the duration that scales with vCPU.
        is_global: bool [A], callers in all metros (else all in the home metro).
        function_ids: names of the functions, by app, sorted inside an app.
        first_function: int64 [A + 1]; app a owns function_ids[first_function[a]:first_function[a + 1]].
    """

    app_ids: tuple[str, ...]
    id_base: UInt64
    memory_mb: Int64
    package: Int64
    payload: Int64
    home: Int64
    data_region: Int64
    state_bytes: Int64
    vcpu_bound_permille: Int64
    is_global: Bool
    function_ids: tuple[str, ...]
    first_function: Int64


@dataclass(frozen=True, eq=False)
class Calls:
    """N calls sorted by (app, arrival, function, duration); the id of a call is id_base[app] | its position inside the app.

    Args:
        first_call: int64 [A + 1]; app a owns the calls first_call[a]:first_call[a + 1].
        arrival_us, duration_us: int64 [N]; arrival at the client since the start of the trace (Sunday 00:00 UTC).
        function: int32 [N], index inside the app.
        bytes_in, bytes_out: int32 [N], read from the data region, sent to the internet.
        origin: int8 [N], metro of the caller.
        group_step, group_app: int32 [G]; a group is the calls of one app in one step, groups are sorted by (step, app).
        group_first: int64 [G], first call of the group.
        group_calls: int32 [G], how many calls follow, itself included.
    """

    first_call: Int64
    arrival_us: Int64
    duration_us: Int64
    function: Int32
    bytes_in: Int32
    bytes_out: Int32
    origin: Int8
    group_step: Int32
    group_app: Int32
    group_first: Int64
    group_calls: Int32


@dataclass(frozen=True, eq=False)
class Invocations:
    """Calls as a trace has them, in any order.

    Args:
        app_ids: names of all apps; one without a call is kept.
        function_ids: names of the functions, over all apps.
        app, function: int64 [n], index of each call's app and function.
        arrival_us, duration_us: int64 [n], since the start of the scenario (00:00 UTC).
        memory_mb: int64, memory that each app of `app_ids` uses.
        payload: int64, class of each app of `app_ids`, -1: sampled; None: all are sampled.
        draw: int64, which of its equally likely draws of home, data and callers each app of `app_ids` gets; None: the first, 0.
    """

    app_ids: Sequence[str]
    function_ids: Sequence[str]
    app: Int64
    function: Int64
    arrival_us: Int64
    duration_us: Int64
    memory_mb: Int64
    payload: Int64 | None = None
    draw: Int64 | None = None


def build(seed: int, tables: Tables, world: World, trace: Invocations, end_us: int) -> tuple[Apps, Calls, int]:
    """Turn invocations into apps and sorted calls, and draw what the trace lacks.

    Args:
        seed: of the draws.
        tables: names and shares of clouds, metros, zones.
        world: shares of the sampled attributes, length of a step.
        trace: the invocations.
        end_us: a call that arrives here or later, or before 0, is left out.

    Returns:
        Apps, calls, and how many calls were left out.

    Raises:
        ParameterError: a name is listed twice, or an index or a duration is out of range.
    """
    _check(trace)
    inside = np.flatnonzero((trace.arrival_us >= 0) & (trace.arrival_us < end_us))
    order = sorted(range(len(trace.app_ids)), key=trace.app_ids.__getitem__)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    app = place[trace.app[inside]]
    names, first_function, function = _functions(app, trace.function[inside], trace.function_ids, len(order))
    arrival_us, duration_us = trace.arrival_us[inside], trace.duration_us[inside]
    by_time = np.lexsort((duration_us, function, arrival_us, app))
    app, arrival_us, duration_us, function = (x[by_time] for x in (app, arrival_us, duration_us, function))
    first_call = np.searchsorted(app, np.arange(len(order) + 1)).astype(np.int64)
    draw = np.zeros(len(order), dtype=np.int64) if trace.draw is None else trace.draw[order]
    apps = _draw_apps(seed, tables, world, tuple(trace.app_ids[i] for i in order), draw, trace.memory_mb[order], names, first_function)
    if trace.payload is not None:
        given = trace.payload[order]
        apps = dataclasses.replace(apps, payload=np.where(given >= 0, given, apps.payload))
    bytes_in, bytes_out, origin = _draw_calls(seed, tables, world, apps, app, first_call, arrival_us)
    step, group_app, first, counts = _groups(app, arrival_us // world.step_us)
    calls = Calls(
        first_call, arrival_us, duration_us, function.astype(np.int32), bytes_in, bytes_out, origin, step, group_app, first, counts
    )
    return apps, calls, len(trace.app) - len(inside)


def _check(trace: Invocations) -> None:
    """Refuse names that are listed twice and numbers out of range, all faults at once."""
    faults = []
    if len(set(trace.app_ids)) != len(trace.app_ids) or len(trace.memory_mb) != len(trace.app_ids):
        faults.append("app ids must differ and have one memory each")
    for name, values, end in (("app", trace.app, len(trace.app_ids)), ("function", trace.function, len(trace.function_ids))):
        if len(values) and not (values.min() >= 0 and values.max() < end):
            faults.append(f"an index of {name} is not in 0..{end - 1}")
    if len(trace.duration_us) and trace.duration_us.min() < 0:
        faults.append("a duration is negative")
    if faults:
        raise ParameterError("; ".join(faults), where="invocations of the scenario", how="pass canonical invocations")


def _functions(app: Int64, function: Int64, function_ids: Sequence[str], apps: int) -> tuple[tuple[str, ...], Int64, Int64]:
    """Names of the functions that are called, by app and name; where each app's begin, int64 [A + 1]; each call's index inside its app."""
    key = app * np.int64(len(function_ids) or 1) + function
    pairs = np.unique(key)
    owner, code = np.divmod(pairs, np.int64(len(function_ids) or 1))
    texts = [function_ids[i] for i in code.tolist()]
    by_name = sorted(range(len(pairs)), key=lambda i: (owner[i], texts[i]))
    first = np.searchsorted(owner, np.arange(apps + 1)).astype(np.int64)
    index = np.empty(len(pairs), dtype=np.int64)
    index[by_name] = np.arange(len(pairs))
    index -= first[owner]
    return tuple(texts[i] for i in by_name), first, index[np.searchsorted(pairs, key)]


def _draw_apps(
    seed: int, tables: Tables, world: World, app_ids: tuple[str, ...], draw: Int64, use_mb: Int64, functions: tuple[str, ...], first: Int64
) -> Apps:
    """Attributes of the apps, each keyed by the app's id."""
    ids = np.array([text_id(name) for name in app_ids], dtype=np.int64)
    shares = world.workload
    region, data_region, is_global = draw_regions(seed, tables, world, ids + draw)
    home = choose(seed, ids + draw, HOME_ZONE, tables.zones, tables.region_of_placement[None, :] == region[:, None])
    sizes = np.array(MEMORY_SIZES_MB)
    memory = sizes[np.minimum(np.searchsorted(sizes, use_mb * MEMORY_HEADROOM), len(sizes) - 1)]
    state = world.move.state_median_gb * np.exp(world.move.state_sigma * normal(seed, ids, STATE))
    least, most = VCPU_BOUND_PERMILLE
    return Apps(
        app_ids=app_ids,
        id_base=(ids.astype(np.uint64) & np.uint64(0xFFFFFFFF)) << np.uint64(32),
        memory_mb=memory.astype(np.int64),
        package=choose(seed, ids, PACKAGE, PACKAGES, np.array(world.cold_start.package_share)),
        payload=choose(seed, ids, PAYLOAD, PAYLOADS, np.array(shares.payload_share)),
        home=home,
        data_region=data_region,
        state_bytes=np.rint(np.minimum(state, world.move.state_cap_gb) * 1e9).astype(np.int64),
        vcpu_bound_permille=least + np.floor(uniform(seed, ids, VCPU_BOUND) * (most - least + 1)).astype(np.int64),
        is_global=is_global,
        function_ids=functions,
        first_function=first,
    )


def draw_regions(seed: int, tables: Tables, world: World, ids: Int64) -> tuple[Int64, Int64, Bool]:
    """Home region, data region, and whether callers are in all metros, of each app; int64 [A], int64 [A], bool [A].

    A cloud without a region in the metro is never sampled there. Other draws of the same app have the keys `ids` + 1, + 2 and so on.

    Args:
        seed: of the draws.
        tables: names and shares of clouds, metros, regions.
        world: shares of the sampled attributes.
        ids: int64 [A], keys of the draws.
    """
    is_there = tables.region_at >= 0
    cloud = choose(seed, ids, HOME_CLOUD, tables.clouds, tables.home_share_cloud * is_there.any(axis=1))
    metro = choose(seed, ids, HOME_METRO, tables.metros, tables.home_share_metro * is_there[cloud])
    elsewhere = choose(seed, ids, DATA_METRO, tables.metros, is_there[cloud])
    data_metro = np.where(uniform(seed, ids, DATA_ELSEWHERE) < world.workload.data_elsewhere, elsewhere, metro)
    other = choose(seed, ids, DATA_CLOUD, tables.clouds, is_there[:, data_metro].T)
    data_cloud = np.where(uniform(seed, ids, DATA_OTHER_CLOUD) < world.workload.data_other_cloud, other, cloud)
    is_global = uniform(seed, ids, GLOBAL) < world.workload.global_share
    return tables.region_at[cloud, metro], tables.region_at[data_cloud, data_metro], is_global


def _draw_calls(
    seed: int, tables: Tables, world: World, apps: Apps, app: Int64, first_call: Int64, arrival_us: Int64
) -> tuple[Int32, Int32, Int8]:
    """Bytes in, bytes out and origin of each call, keyed by the id of the call."""
    calls = len(app)
    bytes_in, bytes_out = np.empty(calls, dtype=np.int32), np.empty(calls, dtype=np.int32)
    origin = tables.metro_of_region[tables.region_of_placement[apps.home]].astype(np.int8)[app]
    median_in, median_out = np.log(BYTES_IN_MEDIAN)[apps.payload], np.log(BYTES_OUT_MEDIAN)[apps.payload]
    by_hour = callers_by_hour(tables, world)
    for start in range(0, calls, BLOCK):
        part = slice(start, min(start + BLOCK, calls))
        a = app[part]
        ids = apps.id_base[a] | (np.arange(part.start, part.stop) - first_call[a]).astype(np.uint64)
        for out, median, stream in ((bytes_in, median_in, BYTES_IN), (bytes_out, median_out, BYTES_OUT)):
            sampled = np.exp(median[a] + BYTES_SIGMA * normal(seed, ids, stream))
            out[part] = np.minimum(np.rint(sampled), MOST_BYTES)
        roams = np.flatnonzero(apps.is_global[a])
        hour = arrival_us[part][roams] // 3_600_000_000 % 24
        origin[start + roams] = choose(seed, ids[roams], ORIGIN, tables.metros, by_hour[hour])
    return bytes_in, bytes_out, origin


def callers_by_hour(tables: Tables, world: World) -> Float64:
    """Return how much each metro calls a global app: float64 [24 hours UTC, M], its share of homes times its local time of day."""
    offset_h = utc_offsets_min(tables.timezone, world.carbon.start) / 60.0
    local = np.arange(24)[:, None] + offset_h[None, :]
    day = NIGHT_CALLS + np.maximum(0.0, np.cos(2.0 * np.pi * (local - PEAK_HOUR) / 24.0))
    return tables.home_share_metro[None, :] * day


def _groups(app: Int64, step: Int64) -> tuple[Int32, Int32, Int64, Int32]:
    """Runs of calls of one app in one step, sorted by (step, app): step, app, first call, calls."""
    if len(app) == 0:
        none = np.zeros(0, dtype=np.int32)
        return none, none.copy(), np.zeros(0, dtype=np.int64), none.copy()
    first = np.flatnonzero(np.concatenate([[True], (np.diff(app) != 0) | (np.diff(step) != 0)]))
    counts = np.diff(np.append(first, len(app)))
    order = np.argsort(step[first], kind="stable")
    first, counts = first[order].astype(np.int64), counts[order].astype(np.int32)
    return step[first].astype(np.int32), app[first].astype(np.int32), first, counts
