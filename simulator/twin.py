"""Twin of the Azure Functions 2021 trace. Here: calls with its published statistics. Not here: files (tasks/twin_files.py), Google cells.

Every call of an app sits in an (app, day, hour) cell. The cells are balanced by iterative proportional fitting, so that apps, days
and hours have their published totals at once; inside a cell, calls come in bursts; durations are log-normal per app and then mapped
by rank onto the published distribution. docs/methods/twin.md has the equations and what does not fit.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clouds.errors import ParameterError
from simulator.twin_profile import GAP_SIGMA, PROFILE_DAYS, REFERENCE, Profile, nonzero_quantile, round_to_sum, scaled_profile

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
BURST_DISPERSION = 1.3  # index of dispersion that a burst of mean length one adds
SINGLES_STRETCH, MOST_SINGLES = 1.3, 0.6  # hours differ, which empties minutes again
TIMER_SHARE, TIMER_CALLS = 0.5, (100, 4_000)  # share of the mid-sized apps that are timers
BETWEEN_HOURS = 0.6  # at most this part of an app's dispersion may come from the variance between hours
BURST_SPAN_S, LONG_BURST = (10.0, 30.0), 200  # seconds a long burst, or one among single calls, may take: else its dispersion is lost
TIMER_JITTER, TIMER_MISSED = (0.01, 0.05), 0.01


@dataclass(frozen=True)
class Calls:
    """Calls sorted by arrival (ties by app, function, duration).

    Args:
        app, function: int64 [n], indices into `app_ids` and `function_ids` (functions are numbered over all apps).
        arrival_us, duration_us: int64 [n].
        app_ids, function_ids: 64 lower-case hexadecimal digits, made from the seed (no real id).
    """

    app: Int64
    function: Int64
    arrival_us: Int64
    duration_us: Int64
    app_ids: list[str]
    function_ids: list[str]


def generate_azure2021(seed: int, days: int = 14, apps: int = 119, rate: float = 1.0) -> Calls:
    """Generate the twin; equal arguments give equal arrays on any machine.

    Args:
        seed: of everything random.
        days: length in days; the published day profile repeats after 14.
        apps: number of apps; 119 takes the published ones, another number their quantiles; calls grow with it.
        rate: factor on the number of calls (more bursts, not longer ones).

    Raises:
        ParameterError: an argument is out of range.
    """
    if days < 1 or apps < 1 or not 0 < rate < np.inf:
        raise ParameterError(
            f"the twin cannot have days={days}, apps={apps}, rate={rate}", where="azure2021 twin", how="days and apps >= 1, rate > 0"
        )
    targets = json.loads((REFERENCE / "azure2021.json").read_text(encoding="utf-8"))
    profile = scaled_profile(apps, rate * days / PROFILE_DAYS, targets)
    rng = np.random.Generator(np.random.PCG64([seed, 2021]))
    first_function = np.concatenate([[0], np.cumsum(profile.functions)])
    timers = _choose_timers(profile, rng)
    cells = _cell_weights(profile, timers, days, targets, rng)
    app_parts, function_parts, arrival_parts = [], [], []
    for a in range(apps):
        if timers[a]:
            arrival, function = _timer_arrivals(int(profile.calls[a]), int(profile.functions[a]), days, rng)
        else:
            arrival, function = _burst_arrivals(int(profile.calls[a]), int(profile.functions[a]), cells[a], profile, a, rng)
        arrival_parts.append(arrival)
        function_parts.append(function + first_function[a])
        app_parts.append(np.full(len(arrival), a, dtype=np.int64))
    app, function, arrival = (np.concatenate(p) for p in (app_parts, function_parts, arrival_parts))
    duration = _durations(app, function, profile, targets, rng)
    order = np.lexsort((duration, function, app, arrival))
    function_ids = [_hex_id(seed, "function", i) for i in range(int(first_function[-1]))]
    return Calls(app[order], function[order], arrival[order], duration[order], [_hex_id(seed, "app", i) for i in range(apps)], function_ids)


def _hex_id(seed: int, kind: str, index: int) -> str:
    return hashlib.sha256(f"trine twin {seed} {kind} {index}".encode()).hexdigest()


def _choose_timers(profile: Profile, rng: np.random.Generator) -> NDArray[np.bool_]:
    eligible = (profile.calls >= TIMER_CALLS[0]) & (profile.calls < TIMER_CALLS[1]) & np.isnan(profile.dispersion)
    return eligible & (rng.random(len(eligible)) < TIMER_SHARE)


def _cell_weights(profile: Profile, timers: NDArray[np.bool_], days: int, targets: dict, rng: np.random.Generator) -> Float64:
    """Expected calls per (app, day, hour): bursty weights of each app, balanced so that days, hours and apps have their totals.

    Returns:
        float64 [apps, days, 24]; rows of timers are uniform and only take part in the totals.
    """
    apps = len(profile.calls)
    hour = np.array(targets["hour_relative"])
    day = np.resize(np.array(targets["day_relative"]), days)
    active = np.where(np.isnan(profile.hours_active), np.clip(rng.beta(0.35, 1.6, apps), 0.03, 1.0), profile.hours_active)
    noise = rng.gamma(1.2, 1.0, (apps, days, 24)) * np.maximum(rng.gamma(2.0, 0.5, (apps, days, 1)), 0.02)
    on = rng.random((apps, days, 24)) < active[:, None, None]
    shape = hour[None, None, :] * day[None, :, None]
    weights = np.where(on, noise, 1e-4) * shape
    for a in np.flatnonzero(~np.isnan(profile.dispersion)):
        weights[a] = _calmed(on[a], noise[a], shape[0], float(profile.calls[a]), float(profile.dispersion[a]))
    weights[timers] = 1.0
    calls = profile.calls.astype(np.float64)
    weights *= (calls / weights.sum(axis=(1, 2)))[:, None, None]
    day_total, hour_total = day / day.sum() * calls.sum(), hour / hour.sum() * calls.sum()
    free = ~timers
    for _ in range(60 if free.any() else 0):
        fixed = weights[timers].sum(axis=0)
        weights[free] *= (np.maximum(day_total - fixed.sum(axis=1), 1e-9) / weights[free].sum(axis=(0, 2)))[None, :, None]
        weights[free] *= (np.maximum(hour_total - fixed.sum(axis=0), 1e-9) / weights[free].sum(axis=(0, 1)))[None, None, :]
        weights[free] *= (calls[free] / weights[free].sum(axis=(1, 2)))[:, None, None]
    return weights


def _calmed(on: NDArray[np.bool_], noise: Float64, shape: Float64, calls: float, dispersion: float) -> Float64:
    """Weights of one app with its noise damped until the variance between hours leaves room for bursts."""
    cramped = calls < 2 * dispersion * on.sum()  # bursts would not fit into its hours: fewer, fuller hours
    for power in (2.0, 1.0, 0.75, 0.5, 0.25, 0.1, 0.0) if cramped else (1.0, 0.75, 0.5, 0.25, 0.1, 0.0):
        weights = np.where(on, noise**power, 1e-4) * shape
        per_minute = weights / weights.sum() * calls / 60.0
        if per_minute.var() / per_minute.mean() <= BETWEEN_HOURS * dispersion:
            break
    return weights


def _burst_arrivals(
    calls: int, functions: int, cells: Float64, profile: Profile, app: int, rng: np.random.Generator
) -> tuple[Int64, Int64]:
    """Arrivals of one app: its cells filled by systematic rounding, then calls of a cell grouped into bursts."""
    flat = cells.ravel()
    edges = np.floor(np.cumsum(flat) / flat.sum() * calls + rng.random()).astype(np.int64)
    edges[-1] = calls
    counts = np.diff(np.concatenate([[0], np.clip(edges, 0, calls)]))
    burst, single_share = _burst_calls(calls, counts, profile, app)
    hour = np.repeat(np.arange(len(flat)), counts)
    place = np.arange(calls) - np.repeat(np.cumsum(counts) - counts, counts)
    singles = np.rint(single_share * counts).astype(np.int64)
    starts = (place <= singles[hour]) | (rng.random(calls) < 1.0 / burst)
    number = np.cumsum(starts) - 1
    span_s = BURST_SPAN_S[0] if burst > LONG_BURST else BURST_SPAN_S[1] if single_share > 0 else np.inf
    longest_median_s = span_s / (burst * np.exp(GAP_SIGMA**2 / 2))
    gap = np.exp(np.log(min(profile.gap_median_s[app], longest_median_s) * 1e6) + GAP_SIGMA * rng.standard_normal(calls))
    gap[starts] = 0.0
    run = np.cumsum(gap)
    offset = run - run[starts][number] + (rng.random(int(starts.sum())) * HOUR_US)[number]
    arrival = hour * HOUR_US + np.mod(offset, HOUR_US).astype(np.int64)
    weight = np.exp(1.2 * rng.standard_normal(functions))
    function = rng.choice(functions, size=int(starts.sum()), p=weight / weight.sum())[number]
    if functions <= calls:  # every function is called at least once
        function[rng.choice(calls, size=functions, replace=False)] = np.arange(functions)
    return arrival, function.astype(np.int64)


def _burst_calls(calls: int, counts: Int64, profile: Profile, app: int) -> tuple[float, float]:
    """Mean calls of a burst and the share of calls outside bursts.

    The burst is what the published dispersion leaves after the variance between hours; without one, min(14, sqrt(calls)/2). The share of
    single calls is what the published share of empty minutes asks for beyond what bursts fill, in hours with any call.
    """
    dispersion, active, empty = profile.dispersion[app], profile.hours_active[app], profile.empty_minutes[app]
    if np.isnan(dispersion):
        return max(1.0, min(14.0, np.sqrt(calls) / 2)), 0.0
    per_minute = counts / 60.0
    mean = per_minute.mean()
    burst = max(2.0, (dispersion - per_minute.var() / mean) / BURST_DISPERSION)
    wanted = -np.log(np.clip((empty - (1 - active)) / active, 0.05, 1.0)) * active
    single = float(np.clip((SINGLES_STRETCH * wanted - mean / burst) / mean, 0.0, MOST_SINGLES))
    return float((burst - single) / (1 - single)), single


def _timer_arrivals(calls: int, functions: int, days: int, rng: np.random.Generator) -> tuple[Int64, Int64]:
    """Timers: equal periods per function with 1-5 % jitter, missed runs and a slow drift; exactly `calls` arrivals."""
    share = round_to_sum(np.full(functions, calls / functions))
    arrivals, owner = [], []
    for f, n in enumerate(share):
        if n == 0:
            continue
        planned = int(np.ceil(n * (1 + TIMER_MISSED))) if n >= 50 else int(n)
        period = days * DAY_US / planned
        jitter = rng.uniform(*TIMER_JITTER) * period
        drift = 1.0 - rng.uniform(0.0, 1e-3)
        at = (np.arange(planned) + rng.random()) * period * drift + jitter * rng.standard_normal(planned)
        kept = np.sort(rng.choice(planned, size=int(n), replace=False))
        arrivals.append(np.mod(at[kept], days * DAY_US).astype(np.int64))
        owner.append(np.full(int(n), f, dtype=np.int64))
    return np.concatenate(arrivals), np.concatenate(owner)


def _durations(app: Int64, function: Int64, profile: Profile, targets: dict, rng: np.random.Generator) -> Int64:
    """Durations in us on the 1 ms grid: log-normal by app and function, then rank-mapped onto the published distribution."""
    variance = np.log1p((profile.std_s / profile.mean_s) ** 2)
    centre = np.log(profile.mean_s) - variance / 2
    level = np.sqrt(variance / 2)  # half of the log variance lies between functions
    between = rng.standard_normal(int(profile.functions.sum()))
    raw = centre[app] + level[app] * (between[function] + rng.standard_normal(len(app)))
    raw = np.clip(raw, np.log(profile.min_s)[app], np.log(profile.max_s)[app])
    order = np.argsort(app, kind="stable")
    within = np.arange(len(app)) - np.repeat(np.concatenate([[0], np.cumsum(profile.calls)[:-1]]), profile.calls)
    key = rng.random(len(app))
    by_luck = np.lexsort((key, app))
    zero = np.zeros(len(app), dtype=bool)
    zero[by_luck[within < profile.zeros[app[order]]]] = True
    rank = np.argsort(np.argsort(raw[~zero] + 1e-9 * key[~zero], kind="stable"), kind="stable")
    milliseconds = np.maximum(np.rint(nonzero_quantile((rank + 0.5) / len(rank), targets) * 1e3), 1.0)
    duration = np.zeros(len(app), dtype=np.int64)
    duration[~zero] = milliseconds.astype(np.int64) * 1000
    if len(rank):
        duration[np.flatnonzero(~zero)[np.argmax(rank)]] = round(targets["duration_max_s"] * 1e6)
    return duration
