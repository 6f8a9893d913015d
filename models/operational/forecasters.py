"""Forecasts of the next step beside the network: zero, last value, average, yesterday, trees, a margin. Not here: the network (lstm.py).

A forecast of a table takes a recorded run and says what each step after a window asks for; one that can also decide in a run is a
`Predictor` of the allocator. All of them are in scaled units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.units import DAY_US
from models.operational.allocator import Predictor
from models.operational.boosting import Shape, Trees, fit_trees
from models.operational.windows import TARGETS, Recorded
from simulator.control.features.operational import SERIES
from simulator.control.view import WINDOW_STEPS

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
AVERAGE_STEPS = 20  # five minutes
LAG_HALF_STEPS = 10  # lagged calls are counted this many steps before and after
LAGS_DAYS = (1, 7)
EXTRA = len(LAGS_DAYS) + 1


@dataclass(frozen=True, eq=False)
class MeanMargin:
    """Another predictor with a constant added to each target.

    Args:
        predictor: below.
        margin: float32 [3].
    """

    predictor: Predictor
    margin: Float32

    def predict(self, states: Float32) -> Float32:
        """See `Predictor`."""
        return np.asarray(self.predictor.predict(states) + self.margin)


@dataclass(frozen=True, eq=False)
class BoostedPredictor:
    """Trees on the flattened window, one ensemble per target."""

    trees: tuple[Trees, ...]

    @classmethod
    def fit(cls, window: Float32, target: Float32, weight: Float32, shape: Shape, seed: int) -> BoostedPredictor:
        """Fit on windows float32 [n, 12, 5] and targets float32 [n, 3] with the squared error."""
        x = flat(window)
        made = [
            fit_trees(x, target[:, i].astype(np.float64), weight.astype(np.float64), "squared_error", shape, seed)
            for i in range(len(TARGETS))
        ]
        return cls(tuple(made))

    def predict(self, states: Float32) -> Float32:
        """See `Predictor`."""
        x = flat(states)
        found: Float32 = np.maximum(np.stack([trees.raw(x) for trees in self.trees], axis=1), 0).astype(np.float32)
        return found


def flat(window: Float32) -> Float32:
    """Windows as rows, float32 [n, 60]."""
    return np.ascontiguousarray(window.reshape(-1, WINDOW_STEPS * SERIES))


def lagged(recorded: Recorded, app: Int64, step: Int64) -> Float32:
    """Calls around the next step one day and one week ago and in the last hour, log(1 + calls), float32 [n, 3]; before the run: none."""
    total = recorded.__dict__.get("_total")
    if total is None:
        calls = np.rint(recorded.demand[:, :, TARGETS.index("rate")] * (recorded.step_us / 1e6)).astype(np.int64)
        total = np.concatenate([np.zeros((len(calls), 1), dtype=np.int64), np.cumsum(calls, axis=1)], axis=1)
        recorded.__dict__["_total"] = total
    day = DAY_US // recorded.step_us
    spans = [(step + 1 - days * day - LAG_HALF_STEPS, step + 2 - days * day + LAG_HALF_STEPS) for days in LAGS_DAYS]
    spans.append((step + 1 - 3_600_000_000 // recorded.step_us, step + 1))
    columns = [total[app, np.clip(end, 0, step + 1)] - total[app, np.clip(begin, 0, step + 1)] for begin, end in spans]
    return np.log1p(np.stack(columns, axis=1)).astype(np.float32)


def naive(name: str, recorded: Recorded, app: Int64, step: Int64) -> Float32:
    """A classical forecast of the step after each, scaled, float32 [n, 3].

    Args:
        name: zero, last_value, moving_average (five minutes), seasonal_naive (a day).
        recorded: the run.
        app: int64 [n], whose windows.
        step: int64 [n], with which they end.
    """
    if name == "zero":
        return np.zeros((len(app), len(TARGETS)), dtype=np.float32)
    if name == "last_value":
        found = recorded.demand[app, step]
    elif name == "seasonal_naive":
        before = step + 1 - DAY_US // recorded.step_us
        found = np.where(before[:, None] >= 0, recorded.demand[app, np.maximum(before, 0)], 0)
    else:
        found = np.zeros((len(app), len(TARGETS)), dtype=np.float32)
        for back in range(AVERAGE_STEPS):
            found += np.where((step >= back)[:, None], recorded.demand[app, np.maximum(step - back, 0)], 0)
        found /= AVERAGE_STEPS
    return np.asarray(found / recorded.scale[app], dtype=np.float32)


NAIVE = ("zero", "last_value", "moving_average", "seasonal_naive")
