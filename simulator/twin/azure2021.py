"""Twin of the Azure Functions 2021 trace. Here: calls with its published statistics. Not here: files (tasks/data/twin_files.py), cells.

Every call of an app sits in an (app, day, hour) cell. The cells are balanced by iterative proportional fitting, so that apps, days
and hours have their published totals at once; inside a cell, calls come in bursts or alone; durations follow a table (app, duration)
that is balanced in the same way. docs/methods/twin.md has the equations and what does not fit.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ParameterError
from core.units import DAY_US, HOUR_US
from simulator.twin.marks import app_names, hex_id
from simulator.twin.profiles import PROFILE_DAYS, REFERENCE, RUSH_GAP_S, SHORT_GAP_S, Profile, duration_table, round_to_sum, scaled_profile

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

OTHER_DISPERSION = 25.0  # of apps without a published one: like ranks 7, 8 and 10, which are called about as often
STRATA, ACTIVITY_POWER = 10, 4.0  # active hours of apps without a published share: few apps are active in more than a tenth
CALLS_OF_ACTIVE, LEAST_ACTIVITY = 2e5, (0.02, 0.11)  # but no frequent app is squeezed into fewer hours than the published ones are
BETWEEN_HOURS = 0.4  # at most this part of an app's dispersion may come from the variance between hours
TIMER_JITTER, TIMER_MISSED = (0.01, 0.05), 0.01
TIMER_LAG_US = 20_000  # the functions of a timer fire within this of each other
ACTIVE_FUNCTIONS, RARE_WEIGHT = 0.6, 1e-3  # of an app's functions this part makes nearly all calls; weight of the others
ONE_FUNCTION_BURSTS = 0.5  # of the bursts call one function only; in the others every call draws its own


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
    cells = _cell_weights(profile, days, targets, rng)
    app_parts, function_parts, arrival_parts = [], [], []
    for a in range(apps):
        if profile.timer[a]:
            arrival, function = _timer_arrivals(int(profile.calls[a]), int(profile.functions[a]), days, rng)
        else:
            arrival, function = _burst_arrivals(int(profile.calls[a]), int(profile.functions[a]), cells[a], profile, a, rng)
        arrival_parts.append(arrival)
        function_parts.append(function + first_function[a])
        app_parts.append(np.full(len(arrival), a, dtype=np.int64))
    app, function, arrival = (np.concatenate(p) for p in (app_parts, function_parts, arrival_parts))
    duration = _durations(function, profile, targets, rng)
    order = np.lexsort((duration, function, app, arrival))
    function_ids = [hex_id(seed, "function", i) for i in range(int(first_function[-1]))]
    return Calls(app[order], function[order], arrival[order], duration[order], app_names(seed, apps), function_ids)


def published_calls(seed: int, apps: int) -> dict[str, int]:
    """Return the calls in 14 days of each app of the twin by its name, most called first: published, so no trace's future is in them."""
    targets = json.loads((REFERENCE / "azure2021.json").read_text(encoding="utf-8"))
    return dict(zip(app_names(seed, apps), scaled_profile(apps, 1.0, targets).calls.tolist(), strict=True))


