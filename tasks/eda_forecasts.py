"""The first forecasting table: three rules without training, one step ahead, on the test span. Not here: the rules and errors (models/).

Calls, busy vCPU and memory in use are forecast in 1-minute bins per app; the cells' CPU and memory in their own 5-minute slots.
The scale of MASE is the mean absolute one-step change of the train span; an app that never changes there has no MASE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from models.baselines.forecasts import last_value, moving_average, seasonal_naive
from models.forecast_metrics import mae, mase, naive_scale, rmse
from tasks.database import literal, load_sql
from tasks.eda_calls import feature_files
from tasks.eda_cells import cell_series

if TYPE_CHECKING:
    import duckdb

    from tasks.params import Params
    from tasks.paths import Paths

BIN_S, SLOT_S, DAY_H = 60, 300, 24
CELL_WINDOW_SLOTS = 12  # 5 minutes are one slot of a cell, which is the last value: an hour is used there
CLASSES = ("rare", "low", "mid", "high")
ERRORS = ("rmse", "mae", "mase")
MANY = 3  # fewer series than this give no quartiles


def forecasts(con: duckdb.DuckDBPyConnection, params: Params, paths: Paths, features: dict[str, Any]) -> dict[str, Any]:
    """Return {"rows": [...], "notes": [...], ...}; a row is (target, class, method) with the median error over its apps and the quartiles.

    Args:
        con: a database.
        params: window and season of the rules, step, vCPU per memory.
        paths: of the working tree.
        features: content of features.json.
    """
    step_s = params.features.step_s
    minutes = features["split_steps"][2] * step_s // BIN_S
    train, test = features["split_steps"][0] * step_s // BIN_S, -(-features["split_steps"][1] * step_s // BIN_S)
    season = params.eda.season_h * 60
    rules = _rules(params.eda.moving_average_min * 60 // BIN_S, season, minutes, test)
    notes = []
    if "seasonal_naive" not in rules:
        notes.append("seasonal naive is left out: the past before the test span is shorter than the season")
    rows: list[dict[str, Any]] = []
    single: list[dict[str, Any]] = []
    for class_, series in _series(con, params, paths, features, minutes):
        for target, x in series.items():
            single += [{"class": class_, "target": target, "method": m} | e for m, e in errors(x, train, test, rules).items()]
    for target in ("calls", "vcpu", "memory_mb"):
        for class_ in (*CLASSES, "all"):
            chosen = [s for s in single if s["target"] == target and class_ in (s["class"], "all")]
            rows += _summary(chosen, target, class_, rules)
    cells, cell_minutes = _cells(con, params, paths)
    return {
        "source": features["source"],
        "from": features["from"],
        "bin_s": BIN_S,
        "train_bins": train,
        "test_bins": minutes - test,
        "moving_average_min": params.eda.moving_average_min,
        "season_h": params.eda.season_h,
        "rows": rows + cells,
        "cell_split_slots": cell_minutes,
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
    scale = naive_scale(x[:train])
    found: dict[str, dict[str, float | None]] = {}
    for name, rule in rules.items():
        y, f = x[test:], rule(x)[test:]
        found[name] = {"rmse": rmse(y, f), "mae": mae(y, f), "mase": mase(y, f, scale)}
    return found


def _rules(window: int, season: int, bins: int, test: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    rules: dict[str, Callable[[np.ndarray], np.ndarray]] = {"last_value": last_value, "moving_average": lambda x: moving_average(x, window)}
    if bins > test >= season:
        rules["seasonal_naive"] = lambda x: seasonal_naive(x, season)
    return rules


def _series(
    con: duckdb.DuckDBPyConnection, params: Params, paths: Paths, features: dict[str, Any], minutes: int
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield (class, {target: values by minute}) of every app, in order of id."""
    steps = BIN_S // params.features.step_s
    query = load_sql("eda/minutes.sql").format(features=feature_files(paths), steps=max(steps, 1))
    columns = con.execute(query).fetchnumpy()
    app, minute = np.asarray(columns["app_id"]), np.asarray(columns["minute"], dtype=np.int64)
    calls, busy = np.asarray(columns["calls"], dtype=np.float64), np.asarray(columns["busy_us"], dtype=np.float64)
    apps = f"select app_id, rate_class from read_parquet({literal(paths.features / 'apps.parquet')}) order by app_id"
    memory = f"select app_id, memory_mb from read_parquet({literal(paths.staged(features['source']) / 'apps.parquet')}) order by app_id"
    class_of, mb_of = dict(con.execute(apps).fetchall()), dict(con.execute(memory).fetchall())
    starts = np.flatnonzero(np.diff(app, prepend=-1))
    for begin, end in zip(starts, [*starts[1:], app.size], strict=True):
        inside = minute[begin:end] < minutes
        at = minute[begin:end][inside]
        counts, running = np.zeros(minutes), np.zeros(minutes)
        counts[at] = calls[begin:end][inside]
        running[at] = busy[begin:end][inside] / (BIN_S * 1e6)
        mb = float(mb_of[int(app[begin])] or 0)
        series = {"calls": counts, "vcpu": running * (mb / params.features.vcpu_mb), "memory_mb": running * mb}
        yield class_of.get(int(app[begin]), "rare"), series


def _summary(chosen: list[dict[str, Any]], target: str, class_: str, rules: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for method in rules:
        of = [c for c in chosen if c["method"] == method]
        if not of:
            continue
        row: dict[str, Any] = {"target": target, "class": class_, "method": method, "series": len(of)}
        for error in ERRORS:
            values = np.array([c[error] for c in of if c[error] is not None])
            row[error] = float(np.median(values)) if values.size else None
            quartiles = [float(q) for q in np.quantile(values, (0.25, 0.75))] if values.size >= MANY else None
            row[f"{error}_quartiles"] = quartiles
            if error == "mase":
                row["series_with_mase"] = int(values.size)
                row["mase_each"] = sorted(float(v) for v in values) if values.size <= 200 else None
        rows.append(row)
    return rows


def _cells(con: duckdb.DuckDBPyConnection, params: Params, paths: Paths) -> tuple[list[dict[str, Any]], list[int]]:
    """The same for the cells, split in the same proportions of their own slots."""
    names, slots, cpu, memory = cell_series(con, paths)
    if not names:
        return [], []
    bins = int(slots.size)
    shares = params.features.split
    train, test = int(round(bins * shares[0])), int(round(bins * (shares[0] + shares[1])))
    rules = _rules(CELL_WINDOW_SLOTS, params.eda.season_h * 3600 // SLOT_S, bins, test)
    rows = []
    for target, values in (("cell_cpu", cpu), ("cell_memory", memory)):
        single: list[dict[str, Any]] = []
        for line in values:
            last = np.maximum.accumulate(np.where(np.isfinite(line), np.arange(bins), 0))
            filled = np.nan_to_num(line[last])  # a missing slot repeats the one before it
            single += [{"method": m} | e for m, e in errors(filled, train, test, rules).items()]
        rows += _summary(single, target, "cells", rules)
    return rows, [train, test, bins]
