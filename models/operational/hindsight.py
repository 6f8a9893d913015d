"""Floors of someone who knows every call: what a causal rule could save at most, found greedily pool by pool. Not here: causal rules.

It is no bound: each call that found nothing idle is looked at alone, as if the avoided cold start changed nothing after it, and the sum is
run through the coupled world like any other policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.operational.economics import StepPrices, saved_usd, step_prices
from simulator import kernel, rng
from simulator.control.decision import Decision, PolicyBase
from simulator.control.loop import run
from simulator.control.spans import Span, span_steps
from simulator.control.view import UP, Facts, View
from simulator.layout import COLD_STREAM
from simulator.objective import objective_usd
from simulator.places.constants import app_constants

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
FOLLOWS_US = 240_000_000  # a call that follows within this would have found the instance that a fall ends
MOST_HELD_STEPS = 40


class Scheduled(PolicyBase):
    """Floors by step, int16 [steps, Q], from the first decision of the run on.

    Args:
        floors: one row per step; after the last one nothing is kept warm.
        name: of the arm.
    """

    period_steps = 1

    def __init__(self, floors: NDArray[np.int16], name: str) -> None:
        self.floors, self.name, self._next = floors, name, 0

    def decide(self, view: View) -> Decision:
        """Order the row of the step."""
        row = self.floors[self._next] if self._next < len(self.floors) else np.zeros_like(self.floors[0])
        self._next += 1
        return Decision(floors=row.astype(np.int64))


class _Watch(PolicyBase):
    """Orders nothing and notes how many instances of each pool are up at every barrier."""

    name, period_steps = "watch", 1

    def __init__(self) -> None:
        self.up: list[NDArray[np.int16]] = []

    def decide(self, view: View) -> Decision:
        self.up.append(view.pools[:, UP].astype(np.int16))
        return Decision()


@dataclass(frozen=True)
class _Watched:
    """What the greedy search reads of one scenario and span."""

    scenario: Scenario
    facts: Facts
    begin: int
    end: int
    up: NDArray[np.int16]
    constants: Int64
    prices: StepPrices
    flags: NDArray[np.bool_]
    seed: int


def greedy_floors(scenario: Scenario, found_nothing_idle: NDArray[np.bool_], seed: int, span: Span = "test") -> Scheduled:
    """Return the floors that each cold start at home would have paid for.

    Where a fall ends idle instances, two ways are tried for each app, alone, and the better one is kept: the floor falls as soon as its
    call has come, or it stands until the pool works at a barrier or no call follows within a keep-alive. An app that gains from neither
    has no floor.

    Args:
        scenario: the world.
        found_nothing_idle: bool [N], of each call in a run at home without floors.
        seed: of the luck.
        span: in which the floors are wanted.
    """
    begin, end = span_steps(scenario, span)
    watch, facts = _Watch(), Facts.of(scenario)
    run(scenario, watch, seed, span)
    constants = app_constants(scenario, scenario.apps.memory_mb)
    grid = scenario.conditions.carbon_mg_per_kwh[:, begin * scenario.world.step_us // 3_600_000_000]
    prices = step_prices(facts, constants, scenario.apps.home, grid)
    seen = _Watched(scenario, facts, begin, end, np.stack(watch.up), constants, prices, found_nothing_idle, seed)
    ways = [np.zeros(seen.up.shape, dtype=np.int16) for _ in range(3)]
    for a in range(len(scenario.apps.app_ids)):
        for way, holds in ((1, False), (2, True)):
            if not holds or (prices.is_drop[a] and prices.unit_steps[a] <= 1):
                _fill(seen, a, ways[way], holds=holds)
    alone = [run(scenario, Scheduled(way, "alone"), seed, span, is_coupled=False).out.sum(axis=1) for way in ways]
    best = np.argmin([objective_usd(out, scenario.objective) for out in alone], axis=0)
    app_of_function = np.repeat(np.arange(len(best)), np.diff(scenario.apps.first_function))
    chosen = np.choose(best[app_of_function][None, :], ways)
    return Scheduled(chosen.astype(np.int16), "greedy_hindsight")


def _fill(seen: _Watched, a: int, floors: NDArray[np.int16], *, holds: bool) -> None:
    """Add the floors of one app that pay for themselves."""
    scenario, prices, step_us = seen.scenario, seen.prices, seen.scenario.world.step_us
    calls = _cold_calls(scenario, seen.flags, a, seen.begin + 1, seen.end)
    pools = _pools_of(scenario, a, calls, is_shared=bool(prices.keeps_one_pool[a]))
    saved = saved_usd(scenario, seen.constants[a], a, calls, int(scenario.apps.home[a]), _cold_start_us(scenario, a, calls, seen.seed))
    at = scenario.calls.arrival_us[calls] // step_us - seen.begin - 1  # the barrier one step ahead of the call's own
    for q in np.unique(pools):
        busy = _busy(seen, a, int(q)) if holds else None
        for barrier in np.unique(at[pools == q]):
            value = np.sort(saved[(at == barrier) & (pools == q)])[::-1].cumsum()
            wanted = int(seen.up[barrier, q]) + np.arange(1, len(value) + 1)
            steps = _steps(seen, a, int(barrier), busy)
            net = value - prices.step_usd[a] * steps * wanted
            if net.max() > 0:
                part = floors[barrier : barrier + steps, q]
                np.maximum(part, wanted[int(net.argmax())], out=part)


def _steps(seen: _Watched, a: int, barrier: int, busy: tuple[Int64, Int64] | None) -> int:
    """Steps for which a floor of an app that rises at a barrier of the span stands."""
    prices, step_us = seen.prices, seen.scenario.world.step_us
    if prices.unit_steps[a] > 1:
        return int(prices.unit_steps[a])
    if not prices.is_drop[a]:
        return 1
    if busy is None:
        return 2
    arrival, ends = busy
    fall = barrier + 2
    i = int(np.searchsorted(arrival, (seen.begin + fall) * step_us))  # the first call that has not come by the fall
    while True:
        now = (seen.begin + fall) * step_us
        is_busy = bool((ends[max(0, i - 8) : i] > now).any())
        if is_busy or i >= len(arrival) or arrival[i] - now > FOLLOWS_US or fall - barrier > MOST_HELD_STEPS:
            return fall - barrier
        fall = max(fall + 1, int(arrival[i] // step_us) + 1 - seen.begin)
        i = int(np.searchsorted(arrival, (seen.begin + fall) * step_us))


def _busy(seen: _Watched, a: int, q: int) -> tuple[Int64, Int64]:
    """Arrivals and ends of the calls of a pool, without cold starts, us."""
    scenario, home = seen.scenario, int(seen.scenario.apps.home[a])
    part = slice(int(scenario.calls.first_call[a]), int(scenario.calls.first_call[a + 1]))
    own = np.arange(part.start, part.stop)
    if not seen.prices.keeps_one_pool[a]:
        own = own[scenario.calls.function[part] == q - int(scenario.apps.first_function[a])]
    c = seen.constants[a, int(scenario.tables.region_of_placement[home])]
    work = c[kernel.DATA_RTT] + (scenario.calls.bytes_in[own] * c[kernel.US_PER_KIB] >> 10) + scenario.calls.duration_us[own]
    return scenario.calls.arrival_us[own], scenario.calls.arrival_us[own] + work


def _cold_calls(scenario: Scenario, flags: NDArray[np.bool_], app: int, begin: int, end: int) -> Int64:
    """Calls of an app in the steps [begin, end) that found nothing idle, as indices."""
    first, last = int(scenario.calls.first_call[app]), int(scenario.calls.first_call[app + 1])
    arrival = scenario.calls.arrival_us[first:last]
    step_us = scenario.world.step_us
    return first + np.flatnonzero(flags[first:last] & (arrival >= begin * step_us) & (arrival < end * step_us))


def _pools_of(scenario: Scenario, app: int, calls: Int64, *, is_shared: bool) -> Int64:
    first = int(scenario.apps.first_function[app])
    return np.full(len(calls), first, dtype=np.int64) if is_shared else first + scenario.calls.function[calls].astype(np.int64)


def _cold_start_us(scenario: Scenario, app: int, calls: Int64, seed: int) -> Float64:
    """Cold starts of some calls of an app at its home under a luck, us, [n, 1]."""
    cloud = int(scenario.tables.cloud_of_region[scenario.tables.region_of_placement[scenario.apps.home[app]]])
    table = scenario.tables.cold_start_us[cloud, int(scenario.apps.package[app])]
    words = scenario.apps.id_base[app] + (calls - int(scenario.calls.first_call[app])).astype(np.uint64)
    return _drawn(table, words, np.uint64(rng.mixed_seed(seed, COLD_STREAM)))[:, None]


@njit(cache=True)
def _drawn(table: Int64, words: NDArray[np.uint64], start: np.uint64) -> Float64:  # pragma: no cover
    found = np.empty(len(words))
    for i in range(len(words)):
        found[i] = kernel.draw(table, kernel.mixed(words[i], start))
    return found
