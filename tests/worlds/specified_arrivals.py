"""Arrivals as the first, independent implementation of the world drew them: half timers, half clusters. Not here: the twin of the trace.

Its aggregates are known, so they can be asked of this world on the same kind of arrivals, whatever the twin does better. Totals, zeros,
functions and durations per app are the published ones of the twin's profile.
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from core.units import HOUR_US
from simulator.draws import memory_mb
from simulator.rng import text_id
from simulator.twin.fleets import MEMORY_MEDIAN_MB, MEMORY_SIGMA
from simulator.twin.profiles import REFERENCE, Profile, round_to_sum, scaled_profile
from simulator.workload import Invocations

Int64 = NDArray[np.int64]
DAYS = 14
TIMER_CALLS = (100, 20_160)
CLUSTER_CALLS, CLUSTER_SIGMA = 12.0, 1.2
GAP_MEDIAN_US, GAP_SIGMA = 250_000.0, 1.5
HOUR_SHAPE, DAY_SHAPE = 0.5, 0.7  # of the gamma weights
LEAST_SPREAD = 0.05  # of the mean, for apps without a published deviation


def specified_invocations(seed: int) -> Invocations:
    """Draw 14 days of 119 apps; equal seeds give equal arrays."""
    targets = json.loads((REFERENCE / "azure2021.json").read_text(encoding="utf-8"))
    profile = scaled_profile(119, 1.0, targets)
    rng = np.random.Generator(np.random.PCG64([seed, 14]))
    apps = len(profile.calls)
    first = np.concatenate([[0], np.cumsum(profile.functions)])
    shape = np.outer(targets["day_relative"], targets["hour_relative"])
    candidates = np.flatnonzero((profile.calls >= TIMER_CALLS[0]) & (profile.calls <= TIMER_CALLS[1]))
    timers = set(rng.permutation(candidates)[: len(candidates) // 2].tolist())
    parts: list[tuple[Int64, Int64, Int64, Int64]] = []
    for a in range(apps):
        calls, functions = int(profile.calls[a]), int(profile.functions[a])
        arrival, function = _timers(calls, functions, rng) if a in timers else _clusters(calls, functions, shape, rng)
        parts.append((np.full(calls, a), function + first[a], arrival, _durations(profile, a, function, rng)))
    app, function, arrival, duration = (np.concatenate(column).astype(np.int64) for column in zip(*parts, strict=True))
    order = np.lexsort((duration, function, app, arrival))
    names = [f"app {seed} {a:03d}" for a in range(apps)]
    memory = memory_mb(seed, np.array([text_id(name) for name in names]), MEMORY_MEDIAN_MB, MEMORY_SIGMA)
    functions_of = [f"function {seed} {f:03d}" for f in range(int(first[-1]))]
    return Invocations(names, functions_of, app[order], function[order], arrival[order], duration[order], memory)


def _timers(calls: int, functions: int, rng: np.random.Generator) -> tuple[Int64, Int64]:
    share = round_to_sum(np.full(functions, calls / functions))
    span_us = DAYS * 24 * HOUR_US
    arrival = np.concatenate([(np.arange(n) + rng.random()) * (span_us / max(n, 1)) for n in share])
    return arrival.astype(np.int64), np.repeat(np.arange(functions), share)


def _clusters(calls: int, functions: int, shape: NDArray[np.float64], rng: np.random.Generator) -> tuple[Int64, Int64]:
    mean = max(min(CLUSTER_CALLS, np.sqrt(calls) / 2), 1.0)
    sampled = np.exp(np.log(mean) - CLUSTER_SIGMA**2 / 2 + CLUSTER_SIGMA * rng.standard_normal(calls))
    size = np.maximum(np.rint(sampled), 1).astype(np.int64)
    end = np.minimum(np.cumsum(size), calls)
    size = np.diff(np.concatenate([[0], end[: np.searchsorted(end, calls) + 1]]))
    weight = shape * rng.gamma(HOUR_SHAPE, 1 / HOUR_SHAPE, shape.shape) * rng.gamma(DAY_SHAPE, 1 / DAY_SHAPE, (DAYS, 1))
    hour = rng.choice(weight.size, size=len(size), p=weight.ravel() / weight.sum())
    start_us = (hour + rng.random(len(size))) * HOUR_US
    gap_us = GAP_MEDIAN_US * np.exp(GAP_SIGMA * rng.standard_normal(calls))
    leader = np.cumsum(size) - size
    gap_us[leader] = 0.0
    run = np.cumsum(gap_us)
    arrival = np.repeat(start_us - run[leader], size) + run
    share = np.exp(rng.standard_normal(functions))
    return np.minimum(arrival, DAYS * 24 * HOUR_US - 1).astype(np.int64), rng.choice(functions, size=calls, p=share / share.sum())


def _durations(profile: Profile, app: int, function: Int64, rng: np.random.Generator) -> Int64:
    """Log-normal by the app's mean and deviation, half of the log variance between functions, whole milliseconds, zeros by app."""
    mean = profile.mean_s[app]
    spread = max(float(np.nan_to_num(profile.std_s[app])), LEAST_SPREAD * mean)
    variance = np.log1p((spread / mean) ** 2)
    z = rng.standard_normal(int(profile.functions[app]))[function] + rng.standard_normal(len(function))
    seconds = np.clip(np.exp(np.log(mean) - variance / 2 + np.sqrt(variance / 2) * z), profile.min_s[app], profile.max_s[app])
    seconds[rng.permutation(len(function))[: profile.zeros[app]]] = 0.0
    return np.rint(seconds * 1e3).astype(np.int64) * 1000
