"""Which of many equally likely draws of home, data and callers each app of a fleet gets. Not here: the draws (simulator/workload.py).

Five apps make seven tenths of the calls. With one draw each, the luck of these five is most of what a seed shows: on one seed a third of
all calls misses its objective, on another a thirtieth. So the apps are taken ten by ten in the order of their calls, each ten is sampled a
hundred times, and the draw is kept that comes closest to the mean of all in two things: how many calls live on each cloud, and how many
would miss their objective by their network path alone (to the region, and from there to the data). Means over seeds stay, their spread
shrinks: rerandomisation (Morgan and Rubin 2012, Annals of Statistics 40, 1263-1282).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simulator.workload import callers_by_hour, draw_regions

if TYPE_CHECKING:
    from simulator.parameters import World
    from simulator.places.tables import Tables

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
DRAWS, NEIGHBOURS = 100, 10
FAR_US = 300_000  # a longer network path makes a short call miss the default objective; fixed, so that every objective gets the same fleet
BLOCK = 100 * NEIGHBOURS  # apps at once, so that memory does not grow with the fleet


def balanced_draws(seed: int, tables: Tables, world: World, ids: Int64, calls: Int64) -> Int64:
    """Return the draw of each app, as `Invocations.draw` has it: int64 [A], from 0 to DRAWS - 1.

    Args:
        seed: of the draws.
        tables: clouds, regions, round trips.
        world: shares of the sampled attributes.
        ids: int64 [A], keys of the draws.
        calls: int64 [A], of each app, known beforehand.
    """
    by_hour = callers_by_hour(tables, world)
    callers = (by_hour / by_hour.sum(axis=1, keepdims=True)).mean(axis=0)
    chosen = np.zeros(len(ids), dtype=np.int64)
    order = np.lexsort((ids, -calls))
    for start in range(0, len(order), BLOCK):
        block = order[start : start + BLOCK]
        firsts = np.arange(0, len(block), NEIGHBOURS)
        sampled = (_permille(seed, tables, world, callers, ids[block] + k) for k in range(DRAWS))
        held = [np.add.reduceat(permille * calls[block], firsts, axis=1) for permille in sampled]
        total = np.sum(held, axis=0)
        best = np.stack([np.abs(DRAWS * one - total).sum(axis=0) for one in held]).argmin(axis=0)
        chosen[block] = np.repeat(best, np.diff(np.append(firsts, len(block))))
    return chosen


def _permille(seed: int, tables: Tables, world: World, callers: Float64, ids: Int64) -> Int64:
    """What is balanced: how much of each app lives on each cloud, and has too long a network path; int64 [clouds + 1, A], per mille.

    `callers`: float64 [M], share of each metro in the calls of a global app.
    """
    region, data_region, is_global = draw_regions(seed, tables, world, ids)
    is_far = tables.rtt_us[:, region] + tables.data_rtt_us[data_region, region] > FAR_US  # [M, A]
    far = np.where(is_global, callers @ is_far, is_far[tables.metro_of_region[region], np.arange(len(ids))])
    on_cloud = tables.cloud_of_region[region] == np.arange(len(tables.clouds))[:, None]
    return np.rint(1000.0 * np.concatenate([on_cloud, far[None]])).astype(np.int64)
