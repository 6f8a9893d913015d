"""Static placements optimised jointly: coordinate descent on the coupled world. Not here: placements of apps that are alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.baselines.rules import Fixed
from simulator.control.loop import run
from simulator.control.spans import Span
from simulator.objective import objective_usd

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
NAME = "coordinated_static"


def coordinated_static(
    scenario: Scenario, seed: int, span: Span, start: Int64, score: NDArray[np.float64], budget: int
) -> tuple[Int64, float, int]:
    """Improve placements one app at a time, each trial a coupled replay of the whole fleet.

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

    def replay(placement: Int64) -> NDArray[np.float64]:
        fleet = run(scenario, Fixed(NAME, placement), seed, span, bucket_us=scenario.world.tactical_us)
        return objective_usd(fleet.out.sum(axis=1), scenario.objective)

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
            found, used = replay(trial), used + 1
            if found.sum() < best.sum():
                placement, best = trial, found
    return placement, float(best.sum()), used
