"""Counter-based random numbers: a draw depends on (seed, id, stream) alone. Not here: generators with state.

The same call has the same luck under every policy, thread count and order of work (common random numbers).
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

UInt64 = NDArray[np.uint64]
Float64 = NDArray[np.float64]

_SEED, _ID, _STREAM = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_MASK = (1 << 64) - 1


def hash_u64(seed: int, ids: NDArray[np.integer], stream: int) -> UInt64:
    """Return h(seed, id, stream), uniform 64-bit words of the shape of `ids` (finaliser of splitmix64 over a linear mix).

    Args:
        seed: any non-negative integer.
        ids: integers; negative ones count modulo 2^64.
        stream: one small integer per purpose (1 cold start, 2 keep-alive, 3 floor launch, 10 memory, 11 trigger, ...).
    """
    x = np.asarray(ids).astype(np.uint64) * np.uint64(_ID) + mixed_seed(seed, stream)
    x ^= x >> np.uint64(30)
    x *= np.uint64(_ID)
    x ^= x >> np.uint64(27)
    x *= np.uint64(_STREAM)
    x ^= x >> np.uint64(31)
    return x


def mixed_seed(seed: int, stream: int) -> np.uint64:
    """Return the part of the hash that does not depend on the id, for kernels that hash one id at a time."""
    return np.uint64((seed * _SEED + stream * _STREAM) & _MASK)


def mixed_seeds(seeds: UInt64, stream: int) -> UInt64:
    """Return `mixed_seed` of many seeds."""
    return seeds * np.uint64(_SEED) + mixed_seed(0, stream)


def uniform(seed: int, ids: NDArray[np.integer], stream: int) -> Float64:
    """Return uniforms in [0, 1): the top 53 bits of the hash."""
    return (hash_u64(seed, ids, stream) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(seed: int, ids: NDArray[np.integer], stream: int) -> Float64:
    """Return standard normals: the inverse distribution function of the uniform at the middle of its cell."""
    return normal_quantile(uniform(seed, ids, stream) + 2.0**-54)


def text_id(text: str) -> int:
    """Return a stable 60-bit id of a text, to key draws by a name (first 15 hex digits of its SHA-256)."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:15], 16)


def normal_quantile(p: Float64) -> Float64:
    """Inverse of the standard normal distribution function, |relative error| < 1.2e-9 (Acklam 2003, rational approximation).

    Args:
        p: probabilities in (0, 1).
    """
    a = (-3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.383577518672690e2, -3.066479806614716e1, 2.506628277459239)
    b = (-5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1, 1.0)
    c = (-7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783)
    d = (7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1.0)
    p = np.asarray(p, dtype=np.float64)
    tail = 0.02425
    q = np.minimum(p, 1.0 - p)
    r = np.sqrt(-2.0 * np.log(np.maximum(q, 1e-300)))
    outer = np.polyval(c, r) / np.polyval(d, r) * np.where(p < 0.5, 1.0, -1.0)
    s = (p - 0.5) ** 2
    centre = (p - 0.5) * np.polyval(a, s) / np.polyval(b, s)
    return np.where(q < tail, outer, centre)
