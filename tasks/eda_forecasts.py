"""The first forecasting table: baselines on the test span. Not here: the forecasts themselves (models/baselines/forecasts.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from models.baselines.forecasts import last_value, moving_average, seasonal_naive
from models.forecast_metrics import mae, mase, naive_scale, rmse

if TYPE_CHECKING:
    from tasks.params import Params
    from tasks.paths import Paths

BIN_S = 60  # forecasts are one minute ahead; cells: one slot of 300 s
SLOT_S = 300
CLASSES = ("rare", "low", "mid", "high")


def forecasts(params: Params, paths: Paths, table: pl.DataFrame, features: dict[str, Any]) -> dict[str, Any]:
    """Return rows (target, class, arm, series, rmse, mae, mase) on the test span, one step ahead; the mean over the series of a class.

    Calls per minute, busy vCPU and MB in use per app; CPU and memory fraction per Google cell. MASE is scaled by the mean absolute
    step of the train span; series whose train span never changes have none and are left out of its mean.
    """
    per_bin = BIN_S // params.features.step_s
    train_end, valid_end, test_end = (s // per_bin for s in features["split_steps"])
    apps = pl.read_parquet(paths.features / "apps.parquet").sort("app_id")
    memory = pl.read_parquet(paths.staged(params.features.source) / "apps.parquet").select("app_id", "memory_mb")
    sized = apps.join(memory, on="app_id", how="left", maintain_order="left")
    grid = _grid(table, sized["app_id"].to_numpy(), per_bin, test_end)
    mb = sized["memory_mb"].to_numpy().astype(np.float64)[:, None]
    busy = grid["busy_us"] / (BIN_S * 1e6)
    targets = {"calls": grid["calls"], "cpu": busy * mb / params.features.vcpu_mb, "memory": busy * mb}
    classes = sized["rate_class"].to_numpy()
    arms = _arms(params, BIN_S)
    rows: list[dict[str, Any]] = []
    for target, x in targets.items():
        for arm, forecast in arms.items():
            scores = _scores(x, forecast(x), train_end, valid_end, test_end)
            if scores is None:
                continue
            for name in (*CLASSES, "all"):
                chosen = np.ones(len(classes), dtype=bool) if name == "all" else classes == name
                if chosen.any():
                    rows.append({"target": target, "class": name, "arm": arm} | _mean(scores, chosen))
    rows += _cell_rows(params, paths, features)
    ranked = [r for r in rows if r["target"] == "calls" and r["class"] == "all" and r["mase"] is not None]
    best = min(ranked, key=lambda r: r["mase"], default=None)
    return {
        "horizon": "one step ahead",
        "step_s": BIN_S,
        "rows": rows,
        "best": {"arm": best["arm"], "mase": best["mase"], "target": "calls"} if best else None,
        "left_out": [a for a in arms if not any(r["arm"] == a for r in rows)],
    }


def _arms(params: Params, bin_s: int) -> dict[str, Any]:
    window = max(params.eda.moving_average_min * 60 // bin_s, 1)
    season = params.eda.season_h * 3600 // bin_s
    name = "day" if params.eda.season_h == 24 else f"{params.eda.season_h} h"
    return {
        "last value": last_value,
        f"moving average {params.eda.moving_average_min} min": lambda x: moving_average(x, window),
        f"seasonal naive ({name})": lambda x: seasonal_naive(x, season),
    }


def _grid(table: pl.DataFrame, apps: np.ndarray, per_bin: int, bins: int) -> dict[str, np.ndarray]:
    """Dense [app, bin] sums of the sparse table."""
    summed = table.group_by("app_id", pl.col("step") // per_bin).agg(pl.col("calls", "busy_us").sum()).filter(pl.col("step") < bins)
    row = np.searchsorted(apps, summed["app_id"].to_numpy())
    out = {}
    for name in ("calls", "busy_us"):
        dense = np.zeros((len(apps), bins))
        dense[row, summed["step"].to_numpy()] = summed[name].to_numpy()
        out[name] = dense
    return out


def _scores(x: np.ndarray, forecast: np.ndarray, train_end: int, valid_end: int, test_end: int) -> dict[str, np.ndarray] | None:
    """Errors per series on [valid_end, test_end); None where the forecast has no past there."""
    y, f = x[:, valid_end:test_end], forecast[:, valid_end:test_end]
    if y.shape[1] == 0 or train_end < 2 or np.isnan(f).any():
        return None
    return {"rmse": rmse(y, f), "mae": mae(y, f), "mase": mase(y, f, naive_scale(x[:, :train_end]))}


def _mean(scores: dict[str, np.ndarray], chosen: np.ndarray) -> dict[str, Any]:
    scaled = scores["mase"][chosen]
    scaled = scaled[~np.isnan(scaled)]
    return {
        "series": int(chosen.sum()),
        "series_scaled": len(scaled),
        "rmse": float(scores["rmse"][chosen].mean()),
        "mae": float(scores["mae"][chosen].mean()),
        "mase": float(scaled.mean()) if len(scaled) else None,
        "mase_std": float(scaled.std(ddof=1)) if len(scaled) > 1 else None,
    }


def _cell_rows(params: Params, paths: Paths, features: dict[str, Any]) -> list[dict[str, Any]]:
    if not features["regions"]:
        return []
    regions = pl.read_parquet(paths.features / "regions.parquet").unique(["cell", "slot"], maintain_order=True).sort("cell", "slot")
    per_slot = SLOT_S // params.features.step_s
    train_end, valid_end, test_end = (s // per_slot for s in features["split_steps"])
    cells = regions["cell"].n_unique()
    rows = []
    for target, column in (("cpu", "cpu_fraction"), ("memory", "memory_fraction")):
        x = regions[column].to_numpy().reshape(cells, -1)
        for arm, forecast in _arms(params, SLOT_S).items():
            scores = _scores(x, forecast(x), train_end, valid_end, test_end)
            if scores is not None:
                rows.append({"target": target, "class": "cells", "arm": arm} | _mean(scores, np.ones(cells, dtype=bool)))
    return rows
