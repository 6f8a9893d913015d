"""The optimistic bound against brute force: on tables over all schedules, and on small worlds by replaying every schedule."""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import ParameterError
from models.baselines.knowledge import move_cost_usd
from models.baselines.programme import best_schedule, best_static_with_foresight
from models.baselines.rules import Fixed, Scheduled
from simulator.control.counterfactual import objective_table
from simulator.control.loop import run
from simulator.objective import objective_usd
from simulator.scenario import Scenario
from tests.worlds.interval_worlds import STEPS, by_programme, draw_world, replayed
from tests.worlds.small_worlds import make_calls

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
ROUNDING_USD = 3e-9  # a copy is paid in whole nano-USD and ng


def table_cost(schedule: tuple[int, ...], stay: Float64, fresh: Float64, move: Float64, is_allowed: NDArray[np.bool_]) -> Float64:
    """Cost of one schedule for every app by the tables, float64 [A]; infinite where it is not allowed."""
    total = np.where(is_allowed[:, list(set(schedule))].all(axis=1), 0.0, np.inf) + stay[schedule[0], :, 0]
    for k in range(1, len(schedule)):
        p, q = schedule[k - 1], schedule[k]
        total = total + (stay[q, :, k] if p == q else move[:, p, q] + fresh[q, :, k])
    return total


def test_the_programme_is_the_best_of_all_schedules() -> None:
    moved = ties = 0
    for case in range(200):
        rng = np.random.default_rng(case)
        placements, apps, intervals = int(rng.integers(2, 5)), int(rng.integers(1, 4)), int(rng.integers(2, 6))
        levels = int(rng.choice([3, 1000]))  # few levels: many ties
        stay = rng.integers(0, levels, (placements, apps, intervals)).astype(np.float64)
        fresh = stay + rng.integers(-1, 3, stay.shape) * levels / 10  # to arrive may even be cheaper
        move = rng.integers(0, levels, (apps, placements, placements)) * float(rng.choice([0.0, 0.1, 1.0]))
        move[:, np.arange(placements), np.arange(placements)] = 0.0
        fence = rng.random((apps, placements)) < rng.choice([0.6, 1.0])
        fence[:, rng.integers(placements)] = True
        schedules = list(product(range(placements), repeat=intervals))
        costs = np.stack([table_cost(one, stay, fresh, move, fence) for one in schedules])
        schedule, value = best_schedule(stay, fresh, move, fence)
        np.testing.assert_allclose(value, costs.min(axis=0), rtol=1e-12, atol=1e-12)
        for a in range(apps):
            row = schedules.index(tuple(schedule[:, a].tolist()))
            assert costs[row, a] == pytest.approx(value[a])
        placement, static = best_static_with_foresight(stay, fence)
        constant = np.stack([table_cost((p,) * intervals, stay, fresh, move, fence) for p in range(placements)])
        np.testing.assert_allclose(static, constant.min(axis=0), rtol=1e-12)
        np.testing.assert_allclose(static, constant[placement, np.arange(apps)], rtol=1e-12)
        assert (value <= static + 1e-9).all()
        moved += int((np.diff(schedule, axis=0) != 0).sum())
        ties += int(((costs <= costs.min(axis=0) + 1e-9).sum(axis=0) > 1).sum())
    assert moved > 100
    assert ties > 20


def test_ties_stay_and_go_to_the_lower_placement() -> None:
    same = np.ones((3, 1, 4))
    schedule, value = best_schedule(same, same, np.zeros((1, 3, 3)), np.ones((1, 3), dtype=np.bool_))
    assert schedule[:, 0].tolist() == [0, 0, 0, 0]
    assert value.tolist() == [4.0]
    schedule, _ = best_schedule(same, same, np.zeros((1, 3, 3)), np.array([[False, True, True]]))
    assert schedule[:, 0].tolist() == [1, 1, 1, 1]


