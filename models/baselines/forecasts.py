"""One-step-ahead forecasts without training. Belongs here: rules on the past of a series. Does not: their errors (models/forecast_metrics.py).

Every function maps values `x[..., time]` (any real dtype, last axis is time) to float64 forecasts of the same shape: `f[..., t]`
is made from `x[..., :t]` alone, and is NaN where that past is too short.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def _shifted(x: npt.ArrayLike, steps: int, name: str) -> Floats:
    """Return `x` moved `steps` later along time, NaN before.

    Raises:
        ValueError: `steps` is below 1 (the present would be used), or `x` has no time axis.
    """
    if steps < 1:
        raise ValueError(f"{name} must be at least 1 step, not {steps}")
    values = np.asarray(x, dtype=np.float64)
    if values.ndim == 0:
        raise ValueError("values need a time axis")
    out = np.full(values.shape, np.nan)
    out[..., steps:] = values[..., :-steps]
    return out


def last_value(x: npt.ArrayLike) -> Floats:
    """Forecast each step by the value of the step before."""
    return _shifted(x, 1, "lag")


def seasonal_naive(x: npt.ArrayLike, season: int) -> Floats:
    """Forecast each step by the value one season before.

    Args:
        x: values `[..., time]`.
        season: steps per season.

    Raises:
        ValueError: `season` is below 1.
    """
    return _shifted(x, season, "season")


def moving_average(x: npt.ArrayLike, window: int) -> Floats:
    """Forecast each step by the mean of the `window` steps before it; near the start, of the steps that exist.

    Integers below 2^53 are averaged without rounding in the sum.

    Args:
        x: values `[..., time]`; must be finite (a NaN would spread to every later forecast).
        window: steps averaged.

    Raises:
        ValueError: `window` is below 1, or a value is not finite.
    """
    past = _shifted(x, 1, "lag")
    if window < 1:
        raise ValueError(f"window must be at least 1 step, not {window}")
    values = np.asarray(x, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a moving average needs finite values")
    steps = values.shape[-1]
    if steps < 2:
        return past
    # Shifting by the first value keeps running sums small, so that a long, high series loses no digits.
    base = values[..., :1]
    total = np.zeros((*values.shape[:-1], steps))
    np.cumsum(values[..., :-1] - base, axis=-1, out=total[..., 1:])
    count = np.minimum(np.arange(steps), window)
    out = np.full(values.shape, np.nan)
    starts = np.arange(1, steps) - count[1:]
    out[..., 1:] = base + (total[..., 1:] - total[..., starts]) / count[1:]
    return out
