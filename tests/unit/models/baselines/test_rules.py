"""Rules that choose placements: each on a tiny world where the right answer is known, and what they may know. Not here: judging them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from models.baselines import rules
from models.baselines.knowledge import LAGS, Knowledge, learn
from simulator.control.judge import run
from simulator.control.view import Facts, Observation
from simulator.fleet import Field
from simulator.parameters import Objective, Slo, World
from simulator.places.tables import Tables
from simulator.scenario import Scenario
from tests.worlds.drawn_worlds import draw_small_world
from tests.worlds.small_worlds import invent_tables, make_apps, make_conditions, plain_scenario

Int64 = NDArray[np.int64]

# Placements 0, 1: aws iad; 2: aws fra; 3: azure iad; 4: azure fra.
PLACES = [(0, 0), (0, 1), (1, 0), (1, 1)]
AWS_IAD, AWS_FRA, AZURE_IAD, AZURE_FRA = range(4)  # regions
COPY_USD = 1e-3


def tables(**values: Any) -> Tables:
    """Two clouds in two metros 100 ms apart; 1 ms between clouds of one metro."""
    metro = np.array([0, 1, 0, 1])
    rtt = np.where(metro[None, :] == np.array([0, 1])[:, None], 2_000, 100_000)
    data = np.where(metro[None, :] == metro[:, None], 2_000, 100_000)
    np.fill_diagonal(data, 1_000)
    plain = {"rtt_us": rtt, "data_rtt_us": data} | values
    return invent_tables(("aws", "azure"), ("iad", "fra"), PLACES, zones_of_region=[2, 1, 1, 1], **plain)


def facts(apps: int = 1, is_allowed: ArrayLike = True, given: Tables | None = None, **attributes: ArrayLike) -> Facts:
    made = make_apps(tuple(f"app-{i}" for i in range(apps)), [1] * apps, **attributes)
    allowed = np.array(np.broadcast_to(np.asarray(is_allowed, dtype=np.bool_), (apps, 5)))
    return Facts(given or tables(), made, World(), Slo(), Objective(), allowed)


def knowledge(apps: int = 1, **values: ArrayLike) -> Knowledge:
    """Nothing differs anywhere, a copy costs 1e-3 USD, 10 calls an interval; `values` override and are broadcast."""
    plain: dict[str, tuple[tuple[int, ...], ArrayLike]] = {
        "level_usd": ((apps, 4), 1e-3),
        "slope_usd": ((apps, 4), 0.0),
        "carbon_usd": ((apps, 4), 0.0),
        "mean_slowdown": ((5,), 1.0),
        "mean_carbon": ((4,), 300_000.0),
        "fading": ((LAGS + 1,), 1.0),
        "calls": ((apps,), 10.0),
        "cold_share": ((apps, 2), 0.0),
        "move_usd": ((apps, 5, 5), COPY_USD * (1 - np.eye(5))),
    }
    return Knowledge(**{name: np.array(np.broadcast_to(values.get(name, v), shape), dtype=float) for name, (shape, v) in plain.items()})


def seen(
    placement: ArrayLike, *, step: int = 100, calls: ArrayLike = 0, slowdown: ArrayLike = 1000, carbon: ArrayLike = 300_000
) -> Observation:
    place = np.atleast_1d(np.asarray(placement, dtype=np.int64))
    recent = np.zeros((len(place), len(Field)), dtype=np.int64)
    recent[:, Field.CALLS] = calls
    wide: Int64 = np.zeros(5, dtype=np.int64)
    slow, grid = wide + np.asarray(slowdown), np.zeros(4, dtype=np.int64) + np.asarray(carbon)
    return Observation(step, place, wide + 500_000, slow, wide + 9, grid, recent)


def decided(rule: Any, *observations: Observation) -> list[list[int]]:
    return [rule.decide(one).tolist() for one in observations]


def test_home_stays() -> None:
    assert decided(rules.home(facts(3, home=[4, 0, 2])), seen([0, 0, 0]), seen([4, 0, 2])) == [[4, 0, 2]] * 2


def test_a_schedule_gives_its_rows_in_turn_and_keeps_the_last() -> None:
    rule = rules.Scheduled("given", np.array([[1, 2], [3, 4]]), 100)
    assert decided(rule, *[seen([0, 0])] * 3) == [[1, 2], [3, 4], [3, 4]]


def test_random_is_one_seeded_draw_per_app_within_the_fence() -> None:
    fence = np.random.default_rng(1).random((300, 5)) < 0.6
    fence[:, 2] = True
    f = facts(300, fence)
    one = rules.random(f, 1)
    picks = one.decide(seen(np.zeros(300)))
    assert picks.tolist() == one.decide(seen(picks, slowdown=9000)).tolist() == rules.random(f, 1).placement.tolist()
    assert one.period_steps == rules.NEVER_STEPS
    assert f.is_allowed[np.arange(300), picks].all()
    assert (rules.random(f, 2).placement != picks).mean() > 0.4
    free = rules.random(facts(5000), 1).placement
    assert (np.abs(np.bincount(free, minlength=5) / 5000 - 0.2) < 0.03).all()
    # An app's draw is its own: other apps change nothing.
    assert rules.random(facts(5000), 1).placement[:300].tolist() == rules.random(facts(300), 1).placement.tolist()


def test_greedy_locality_takes_the_nearest_region_and_there_the_calmest_zone() -> None:
    home, data = [2, 2, 0, 0], [AWS_FRA, AZURE_IAD, AWS_IAD, AZURE_FRA]
    f = facts(4, home=home, data_region=data)
    # Caller and data in fra: aws fra (its own region is the nearest). Caller fra, data azure iad: azure iad 100 + 1, azure fra 2 + 100:
    # azure iad wins by 1 ms. Caller and data in aws iad: zone 1, which is calmer. Caller iad, data azure fra: azure fra 100 + 1.
    k = knowledge(4, mean_slowdown=[1.5, 1.4, 1.0, 1.0, 1.0])
    assert rules.greedy_locality(f, k).placement.tolist() == [2, 3, 1, 4]
    fenced = facts(4, [[1, 1, 0, 0, 1]] * 4, home=home, data_region=data)
    assert rules.greedy_locality(fenced, k).placement.tolist() == [4, 4, 1, 4]  # of the second one aws iad and azure fra are equally far


def test_greedy_cold_start_takes_the_cloud_that_lost_least_time_in_the_nearest_metro() -> None:
    law = np.zeros((2, 3, 257), dtype=np.int64)
    law[0], law[1] = 1_000_000, 3_000_000
    f = facts(2, home=[2, 0], given=tables(cold_start_us=law))
    # App 0: 20 % of 1 s on aws, 5 % of 3 s on azure; app 1: 10 % of 1 s on aws, 5 % of 3 s on azure.
    assert rules.greedy_cold_start(f, knowledge(2, cold_share=[[0.2, 0.05], [0.1, 0.05]])).placement.tolist() == [4, 0]
    # Between equal clouds, the nearer region, then the calmer zone.
    equal = knowledge(2, cold_share=[[0.3, 0.1]] * 2, mean_slowdown=[1.2, 1.1, 1.0, 1.3, 1.3])
    assert rules.greedy_cold_start(f, equal).placement.tolist() == [2, 1]


def test_best_static_takes_the_cheapest_region_and_there_the_calmest_zone() -> None:
    level = [[4e-3, 3e-3, 2e-3, 5e-3], [1e-3, 3e-3, 2e-3, 5e-3], [1e-3, 1e-3, 1e-3, 1e-3]]
    k = knowledge(3, level_usd=level, mean_slowdown=[1.3, 1.1, 1.2, 1.6, 1.0])
    assert rules.best_static(facts(3), k).placement.tolist() == [3, 1, 4]  # a tie of regions goes to the calmest zone
    fence = [[1, 1, 1, 0, 1]] * 3
    assert rules.best_static(facts(3, fence), k).placement.tolist() == [2, 1, 4]
    # With a price on slowdown a zone is compared with its region's mean, which the level holds already.
    k = knowledge(3, level_usd=level, slope_usd=1e-2, mean_slowdown=[1.3, 1.1, 1.2, 1.6, 1.0])
    np.testing.assert_allclose(rules.mean_cost(facts(3), k)[1], [2e-3, 0.0, 3e-3, 2e-3, 5e-3], atol=1e-15)
    assert rules.best_static(facts(3), k).placement.tolist() == [3, 1, 1]


@pytest.mark.parametrize("factor", [0.99, 1.01])
def test_a_move_needs_a_saving_above_copy_and_switch(factor: float) -> None:
    """Azure iad saves x a call; 10 calls an interval over 8 intervals must save more than copy and switch."""
    x = factor * (COPY_USD + rules.SWITCH_USD) / (10 * 8)
    k = knowledge(level_usd=[[1e-3, 1e-3, 1e-3 - x, 1e-3]])
    for rule, moves in (
        (rules.GreedyObjective(facts(), k, 8), factor > 1),
        (rules.GreedyObjective(facts(), k, 8, has_hysteresis=False), True),
        (rules.Persistence(facts(), k, 8, margin=1.0), factor > 1),
        (rules.Persistence(facts(), k, 8, margin=0.0), True),
        (rules.Persistence(facts(), k, 8, margin=2.0), False),
        (rules.Persistence(facts(), k, 4, margin=0.5), factor > 1),
    ):
        rule.decide(seen([0], step=0))
        assert rule.decide(seen([0])).tolist() == ([3] if moves else [0])
        assert rule.decide(seen([3])).tolist() == [3]


@pytest.mark.parametrize("margin", [1.0, 50.0])
def test_the_first_placement_is_free_so_it_needs_no_saving(margin: float) -> None:
    k = knowledge(level_usd=[[1e-3, 1e-3, 1e-3 - 1e-9, 1e-3]])
    for rule in (rules.GreedyObjective(facts(), k), rules.Persistence(facts(), k, margin=margin)):
        assert decided(rule, seen([0], step=0), seen([0])) == [[3], [0]]


def test_equal_placements_are_no_reason_to_move() -> None:
    for place in range(5):
        for rule in (
            rules.GreedyObjective(facts(), knowledge(), has_hysteresis=False),
            rules.Persistence(facts(), knowledge(), margin=0.0),
        ):
            assert decided(rule, seen([place], step=0), seen([place])) == [[place], [place]]


def test_moving_rules_respect_fences() -> None:
    k = knowledge(2, level_usd=[[5e-1, 3e-1, 1e-1, 2e-1]] * 2)
    f = facts(2, [[1, 1, 1, 0, 0], [1, 1, 0, 0, 1]])
    for rule in (rules.GreedyObjective(f, k), rules.GreedyObjective(f, k, has_hysteresis=False), rules.Persistence(f, k)):
        assert decided(rule, seen([0, 0], step=0), seen([0, 0])) == [[2, 4]] * 2


def test_congestion_and_carbon_now_count_against_their_means() -> None:
    congested = knowledge(slope_usd=2e-3, mean_slowdown=[1.5, 1.5, 1.0, 1.0, 1.0])
    rule = rules.GreedyObjective(facts(), congested, has_hysteresis=False)
    rule.decide(seen([0], step=0))
    # Zone 0 is at its own mean, the others above theirs, then zone 4 below its own.
    assert rule.decide(seen([2], slowdown=[1500, 1900, 1200, 1200, 1200])).tolist() == [0]
    assert rule.decide(seen([0], slowdown=[1500, 1900, 1200, 1200, 900])).tolist() == [4]
    carbon = knowledge(carbon_usd=1e-4, mean_carbon=[300_000, 300_000, 50_000, 300_000])
    rule = rules.GreedyObjective(facts(), carbon, has_hysteresis=False)
    rule.decide(seen([0], step=0))
    assert rule.decide(seen([0], carbon=[300_000, 300_000, 60_000, 250_000])).tolist() == [4]  # the cleanest region is above its mean


def test_persistence_lets_congestion_fade_and_carbon_stay() -> None:
    """Zone 0 is 1.0 above its mean now. Over 4 intervals that is worth slope x (sum of the fading) to leave, not slope x 4."""
    fading = 0.5 ** np.arange(LAGS + 1)  # 0.5 + 0.25 + 0.125 + 0.0625 = 0.9375
    now = seen([0], slowdown=[2000, 2000, 2000, 1000, 2000])
    threshold = (COPY_USD + rules.SWITCH_USD) / (10 * 0.9375)
    for factor, to in ((0.99, 0), (1.01, 3)):
        k = knowledge(slope_usd=factor * threshold, fading=fading)
        rule = rules.Persistence(facts(), k, 4)
        assert decided(rule, seen([0], step=0), now) == [[0], [to]]
        greedy = rules.GreedyObjective(facts(), k, 4)
        assert decided(greedy, seen([0], step=0), now) == [[0], [3]]  # it takes what stands now for what will be
    none = knowledge(slope_usd=1.0, fading=np.eye(LAGS + 1)[0])
    rule = rules.Persistence(facts(), none, 4)
    assert decided(rule, seen([0], step=0), now) == [[0], [0]]
    # A saving in carbon holds for the whole horizon, as the cost level does.
    threshold = (COPY_USD + rules.SWITCH_USD) / (10 * 4 * 0.5)
    for factor, to in ((0.99, 0), (1.01, 3)):
        rule = rules.Persistence(facts(), knowledge(carbon_usd=factor * threshold, fading=fading), 4)
        assert decided(rule, seen([0], step=0), seen([0], carbon=[300_000, 300_000, 150_000, 300_000])) == [[0], [to]]
    beyond = rules.Persistence(facts(), knowledge(slope_usd=1e-4, fading=fading), LAGS + 5)
    assert decided(beyond, seen([0], step=0), now) == [[0], [0]]


@pytest.mark.parametrize(("period", "tactical"), [(100, 100), (50, 100), (40, 40), (100, 40)])
def test_volumes_are_smoothed_calls_per_tactical_interval(period: int, tactical: int) -> None:
    """From 10 calls an interval: after an interval with 110 the estimate is 0.9 x 10 + 0.1 x 110 = 20, whatever an interval is."""
    calls = round(110 * period / tactical)
    for factor, to in ((0.99, 0), (1.01, 3)):
        x = factor * (COPY_USD + rules.SWITCH_USD) / (20 * 8)
        f = dataclasses.replace(facts(), world=World(tactical_steps=tactical))
        k = knowledge(level_usd=[[1e-3, 1e-3, 1e-3 - x, 1e-3]])
        for rule in (rules.GreedyObjective(f, k, 8, period_steps=period), rules.Persistence(f, k, 8, period_steps=period)):
            rule.decide(seen([0], step=0))
            assert rule.decide(seen([0], calls=calls)).tolist() == [to]


def test_what_was_learnt_is_what_hand_made_calls_cost() -> None:
    """One app, two zones, the second at 2.0: 1 GB, duration 1 s, 600 calls far apart on the train span: all cold, 1 s each."""
    step = World().step_us
    calls = [{"arrival_us": k * 10 * step + 1_000_000, "duration_us": 1_000_000} for k in range(60)]
    scenario = plain_scenario(
        capacity=np.full((2, 60), 9).tolist(), calls=calls, steps=600, slowdown_permille=np.array([[1000], [2000]]) + np.zeros((2, 60))
    )
    scenario = dataclasses.replace(scenario, split_steps=(300, 400, 600))
    k = learn(scenario, 1)
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
    np.testing.assert_allclose(learn(scenario, 1).fading, [1.0, 0.0] + [1.0, 0.0] * (LAGS // 2 - 1) + [1.0], atol=1e-12)


def test_intervals_shorter_than_a_slot_can_be_learnt_too() -> None:
    scenario = plain_scenario(
        capacity=np.full((1, 20), 9).tolist(),
        calls=[{"arrival_us": 5}],
        steps=400,
        world=World(tactical_steps=10),
        slowdown_permille=np.arange(1000, 1020)[None],
    )
    fading = learn(scenario, 1).fading
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
    one, other = learn(scenario, 1), learn(dataclasses.replace(scenario, calls=changed), 1)
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
    f, k, period = Facts.of(scenario), learn(scenario, 1), scenario.world.tactical_steps
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
    k = learn(scenario, 1)
    for part in dataclasses.fields(Knowledge):
        assert np.isfinite(getattr(k, part.name)).all(), part.name
    rule = rules.Persistence(Facts.of(scenario), k)
    with np.errstate(all="raise"):  # a grid without carbon divides nothing
        rule.decide(dataclasses.replace(seen([0, 0]), slowdown_permille=np.full(2, 1000), carbon_mg_per_kwh=np.zeros(1, dtype=np.int64)))
