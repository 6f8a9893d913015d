"""The bare warm pool: calls meet instances that stay warm for a while after each call. Here: one kernel over many pools.

One file, though long: numba's cache of compiled code notices a change in the file of the compiled function only.

Not here: network, shared capacity, prices, energy, moves and floors (the full model of a placement).

A call takes the idle instance that became free last; if none is idle, a new instance starts cold; at the ceiling, the call waits
for the instance of its pool that is free first. Time is integer microseconds, so equal input gives equal output to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import ParameterError

Int64 = NDArray[np.int64]

REJECTED = -1  # in `wait_us`
UNLIMITED = np.iinfo(np.int64).max
NEAR = 16  # busy instances of a pool that are kept in order; the others are in a heap


@dataclass(frozen=True)
class PoolResult:
    """What happened to the calls, and how many instances that took.

    Args:
        cold_starts: calls that started an instance.
        rejected: calls that would have waited longer than accepted.
        wait_us: int64 [n], in the order of the input: from arrival to start of service; -1 if rejected.
        mean_instances: time average of the instances alive (busy or idle) in all pools, over the span from the first to the last
            arrival of the whole input; NaN if that span is empty.
        mean_busy: the same for busy instances.
        max_concurrency: the most instances busy at one moment, all pools together. A call occupies [start, end), so one that
            ends when another starts, or that takes no time, adds nothing.
    """

    cold_starts: int
    rejected: int
    wait_us: Int64
    mean_instances: float
    mean_busy: float
    max_concurrency: int


def simulate_pool(
    arrival_us: ArrayLike,
    duration_us: ArrayLike,
    pool_id: ArrayLike,
    *,
    keep_alive_us: ArrayLike,
    cold_us: ArrayLike = 0,
    ceiling: int | None = None,
    timeout_us: int | None = None,
) -> PoolResult:
    """Serve calls from pools of warm instances; every pool is empty at first and independent of the others.

    An instance is idle in [free, free + keep-alive): at a call's arrival, one that becomes free at that moment can serve it, one that
    expires at that moment cannot. Of equally late ones the one that lives longest is taken. A call never waits while its pool may grow.

    Args:
        arrival_us: integers [n], not negative, in any order; ties within a pool are served in the order of the input.
        duration_us: integers [n] or one for all, not negative: time of service when warm.
        pool_id: integers [n] or one for all: the pool of a call, any numbering.
        keep_alive_us: integers [n] or one for all, not negative: how long the instance stays warm after this call.
        cold_us: integers [n] or one for all, not negative: what a cold start adds to the busy time of this call.
        ceiling: the most instances a pool may have; None: no limit.
        timeout_us: the longest wait a call accepts, else it is rejected on arrival and takes nothing; 0: a loss system;
            None: calls wait without limit.

    Returns:
        Counts, waits and averages.

    Raises:
        ParameterError: an array is not one of integers or has another length, or a value is negative or too large.
    """
    arrival = _integers("arrival_us", arrival_us)
    calls = len(arrival)
    duration, pool = _integers("duration_us", duration_us, calls), _integers("pool_id", pool_id, calls)
    keep, cold = _integers("keep_alive_us", keep_alive_us, calls), _integers("cold_us", cold_us, calls)
    most = _limit("ceiling", ceiling, 1)
    longest_wait = _limit("timeout_us", timeout_us, 0)
    if calls == 0:
        return PoolResult(0, 0, np.zeros(0, dtype=np.int64), np.nan, np.nan, 0)
    last = _check_range(arrival, duration, keep, cold)
    many = len(pool) > 1 and bool((pool != pool[0]).any())
    if not many:
        pool = pool[:1]
    order = None
    if not _is_grouped(pool, arrival):
        order = np.lexsort((arrival, pool)) if many else np.argsort(arrival, kind="stable")
        arrival, duration, pool, keep, cold = (x[order] if len(x) > 1 else x for x in (arrival, duration, pool, keep, cold))
    wait = np.zeros(calls, dtype=np.int64)  # the kernel writes only what is not zero
    end = np.empty(calls if many else 0, dtype=np.int64)
    cold_starts, rejected, alive_us, busy_us, peak = _serve(arrival, duration, pool, keep, cold, most, longest_wait, last, wait, end)
    if many:
        peak = _most_open(arrival, wait, end)
    if order is not None:
        unordered = np.empty_like(wait)
        unordered[order] = wait
        wait = unordered
    span_us = int(last - arrival.min())
    mean_instances, mean_busy = (alive_us / span_us, busy_us / span_us) if span_us else (np.nan, np.nan)
    return PoolResult(int(cold_starts), int(rejected), wait, mean_instances, mean_busy, int(peak))


def _integers(name: str, values: ArrayLike, calls: int | None = None) -> Int64:
    """Contiguous int64 of `calls` values, or of one value used for all."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu" and array.size:
        raise ParameterError(f"{name} holds {array.dtype}", where="simulate_pool", how="pass integers")
    if array.ndim > 1 or (calls is None and array.ndim == 0):
        raise ParameterError(f"{name} has {array.ndim} dimensions", where="simulate_pool", how="pass one value per call")
    if array.ndim == 1 and calls is not None and len(array) != calls:
        raise ParameterError(f"{name} has {len(array)} values for {calls} calls", where="simulate_pool", how="pass one value per call")
    return np.ascontiguousarray(array.reshape(-1), dtype=np.int64)


