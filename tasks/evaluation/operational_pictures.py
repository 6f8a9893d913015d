"""What the section on warm floors draws: fans, residuals, calibration, provisioning of one scenario. Not here: drawing, errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.operational.events import FAR, NEAR, Collector, label
from models.operational.lstm import LEVEL, LSTMPredictor
from models.operational.windows import TARGETS
from simulator.control.baseline import HOME_SEED
from simulator.control.loop import Loop, finished
from tasks.core.terms import CLASSES
from tasks.evaluation.operational_forecasts import BATCH, Compared, forecasts
from tasks.evaluation.operational_world import Judged
from tasks.learning.operational_policy import boosted_heads, trunk_heads

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
CALLS, VCPUS = TARGETS.index("rate"), TARGETS.index("cpu")
FAN_ARMS = ("lstm_symmetric", "lstm_specified", "lstm_quantile")
SPREAD_ARMS = ("lstm_specified", "lstm_symmetric", "last_value")
PROVISION_ARMS = ("lstm_specified", "lstm_symmetric", "lstm_quantile", "boosting", "moving_average", "last_value")
FAN_STEPS = 120  # half an hour
LEVELS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
FACTORS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
QUANTILE_BINS = 8
EDGES = (0.0, 1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
EVENT_STEPS, EVENT_ROWS, WARMED_STEPS = 11, 60_000, 240  # steps between barriers; most rows; pools of the recorded run are not empty
DIGITS = 7


def pictures(world: Judged, asked: Compared, found: Mapping[str, Float64], classes: NDArray[np.str_]) -> dict[str, Any]:
    """Return what `FloorPictures` holds but the labels; see `operational_forecasts.errors`."""
    return {
        "scenario": world.scenario.id,
        "step_s": world.scenario.world.step_us / 1e6,
        "fans": _fans(world, classes),
        "levels": LEVELS,
        "residuals": _residuals(world, asked, found, classes),
        "quantile_level": LEVEL,
        "quantile": _quantile(asked, found["lstm_quantile"], classes),
        "events": _events(world),
        "factors": FACTORS,
        "provision": {arm: _provision(asked.truth[:, :, VCPUS], found[arm][:, :, VCPUS]) for arm in PROVISION_ARMS},
    }


def _line(values: Any) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in np.asarray(values, dtype=np.float64)]


def _fans(world: Judged, classes: NDArray[np.str_]) -> list[dict[str, Any]]:
    """The most called app of each class but the rare ones, in the half hour of the test span with most calls."""
    recorded, begin, end = world.recorded, world.scenario.split_steps[1], world.scenario.split_steps[2]
    made, rate = forecasts(world), world.recorded.demand[:, :, CALLS]
    fans = []
    for name in CLASSES[1:]:
        own = np.flatnonzero(classes == name)
        if not len(own):
            continue
        app = int(own[rate[own, begin:end].sum(axis=1).argmax()])
        total = np.convolve(rate[app, begin : end - 1], np.ones(FAN_STEPS), "valid")
        first = begin + int(total.argmax())
        step = np.arange(first - 1, first - 1 + FAN_STEPS)
        apps = np.full(FAN_STEPS, app)
        lines = {arm: _line(made[arm](apps, step)[:, CALLS] * recorded.scale[app, CALLS]) for arm in FAN_ARMS}
        hour = first * world.scenario.world.step_us / 3.6e9
        truth = _line(rate[app, first : first + FAN_STEPS])
        fans.append({"app_class": name, "app_id": world.scenario.apps.app_ids[app], "first_hour": hour, "truth": truth, "forecasts": lines})
    return fans


def _active(asked: Compared) -> Bool:
    """Windows with a call, or with one in the step after, bool [A, steps]."""
    return np.asarray(asked.has_call | (asked.truth[:, :, CALLS] > 0))


def _residuals(world: Judged, asked: Compared, found: Mapping[str, Float64], classes: NDArray[np.str_]) -> list[dict[str, Any]]:
    active, scale = _active(asked), world.recorded.scale[:, CALLS][:, None]
    rows = []
    for name in CLASSES:
        own = active & (classes == name)[:, None]
        if not own.any():
            continue
        error = {arm: ((asked.truth[:, :, CALLS] - found[arm][:, :, CALLS]) / scale)[own] for arm in SPREAD_ARMS}
        lines = {arm: _line(np.quantile(values, LEVELS)) for arm, values in error.items()}
        rows.append({"app_class": name, "windows": int(own.sum()), "by_arm": lines})
    return rows


def _quantile(asked: Compared, made: Float64, classes: NDArray[np.str_]) -> dict[str, list[dict[str, Any]]]:
    """Windows with a call in bins of equal size by their forecast of the rate."""
    active, found = _active(asked), {}
    for name in CLASSES:
        own = active & (classes == name)[:, None]
        if not own.any():
            continue
        forecast, truth = made[own][:, CALLS], asked.truth[own][:, CALLS]
        parts = np.array_split(np.argsort(forecast, kind="stable"), min(QUANTILE_BINS, len(forecast)))
        found[name] = [_bin(forecast[part], truth[part] <= forecast[part]) for part in parts]
    return found


def _bin(forecast: Float64, happened: Bool) -> dict[str, Any]:
    return {"forecast": float(f"{forecast.mean():.{DIGITS}g}"), "observed": float(happened.mean()), "count": len(forecast)}


def _provision(truth: Float64, made: Float64) -> list[list[float]]:
    """Too few and too many, of each factor."""
    pairs = []
    for factor in FACTORS:
        error = truth - factor * made
        pairs.append(_line([np.maximum(error, 0).mean(), np.maximum(-error, 0).mean()]))
    return pairs


def _events(world: Judged) -> dict[str, list[dict[str, Any]]]:
    """The heads on the pools of the test span that they decide for, at home; labels are those of the recorded run."""
    scenario, begin, end = world.scenario, world.scenario.split_steps[1], world.scenario.split_steps[2]
    rng = np.random.Generator(np.random.PCG64([scenario.seed, EVENT_STEPS]))
    collector = Collector(EVENT_STEPS, 1.0, rng)
    finished(Loop(scenario, collector, HOME_SEED, begin=begin, end=end))
    x, pool, step = collector.rows()
    has_clock = collector.seen.has_clock(scenario.apps.first_function)[pool]
    kept = np.flatnonzero(~has_clock & (step >= begin + WARMED_STEPS) & (step < end - WARMED_STEPS))
    if not len(kept):
        return {}
    kept = np.sort(rng.choice(kept, min(EVENT_ROWS, len(kept)), replace=False))
    event = label(scenario, world.nothing_idle, pool[kept], step[kept])
    app = np.searchsorted(scenario.apps.first_function, pool[kept], side="right") - 1
    predictor = LSTMPredictor.load(world.layer / "best_model.pt")
    window, which = world.recorded.distinct(app, step[kept] - 1)
    trunk = np.concatenate([predictor.trunk(window[b : b + BATCH]) for b in range(0, len(window), BATCH)])[which]
    boosted, (dense, _) = boosted_heads(world.layer), trunk_heads(world.layer, world.known)
    wide = np.concatenate([trunk, x[kept]], axis=1)
    made = {
        "boosted, next two steps": (boosted[NEAR](x[kept]), NEAR), "boosted, next keep-alive": (boosted[FAR](x[kept]), FAR),
        "on the LSTM, next two steps": (dense[NEAR](wide), NEAR), "on the LSTM, next keep-alive": (dense[FAR](wide), FAR),
    }  # fmt: skip
    return {name: _reliability(probability, event[:, horizon]) for name, (probability, horizon) in made.items()}


def _reliability(probability: Float64, happened: Bool) -> list[dict[str, Any]]:
    at = np.clip(np.searchsorted(EDGES, probability, side="right") - 1, 0, len(EDGES) - 2)
    return [_bin(probability[at == i], happened[at == i]) for i in range(len(EDGES) - 1) if (at == i).any()]
