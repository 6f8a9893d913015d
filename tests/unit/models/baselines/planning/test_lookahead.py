"""The look-ahead against brute force over all ways, and the price on crowding against hand cases. Not here: expected costs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from models.baselines.planning.lookahead import Crowding, choose
from models.baselines.planning.response import KNOTS, fit_response, response_weights
from models.baselines.planning.rows import ReplayRows

REGION = np.array([0, 0, 1])  # two zones of one region, one of another


def brute_force(cost: np.ndarray, move: np.ndarray, allowed: np.ndarray, here: int, *, is_first: bool) -> float:
    """Cost of the cheapest way of one app: cost [H, P], move [R, R]."""
    ways = product(np.flatnonzero(allowed), repeat=len(cost))
    totals = []
    for way in ways:
        steps = zip((way[0] if is_first else here, *way[:-1]), way, strict=True)
        totals.append(sum(cost[h, q] + (move[REGION[p], REGION[q]] if p != q else 0.0) for h, (p, q) in enumerate(steps)))
    return float(min(totals))


def test_the_first_step_is_that_of_the_cheapest_way() -> None:
    moved = 0
    for case in range(200):
        rng = np.random.default_rng(case)
        apps, horizon = 3, int(rng.integers(1, 5))
        cost = rng.random((horizon, apps, 3))
        move = rng.random((apps, 2, 2)) * float(rng.choice([0.0, 0.2, 2.0]))
        allowed = rng.random((apps, 3)) < 0.8
        allowed[:, case % 3] = True
        here = np.full(apps, case % 3)
        is_first = bool(rng.integers(2))
        chosen = choose(cost, move, REGION, allowed, here, np.arange(apps), is_first, None)
        for a in range(apps):
            best = brute_force(cost[:, a], move[a], allowed[a], int(here[a]), is_first=is_first)
            q = int(chosen[a])
            price = 0.0 if is_first or q == here[a] else move[a, REGION[here[a]], REGION[q]]
            after = brute_force(cost[1:, a], move[a], allowed[a], q, is_first=False) if horizon > 1 else 0.0
            assert allowed[a, q]
            assert price + cost[0, a, q] + after == pytest.approx(best, rel=1e-12)
        moved += int((chosen != here).sum())
    assert moved > 100


def test_at_equal_cost_an_app_stays() -> None:
    cost, allowed = np.ones((3, 1, 3)), np.ones((1, 3), dtype=np.bool_)
    for here in range(3):
        assert choose(cost, np.zeros((1, 2, 2)), REGION, allowed, np.array([here]), np.array([0]), False, None).tolist() == [here]


def crowding(load: list[float]) -> Crowding:
    """A response that rises from 0 at an empty zone by 1 USD a call for all of it; zones of 10 instances, a half of each in use."""
    grid = np.arange(0.0, 1.5, 0.01)
    return Crowding(np.stack([grid] * len(load)), np.ones(len(load)), np.array(load), np.full(3, 0.5), 10.0, 0.01)


def test_apps_see_those_that_chose_before_them() -> None:
    # Zone 0 is cheaper by 0.3. Two apps with a load of 2 of 10: each pays 0.2 for the other there, and 0.2 for what it does to it.
    cost = np.zeros((1, 2, 3))
    cost[0, :, 1:] = 0.3
    move, allowed = np.zeros((2, 2, 2)), np.ones((2, 3), dtype=np.bool_)
    alone = choose(cost, move, REGION, allowed, np.array([1, 1]), np.arange(2), False, None)
    assert alone.tolist() == [0, 0]
    priced = choose(cost, move, REGION, allowed, np.array([1, 1]), np.arange(2), False, crowding([2.0, 2.0]))
    assert priced.tolist() == [0, 1]  # the first leaves zone 1, which then is empty for the second: 0.3 < 0.4
    light = choose(cost, move, REGION, allowed, np.array([1, 1]), np.arange(2), False, crowding([1.0, 1.0]))
    assert light.tolist() == [0, 0]  # 0.2 for both is less than 0.3
    other_order = choose(cost, move, REGION, allowed, np.array([1, 1]), np.array([1, 0]), False, crowding([2.0, 2.0]))
    assert other_order.tolist() == [1, 0]


def test_the_response_of_bursts_that_overflow_is_found_again() -> None:
    """Costs made from a response, with an effect of every interval that all placements share."""
    rng = np.random.default_rng(1)
    places, intervals = 40, 300
    used = rng.uniform(0.3, 0.98, (places, intervals))
    truth = np.array([np.maximum(KNOTS - 0.6, 0.0) * 2e-3, np.maximum(KNOTS - 0.8, 0.0) * 5e-3])
    interval, app = (x.ravel() for x in np.meshgrid(np.arange(intervals), [0, 1], indexing="ij"))
    calls = rng.integers(1, 50, len(app))
    cost = np.einsum("npk,nk->np", response_weights(used).transpose(1, 0, 2)[interval], truth[app]) * calls[:, None]
    cost += rng.normal(size=(len(app), 1))  # of the interval
    none = np.zeros((len(app), places), dtype=np.float32)
    rows = ReplayRows(interval.astype(np.int32), app.astype(np.int32), calls.astype(np.int32), none, none)
    is_used = np.ones(cost.shape, dtype=np.bool_)
    found = fit_response(rows, cost, used, is_used, 3)
    assert found.shape == (3, len(KNOTS))
    assert not found[2].any()  # an app without calls
    assert (np.diff(found, axis=1) >= 0).all()
    assert not found[:, 0].any()
    np.testing.assert_allclose(found[:2], truth, atol=6e-5)
    # What lies in an outage is left out.
    spoilt, out = cost.copy(), is_used.copy()
    out[:, 3] = False
    spoilt[:, 3] += 1e3
    np.testing.assert_allclose(fit_response(rows, spoilt, used, out, 3)[:2], truth, atol=6e-5)
