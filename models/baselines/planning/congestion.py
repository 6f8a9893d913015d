"""Forecasts of a zone's utilisation, one ridge regression a horizon for all zones. Not here: what congestion costs.

A zone's past is read as deviations from its mean so far, so that one regression serves every zone and permuting zones permutes forecasts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.units import DAY_US, PPM, SLOT_US
from simulator.conditions import slowdown_permille

if TYPE_CHECKING:
    from simulator.parameters import World

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
HORIZONS = 24  # tactical intervals ahead
DAY = DAY_US // SLOT_US
WINDOWS = ((0, 1), (0, 3), (0, 5), (5, 10), (10, 20), (20, 50), (50, 144), (144, 288))  # slots back: from, to
FEATURES = len(WINDOWS) + 2  # and the target's time of day: yesterday, and the mean of all days
RIDGE = 1e-3  # of the mean square of the features
EVERY = 3  # intervals; those between say nearly the same
NODES = np.array([-1.4652, -0.7916, -0.3661, 0.0, 0.3661, 0.7916, 1.4652])  # normal quantiles of 1/14, 3/14, ... 13/14
NODE_SPREAD = 0.5  # of the residual's standard deviation: half of the spread is seen and left again inside the horizon
LEAST, MOST = 0.05, 0.98  # utilisation of a zone that is not out


@dataclass(frozen=True, eq=False)
class Congestion:
    """The regressions.

    Args:
        weights: float64 [HORIZONS, FEATURES].
        residual: float64 [HORIZONS], standard deviation of what is left.
    """

    weights: Float64
    residual: Float64

    def expected(self, utilisation_ppm: Int64, is_out: Bool, slots: int, horizon: int, world: World) -> Float64:
        """Return the utilisation of the coming intervals, float64 [horizon, P].

        Args:
            utilisation_ppm: int64 [P, S] of all finished slots.
            is_out: bool [P, S].
            slots: of an interval.
            horizon: intervals ahead, at most HORIZONS.
            world: its mean utilisation is expected where nothing has been seen.
        """
        values, mean = features(utilisation_ppm, is_out, slots, horizon, world)
        found: Float64 = np.einsum("hpf,hf->hp", values, self.weights[:horizon]) + mean
        return np.clip(found, LEAST, MOST)

    def nodes(self, expected: Float64) -> Float64:
        """Return equally likely values of the utilisation around `expected` (float64 [H, P]), float64 [H, P, len(NODES)]."""
        spread = NODE_SPREAD * self.residual[: len(expected), None, None] * NODES
        return np.clip(expected[:, :, None] + spread, LEAST, MOST)


def fit(utilisation_ppm: Int64, is_out: Bool, slots: int, world: World) -> Congestion:
    """Fit the regressions on a span that has passed (int64 and bool [P, S]); intervals in which a zone was out are no targets."""
    total, target, square = np.zeros((HORIZONS, FEATURES, FEATURES)), np.zeros((HORIZONS, FEATURES)), np.zeros(HORIZONS)
    count = np.zeros(HORIZONS)
    length = utilisation_ppm.shape[1]
    for now in range(slots, length - slots + 1, EVERY * slots):
        horizon = min(HORIZONS, (length - now) // slots)
        values, mean = features(utilisation_ppm[:, :now], is_out[:, :now], slots, horizon, world)
        ahead = slice(now, now + horizon * slots)
        by_interval = (len(utilisation_ppm), horizon, slots)
        later = utilisation_ppm[:, ahead].reshape(by_interval).mean(axis=2).T / PPM - mean
        is_used: Bool = ~np.any(is_out[:, ahead].reshape(by_interval), axis=2).T
        used = values * is_used[:, :, None]
        total[:horizon] += np.einsum("hpf,hpg->hfg", used, values)
        target[:horizon] += np.einsum("hpf,hp->hf", used, later)
        square[:horizon] += (later * later * is_used).sum(axis=1)
        count[:horizon] += is_used.sum(axis=1)
    scale = np.trace(total, axis1=1, axis2=2) / FEATURES
    ridge = RIDGE * np.maximum(scale, 1e-12)[:, None, None] * np.eye(FEATURES)
    weights = np.linalg.solve(total + ridge, target[:, :, None])[:, :, 0]
    explained = 2 * np.einsum("hf,hf->h", weights, target) - np.einsum("hf,hfg,hg->h", weights, total, weights)
    return Congestion(weights, np.sqrt(np.maximum(square - explained, 0.0) / np.maximum(count, 1.0)))


def features(utilisation_ppm: Int64, is_out: Bool, slots: int, horizon: int, world: World) -> tuple[Float64, Float64]:
    """Return what the regressions read, float64 [horizon, P, FEATURES], and the mean of each zone so far, float64 [P].

    Slots in which a zone was out count as its last one before that. What lies before the first slot counts as the mean.
    """
    places, length = utilisation_ppm.shape
    out = np.zeros((horizon, places, FEATURES))
    if length == 0:
        return out, np.full(places, world.utilisation.u_mean)
    seen = _without_outages(utilisation_ppm, is_out, world.utilisation.u_mean)
    before = np.zeros((places, length + 1))
    np.cumsum(seen, axis=1, out=before[:, 1:])
    mean = before[:, -1] / length
    for i, (near, far) in enumerate(WINDOWS):
        end, begin = max(0, length - near), max(0, length - far)
        if end > begin:
            out[:, :, i] = (before[:, end] - before[:, begin]) / (end - begin) - mean
    for h in range(horizon):
        begin = length + h * slots
        # Yesterday first; the target of a far horizon may be less than a day after now, never more than `HORIZONS` intervals.
        days = np.arange(begin - DAY, -1, -DAY)
        days = days[(days >= 0) & (days + slots <= length)]
        if len(days):
            at_that_time = (before[:, days + slots] - before[:, days]) / slots - mean[:, None]
            out[h, :, -2], out[h, :, -1] = at_that_time[:, 0], at_that_time.mean(axis=1)
    return out, mean


def _without_outages(utilisation_ppm: Int64, is_out: Bool, start: float) -> Float64:
    """Utilisation as a share, float64 [P, S]; in an outage that of the last slot before it, `start` where there is none."""
    found = utilisation_ppm / PPM
    for p in np.flatnonzero(is_out.any(axis=1)):
        last = np.maximum.accumulate(np.where(is_out[p], -1, np.arange(is_out.shape[1])))
        found[p] = np.where(last >= 0, found[p, np.maximum(last, 0)], start)
    return found


def slowdown(utilisation: Float64, world: World) -> Float64:
    """Return the factor on durations at a utilisation, float64 of the same shape."""
    return slowdown_permille(np.rint(utilisation * PPM).astype(np.int32), world) / 1000.0
