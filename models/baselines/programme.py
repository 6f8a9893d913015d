"""The optimistic bound: the best schedule of an app that knows the future and is alone. Not here: running schedules (the judge).

An exact dynamic programme over placements and tactical intervals on two tables: what an interval costs an app that stays, and one that
has just moved in. It ignores shared capacity, so it does not bound a coupled run. Hence "optimistic"; its schedule is also run coupled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


def best_schedule(stay: Float64, fresh: Float64, move_cost: Float64, is_allowed: NDArray[np.bool_]) -> tuple[Int64, Float64]:
    """Return the cheapest schedule of every app; the first placement is free.

    Args:
        stay: float64 [P, A, K], cost of interval k for an app that was there before.
        fresh: float64 [P, A, K], cost for an app that arrives at its start.
        move_cost: float64 [A, P, P], cost of the move from the second index to the third.
        is_allowed: bool [A, P].

    Returns:
        Schedule int64 [K, A], and its total cost float64 [A]. Ties go to staying, then to the lower placement.
    """
    placements, apps, intervals = stay.shape
    closed = np.where(is_allowed, 0.0, np.inf)  # [A, P]
    value = stay[:, :, 0].T + closed
    came_from = np.empty((intervals, apps, placements), dtype=np.int64)
    away = move_cost + np.where(np.eye(placements, dtype=bool), np.inf, 0.0)[None]
    for k in range(1, intervals):
        moved = value[:, :, None] + away
        origin = moved.argmin(axis=1)
        by_move = np.take_along_axis(moved, origin[:, None, :], axis=1)[:, 0] + fresh[:, :, k].T
        by_stay = value + stay[:, :, k].T
        is_moving = by_move < by_stay
        came_from[k] = np.where(is_moving, origin, np.arange(placements)[None])
        value = np.where(is_moving, by_move, by_stay) + closed
    schedule = np.empty((intervals, apps), dtype=np.int64)
    schedule[-1] = value.argmin(axis=1)
    for k in range(intervals - 1, 0, -1):
        schedule[k - 1] = came_from[k, np.arange(apps), schedule[k]]
    return schedule, value.min(axis=1)


def best_static_with_foresight(stay: Float64, is_allowed: NDArray[np.bool_]) -> tuple[Int64, Float64]:
    """Return the placement of every app (int64 [A]) with the lowest sum of `stay` (float64 [P, A, K]), and that sum, float64 [A]."""
    total = stay.sum(axis=2).T + np.where(is_allowed, 0.0, np.inf)
    return total.argmin(axis=1), total.min(axis=1)
