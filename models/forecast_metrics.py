"""Errors of point forecasts. Belongs here: RMSE, MAE, MASE and the naive scale. Does not: forecasting (models/baselines/forecasts.py).

All functions take arrays whose LAST axis is time, `[..., time]`, and judge the steps where both the value and the forecast
are finite: the first steps of a series have no past, so their forecasts are NaN.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def _errors(y: npt.ArrayLike, f: npt.ArrayLike) -> Floats:
    """Return `y - f` where both are finite, flat.

    Raises:
        ValueError: the shapes differ.
    """
    truth, forecast = np.asarray(y, dtype=np.float64), np.asarray(f, dtype=np.float64)
    if truth.shape != forecast.shape:
        raise ValueError(f"values have shape {truth.shape}, forecasts {forecast.shape}")
    both = np.isfinite(truth) & np.isfinite(forecast)
    return truth[both] - forecast[both]


def rmse(y: npt.ArrayLike, f: npt.ArrayLike) -> float | None:
    """Root of the mean squared error over all series and steps, in the unit of `y`; None when no step can be judged."""
    errors = _errors(y, f)
    return float(np.sqrt(np.mean(errors * errors))) if errors.size else None


def mae(y: npt.ArrayLike, f: npt.ArrayLike) -> float | None:
    """Mean absolute error over all series and steps, in the unit of `y`; None when no step can be judged."""
    errors = _errors(y, f)
    return float(np.mean(np.abs(errors))) if errors.size else None


def naive_scale(train: npt.ArrayLike, season: int = 1) -> float:
    """Mean absolute one-season change of the train span: the denominator of MASE (Hyndman and Koehler 2006, eq. 3).

    Args:
        train: values `[..., time]`; several series are pooled.
        season: steps per season; 1 compares with the step before.

    Returns:
        The scale in the unit of `train`; 0.0 when the train span never changes or is not longer than one season.

    Raises:
        ValueError: `season` is below 1.
    """
    if season < 1:
        raise ValueError(f"season must be at least 1 step, not {season}")
    values = np.asarray(train, dtype=np.float64)
    if values.ndim == 0 or values.shape[-1] <= season:
        return 0.0
    changes = np.abs(values[..., season:] - values[..., :-season])
    changes = changes[np.isfinite(changes)]
    return float(np.mean(changes)) if changes.size else 0.0


def mase(y: npt.ArrayLike, f: npt.ArrayLike, scale: float) -> float | None:
    """Mean absolute error divided by `scale` (from `naive_scale` of the TRAIN span); below 1 beats the naive forecast.

    Returns:
        A pure number, or None where it is undefined: a scale of 0, or no step that can be judged.
    """
    error = mae(y, f)
    return error / scale if error is not None and scale > 0 else None