def _limit(name: str, value: int | None, lowest: int) -> int:
    if value is None:
        return UNLIMITED
    if not isinstance(value, (int, np.integer)) or value < lowest:
        raise ParameterError(f"{name} is {value}", where="simulate_pool", how=f"pass an integer of at least {lowest}, or None")
    return int(value)


def _check_range(arrival: Int64, duration: Int64, keep: Int64, cold: Int64) -> int:
    """Check signs, and that the latest moment that can come fits into int64; return the last arrival."""
    highest = []
    for name, values in (("arrival_us", arrival), ("duration_us", duration), ("keep_alive_us", keep), ("cold_us", cold)):
        if int(values.min()) < 0:
            raise ParameterError(f"{name} has a negative value", where=f"simulate_pool, call {int(values.argmin())}", how="pass 0 or more")
        highest.append(int(values.max()))
    last, longest, keep_alive, cold_delay = highest
    if last + len(arrival) * (longest + cold_delay) + keep_alive > UNLIMITED:
        raise ParameterError("times may pass 2^63 us", where="simulate_pool", how="pass smaller times; a keep-alive of 10^18 us never ends")
    return last


@nb.njit(cache=True)
def _is_grouped(pool, arrival):  # type: ignore[no-untyped-def]
    """Whether pools are ascending and arrivals ascending inside each."""
    step = 1 if len(pool) > 1 else 0
    for i in range(1, len(arrival)):
        before, own = pool[(i - 1) * step], pool[i * step]
        if own < before or (own == before and arrival[i] < arrival[i - 1]):
            return False
    return True


@nb.njit(cache=True)
def _serve(arrival, duration, pool, keep, cold, ceiling, timeout, last, wait, end):  # type: ignore[no-untyped-def]
    """Serve all pools, one after the other.

    The instances of a pool are kept in a line, ascending by (free, expiry): [low, mid) idle, [mid, high) busy. One becomes idle when
    `mid` passes it; a call takes the one before `mid` and moves it up past the busy ones that end earlier. With many busy ones that
    would be slow, so the line holds the `NEAR` that end first and a binary heap the others.

    Args:
        arrival: int64 [n], ascending inside each pool; pools lie together.
        duration: int64 [n] or [1], as the next three.
        pool: the pool of a call.
        keep: keep-alive after a call.
        cold: what a cold start adds.
        ceiling: the most instances of a pool.
        timeout: the longest wait.
        last: end of the span over which times are summed.
        wait: int64 [n], zeros; written where a call waits or is rejected.
        end: int64 [n] or [0]: end of service (the arrival, if rejected).

    Returns:
        cold starts, rejected calls, alive and busy time up to `last` (us), most busy instances of one pool.
    """
    has_end = len(end) > 0
    d_step, p_step = int(len(duration) > 1), int(len(pool) > 1)
    k_step, c_step = int(len(keep) > 1), int(len(cold) > 1)
    # Neither end of the line moves out by more places than there are calls, so these never overflow; the system gives memory only
    # for pages that are written. Growing them would make the loop two to five times slower: numba counts references to arrays that
    # are replaced inside it.
    centre = len(arrival) + 1
    free, expiry = np.empty(2 * centre, np.int64), np.empty(2 * centre, np.int64)
    far_free, far_expiry = np.empty(centre, np.int64), np.empty(centre, np.int64)
    low = mid = high = centre
    far = 0
    cold_starts, rejected, peak = 0, 0, 0
    idle_us, busy_us = np.int64(0), np.int64(0)
    for i in range(len(arrival)):
        t = arrival[i]
        if i > 0 and pool[i * p_step] != pool[(i - 1) * p_step]:
            idle_us += _unused(free, expiry, low, high, last) + _unused(far_free, far_expiry, 0, far, last)
            low = mid = high = centre
            far = 0
        while mid < high and free[mid] <= t:
            mid += 1
            if mid == high and far > 0:
                free[high], expiry[high] = far_free[0], far_expiry[0]
                high += 1
                far -= 1
                _sift_down(far_free, far_expiry, far, far_free[far], far_expiry[far])
        newest = mid - 1
        while newest >= low and expiry[newest] <= t:
            idle_us += expiry[newest] - free[newest]
            newest -= 1
        start, service = t, duration[i * d_step]
        if newest < low:
            if mid == high:
                mid = high = centre
            low = mid
            if high - mid + far < ceiling:
                cold_starts += 1
                service += cold[i * c_step]
                low -= 1
            else:
                start = free[mid]
                if start - t > timeout:
                    rejected += 1
                    wait[i] = REJECTED
                    if has_end:
                        end[i] = t
                    continue
                wait[i] = start - t
                mid += 1
        else:
            idle_us += t - free[newest]
            gone = mid - 1 - newest
            if gone > 0:
                for k in range(mid, high):
                    free[k - gone], expiry[k - gone] = free[k], expiry[k]
                mid -= gone
                high -= gone
        mid -= 1  # the place of the instance that serves
        done = start + service
        expires = done + keep[i * k_step]
        busy_us += min(done, last) - min(start, last)
        if has_end:
            end[i] = done
        k = mid
        if service == 0:  # an idle one may be free at the same moment and live longer
            while k > low and _is_before(done, expires, free[k - 1], expiry[k - 1]):
                free[k], expiry[k] = free[k - 1], expiry[k - 1]
                k -= 1
        while k + 1 < high and free[k + 1] <= done:  # `_is_before`, with the frequent branch first
            if free[k + 1] == done and expiry[k + 1] >= expires:
                break
            free[k], expiry[k] = free[k + 1], expiry[k + 1]
            k += 1
        free[k], expiry[k] = done, expires
        if service > 0:
            peak = max(peak, high - mid + far)
        if high - mid > NEAR or (far > 0 and k + 1 == high):
            high -= 1
            _sift_up(far_free, far_expiry, far, free[high], expiry[high])
            if high > mid:
                far += 1
            else:  # the line holds at least one that is busy
                free[high], expiry[high] = far_free[0], far_expiry[0]
                high += 1
                _sift_down(far_free, far_expiry, far, far_free[far], far_expiry[far])
    idle_us += _unused(free, expiry, low, high, last) + _unused(far_free, far_expiry, 0, far, last)
    return cold_starts, rejected, idle_us + busy_us, busy_us, peak


