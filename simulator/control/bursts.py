"""How an app's calls come, at every tactical barrier: counts and heights of its recent past. Not here: what a burst costs (models/).

Like the tables of history.py: row k is made of calls that arrived before barrier k, once per scenario, and a later call changes no earlier
row. How many calls ran at once at a moment of the past is known then, whenever they end.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from core.units import DAY_US, HOUR_US, SLOT_US

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
VERSION = 1
MINUTE_US = 60_000_000
SLOTS_AN_HOUR, SLOTS_A_DAY = HOUR_US // SLOT_US, DAY_US // SLOT_US
FADING = 0.97  # of a height, from interval to interval
NEVER_MIN = 600.0  # minutes since the last call of an app that was never called, and most
# In the order of the columns; counts and heights as log(1 + x).
NAMES = (
    *("calls_1_min", "calls_5_min", "calls_interval", "calls_since_hour", "calls_3_intervals", "calls_last_hour", "calls_day"),
    *("calls_interval_yesterday", "height_5_min", "height_interval", "height_since_hour", "height_3_intervals", "height_day"),
    *("height_fading", "height_ever", "running", "minutes_since_call", "share_of_hour", "hour_sin", "hour_cos"),
)

_KNOWN: WeakKeyDictionary[Scenario, NDArray[np.float32]] = WeakKeyDictionary()


def bursts(scenario: Scenario) -> NDArray[np.float32]:
    """Return the table of a scenario for its tactical barriers, from the start to its end, float32 [K, A, len(NAMES)]."""
    if scenario not in _KNOWN:
        barrier_us = np.arange(0, scenario.steps + 1, scenario.world.tactical_steps, dtype=np.int64) * scenario.world.step_us
        found = np.empty((len(barrier_us), len(scenario.apps.app_ids), len(NAMES)), dtype=np.float32)
        calls = scenario.calls
        for a, (lo, hi) in enumerate(pairwise(calls.first_call.tolist())):
            found[:, a] = _of_app(calls.arrival_us[lo:hi], calls.duration_us[lo:hi], barrier_us, scenario.world.tactical_us)
        _KNOWN[scenario] = found
    return _KNOWN[scenario]


def _of_app(arrival_us: Int64, duration_us: Int64, barrier_us: Int64, width_us: int) -> Float64:
    """The rows of one app at barriers `width_us` apart, the first at 0, float64 [K, len(NAMES)]."""
    hour_us = barrier_us - barrier_us % HOUR_US
    until = np.searchsorted(arrival_us, barrier_us)

    def calls(begin_us: Int64, end_us: Int64 | None = None) -> Int64:
        end = until if end_us is None else np.searchsorted(arrival_us, end_us)
        found: Int64 = end - np.searchsorted(arrival_us, begin_us)
        return found

    end_us = np.sort(arrival_us + np.maximum(duration_us, 1))  # a call of no duration is there when it arrives
    by_slot = heights(arrival_us, end_us, np.arange(0, int(barrier_us[-1]) + 1, SLOT_US))
    slots = width_us // SLOT_US
    since_hour = (barrier_us - hour_us) // SLOT_US
    of_interval = _highest(by_slot, slots, slots, len(barrier_us))
    shares = range(1, SLOTS_AN_HOUR)
    since = np.select([since_hour == n for n in shares], [_highest(by_slot, n, slots, len(barrier_us)) for n in shares], 0.0)
    fading = np.empty(len(barrier_us))
    kept = 0.0
    for k, height in enumerate(of_interval.tolist()):
        kept = max(height, FADING * kept)
        fading[k] = kept
    last_us = np.where(until > 0, arrival_us[np.maximum(until - 1, 0)] if len(arrival_us) else 0, -DAY_US)
    counts = (
        *(calls(barrier_us - MINUTE_US), calls(barrier_us - 5 * MINUTE_US), calls(barrier_us - width_us), calls(hour_us)),
        *(calls(barrier_us - 3 * width_us), calls(hour_us - HOUR_US, hour_us), calls(barrier_us - DAY_US) * (width_us / DAY_US)),
        calls(barrier_us - DAY_US, barrier_us - DAY_US + width_us),
        *(_highest(by_slot, 1, slots, len(barrier_us)), of_interval, since, _highest(by_slot, 3 * slots, slots, len(barrier_us))),
        *(_highest(by_slot, SLOTS_A_DAY, slots, len(barrier_us)), fading, np.maximum.accumulate(of_interval)),
        until - np.searchsorted(end_us, barrier_us, side="right"),
        np.minimum((barrier_us - last_us) / MINUTE_US, NEVER_MIN),
    )
    angle = 2 * np.pi * barrier_us / DAY_US
    return np.column_stack([*(np.log1p(column) for column in counts), (barrier_us - hour_us) / HOUR_US, np.sin(angle), np.cos(angle)])


def heights(arrival_us: Int64, end_us: Int64, edges_us: Int64) -> Float64:
    """Most calls running at once between neighbouring edges, float64 [len(edges_us) - 1]; arrivals and ends are sorted."""
    running = np.arange(1, len(arrival_us) + 1) - np.searchsorted(end_us, arrival_us, side="right")
    found = (np.searchsorted(arrival_us, edges_us) - np.searchsorted(end_us, edges_us, side="right"))[:-1].astype(np.float64)
    at = np.searchsorted(edges_us, arrival_us, side="right") - 1
    inside = (at >= 0) & (at < len(found))
    np.maximum.at(found, at[inside], running[inside])
    return found


def _highest(by_slot: Float64, count: int, slots: int, barriers: int) -> Float64:
    """The highest of the last `count` slots at each of `barriers` barriers, which lie `slots` apart, float64; 0 before the first slot."""
    padded = np.concatenate([np.zeros(count), by_slot])
    windows: Float64 = sliding_window_view(padded, count)[: barriers * slots : slots].max(axis=1)
    return windows
