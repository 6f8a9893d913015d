"""The event kernel of the world: every call of a fleet, in integers. Not here: tables, scenarios, policies (simulator/fleet.py calls this).

One file, though long: numba's cache of compiled code notices a change in the file of the compiled function only, not in what it imports.

A pool keeps its busy instances in a binary heap and its idle ones on a stack, both ordered by (free_at, expiry), in one region of a
slab: the heap at the region's start, the stack at its end with the newest idle instance on top. What expired below the top is dropped
when it comes up; the capacity it held was given back on time, because `ring` counts, per barrier and account, the instances that end there.
An account is what shares capacity: a placement in the coupled world, an app alone in the uncoupled one. What is alive in it is counted all
the time; which of it is idle, and so would yield, is counted only where that decides: above the capacity, or where a grant may bind.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

SLOT_US, HOUR_US = 300_000_000, 3_600_000_000
FIELDS = 20
(CALLS, SERVED, REJECTED, COLD_STARTS, MISSES, WAITED, WAIT_US, LATENCY_US, EXCESS_US, COST, EGRESS, CARBON, IDLE_CARBON) = range(13)
(FLOOR, MOVE, MOVES, REJECT, BUSY_US, BILLED_US, ENERGY) = range(13, FIELDS)

# Columns of `constants` [app, region]: what one call of the app costs there.
CONSTANTS = 21
(PRICE, PROVISIONED, REQUEST, BUSY_UW, IDLE_UW, DATA_RTT, US_PER_KIB, EGRESS_IN, EGRESS_OUT, GRANULARITY, MINIMUM) = range(11)
(COLD_BILLED, CLOUD, BY_FUNCTION, DURATION_FACTOR, FLOOR_PRICE, BILLED_STEPS, IS_DROP, LEAD_US, MEMORY_MB, MILLI_VCPU) = range(
    11, CONSTANTS
)

START, SIZE, BUSY, IDLE = range(4)  # columns of `pools`
WARMING, KEPT = 1, 2  # bits of `warming`: launched for a floor and not used yet; kept by a floor since the last barrier
UNIT_END, PAID_UNTIL = range(2)  # last axis of `units`
REACHED, BEGAN, ENDS, OF_APP, OF_MB, OF_MILLI_VCPU = range(6)  # columns of `open_calls`
# Last axis of `window`: what an app did in a step. Counts by arrival; instances at its end; the most memory of calls that ran at once; us.
WINDOW_STEPS, STEP_FIELDS = 12, 9
(STEP_CALLS, STEP_WAITED, STEP_REJECTED, STEP_NOTHING_IDLE, STEP_UP, STEP_WORKING, STEP_MEMORY_MB, STEP_WAIT_US, STEP_VCPU_US) = range(9)
SLAB, OPEN_CALLS, ROWS = 1, 2, 4  # bits of `short`
HAS_CALLS, IS_BINDING = 1, 2  # bits of `binding`
NEVER = np.int64(1 << 62)

# Without reference counting (nothing here allocates): counting the arrays of `Static` and `State` at every call cost half of the time.
compiled = njit(cache=True, error_model="numpy", _nrt=False)
# For what is called once per group of calls: handing over the arrays of `Static` and `State` one by one would cost more than the work.
inlined = njit(cache=True, error_model="numpy", _nrt=False, inline="always")

_A, _B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class Static(NamedTuple):
    """What a run only reads. A apps, N calls, G groups, P placements, R regions, S slots, h hours, C clouds, M metros, Q pools."""

    first_call: np.ndarray  # int64 [A + 1]
    arrival_us: np.ndarray  # int64 [N]
    duration_us: np.ndarray  # int64 [N]
    function: np.ndarray  # int32 [N]
    bytes_in: np.ndarray  # int32 [N]
    bytes_out: np.ndarray  # int32 [N]
    origin: np.ndarray  # int8 [N]
    group_step: np.ndarray  # int32 [G]
    group_app: np.ndarray  # int32 [G]
    group_first: np.ndarray  # int64 [G]
    group_calls: np.ndarray  # int32 [G]
    id_base: np.ndarray  # uint64 [A]
    package: np.ndarray  # int64 [A]
    state_bytes: np.ndarray  # int64 [A]
    data_region: np.ndarray  # int64 [A]
    at_home: np.ndarray  # int64 [A, CONSTANTS], constants of the home region with the configured memory
    first_pool: np.ndarray  # int64 [A + 1]
    region: np.ndarray  # int64 [P]
    rtt_us: np.ndarray  # int64 [M, R]
    cold_start_us: np.ndarray  # int64 [C, 3, 257]
    keep_alive_us: np.ndarray  # int64 [C, 257]
    capacity: np.ndarray  # int32 [P, S]
    slowdown: np.ndarray  # int32 [P, S]
    outage_end: np.ndarray  # int32 [P, S]: first slot after the outage that begins at this slot, else 0
    carbon: np.ndarray  # int64 [R, h]
    egress: np.ndarray  # int64 [R, R], nano-USD per 10^6 bytes; inside a region the price between zones
    copy_rtt_us: np.ndarray  # int64 [R, R]
    copy_us_per_kib: np.ndarray  # int64 [R, R]
    step_us: int
    timeout_us: int
    slo_floor_us: int
    slo_factor: int  # permille
    reject_extra: int  # nano-USD
    cold_seed: np.uint64  # luck seed and stream 1 mixed
    keep_seed: np.uint64  # luck seed and stream 2 mixed
    tactical_steps: int
    bucket_us: int


class State(NamedTuple):
    """What a run changes. The slab (free_at, expiry, warming) is handed over apart, because it grows."""

    place: np.ndarray  # int64 [A]
    target: np.ndarray  # int64 [A], -1: no move pending
    switch_step: np.ndarray  # int64 [A]
    constants: np.ndarray  # int64 [A, R, CONSTANTS]
    pools: np.ndarray  # int64 [Q, 4]
    slab_size: np.ndarray  # int64 [A]: instances that the app's pools have space for in the slab
    floor: np.ndarray  # int64 [Q]: wanted
    next_switch: np.ndarray  # int64 [1]: step of the next end of a copy
    granted: np.ndarray  # int64 [Q]: floor as of the last barrier
    has_risen: np.ndarray  # bool [Q]: the pool has had a floor
    units: np.ndarray  # int64 [Q, n, 2]: billed units of the places in the floor, the granted ones first, then those that were given up
    units_known: np.ndarray  # int64 [Q]: how many there are
    alive: np.ndarray  # int64 [accounts]; what a move or a new memory size left behind counts while it is busy
    limit: np.ndarray  # int64 [accounts]: capacity in the running slot
    ring: np.ndarray  # int32 [2^n, accounts]
    out: np.ndarray  # int64 [A, buckets, FIELDS]
    binding: np.ndarray  # uint8 [A, tactical intervals]
    histogram: np.ndarray  # int32 [A, buckets, bins], or of size 0
    open_calls: np.ndarray  # int64 [n, 6]: calls that wait or run at the barrier, or of size 0
    opened: np.ndarray  # int64 [1]: how many there are
    window: np.ndarray  # int64 [n, A, STEP_FIELDS]: the last steps, step k at k mod n, or of size 0
    rows: np.ndarray  # int64 [n, 2 + STEP_FIELDS]: step, app and what is in the window, where something happened, or of size 0
    rows_known: np.ndarray  # int64 [1]: how many there are
    up_before: np.ndarray  # int64 [A]: instances up in the app's last row
    nothing_idle: np.ndarray  # bool [N]: calls that found no idle instance, or of size 0
    short: np.ndarray  # int64 [1]: what must grow before the next step
    total: np.ndarray  # int64 [A, FIELDS]: `out` summed over its buckets, or of size 0
    peak: np.ndarray  # int64 [A]: most instances alive at the end of a step since it was last set, or of size 0
    edges: np.ndarray  # int64 [bins - 1]: upper edges of the latency bins, us
    on_place: np.ndarray  # int64 [P]: scratch
    most_calls: np.ndarray  # int64 [P]: scratch
    rank: np.ndarray  # int64 [P]: scratch
    free: np.ndarray  # int64 [P]: scratch
    standing: np.ndarray  # int64 [accounts]: scratch
    held: np.ndarray  # int64 [accounts]: scratch
    calls_of_pool: np.ndarray  # int64 [Q]: scratch
    next_of_app: np.ndarray  # int64 [n]: scratch, as long as open_calls
    first_of_app: np.ndarray  # int64 [A]: scratch, -1
    top: np.ndarray  # int64 [1]: end of the used slab


@compiled
def _div(x, divisor):
    """Return x // divisor for x >= 0: unsigned, so that a constant divisor costs a multiplication and no correction of signs."""
    return np.int64(np.uint64(x) // np.uint64(divisor))


@compiled
def _quotient(x, divisor, inverse):
    """Return x // divisor for 0 <= x < 2^52, exactly, without a division (`inverse` is 1 / divisor)."""
    q = np.int64(x * inverse)
    rest = x - q * divisor
    return q - 1 if rest < 0 else q + 1 if rest >= divisor else q


@compiled
def mixed(word, start):
    """Return the hash of `word` (uint64) under a mixed seed and stream; simulator/rng.py has the same for arrays."""
    x = word * _A + start
    x ^= x >> np.uint64(30)
    x *= _A
    x ^= x >> np.uint64(27)
    x *= _B
    return x ^ (x >> np.uint64(31))


@compiled
def draw(table, word):
    """Return the quantile of a 257-point table at a hash, linear between points, us."""
    j = np.int64(word >> np.uint64(56))
    f = np.int64((word >> np.uint64(40)) & np.uint64(0xFFFF))
    return table[j] + (((table[j + 1] - table[j]) * f) >> 16)


@compiled
def _push(free_at, expiry, warming, s, n, f, e, w):
    """Add an instance to the heap of n at s."""
    i = n
    while i > 0:
        up = (i - 1) >> 1
        if free_at[s + up] < f or (free_at[s + up] == f and expiry[s + up] <= e):
            break
        free_at[s + i], expiry[s + i], warming[s + i] = free_at[s + up], expiry[s + up], warming[s + up]
        i = up
    free_at[s + i], expiry[s + i], warming[s + i] = f, e, w


@compiled
def _replace_first(free_at, expiry, warming, s, n, f, e, w):
    """Put an instance in the place of the smallest of the heap of n at s."""
    i = 0
    while True:
        j = 2 * i + 1
        if j >= n:
            break
        i1, i2 = s + j, s + j + 1
        if j + 1 < n and (free_at[i2] < free_at[i1] or (free_at[i2] == free_at[i1] and expiry[i2] < expiry[i1])):
            j += 1
        if f < free_at[s + j] or (f == free_at[s + j] and e <= expiry[s + j]):
            break
        free_at[s + i], expiry[s + i], warming[s + i] = free_at[s + j], expiry[s + j], warming[s + j]
        i = j
    free_at[s + i], expiry[s + i], warming[s + i] = f, e, w


@compiled
def _pop(free_at, expiry, warming, s, n):
    """Remove the smallest of the heap of n at s (the caller has read it)."""
    last = s + n - 1
    _replace_first(free_at, expiry, warming, s, n - 1, free_at[last], expiry[last], warming[last])


@compiled
def _settle(free_at, expiry, warming, pools, q, t):
    """Move the instances that are free by t from the heap to the stack, in order."""
    s, size, n, m = pools[q, START], pools[q, SIZE], pools[q, BUSY], pools[q, IDLE]
    while n > 0 and free_at[s] <= t:
        f, e, w = free_at[s], expiry[s], warming[s]
        _pop(free_at, expiry, warming, s, n)
        n -= 1
        i = s + size - m - 1  # may be the cell that the heap just left
        m += 1
        while i + 1 < s + size and (free_at[i + 1] > f or (free_at[i + 1] == f and expiry[i + 1] > e)):
            free_at[i], expiry[i], warming[i] = free_at[i + 1], expiry[i + 1], warming[i + 1]
            i += 1
        free_at[i], expiry[i], warming[i] = f, e, w
    pools[q, BUSY], pools[q, IDLE] = n, m


@compiled
def _take_idle(free_at, expiry, warming, pools, q, i):
    """Remove the instance at slab index i from the stack of pool q."""
    top = pools[q, START] + pools[q, SIZE] - pools[q, IDLE]
    while i > top:
        free_at[i], expiry[i], warming[i] = free_at[i - 1], expiry[i - 1], warming[i - 1]
        i -= 1
    pools[q, IDLE] -= 1


@compiled
def _grow_pool(free_at, expiry, warming, pools, q, slab_size, top, a):
    """Give pool q twice its size at the end of the slab (the caller made sure that it fits)."""
    s, old, n, m = pools[q, START], pools[q, SIZE], pools[q, BUSY], pools[q, IDLE]
    new = 2 * old if old > 0 else 2
    to = top[0]
    for i in range(n):
        free_at[to + i], expiry[to + i], warming[to + i] = free_at[s + i], expiry[s + i], warming[s + i]
    for i in range(1, m + 1):
        j, k = to + new - i, s + old - i
        free_at[j], expiry[j], warming[j] = free_at[k], expiry[k], warming[k]
    top[0] += new
    slab_size[a] += new - old
    pools[q, START], pools[q, SIZE] = to, new


@compiled
def _opening(w, p, slot):
    """Capacity of placement p in a slot; in an outage, that of the first slot after it (0: it never ends)."""
    while slot < w.capacity.shape[1] - 1 and w.capacity[p, slot] == 0:
        slot += 1
    return np.int64(w.capacity[p, slot])


@inlined
def _book(o, calls, rejected, cold_starts, misses, waited, wait_us, latency_us, excess_us, cost, egress,
          carbon, idle_carbon, reject, busy_us, billed_us, energy):  # fmt: skip
    """Add the sums of the calls of one app in one step to a row of results."""
    o[CALLS] += calls
    o[SERVED] += calls - rejected
    o[REJECTED] += rejected
    o[COLD_STARTS] += cold_starts
    o[MISSES] += misses
    o[WAITED] += waited
    o[WAIT_US] += wait_us
    o[LATENCY_US] += latency_us
    o[EXCESS_US] += excess_us
    o[COST] += cost
    o[EGRESS] += egress
    o[CARBON] += carbon
    o[IDLE_CARBON] += idle_carbon
    o[REJECT] += reject
    o[BUSY_US] += busy_us
    o[BILLED_US] += billed_us
    o[ENERGY] += energy


@compiled
def _add_idle(out, total, a, b, uj, ng):
    """Add the energy and carbon of an idle period to bucket b of an app, and to its total where that is kept."""
    out[a, b, ENERGY] += uj
    out[a, b, CARBON] += ng
    out[a, b, IDLE_CARBON] += ng
    if total.size:
        total[a, ENERGY] += uj
        total[a, CARBON] += ng
        total[a, IDLE_CARBON] += ng


@compiled
def _book_idle(carbon, bucket_us, out, total, a, r, idle_uw, begin, end):
    """Energy and carbon of an idle period, in the bucket and hour of its beginning."""
    uj = idle_uw * (end - begin) // 1_000_000
    ng = uj * carbon[r, min(begin // HOUR_US, carbon.shape[1] - 1)] // 3_600_000
    _add_idle(out, total, a, min(begin // bucket_us, out.shape[1] - 1), uj, ng)


@compiled
def _end_at(ring, alive, step_us, account, k, old, new):
    """Let an instance that would end at `old` end at `new`; k is the last barrier that was passed."""
    mask = ring.shape[0] - 1
    before, after = (old + step_us - 1) // step_us, (new + step_us - 1) // step_us
    if before > k:
        ring[before & mask, account] -= 1
        if after > k:
            ring[after & mask, account] += 1
        else:
            alive[account] -= 1


@compiled
def _kill(ring, alive, step_us, pools, free_at, expiry, q, account, k, begin, end, since):
    """An outage [begin, end) ends the instances of a pool that are or become idle in it; those that had ended by `since` stay ended."""
    s, size = pools[q, START], pools[q, SIZE]
    n, m = pools[q, BUSY], pools[q, IDLE]
    for j in range(n + m):
        i = s + j if j < n else s + size - m + (j - n)
        death = max(free_at[i], begin)
        if free_at[i] < end and death < expiry[i] and since < expiry[i]:
            _end_at(ring, alive, step_us, account, k, expiry[i], death)
            expiry[i] = death


# Inlined although it is rare: a call that hands over `w` and `state` in the loop of `_serve` costs 7 % there.
@inlined
def _pass_outage(w, state, free_at, expiry, p, q, account, k, slot, t0, arrival):
    """When the outage ends that a call meets in `slot` at t0, and whether the call may wait so long; then what is idle in it ends."""
    capacity = w.capacity[p]
    last_slot = capacity.shape[0] - 1
    after = slot
    while after <= last_slot and capacity[after] == 0:
        after += 1
    t = after * SLOT_US
    may_wait = after <= last_slot and t - t0 <= w.timeout_us
    if may_wait:
        begin = slot
        while begin > 0 and capacity[begin - 1] == 0:
            begin -= 1
        _kill(state.ring, state.alive, w.step_us, state.pools, free_at, expiry, q, account, k, begin * SLOT_US, t, arrival)
    return t, may_wait


@inlined
def _find_idle(w, out, total, free_at, expiry, warming, pools, q, a, r, idle_uw, arrival, t):
    """Slab index of the newest instance that is idle at t, else the end of the stack; and of the first freed by t before dropping others.

    What no call to come can reach is dropped and its idle period booked.
    """
    end = pools[q, START] + pools[q, SIZE]
    j = end - pools[q, IDLE]
    while j < end and free_at[j] > t:  # freed for a call that is handled earlier and starts later
        j += 1
    behind = j
    while j < end and expiry[j] <= t:
        if expiry[j] <= arrival:  # no call to come can reach it
            if expiry[j] > free_at[j]:
                _book_idle(w.carbon, w.bucket_us, out, total, a, r, idle_uw, free_at[j], expiry[j])
            _take_idle(free_at, expiry, warming, pools, q, j)
            behind += 1
        j += 1
    return j, behind


@compiled
def _count_running(warming, pools, q, behind):
    """Instances of pool q that serve calls: busy, or freed after the call (they lie before `behind`), and not being warmed."""
    running = np.int64(0)
    s, top = pools[q, START], pools[q, START] + pools[q, SIZE] - pools[q, IDLE]
    for x in range(s, s + pools[q, BUSY]):
        running += (warming[x] & WARMING) == 0
    for x in range(top, behind):
        running += (warming[x] & WARMING) == 0
    return running


@compiled
def _find_warming(free_at, expiry, warming, pools, q, behind):
    """Slab index of the instance that is being warmed and is ready first, -1: none."""
    pick, pick_f, pick_e = np.int64(-1), NEVER, NEVER
    s, top = pools[q, START], pools[q, START] + pools[q, SIZE] - pools[q, IDLE]
    for x in range(s, s + pools[q, BUSY]):
        if warming[x] & WARMING and (free_at[x] < pick_f or (free_at[x] == pick_f and expiry[x] < pick_e)):
            pick, pick_f, pick_e = x, free_at[x], expiry[x]
    for x in range(top, behind):
        if warming[x] & WARMING and (free_at[x] < pick_f or (free_at[x] == pick_f and expiry[x] < pick_e)):
            pick, pick_f, pick_e = x, free_at[x], expiry[x]
    return pick


@compiled
def _find_next_free(free_at, expiry, pools, q, behind):
    """Slab index of the instance that is free first, busy or freed after the call, -1: none."""
    pick, pick_f, pick_e = np.int64(-1), NEVER, NEVER
    s = pools[q, START]
    if pools[q, BUSY] > 0:
        pick, pick_f, pick_e = s, free_at[s], expiry[s]
    x = behind - 1
    if x >= s + pools[q, SIZE] - pools[q, IDLE] and (free_at[x] < pick_f or (free_at[x] == pick_f and expiry[x] < pick_e)):
        pick = x
    return pick


@compiled
def _take(free_at, expiry, warming, pools, q, x):
    """Remove the instance at slab index x from the heap or the stack of pool q."""
    s = pools[q, START]
    if x >= s + pools[q, BUSY]:
        _take_idle(free_at, expiry, warming, pools, q, x)
    elif x == s:
        _pop(free_at, expiry, warming, s, pools[q, BUSY])
        pools[q, BUSY] -= 1
    else:
        _remove(free_at, expiry, warming, s, pools, q, x)


@compiled
def _reject_charge(home, bytes_in, duration, extra):
    """Charge of a rejected call, nano-USD: `extra`, and twice its execution at home, warm and without contention."""
    work = home[DATA_RTT] + bytes_in * home[US_PER_KIB] // 1024 + duration
    billed = max(home[MINIMUM], (work + home[GRANULARITY] - 1) // home[GRANULARITY] * home[GRANULARITY])
    return extra + 2 * ((billed * home[PRICE] + 500_000) // 1_000_000)


@compiled
def _bin_of(edges, latency):
    """Index of the first bin whose upper edge is not below a latency."""
    low, high = 0, edges.shape[0]
    while low < high:
        mid = (low + high) >> 1
        if latency <= edges[mid]:
            high = mid
        else:
            low = mid + 1
    return low


@compiled
def _open(open_calls, opened, reached, began, ends, app, memory_mb, milli_vcpu):
    """Note a call that was served: when it reached its placement, when it began and ends to run, and what it takes while it runs."""
    row = open_calls[opened[0]]
    row[REACHED], row[BEGAN], row[ENDS], row[OF_APP], row[OF_MB], row[OF_MILLI_VCPU] = reached, began, ends, app, memory_mb, milli_vcpu
    opened[0] += 1


@inlined
def _serve(w, state, free_at, expiry, warming, a, p, account, k, first, calls, grant):
    """Serve the calls of one app in one step; returns how many instances were created.

    The slab must have space for 4 * (slab_size[a] + calls) + 4 more instances.
    """
    pools, out, total = state.pools, state.out, state.total
    r = w.region[p]
    c = state.constants[a, r]
    cold_table, keep_table = w.cold_start_us[c[CLOUD], w.package[a]], w.keep_alive_us[c[CLOUD]]
    capacity, slowdown, carbon = w.capacity[p], w.slowdown[p], w.carbon[r]
    data_carbon = w.carbon[w.data_region[a]]
    last_slot, last_hour = capacity.shape[0] - 1, carbon.shape[0] - 1
    mask = state.ring.shape[0] - 1
    step_us, per_step = w.step_us, 1.0 / w.step_us
    granularity, per_granule, minimum = c[GRANULARITY], 1.0 / c[GRANULARITY], c[MINIMUM]
    rtt_us = w.rtt_us
    bucket = min(k * step_us // w.bucket_us, out.shape[1] - 1)
    bucket_from = bucket * w.bucket_us
    bucket_to = bucket_from + w.bucket_us if bucket < out.shape[1] - 1 else NEVER
    # Fields of a named tuple that are read in the loop would be reference-counted there: they become locals.
    arrival_us, duration_us, function, origin = w.arrival_us, w.duration_us, w.function, w.origin
    bytes_in, bytes_out, ring, alive, floors = w.bytes_in, w.bytes_out, state.ring, state.alive, state.granted
    has_risen = state.has_risen
    histogram, edges, home = state.histogram, state.edges, w.at_home[a]
    timeout_us, slo_floor, slo_factor, bucket_us = w.timeout_us, w.slo_floor_us, w.slo_factor, w.bucket_us
    cold_seed, keep_seed = w.cold_seed, w.keep_seed
    first_pool, first_call, id_base = w.first_pool[a], w.first_call[a], w.id_base[a]
    created = 0
    cold_starts = misses = waited = rejected = wait_sum = latency_sum = excess_sum = cost = egress = carbon_sum = idle_sum = np.int64(0)
    reject_cost = busy_sum = billed_sum = energy = nothing_idle = np.int64(0)
    is_binding, is_metered, is_noted = False, state.window.size > 0, state.nothing_idle.size > 0
    for i in range(first, first + calls):
        duration = duration_us[i]
        rtt = rtt_us[origin[i], r]
        arrival = arrival_us[i]
        t0 = arrival + (rtt >> 1)
        t = t0
        slot = min(_div(t, SLOT_US), last_slot)
        q = first_pool + (function[i] if c[BY_FUNCTION] else 0)
        served = True
        if capacity[slot] == 0:
            is_binding = True
            t, served = _pass_outage(w, state, free_at, expiry, p, q, account, k, slot, t0, arrival)
        word = id_base + np.uint64(i - first_call)
        cold = np.int64(0)
        te = t
        price = c[PRICE]
        old_end, idle_from = np.int64(-1), np.int64(-1)
        newest = np.int64(-1)
        floor, running = np.int64(0), np.int64(0)
        n = pools[q, BUSY]
        if n > 0 and t == t0 and floors[q] == 0:
            x, m = pools[q, START], pools[q, IDLE]
            is_only = free_at[x] <= t < expiry[x] and (n < 2 or free_at[x + 1] > t) and (n < 3 or free_at[x + 2] > t)
            if is_only and (m == 0 or free_at[x + pools[q, SIZE] - m] < free_at[x]):
                newest = x
        if newest >= 0:  # of the heap it alone is idle, and it is younger than the stack: it would go there, be taken and come back
            idle_from, old_end = free_at[newest], expiry[newest]
        elif served:
            if pools[q, BUSY] and free_at[pools[q, START]] <= t:
                _settle(free_at, expiry, warming, pools, q, t)
            end = pools[q, START] + pools[q, SIZE]
            j, behind = _find_idle(w, out, total, free_at, expiry, warming, pools, q, a, r, c[IDLE_UW], arrival, t)
            floor = floors[q]
            if floor > 0:
                running = _count_running(warming, pools, q, behind)
            if j < end:
                idle_from, old_end = free_at[j], expiry[j]
                _take_idle(free_at, expiry, warming, pools, q, j)
            else:
                may_grow = created < grant
                pick = np.int64(-1)
                if may_grow:
                    cold = draw(cold_table, mixed(word, cold_seed))
                    if has_risen[q]:  # a pool that never had a floor warms nothing up; else only what is being warmed may be waited for
                        pick = _find_warming(free_at, expiry, warming, pools, q, behind)
                        if pick >= 0:
                            ready = free_at[pick]
                            is_in_time = ready - t < cold and ready - t0 <= timeout_us
                            if not (is_in_time and capacity[min(ready // SLOT_US, last_slot)] > 0):
                                pick = np.int64(-1)
                else:
                    pick = _find_next_free(free_at, expiry, pools, q, behind)
                if pick >= 0:
                    cold = np.int64(0)
                    te = free_at[pick]
                    is_binding = is_binding or not may_grow
                    if te - t0 > timeout_us or capacity[min(te // SLOT_US, last_slot)] == 0:
                        served = False
                    else:
                        old_end = expiry[pick]
                        _take(free_at, expiry, warming, pools, q, pick)
                elif not may_grow:
                    served = False
                    is_binding = True
                else:
                    created += 1
                    cold_starts += 1
        if idle_from < 0:
            nothing_idle += 1
            if is_noted:
                state.nothing_idle[i] = True
        if not served:
            rejected += 1
            misses += 1
            excess_sum += timeout_us
            reject_cost += _reject_charge(home, bytes_in[i], duration, w.reject_extra)
            continue
        if idle_from >= 0:  # its idle period ends; most begin in the bucket of the call
            uj = _div(c[IDLE_UW] * (te - idle_from), 1_000_000)
            ng = _div(uj * carbon[min(_div(idle_from, HOUR_US), last_hour)], 3_600_000)
            if bucket_from <= idle_from < bucket_to:
                energy += uj
                carbon_sum += ng
                idle_sum += ng
            else:
                _add_idle(out, total, a, min(idle_from // bucket_us, out.shape[1] - 1), uj, ng)
        if floor > running and old_end >= 0:  # served by a provisioned instance
            price = c[PROVISIONED]
        # execution
        fetch = c[DATA_RTT] + (bytes_in[i] * c[US_PER_KIB] >> 10)
        execution = duration * slowdown[min(_div(te, SLOT_US), last_slot)]
        execution = _div(execution, 1000) if c[DURATION_FACTOR] == 1000 else _div(execution * c[DURATION_FACTOR], 1_000_000)
        work = fetch + execution
        busy = cold + work
        f = te + busy
        e = f + draw(keep_table, mixed(word, keep_seed))
        # the instance
        if newest >= 0:
            _replace_first(free_at, expiry, warming, newest, n, f, e, 0)
        else:
            if pools[q, BUSY] + pools[q, IDLE] == pools[q, SIZE]:
                _grow_pool(free_at, expiry, warming, pools, q, state.slab_size, state.top, a)
            _push(free_at, expiry, warming, pools[q, START], pools[q, BUSY], f, e, 0)
            pools[q, BUSY] += 1
        if old_end >= 0:
            ring[_quotient(old_end + step_us - 1, step_us, per_step) & mask, account] -= 1
        else:
            alive[account] += 1
        ring[_quotient(e + step_us - 1, step_us, per_step) & mask, account] += 1
        # what it costs
        wait = te - t0
        latency = rtt + wait + busy
        if wait > 0:
            waited += 1
            wait_sum += wait
        latency_sum += latency
        if latency > duration:
            excess_sum += latency - duration
        if latency > slo_floor + _div(duration * slo_factor, 1000):
            misses += 1
        billed = work + cold if c[COLD_BILLED] else work
        billed = max(minimum, _quotient(billed + granularity - 1, granularity, per_granule) * granularity)
        billed_sum += billed
        cost += c[REQUEST] + _div(billed * price + 500_000, 1_000_000)
        hour = min(_div(te, HOUR_US), last_hour)
        egress += _div(bytes_in[i] * c[EGRESS_IN] + bytes_out[i] * c[EGRESS_OUT], 1_000_000)
        uj = _div(c[BUSY_UW] * busy, 1_000_000)
        energy += uj
        here = carbon[hour]
        carbon_sum += _div(uj * here, 3_600_000)
        carbon_sum += _div(bytes_in[i] * ((here + data_carbon[hour]) >> 1) + bytes_out[i] * here, 1_000_000)
        busy_sum += busy
        if is_metered:
            _open(state.open_calls, state.opened, t0, te, f, a, c[MEMORY_MB], c[MILLI_VCPU])
        if histogram.size:
            histogram[a, bucket, _bin_of(edges, latency)] += 1
    _book(out[a, bucket], calls, rejected, cold_starts, misses, waited, wait_sum, latency_sum, excess_sum, cost, egress,
          carbon_sum, idle_sum, reject_cost, busy_sum, billed_sum, energy)  # fmt: skip
    if total.size:
        _book(total[a], calls, rejected, cold_starts, misses, waited, wait_sum, latency_sum, excess_sum, cost, egress,
              carbon_sum, idle_sum, reject_cost, busy_sum, billed_sum, energy)  # fmt: skip
    if is_metered:
        row = state.window[k % state.window.shape[0], a]
        row[STEP_CALLS], row[STEP_WAITED], row[STEP_REJECTED], row[STEP_NOTHING_IDLE] = calls, waited, rejected, nothing_idle
    state.binding[a, k // w.tactical_steps] |= HAS_CALLS | (IS_BINDING if is_binding else 0)
    return created


@compiled
def _alive(pools, expiry, begin, end, t):
    """Count the instances of the pools [begin, end) that live beyond `t`."""
    n = 0
    for q in range(begin, end):
        s, size, busy, idle = pools[q, START], pools[q, SIZE], pools[q, BUSY], pools[q, IDLE]
        for j in range(busy + idle):
            n += expiry[s + j if j < busy else s + size - idle + (j - busy)] > t
    return n


@compiled
def _remove(free_at, expiry, warming, s, pools, q, x):
    """Remove the instance at slab index x from the heap of pool q: rebuild it (floors only)."""
    n = pools[q, BUSY] - 1
    free_at[x], expiry[x], warming[x] = free_at[s + n], expiry[s + n], warming[s + n]
    for i in range(1, n):  # insert one by one into the heap before it
        _push(free_at, expiry, warming, s, i, free_at[s + i], expiry[s + i], warming[s + i])
    pools[q, BUSY] = n


@compiled
def _close(w, state, free_at, expiry, warming, a, p, account, k, is_released):
    """Close the pools of an app at p and book every idle period to its end; what is busy holds its place while it is, or `is_released`."""
    r, now = w.region[p], k * w.step_us
    for q in range(w.first_pool[a], w.first_pool[a + 1]):
        s, size = state.pools[q, START], state.pools[q, SIZE]
        n, m = state.pools[q, BUSY], state.pools[q, IDLE]
        for j in range(n + m):
            i = s + j if j < n else s + size - m + (j - n)
            if expiry[i] > free_at[i]:
                _book_idle(w.carbon, w.bucket_us, state.out, state.total, a, r, state.constants[a, r, IDLE_UW], free_at[i], expiry[i])
            _end_at(
                state.ring,
                state.alive,
                w.step_us,
                account,
                k,
                expiry[i],
                now if is_released or warming[i] & WARMING else max(now, free_at[i]),
            )
        state.pools[q, BUSY] = 0
        state.pools[q, IDLE] = 0


@compiled
def _order(free_at, expiry, warming, pools, q):
    """Mend heap and stack of a pool after expiries were changed (they order ties)."""
    s = pools[q, START]
    for i in range(1, pools[q, BUSY]):
        _push(free_at, expiry, warming, s, i, free_at[s + i], expiry[s + i], warming[s + i])
    end = s + pools[q, SIZE]
    top = end - pools[q, IDLE]
    for x in range(end - 2, top - 1, -1):
        f, e, mark = free_at[x], expiry[x], warming[x]
        i = x
        while i + 1 < end and (free_at[i + 1] > f or (free_at[i + 1] == f and expiry[i + 1] > e)):
            free_at[i], expiry[i], warming[i] = free_at[i + 1], expiry[i + 1], warming[i + 1]
            i += 1
        free_at[i], expiry[i], warming[i] = f, e, mark


@compiled
def _bill_floor(out, total, bucket_us, step_us, price, a, k, steps):
    """Book a number of instance steps of a floor at barrier k; `price`: fUSD per us."""
    amount = (steps * step_us * price + 500_000) // 1_000_000
    out[a, min(k * step_us // bucket_us, out.shape[1] - 1), FLOOR] += amount
    if total.size:
        total[a, FLOOR] += amount


@compiled
def _swap_units(units, q, i, j):
    """Exchange two billed units of pool q."""
    end, paid = units[q, i, UNIT_END], units[q, i, PAID_UNTIL]
    units[q, i, UNIT_END], units[q, i, PAID_UNTIL] = units[q, j, UNIT_END], units[q, j, PAID_UNTIL]
    units[q, j, UNIT_END], units[q, j, PAID_UNTIL] = end, paid


@compiled
def _rest_of_units(units, q, granted, k):
    """Instance steps after barrier k that are not paid yet of the running units of pool q's places."""
    steps = np.int64(0)
    for i in range(granted):
        steps += max(0, units[q, i, UNIT_END] - max(k, units[q, i, PAID_UNTIL]))
    return steps


@compiled
def _steps_to_bill(units, units_known, q, unit, before, granted, k):
    """Instance steps that pool q pays at barrier k when its floor goes from `before` to `granted` places.

    A place is billed in whole units of `unit` steps from the barrier at which it was taken; 0: by step. The place whose unit ends first is
    given up first, and the rest of its unit is paid then; a place that is taken again is the one that is paid for longest.
    """
    if unit == 0:
        return granted
    known, steps = units_known[q], np.int64(0)
    for held in range(before, granted, -1):  # given up
        pick = 0
        for i in range(1, held):
            if units[q, i, UNIT_END] < units[q, pick, UNIT_END] or (
                units[q, i, UNIT_END] == units[q, pick, UNIT_END] and units[q, i, PAID_UNTIL] < units[q, pick, PAID_UNTIL]
            ):
                pick = i
        steps += max(0, units[q, pick, UNIT_END] - max(k, units[q, pick, PAID_UNTIL]))
        units[q, pick, PAID_UNTIL] = units[q, pick, UNIT_END]
        _swap_units(units, q, pick, held - 1)
    i = min(before, granted)
    while i < known:  # units of places given up that are over
        if units[q, i, UNIT_END] <= k:
            known -= 1
            _swap_units(units, q, i, known)
        else:
            i += 1
    for held in range(before, granted):  # taken, again where a unit is paid
        if held < known:
            pick = held
            for i in range(held + 1, known):
                if units[q, i, UNIT_END] > units[q, pick, UNIT_END]:
                    pick = i
            _swap_units(units, q, pick, held)
        else:
            units[q, held, UNIT_END], units[q, held, PAID_UNTIL] = k, k
            known += 1
    units_known[q] = known
    for i in range(granted):
        if units[q, i, UNIT_END] == k:
            units[q, i, UNIT_END] = k + unit
        if units[q, i, PAID_UNTIL] <= k:
            units[q, i, PAID_UNTIL] = k + 1
            steps += 1
    return steps


@compiled
def _next(free_at, expiry, warming, pools, q, now, is_latest, kinds):
    """Slab index of the instance with the smallest (or largest) (expiry, free_at) that no floor keeps yet; -1: none.

    `kinds`: 0 any, 1 only what is idle at `now`, 2 only what is idle or has been launched for a floor and not used.
    """
    s, size, n, m = pools[q, START], pools[q, SIZE], pools[q, BUSY], pools[q, IDLE]
    best = np.int64(-1)
    for j in range(n + m):
        i = s + j if j < n else s + size - m + (j - n)
        if warming[i] & KEPT or (kinds and free_at[i] > now and (kinds == 1 or not warming[i] & WARMING)):
            continue
        if best >= 0:
            is_smaller = expiry[i] < expiry[best] or (expiry[i] == expiry[best] and free_at[i] < free_at[best])
            is_equal = expiry[i] == expiry[best] and free_at[i] == free_at[best]
            if is_equal or is_smaller == is_latest:
                continue
        best = i
    return best


@compiled
def _drop_expired(w, state, free_at, expiry, warming, a, q, r, now):
    """Drop and book what has expired on the stack of pool q, once all that is idle at `now` is on it."""
    pools = state.pools
    _settle(free_at, expiry, warming, pools, q, now)
    for j in range(pools[q, START] + pools[q, SIZE] - pools[q, IDLE], pools[q, START] + pools[q, SIZE]):
        if expiry[j] <= now:
            if expiry[j] > free_at[j]:
                _book_idle(w.carbon, w.bucket_us, state.out, state.total, a, r, state.constants[a, r, IDLE_UW], free_at[j], expiry[j])
            _take_idle(free_at, expiry, warming, pools, q, j)


@compiled
def _release(w, state, free_at, expiry, warming, a, q, r, account, k, surplus, seed):
    """Let `surplus` instances of pool q go that its floor no longer keeps: they end, or get a life of their own."""
    c, pools, now = state.constants[a, r], state.pools, k * w.step_us
    for x in range(pools[q, START], pools[q, START] + pools[q, SIZE]):
        warming[x] &= WARMING
    for x in range(surplus):
        i = _next(free_at, expiry, warming, pools, q, now, False, 2 if c[IS_DROP] else 1)
        if i < 0:
            break
        if c[IS_DROP]:
            _end_at(state.ring, state.alive, w.step_us, account, k, expiry[i], now)
            if now > free_at[i]:
                _book_idle(w.carbon, w.bucket_us, state.out, state.total, a, r, c[IDLE_UW], free_at[i], now)
            _take(free_at, expiry, warming, pools, q, i)
        else:
            end = now + draw(w.keep_alive_us[c[CLOUD]], mixed(np.uint64(k * 65536 + x), seed))
            _end_at(state.ring, state.alive, w.step_us, account, k, expiry[i], end)
            expiry[i] = end
            warming[i] |= KEPT  # drawn: not again


@compiled
def _keep(ring, alive, step_us, pools, free_at, expiry, warming, q, account, k, granted):
    """Keep `granted` instances of pool q, those that would live longest, to the next barrier but one; returns how many of them are idle."""
    now, until = k * step_us, (k + 2) * step_us
    s, size, idle = pools[q, START], pools[q, SIZE], np.int64(0)
    for x in range(s, s + size):
        warming[x] &= WARMING
    for _ in range(granted):
        i = _next(free_at, expiry, warming, pools, q, now, True, 0)
        if i < 0:
            break
        if expiry[i] < until:
            _end_at(ring, alive, step_us, account, k, expiry[i], until)
            expiry[i] = until
        warming[i] |= KEPT
        idle += free_at[i] <= now
    _order(free_at, expiry, warming, pools, q)
    return idle


@compiled
def _launch(w, state, free_at, expiry, warming, a, p, q, account, k, ident, seeds):
    """Launch one instance for the floor of pool q at barrier k, and keep it."""
    pools, c = state.pools, state.constants[a, w.region[p]]
    word = np.uint64(k * 65536 + ident)
    ready = k * w.step_us + max(draw(w.cold_start_us[c[CLOUD], w.package[a]], mixed(word, seeds[1])), c[LEAD_US])
    end = max(ready + draw(w.keep_alive_us[c[CLOUD]], mixed(word, seeds[0])), (k + 2) * w.step_us)
    if pools[q, BUSY] + pools[q, IDLE] == pools[q, SIZE]:
        _grow_pool(free_at, expiry, warming, pools, q, state.slab_size, state.top, a)
    _push(free_at, expiry, warming, pools[q, START], pools[q, BUSY], ready, end, WARMING | KEPT)
    pools[q, BUSY] += 1
    state.alive[account] += 1
    state.ring[((end + w.step_us - 1) // w.step_us) & (state.ring.shape[0] - 1), account] += 1


@compiled
def _floor_at(floor, first_pool, constants, r, a, q):
    """The floor that is wanted of pool q of app a in region r; a pool that does not exist there has none."""
    return floor[q] if q == first_pool[a] or constants[a, r, BY_FUNCTION] else np.int64(0)


@compiled
def _settle_floors(w, state, free_at, expiry, warming, floored, seeds, k, is_coupled):
    """Bring every pool to its floor at barrier k, and bill the step. `floored`, `seeds`: see `advance`.

    First, floors that stand keep their places, and those that fall are released. Then those that rise share, in order of app and pool, what
    is left of a quarter of the capacity, and what is missing is launched; neither lifts what is busy, warming or kept above the capacity.
    """
    standing, held, granted = state.standing, state.held, state.granted
    for x in range(len(floored)):
        account = state.place[floored[x, 0]] if is_coupled else floored[x, 0]
        standing[account], held[account] = 0, -1
    for x in range(len(floored)):
        a, q = floored[x, 0], floored[x, 1]
        p, before = state.place[a], granted[q]
        if before > 0:
            account, stays = p if is_coupled else a, min(before, _floor_at(state.floor, w.first_pool, state.constants, w.region[p], a, q))
            standing[account] += stays
            _drop_expired(w, state, free_at, expiry, warming, a, q, w.region[p], k * w.step_us)
            surplus = min(before, state.pools[q, BUSY] + state.pools[q, IDLE]) - stays
            if surplus > 0:
                _release(w, state, free_at, expiry, warming, a, q, w.region[p], account, k, surplus, seeds[a, 0])
            _keep(state.ring, state.alive, w.step_us, state.pools, free_at, expiry, warming, q, account, k, stays)
    ident, last_app = 0, -1
    for x in range(len(floored)):
        a, q = floored[x, 0], floored[x, 1]
        ident, last_app = ident if a == last_app else 0, a
        ident = _raise_floor(w, state, free_at, expiry, warming, a, q, k, ident, seeds[a], is_coupled)


@compiled
def _raise_floor(w, state, free_at, expiry, warming, a, q, k, ident, seeds, is_coupled):
    """Let the floor of pool q rise as far as its zone allows, launch what is missing, bill the step; returns the app's launches so far."""
    p, pools, before, held = state.place[a], state.pools, state.granted[q], state.held
    account, r = p if is_coupled else a, w.region[p]
    wanted = _floor_at(state.floor, w.first_pool, state.constants, r, a, q)
    granted = min(before, wanted)
    limit = state.limit[account]
    if (wanted > before or pools[q, BUSY] + pools[q, IDLE] < granted) and held[account] < 0:
        spare = _spare_at(w, state, free_at, expiry, warming, p, -1 if is_coupled else a, 0, 0, k)
        held[account] = state.alive[account] - spare
    rise = min(wanted - granted, limit // 4 - state.standing[account], limit - held[account]) if wanted > before else np.int64(0)
    if rise > 0:
        _drop_expired(w, state, free_at, expiry, warming, a, q, r, k * w.step_us)
        idle = _keep(state.ring, state.alive, w.step_us, state.pools, free_at, expiry, warming, q, account, k, granted)
        granted += rise
        held[account] += _keep(state.ring, state.alive, w.step_us, state.pools, free_at, expiry, warming, q, account, k, granted) - idle
        state.standing[account] += rise
        state.has_risen[q] = True
    while pools[q, BUSY] + pools[q, IDLE] < granted and held[account] < limit:
        _launch(w, state, free_at, expiry, warming, a, p, q, account, k, ident, seeds)
        held[account] += 1
        ident += 1
    state.granted[q] = granted
    steps = _steps_to_bill(state.units, state.units_known, q, state.constants[a, r, BILLED_STEPS], before, granted, k)
    if steps > 0:
        _bill_floor(state.out, state.total, w.bucket_us, w.step_us, state.constants[a, r, FLOOR_PRICE], a, k, steps)
    return ident


@compiled
def _spare(free_at, expiry, warming, pools, calls, begin, end, now):
    """Instances of pools [begin, end) that are idle at `now`, that no floor keeps and `calls` (of each pool; set to 0) cannot wake."""
    found = np.int64(0)
    for q in range(begin, end):
        s, size, n, m = pools[q, START], pools[q, SIZE], pools[q, BUSY], pools[q, IDLE]
        idle = np.int64(0)
        for j in range(n + m):
            i = s + j if j < n else s + size - m + (j - n)
            idle += free_at[i] <= now < expiry[i] and not warming[i] & KEPT
        found += max(0, idle - calls[q])
        calls[q] = 0
    return found


# Inlined: handing over the arrays of `w` and `state` would cost more than the work.
@inlined
def _spare_at(w, state, free_at, expiry, warming, p, app, begin, end, k):
    """Instances at p (of one app, or all: -1) that are idle at barrier k, that no floor keeps and the groups [begin, end) cannot wake."""
    first, last = (app, app + 1) if app >= 0 else (0, len(state.place))
    for x in range(begin, end):
        a = w.group_app[x]
        if state.place[a] == p and first <= a < last:
            by_function = state.constants[a, w.region[p], BY_FUNCTION]
            for i in range(w.group_first[x], w.group_first[x] + w.group_calls[x]):
                state.calls_of_pool[w.first_pool[a] + (w.function[i] if by_function else 0)] += 1
    found = np.int64(0)
    for a in range(first, last):
        if state.place[a] == p:
            calls = state.calls_of_pool
            found += _spare(free_at, expiry, warming, state.pools, calls, w.first_pool[a], w.first_pool[a + 1], k * w.step_us)
    return found


@compiled
def _yield_idle(w, state, free_at, expiry, warming, p, app, account, k):
    """End the longest-idle instances at p (of one app, or all: -1) that no floor keeps, while its account is above its capacity."""
    pools, now = state.pools, k * w.step_us
    first, last = (app, app + 1) if app >= 0 else (0, len(state.place))
    while state.alive[account] > state.limit[account]:
        pick, owner, pool = np.int64(-1), np.int64(-1), np.int64(-1)
        for a in range(first, last):
            if state.place[a] != p:
                continue
            for q in range(w.first_pool[a], w.first_pool[a + 1]):
                if pools[q, BUSY] + pools[q, IDLE] == 0:
                    continue
                _settle(free_at, expiry, warming, pools, q, now)
                bottom = pools[q, START] + pools[q, SIZE] - 1
                for i in range(bottom, bottom - pools[q, IDLE], -1):
                    if free_at[i] > now:
                        break
                    if expiry[i] <= now or warming[i] & KEPT:
                        continue
                    if pick < 0 or free_at[i] < free_at[pick] or (free_at[i] == free_at[pick] and expiry[i] < expiry[pick]):
                        pick, owner, pool = i, a, q
                    break
        if pick < 0:
            return
        _end_at(state.ring, state.alive, w.step_us, account, k, expiry[pick], now)
        if now > free_at[pick]:
            r = w.region[p]
            _book_idle(w.carbon, w.bucket_us, state.out, state.total, owner, r, state.constants[owner, r, IDLE_UW], free_at[pick], now)
        _take_idle(free_at, expiry, warming, pools, pool, pick)


@compiled
def _read_limits(capacity, limit, place, now, is_coupled):
    """Note the capacity of every account in the slot of a time."""
    slot = min(now // SLOT_US, capacity.shape[1] - 1)
    for x in range(len(limit)):
        limit[x] = capacity[x if is_coupled else place[x], slot]


@compiled
def _leave(w, state, free_at, expiry, warming, a, k, is_coupled):
    """Close the pools of an app at barrier k and end their floors; the rest of their running units is billed."""
    p, now = state.place[a], k * w.step_us
    account, r, slot = p if is_coupled else a, w.region[p], now // SLOT_US
    is_out = now % SLOT_US == 0 and slot < w.outage_end.shape[1] and w.outage_end[p, slot] > 0
    for q in range(w.first_pool[a], w.first_pool[a + 1]):
        if is_out:
            _kill(
                state.ring, state.alive, w.step_us, state.pools, free_at, expiry, q, account, k, now, w.outage_end[p, slot] * SLOT_US, now
            )
        steps = _rest_of_units(state.units, q, state.granted[q], k) if state.constants[a, r, BILLED_STEPS] else 0
        if steps > 0:
            _bill_floor(state.out, state.total, w.bucket_us, w.step_us, state.constants[a, r, FLOOR_PRICE], a, k, steps)
        state.granted[q] = 0
        state.units_known[q] = 0
    _close(w, state, free_at, expiry, warming, a, p, account, k, not is_coupled)


@compiled
def leave_sizes(w, state, free_at, expiry, warming, is_changed, k, is_coupled):
    """Close the pools of apps (bool [A]) that get another memory size at barrier k; the caller changes `state.constants` afterwards."""
    for a in range(len(is_changed)):
        if is_changed[a]:
            _leave(w, state, free_at, expiry, warming, a, k, is_coupled)


@compiled
def _arrive(w, state, free_at, expiry, warming, k, is_coupled):
    """Reach barrier k: capacity of what ended is free again, copied apps switch. An outage that begins here acts once its step begins."""
    row = state.ring[k & (state.ring.shape[0] - 1)]
    for x in range(len(row)):
        state.alive[x] -= row[x]
        row[x] = 0
    if k < state.next_switch[0]:
        return
    state.next_switch[0] = NEVER
    for a in range(len(state.place)):
        if state.target[a] < 0:
            continue
        if state.switch_step[a] > k:
            state.next_switch[0] = min(state.next_switch[0], state.switch_step[a])
            continue
        _leave(w, state, free_at, expiry, warming, a, k, is_coupled)
        state.place[a] = state.target[a]
        state.target[a] = -1
    if not is_coupled:
        _read_limits(w.capacity, state.limit, state.place, k * w.step_us, is_coupled)


@compiled
def _begin_outages(w, state, free_at, expiry, k, is_coupled):
    """The outages that begin at barrier k, where a slot begins, end the instances of the apps there; doing it twice changes nothing."""
    now = k * w.step_us
    slot = now // SLOT_US
    if slot >= w.outage_end.shape[1]:
        return
    for p in range(len(w.region)):
        if w.outage_end[p, slot]:
            for a in range(len(state.place)):
                if state.place[a] == p:
                    for q in range(w.first_pool[a], w.first_pool[a + 1]):
                        _kill(
                            state.ring,
                            state.alive,
                            w.step_us,
                            state.pools,
                            free_at,
                            expiry,
                            q,
                            p if is_coupled else a,
                            k,
                            now,
                            w.outage_end[p, slot] * SLOT_US,
                            now,
                        )


@compiled
def order_moves(w, state, wanted, k):
    """Orders of a policy at barrier k: pay and start the copies of the apps whose wanted placement (int64 [A]) is another one."""
    now = k * w.step_us
    b = min(now // w.bucket_us, state.out.shape[1] - 1)
    hour = min(now // HOUR_US, w.carbon.shape[1] - 1)
    for a in range(len(wanted)):
        p, q = state.place[a], wanted[a]
        if q == p:
            state.target[a] = -1
            continue
        if q == state.target[a]:  # its copy is on the way
            continue
        r, to = w.region[p], w.region[q]
        size = w.state_bytes[a]
        price, ng = size * w.egress[r, to] // 1_000_000, size * ((w.carbon[r, hour] + w.carbon[to, hour]) // 2) // 1_000_000
        state.out[a, b, MOVE] += price
        state.out[a, b, MOVES] += 1
        state.out[a, b, CARBON] += ng
        if state.total.size:
            state.total[a, MOVE] += price
            state.total[a, MOVES] += 1
            state.total[a, CARBON] += ng
        copied = now + w.copy_rtt_us[r, to] + size * w.copy_us_per_kib[r, to] // 1024
        state.target[a] = q
        state.switch_step[a] = max(k + 1, (copied + w.step_us - 1) // w.step_us)
        state.next_switch[0] = min(state.next_switch[0], state.switch_step[a])


@compiled
def _most_memory(calls, following, first, begin, end):
    """MB of the calls of a chain from `first` on that run at once in [begin, end), at most; it can only rise where a call begins."""
    most, at_begin, i = np.int64(0), np.int64(0), first
    while i >= 0:
        began = calls[i, BEGAN]
        if began <= begin < calls[i, ENDS]:
            at_begin += calls[i, OF_MB]
        elif begin < began < end:
            at_once = np.int64(0)
            j = first
            while j >= 0:
                at_once += calls[j, OF_MB] if calls[j, BEGAN] <= began < calls[j, ENDS] else 0
                j = following[j]
            most = max(most, at_once)
        i = following[i]
    return max(most, at_begin)


@compiled
def _note_step(w, state, free_at, expiry, k):
    """Complete the window's row of step k, which has ended: waits, running calls, instances; keep it where something happened."""
    calls, following, first, row = state.open_calls, state.next_of_app, state.first_of_app, state.window[k % state.window.shape[0]]
    begin, end = k * w.step_us, (k + 1) * w.step_us
    for i in range(state.opened[0]):
        a = calls[i, OF_APP]
        row[a, STEP_WAIT_US] += max(0, min(end, calls[i, BEGAN]) - max(begin, calls[i, REACHED]))
        row[a, STEP_VCPU_US] += max(0, min(end, calls[i, ENDS]) - max(begin, calls[i, BEGAN])) * calls[i, OF_MILLI_VCPU]
        following[i], first[a] = first[a], i
    for i in range(state.opened[0]):
        a = calls[i, OF_APP]
        if first[a] >= 0:
            row[a, STEP_MEMORY_MB] = _most_memory(calls, following, first[a], begin, end)
            row[a, STEP_VCPU_US] //= 1000
            first[a] = -1
    left = 0
    for i in range(state.opened[0]):
        if calls[i, ENDS] > end:
            for column in range(6):
                calls[left, column] = calls[i, column]
            left += 1
    state.opened[0] = left
    for a in range(len(state.place)):
        for q in range(w.first_pool[a], w.first_pool[a + 1]):
            s, size, n, m = state.pools[q, START], state.pools[q, SIZE], state.pools[q, BUSY], state.pools[q, IDLE]
            for j in range(n + m):
                i = s + j if j < n else s + size - m + (j - n)
                row[a, STEP_UP] += expiry[i] > end
                row[a, STEP_WORKING] += free_at[i] > end
        if len(state.rows) == 0:
            continue
        is_new = row[a, STEP_UP] != state.up_before[a]
        for column in range(STEP_FIELDS):
            is_new = is_new or (column != STEP_UP and row[a, column] != 0)
        if is_new:
            kept = state.rows[state.rows_known[0]]
            kept[0], kept[1] = k, a
            for column in range(STEP_FIELDS):
                kept[2 + column] = row[a, column]
            state.rows_known[0] += 1
            state.up_before[a] = row[a, STEP_UP]


@compiled
def advance(w, state, free_at, expiry, warming, g, k, end, last, floored, floor_seeds, is_coupled):
    """Run the steps [k, end) and reach barrier `end`. Barrier k was reached before, and orders were given at it.

    `w` and `state`: see `Static`, `State`; `free_at`, `expiry`, `warming`: the slab; `g`: next group; `k`, `end`: steps; `last`: end of the
    run, a barrier that is not passed any more; `floored`: int64
    [n, 2], (app, pool) with a floor wanted or held, sorted; `floor_seeds`: uint64 [A, 2], mixed seeds of the keep-alive and launch draws
    of floor instances; `is_coupled`: apps of a placement share its capacity, else each has all of it.

    Returns:
        the next group and the barrier reached; it is before `end` when something must grow first: see `State.short`.
    """
    groups = len(w.group_step)
    last_slot = w.capacity.shape[1] - 1
    alive, limit, is_metered = state.alive, state.limit, state.window.size > 0
    _read_limits(w.capacity, limit, state.place, k * w.step_us, is_coupled)
    while k < end:
        if k * w.step_us % SLOT_US == 0:  # handing over the arrays of `w` and `state` costs more than most steps
            _read_limits(w.capacity, limit, state.place, k * w.step_us, is_coupled)
            _begin_outages(w, state, free_at, expiry, k, is_coupled)
        slot = min(k * w.step_us // SLOT_US, last_slot)
        begin = g
        need, arriving = state.top[0], np.int64(0)
        while g < groups and w.group_step[g] == k:
            need += 4 * (state.slab_size[w.group_app[g]] + w.group_calls[g]) + 4
            arriving += w.group_calls[g]
            g += 1
        for x in range(len(floored)):
            need += 4 * (state.slab_size[floored[x, 0]] + state.units.shape[1]) + 4
        state.short[0] = SLAB if need > len(free_at) else 0
        if is_metered:
            state.window[k % state.window.shape[0]] = 0
            state.short[0] |= OPEN_CALLS if state.opened[0] + arriving > len(state.open_calls) else 0
            state.short[0] |= ROWS if 0 < len(state.rows) < state.rows_known[0] + len(state.place) else 0
        if state.short[0]:
            return begin, k
        if len(floored):
            _settle_floors(w, state, free_at, expiry, warming, floored, floor_seeds, k, is_coupled)
        for x in range(len(alive)):
            if alive[x] > limit[x]:
                p, a = (x, -1) if is_coupled else (state.place[x], x)
                _yield_idle(w, state, free_at, expiry, warming, p, a, x, k)
        for x in range(begin, g):
            p = state.place[w.group_app[x]]
            state.on_place[p] += 1
            state.most_calls[p] = max(state.most_calls[p], w.group_calls[x])
        for x in range(begin, g):
            a = w.group_app[x]
            p = state.place[a]
            account, n, rank = (p, state.on_place[p], state.rank[p]) if is_coupled else (a, np.int64(1), np.int64(0))
            calls = w.group_calls[x]
            if rank == 0:  # the grants of a step come from what stood at its barrier
                free = _opening(w, p, slot) - alive[account]
                if free // n < (state.most_calls[p] if is_coupled else calls):  # else every grant is enough for all calls
                    free += _spare_at(w, state, free_at, expiry, warming, p, -1 if is_coupled else a, begin, g, k)
                state.free[p] = max(0, free)
            state.rank[p] = rank + 1 if is_coupled else 0
            free = state.free[p]
            grant = free // n + (1 if (rank + k) % n < free % n else 0)
            created = _serve(w, state, free_at, expiry, warming, a, p, account, k, w.group_first[x], calls, grant)
            if state.peak.size and created:
                state.peak[a] = max(state.peak[a], _alive(state.pools, expiry, w.first_pool[a], w.first_pool[a + 1], (k + 1) * w.step_us))
        for x in range(begin, g):
            p = state.place[w.group_app[x]]
            state.on_place[p] = 0
            state.most_calls[p] = 0
            state.rank[p] = 0
        k += 1
        if k < last:
            _arrive(w, state, free_at, expiry, warming, k, is_coupled)
        if is_metered:
            _note_step(w, state, free_at, expiry, k - 1)
    return g, k


@compiled
def _next_event(outage_end, step_us, k, fresh_steps):
    """The first barrier after k at which an outage begins (`outage_end`: int32 [S] of a placement) or pools are closed."""
    slot = k * step_us // SLOT_US + 1
    while slot < len(outage_end) and outage_end[slot] == 0:
        slot += 1
    event = NEVER if slot >= len(outage_end) else (slot * SLOT_US + step_us - 1) // step_us
    return min(event, k - k % fresh_steps + fresh_steps) if fresh_steps else event


@compiled
def _settle_alone(w, state, free_at, expiry, warming, a, p, k, fresh_steps):
    """What barrier k does to an app that is alone at placement p, beyond the expiries: outages, fresh pools, yielding."""
    now = k * w.step_us
    slot = now // SLOT_US
    if now % SLOT_US == 0 and slot < w.outage_end.shape[1] and w.outage_end[p, slot]:
        for q in range(w.first_pool[a], w.first_pool[a + 1]):
            _kill(state.ring, state.alive, w.step_us, state.pools, free_at, expiry, q, 0, k, now, w.outage_end[p, slot] * SLOT_US, now)
    if fresh_steps and k % fresh_steps == 0:
        _close(w, state, free_at, expiry, warming, a, p, 0, k, True)
    state.limit[0] = w.capacity[p, min(slot, w.capacity.shape[1] - 1)]
    if state.alive[0] > state.limit[0]:
        _yield_idle(w, state, free_at, expiry, warming, p, a, 0, k)


@compiled
def replay_alone(w, state, free_at, expiry, warming, order, first_group, k, end, fresh_steps):
    """Run the steps [k, end) app by app, each alone at its placement: no moves, no floors; equal to `advance` uncoupled, and quicker.

    As in `advance`, but `state.ring` has one account and the slab space for all calls of an app. `order`: int64 [G], groups sorted by (app,
    step); `first_group`: int64 [A + 1], where an app's groups begin in it; `fresh_steps`: at barriers that are multiples of this, pools are
    closed as if the app had just moved in; 0: never.
    """
    alive, ring, step_us = state.alive, state.ring, w.step_us
    mask, last_slot = ring.shape[0] - 1, w.capacity.shape[1] - 1
    for a in range(len(state.place)):
        p = state.place[a]
        capacity, event = w.capacity[p], _next_event(w.outage_end[p], step_us, k, fresh_steps)
        at = k  # the last barrier that was passed
        for x in range(first_group[a], first_group[a + 1] + 1):
            is_call = x < first_group[a + 1]
            step = min(np.int64(w.group_step[order[x]]), end) if is_call else end
            is_call = is_call and step < end
            if step < k:
                continue
            to = step if is_call else end - 1
            while at < to and alive[0] > 0:
                at += 1
                row = at & mask
                alive[0] -= ring[row, 0]
                ring[row, 0] = 0
                if at >= event or alive[0] > capacity[min(_div(at * step_us, SLOT_US), last_slot)]:
                    _settle_alone(w, state, free_at, expiry, warming, a, p, at, fresh_steps)
                    if at >= event:
                        event = _next_event(w.outage_end[p], step_us, at, fresh_steps)
            if at < to:  # nothing was alive on the way
                at = to
                if event <= at:
                    event = _next_event(w.outage_end[p], step_us, at, fresh_steps)
            if not is_call:
                break
            g = order[x]
            slot = min(step * step_us // SLOT_US, last_slot)
            free = _opening(w, p, slot) - alive[0]
            if free < w.group_calls[g]:
                free += _spare_at(w, state, free_at, expiry, warming, p, a, g, g + 1, step)
            _serve(w, state, free_at, expiry, warming, a, p, 0, step, w.group_first[g], w.group_calls[g], max(0, free))
        _close(w, state, free_at, expiry, warming, a, p, 0, end, True)
        for q in range(w.first_pool[a], w.first_pool[a + 1]):
            state.pools[q] = 0
        ring[:] = 0
        alive[0] = 0
        state.slab_size[a] = 0
        state.top[0] = 0


@compiled
def finish(w, state, free_at, expiry, warming, k):
    """End a run at barrier k: bill the rest of the running units of floors in its last step, book the idle periods of all that is left."""
    for a in range(len(state.place)):
        r = w.region[state.place[a]]
        for q in range(w.first_pool[a], w.first_pool[a + 1]):
            steps = _rest_of_units(state.units, q, state.granted[q], k) if state.constants[a, r, BILLED_STEPS] else 0
            if steps > 0:
                _bill_floor(state.out, state.total, w.bucket_us, w.step_us, state.constants[a, r, FLOOR_PRICE], a, k - 1, steps)
            state.granted[q] = 0
        _close(w, state, free_at, expiry, warming, a, state.place[a], 0, 0, False)