@nb.njit(cache=True)
def _is_before(free, expiry, other_free, other_expiry):  # type: ignore[no-untyped-def]
    return free < other_free or (free == other_free and expiry < other_expiry)


@nb.njit(cache=True)
def _sift_up(free, expiry, size, new_free, new_expiry):  # type: ignore[no-untyped-def]
    """Insert into a heap of `size` instances."""
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if not _is_before(new_free, new_expiry, free[above], expiry[above]):
            break
        free[at], expiry[at] = free[above], expiry[above]
        at = above
    free[at], expiry[at] = new_free, new_expiry


@nb.njit(cache=True)
def _sift_down(free, expiry, size, new_free, new_expiry):  # type: ignore[no-untyped-def]
    """Replace the root of a heap of `size` instances."""
    at = 0
    while 2 * at + 1 < size:
        below = 2 * at + 1
        if below + 1 < size and _is_before(free[below + 1], expiry[below + 1], free[below], expiry[below]):
            below += 1
        if not _is_before(free[below], expiry[below], new_free, new_expiry):
            break
        free[at], expiry[at] = free[below], expiry[below]
        at = below
    free[at], expiry[at] = new_free, new_expiry


@nb.njit(cache=True)
def _unused(free, expiry, low, high, last):  # type: ignore[no-untyped-def]
    """Idle time, up to `last`, of instances that no further call takes."""
    total = np.int64(0)
    for k in range(low, high):
        total += min(expiry[k], last) - min(free[k], last)
    return total


@nb.njit(cache=True)
def _most_open(arrival, wait, end):  # type: ignore[no-untyped-def]
    """Most intervals [arrival + wait, end) open at once, without sorting them all.

    Time is cut into bins. What is open at the end of each bin bounds the answer from below, what was open before it plus what opens
    in it bounds the bin from above; only bins that may hold more than is known are sorted and followed event by event.
    """
    calls = len(arrival)
    origin = arrival.min()
    shift = 0
    while ((end.max() - origin) >> shift) >= calls // 8 + 1:
        shift += 1
    bins = ((end.max() - origin) >> shift) + 1
    opens, closes = np.zeros(bins, np.int32), np.zeros(bins, np.int32)
    for i in range(calls):
        start = arrival[i] + max(wait[i], 0)
        if end[i] > start:
            opens[(start - origin) >> shift] += 1
            closes[(end[i] - origin) >> shift] += 1
    before, most = 0, 0
    for b in range(bins):
        before += opens[b] - closes[b]
        most = max(most, before)
    before, events = 0, 0
    place = np.full(bins, -1, np.int64)
    for b in range(bins):
        if before + opens[b] > most:
            place[b] = events
            events += opens[b] + closes[b]
        before += opens[b] - closes[b]
    event = np.empty(events, np.int64)  # twice the time within the bin, one more for an opening: a closing at the same time is first
    for i in range(calls):
        start = arrival[i] + max(wait[i], 0)
        if end[i] > start:
            for moment, is_opening in ((start, 1), (end[i], 0)):
                b = (moment - origin) >> shift
                if place[b] >= 0:
                    event[place[b]] = 2 * (moment - origin - (b << shift)) + is_opening
                    place[b] += 1
    before = 0
    for b in range(bins):
        if place[b] >= 0:
            now = before
            for code in np.sort(event[place[b] - opens[b] - closes[b] : place[b]]):
                now += 1 if code & 1 else -1
                most = max(most, now)
        before += opens[b] - closes[b]
    return most
