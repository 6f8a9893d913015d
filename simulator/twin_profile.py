"""Published figures of the Azure Functions 2021 trace, per app and pooled. Not here: drawing calls from them (simulator/twin.py).

data/reference/twin holds the figures with their sources; this module scales them to the number of apps and calls asked for.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulator.rng import normal_quantile

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

PROFILE_DAYS = 14  # the published day profile repeats after this
GROUPS = (1, 2, 5, 10, 20, 50)  # the published top-k shares
GAP_MEDIAN_S, GAP_SIGMA = 0.95, 1.5  # gaps inside a burst; the median sets the share of gaps under 1 s
GAP_STRETCH = 2.6  # bursts overlap, which shortens the gaps seen
TAIL_BOW = 1.315  # above p95 the quantile function sags between published percentiles; this value gives the published mean
REFERENCE = Path(__file__).resolve().parent.parent / "data" / "reference" / "twin"


@dataclass(frozen=True)
class Profile:
    """Figures per app, most called first: arrays of length `apps` (durations in seconds, `dispersion` of calls per minute)."""

    calls: Int64
    zeros: Int64  # of these, calls of zero duration
    functions: Int64
    mean_s: Float64
    std_s: Float64
    min_s: Float64
    max_s: Float64
    hours_active: Float64  # NaN: not published
    dispersion: Float64  # NaN: not published
    gap_median_s: Float64  # inside a burst
    empty_minutes: Float64  # NaN: not published


def scaled_profile(apps: int, scale: float, targets: dict) -> Profile:
    """Per-app figures: the published ones for 119 apps, quantiles of them otherwise; call totals scaled and rounded to sum exactly."""
    with (REFERENCE / "azure2021_apps.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    def column(name: str) -> Float64:
        return np.array([float(r[name]) if r[name] else np.nan for r in rows])

    nonzero = column("calls_nonzero")
    known = np.where(np.isnan(column("calls_estimate")), nonzero, column("calls_estimate"))
    shares = np.diff([0.0] + [targets["top_app_share"][str(k)] for k in GROUPS] + [1.0])
    edges = [0, *GROUPS, len(rows)]
    counts = np.concatenate([known[i:j] / known[i:j].sum() * s for i, j, s in zip(edges[:-1], edges[1:], shares, strict=True)]) * float(
        targets["calls"]
    )
    zero_share = np.clip(1.0 - nonzero / counts, 0.0, 0.98)
    zero_share *= targets["zero_duration_share"] * targets["calls"] / (zero_share * counts).sum()
    take = (
        np.arange(apps) if apps == len(rows) else np.minimum(((np.arange(apps) + 0.5) / apps * len(rows)).astype(np.int64), len(rows) - 1)
    )
    scaled = counts[take] * (scale * (apps / len(rows)) * (counts.sum() / counts[take].sum()))
    calls = np.maximum(round_to_sum(scaled), 1)
    return Profile(
        calls=calls,
        zeros=np.minimum(round_to_sum(calls * np.minimum(zero_share[take], 0.98)), calls),
        functions=column("functions").astype(np.int64)[take],
        mean_s=column("duration_mean_s")[take],
        std_s=column("duration_std_s")[take],
        min_s=column("duration_min_s")[take],
        max_s=column("duration_max_s")[take],
        hours_active=column("hours_active")[take],
        dispersion=column("dispersion_1min")[take],
        gap_median_s=_gap_medians(column("gaps_under_50ms"))[take],
        empty_minutes=column("empty_minutes")[take],
    )


def _gap_medians(under_50ms: Float64) -> Float64:
    """Median gap inside a burst that gives the published share of gaps under 50 ms (log-normal), else the common one."""
    return np.where(
        np.isnan(under_50ms), GAP_MEDIAN_S, GAP_STRETCH * 0.05 * np.exp(-GAP_SIGMA * normal_quantile(np.nan_to_num(under_50ms, nan=0.5)))
    )


def round_to_sum(values: Float64) -> Int64:
    """Round so that the sum is the rounded sum: floors, and the largest remainders get the rest (ties: first)."""
    floor = np.floor(values).astype(np.int64)
    short = round(values.sum()) - int(floor.sum())
    floor[np.argsort(-(values - floor), kind="stable")[:short]] += 1
    return floor


def nonzero_quantile(p: Float64, targets: dict) -> Float64:
    """Quantile function (s) of the non-zero durations: log-linear through the published shares and percentiles, bowed in its tail."""
    zero = targets["zero_duration_share"]
    shares = np.cumsum(targets["duration_bucket_shares"])
    known = {zero + (1 - zero) * float(level): seconds for level, seconds in targets["nonzero_percentiles_s"].items()}
    at_1ms = zero + targets["share_of_nonzero_at_1ms"] * (1 - zero)
    known |= {at_1ms: 0.0014, 0.5: targets["duration_p50_s"], 0.95: targets["duration_p95_s"], 0.99: targets["duration_p99_s"]}
    known |= dict(zip(shares[:7], (0.0095, 0.0495, 0.0995, 0.4995, 0.9995, 4.9995, 9.9995), strict=True))
    known[1.0] = targets["duration_max_s"]
    levels = np.array(sorted(known))
    logs = np.log([known[level] for level in levels])
    q = zero + p * (1 - zero)
    piece = np.clip(np.searchsorted(levels, q, side="right") - 1, 0, len(levels) - 2)
    part = np.clip((q - levels[piece]) / (levels[piece + 1] - levels[piece]), 0.0, 1.0)
    part = np.where(q > 0.95, part**TAIL_BOW, part)
    return np.where(q <= at_1ms, 0.001, np.exp(logs[piece] + part * (logs[piece + 1] - logs[piece])))
