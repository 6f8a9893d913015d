"""The first forecasting table: three rules without training, one step ahead, on the test span. Not here: the rules and errors (models/).

Calls, busy vCPU and memory in use are forecast in 1-minute bins per app; the cells' CPU and memory in their own 5-minute slots.
The scale of MASE is the mean absolute one-step change of the train span; an app that never changes there has no MASE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from core.units import HOUR_S, MINUTE_S, SLOT_S
from models.baselines.forecasts import last_value, moving_average, seasonal_naive
from models.forecast_metrics import mae, mase, naive_scale, rmse
from tasks.core.database import literal, load_sql
from tasks.core.terms import CLASSES
from tasks.data.features_outputs import features_folder
from tasks.data.features_settings import FeaturesSettings
from tasks.data.ingest_outputs import staged_folder
from tasks.eda.calls import feature_files
from tasks.eda.cells import cell_series
from tasks.eda.eda_settings import EdaSettings

if TYPE_CHECKING:
    import duckdb

    from tasks.core.params import Params
    from tasks.core.paths import Paths
    from tasks.data.features_record import FeaturesSummary

BIN_S, DAY_H = MINUTE_S, 24
CELL_WINDOW_SLOTS = 12  # 5 minutes are one slot of a cell, which is the last value: an hour is used there
ERRORS = ("rmse", "mae", "mase")
MANY = 3  # fewer series than this give no quartiles


def forecasts(con: duckdb.DuckDBPyConnection, params: Params, paths: Paths, features: FeaturesSummary) -> dict[str, Any]:
    """Return {"rows": [...], "notes": [...], ...}; a row is (target, class, method) with the mean error over its apps and the quartiles.

    Args:
        con: a database.
        params: window and season of the rules, step, vCPU per memory.
        paths: of the working tree.
        features: what `features` says of its span and split.
    """
    step_s = params.section("features", FeaturesSettings).step_s
    minutes = features.split_steps[2] * step_s // BIN_S
    train, test = features.split_steps[0] * step_s // BIN_S, -(-features.split_steps[1] * step_s // BIN_S)
    settings = params.section("eda", EdaSettings)
    season = settings.season_h * 60
    rules = _rules(settings.moving_average_min * 60 // BIN_S, f"{settings.moving_average_min} min", season, minutes, test)
    notes = []
    if not any(name.startswith("seasonal") for name in rules):
        notes.append("seasonal naive (day) is left out: the past before the test span is shorter than the season")
    rows: list[dict[str, Any]] = []
    single: list[dict[str, Any]] = []
    for class_, series in _series(con, params, paths, features, minutes):
        for target, x in series.items():
            single += [{"class": class_, "target": target, "arm": m} | e for m, e in errors(x, train, test, rules).items()]
    for target in ("calls", "cpu", "memory"):
        for class_ in (*CLASSES, "all"):
            chosen = [s for s in single if s["target"] == target and class_ in (s["class"], "all")]
            rows += _summary(chosen, target, class_, rules)
    cells, cell_slots = _cells(con, params, paths)
    whole = [r for r in rows if r["target"] == "calls" and r["class"] == "all" and r["mase"] is not None]
    best = min(whole, key=lambda r: (r["mase"], r["arm"]), default=None)
    return {
        "source": features.source,
        "origin": features.origin,
        "horizon": 1,
        "step_s": BIN_S,
        "train_bins": train,
        "test_bins": minutes - test,
        "moving_average_min": settings.moving_average_min,
        "season_h": settings.season_h,
        "rows": rows + cells,
        "best": {k: best[k] for k in ("arm", "mase", "mase_quartiles", "target")} if best else None,
        "cell_split_slots": cell_slots,
        "notes": notes,
    }


def errors(
    x: np.ndarray, train: int, test: int, rules: dict[str, Callable[[np.ndarray], np.ndarray]]
) -> dict[str, dict[str, float | None]]:
    """Return RMSE, MAE and MASE of every rule on `x[test:]`, the scale from `x[:train]` only.

    Args:
        x: values by bin.
        train: bins of the train span.
        test: first bin of the test span.
        rules: forecasts of the same shape by name.
    """
    scale = naive_scale(x[:train]) if train > 1 else np.zeros(())
    found: dict[str, dict[str, float | None]] = {}
    for name, rule in rules.items():
        y, f = x[test:], rule(x)[test:]
        if y.size:
            found[name] = {"rmse": _finite(rmse(y, f)), "mae": _finite(mae(y, f)), "mase": _finite(mase(y, f, scale))}
    return found


def _finite(value: Any) -> float | None:
    """A plain float, None where the error is not defined."""
    return float(value) if np.isfinite(value) else None


def _rules(window: int, unit: str, season: int, bins: int, test: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """The rules by the name that the report shows; the seasonal one only where the past before the test span holds a season."""
    rules: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "last value": last_value,
        f"moving average {unit}": lambda x: moving_average(x, window),
    }
    if bins > test >= season:
        rules["seasonal naive (day)"] = lambda x: seasonal_naive(x, season)
    return rules


def _series(
    con: duckdb.DuckDBPyConnection, params: Params, paths: Paths, features: FeaturesSummary, minutes: int
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield (class, {target: values by minute}) of every app, in order of id."""
    steps = BIN_S // params.section("features", FeaturesSettings).step_s
    query = load_sql("eda/feature_minutes.sql").format(features=feature_files(paths), steps=max(steps, 1))
    columns = con.execute(query).fetchnumpy()
    app, minute = np.asarray(columns["app_id"]), np.asarray(columns["minute"], dtype=np.int64)
    calls, busy = np.asarray(columns["calls"], dtype=np.float64), np.asarray(columns["busy_us"], dtype=np.float64)
    apps = f"select app_id, rate_class from read_parquet({literal(features_folder(paths) / 'apps.parquet')}) order by app_id"
    memory = (
        f"select app_id, memory_mb from read_parquet({literal(staged_folder(paths, features.source) / 'apps.parquet')}) order by app_id"
    )
    class_of, mb_of = dict(con.execute(apps).fetchall()), dict(con.execute(memory).fetchall())
    starts = np.flatnonzero(np.diff(app, prepend=-1))
    for begin, end in zip(starts, [*starts[1:], app.size], strict=True):
        inside = minute[begin:end] < minutes
        at = minute[begin:end][inside]
        counts, running = np.zeros(minutes), np.zeros(minutes)
        counts[at] = calls[begin:end][inside]
        running[at] = busy[begin:end][inside] / (BIN_S * 1e6)
        mb = float(mb_of[int(app[begin])] or 0)
        series = {"calls": counts, "cpu": running * (mb / params.section("features", FeaturesSettings).vcpu_mb), "memory": running * mb}
        yield class_of.get(int(app[begin]), "rare"), series


