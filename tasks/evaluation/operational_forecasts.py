"""Errors of the forecasts of the next step on the test span, by class of app and target. Not here: what a forecast is worth.

All forecasts are compared on the same windows of the recorded run at home: every n-th step of all apps. MASE is of the mean absolute step
of the app's train span, the mean over the apps that changed there; the row `zero` belongs beside it, because most steps are empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.forecast_metrics import mae, mase, naive_scale, rmse
from models.operational.allocator import Predictor
from models.operational.forecasters import NAIVE, MeanMargin, lagged, naive
from models.operational.lstm import LEVEL, LSTMPredictor
from models.operational.windows import TARGETS, Recorded
from tasks.evaluation.operational_world import Judged
from tasks.learning.operational_policy import boosted_predictor

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Forecast = Callable[[Int64, Int64], Float32]
BATCH = 4096


def forecasts(world: Judged) -> dict[str, Forecast]:
    """Every forecast by the name of its arm: (app, step) int64 [n] -> scaled forecast of the step after, float32 [n, 3]."""
    recorded = world.recorded

    def of(predictor: Predictor) -> Forecast:
        return lambda app, step: _predicted(predictor, recorded, app, step)

    def classical(name: str) -> Forecast:
        return lambda app, step: naive(name, recorded, app, step)

    found: dict[str, Forecast] = {name: classical(name) for name in NAIVE}
    found |= {name: of(world.network(name)) for name in ("lstm_specified", "lstm_symmetric", "lstm_quantile")}
    found["lstm_margin"] = of(MeanMargin(world.network("lstm_symmetric"), world.margin))
    found["lstm_lagged"] = lambda app, step: _with_lags(world.network("lstm_lagged"), recorded, app, step)
    found["boosting"] = of(boosted_predictor(world.layer))
    return found


def _predicted(predictor: Predictor, recorded: Recorded, app: Int64, step: Int64) -> Float32:
    window, which = recorded.distinct(app, step)
    parts = [predictor.predict(window[b : b + BATCH]) for b in range(0, len(window), BATCH)]
    return np.asarray(np.concatenate(parts)[which])


def _with_lags(predictor: LSTMPredictor, recorded: Recorded, app: Int64, step: Int64) -> Float32:
    """The lagged calls join above the LSTMs, so that windows without a call share these."""
    window, which = recorded.distinct(app, step)
    trunk = np.concatenate([predictor.trunk(window[b : b + BATCH]) for b in range(0, len(window), BATCH)])
    return predictor.answer(trunk[which], lagged(recorded, app, step))


@dataclass(frozen=True, eq=False)
class Compared:
    """The windows on which forecasts are compared: every n-th step of the test span, of all apps.

    Args:
        app, step: int64 [apps x steps], app by app.
        truth: float64 [apps, steps, 3], what the step after each window asked for.
        has_call: bool [apps, steps], whether the window holds a call.
        scale: float32 [apps, 3].
    """

    app: NDArray[np.int64]
    step: NDArray[np.int64]
    truth: Float64
    has_call: NDArray[np.bool_]
    scale: Float32

    def of(self, forecast: Forecast) -> Float64:
        """A forecast of these windows in units of the targets, float64 [apps, steps, 3]."""
        return (forecast(self.app, self.step) * self.scale[self.app]).reshape(self.truth.shape).astype(np.float64)


def compared(world: Judged, every: int) -> Compared:
    """The windows of a scenario; `every`: steps between them."""
    recorded, begin, end = world.recorded, world.scenario.split_steps[1], world.scenario.split_steps[2]
    steps, apps = np.arange(begin - 1, end - 1, every), len(recorded.inputs)
    app, step = np.repeat(np.arange(apps), len(steps)), np.tile(steps, apps)
    truth = recorded.demand[app, step + 1].reshape(apps, len(steps), -1).astype(np.float64)
    has_call = recorded.has_call(app, step).reshape(apps, len(steps))
    return Compared(app, step, truth, has_call, recorded.scale)


def errors(world: Judged, asked: Compared, found: Mapping[str, Float64], classes: NDArray[np.str_]) -> list[dict[str, Any]]:
    """Rows arm, app_class, target, rmse, mae, mase, pinball, over the test span.

    Args:
        world: of the scenario.
        asked: its windows.
        found: every forecast of them, by arm; see `Compared.of`.
        classes: by app.
    """
    train, rows = world.recorded.demand[:, : world.scenario.split_steps[0]], []
    scale = [naive_scale(train[:, :, i].astype(np.float64)) for i in range(len(TARGETS))]
    for arm, made in found.items():
        for i, target in enumerate(TARGETS):
            rows += _by_class(arm, target, asked.truth[:, :, i], made[:, :, i], scale[i], classes)
    return rows


def _by_class(arm: str, target: str, truth: Float64, made: Float64, scale: Float64, classes: NDArray[np.str_]) -> list[dict[str, Any]]:
    error = truth - made
    found = {
        "rmse": rmse(truth, made),
        "mae": mae(truth, made),
        "mase": mase(truth, made, scale),
        "pinball": np.maximum(LEVEL * error, (LEVEL - 1) * error).mean(axis=1),
    }
    rows = []
    for name in ("all", *np.unique(classes).tolist()):
        own = np.ones(len(classes), dtype=np.bool_) if name == "all" else classes == name
        means = {metric: float(np.nanmean(values[own])) if np.isfinite(values[own]).any() else None for metric, values in found.items()}
        rows.append({"arm": arm, "app_class": name, "target": target, **means})
    return rows
