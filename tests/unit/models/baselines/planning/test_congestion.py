"""Forecasts of utilisation: exact on series that the regression can express, the same for every zone. Not here: what congestion costs."""

from __future__ import annotations

import numpy as np
import pytest

from models.baselines.planning import congestion
from models.baselines.planning.congestion import HORIZONS, LEAST, MOST, NODES, Congestion, features, fit, slowdown
from simulator.parameters import World

SLOTS, DAY = 5, 288
WORLD = World()


def daily(days: float, zones: int = 3) -> np.ndarray:
    """Utilisation that repeats every day, ppm [zones, slots]."""
    slot = np.arange(int(days * DAY))
    level = np.array([0.5, 0.6, 0.7])[:zones, None]
    return np.rint(1e6 * (level + 0.1 * np.sin(2 * np.pi * slot / DAY + np.arange(zones)[:, None]))).astype(np.int64)


def test_a_day_that_repeats_is_foreseen() -> None:
    used = daily(6)
    none = np.zeros(used.shape, dtype=np.bool_)
    found = fit(used[:, : 5 * DAY], none[:, : 5 * DAY], SLOTS, WORLD)
    assert found.weights.shape == (HORIZONS, congestion.FEATURES)
    ahead = found.expected(used[:, : 5 * DAY], none[:, : 5 * DAY], SLOTS, HORIZONS, WORLD)
    truth = used[:, 5 * DAY : 5 * DAY + HORIZONS * SLOTS].reshape(3, HORIZONS, SLOTS).mean(axis=2).T / 1e6
    np.testing.assert_allclose(ahead, truth, atol=0.02)
    assert found.residual[0] < 0.002
    assert found.residual.max() < 0.04  # the first day has no day before it; the series itself spreads by 0.07


def test_features_by_hand() -> None:
    used = np.full((1, 2 * DAY), 500_000, dtype=np.int64)
    used[0, -1] = 800_000  # the last slot
    used[0, DAY : DAY + SLOTS] = 650_000  # yesterday at the time of the next interval
    values, mean = features(used, np.zeros(used.shape, dtype=np.bool_), SLOTS, 2, WORLD)
    level = used.mean() / 1e6
    assert mean[0] == pytest.approx(level)
    assert values[0, 0, 0] == pytest.approx(0.8 - level)
    assert values[0, 0, 1] == pytest.approx((0.8 + 0.5 + 0.5) / 3 - level)
    assert values[0, 0, -2] == pytest.approx(0.65 - level)
    assert values[0, 0, -1] == pytest.approx((0.65 + 0.5) / 2 - level)  # of both days
    assert values[1, 0, -2] == pytest.approx(0.5 - level)


def test_an_outage_counts_as_the_slot_before_it_and_is_no_target() -> None:
    used = daily(6)
    is_out = np.zeros(used.shape, dtype=np.bool_)
    broken = used.copy()
    broken[1, 3 * DAY : 3 * DAY + 12], is_out[1, 3 * DAY : 3 * DAY + 12] = 1_000_000, True
    broken[2, 0], is_out[2, 0] = 1_000_000, True  # nothing before it: the mean of the world
    values, _ = features(broken[:, : 3 * DAY + 12], is_out[:, : 3 * DAY + 12], SLOTS, 1, WORLD)
    kept = used[:, : 3 * DAY + 12].copy()
    kept[1, 3 * DAY :], kept[2, 0] = used[1, 3 * DAY - 1], 600_000
    same, _ = features(kept, np.zeros(kept.shape, dtype=np.bool_), SLOTS, 1, WORLD)
    np.testing.assert_allclose(values, same)
    none = np.zeros(used.shape, dtype=np.bool_)
    np.testing.assert_allclose(fit(broken, is_out, SLOTS, WORLD).residual, fit(used, none, SLOTS, WORLD).residual, atol=0.003)


def test_before_the_first_slot_the_worlds_mean_is_expected() -> None:
    found = Congestion(np.ones((HORIZONS, congestion.FEATURES)), np.full(HORIZONS, 0.1))
    empty = np.zeros((2, 0), dtype=np.int64)
    assert (found.expected(empty, empty.astype(np.bool_), SLOTS, 3, WORLD) == WORLD.utilisation.u_mean).all()


def test_nodes_are_equally_likely_values_with_half_the_spread() -> None:
    found = Congestion(np.zeros((HORIZONS, congestion.FEATURES)), np.full(HORIZONS, 0.08))
    nodes = found.nodes(np.full((2, 1), 0.5))
    np.testing.assert_allclose(nodes[0, 0], 0.5 + 0.04 * NODES)
    clipped = found.nodes(np.array([[MOST], [LEAST]]))
    assert clipped.max() == MOST
    assert clipped.min() == LEAST


def test_permuting_zones_permutes_forecasts() -> None:
    used, order = daily(6), np.array([2, 0, 1])
    none = np.zeros(used.shape, dtype=np.bool_)
    one, other = (fit(x, none, SLOTS, WORLD) for x in (used, used[order]))
    np.testing.assert_allclose(one.weights, other.weights, atol=1e-9)
    np.testing.assert_allclose(
        one.expected(used, none, SLOTS, 5, WORLD)[:, order], other.expected(used[order], none, SLOTS, 5, WORLD), atol=1e-9
    )


def test_the_slowdown_is_the_worlds() -> None:
    assert slowdown(np.array([0.5, 0.6, 0.8, 1.0]), WORLD).tolist() == [1.0, 1.0, 1.5, 3.0]
