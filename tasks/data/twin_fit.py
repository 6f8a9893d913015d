"""Stage `twin_fit`: the staged twin against the published figures. Not here: the twin (simulator/), the judgement of raw data (validate).

One row per figure: target, what the twin has, what the real trace has (published for the whole trace), tolerance, pass.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from core.units import DAY_US, HOUR_US, MINUTE_US
from tasks.core.records import read_record, write_record
from tasks.data.ingest_outputs import ingest_report, staged_folder
from tasks.data.ingest_record import IngestReport
from tasks.data.traces import trace_of
from tasks.data.twin_fit_record import TwinFit
from tasks.data.verdict import require_success

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.params import Params
    from tasks.core.paths import Paths

PUBLISHED_DAYS, PUBLISHED_APPS, TOP_APPS = 14, 119, 20
SHORT_GAP_US = 50_000
WHY = {
    "gap over 60 s": "the trace's own quiet spells are not published per app: rare apps and timers are placed by assumption",
    "mean duration, s": "the mean hangs on the tail between p99 and the maximum, of which only three quantiles are published",
}


def twin_fit_file(paths: Paths) -> Path:
    """Goodness of fit of the twin: rows of target, twin, real, tolerance, pass."""
    return paths.reports / "validation" / "twin_fit.json"


def run(params: Params, paths: Paths) -> str:
    """Write reports/validation/twin_fit.json; return the summary line.

    Raises:
        GateError: a source has no successful verdict of its present data.
    """
    rows: list[dict[str, Any]] = []
    for source, judge in (("azure2021", _azure_rows), ("google2019", _google_rows)):
        require_success(paths, source)
        if read_record(ingest_report(paths, source), IngestReport).origin == "twin":
            rows += [{"source": source} | r for r in judge(params, paths)]
    passed = sum(r["pass"] for r in rows)
    note = "" if rows else "no source of this run is a twin"
    write_record(twin_fit_file(paths), TwinFit, {"rows": rows, "passed": passed, "note": note})
    return f"{passed} of {len(rows)} rows pass" if rows else note


def row(target: str, twin: float, real: float, tolerance: float, kind: str = "absolute") -> dict[str, Any]:
    """One row of the table.

    Args:
        target: name of the figure.
        twin: its value in the twin.
        real: its published value.
        tolerance: `absolute`: largest difference; `relative`: largest difference over the real value; `factor`: largest ratio either way.
        kind: of the tolerance.
    """
    if kind == "factor":
        fits = real / tolerance <= twin <= real * tolerance
        text = f"×/÷ {tolerance:g}"
    elif kind == "relative":
        fits = abs(twin - real) <= tolerance * abs(real)
        text = f"± {100 * tolerance:g} %"
    else:
        fits = abs(twin - real) <= tolerance
        text = f"± {tolerance:g}" if tolerance else "exact"
    reason = "" if fits else WHY.get(target, "")
    return {"target": target, "twin": _short(twin), "real": _short(real), "tolerance": text, "pass": bool(fits), "reason": reason}


def _short(value: float) -> float | int:
    return int(value) if float(value).is_integer() else float(f"{value:.5g}")


def _azure_rows(params: Params, paths: Paths) -> list[dict[str, Any]]:
    real = json.loads((paths.reference / "twin" / "azure2021.json").read_text(encoding="utf-8"))
    calls = pl.read_parquet(staged_folder(paths, "azure2021") / "day=*" / "invocations.parquet", hive_partitioning=False)
    trace = trace_of(params, "azure2021")
    columns = {c: calls[c].to_numpy() for c in ("app_id", "function_id", "arrival_us", "duration_us")}
    whole = trace.days == PUBLISHED_DAYS and trace.apps == PUBLISHED_APPS
    scale = trace.rate * trace.days / PUBLISHED_DAYS * trace.apps / PUBLISHED_APPS
    return azure_fit(columns, real, paths.reference / "twin" / "azure2021_apps.csv", scale, whole, _out_of_order(paths))


def azure_fit(
    calls: dict[str, np.ndarray], real: dict[str, Any], profile: Path, scale: float, whole: bool, out_of_order: float | None
) -> list[dict[str, Any]]:
    """Rows of the Azure twin.

    Args:
        calls: app_id, function_id, arrival_us, duration_us, int64 [n] each.
        real: data/reference/twin/azure2021.json.
        profile: data/reference/twin/azure2021_apps.csv, for the durations and rhythm of the largest apps.
        scale: of the number of calls against the published trace.
        whole: whether apps and days are those of the published trace; counts and profiles by app and day are judged only then.
        out_of_order: share of neighbouring raw rows whose end goes backwards.
    """
    app, duration, arrival = calls["app_id"], calls["duration_us"] / 1e6, calls["arrival_us"]
    n = len(app)
    rows = [row("calls", n, real["calls"] * scale, 0.01, "relative")]
    per_app = np.sort(np.unique(app, return_counts=True)[1])[::-1]
    if whole:
        pairs = np.unique(np.stack([app, calls["function_id"]]), axis=1)
        rows += [row("apps", len(per_app), real["apps"], 0), row("functions", pairs.shape[1], real["functions"], 0)]
        sizes = np.bincount(np.unique(pairs[0], return_counts=True)[1])
        for functions, count in sorted(real["functions_per_app"].items(), key=lambda kv: int(kv[0])):
            found = int(sizes[int(functions)]) if int(functions) < len(sizes) else 0
            rows.append(row(f"apps with {functions} functions", found, count, 0))
        rows += [row(f"share of the top {k} apps", per_app[: int(k)].sum() / n, s, 0.02) for k, s in real["top_app_share"].items()]
        of_function = np.sort(np.unique(calls["function_id"], return_counts=True)[1])[::-1].cumsum()
        enough = int(np.searchsorted(of_function, 0.995 * n)) + 1
        rows.append(row("functions that make 99.5 % of the calls", enough, real["functions_for_99_5_percent"], 0.15, "relative"))
        by_day = np.bincount(arrival // DAY_US, minlength=PUBLISHED_DAYS)[:PUBLISHED_DAYS]
        rows += [row(f"calls of day {d}, relative", v, real["day_relative"][d], 0.05) for d, v in enumerate(by_day / by_day.mean())]
    rows.append(row("zero durations", float((duration == 0).mean()), real["zero_duration_share"], 0.01))
    edges = [*real["duration_bucket_edges_s"], np.inf]
    shares = np.histogram(duration, edges)[0] / n
    for i, share in enumerate(real["duration_bucket_shares"]):
        rows.append(row(f"durations from {edges[i]:g} s", float(shares[i]), share, 0.01))
    rows.append(row("mean duration, s", float(duration.mean()), real["duration_mean_s"], 0.1, "relative"))
    rows.append(row("standard deviation of durations, s", float(duration.std()), real["duration_std_s"], 0.05, "relative"))
    for q in (50, 95, 99):
        rows.append(row(f"p{q} duration, s", float(np.quantile(duration, q / 100)), real[f"duration_p{q}_s"], 0.1, "relative"))
    rows.append(row("longest duration, s", float(duration.max()), real["duration_max_s"], 0.01, "relative"))
    by_hour = np.bincount(arrival // HOUR_US % 24, minlength=24)
    rows += [row(f"calls of hour {h:02d}, relative", v, real["hour_relative"][h], 0.05) for h, v in enumerate(by_hour / by_hour.mean())]
    rows += _gap_rows(app, arrival, real)
    if whole and scale == 1.0:
        rows += _app_rows(app, arrival, duration, profile)
    if out_of_order is not None:
        rows.append(
            {**row("ends out of order", out_of_order, real["real_slice"]["end_out_of_order_share"], 0.2), "reason": "real: first 998 rows"}
        )
    return rows


def _gap_rows(app: np.ndarray, arrival: np.ndarray, real: dict[str, Any]) -> list[dict[str, Any]]:
    order = np.lexsort((arrival, app))
    gaps = np.diff(arrival[order])[app[order][1:] == app[order][:-1]] / 1e6
    under, over = float((gaps < 1).mean()), float((gaps > 60).mean())
    return [row("gap under 1 s", under, real["gap_under_1s_share"], 0.03), row("gap over 60 s", over, real["gap_over_60s_share"], 0.005)]


def _app_rows(app: np.ndarray, arrival: np.ndarray, duration: np.ndarray, profile: Path) -> list[dict[str, Any]]:
    """Mean duration (s, without zeros) of the most called apps and, where it is published, their rhythm; apps by rank of calls."""
    published = pl.read_csv(profile).head(TOP_APPS).to_dicts()
    ids, counts = np.unique(app, return_counts=True)
    ranked = ids[np.argsort(-counts, kind="stable")]
    means, rhythm = [], []
    for at, entry in enumerate(published):
        rank, mine = entry["rank"], app == ranked[at]
        busy = duration[mine & (duration > 0)]
        means.append(row(f"mean duration of app {rank}, s", float(busy.mean()), entry["duration_mean_s"], 0.1, "relative"))
        if entry["dispersion_1min"] is None:
            continue
        n = np.bincount(arrival[mine] // MINUTE_US, minlength=PUBLISHED_DAYS * 1440)
        short = float((np.diff(np.sort(arrival[mine])) < SHORT_GAP_US).mean())
        rhythm += [
            row(f"dispersion of app {rank}", float(n.var() / n.mean()), entry["dispersion_1min"], 2, "factor"),
            row(f"minutes without a call of app {rank}", float((n == 0).mean()), entry["empty_minutes"], 0.15),
            row(f"gaps under 50 ms of app {rank}", short, entry["gaps_under_50ms"], 0.1),
        ]
    return means + rhythm


def _out_of_order(paths: Paths) -> float | None:
    """Share of neighbouring calls, in order of arrival, whose end is earlier than the one before."""
    calls = pl.read_parquet(staged_folder(paths, "azure2021") / "day=*" / "invocations.parquet", hive_partitioning=False).sort("arrival_us")
    end = calls["arrival_us"] + calls["duration_us"]
    return float((end.diff().drop_nulls() < 0).mean()) if len(end) > 1 else None  # type: ignore[arg-type]


def _google_rows(params: Params, paths: Paths) -> list[dict[str, Any]]:
    real = json.loads((paths.reference / "twin" / "google2019.json").read_text(encoding="utf-8"))
    used = pl.read_parquet(staged_folder(paths, "google2019") / "day=*" / "utilisation.parquet", hive_partitioning=False).sort(
        "cell", "slot"
    )
    cells = sorted(real["cells"])
    parts = [used.filter(pl.col("cell") == c) for c in cells]
    return google_fit(np.stack([p[k].to_numpy() for k in ("cpu_used", "memory_used") for p in parts]), real)


def google_fit(series: np.ndarray, real: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the cells.

    Args:
        series: float64 [16, slots], CPU of the cells a..h, then memory.
        real: data/reference/twin/google2019.json.
    """
    cells = sorted(real["cells"])
    deviation = series - series.mean(axis=1, keepdims=True)
    lag1 = (deviation[:, 1:] * deviation[:, :-1]).sum(axis=1) / (deviation**2).sum(axis=1)
    turn = np.exp(-2j * np.pi * np.arange(series.shape[1]) / 288)
    amplitude = np.abs((deviation * turn).sum(axis=1)) * 2 / series.shape[1]
    correlation = np.corrcoef(series)
    rows = []
    for i, (kind, cell) in enumerate((k, c) for k in ("cpu", "mem") for c in cells):
        target = real["cells"][cell][kind]
        name = f"cell {cell} {'CPU' if kind == 'cpu' else 'memory'}"
        rows += [
            row(f"{name} mean", float(series[i].mean()), target["mean"], 0.02, "relative"),
            row(f"{name} standard deviation", float(series[i].std()), target["std"], 0.02, "relative"),
            row(f"{name} lag-1", float(lag1[i]), target["lag1"], 0.01),
            row(f"{name} 24-h amplitude", float(amplitude[i]), target["amplitude"], 0.1, "relative"),
        ]
    n = len(cells)
    rows += [
        row(f"cell {c} CPU-memory correlation", float(correlation[i, n + i]), real["cells"][c]["cpu_mem_correlation"], 0.1)
        for i, c in enumerate(cells)
    ]
    for i in range(n):
        for j in range(i + 1, n):
            name = f"cells {cells[i]}-{cells[j]} CPU correlation"
            rows.append(row(name, float(correlation[i, j]), real["correlation"][i][j], 0.1))
    return rows
