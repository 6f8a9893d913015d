"""neuralforecast and statsforecast as recorded peers of the forecasts: speed of training, errors of the next step. Not here: money.

They need another pandas than the project, so they run in an environment of their own; without them nothing is measured:

    pip install neuralforecast==3.3.0 statsforecast==2.1.1
    python -m bench.forecast_peers --scenario data/scenario/calm-1 --models data/models

Speed: windows per processor second of one thread, ours and neuralforecast's LSTM of two layers with about as many parameters, both on
twelve steps and one step ahead. Errors: ETS (additive error, no trend) on steps, and MSTL with one season of a day and ETS on the rest, on
means of five minutes (its smoother takes minutes an app at a season of 5,760 steps); both fitted on the end of each app's train span, their
level carried forward, on the windows on which all forecasts are compared. A train span holds no two weeks, so there is no season of a week.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.forecast_metrics import mae, mase, naive_scale, rmse
from models.operational.lstm import LEVEL, LSTMTraining, Settings, Windows
from models.operational.windows import TARGETS
from tasks.evaluation.operational_forecasts import compared
from tasks.evaluation.operational_world import Judged

Float64 = NDArray[np.float64]
CALLS = TARGETS.index("rate")
BATCH, HIDDEN, SERIES = 128, 96, 5  # two layers of 96 have as many weights as ours of 128 and 64
DAY_STEPS, FIT_DAYS = 5760, 3
SLOT_STEPS = 20  # five minutes, of which MSTL sees the mean
ROUNDS = 3


def is_there(name: str) -> bool:
    """Whether a library can be imported."""
    return importlib.util.find_spec(name) is not None


def our_windows_per_s(count: int) -> float:
    """Windows that our network trains on in a processor second."""
    rng = np.random.default_rng(1)
    data = Windows(
        rng.random((count, 12, SERIES), dtype=np.float32), rng.random((count, 3), dtype=np.float32), np.ones(count, np.float32),
        np.zeros((count, 0), np.float32),
    )  # fmt: skip
    training = LSTMTraining(Settings(), 1, data, data, "bench")
    started = time.process_time()
    training._pass()
    return count / (time.process_time() - started)


def their_windows_per_s(steps: int) -> float:
    """The same of neuralforecast: the time of a fit less that of one with a few steps."""
    import pandas as pd
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MSE
    from neuralforecast.models import LSTM

    rng = np.random.default_rng(1)
    length, names = 2000, [f"x{i}" for i in range(SERIES - 1)]
    frame = pd.DataFrame({"unique_id": "a", "ds": np.arange(length), "y": rng.random(length)})
    for name in names:
        frame[name] = rng.random(length)

    def fit(count: int) -> float:
        model = LSTM(
            h=1, input_size=12, encoder_n_layers=2, encoder_hidden_size=HIDDEN, decoder_hidden_size=32, decoder_layers=1,
            hist_exog_list=names, loss=MSE(), max_steps=count, batch_size=1, windows_batch_size=BATCH, scaler_type="identity",
            enable_progress_bar=False, logger=False, enable_checkpointing=False, enable_model_summary=False, accelerator="cpu",
        )  # fmt: skip
        started = time.process_time()
        NeuralForecast(models=[model], freq=1).fit(frame)
        return time.process_time() - started

    few = max(2, steps // 10)
    fit(few)
    return (steps - few) * BATCH / (fit(steps) - fit(few))


def carried(values: Float64, alpha: float, level: float) -> Float64:
    """The level of exponential smoothing before each step, float64 [T]: the forecast of the step."""
    found = np.empty(len(values))
    for t, value in enumerate(values.tolist()):
        found[t] = level
        level += alpha * (value - level)
    return found


def ets(values: Float64, fit: slice) -> Float64:
    """Forecasts of ETS(A,N,N) of each step from the end of `fit` on, float64."""
    from statsforecast.models import AutoETS

    rest = values[fit.stop :]
    if values[fit].max() == values[fit].min():
        return carried(rest, 0.0, float(values[fit][-1]))
    found = AutoETS(season_length=1, model="ANN").fit(values[fit])
    alpha = float(found.model_["par"][0])
    return carried(rest, alpha, float(found.model_["states"][-1][0]))


def mstl(values: Float64, fit: slice) -> Float64:
    """The day's season of MSTL on means of five minutes, and ETS(A,N,N) on what it leaves, for every step of the five minutes."""
    from statsforecast.models import MSTL, AutoETS

    slots = values[: len(values) // SLOT_STEPS * SLOT_STEPS].reshape(-1, SLOT_STEPS).mean(axis=1)
    own, day = slice(fit.start // SLOT_STEPS, fit.stop // SLOT_STEPS), DAY_STEPS // SLOT_STEPS
    if slots[own].max() == slots[own].min():
        return ets(values, fit)
    parts = MSTL(season_length=day, trend_forecaster=AutoETS(model="ANN")).fit(slots[own]).model_
    season = np.resize(parts["seasonal"].to_numpy()[-day:], len(slots) - own.stop)
    left = np.concatenate([slots[own] - parts["seasonal"].to_numpy(), slots[own.stop :] - season])
    made = np.maximum(season + ets(left, slice(0, own.stop - own.start)), 0)
    return np.repeat(made, SLOT_STEPS)[: len(values) - fit.stop]


def errors(world: Judged, every: int, peers: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Mean errors over all apps of the forecasts of the call rate, by peer."""
    asked, end = compared(world, every), world.scenario.split_steps[0]
    rate = world.recorded.demand[:, :, CALLS].astype(np.float64)
    steps = asked.step[: asked.truth.shape[1]] + 1
    truth, scale = asked.truth[:, :, CALLS], naive_scale(rate[:, :end])
    found = {}
    for name, forecast in peers.items():
        made = np.stack([forecast(one, slice(end - FIT_DAYS * DAY_STEPS, end))[steps - end] for one in rate])
        error = truth - made
        found[name] = {
            "rmse": float(rmse(truth, made).mean()),
            "mae": float(mae(truth, made).mean()),
            "mase": float(np.nanmean(mase(truth, made, scale))),
            "pinball": float(np.maximum(LEVEL * error, (LEVEL - 1) * error).mean()),
        }
    return found


def main() -> None:
    """Measure what is installed, and print one line of JSON last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenario", type=Path)
    parser.add_argument("--models", type=Path, default=Path("data/models"))
    parser.add_argument("--every", type=int, default=7)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, Any] = {"name": "forecast_peers"}
    if is_there("neuralforecast"):
        rounds = [(our_windows_per_s(options.steps * BATCH), their_windows_per_s(options.steps)) for _ in range(ROUNDS)]
        ours, theirs = (statistics.median(side) for side in zip(*rounds, strict=True))
        found |= {
            "neuralforecast": version("neuralforecast"),
            "ours": round(ours),
            "theirs": round(theirs),
            "ratio": round(ours / theirs, 2),
        }
    if is_there("statsforecast") and options.scenario:
        peers = {"ETS": ets, "MSTL, five minutes": mstl}
        found |= {
            "statsforecast": version("statsforecast"),
            "errors": errors(Judged(options.scenario, options.models, 1), options.every, peers),
        }
    if len(found) == 1:
        print("neither neuralforecast nor statsforecast is installed here; see the module's docstring", file=sys.stderr)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
