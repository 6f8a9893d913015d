"""The twins of Azure 2021 and of the Google cells: determinism, scale, ids, timers, bursts, durations, exact marginals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from core.errors import ParameterError
from core.units import DAY_US, HOUR_US
from simulator.twin.azure2021 import Calls, _burst_arrivals, _timer_arrivals, generate_azure2021
from simulator.twin.google2019 import generate_google2019
from simulator.twin.profiles import REFERENCE, duration_table, nonzero_quantile, scaled_profile

TARGETS = json.loads((REFERENCE / "azure2021.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def small() -> Calls:
    return generate_azure2021(seed=3, days=4, rate=0.02)


def test_equal_seeds_give_equal_calls_and_others_differ(small: Calls) -> None:
    again, other = generate_azure2021(seed=3, days=4, rate=0.02), generate_azure2021(seed=4, days=4, rate=0.02)
    for name in ("app", "function", "arrival_us", "duration_us"):
        assert np.array_equal(getattr(small, name), getattr(again, name))
        assert not np.array_equal(getattr(small, name), getattr(other, name))
    assert small.app_ids == again.app_ids
    assert not set(small.app_ids) & set(other.app_ids)


def test_half_of_the_bursts_call_one_function_and_half_several() -> None:
    profile = scaled_profile(119, 1.0, TARGETS)
    app = 18  # three functions, of which two are active
    profile = replace(profile, burst_calls=np.full(119, 12.0), gap_mean_s=np.full(119, 1e-3), gap_sigma=np.full(119, 0.1))
    rng = np.random.Generator(np.random.PCG64(3))
    arrival, function = _burst_arrivals(int(profile.calls[app]), 3, np.ones((14, 24)), profile, app, rng)
    order = np.argsort(arrival)
    burst = np.cumsum(np.diff(arrival[order], prepend=0) > 1_000_000)
    size = np.bincount(burst)
    long = size >= 8
    mixed = np.bincount(burst, function[order])[long] % size[long] != 0  # functions are 0, 1 and, rarely, 2
    assert 0.3 < mixed.mean() < 0.65
    assert (function == 2).mean() < 0.01


def test_calls_are_sorted_by_start_and_their_ends_are_not(small: Calls) -> None:
    assert (np.diff(small.arrival_us) >= 0).all()
    assert (np.diff(small.arrival_us + small.duration_us) < 0).any()
    assert small.arrival_us.min() >= 0
    assert small.arrival_us.max() < 4 * DAY_US
    assert (small.duration_us % 1000 == 0).all()


def test_every_app_has_its_own_functions_and_proper_ids(small: Calls) -> None:
    owner = np.full(len(small.function_ids), -1)
    owner[small.function] = small.app
    assert np.array_equal(owner[small.function], small.app)
    for ids in (small.app_ids, small.function_ids):
        assert len(set(ids)) == len(ids)
        assert all(len(i) == 64 and set(i) <= set("0123456789abcdef") for i in ids)


@pytest.mark.parametrize(("days", "apps", "rate"), [(1, 1, 0.01), (3, 50, 0.2), (20, 119, 0.01), (2, 300, 0.02)])
def test_any_scale_gives_the_calls_asked_for(days: int, apps: int, rate: float) -> None:
    calls = generate_azure2021(seed=5, days=days, apps=apps, rate=rate)
    expected = 1_980_951 * rate * days / 14 * apps / 119
    assert expected - 1 <= len(calls.app) <= expected + apps  # an app has one call at least
    assert len(np.unique(calls.app)) == apps
    assert calls.arrival_us.max() < days * DAY_US


@pytest.mark.parametrize(("days", "apps", "rate"), [(0, 1, 1.0), (1, 0, 1.0), (1, 1, 0.0), (1, 1, float("nan")), (1, 1, float("inf"))])
def test_impossible_sizes_are_refused(days: int, apps: int, rate: float) -> None:
    with pytest.raises(ParameterError, match="cannot have"):
        generate_azure2021(seed=1, days=days, apps=apps, rate=rate)


def test_timers_jitter_and_miss_runs() -> None:
    arrival, function = _timer_arrivals(calls=2000, functions=1, days=14, rng=np.random.Generator(np.random.PCG64(8)))
    assert len(arrival) == 2000
    assert not function.any()
    gaps = np.diff(np.sort(arrival)) / np.median(np.diff(np.sort(arrival)))
    regular = gaps[(gaps > 0.6) & (gaps < 1.4)]
    assert 0.01 < regular.std() < 0.09  # jitter of 1-5 % of the period on both ends of a gap, and drift
    assert 10 <= (gaps > 1.6).sum() <= 30  # one in a hundred runs is missed


@pytest.mark.parametrize(("calls", "functions"), [(2000, 5), (7, 5), (3, 5), (1, 1), (2, 29)])
def test_the_active_functions_of_a_timer_fire_together(calls: int, functions: int) -> None:
    arrival, function = _timer_arrivals(calls, functions, days=14, rng=np.random.Generator(np.random.PCG64(9)))
    assert len(arrival) == len(function) == calls
    assert arrival.min() >= 0
    assert arrival.max() < 14 * DAY_US
    counts = np.bincount(function, minlength=functions)
    active = min(int(np.ceil(0.6 * functions)), calls)
    assert (counts[active:] <= 1).all()
    assert np.ptp(counts[:active]) <= 1
    if calls == 2000:
        gaps = np.diff(np.sort(arrival[function < active]))
        assert (gaps < 20_000).mean() == pytest.approx(2 / 3, abs=0.03)  # three fire in every run
        assert np.median(gaps[gaps > 20_000]) == pytest.approx(14 * DAY_US / (1998 / 3 * 1.01), rel=0.03)


def test_timers_that_were_seen_are_those_of_the_real_slice(sample_dir: Path) -> None:
    """Regular: four of five gaps of a function are within 3 s of whole minutes, not all under a minute, at least five calls."""
    folder = sample_dir / "azure" / "2021"
    head = pl.read_csv(folder / "AzureFunctionsInvocationTraceForTwoWeeksJan2021.head998.csv")
    head = head.with_columns(start_s=pl.col("end_timestamp") - pl.col("duration")).sort("start_s")
    found: dict[str, str] = {}
    for (app, _), run in head.group_by("app", "func"):
        minutes = np.diff(run["start_s"].to_numpy()) / 60
        is_regular = len(minutes) >= 4 and np.median(minutes) > 0.9 and (np.abs(minutes - np.rint(minutes)) < 0.05).mean() >= 0.8
        found[str(app)] = "seen" if is_regular or found.get(str(app)) == "seen" else "not seen"
    ours = pl.read_csv(REFERENCE / "azure2021_apps.csv")
    calls = scaled_profile(119, 1.0, TARGETS).calls
    in_range = set((np.flatnonzero((calls >= 100) & (calls <= 20_160)) + 1).tolist())
    names = pl.read_csv(folder / "app_profiles_nonzero_durations.csv").with_columns(pl.col("mean_duration_s").round(6))
    joined = names.join(
        ours,
        left_on=["num_invocations_nonzero", "num_functions", "mean_duration_s"],
        right_on=["calls_nonzero", "functions", "duration_mean_s"],
    )
    assert len(joined) == 119
    for row in joined.iter_rows(named=True):
        if row["app"] in found and row["rank"] in in_range:
            assert row["timer"] == found[row["app"]], row["rank"]
        else:
            assert row["timer"] in (None, "assumed")
    assert ours["timer"].is_in(["seen", "assumed"]).sum() == len(in_range) // 2


def middles(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count


@pytest.mark.parametrize("scale", [1.0, 0.02])
def test_every_app_has_its_published_mean_and_deviation_of_durations(scale: float) -> None:
    profile = scaled_profile(119, scale, TARGETS)
    table = duration_table(profile, TARGETS)
    for a in range(77):  # the apps with 100 calls and more
        sampled = table.quantile(a, middles(200_000))
        assert sampled.mean() == pytest.approx(profile.mean_s[a], rel=0.02)
        assert sampled.std() == pytest.approx(max(profile.std_s[a], 0.03 * profile.mean_s[a]), rel=0.2)  # bins are wide for the narrowest


@pytest.mark.parametrize("apps", [1, 7, 119, 300])
def test_durations_of_all_apps_together_are_the_published_ones(apps: int) -> None:
    profile = scaled_profile(apps, 1.0, TARGETS)
    table = duration_table(profile, TARGETS)
    busy = profile.calls - profile.zeros
    sampled = np.concatenate([table.quantile(a, middles(int(n))) for a, n in enumerate(busy)])
    for level in (0.2, 0.5, 0.9, 0.95, 0.99, 0.999):
        assert np.quantile(sampled, level) == pytest.approx(nonzero_quantile(np.array(level), TARGETS), rel=0.03)
    assert sampled.max() <= TARGETS["duration_max_s"] * 1.001


def test_calls_have_the_durations_of_the_table() -> None:
    calls = generate_azure2021(seed=6, rate=0.1)
    profile = scaled_profile(119, 0.1, TARGETS)
    for a in range(20):
        busy = calls.duration_us[(calls.app == a) & (calls.duration_us > 0)]
        assert busy.mean() / 1e6 == pytest.approx(profile.mean_s[a], rel=0.1)
        assert (calls.duration_us[calls.app == a] == 0).sum() == profile.zeros[a]


def arrivals(app: int, hours: int, **changed: float) -> np.ndarray:
    """Sorted arrivals (s) of one app, its published calls in the first `hours` in equal parts; `changed` replaces fields of its profile."""
    profile = scaled_profile(119, 1.0, TARGETS)
    profile = replace(profile, **{name: np.full(119, value) for name, value in changed.items()})
    cells = np.zeros((14, 24))
    cells.ravel()[:hours] = 1.0
    rng = np.random.Generator(np.random.PCG64(5))
    arrival, _ = _burst_arrivals(int(profile.calls[app]), int(profile.functions[app]), cells, profile, app, rng)
    assert arrival.max() < hours * HOUR_US
    return np.sort(arrival) / 1e6


def test_calls_of_a_rush_are_those_of_the_published_peak_minute() -> None:
    at = arrivals(app=8, hours=4)  # 7,800 calls per hour
    second, minute = (np.bincount((at // window).astype(np.int64)).max() for window in (1.0, 60.0))
    assert minute == pytest.approx(1_499 * 31_260 / 20_160, rel=0.05)
    assert second < 3 * 39  # a call every 26 ms, and what else falls into the hour


@pytest.mark.parametrize(
    ("app", "share", "hours"), [(0, 0.08, 239), (1, 0.33, 37), (2, 0.24, 94), (4, 0.07, 50), (5, 0.93, 91), (8, 0.46, 84)]
)
def test_short_gaps_have_their_published_share(app: int, share: float, hours: int) -> None:
    assert (np.diff(arrivals(app, hours)) < 0.05).mean() == pytest.approx(share, abs=0.05)


def test_single_calls_are_spread_evenly_over_their_hour() -> None:
    alone, bursts = arrivals(13, 200, single_share=1.0), arrivals(13, 200, single_share=0.0)
    part = 3600 / (len(alone) / 200)
    assert np.diff(alone).max() < 2.1 * part
    assert np.diff(bursts).max() > 5 * part


@pytest.mark.parametrize(("seed", "days"), [(1, 29), (2, 14), (3, 3)])
def test_cells_are_deterministic_positive_and_of_the_length_asked_for(seed: int, days: int) -> None:
    one, two = generate_google2019(seed, days), generate_google2019(seed, days)
    assert one.cpu_ncu.shape == one.memory_nmu.shape == (8, days * 288)
    assert np.array_equal(one.cpu_ncu, two.cpu_ncu)
    assert one.cpu_ncu.min() > 0
    assert one.memory_nmu.min() > 0


def test_cells_need_two_days() -> None:
    with pytest.raises(ParameterError, match="2 days"):
        generate_google2019(1, 1)