def _cell_weights(profile: Profile, days: int, targets: dict, rng: np.random.Generator) -> Float64:
    """Expected calls per (app, day, hour): bursty weights of each app, balanced so that days, hours and apps have their totals.

    Returns:
        float64 [apps, days, 24]; rows of timers are uniform and only take part in the totals.
    """
    apps = len(profile.calls)
    hour = np.array(targets["hour_relative"])
    day = np.resize(np.array(targets["day_relative"]), days)
    active = np.where(np.isnan(profile.hours_active), _sampled_activity(profile.calls, rng), profile.hours_active)
    noise = rng.gamma(1.2, 1.0, (apps, days, 24)) * np.maximum(rng.gamma(2.0, 0.5, (apps, days, 1)), 0.02)
    on = rng.random((apps, days, 24)) < active[:, None, None]
    weights = np.stack(
        [_calmed(on[a], noise[a], day[:, None] * hour, float(c), profile.dispersion[a]) for a, c in enumerate(profile.calls)]
    )
    weights[profile.timer] = 1.0
    calls = profile.calls.astype(np.float64)
    weights *= (calls / weights.sum(axis=(1, 2)))[:, None, None]
    day_total, hour_total = day / day.sum() * calls.sum(), hour / hour.sum() * calls.sum()
    free = ~profile.timer
    for _ in range(60 if free.any() else 0):
        fixed = weights[profile.timer].sum(axis=0)
        weights[free] *= (np.maximum(day_total - fixed.sum(axis=1), 1e-9) / weights[free].sum(axis=(0, 2)))[None, :, None]
        weights[free] *= (np.maximum(hour_total - fixed.sum(axis=0), 1e-9) / weights[free].sum(axis=(0, 1)))[None, None, :]
        weights[free] *= (calls[free] / weights[free].sum(axis=(1, 2)))[:, None, None]
    return weights


def _sampled_activity(calls: Int64, rng: np.random.Generator) -> Float64:
    """Share of active hours of apps without a published one; stratified, so that any ten neighbours by calls have idle and busy ones."""
    block = np.arange(len(calls)) // STRATA
    place = np.argsort(np.lexsort((rng.random(len(calls)), block))) % STRATA
    return np.clip(((place + rng.random(len(calls))) / STRATA) ** ACTIVITY_POWER, np.clip(calls / CALLS_OF_ACTIVE, *LEAST_ACTIVITY), 1.0)


def _calmed(on: NDArray[np.bool_], noise: Float64, shape: Float64, calls: float, dispersion: float) -> Float64:
    """Weights of one app, its noise damped until the variance between hours leaves enough for bursts (`dispersion` NaN: not published)."""
    limit = OTHER_DISPERSION if np.isnan(dispersion) else dispersion
    cramped = calls < 2 * dispersion * on.sum()  # bursts would not fit into its hours: fewer, fuller hours
    for power in (2.0, 1.0, 0.75, 0.5, 0.25, 0.1, 0.0) if cramped else (1.0, 0.75, 0.5, 0.25, 0.1, 0.0):
        weights = np.where(on, noise**power, 1e-9) * shape
        per_minute = weights / weights.sum() * calls / 60.0
        if per_minute.var() / per_minute.mean() <= BETWEEN_HOURS * limit:
            break
    return weights


