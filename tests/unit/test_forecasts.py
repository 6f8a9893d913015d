"""Forecast rules and their errors against hand-computed values and a slow reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models.baselines.forecasts import last_value, moving_average, seasonal_naive
from models.forecast_metrics import mae, mase, naive_scale, rmse

RULES: list[Callable[[np.ndarray], np.ndarray]] = [last_value, lambda x: moving_average(x, 3), lambda x: seasonal_naive(x, 4)]


def test_hand_computed() -> None:
    x = np.array([2, 4, 9, 1])
    np.testing.assert_array_equal(last_value(x), [np.nan, 2, 4, 9])
    np.testing.assert_array_equal(moving_average(x, 2), [np.nan, 2, 3, 6.5])
    np.testing.assert_array_equal(seasonal_naive(x, 2), [np.nan, np.nan, 2, 4])


def test_moving_average_equals_a_slow_mean_on_many_series() -> None:
    x = np.random.default_rng(1).integers(0, 50, size=(3, 2, 40))
    slow = np.full(x.shape, np.nan)
    for t in range(1, 40):
        slow[..., t] = x[..., max(0, t - 7) : t].mean(axis=-1)
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


def test_a_rule_that_would_see_the_present_is_refused() -> None:
    with pytest.raises(ValueError, match="season must be at least 1"):
        seasonal_naive(np.ones(3), 0)
    with pytest.raises(ValueError, match="window must be at least 1"):
        moving_average(np.ones(3), 0)
    with pytest.raises(ValueError, match="finite"):
        moving_average([1.0, np.nan, 2.0], 2)


def test_errors_by_hand_skip_steps_without_a_forecast() -> None:
    y, f = [1.0, 2.0, 5.0], [np.nan, 4.0, 1.0]
    assert rmse(y, f) == pytest.approx(np.sqrt(10))
    assert mae(y, f) == 3.0
    assert mase(y, f, 2.0) == 1.5
    assert rmse([1.0], [np.nan]) is None
    with pytest.raises(ValueError, match="shape"):
        mae([1.0, 2.0], [1.0])


def test_naive_scale_and_undefined_mase() -> None:
    assert naive_scale([1, 4, 2]) == 2.5
    assert naive_scale([1, 4, 2], season=2) == 1.0
    assert naive_scale([7, 7, 7]) == 0.0
    assert naive_scale([7]) == 0.0
    assert mase([1.0], [2.0], naive_scale([7, 7, 7])) is None


def test_last_value_on_its_own_train_span_has_mase_one() -> None:
    train = np.random.default_rng(3).normal(size=200)
    assert mase(train, last_value(train), naive_scale(train)) == pytest.approx(1.0)
