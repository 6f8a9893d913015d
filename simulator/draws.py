"""Draws keyed by names. Not here: the hash itself (simulator/rng.py), what is sampled (simulator/workload.py, simulator/conditions.py).

A choice among named alternatives is a race of exponential clocks: each alternative's clock depends on (seed, id, its name) alone, and the
first to ring wins, with probability share / sum of shares. So the order of the alternatives does not matter, and one that is added or
taken away changes only the choices that it wins or had won.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simulator.rng import hash_u64, normal, text_id, uniform

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

NAME_STREAM = 19  # random stream that turns (seed, name) into a seed
HALF_CELL = 2.0**-54  # keeps a uniform away from 0
MEMORY_STREAM = 10
LEAST_MEMORY_MB, MOST_MEMORY_MB = 30, 10_240  # 10,240 MB is the largest function that AWS Lambda sells


def named_seed(seed: int, name: str) -> int:
    """Return the seed of everything sampled for `name` (64 bits)."""
    return int(hash_u64(seed, np.array([text_id(name)], dtype=np.uint64), NAME_STREAM)[0])


def choose(
    seed: int, ids: NDArray[np.integer], stream: int, names: Sequence[str], shares: NDArray[np.floating] | NDArray[np.bool_]
) -> Int64:
    """Return the index of the alternative sampled for each id: argmin over names of -ln U(id, name) / share.

    Args:
        seed: any non-negative integer.
        ids: integers [n], keys of the draws.
        stream: one small integer per purpose.
        names: of the k alternatives.
        shares: float or bool [k], or [n, k] where they differ between ids; not negative, need not sum to 1; 0 is never sampled.
    """
    first = np.full(len(ids), np.inf)
    chosen = np.zeros(len(ids), dtype=np.int64)
    weights = np.broadcast_to(np.asarray(shares, dtype=np.float64), (len(ids), len(names)))
    for k, name in enumerate(names):
        clock = -np.log(uniform(named_seed(seed, name), ids, stream) + HALF_CELL)
        with np.errstate(divide="ignore"):
            clock = clock / weights[:, k]
        earlier = clock < first
        first[earlier] = clock[earlier]
        chosen[earlier] = k
    return chosen


def memory_mb(seed: int, ids: NDArray[np.integer], median_mb: float, sigma: float) -> Int64:
    """Return the memory that each app uses, MB: log-normal, cut to what a function can have; int64 of the shape of `ids`."""
    sampled = median_mb * np.exp(sigma * normal(seed, ids, MEMORY_STREAM))
    return np.clip(np.rint(sampled), LEAST_MEMORY_MB, MOST_MEMORY_MB).astype(np.int64)
