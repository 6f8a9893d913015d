"""Questions about the calls of the source that the features use. Not here: cells (tasks/eda_cells.py), forecasts, drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.database import literal, load_sql
from tasks.files import read_json

if TYPE_CHECKING:
    import duckdb

    from tasks.params import Params
    from tasks.paths import Paths

DAY_US, HOUR_S, MINUTE_US = 86_400_000_000, 3600, 60_000_000
SLOT_S, SLOTS_A_DAY = 300, 288
BINS_A_DECADE = 60  # of durations and gaps, as the queries bin them
MOST_POINTS = 1000  # of a CCDF
TOP = (1, 2, 5, 10, 20, 50, 100)
TOP_APPS = 20  # shown in the dispersion picture
EDGES_US = (0, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000)
LONGEST_LAG_SLOTS = 2 * SLOTS_A_DAY
WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")  # day 0 of the Azure 2021 trace, 2021-01-31, is a Sunday


def call_questions(con: duckdb.DuckDBPyConnection, params: Params, paths: Paths, features: dict[str, Any]) -> dict[str, Any]:
    """Return the answers by question: calendar, concentration, durations, gaps, dispersion, triggers, concurrency, cycle.

    Args:
        con: a database; gets the view `calls`.
        params: window of days, step.
        paths: of the working tree.
        features: content of features.json (span, split).
    """
    source = features["source"]
    first_us = max(params.as_of_day - params.window_days, 0) * DAY_US
    pattern = literal(paths.staged(source) / "day=*" / "invocations.parquet")
    body = load_sql("eda/calls.sql").format(invocations=pattern, first_us=first_us, end_us=params.as_of_day * DAY_US)
    con.execute(f"create or replace view calls as {body}")
    span_s = features["span_steps"] * params.features.step_s
    origin = read_json(paths.ingest_report(source))["from"]
    common = {"source": source, "from": origin, "first_day": first_us // DAY_US, "span_s": span_s}
    answers = {
        "calendar": _calendar(con, features, params),
        "concentration": _concentration(con),
        "durations": _durations(con),
        "gaps": _gaps(con),
        "dispersion": _dispersion(con, span_s),
        "triggers": _triggers(con),
        "concurrency": _concurrency(con, params, paths, features),
        "cycle": _cycle(con, span_s),
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


def day_label(day: int) -> str:
    """Weekday and number of a day counted from a Sunday, e.g. `Tue 9`."""
    return f"{WEEKDAYS[day % 7]} {day}"


def _rows(con: duckdb.DuckDBPyConnection, name: str, **values: Any) -> list[tuple[Any, ...]]:
    return con.execute(load_sql(name).format(**values) if values else load_sql(name)).fetchall()


def _calendar(con: duckdb.DuckDBPyConnection, features: dict[str, Any], params: Params) -> dict[str, Any]:
    span_h = features["span_steps"] * params.features.step_s / HOUR_S
    days = int(-(-span_h // 24))
    calls = np.zeros((days, 24), dtype=np.int64)
    for day, hour, n in _rows(con, "eda/calendar.sql"):
        if day < days:
            calls[day, hour] = n
    train, valid, test = (step * params.features.step_s for step in features["split_steps"])
    offset = max(params.as_of_day - params.window_days, 0)
    return {
        "labels": [day_label(offset + d) for d in range(days)],
        "calls": calls.tolist(),
        "totals": calls.sum(axis=1).tolist(),
        "total": int(calls.sum()),
        "split_s": {"train_end": train, "valid_end": valid, "test_end": test},
    }


def _lorenz(sizes: list[float]) -> list[list[float]]:
    """Points (share of members, share of the total) from the least to the most active, at most 400."""
    ordered = np.sort(np.asarray(sizes, dtype=np.float64))
    total = float(ordered.sum()) or 1.0
    reach = np.concatenate(([0.0], np.cumsum(ordered) / total))
    at = np.unique(np.linspace(0, ordered.size, min(400, ordered.size + 1)).round().astype(np.int64))
    return [[float(i / ordered.size), float(reach[i])] for i in at]


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
    functions: list[float] = []
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
        "apps": len(apps),
        "functions": len(functions),
        "lorenz": {name: _lorenz(sizes) for name, sizes in columns.items()},
        "top_apps": {name: _shares(sizes) for name, sizes in columns.items()},
        "top_functions": {"calls": _shares(functions)},
        "gini": {name: _gini(sizes) for name, sizes in columns.items()},
        "median_calls_per_app": float(np.median(columns["calls"])),
    }


def _durations(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    rows = _rows(con, "eda/durations.sql")
    bins, counts = [r[0] for r in rows], [r[1] for r in rows]
    total = sum(counts)
    xs, ys = survival(bins, counts)
    buckets = dict(_rows(con, "eda/duration_buckets.sql", edges_us=list(EDGES_US)))
    return {
        "calls": total,
        "zero_share": counts[0] / total if bins[0] is None else 0.0,
        "seconds": xs,
        "share_at_least": ys,
        "p50_s": quantile(bins, counts, 0.50),
        "p95_s": quantile(bins, counts, 0.95),
        "p99_s": quantile(bins, counts, 0.99),
        "longest_s": max(r[2] for r in rows) / 1e6,
        "bucket_edges_s": [e / 1e6 for e in EDGES_US],
        "bucket_shares": [buckets.get(i, 0) / total for i in range(len(EDGES_US))],
    }


def _gaps(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    rows = _rows(con, "eda/gaps.sql")
    if not rows:
        return {"gaps": 0}
    bins, counts = [r[0] for r in rows], [r[1] for r in rows]
    total = sum(counts)
    xs, ys = survival(bins, counts)
    return {
        "gaps": total,
        "zero_share": counts[0] / total if bins[0] is None else 0.0,
        "seconds": xs,
        "share_at_least": ys,
        "p50_s": quantile(bins, counts, 0.50),
        "under_1s_share": sum(r[2] for r in rows) / total,
        "over_60s_share": sum(r[3] for r in rows) / total,
    }


def _dispersion(con: duckdb.DuckDBPyConnection, span_s: int) -> dict[str, Any]:
    minutes = max(span_s // 60, 2)
    rows = []
    for rank, (_, calls, squares, busiest) in enumerate(_rows(con, "eda/dispersion.sql"), 1):
        mean = calls / minutes
        variance = (squares - calls * calls / minutes) / (minutes - 1)
        rows.append({"rank": rank, "calls": calls, "mean_per_min": mean, "variance_over_mean": variance / mean, "busiest_min": busiest})
    ratios = np.array([r["variance_over_mean"] for r in rows])
    over = int((ratios > 2).sum())
    return {"minutes": minutes, "top": rows[:TOP_APPS], "apps": len(rows), "median": float(np.median(ratios)), "apps_above_2": over}


def _triggers(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    rows = _rows(con, "eda/triggers.sql")
    functions, calls = sum(r[1] for r in rows), sum(r[2] for r in rows)
    keys = ("trigger", "functions", "calls", "share_functions", "share_calls")
    return {"rows": [dict(zip(keys, (t or "unknown", f, c, f / functions, c / calls), strict=True)) for t, f, c in rows]}


def _concurrency(con: duckdb.DuckDBPyConnection, params: Params, paths: Paths, features: dict[str, Any]) -> dict[str, Any]:
    step_us = params.features.step_s * 1_000_000
    steps = HOUR_S // params.features.step_s or 1
    files = feature_files(paths)
    apps = _rows(con, "eda/concurrency_apps.sql", features=files)
    hours = _rows(con, "eda/concurrency_hours.sql", features=files, step_us=step_us, steps=steps)
    span = features["split_steps"][2]
    most = np.array([a[1] for a in apps])
    busy = sum(a[2] for a in apps)
    top = [
        {"rank": i, "most": a[1], "mean": a[2] / (span * step_us), "busy_step_share": a[3] / span} for i, a in enumerate(apps[:TOP_APPS], 1)
    ]
    length = span // steps + 1
    mean, peak = [0.0] * length, [0.0] * length
    for hour, m, p in hours:
        if hour < length:
            mean[hour], peak[hour] = m, p
    return {
        "apps": len(apps),
        "mean": busy / (span * step_us),
        "highest_step_mean": max((h[2] for h in hours), default=0.0),
        "highest_of_an_app": int(most.max()),
        "apps_never_above_1": int((most <= 1).sum()),
        "empty_app_step_share": 1 - sum(a[3] for a in apps) / (len(apps) * span),
        "top": top,
        "hour_mean": mean[:400],
        "hour_peak": peak[:400],
        "step_s": params.features.step_s,
    }


def feature_files(paths: Paths) -> str:
    """SQL list of the three parts of the feature table."""
    return "[" + ", ".join(literal(paths.features / f"{part}.parquet") for part in ("train", "valid", "test")) + "]"


def _cycle(con: duckdb.DuckDBPyConnection, span_s: int) -> dict[str, Any]:
    slots = int(-(-span_s // SLOT_S))
    x = np.zeros(slots)
    for slot, n in _rows(con, "eda/five_minutes.sql"):
        if slot < slots:
            x[slot] = n
    lags = min(LONGEST_LAG_SLOTS, slots // 3)
    whole_days = slots // SLOTS_A_DAY
    by_day = x[: whole_days * SLOTS_A_DAY].reshape(whole_days, 24, 12).sum(axis=2) if whole_days else np.zeros((0, 24))
    thin = 2 if lags > 300 else 1
    acf = autocorrelation(x, lags)
    return {
        "slots": slots,
        "lag_h": [float(k * SLOT_S / HOUR_S) for k in range(0, lags + 1, thin)],
        "autocorrelation": [float(v) for v in acf[::thin]],
        "lag_1": float(acf[1]) if lags else None,
        "lag_day": float(acf[SLOTS_A_DAY]) if lags >= SLOTS_A_DAY else None,
        "whole_days": whole_days,
        "hour_mean": by_day.mean(axis=0).tolist() if whole_days else [],
        "hour_low": np.quantile(by_day, 0.25, axis=0).tolist() if whole_days else [],
        "hour_high": np.quantile(by_day, 0.75, axis=0).tolist() if whole_days else [],
        "noise_bound": float(1.96 / np.sqrt(slots)),
    }


def autocorrelation(x: np.ndarray, lags: int) -> np.ndarray:
    """Return sum((x_i - m)(x_{i+k} - m)) / sum((x_i - m)^2) for k = 0..lags; zeros for a constant series."""
    centred = np.asarray(x, dtype=np.float64) - np.mean(x)
    power = float(centred @ centred)
    if power == 0:
        return np.zeros(lags + 1)
    return np.array([float(centred[: centred.size - k] @ centred[k:]) / power for k in range(lags + 1)])
