"""One-step-ahead forecasts without learning: float64 [series, time] in, the same shape out, NaN where no past exists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def last_value(x: Float64) -> Float64:
    """Forecast of step t is the value of step t - 1."""
    return seasonal_naive(x, 1)


def moving_average(x: Float64, window: int) -> Float64:
    """Forecast of step t is the mean of the `window` steps before it (NaN until that many exist)."""
    out = np.full(x.shape, np.nan)
    if x.shape[-1] > window:
        total = np.cumsum(x, axis=-1)
        out[..., window] = total[..., window - 1] / window
        out[..., window + 1 :] = (total[..., window:-1] - total[..., : -window - 1]) / window
    return out


def seasonal_naive(x: Float64, season: int) -> Float64:
    """Forecast of step t is the value one season (in steps) earlier."""
    out = np.full(x.shape, np.nan)
    if x.shape[-1] > season:
        out[..., season:] = x[..., :-season]
    return out
