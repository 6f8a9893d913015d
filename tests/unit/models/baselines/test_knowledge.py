"""What is learnt of the train span, and that rules depend on nothing else: the order of rows, calls to come. Not here: single rules."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.baselines import rules
from models.baselines.knowledge import LAGS, Knowledge
from simulator.control.loop import run
from simulator.control.view import Facts
from simulator.parameters import World
from simulator.scenario import Scenario
from tests.worlds.drawn_worlds import draw_small_world
from tests.worlds.known import knowledge_of
from tests.worlds.small_worlds import make_conditions, plain_scenario
from tests.worlds.views import make_view

Int64 = NDArray[np.int64]


def test_what_was_learnt_is_what_hand_made_calls_cost() -> None:
    """One app, two zones, the second at 2.0: 1 GB, duration 1 s, 600 calls far apart on the train span: all cold, 1 s each."""
    step = World().step_us
    calls = [{"arrival_us": k * 10 * step + 1_000_000, "duration_us": 1_000_000} for k in range(60)]
    scenario = plain_scenario(
        capacity=np.full((2, 60), 9).tolist(), calls=calls, steps=600, slowdown_permille=np.array([[1000], [2000]]) + np.zeros((2, 60))
    )
    scenario = dataclasses.replace(scenario, split_steps=(300, 400, 600))
    k = knowledge_of(scenario)
    assert k.calls.tolist() == [10.0]  # 30 calls in 3 intervals
    assert k.cold_share.tolist() == [[1.0]]
    assert k.mean_slowdown.tolist() == [1.0, 2.0]
    assert k.mean_carbon.tolist() == [360_000.0]
    np.testing.assert_allclose(k.slope_usd, [[1.0 * (1e-5 + 1e-5)]])  # 1 s times price and value of latency
    # Level: mean of the zones: cold 1 s, fetch 1 ms, 1 s and 2 s, billed by ms; excess 1.003 and 2.003 s; a miss in both.
    busy_s = [2.001, 3.001]
    carbon = [1e-7 * (2.392 * b + 1.392 * 60) for b in busy_s]
    level = [200e-9 + b * 1e-5 + (b + 0.002 - 1.0) * 1e-5 + 1e-4 + c for b, c in zip(busy_s, carbon, strict=True)]
    np.testing.assert_allclose(k.carbon_usd, [[np.mean(carbon)]], rtol=1e-5)
    np.testing.assert_allclose(k.level_usd, [[np.mean(level)]], rtol=1e-5)
    np.testing.assert_allclose(k.move_usd, [[[0, 500e-9 + 1e6 * 0.36 / 1e12], [500e-9 + 1e6 * 0.36 / 1e12, 0]]])
    assert k.fading.tolist() == [1.0] + [0.0] * LAGS  # nothing varied
    assert rules.best_static(Facts.of(scenario), k).placement.tolist() == [0]


def test_fading_is_the_autocorrelation_of_the_slowdown() -> None:
    """Slowdown alternates every tactical interval (5 slots): correlation -1 (cut to 0), 1, -1, ... less the ends that overlap."""
    square = np.tile(np.repeat([1000, 2000], 5), 30)
    scenario = plain_scenario(capacity=np.full((1, 300), 9).tolist(), calls=[{"arrival_us": 5}], steps=6000, slowdown_permille=square[None])
    np.testing.assert_allclose(knowledge_of(scenario).fading, [1.0, 0.0] + [1.0, 0.0] * (LAGS // 2 - 1) + [1.0], atol=1e-12)


def test_intervals_shorter_than_a_slot_can_be_learnt_too() -> None:
    scenario = plain_scenario(
        capacity=np.full((1, 20), 9).tolist(),
        calls=[{"arrival_us": 5}],
        steps=400,
        world=World(tactical_steps=10),
        slowdown_permille=np.arange(1000, 1020)[None],
    )
    fading = knowledge_of(scenario).fading
    assert fading.shape == (LAGS + 1,)
    assert np.isfinite(fading).all()


def drawn(seed: int) -> Scenario:
    """A drawn small world with room, and a tactical interval of at least a slot."""
    world = draw_small_world(seed).scenario
    return dataclasses.replace(world, world=world.world.model_copy(update={"tactical_steps": 300 // world.world.step_s}))


@pytest.mark.parametrize("seed", range(6))
def test_only_the_train_span_is_learnt(seed: int) -> None:
    scenario = drawn(seed)
    end = scenario.split_steps[0]
    calls = scenario.calls
    later = calls.arrival_us >= end * scenario.world.step_us
    luck = np.random.default_rng(seed)
    changed = dataclasses.replace(
        calls,
        duration_us=np.where(later, luck.integers(0, 90_000_000, len(later)), calls.duration_us),
        bytes_in=np.where(later, 30_000_000, calls.bytes_in).astype(np.int32),
        bytes_out=np.where(later, 0, calls.bytes_out).astype(np.int32),
    )
    one, other = knowledge_of(scenario), knowledge_of(dataclasses.replace(scenario, calls=changed))
    for part in dataclasses.fields(Knowledge):
        np.testing.assert_array_equal(getattr(one, part.name), getattr(other, part.name), err_msg=part.name)
        assert np.isfinite(getattr(one, part.name)).all(), part.name


def test_the_drawn_worlds_have_calls_after_the_train_span() -> None:
    counts = [int((s.calls.arrival_us >= s.split_steps[0] * s.world.step_us).sum()) for s in map(drawn, range(6))]
    assert sum(c > 0 for c in counts) >= 3


def permuted(scenario: Scenario, order: Int64) -> Scenario:
    """The same world with its placements in another order: new placement i is the old order[i]."""
    t, seen_, back = scenario.tables, scenario.conditions, np.argsort(order)
    tables_ = dataclasses.replace(
        t,
        zones=tuple(t.zones[p] for p in order),
        cells=tuple(t.cells[p] for p in order),
        region_of_placement=t.region_of_placement[order],
        zone_number=t.zone_number[order],
    )
    conditions = dataclasses.replace(
        seen_,
        utilisation_ppm=seen_.utilisation_ppm[order],
        capacity=seen_.capacity[order],
        slowdown_permille=seen_.slowdown_permille[order],
    )
    apps = dataclasses.replace(scenario.apps, home=back[scenario.apps.home])
    return dataclasses.replace(scenario, tables=tables_, conditions=conditions, apps=apps, is_allowed=scenario.is_allowed[:, order])


def every_rule(scenario: Scenario) -> list[Any]:
    f, k, period = Facts.of(scenario), knowledge_of(scenario), scenario.world.tactical_steps
    return [
        rules.random(f, 1),
        rules.home(f),
        rules.greedy_locality(f, k),
        rules.greedy_cold_start(f, k),
        rules.best_static(f, k),
        rules.GreedyObjective(f, k, 8, has_hysteresis=False, period_steps=period),
        rules.GreedyObjective(f, k, 8, has_hysteresis=True, period_steps=period),
        rules.Persistence(f, k, 5, margin=1.0, period_steps=period),
    ]


@pytest.mark.parametrize("seed", range(8))
def test_placements_in_another_order_are_the_same_outcome(seed: int) -> None:
    scenario = drawn(seed)
    fence = np.random.default_rng(seed).random(scenario.is_allowed.shape) < 0.7
    fence[np.arange(len(fence)), scenario.apps.home] = True
    scenario = dataclasses.replace(scenario, is_allowed=fence, split_steps=(scenario.steps // 2, scenario.steps * 3 // 4, scenario.steps))
    order = np.random.default_rng(seed + 100).permutation(len(scenario.tables.zones))
    other = permuted(scenario, order)
    for one, two in zip(every_rule(scenario), every_rule(other), strict=True):
        a, b = run(scenario, one, 7), run(other, two, 7)
        np.testing.assert_array_equal(a.out.sum(axis=1), b.out.sum(axis=1), err_msg=one.name)
        np.testing.assert_array_equal(a.placement, order[b.placement], err_msg=one.name)


def test_an_app_that_was_never_called_is_placed_too() -> None:
    scenario = plain_scenario(capacity=[[9] * 60] * 2, calls=[{"app": 0, "arrival_us": 5}], functions_of_app=(1, 1), steps=600)
    scenario = dataclasses.replace(
        scenario, split_steps=(300, 400, 600), conditions=make_conditions([[9] * 60] * 2, carbon_mg_per_kwh=[[0, 0]])
    )
    for rule in every_rule(scenario):
        fleet = run(scenario, rule, 1)
        assert ((fleet.placement >= 0) & (fleet.placement < 2)).all()
    k = knowledge_of(scenario)
    for part in dataclasses.fields(Knowledge):
        assert np.isfinite(getattr(k, part.name)).all(), part.name
    rule = rules.Persistence(Facts.of(scenario), k)
    with np.errstate(all="raise"):  # a grid without carbon divides nothing
        rule.decide(make_view(Facts.of(scenario), [0, 0], carbon=0))
