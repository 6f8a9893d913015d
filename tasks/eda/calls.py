"""Questions about the calls of the source that the features use. Not here: cells (tasks/eda/cells.py), forecasts, plotting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.units import DAY_US, HOUR_S, SLOT_S, SLOTS_PER_DAY, SLOTS_PER_HOUR, US_PER_S
from tasks.core.database import literal, load_sql
from tasks.core.records import read_record
from tasks.data.features_outputs import features_folder
from tasks.data.features_settings import FeaturesSettings
from tasks.data.ingest_outputs import ingest_report, staged_folder
from tasks.data.ingest_record import IngestReport
from tasks.eda.quality import SAMPLED

if TYPE_CHECKING:
    import duckdb

    from tasks.core.params import Params
    from tasks.core.paths import Paths
    from tasks.data.features_record import FeaturesSummary

BINS_A_DECADE = 60  # of durations and gaps, as the queries bin them
MOST_POINTS = 1000  # of a CCDF
TOP = (1, 2, 5, 10, 20, 50, 100)
MOST_APPS = 1000  # in the lists that become dots and Lorenz curves
EDGES_US = (0, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000)
LONGEST_LAG_H = 168


def call_questions(con: duckdb.DuckDBPyConnection, params: Params, paths: Paths, features: FeaturesSummary) -> dict[str, Any]:
    """Return the answers by question: volumes, concentration, durations, gaps, dispersion, triggers, concurrency, rhythm.

    Args:
        con: a database; gets the view `calls`.
        params: window of days, step.
        paths: of the working tree.
        features: what `features` says of its span and split.
    """
    source = features.source
    first_us = max(params.as_of_day - params.window_days, 0) * DAY_US
    pattern = literal(staged_folder(paths, source) / "day=*" / "invocations.parquet")
    body = load_sql("eda/calls.sql").format(invocations=pattern, first_us=first_us, end_us=params.as_of_day * DAY_US)
    con.execute(f"create or replace view calls as {body}")
    span_s = features.span_steps * params.section("features", FeaturesSettings).step_s
    origin = read_record(ingest_report(paths, source), IngestReport).origin
    common = {"source": source, "origin": origin, "first_day": first_us // DAY_US, "span_s": span_s}
    answers = {
        "volumes": _volumes(con, features, params),
        "concentration": _concentration(con),
        "durations": _durations(con),
        "gaps": _gaps(con),
        "dispersion": _dispersion(con, features, params),
        "triggers": _triggers(con) | {"drawn": any(d["source"] == source and d["column"] == "trigger" for d in SAMPLED)},
        "concurrency": _concurrency(con, params, paths, features),
        "rhythm": _rhythm(con, span_s),
    }
    return {name: answer | common for name, answer in answers.items()}


def survival(bins: list[int | None], counts: list[int]) -> tuple[list[float], list[float]]:
    """Return (values in seconds, share of all that is at least so long) at the lower edges of logarithmic bins.

    Args:
        bins: floor(BINS_A_DECADE * log10(microseconds)), ascending; None is zero and counts in the whole only.
        counts: of each bin.
    """
    total = sum(counts)
    left = total
    xs, ys = [], []
    for bin_, n in zip(bins, counts, strict=True):
        if bin_ is not None:
            xs.append(10 ** (bin_ / BINS_A_DECADE - 6))
            ys.append(left / total)
        left -= n
    step = -(-len(xs) // MOST_POINTS) or 1
    return xs[::step], ys[::step]


def quantile(bins: list[int | None], counts: list[int], share: float) -> float:
    """Nearest-rank quantile in seconds, to the lower edge of its bin (4 % wide)."""
    reach, seen = share * sum(counts), 0
    for bin_, n in zip(bins, counts, strict=True):
        seen += n
        if seen >= reach:
            return 0.0 if bin_ is None else 10 ** (bin_ / BINS_A_DECADE - 6)
    return 0.0


def _rows(con: duckdb.DuckDBPyConnection, name: str, **values: Any) -> list[tuple[Any, ...]]:
    return con.execute(load_sql(name).format(**values) if values else load_sql(name)).fetchall()


def _volumes(con: duckdb.DuckDBPyConnection, features: FeaturesSummary, params: Params) -> dict[str, Any]:
    span_h = features.span_steps * params.section("features", FeaturesSettings).step_s / HOUR_S
    days = int(-(-span_h // 24))
    calls = np.zeros((days, 24), dtype=np.int64)
    for day, hour, n in _rows(con, "eda/calendar.sql"):
        calls[day, hour] = n
    offset = max(params.as_of_day - params.window_days, 0)
    return {
        "days": [offset + d for d in range(days)],
        "calls": calls.tolist(),
        "totals": calls.sum(axis=1).tolist(),
        "total": int(calls.sum()),
        "split_hours": [step * params.section("features", FeaturesSettings).step_s / HOUR_S for step in features.split_steps],
    }


def _gini(sizes: list[float]) -> float:
    x = np.sort(np.asarray(sizes, dtype=np.float64))
    rank = np.arange(1, x.size + 1)
    return float((2 * (rank * x).sum() / (x.size * x.sum()) - (x.size + 1) / x.size) if x.sum() else 0.0)


def _shares(sizes: list[float]) -> dict[str, float]:
    ordered = sorted(sizes, reverse=True)
    total = sum(ordered) or 1
    return {str(k): float(sum(ordered[:k]) / total) for k in TOP if k <= len(ordered)}


def _concentration(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    apps: dict[int, list[float]] = {}
    functions: list[int] = []
    for app, _, calls, busy_us, mb_us in _rows(con, "eda/concentration.sql"):
        functions.append(calls)
        held = apps.setdefault(app, [0, 0, 0.0])
        held[0], held[1], held[2] = held[0] + calls, held[1] + busy_us, held[2] + mb_us
    columns: dict[str, list[float]] = {
        "calls": [a[0] for a in apps.values()],
        "busy_time": [a[1] for a in apps.values()],
        "memory_time": [a[2] for a in apps.values()],
    }
    return {
        "apps": sorted((int(c) for c in columns["calls"]), reverse=True),
        "functions": sorted(functions, reverse=True),
        "top": _shares(columns["calls"]),
        "top_by": {name: _shares(sizes) for name, sizes in columns.items()},
        "top_functions": _shares([float(f) for f in functions]),
        "gini": {name: _gini(sizes) for name, sizes in columns.items()},
        "median_calls_per_app": float(np.median(columns["calls"])),
    }


def _durations(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    rows = _rows(con, "eda/call_durations.sql")
    bins, counts = [r[0] for r in rows], [r[1] for r in rows]
    total = sum(counts)
    xs, ys = survival(bins, counts)
    p50, p95, p99 = (int(q) / 1e6 for q in _rows(con, "eda/call_quantiles.sql")[0])
    buckets = dict(_rows(con, "eda/duration_buckets.sql", edges_us=list(EDGES_US)))
    return {
        "calls": total,
        "zero_share": counts[0] / total if bins[0] is None else 0.0,
        "ccdf": {"seconds": xs, "share": ys},
        "p50_s": p50,
        "p95_s": p95,
        "p99_s": p99,
        "max_s": max(r[2] for r in rows) / 1e6,
        "bucket_edges_s": [e / 1e6 for e in EDGES_US],
        "bucket_shares": [buckets.get(i, 0) / total for i in range(len(EDGES_US))],
    }


def _gaps(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    rows = _rows(con, "eda/call_gaps.sql")
    if not rows:
        return {"gaps": 0, "ccdf": {"seconds": [], "share": []}, "under_1s": 0.0, "over_60s": 0.0}
    bins, counts = [r[0] for r in rows], [r[1] for r in rows]
    total = sum(counts)
    xs, ys = survival(bins, counts)
    return {
        "gaps": total,
        "zero_share": counts[0] / total if bins[0] is None else 0.0,
        "ccdf": {"seconds": xs, "share": ys},
        "p50_s": quantile(bins, counts, 0.50),
        "under_1s": sum(r[2] for r in rows) / total,
        "over_60s": sum(r[3] for r in rows) / total,
    }


def _dispersion(con: duckdb.DuckDBPyConnection, features: FeaturesSummary, params: Params) -> dict[str, Any]:
    """Variance over mean of the calls per step, over all steps of the span (also the empty ones)."""
    steps, step_us = max(features.span_steps, 2), params.section("features", FeaturesSettings).step_s * US_PER_S
    apps = []
    for rank, (_, calls, squares, busiest) in enumerate(_rows(con, "eda/dispersion.sql", step_us=step_us), 1):
        variance = (squares - calls * calls / steps) / (steps - 1)
        apps.append({"rank": rank, "calls": calls, "dispersion": variance * steps / calls, "busiest_step": busiest})
    median = float(np.median([a["dispersion"] for a in apps]))
    return {"step_s": params.section("features", FeaturesSettings).step_s, "apps": apps[:MOST_APPS], "median": median}


def _triggers(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    rows = _rows(con, "eda/triggers.sql")
    functions, calls = sum(r[1] for r in rows), sum(r[2] for r in rows)
    keys = ("trigger", "functions", "calls", "share_functions", "share_calls")
    return {"rows": [dict(zip(keys, (t or "unknown", f, c, f / functions, c / calls), strict=True)) for t, f, c in rows]}


def _concurrency(con: duckdb.DuckDBPyConnection, params: Params, paths: Paths, features: FeaturesSummary) -> dict[str, Any]:
    step_s = params.section("features", FeaturesSettings).step_s
    step_us, steps = step_s * US_PER_S, max(HOUR_S // step_s, 1)
    files, span = feature_files(paths), features.split_steps[2]
    apps = _rows(con, "eda/concurrency_apps.sql", features=files)
    mean_of = {h: m for h, m, _ in _rows(con, "eda/concurrency_hours.sql", features=files, step_us=step_us, steps=steps)}
    hours = -(-span // steps)
    peaks = dict(_rows(con, "eda/concurrency_peaks.sql", hours=hours))
    top = [
        {"rank": i, "most": a[1], "mean": a[2] / (span * step_us), "busy_step_share": a[3] / span} for i, a in enumerate(apps[: TOP[-1]], 1)
    ]
    return {
        "hours": list(range(hours)),
        "mean": [mean_of.get(h, 0.0) for h in range(hours)],
        "max": [int(peaks.get(h, 0)) for h in range(hours)],
        "overall_mean": sum(a[2] for a in apps) / (span * step_us),
        "overall_max": int(max(peaks.values(), default=0)),
        "apps": top,
        "empty_app_step_share": 1 - sum(a[3] for a in apps) / (len(apps) * span),
        "step_s": step_s,
    }


def feature_files(paths: Paths) -> str:
    """SQL list of the three parts of the feature table."""
    return "[" + ", ".join(literal(features_folder(paths) / f"{part}.parquet") for part in ("train", "valid", "test")) + "]"


def _rhythm(con: duckdb.DuckDBPyConnection, span_s: int) -> dict[str, Any]:
    """Autocorrelation of the calls per hour at lags up to a week and of neighbouring slots; the mean day by hour, relative."""
    slots = int(-(-span_s // SLOT_S))
    x = np.zeros(slots)
    for slot, n in _rows(con, "eda/five_minutes.sql"):
        x[slot] = n
    fine = autocorrelation(x, min(1, slots - 1))
    hourly = np.add.reduceat(x, np.arange(0, slots, SLOTS_PER_HOUR))[: slots // SLOTS_PER_HOUR]
    acf = autocorrelation(hourly, min(LONGEST_LAG_H, hourly.size // 2)) if hourly.size > 1 else np.zeros(0)
    days = slots // SLOTS_PER_DAY
    hour = x[: days * SLOTS_PER_DAY].reshape(days, 24, 12).sum(axis=2).mean(axis=0) if days else np.zeros(0)
    return {
        "slots": slots,
        "slot_s": SLOT_S,
        "lags_h": list(range(1, acf.size)),
        "autocorrelation": [float(v) for v in acf[1:]],
        "lag_1_slot": float(fine[-1]),
        "whole_days": days,
        "hour_relative": [float(v) for v in hour / hour.mean()] if hour.size and hour.mean() else [],
    }


def autocorrelation(x: np.ndarray, lags: int) -> np.ndarray:
    """Return sum((x_i - m)(x_{i+k} - m)) / sum((x_i - m)^2) for k = 0..lags; zeros for a constant series."""
    centred = np.asarray(x, dtype=np.float64) - np.mean(x)
    power = float(centred @ centred)
    if power == 0:
        return np.zeros(lags + 1)
    return np.array([float(centred[: centred.size - k] @ centred[k:]) / power for k in range(lags + 1)])
