"""Errors of the forecasts of the next step on the test span, by class of app and target. Not here: what a forecast is worth.

All forecasts are compared on the same windows of the recorded run at home: every n-th step of all apps. MASE is of the mean absolute step
of the app's train span, the mean over the apps that changed there; the row `zero` belongs beside it, because most steps are empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.forecast_metrics import mae, mase, naive_scale, rmse
from models.operational.forecasters import NAIVE, MeanMargin, lagged, naive
from models.operational.lstm import LEVEL
from models.operational.windows import TARGETS, Recorded, demand
from simulator.control.home_run import load_home_run
from tasks.evaluation.arms.operational import Judged, network
from tasks.learning.operational_known import inputs_of
from tasks.learning.operational_policy import boosted_predictor

if TYPE_CHECKING:
    from pathlib import Path

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Forecast = Callable[[NDArray[np.int64], NDArray[np.int64]], Float32]
CHUNK = 200_000
FAN_APPS = 3


def recorded_run(world: Judged, folder: Path) -> Recorded:
    """The whole recorded run at home, scaled as the networks expect it."""
    end = world.scenario.split_steps[2]
    inputs = inputs_of(load_home_run(folder, world.scenario), world.scenario, 0, end)
    return Recorded(world.known.inputs.scaled(inputs), demand(world.scenario, end), world.known.scale, world.scenario.world.step_us)


def forecasts(world: Judged, recorded: Recorded) -> dict[str, Forecast]:
    """Every forecast by the name of its arm: (app, step) int64 [n] -> scaled forecast of the step after, float32 [n, 3]."""

    def of(predictor: Any) -> Forecast:
        return lambda app, step: _predicted(predictor, recorded, app, step)

    def classical(name: str) -> Forecast:
        return lambda app, step: naive(name, recorded, app, step)

    wide = network(world, "lstm_lagged")
    found: dict[str, Forecast] = {name: classical(name) for name in NAIVE}
    found |= {name: of(network(world, name)) for name in ("lstm_specified", "lstm_symmetric", "lstm_quantile")}
    found["lstm_margin"] = of(MeanMargin(network(world, "lstm_symmetric"), world.margin))
    found["lstm_lagged"] = lambda app, step: wide.predict(recorded.windows(app, step), lagged(recorded, app, step))
    found["boosting"] = of(boosted_predictor(world.layer))
    return found


def _predicted(predictor: Any, recorded: Recorded, app: NDArray[np.int64], step: NDArray[np.int64]) -> Float32:
    """Answers for windows; those of one step without a call are one window."""
    window = recorded.windows(app, step)
    is_idle = ~(window[:, :, 0] > 0).any(axis=1)
    found = np.empty((len(app), len(TARGETS)), dtype=np.float32)
    if (~is_idle).any():
        found[~is_idle] = predictor.predict(window[~is_idle])
    if is_idle.any():
        _, first, which = np.unique(step[is_idle], return_index=True, return_inverse=True)
        found[is_idle] = predictor.predict(window[is_idle][first])[which]
    return found


def errors(world: Judged, recorded: Recorded, classes: NDArray[np.str_], every: int) -> list[dict[str, Any]]:
    """Rows arm, app_class, target, rmse, mae, mase, pinball, over the test span.

    Args:
        world: of the scenario.
        recorded: its run at home.
        classes: by app.
        every: steps between the windows.
    """
    begin, end = world.scenario.split_steps[1], world.scenario.split_steps[2]
    steps = np.arange(begin - 1, end - 1, every)
    apps = len(classes)
    app, step = np.repeat(np.arange(apps), len(steps)), np.tile(steps, apps)
    truth = recorded.demand[app, step + 1].reshape(apps, len(steps), -1).astype(np.float64)
    train = recorded.demand[:, : world.scenario.split_steps[0]]
    rows = []
    for arm, forecast in forecasts(world, recorded).items():
        parts = [forecast(app[b : b + CHUNK], step[b : b + CHUNK]) for b in range(0, len(app), CHUNK)]
        made = (np.concatenate(parts) * recorded.scale[app]).reshape(apps, len(steps), -1).astype(np.float64)
        for i, target in enumerate(TARGETS):
            scale = naive_scale(train[:, :, i].astype(np.float64))
            rows += _by_class(arm, target, truth[:, :, i], made[:, :, i], scale, classes)
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
