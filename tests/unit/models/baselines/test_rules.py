"""Rules that choose placements: each on a tiny world where the right answer is known, and what they may know. Not here: judging them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from models.baselines import rules
from models.baselines.knowledge import LAGS, Knowledge
from simulator.control.view import Facts, View
from simulator.parameters import Objective, Slo, World
from simulator.places.tables import Tables
from tests.worlds.small_worlds import invent_tables, make_apps
from tests.worlds.views import make_view

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
    """Nothing differs anywhere, a copy costs 1e-3 USD, 10 calls per interval; `values` override and are broadcast."""
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


def seen(placement: ArrayLike, **conditions: ArrayLike) -> View:
    """A view on these tables; see `make_view`."""
    return make_view(facts(np.size(placement)), placement, **conditions)  # type: ignore[arg-type]


def decided(rule: Any, *views: View) -> list[list[int]]:
    return [rule.decide(one).placement.tolist() for one in views]


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
    picks = one.decide(seen(np.zeros(300))).placement
    assert picks.tolist() == one.decide(seen(picks, slowdown=9000)).placement.tolist() == rules.random(f, 1).placement.tolist()
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
    quantiles = np.zeros((2, 3, 257), dtype=np.int64)
    quantiles[0], quantiles[1] = 1_000_000, 3_000_000
    f = facts(2, home=[2, 0], given=tables(cold_start_us=quantiles))
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
    """Azure iad saves x a call; 10 calls per interval over 8 intervals must save more than copy and switch."""
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
        assert rule.decide(seen([0])).placement.tolist() == ([3] if moves else [0])
        assert rule.decide(seen([3])).placement.tolist() == [3]


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
    assert rule.decide(seen([2], slowdown=[1500, 1900, 1200, 1200, 1200])).placement.tolist() == [0]
    assert rule.decide(seen([0], slowdown=[1500, 1900, 1200, 1200, 900])).placement.tolist() == [4]
    carbon = knowledge(carbon_usd=1e-4, mean_carbon=[300_000, 300_000, 50_000, 300_000])
    rule = rules.GreedyObjective(facts(), carbon, has_hysteresis=False)
    rule.decide(seen([0], step=0))
    cleanest_is_above_its_mean = seen([0], carbon=[300_000, 300_000, 60_000, 250_000])
    assert rule.decide(cleanest_is_above_its_mean).placement.tolist() == [4]


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
        assert decided(greedy, seen([0], step=0), now) == [[0], [3]]  # it takes the present state for what will be
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
    """From 10 calls per interval: after an interval with 110 the estimate is 0.9 x 10 + 0.1 x 110 = 20, whatever an interval is."""
    calls = round(110 * period / tactical)
    for factor, to in ((0.99, 0), (1.01, 3)):
        x = factor * (COPY_USD + rules.SWITCH_USD) / (20 * 8)
        f = dataclasses.replace(facts(), world=World(tactical_steps=tactical))
        k = knowledge(level_usd=[[1e-3, 1e-3, 1e-3 - x, 1e-3]])
        for rule in (rules.GreedyObjective(f, k, 8, period_steps=period), rules.Persistence(f, k, 8, period_steps=period)):
            rule.decide(seen([0], step=0))
            assert rule.decide(seen([0], calls=calls)).placement.tolist() == [to]