def _summary(chosen: list[dict[str, Any]], target: str, class_: str, rules: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for arm in rules:
        of = [c for c in chosen if c["arm"] == arm]
        if not of:
            continue
        row: dict[str, Any] = {"target": target, "class": class_, "arm": arm, "series": len(of)}
        for error in ERRORS:
            values = np.array([c[error] for c in of if c[error] is not None])
            row[error] = float(np.mean(values)) if values.size else None
            quartiles = [float(q) for q in np.quantile(values, (0.25, 0.75))] if values.size >= MANY else None
            row[f"{error}_quartiles"] = quartiles
            if error == "mase":
                row["series_with_mase"] = int(values.size)
        rows.append(row)
    return rows


def _cells(con: duckdb.DuckDBPyConnection, params: Params, paths: Paths) -> tuple[list[dict[str, Any]], list[int]]:
    """The same for the cells, split in the same proportions of their own slots."""
    names, slots, cpu, memory = cell_series(con, paths)
    if not names:
        return [], []
    bins = int(slots.size)
    shares = params.section("features", FeaturesSettings).split
    train, test = round(bins * shares[0]), round(bins * (shares[0] + shares[1]))
    rules = _rules(CELL_WINDOW_SLOTS, "1 h", params.section("eda", EdaSettings).season_h * HOUR_S // SLOT_S, bins, test)
    rows = []
    for target, values in (("cpu", cpu), ("memory", memory)):
        single: list[dict[str, Any]] = []
        for line in values:
            last = np.maximum.accumulate(np.where(np.isfinite(line), np.arange(bins), 0))
            filled = np.nan_to_num(line[last])  # a missing slot repeats the one before it
            single += [{"arm": m} | e for m, e in errors(filled, train, test, rules).items()]
        rows += _summary(single, target, "cells", rules)
    return rows, [train, test, bins]
