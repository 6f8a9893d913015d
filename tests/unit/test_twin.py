"""The twins of Azure 2021 and of the Google cells: determinism, scale, ids, timers, exact marginals."""

from __future__ import annotations

import numpy as np
import pytest

from clouds.errors import ParameterError
from simulator.twin import DAY_US, Calls, _timer_arrivals, generate_azure2021
from simulator.twin_google import generate_google2019


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
