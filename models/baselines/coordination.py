"""Placements and schedules of the apps of a fleet chosen together. Not here: those of apps that are alone (programme.py).

`coordinated_static` is coordinate descent on the coupled world; `coordinated_schedule` knows the future and lets apps take turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.units import SLOT_US
from models.baselines.planning.curve import reject_usd
from models.baselines.programme import best_schedule
from simulator.control.bursts import heights
from simulator.control.counterfactual import still_fields
from simulator.control.spans import Span, span_steps
from simulator.objective import objective_usd

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
NAME = "coordinated_static"
SWEEPS = 3  # turns of every app in a coordinated schedule
OVERFLOW_SHARE = 0.1  # of the charge of a reject that a call pays where the peaks do not fit: peaks rarely meet inside an interval


def coordinated_static(scenario: Scenario, seed: int, span: Span, start: Int64, score: Float64, budget: int) -> tuple[Int64, float, int]:
    """Improve placements one app at a time, each trial a coupled replay.

    Apps that stay where they are share nothing with those of other placements, so that a trial replays those of two placements: the one
    that the app leaves and the one it enters. All others cost what they did.

    Args:
        scenario: the world.
        seed: of the luck.
        span: what is replayed.
        start: int64 [A], first placements.
        score: float64 [A, P], lower first: the order in which an app's placements are tried.
        budget: number of replays.

    Returns:
        Placements int64 [A], their objective in USD over the span, and the replays used (the first one is that of `start`).
    """

    def replay(placement: Int64, only: NDArray[np.bool_] | None = None) -> Float64:
        return objective_usd(still_fields(scenario, seed, span, placement, only), scenario.objective)

    ranked = np.where(scenario.is_allowed, score, np.inf).argsort(axis=1, kind="stable")
    best = replay(start)
    placement, used = start.copy(), 1
    order = (-best).argsort(kind="stable")  # the most expensive apps first
    for rank in range(ranked.shape[1]):
        for a in order[best[order] > 0].tolist():
            candidate = int(ranked[a, rank])
            if used >= budget:
                return placement, float(best.sum()), used
            if candidate == placement[a] or not scenario.is_allowed[a, candidate]:
                continue
            trial = placement.copy()
            trial[a] = candidate
            is_touched = (trial == placement[a]) | (trial == candidate)
            found, used = np.where(is_touched, replay(trial, is_touched), best), used + 1
            if found.sum() < best.sum():
                placement, best = trial, found
    return placement, float(best.sum()), used


@dataclass(frozen=True, eq=False)
class Demand:
    """What the apps ask of a placement in each tactical interval of a span. A apps, P placements, K intervals.

    Args:
        calls: float64 [A, K].
        peak: float64 [A, K], most calls running at once.
        capacity: float64 [P, K], the least number of instances that a placement holds in the interval.
        reject_usd: float64 [A], what a rejected call is charged.
    """

    calls: Float64
    peak: Float64
    capacity: Float64
    reject_usd: Float64


def demand(scenario: Scenario, span: Span) -> Demand:
    """Return the demand of a span, which lies in the future of whoever decides in it."""
    begin, end = span_steps(scenario, span)
    steps, step_us = scenario.world.tactical_steps, scenario.world.step_us
    edges_us = np.append(np.arange(begin, end, steps), end) * step_us
    apps, calls = len(scenario.apps.app_ids), scenario.calls
    count, peak = np.zeros((apps, len(edges_us) - 1)), np.zeros((apps, len(edges_us) - 1))
    for a, (lo, hi) in enumerate(pairwise(calls.first_call.tolist())):
        arrival, duration = calls.arrival_us[lo:hi], calls.duration_us[lo:hi]
        count[a] = np.diff(np.searchsorted(arrival, edges_us))
        peak[a] = heights(arrival, np.sort(arrival + duration), edges_us)
    slots = np.arange(begin * step_us // SLOT_US, -(-end * step_us // SLOT_US))
    held = scenario.conditions.capacity[:, slots].astype(np.float64)
    first = np.maximum(edges_us[:-1] // SLOT_US - slots[0], 0)
    return Demand(count, peak, np.minimum.reduceat(held, first, axis=1), reject_usd(scenario, calls.first_call[1:]))


def coordinated_schedule(
    stay: Float64, fresh: Float64, move_cost: Float64, is_allowed: NDArray[np.bool_], start: Int64, asked: Demand
) -> Int64:
    """Return schedules of apps that know the future and leave room for each other, int64 [K, A].

    The apps take turns, those with the most calls at a high peak first. Each chooses its exact schedule on the tables of
    `models.baselines.programme.best_schedule`; in addition it pays, where its peak and those of the others do not fit into the least
    capacity of an interval, a part of the charge for rejected calls.

    Args:
        stay: float64 [P, A, K], see `best_schedule`.
        fresh: likewise.
        move_cost: float64 [A, P, P].
        is_allowed: bool [A, P].
        start: int64 [K, A], schedules before the first turn, e.g. those of apps that are alone.
        asked: what the apps need.
    """
    schedule, rows = start.copy(), np.arange(len(start))
    load = np.zeros(asked.capacity.shape)
    np.add.at(load, (schedule, rows[:, None]), asked.peak.T)
    order = (-(asked.peak * asked.calls).sum(axis=1)).argsort(kind="stable")
    for _ in range(SWEEPS):
        for a in order[asked.calls[order].any(axis=1)].tolist():
            load[schedule[:, a], rows] -= asked.peak[a]
            over = (load + asked.peak[a] - asked.capacity) / np.maximum(asked.peak[a], 1.0)
            penalty = OVERFLOW_SHARE * asked.reject_usd[a] * asked.calls[a] * np.clip(over, 0.0, 1.0)
            table = (stay[:, a] + penalty)[:, None], (fresh[:, a] + penalty)[:, None]
            schedule[:, a] = best_schedule(*table, move_cost[a : a + 1], is_allowed[a : a + 1])[0][:, 0]
            load[schedule[:, a], rows] += asked.peak[a]
    return schedule
