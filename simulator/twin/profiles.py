"""Published figures of the Azure Functions 2021 trace, per app and pooled. Not here: drawing calls from them (simulator/twin/azure2021.py).

data/reference/twin holds the figures with their sources; this module scales them to the number of apps and calls asked for, and shares the
pooled distribution of durations out among the apps.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

PROFILE_DAYS = 14  # the published day profile repeats after this
GROUPS = (1, 2, 5, 10, 20, 50)  # the published top-k shares
# Bursts of the ten most called apps: mean calls, mean gap s, deviation of the log gap, share of gaps that are even in 0-50 ms instead,
# share of calls outside bursts, share of calls in rushes. Ours, fitted so that the published dispersion, empty minutes and gaps under 50 ms
# come out together.
BURSTS = (
    (310, 1.53, 1.35, 0.0, 0.0, 0.0),
    (520, 0.116, 0.73, 0.0, 0.005, 0.0),
    (84, 2.02, 1.96, 0.0, 0.0, 0.0),
    (49, 2.57, 1.385, 0.0, 0.013, 0.0),
    (38, 1.90, 1.40, 0.0, 0.001, 0.0),
    (600, 1.10, 1.0, 0.93, 0.002, 0.0),
    (19.6, 1.92, 1.515, 0.0, 0.40, 0.0),
    (112, 6.80, 0.59, 0.0, 0.002, 0.0),
    (600, 2.60, 0.5, 0.0, 0.0, 0.45),
    (12, 7.0, 1.0, 0.97, 0.65, 0.0),
)
OTHER_BURSTS = (12.0, 13.0, 2.2, 0.0, 0.0, 0.0)  # at most these calls; fitted to the gaps of all apps, nothing else is published
RUSH_GAP_S = 0.0258  # rank 9, the only app with rushes: its published peak minute has 2,320 calls
SHORT_GAP_S = 0.05
TIMERS = ("seen", "assumed")  # values of the column `timer` that make a timer: seen in the first 998 calls of the trace, or ours
# Above p95 and above p99 the quantile function sags between published points: gives the published mean and standard deviation.
TAIL_BOWS = (1.05, 1.7)
DURATION_BINS, BALANCE_ROUNDS, CLOSING_ROUNDS = 240, 300, 60
UNLIKELY = 14.0  # log weight of a duration outside an app's published range
LEAST_SPREAD = 0.03  # of the mean, where one call is too few to publish a deviation
REFERENCE = Path(__file__).resolve().parents[2] / "data" / "reference" / "twin"


@dataclass(frozen=True)
class Profile:
    """Figures per app, most called first: arrays of length `apps` (durations in seconds, `dispersion` of calls per minute)."""

    calls: Int64
    zeros: Int64  # of these, calls of zero duration
    functions: Int64
    timer: NDArray[np.bool_]  # fires at a fixed period; the others come in bursts
    mean_s: Float64
    std_s: Float64
    min_s: Float64
    max_s: Float64
    hours_active: Float64  # NaN: not published
    dispersion: Float64  # NaN: not published
    burst_calls: Float64  # mean of a burst
    gap_mean_s: Float64  # inside a burst, log-normal
    gap_sigma: Float64  # standard deviation of its logarithm
    short_gap_share: Float64  # of these gaps, even in [0, SHORT_GAP_S)
    single_share: Float64  # calls outside bursts, of all
    rush_share: Float64  # calls in its fullest hours, of all: there they come as one burst, a call every RUSH_GAP_S


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
    bursts = np.stack([np.full(apps, v) for v in OTHER_BURSTS])
    bursts[0] = np.clip(np.sqrt(calls) / 2, 1.0, bursts[0])
    fitted = take < len(BURSTS)
    bursts[:, fitted] = np.array(BURSTS)[take[fitted]].T
    return Profile(
        calls=calls,
        zeros=np.minimum(round_to_sum(calls * np.minimum(zero_share[take], 0.98)), calls),
        functions=column("functions").astype(np.int64)[take],
        timer=np.array([r["timer"] in TIMERS for r in rows])[take],
        mean_s=column("duration_mean_s")[take],
        std_s=column("duration_std_s")[take],
        min_s=column("duration_min_s")[take],
        max_s=column("duration_max_s")[take],
        hours_active=column("hours_active")[take],
        dispersion=column("dispersion_1min")[take],
        burst_calls=bursts[0],
        gap_mean_s=bursts[1],
        gap_sigma=bursts[2],
        short_gap_share=bursts[3],
        single_share=bursts[4],
        rush_share=bursts[5],
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
    part = np.where(q > 0.99, part ** TAIL_BOWS[1], np.where(q > 0.95, part ** TAIL_BOWS[0], part))
    return np.where(q <= at_1ms, 0.001, np.exp(logs[piece] + part * (logs[piece + 1] - logs[piece])))


@dataclass(frozen=True)
class DurationTable:
    """Distribution of the non-zero durations of each app.

    Args:
        edges_s: float64 [bins + 1], seconds.
        cumulative: float64 [apps, bins + 1], share of an app's calls up to each edge; what lies below the first takes 1 ms.
    """

    edges_s: Float64
    cumulative: Float64

    def quantile(self, app: int, p: Float64) -> Float64:
        """Durations in s at the probabilities `p`, log-linear inside a bin."""
        seconds = np.exp(np.interp(p, self.cumulative[app], np.log(self.edges_s)))
        return np.where(p <= self.cumulative[app, 0], 0.001, seconds)


def duration_table(profile: Profile, targets: dict) -> DurationTable:
    """Share the published distribution of all non-zero durations out among the apps, so that each has its published mean and deviation.

    A table [apps, bins] starts from the log-normals of the apps and is scaled in turn: a row by exp(a x) and exp(b x^2), one Newton step
    each towards the app's mean and mean square, and to its calls; a column to the calls of its bin. The last rounds leave out the tilts,
    so that the pooled distribution holds even where the moments of the apps contradict it (other numbers of apps than the published 119).
    """
    calls = np.maximum(profile.calls - profile.zeros, 1e-6).astype(np.float64)
    level = np.concatenate([np.linspace(0.0, 0.99, 20_000, endpoint=False), 1.0 - np.geomspace(0.01, 1e-9, 20_000)])
    log_s = np.log(nonzero_quantile(level, targets))
    edge = np.linspace(np.log(0.0014), log_s[-1], DURATION_BINS + 1)
    below = np.interp(edge, log_s, level)
    below[0], below[-1] = targets["share_of_nonzero_at_1ms"], 1.0
    bins = np.diff(below, prepend=0.0) * calls.sum()  # the first bin is the millisecond itself
    step = edge[1] - edge[0]
    centre = np.concatenate([[np.log(0.001)], edge[1:] - step / 2])
    first, second = (np.concatenate([[0.001**k], np.diff(np.exp(k * edge)) / (k * step)]) for k in (1, 2))
    spread = np.maximum(np.nan_to_num(profile.std_s), LEAST_SPREAD * profile.mean_s)
    square = profile.mean_s**2 + spread**2
    variance = np.log(square / profile.mean_s**2)
    weight = -((centre - (np.log(profile.mean_s) - variance / 2)[:, None]) ** 2) / (2 * np.maximum(variance, step**2))[:, None]
    outside = (centre < np.log(profile.min_s)[:, None] - step) | (centre > np.log(profile.max_s)[:, None] + step)
    weight = np.where(outside, weight - UNLIKELY, weight)
    table = np.exp(np.maximum(weight - weight.max(axis=1, keepdims=True), -60.0))
    table[:, 0] /= step  # the others are densities by log second
    # the moments of the apps are put in common proportion, so that they add up to those of all calls
    tilts = [x / (m * ((bins * x).sum() / (calls * m).sum()))[:, None] for x, m in ((first, profile.mean_s), (second, square))]
    for turn in range(BALANCE_ROUNDS + CLOSING_ROUNDS):
        for x in tilts if turn < BALANCE_ROUNDS else ():
            share = table / table.sum(axis=1, keepdims=True)
            mean = (share * x).sum(axis=1)
            slope = np.maximum((share * x * x).sum(axis=1) - mean**2, 1e-12)
            table = share * np.exp(np.clip(np.clip((1.0 - mean) / slope, -0.3, 0.3)[:, None] * x, -3.0, 3.0))
        table = np.maximum(table * (calls / table.sum(axis=1))[:, None], 1e-200)
        table *= bins / table.sum(axis=0)
    cumulative = np.cumsum(table, axis=1)
    return DurationTable(np.exp(edge), cumulative / cumulative[:, -1:])
