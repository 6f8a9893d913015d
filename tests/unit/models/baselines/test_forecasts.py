"""Forecast rules and their errors against hand-computed values and a slow plain implementation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models.baselines.forecasts import last_value, moving_average, seasonal_naive
from models.forecast_metrics import mae, mase, naive_scale, rmse

RULES: list[Callable[[np.ndarray], np.ndarray]] = [last_value, lambda x: moving_average(x, 3), lambda x: seasonal_naive(x, 4)]


def test_hand_computed() -> None:
    x = np.array([[2.0, 4, 9, 1]])
    np.testing.assert_array_equal(last_value(x), [[np.nan, 2, 4, 9]])
    np.testing.assert_array_equal(moving_average(x, 2), [[np.nan, np.nan, 3, 6.5]])
    np.testing.assert_array_equal(seasonal_naive(x, 2), [[np.nan, np.nan, 2, 4]])


def test_moving_average_equals_a_slow_mean_on_many_series() -> None:
    x = np.random.default_rng(1).integers(0, 50, size=(3, 40)).astype(np.float64)
    slow = np.full(x.shape, np.nan)
    for t in range(7, 40):
        slow[:, t] = x[:, t - 7 : t].mean(axis=-1)
    np.testing.assert_allclose(moving_average(x, 7), slow, rtol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_only_the_past_is_used(rule: Callable[[np.ndarray], np.ndarray]) -> None:
    x = np.random.default_rng(2).normal(size=(2, 30))
    changed = x.copy()
    changed[:, 17:] = 1e6
    np.testing.assert_array_equal(rule(x)[:, :18], rule(changed)[:, :18])
    assert not np.array_equal(rule(x)[:, 18:], rule(changed)[:, 18:], equal_nan=True)


@pytest.mark.parametrize("steps", [0, 1, 2])
@pytest.mark.parametrize("rule", RULES)
def test_series_shorter_than_the_rule(rule: Callable[[np.ndarray], np.ndarray], steps: int) -> None:
    out = rule(np.ones((2, steps)))
    assert out.shape == (2, steps)
    assert np.isnan(out[:, :1]).all()


def test_errors_by_hand_are_per_series() -> None:
    y, f = np.array([[2.0, 5.0], [0.0, 0.0]]), np.array([[4.0, 1.0], [0.0, 3.0]])
    np.testing.assert_allclose(rmse(y, f), [np.sqrt(10), np.sqrt(4.5)])
    np.testing.assert_array_equal(mae(y, f), [3.0, 1.5])
    np.testing.assert_array_equal(mase(y, f, np.array([2.0, 0.0])), [1.5, np.nan])


def test_naive_scale_comes_from_the_train_span() -> None:
    np.testing.assert_array_equal(naive_scale(np.array([[1.0, 4, 2], [7, 7, 7]])), [2.5, 0.0])
    train = np.random.default_rng(3).normal(size=(2, 200))
    np.testing.assert_allclose(mase(train[:, 1:], last_value(train)[:, 1:], naive_scale(train)), [1.0, 1.0])