def all_replayed(scenario: Scenario) -> Float64:
    """Objective of every schedule and app by really replaying it, float64 [schedules, A]; infinite where a fence forbids it."""
    apps, placements = scenario.is_allowed.shape
    costs = []
    free = dataclasses.replace(scenario, is_allowed=np.ones_like(scenario.is_allowed))
    for one in product(range(placements), repeat=scenario.steps // scenario.world.tactical_steps):
        rows = np.repeat(np.array(one)[:, None], apps, axis=1)
        usd = replayed(free, Scheduled("brute", rows, STEPS))
        costs.append(np.where(scenario.is_allowed[:, list(set(one))].all(axis=1), usd, np.inf))
    return np.stack(costs)


@pytest.mark.parametrize("seed", range(20))
def test_the_programme_is_the_best_replay_where_intervals_are_independent(seed: int) -> None:
    scenario = draw_world(seed, is_exact=True)
    schedule, value = by_programme(scenario)
    costs = all_replayed(scenario)
    moves = (np.diff(schedule, axis=0) != 0).sum(axis=0)
    assert (value <= costs + ROUNDING_USD * 4).all()
    np.testing.assert_allclose(value, costs.min(axis=0), rtol=0, atol=4 * ROUNDING_USD)
    found = replayed(scenario, Scheduled("programme", schedule, STEPS))
    np.testing.assert_allclose(found, value, rtol=0, atol=4 * ROUNDING_USD)
    assert (np.abs(found - value)[moves == 0] < 1e-15).all()


def test_the_independent_worlds_are_worth_the_name() -> None:
    """Most of them move somewhere, reject somewhere and are fenced somewhere: else the equality above says little."""
    worlds = [draw_world(seed, is_exact=True) for seed in range(20)]
    assert sum(bool((np.diff(by_programme(w)[0], axis=0) != 0).any()) for w in worlds) >= 10
    assert sum(not w.is_allowed.all() for w in worlds) >= 10


@pytest.mark.parametrize(
    ("kind", "gap", "regret"),
    [({"is_short": True}, 0.01, 0.005), ({"is_late": True}, 0.002, 0.0005), ({}, 0.01, 0.005)],
    ids=["switch", "left_behind", "both"],
)
def test_where_intervals_depend_on_each_other_the_gap_is_small(kind: dict[str, bool], gap: float, regret: float) -> None:
    """Two things the tables leave out: a move switches one step after its order, and what an app left behind lives on.

    The calls of that step are served at the old place, though the table has them at the new one; and the stayer's table ends an idle
    period where the next call takes the instance, though an app that leaves pays it to its end. So the programme's value may lie on
    either side of the best replay: within `gap` of it, and its schedule, replayed, costs at most `regret` more than the best one. The
    first is what the calls of one step of a hundred cost; intervals of twenty steps have a test of their own
    (tests/properties/test_the_programme_is_strong.py).
    """
    gaps, regrets = [], []
    for seed in range(20):
        scenario = draw_world(seed, **kind)
        schedule, value = by_programme(scenario)
        best = all_replayed(scenario).min(axis=0).sum()
        gaps.append(value.sum() / best - 1.0)
        regrets.append(replayed(scenario, Scheduled("programme", schedule, STEPS)).sum() / best - 1.0)
    assert min(regrets) >= -1e-9
    assert max(regrets) <= regret, regrets
    assert np.abs(gaps).max() <= gap, gaps
    assert np.abs(gaps).max() > 1e-6  # else this is no other world than the exact one


@pytest.mark.parametrize("seed", range(6))
def test_tables_are_the_replay_of_an_app_that_stays(seed: int) -> None:
    """The sum over intervals is what the judge finds, on a span that ends before the trace, idle periods after its end included."""
    scenario = draw_world(seed, is_exact=False)
    scenario = dataclasses.replace(scenario, split_steps=(STEPS, 2 * STEPS, scenario.steps - 5))
    table = objective_table(scenario, 5, "test")
    assert table.shape == (len(scenario.tables.zones), len(scenario.apps.app_ids), scenario.steps // STEPS - 2)
    free = dataclasses.replace(scenario, is_allowed=np.ones_like(scenario.is_allowed))
    for p in range(len(table)):
        fleet = run(free, Fixed("there", np.full(table.shape[1], p)), 5, "test", is_coupled=False)
        np.testing.assert_allclose(
            table[p].sum(axis=1), objective_usd(fleet.out.sum(axis=1), scenario.objective), rtol=1e-12, atol=1e-15, err_msg=str(p)
        )


def test_a_span_that_begins_inside_an_interval_has_no_table() -> None:
    scenario = draw_world(0, is_exact=True)
    scenario = dataclasses.replace(scenario, split_steps=(STEPS, STEPS + 3, scenario.steps))
    with pytest.raises(ParameterError, match="inside an interval"):
        objective_table(scenario, 5, "test")


def test_a_copy_costs_what_the_fleet_books_for_it() -> None:
    """Price of the table against one real move, between regions, zones and clouds, to the nano-USD and ng."""
    for seed in range(6):
        scenario = draw_world(seed, is_exact=True)
        apps, placements = scenario.is_allowed.shape
        free = dataclasses.replace(scenario, is_allowed=np.ones_like(scenario.is_allowed))
        cost = move_cost_usd(scenario)
        nothing = dataclasses.replace(
            free,
            calls=make_calls(apps, free.world, app=np.zeros(0, dtype=np.int64), arrival_us=np.zeros(0, dtype=np.int64), **NO_CALLS),
        )
        for p, q in product(range(placements), repeat=2):
            usd = replayed(nothing, Scheduled("move", np.array([[p] * apps, [q] * apps]), STEPS))
            np.testing.assert_allclose(usd, cost[:, p, q], rtol=0, atol=ROUNDING_USD)


NO_CALLS = {name: np.zeros(0, dtype=np.int64) for name in ("duration_us", "function", "bytes_in", "bytes_out", "origin")}
