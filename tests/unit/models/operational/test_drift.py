"""Detectors notice a shift of the mean and little else; shifts of a drill change what they say."""

from __future__ import annotations

import numpy as np
import pytest

from models.operational.drift import DETECTORS, SHIFTS, PageHinkley, alarms, residuals, shifted
from simulator.twin.azure2021 import generate_azure2021
from simulator.workload import Invocations

SLOT_US, DAY_US = 300_000_000, 86_400_000_000


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("shift", [-1.5, 1.5])
def test_a_shift_is_noticed_soon_and_noise_is_not(name: str, shift: float) -> None:
    rng = np.random.default_rng(1)
    series = rng.standard_normal(4000)
    assert alarms(series, DETECTORS[name](), 0) == []
    series[2000:] += shift
    found = alarms(series, DETECTORS[name](), 2000)
    assert found
    assert found[0] - 2000 < 150


def test_page_hinkley_sums_what_exceeds_delta() -> None:
    """By hand: 1 a step counts 0.5 a step; above a threshold of 2 after the fifth."""
    detector = PageHinkley(delta=0.5, threshold=2.0)
    assert [detector.update(1.0) for _ in range(6)] == [False] * 4 + [True, False]
    assert [PageHinkley(0.5, 2.0).update(v) for v in (2.4, 2.6)] == [False, True]


def test_what_was_not_measured_is_not_seen() -> None:
    series = np.full(100, np.nan)
    series[::10] = 3.0
    assert alarms(series, PageHinkley(0.5, 10.0), 0) == [40, 90]


def poisson_calls(seed: int, days: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(0, days * DAY_US, 20_000))
    return at, np.exp(rng.normal(0, 1, len(at)) + 13.8).astype(np.int64)


def test_residuals_are_standard_on_the_train_span_and_clipped() -> None:
    at, duration = poisson_calls(1)
    found = residuals(at, duration, 8 * 288, 4 * 288)
    assert found.rate[: 4 * 288].std() == pytest.approx(1, abs=0.06)  # a little is clipped
    assert abs(np.nanmean(found.duration)) < 0.1
    busy = residuals(np.concatenate([at, np.full(50_000, 7 * DAY_US)]), np.concatenate([duration, np.full(50_000, 1)]), 8 * 288, 4 * 288)
    assert busy.rate[7 * 288] == 3.0
    np.testing.assert_array_equal(busy.rate[: 4 * 288], found.rate[: 4 * 288])
    empty = residuals(at[:0], duration[:0], 288, 144)
    assert np.isnan(empty.duration).all()
    assert (empty.rate == 0).all()


def test_a_duration_is_seen_when_its_call_ends() -> None:
    arrival, duration = np.arange(0, 20 * SLOT_US, SLOT_US // 4), np.full(80, 1_000_000)
    duration[40] = 5 * SLOT_US  # comes in slot 10, ends in slot 15
    found = residuals(arrival, duration, 20, 8).duration
    assert found[10] == found[9]
    assert found[15] > 1.0


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_shift_changes_what_comes_after_it_only(shift: str) -> None:
    twin = generate_azure2021(1, days=3, apps=12, rate=0.1)
    trace = Invocations(twin.app_ids, twin.function_ids, twin.app, twin.function, twin.arrival_us, twin.duration_us, np.full(12, 150))
    at, end = 2 * DAY_US, 3 * DAY_US
    found = shifted(trace, shift, at, end, np.random.default_rng(1))  # type: ignore[arg-type]
    for name in ("app", "function", "arrival_us", "duration_us"):
        one, other = getattr(trace, name), getattr(found, name)
        np.testing.assert_array_equal(one[trace.arrival_us < at], other[found.arrival_us < at])
    later, before = found.arrival_us >= at, trace.arrival_us >= at
    assert (np.diff(found.arrival_us) >= 0).all()
    if shift == "rate_x3":
        assert later.sum() == pytest.approx(3 * before.sum(), rel=0.01)
    elif shift == "duration_x2":
        assert found.duration_us[later].sum() == 2 * trace.duration_us[before].sum()
    else:
        hour = np.bincount((found.arrival_us[later] % DAY_US) // (DAY_US // 24), minlength=24)
        was = np.bincount((trace.arrival_us[before] % DAY_US) // (DAY_US // 24), minlength=24)
        np.testing.assert_array_equal(hour, np.roll(was, 6))
