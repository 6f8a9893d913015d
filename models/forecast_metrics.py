"""Errors of forecasts, per series over time. Not here: forecasts (models/baselines/forecasts.py), tests between arms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def rmse(y: Float64, forecast: Float64) -> Float64:
    """Root mean squared error over the last axis."""
    return np.sqrt(np.mean((y - forecast) ** 2, axis=-1))


def mae(y: Float64, forecast: Float64) -> Float64:
    """Mean absolute error over the last axis."""
    return np.mean(np.abs(y - forecast), axis=-1)


def naive_scale(train: Float64) -> Float64:
    """Mean absolute step of the train span, the denominator of MASE (Hyndman and Koehler 2006, eq. 2 of section 3)."""
    return np.mean(np.abs(np.diff(train, axis=-1)), axis=-1)


def mase(y: Float64, forecast: Float64, scale: Float64) -> Float64:
    """Mean absolute scaled error; NaN for a series whose train span never changes."""
    scale = np.asarray(scale, dtype=np.float64)
    return np.divide(mae(y, forecast), scale, out=np.full(scale.shape, np.nan), where=scale > 0)
