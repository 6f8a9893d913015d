"""What arrives or begins at or after a barrier changes no floor ordered at it or before, for every causal rule and network of floors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from models.operational import allocator, gaps, scaling
from models.operational.events import EventFloors, EventRules
from models.operational.lstm import LSTMPredictor, Network
from models.operational.scaler import MinMax
from models.operational.timers import Timers
from simulator.control.decision import Policy
from simulator.control.loop import Loop
from simulator.control.spans import span_steps
from simulator.scenario import Scenario
from simulator.twin.fleets import twin_scenario
from tests.worlds.futures import noisy_future

APPS, STEPS = 30, 120
BENEFIT = np.full((APPS, 3), 1e-3)


def certain(rows: np.ndarray) -> np.ndarray:
    """A head whose probability follows from what it sees."""
    return np.asarray(1 / (1 + np.exp(-rows.sum(axis=1))))


def forecasted() -> Policy:
    """Floors by Little's law on a network that was not trained."""
    torch.manual_seed(1)
    network = Network()
    network.out.bias.data += 0.5  # a forecast below 0 counts as 0, and would say nothing
    inputs = MinMax(np.zeros((APPS, 4), np.float32), np.full((APPS, 4), 0.1, np.float32))
    known = allocator.Knowledge(np.full((APPS, 3), 50, np.float32), inputs, BENEFIT, np.zeros(APPS, dtype=np.int64))
    rules = allocator.AllocationRules(is_priced=False)
    return allocator.Forecasted(allocator.Allocator(LSTMPredictor(network.state_dict()), known, rules), "forecasted")


ARMS: dict[str, Callable[[], Policy]] = {
    "timers": lambda: Timers(BENEFIT),
    "event_head": lambda: EventFloors((certain, certain), BENEFIT, EventRules()),
    "hazard": lambda: gaps.Hazard(BENEFIT),
    "hold": lambda: gaps.Hold(BENEFIT),
    "hybrid_histogram": gaps.HybridHistogram,
    "static_2x": lambda: scaling.Static(threshold=0.1),
    "moving_average": lambda: scaling.MovingAverage(threshold=0.1),
    "seasonal_naive": scaling.SeasonalNaive,
    "lstm": forecasted,
}


@pytest.fixture(scope="module")
def world() -> Scenario:
    """One day of 30 apps: the test span begins at step 4800."""
    return twin_scenario("calm", days=1, apps=APPS, rate=0.5)


def floors(scenario: Scenario, policy: Policy, until: int) -> list[np.ndarray]:
    """What the policy orders at the barriers of the test span up to and including `until`."""
    begin, end = span_steps(scenario, "test")
    loop, found = Loop(scenario, policy, seed=3, begin=begin, end=end), []
    while (turn := loop.turn()) is not None and turn.view.step <= until:
        decision = turn.policy.decide(turn.view)
        assert decision.floors is not None
        found.append(decision.floors)
        loop.answer(decision)
    return found


@pytest.fixture(scope="module")
def futures(world: Scenario) -> dict[int, Scenario]:
    """The world with other futures, by the barrier at which they begin."""
    rng, begin = np.random.default_rng(1), span_steps(world, "test")[0]
    barriers = sorted((begin + rng.choice(STEPS, size=6, replace=False)).tolist())
    return {barrier: noisy_future(world, barrier, rng, has_calls=bool(i % 2)) for i, barrier in enumerate(barriers)}


@pytest.mark.parametrize("arm", ARMS)
def test_the_future_changes_no_floor(world: Scenario, futures: dict[int, Scenario], arm: str) -> None:
    begin = span_steps(world, "test")[0]
    real = floors(world, ARMS[arm](), begin + STEPS)
    for barrier, changed in futures.items():
        found = floors(changed, ARMS[arm](), barrier)
        assert len(found) == barrier - begin + 1
        for i, (one, other) in enumerate(zip(real, found, strict=False)):
            assert (one == other).all(), f"{arm}: step {begin + i}, future from {barrier}"


def test_the_futures_do_differ_and_the_rules_do_order(world: Scenario, futures: dict[int, Scenario]) -> None:
    begin = span_steps(world, "test")[0]
    ordered = {arm: np.stack(floors(world, made(), begin + STEPS)) for arm, made in ARMS.items()}
    assert {arm for arm, found in ordered.items() if found.any()} >= {"event_head", "hazard", "static_2x", "timers"}
    barrier, changed = min(futures.items())
    later = np.stack(floors(changed, ARMS["event_head"](), begin + STEPS))
    assert (later[barrier - begin + 1 :] != ordered["event_head"][barrier - begin + 1 :]).any()
    assert dataclasses.is_dataclass(changed)
