"""The twins of Azure 2021 and of the Google cells: determinism, scale, ids, timers, bursts, durations, exact marginals."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from clouds.errors import ParameterError
from simulator.twin import DAY_US, HOUR_US, Calls, _burst_arrivals, _timer_arrivals, generate_azure2021
from simulator.twin_google import generate_google2019
from simulator.twin_profile import REFERENCE, duration_table, nonzero_quantile, scaled_profile

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


def test_calls_of_a_burst_go_to_all_functions_of_their_app() -> None:
    """In the first 998 calls of the real trace, 72 % of those that follow within a second go to another function than the one before."""
    twin = generate_azure2021(seed=1, days=4, rate=0.2)
    order = np.lexsort((twin.arrival_us, twin.app))
    app, function, arrival = twin.app[order], twin.function[order], twin.arrival_us[order]
    several = np.array([len(np.unique(function[app == a])) > 1 for a in range(119)])
    close = (np.diff(app) == 0) & several[app[1:]] & (np.diff(arrival) < 1_000_000)
    assert close.sum() > 10_000
    assert 0.4 < (np.diff(function) != 0)[close].mean() < 0.9


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


def middles(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count


@pytest.mark.parametrize("scale", [1.0, 0.02])
def test_every_app_has_its_published_mean_and_deviation_of_durations(scale: float) -> None:
    profile = scaled_profile(119, scale, TARGETS)
    table = duration_table(profile, TARGETS)
    for a in range(77):  # the apps with 100 calls and more
        drawn = table.quantile(a, middles(200_000))
        assert drawn.mean() == pytest.approx(profile.mean_s[a], rel=0.02)
        assert drawn.std() == pytest.approx(max(profile.std_s[a], 0.03 * profile.mean_s[a]), rel=0.2)  # bins are wide for the narrowest


@pytest.mark.parametrize("apps", [1, 7, 119, 300])
def test_durations_of_all_apps_together_are_the_published_ones(apps: int) -> None:
    profile = scaled_profile(apps, 1.0, TARGETS)
    table = duration_table(profile, TARGETS)
    busy = profile.calls - profile.zeros
    drawn = np.concatenate([table.quantile(a, middles(int(n))) for a, n in enumerate(busy)])
    for level in (0.2, 0.5, 0.9, 0.95, 0.99, 0.999):
        assert np.quantile(drawn, level) == pytest.approx(nonzero_quantile(np.array(level), TARGETS), rel=0.03)
    assert drawn.max() <= TARGETS["duration_max_s"] * 1.001


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


def test_a_burst_of_a_thousand_long_calls_takes_a_minute() -> None:
    at = arrivals(app=8, hours=8)
    second, minute = (np.bincount((at // window).astype(np.int64)).max() for window in (1.0, 60.0))
    assert minute > 900  # the published dispersion of 1,019 asks for such minutes
    assert second < 3 / 0.051  # at most three bursts at once, each with a call every 51 ms


@pytest.mark.parametrize(("app", "share", "hours"), [(0, 0.08, 239), (1, 0.33, 37), (2, 0.24, 94), (4, 0.07, 50), (5, 0.93, 91)])
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
