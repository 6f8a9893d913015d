"""Exact look-ahead over all placements, app after app, each seeing where those before it go. Not here: what an interval costs (costs.py).

The programme of one app: the cheapest way through the coming intervals when the cost of each interval at each placement is expected to be
known, of which only the first step is taken. With a price on crowding, what an app pays at a placement also depends on who is there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


class Crowding(NamedTuple):
    """What the price on crowding needs; G points of a grid of utilisation, from 0 in equal steps.

    response_usd: float64 [A, G], what a call costs beyond its level, see response.py.
    calls: float64 [A], expected in an interval. load: float64 [A], instances that an app keeps busy at its height, scaled.
    used: float64 [P], expected utilisation. quota: instances of an empty zone. step: of the grid.
    """

    response_usd: Float64
    calls: Float64
    load: Float64
    used: Float64
    quota: float
    step: float


@njit(cache=True)
def _at(response_usd: Float64, used: float, step: float) -> float:  # pragma: no cover
    """The response (float64 [G]) at a utilisation, the last value beyond the grid."""
    position = max(0.0, used) / step
    i = int(position)
    if i >= len(response_usd) - 1:
        return float(response_usd[-1])
    share = position - i
    return float((1.0 - share) * response_usd[i] + share * response_usd[i + 1])


@njit(cache=True)
def _extra(a: int, chosen: Int64, places: int, c: Crowding) -> Float64:  # pragma: no cover
    """What app a pays at each placement for the apps that are there now, and for what it does to them, USD, float64 [P]."""
    load = np.zeros(places)
    for b in range(len(chosen)):
        if b != a:
            load[chosen[b]] += c.load[b]
    out = np.empty(places)
    for p in range(places):
        alone = _at(c.response_usd[a], c.used[p], c.step)
        out[p] = c.calls[a] * (_at(c.response_usd[a], c.used[p] + load[p] / c.quota, c.step) - alone)
    for b in range(len(chosen)):
        if b == a or c.calls[b] == 0.0:
            continue
        p = chosen[b]
        others = c.used[p] + (load[p] - c.load[b]) / c.quota
        now = _at(c.response_usd[b], others, c.step)
        out[p] += c.calls[b] * (_at(c.response_usd[b], others + c.load[a] / c.quota, c.step) - now)
    return out


@njit(cache=True)
def _later(cost: Float64, is_allowed: Bool, move: Float64, region: Int64) -> Float64:  # pragma: no cover
    """Cost from the second interval on for an app (cost [H, P], move [R, R]) that spends the first one at a placement, float64 [P]."""
    horizon, places = cost.shape
    regions = len(move)
    value, best, switched = np.zeros(places), np.empty(regions), np.empty(regions)
    for h in range(horizon - 1, 0, -1):
        best[:], switched[:] = np.inf, -np.inf
        for p in range(places):
            value[p] = value[p] + cost[h, p] if is_allowed[p] else np.inf
            best[region[p]] = min(best[region[p]], value[p])
            switched[region[p]] = max(switched[region[p]], value[p])
        for r in range(regions):  # the cheapest way on from interval h for an app that comes from region r, at most its dearest zone
            for q in range(regions):
                if best[q] < switched[r]:  # a move costs something
                    switched[r] = min(switched[r], best[q] + move[r, q])
        for p in range(places):
            value[p] = min(value[p], switched[region[p]])
    return value


@njit(cache=True)
def _to(  # pragma: no cover
    cost: Float64, first: Float64, move: Float64, region: Int64, is_allowed: Bool, here: int, is_first: bool
) -> Float64:
    """Cost of the cheapest way of an app that goes to each placement now (first [P]: cost of the coming interval), float64 [P]."""
    total = _later(cost, is_allowed, move, region) + first
    for p in range(len(total)):
        if not is_allowed[p]:
            total[p] = np.inf
        elif p != here and not is_first:
            total[p] += move[region[here], region[p]]
    return total


@njit(cache=True)
def choose(  # pragma: no cover
    cost: Float64,
    move: Float64,
    region: Int64,
    is_allowed: Bool,
    placement: Int64,
    order: Int64,
    is_first: bool,
    crowding: Crowding | None,
) -> Int64:
    """Return where each app goes now, int64 [A]; at equal cost it stays, else the lower placement is taken.

    Args:
        cost: float64 [H, A, P], of the coming intervals, USD.
        move: float64 [A, R, R], of a move between regions, or between the zones of one.
        region: int64 [P].
        is_allowed: bool [A, P].
        placement: int64 [A], where the apps are.
        order: int64 [A], who chooses first.
        is_first: the first placement of a run costs nothing.
        crowding: None: apps do not mind each other.
    """
    places = cost.shape[2]
    chosen, extra = placement.copy(), np.zeros(places)
    for a in order:
        if crowding is not None:
            extra = _extra(a, chosen, places, crowding)
        here = placement[a]
        to = _to(cost[:, a] + extra, cost[0, a] + extra, move[a], region, is_allowed[a], here, is_first)
        lowest, at = np.inf, here
        for p in range(places):
            if to[p] < lowest or (to[p] == lowest and p == here):
                lowest, at = to[p], p
        chosen[a] = at
    return chosen


@njit(cache=True)
def ways(  # pragma: no cover
    cost: Float64, move: Float64, region: Int64, is_allowed: Bool, placement: Int64, is_first: bool
) -> Float64:
    """Return what the cheapest way costs that begins at each placement, float64 [A, P]; infinite where an app may not go.

    Arguments: see `choose`, which takes the least of these where there is no price on crowding.
    """
    found = np.empty((cost.shape[1], cost.shape[2]))
    for a in range(len(found)):
        found[a] = _to(cost[:, a], cost[0, a], move[a], region, is_allowed[a], placement[a], is_first)
    return found