def _burst_arrivals(
    calls: int, functions: int, cells: Float64, profile: Profile, app: int, rng: np.random.Generator
) -> tuple[Int64, Int64]:
    """Arrivals of one app: its cells filled by systematic rounding; in a cell, first single calls spread evenly, then bursts."""
    flat = cells.ravel()
    edges = np.floor(np.cumsum(flat) / flat.sum() * calls + rng.random()).astype(np.int64)
    edges[-1] = calls
    counts = np.diff(np.concatenate([[0], np.clip(edges, 0, calls)]))
    hour = np.repeat(np.arange(len(flat)), counts)
    place = np.arange(calls) - np.repeat(np.cumsum(counts) - counts, counts)
    singles = np.minimum(counts, round(profile.single_share[app] * calls / max((counts > 0).sum(), 1)))
    fullest = np.argsort(-counts, kind="stable")
    rushing = np.empty_like(counts)  # calls of an hour that belong to its rush: the first ones
    rushing[fullest] = np.diff(np.minimum(np.cumsum(counts[fullest]), round(profile.rush_share[app] * calls)), prepend=0)
    is_rush = place < rushing[hour]
    starts = (place <= singles[hour]) | (place == rushing[hour]) | (~is_rush & (rng.random(calls) < 1.0 / profile.burst_calls[app]))
    number = np.cumsum(starts) - 1
    sigma = profile.gap_sigma[app]
    gap_us = np.exp(np.log(profile.gap_mean_s[app] * 1e6) - sigma**2 / 2 + sigma * rng.standard_normal(calls))
    gap_us = np.where(rng.random(calls) < profile.short_gap_share[app], SHORT_GAP_S * 1e6 * rng.random(calls), gap_us)
    gap_us = np.where(is_rush, RUSH_GAP_S * 1e6 * (0.5 + rng.random(calls)), gap_us)
    gap_us[starts] = 0.0
    run = np.cumsum(np.rint(gap_us).astype(np.int64))  # whole microseconds: their sum is exact on any machine
    at, of = place[starts], singles[hour[starts]]  # a single call has one of `of` equal parts of its hour to itself
    part = rng.random(len(at))
    part = np.where(at < of, (at + part) / np.maximum(of, 1), part)
    offset = run - run[starts][number] + (part * HOUR_US).astype(np.int64)[number]
    arrival = hour * HOUR_US + offset % HOUR_US
    weight = np.exp(rng.standard_normal(functions))
    weight[_active(functions) :] *= RARE_WEIGHT
    function = rng.choice(functions, size=calls, p=weight / weight.sum())
    is_one = rng.random(len(at)) < ONE_FUNCTION_BURSTS
    function = np.where(is_one[number], function[starts][number], function)
    if functions <= calls:  # every function is called at least once
        function[rng.choice(calls, size=functions, replace=False)] = np.arange(functions)
    return arrival, function.astype(np.int64)


def _active(functions: int) -> int:
    return math.ceil(ACTIVE_FUNCTIONS * functions)


def _timer_arrivals(calls: int, functions: int, days: int, rng: np.random.Generator) -> tuple[Int64, Int64]:
    """Timers: the active functions fire together, 1-5 % jitter, missed runs, a slow drift; exactly `calls` arrivals."""
    active = min(_active(functions), calls)
    others = min(functions - active, calls - active)  # called once
    share = np.concatenate([round_to_sum(np.full(active, (calls - others) / active)), np.ones(others, dtype=np.int64)])
    runs = int(share.max())
    planned = int(np.ceil(runs * (1 + TIMER_MISSED))) if runs >= 50 else runs
    period = days * DAY_US / planned
    jitter = rng.uniform(*TIMER_JITTER) * period
    drift = 1.0 - rng.uniform(0.0, 1e-3)
    at = (np.arange(planned) + rng.random()) * period * drift + jitter * rng.standard_normal(planned)
    kept = np.concatenate([np.sort(rng.choice(planned, size=int(n), replace=False)) for n in share])
    lag = TIMER_LAG_US * rng.random(calls)
    return np.mod(at[kept] + lag, days * DAY_US).astype(np.int64), np.repeat(np.arange(len(share)), share)


def _durations(function: Int64, profile: Profile, targets: dict, rng: np.random.Generator) -> Int64:
    """Durations in us on the 1 ms grid, of calls sorted by app: an app's distribution, dealt out by a rank that leans on the function."""
    table = duration_table(profile, targets)
    between = rng.standard_normal(int(profile.functions.sum()))  # half of the log variance lies between functions
    duration = np.zeros(len(function), dtype=np.int64)
    end = np.cumsum(profile.calls)
    for a, calls in enumerate(profile.calls):
        last = int(end[a])
        taken = np.sort(rng.permutation(calls)[profile.zeros[a] :]) + last - calls  # the others are of zero duration
        rank = np.argsort(between[function[taken]] + rng.standard_normal(len(taken)), kind="stable")
        seconds = table.quantile(a, (np.arange(len(taken)) + 0.5) / max(len(taken), 1))
        duration[taken[rank]] = np.maximum(np.rint(seconds * 1e3), 1.0).astype(np.int64) * 1000
    if duration.any():
        duration[np.argmax(duration)] = round(targets["duration_max_s"] * 1e6)
    return duration
