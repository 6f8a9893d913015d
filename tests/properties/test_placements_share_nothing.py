"""Apps that stay share nothing across placements: those of a few placements fare alone as they do in the whole fleet."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.baselines.coordination import NAME, coordinated_static
from models.baselines.rules import Fixed
from simulator.control.loop import run
from simulator.fleet import Fleet
from simulator.objective import objective_usd
from simulator.scenario import Scenario
from tests.worlds.drawn_worlds import draw_small_world

SEEDS = range(40)


def placed(scenario: Scenario, seed: int) -> np.ndarray:
    """An allowed placement of every app, few enough of them that apps meet."""
    luck = np.random.default_rng(seed).random(scenario.is_allowed.shape)
    luck[:, 2:] *= 0.5
    return np.where(scenario.is_allowed, luck, -1.0).argmax(axis=1)


def test_the_apps_of_each_placement_alone_add_up_to_the_fleet() -> None:
    met = bound = 0
    for seed in SEEDS:
        scenario = draw_small_world(seed).scenario
        placement = placed(scenario, seed)
        whole = Fleet(scenario, placement, luck_seed=3)
        whole.finish()
        parts = np.zeros_like(whole.out)
        for place in np.unique(placement).tolist():
            part = Fleet(scenario, placement, luck_seed=3, only=placement == place)
            part.finish()
            parts += part.out
        np.testing.assert_array_equal(parts, whole.out)
        met += len(np.unique(placement)) < len(placement)
        bound += bool((whole.binding & 2).any())
    assert met > 10, "apps must share placements for this to say anything"
    assert bound > 5, "and capacity must bind"


@pytest.mark.parametrize("seed", [3, 5, 8])
def test_coordination_finds_what_whole_replays_find(seed: int) -> None:
    scenario = draw_small_world(seed).scenario
    scenario = dataclasses.replace(scenario, split_steps=(scenario.steps, scenario.steps, scenario.steps))
    start, score = placed(scenario, seed), np.random.default_rng(seed).random(scenario.is_allowed.shape)
    found, usd, used = coordinated_static(scenario, 3, "train", start, score, 25)
    fleet = run(scenario, Fixed(NAME, found), 3, "train", bucket_us=scenario.world.tactical_us)
    assert usd == float(objective_usd(fleet.out.sum(axis=1), scenario.objective).sum())
    before = run(scenario, Fixed(NAME, start), 3, "train", bucket_us=scenario.world.tactical_us)
    assert usd <= float(objective_usd(before.out.sum(axis=1), scenario.objective).sum())
    assert 1 <= used <= 25
