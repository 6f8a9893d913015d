"""Stage `features`: temporal features per app and 15-second step, regions, rate classes, scaler. Not here: kernels
(tasks/data/binning.py), regions (tasks/data/region_features.py).

The table is sparse: a row exists where an app had an arrival or a running call; windows and lags run over the dense axis. No row needs
another app, so the calls are read for some apps at a time: memory follows GROUP_CALLS or the largest app, not the trace.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from core.errors import RawDataError
from core.units import DAY_S, DAY_US, HOUR_S, US_PER_S, WEEK_S
from tasks.core.app_classes import AppClasses, with_classes
from tasks.core.database import connect, literal, load_sql
from tasks.core.drafts import folder_draft
from tasks.core.environment import Environment
from tasks.core.files import write_json
from tasks.core.records import read_record, write_record
from tasks.data.binning import NONE, bin_calls, lagged, rolling
from tasks.data.features_outputs import features_folder
from tasks.data.features_record import FeaturesSummary
from tasks.data.features_settings import FeaturesSettings
from tasks.data.ingest_outputs import ingest_report, staged_folder
from tasks.data.ingest_record import IngestReport
from tasks.data.region_features import region_table
from tasks.data.split import first_day, no_calls, split_steps, with_found_days
from tasks.data.verdict import require_success

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

GROUP_CALLS, WORKERS = 1_000_000, 2  # apps are worked on in groups of up to this many calls (a larger app alone), two groups at a time
PARTS = ("train", "valid", "test")
NOT_SCALED = ("app_id", "step")
LAG_NAMES = {15: "15s", HOUR_S: "1h", DAY_S: "1d", WEEK_S: "1w"}


def run(params: Params, paths: Paths) -> str:
    """Write train/valid/test/apps/regions.parquet, scaler.json and features.json; return the summary line.

    Raises:
        GateError: a source that is used has no successful verdict of its present data.
        RawDataError: the source of the calls is off or has no call in the window.
    """
    source = params.section("features", FeaturesSettings).source
    require_success(paths, source)
    params = with_found_days(params, paths, source)
    require_success(paths, params.section("features", FeaturesSettings).cells)
    with folder_draft(features_folder(paths)) as draft:
        facts = write_tables(params, paths, draft)
        regions = region_table(params, paths, facts["span_steps"])
        _write(regions.lazy(), draft / "regions.parquet")
        write_json(draft / "scaler.json", fit_scaler(draft / "train.parquet"))
        calls = facts.pop("calls")
        origin = read_record(ingest_report(paths, source), IngestReport).origin
        write_record(draft / "features.json", FeaturesSummary, {"source": source, "from": origin, **facts, "regions": regions.height})
    return f"{calls} calls in, {sum(facts['rows'].values()) + facts['rows_run_out']} rows of app and step out"


def write_tables(params: Params, paths: Paths, folder: Path) -> dict[str, Any]:
    """Write train, valid, test and apps.parquet, reading the staged calls for some apps at a time.

    Args:
        params: the window, the step, the split.
        paths: where the staged calls are.
        folder: where the tables go; it exists.

    Returns:
        calls, span_steps, unit_steps, split_steps, early_stopping_step, rows by table, rows_run_out (after the test), columns.

    Raises:
        RawDataError: the source of the calls is off or has no call in the window.
    """
    files, days = _files_of_window(params, paths)
    apps = _apps_of_window(paths, files, days)
    span_steps = _span_steps(params, int(apps["last_us"].max()))
    settings = params.section("features", FeaturesSettings)
    unit, train_end, valid_end, test_end = split_steps(span_steps, settings.split)
    ends = {"train": (0, train_end), "valid": (train_end, valid_end), "test": (valid_end, test_end), "run_out": (test_end, span_steps)}
    with TemporaryDirectory(dir=folder) as pieces, ThreadPoolExecutor(min(Environment().threads, WORKERS)) as pool:

        def work(group: tuple[int, int]) -> tuple[pl.DataFrame, list[int], list[str]]:
            calls = _read_calls(params, files, *group)
            table = feature_table(calls, params, span_steps)
            parts = {name: table.filter(pl.col("step").is_between(a, b, closed="left")) for name, (a, b) in ends.items()}
            for name in PARTS:
                parts[name].write_parquet(f"{pieces}/{name}-{group[0]:020d}.parquet", compression="uncompressed")
            return rate_classes(calls, params, train_end), [part.height for part in parts.values()], table.columns

        classes, heights, columns = zip(*pool.map(work, _groups(apps["app_id"], apps["calls"])), strict=True)
        for name in PARTS:
            _write(pl.scan_parquet(sorted(Path(pieces).glob(f"{name}-*.parquet")), glob=False), folder / f"{name}.parquet")
    _write(pl.concat(classes, rechunk=True).lazy(), folder / "apps.parquet")
    rows = dict(zip(ends, (sum(h) for h in zip(*heights, strict=True)), strict=True))
    if not rows["train"]:
        raise no_calls(f"no call lies in the train span (steps 0 to {train_end})", days)
    return {
        "calls": int(apps["calls"].sum()),
        "span_steps": span_steps,
        "unit_steps": unit,
        "split_steps": [train_end, valid_end, test_end],
        "early_stopping_step": round(train_end * (1 - settings.early_stopping_share)),
        "rows": {name: rows[name] for name in PARTS},
        "rows_run_out": rows["run_out"],
        "columns": columns[0],
    }


def _files_of_window(params: Params, paths: Paths) -> tuple[list[Path], list[int]]:
    """Staged calls of the days of the window, in order of the day; and all days that are staged."""
    source = params.section("features", FeaturesSettings).source
    staged = {int(f.parent.name.removeprefix("day=")): f for f in staged_folder(paths, source).glob("day=*/invocations.parquet")}
    if not staged:
        raise RawDataError(f"{source} has no calls", where=f"params.yaml: traces.{source}.from", how="switch the source on")
    return [staged[day] for day in sorted(staged) if first_day(params) <= day < params.as_of_day], sorted(staged)


def _apps_of_window(paths: Paths, files: list[Path], days: Sequence[int]) -> dict[str, np.ndarray]:
    """Return app_id (ascending), calls and last_us of the apps that call in these files."""
    apps: dict[str, np.ndarray] = {"app_id": np.zeros(0, dtype=np.int64)}
    if files:
        listed = "[" + ", ".join(literal(f) for f in files) + "]"
        with connect(paths) as con:
            apps = con.sql(load_sql("features/apps.sql").format(invocations=listed)).fetchnumpy()
    if not len(apps["app_id"]):
        raise no_calls("no call lies in the window", days)
    return apps


def _span_steps(params: Params, last_us: int) -> int:
    """Return the steps of the window: all of them where the trace reaches its last day, else up to the last arrival `last_us`."""
    step_us, first_us = params.section("features", FeaturesSettings).step_s * US_PER_S, first_day(params) * DAY_US
    reaches_last_day = last_us >= (params.as_of_day - 1) * DAY_US
    return (params.as_of_day * DAY_US - first_us) // step_us if reaches_last_day else (last_us - first_us) // step_us + 1


def _groups(app_id: np.ndarray, calls: np.ndarray) -> list[tuple[int, int]]:
    """Return the first and last app of every group of neighbours with up to GROUP_CALLS calls together, or one larger app."""
    groups, together = [], GROUP_CALLS
    for app, n in zip(app_id.tolist(), calls.tolist(), strict=True):
        if together + n > GROUP_CALLS:
            groups.append((app, app))
            together = 0
        groups[-1] = (groups[-1][0], app)
        together += n
    return groups


def _read_calls(params: Params, files: list[Path], first_app: int, last_app: int) -> pl.DataFrame:
    """Return the calls of some apps sorted by (app, arrival), with times from the window's start.

    A day's file is sorted by app and arrival: Parquet's statistics pass over most of it, and the days in turn are one app in order.
    """
    calls = (
        pl.scan_parquet(files, glob=False, hive_partitioning=False)
        .filter(pl.col("app_id").is_between(first_app, last_app))
        .select("app_id", "function_id", pl.col("arrival_us") - first_day(params) * DAY_US, "duration_us")
        .collect()
    )
    return calls.sort("app_id", maintain_order=True) if first_app < last_app else calls


def feature_table(calls: pl.DataFrame, params: Params, span_steps: int) -> pl.DataFrame:
    """Return the sparse feature table of all apps, sorted by (app_id, step).

    Args:
        calls: app_id, function_id, arrival_us, duration_us, sorted by app and arrival.
        params: windows, lags and the step.
        span_steps: steps of the window.
    """
    feature = params.section("features", FeaturesSettings)
    step_us = feature.step_s * US_PER_S
    app_of, function, arrival, duration = (calls[c].to_numpy() for c in ("app_id", "function_id", "arrival_us", "duration_us"))
    binned = bin_calls(app_of, function, arrival, duration, step_us, span_steps)
    app, step = binned["app_id"], binned["step"]
    frame = pl.DataFrame(
        {
            "app_id": app,
            "step": step.astype(np.int32),
            "calls": binned["calls"].astype(np.int32),
            "functions": binned["functions"].astype(np.int32),
            "busy_us": binned["busy_us"],
            "concurrency_mean": binned["busy_us"] / step_us,
            "concurrency_max": binned["concurrency_max"].astype(np.int32),
            **{c: pl.Series(binned[c]).replace(NONE, None) for c in ("duration_p50_us", "duration_p95_us")},
            **{c: pl.Series(binned[c]).fill_nan(None) for c in ("gap_mean_us", "gap_cv")},
            "since_last_call_us": binned["since_last_call_us"],
        }
    )
    extra: dict[str, Any] = {}
    for minutes in feature.rolling_min:
        window = minutes * 60 // feature.step_s
        exists = np.minimum(step + 1, window)
        total, highest = rolling(app, step, binned["calls"], window)
        extra[f"calls_mean_{minutes}min"], extra[f"calls_max_{minutes}min"] = total / exists, highest.astype(np.int32)
        busy, _ = rolling(app, step, binned["busy_us"], window)
        _, peak = rolling(app, step, binned["concurrency_max"], window)
        extra[f"concurrency_mean_{minutes}min"] = busy / (exists * step_us)
        extra[f"concurrency_max_{minutes}min"] = peak.astype(np.int32)
    for seconds in feature.lags_s:
        name, lag = LAG_NAMES.get(seconds, f"{seconds}s"), max(seconds // feature.step_s, 1)
        extra[f"calls_lag_{name}"] = lagged(app, step, binned["calls"], lag).astype(np.int32)
        extra[f"concurrency_lag_{name}"] = lagged(app, step, binned["busy_us"], lag) / step_us
    # The hour and the weekday are those of the trace, also when the window does not begin on its first day.
    clock = step + first_day(params) * (DAY_S // feature.step_s)
    day, week = DAY_S // feature.step_s, WEEK_S // feature.step_s
    for name, period in (("time", day), ("week", week)):
        angle = 2 * math.pi * np.arange(period) / period
        extra[f"{name}_sin"], extra[f"{name}_cos"] = (np.round(turn(angle), 12)[clock % period] for turn in (np.sin, np.cos))
    return frame.with_columns(**{k: pl.Series(v) for k, v in extra.items()})


def rate_classes(calls: pl.DataFrame, params: Params, train_end: int) -> pl.DataFrame:
    """Return app_id, calls_train, calls_per_14d and rate_class of every app of the window, counted on the train span only."""
    train_us = train_end * params.section("features", FeaturesSettings).step_s * US_PER_S
    per_app = calls.group_by("app_id").agg((pl.col("arrival_us") < train_us).sum().cast(pl.Int64).alias("calls_train")).sort("app_id")
    return with_classes(per_app, train_us, params.section("app_classes", AppClasses))


def fit_scaler(train: Path) -> dict[str, Any]:
    """Fit scikit-learn's RobustScaler (median and interquartile range) on the rows of the file `train`; nulls do not count."""
    from sklearn.preprocessing import RobustScaler

    table = pl.scan_parquet(train)
    names = [c for c in table.collect_schema().names() if c not in NOT_SCALED]
    rows = int(table.select(pl.len()).collect().item())
    if not rows:
        return {"fitted_on": "train", "rows": 0, "features": {}}
    found: dict[str, Any] = {}
    for name in names:  # one column at a time: the same numbers in a fraction of the memory
        values = table.select(pl.col(name).cast(pl.Float64).drop_nulls()).collect()[name].to_numpy()
        scaler = RobustScaler().fit(values[:, None]) if len(values) else None
        found[name] = {"center": float(scaler.center_[0]), "scale": float(scaler.scale_[0])} if scaler else {"center": None, "scale": None}
    return {"fitted_on": "train", "rows": rows, "features": found}


def _write(table: pl.LazyFrame, file: Path) -> None:
    table.sink_parquet(file, compression="zstd", row_group_size=1_000_000, statistics=True)
