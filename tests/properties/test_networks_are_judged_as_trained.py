"""A network is worth in the judge what it earned in its environment: one loop, one set of features. Not here: what it is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from simulator.control.baseline import home_objective
from simulator.control.loop import Loop, finished
from simulator.control.reward import Reward
from simulator.fleet import Field
from simulator.objective import objective_usd
from simulator.scenario import Scenario
from tests.worlds.env_worlds import KINDS, fleet_of
from tests.worlds.networks import FUNCTIONS, Network, as_policy

NANO_USD = 1e-9
INTERVALS = {"Autoscale": 300}  # single steps are expensive: the operational layer gets an episode inside the span


def difference(scenario: Scenario, kind: str, seed: int) -> tuple[float, int, int]:
    """Largest difference of an app, USD; moves, and calls with a floor or another memory size, that the network brought about."""
    network = Network(kind, seed)
    options: dict[str, Any] = {"functions": FUNCTIONS} if kind == "Autoscale" else {}
    env = fleet_of(kind, scenario, intervals=INTERVALS.get(kind), reward=Reward(clip=1e12), **options)
    seen, info = env.reset(seed=seed)
    cloud, run_of = info.get("cloud"), env.unwrapped.runs[0]
    begin, end = run_of.start, run_of.end  # of this episode: the environment begins the next one by itself
    earned, home, is_over = np.zeros(len(seen)), np.zeros(len(seen)), False
    while not is_over:
        mask = info["action_mask"].astype(np.bool_) if "action_mask" in info else None
        seen, reward, _, truncated, info = env.step(network(seen, mask))
        earned, home, is_over = earned + reward * run_of.scale_usd, home + info["home_usd"], bool(truncated.all())
        if is_over:
            break
    policy = as_policy(network, scenario, cloud)
    fleet = finished(Loop(scenario, policy, run_of.luck_seed, begin=begin, end=end))
    judged = objective_usd(fleet.out.sum(axis=1), scenario.objective)
    if kind != "Autoscale":
        tactical = scenario.world.tactical_steps
        stored = home_objective(scenario)[:, begin // tactical : end // tactical].sum(axis=1)
        np.testing.assert_allclose(home, stored, rtol=1e-12)
    total = fleet.out.sum(axis=(0, 1))
    return float(np.abs(home - earned - judged).max()), int(total[Field.MOVES]), int(total[Field.FLOOR_NANOUSD])


@pytest.mark.parametrize("kind", KINDS)
def test_home_less_rewards_is_the_objective_of_the_judge(build_twin: Callable[..., Scenario], kind: str) -> None:
    scenario = build_twin(family="crunch")
    found = [difference(scenario, kind, seed) for seed in range(10)]
    assert max(usd for usd, _, _ in found) < NANO_USD
    assert sum(floors if kind == "Autoscale" else moves for _, moves, floors in found) > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_hundred_networks(build_twin: Callable[..., Scenario], kind: str, proof: Callable[..., None]) -> None:
    scenario = build_twin(family="crunch")
    found = [difference(scenario, kind, seed) for seed in range(200)]
    worst = max(usd for usd, _, _ in found)
    proof(figure={"networks": 200, "worst_usd": worst, "moves": sum(moves for _, moves, _ in found)}, bound="1e-9 USD per app")
    assert worst < NANO_USD
