"""A scenario in the layout that the kernel reads, and the state a run begins with. Not here: what is done to it (simulator/fleet.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from core.errors import TrineError
from core.units import NANOUSD_PER_USD
from simulator import kernel, rng
from simulator.places.constants import app_constants
from simulator.places.prices import copy_nanousd_per_mb

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
Slab = tuple[Int64, Int64, NDArray[np.int8]]
COLD_STREAM, KEEP_ALIVE_STREAM, FLOOR_STREAM = 1, 2, 3
FIRST_SIZE = 1024  # of what grows on demand


class _Lasting(NamedTuple):
    """What all runs of a scenario have in common: the static part but for luck and bucket, the first constants, the length of the ring."""

    static: kernel.Static
    constants: Int64
    ring_steps: int


_LASTING: WeakKeyDictionary[Scenario, _Lasting] = WeakKeyDictionary()


def static_of(scenario: Scenario, luck_seed: int, bucket_us: int) -> kernel.Static:
    """Return what a run only reads.

    Args:
        scenario: the world.
        luck_seed: of cold starts and keep-alives.
        bucket_us: width of a bucket of results.

    Raises:
        TrineError: the bucket is no multiple of the step.
    """
    if bucket_us % (step_us := scenario.world.step_us):
        raise TrineError(f"bucket_us {bucket_us} is no multiple of the step", where="Fleet", how=f"use a multiple of {step_us}")
    cold_seed, keep_seed = (rng.mixed_seed(luck_seed, stream) for stream in (COLD_STREAM, KEEP_ALIVE_STREAM))
    return _lasting(scenario).static._replace(cold_seed=cold_seed, keep_seed=keep_seed, bucket_us=bucket_us)


def _lasting(scenario: Scenario) -> _Lasting:
    if scenario not in _LASTING:
        constants = app_constants(scenario, scenario.apps.memory_mb.astype(np.int64))
        _LASTING[scenario] = _Lasting(_static(scenario, constants), constants, ring_steps(scenario))
    return _LASTING[scenario]


def _static(scenario: Scenario, constants: Int64) -> kernel.Static:
    t, world, apps, calls, seen = scenario.tables, scenario.world, scenario.apps, scenario.calls, scenario.conditions
    return kernel.Static(
        first_call=calls.first_call,
        arrival_us=calls.arrival_us,
        duration_us=calls.duration_us,
        function=calls.function,
        bytes_in=calls.bytes_in,
        bytes_out=calls.bytes_out,
        origin=calls.origin,
        group_step=calls.group_step,
        group_app=calls.group_app,
        group_first=calls.group_first,
        group_calls=calls.group_calls,
        id_base=apps.id_base,
        package=apps.package,
        state_bytes=apps.state_bytes,
        data_region=apps.data_region,
        at_home=constants[np.arange(len(apps.app_ids)), t.region_of_placement[apps.home]],
        first_pool=apps.first_function,
        region=t.region_of_placement,
        rtt_us=t.rtt_us,
        cold_start_us=t.cold_start_us,
        keep_alive_us=t.keep_alive_us,
        capacity=seen.capacity,
        slowdown=seen.slowdown_permille,
        outage_end=_outage_ends(seen.capacity),
        carbon=seen.carbon_mg_per_kwh,
        egress=copy_nanousd_per_mb(t),
        copy_rtt_us=t.data_rtt_us,
        copy_us_per_kib=t.us_per_kib,
        step_us=world.step_us,
        timeout_us=world.timeout_us,
        slo_floor_us=scenario.slo.floor_us,
        slo_factor=scenario.slo.factor_permille,
        reject_extra=round(scenario.objective.reject_extra_usd * NANOUSD_PER_USD),
        cold_seed=np.uint64(0),
        keep_seed=np.uint64(0),
        tactical_steps=world.tactical_steps,
        bucket_us=world.step_us,
    )


def state_of(
    scenario: Scenario,
    static: kernel.Static,
    placement: Int64,
    *,
    is_coupled: bool,
    edges: Int64,
    has_histogram: bool,
    is_watched: bool,
    has_steps: bool,
    has_rows: bool,
) -> kernel.State:
    """Return the state of a run that begins with empty pools; see `Fleet` for what is chosen."""
    apps, pools, places = len(scenario.apps.app_ids), int(static.first_pool[-1]), len(static.region)
    buckets = -(-scenario.steps * static.step_us // static.bucket_us)
    accounts, lasting = places if is_coupled else apps, _lasting(scenario)
    return kernel.State(
        place=np.asarray(placement, dtype=np.int64).copy(),
        target=np.full(apps, -1, dtype=np.int64),
        switch_step=np.zeros(apps, dtype=np.int64),
        constants=lasting.constants.copy(),
        pools=np.zeros((pools, 4), dtype=np.int64),
        slab_size=np.zeros(apps, dtype=np.int64),
        floor=np.zeros(pools, dtype=np.int64),
        next_switch=np.full(1, kernel.NEVER, dtype=np.int64),
        granted=np.zeros(pools, dtype=np.int64),
        has_risen=np.zeros(pools, dtype=np.bool_),
        units=np.zeros((pools, most_floored(scenario), 2), dtype=np.int64),
        units_known=np.zeros(pools, dtype=np.int64),
        alive=np.zeros(accounts, dtype=np.int64),
        limit=np.zeros(accounts, dtype=np.int64),
        ring=np.zeros((lasting.ring_steps, accounts), dtype=np.int32),
        out=np.zeros((apps, buckets, kernel.FIELDS), dtype=np.int64),
        binding=np.zeros((apps, -(-scenario.steps // scenario.world.tactical_steps)), dtype=np.uint8),
        histogram=np.zeros((apps, buckets, len(edges) + 1) if has_histogram else (0, 0, 0), dtype=np.int32),
        open_calls=np.zeros((FIRST_SIZE if has_steps else 0, 6), dtype=np.int64),
        opened=np.zeros(1, dtype=np.int64),
        window=np.zeros((kernel.WINDOW_STEPS, apps, kernel.STEP_FIELDS) if has_steps else (0, 0, 0), dtype=np.int64),
        rows=np.zeros((FIRST_SIZE + apps if has_rows else 0, 2 + kernel.STEP_FIELDS), dtype=np.int64),
        rows_known=np.zeros(1, dtype=np.int64),
        up_before=np.zeros(apps, dtype=np.int64),
        nothing_idle=np.zeros(len(scenario.calls.arrival_us) if has_rows else 0, dtype=np.bool_),
        short=np.zeros(1, dtype=np.int64),
        total=np.zeros((apps, kernel.FIELDS) if is_watched else (0, 0), dtype=np.int64),
        peak=np.zeros(apps if is_watched else 0, dtype=np.int64),
        edges=edges,
        on_place=np.zeros(places, dtype=np.int64),
        most_calls=np.zeros(places, dtype=np.int64),
        rank=np.zeros(places, dtype=np.int64),
        free=np.zeros(places, dtype=np.int64),
        standing=np.zeros(accounts, dtype=np.int64),
        held=np.zeros(accounts, dtype=np.int64),
        calls_of_pool=np.zeros(pools, dtype=np.int64),
        next_of_app=np.zeros(FIRST_SIZE if has_steps else 0, dtype=np.int64),
        first_of_app=np.full(apps, -1, dtype=np.int64),
        top=np.zeros(1, dtype=np.int64),
    )


def grown(state: kernel.State, slab: Slab) -> tuple[kernel.State, Slab]:
    """Return state and slab with twice the space where `state.short` says so."""
    short = int(state.short[0])
    if short & kernel.SLAB:
        slab = slab_of(2 * len(slab[0]), slab)
    if short & kernel.OPEN_CALLS:
        longer = np.concatenate([state.open_calls, np.zeros_like(state.open_calls)])
        state = state._replace(open_calls=longer, next_of_app=np.zeros(len(longer), dtype=np.int64))
    if short & kernel.ROWS:
        state = state._replace(rows=np.concatenate([state.rows, np.zeros_like(state.rows)]))
    return state, slab


def calls_of(static: kernel.Static, only: NDArray[np.bool_]) -> kernel.Static:
    """Return the same with the calls of some apps (bool [A]) alone."""
    kept = only[static.group_app]
    groups = {name: getattr(static, name)[kept] for name in ("group_step", "group_app", "group_first", "group_calls")}
    return static._replace(**groups)


def slab_of(size: int, old: Slab | None = None) -> Slab:
    """Space for `size` instances: free_at, expiry, warming; with the content of an older, smaller slab."""
    free_at, expiry, warming = np.empty(size, np.int64), np.empty(size, np.int64), np.zeros(size, np.int8)
    if old:
        used = len(old[0])
        free_at[:used], expiry[:used], warming[:used] = old
    return free_at, expiry, warming


def _outage_ends(capacity: NDArray[np.int32]) -> NDArray[np.int32]:
    """First slot after the outage that begins at a slot, int32 [P, S]; 0 where none begins. One that never ends, ends after all."""
    is_out = capacity == 0
    ends = np.zeros_like(capacity)
    for p in np.flatnonzero(is_out.any(axis=1)):
        edges = np.diff(np.concatenate([[False], is_out[p], [False]]).astype(np.int8))
        begins, after = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        ends[p, begins] = np.where(after == capacity.shape[1], np.iinfo(np.int32).max, after)
    return ends


def floor_seeds(scenario: Scenario, luck_seed: int) -> NDArray[np.uint64]:
    """Mixed seeds of the draws of floor instances, uint64 [A, 2]: keep-alive, launch."""
    seeds = np.uint64(luck_seed) ^ (scenario.apps.id_base >> np.uint64(32))
    return np.stack([rng.mixed_seeds(seeds, stream) for stream in (KEEP_ALIVE_STREAM, FLOOR_STREAM)], axis=1)


def most_floored(scenario: Scenario) -> int:
    """Most instances that floors may keep at one placement: a quarter of its capacity; at least 1, so that arrays have a size."""
    return max(1, int(scenario.conditions.capacity.max(initial=0)) // 4)


def ring_steps(scenario: Scenario) -> int:
    """Length of the ring of ends: the longest time from a call's step to the end of its instance, as a power of two of steps."""
    t, world, calls = scenario.tables, scenario.world, scenario.calls
    longest = int(calls.duration_us.max(initial=0)) * int(scenario.conditions.slowdown_permille.max(initial=1000)) // 1000
    fetch = int(t.data_rtt_us.max(initial=0)) + int(calls.bytes_in.max(initial=0)) * int(t.us_per_kib.max(initial=0)) // 1024
    around = int(t.cold_start_us.max(initial=0)) + int(t.keep_alive_us.max(initial=0)) + world.timeout_us + int(t.rtt_us.max(initial=0))
    stretch = 16  # memory below the configured one may stretch a duration
    lead = world.provisioned.lead_steps * world.step_us
    return 1 << ((longest * stretch + fetch + around + lead) // world.step_us + 4).bit_length()
