"""What an app's calls cost beyond curve and level as a zone fills, where its own bursts wait or are rejected. Not here: other apps.

Learned from replays of one past at all placements: each burst then has as many outcomes as there are placements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.baselines.planning.curve import weights_at

if TYPE_CHECKING:
    from models.baselines.planning.rows import ReplayRows

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
KNOTS = np.array([0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.98])  # of the utilisation
SMOOTHING = 0.05  # of the calls, on squared first differences of the response


def response_weights(utilisation: Float64) -> Float64:
    """Return the values of the hat functions at a utilisation, float64 [..., len(KNOTS)]."""
    return weights_at(KNOTS, utilisation)


def fit_response(rows: ReplayRows, beyond: Float64, utilisation: Float64, is_used: Bool, apps: int) -> Float64:
    """Return the response of every app, USD per call at KNOTS, float64 [A, len(KNOTS)]: 0 at the first one, never falling.

    A regression per app of what the placements of one interval cost beyond their mean, so that an interval's own effect drops out.

    Args:
        rows: replays.
        beyond: float64 [N, P], their cost beyond curve and level, USD.
        utilisation: float64 [P, K], mean of every interval.
        is_used: bool [N, P], False in an outage.
        apps: how many there are.
    """
    knots = len(KNOTS)
    hats = response_weights(utilisation).transpose(1, 0, 2)  # [K, P, knots]
    share = is_used / np.maximum(is_used.sum(axis=1, keepdims=True), 1)
    y = (beyond - (beyond * share).sum(axis=1, keepdims=True)) * is_used
    squares, products, calls = np.zeros((apps, knots, knots)), np.zeros((apps, knots)), np.zeros(apps)
    for k in range(hats.shape[0]):
        lo, hi = np.searchsorted(rows.interval, (k, k + 1))
        if lo == hi:
            continue
        used = is_used[lo]  # of the interval: the same for all apps
        x = (hats[k] - hats[k][used].mean(axis=0)) * used[:, None] if used.any() else np.zeros_like(hats[k])
        app, count = rows.app[lo:hi], rows.calls[lo:hi].astype(np.float64)
        squares[app] += count[:, None, None] * (x.T @ x)  # weight 1 / calls of a row whose regressors are calls x hats
        products[app] += y[lo:hi] @ x
        calls[app] += count
    steps = np.diff(np.eye(knots), axis=0)
    places = utilisation.shape[0]
    squares += SMOOTHING * calls[:, None, None] * (steps.T @ steps) * places / knots + 1e-9 * np.eye(knots)
    found = np.linalg.solve(squares, products[:, :, None])[:, :, 0]
    return np.maximum.accumulate(np.maximum(found - found[:, :1], 0.0), axis=1)
