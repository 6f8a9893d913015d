"""Small trainings of both learners on tables, and what they learned. Not here: what must come out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.strategic.dqn import DQNAgent, DqnSettings, DqnTraining, QNetwork
from models.tactical.ppo import ActorCritic, PPOAgent, PpoSettings, PpoTraining
from models.training import History, device_of
from tests.worlds.toy_worlds import Table, TableWorld

CPU = device_of("cpu")


def ppo(table: Table, seeds: Sequence[int], updates: int, **values: Any) -> PpoTraining:
    """PPO on a table with a time limit of 64 steps, one batch a stretch unless `stretch` says otherwise."""
    stretch, score = values.pop("stretch", 32), values.pop("score", None)
    settings = PpoSettings(**({"lr": 2e-3, "envs": 8, "steps": 32, "minibatch": 256, "epochs": 4, "gamma": 0.9} | values))
    states, actions = table.rewards.shape
    return PpoTraining(
        [settings] * len(seeds),
        [TableWorld(table, settings.envs, 64) for _ in seeds],
        seeds,
        lambda random, device: ActorCritic(states, actions, random, device),
        History("tactical", "toy", seeds),
        transitions=updates * settings.envs * settings.steps,
        stretch=stretch,
        score=score,
        device=CPU,
    )


def dqn(table: Table, seeds: Sequence[int], units: int, **values: Any) -> DqnTraining:
    """DQN on a table with a time limit of 64 steps; a unit is 8 x 16 transitions."""
    score = values.pop("score", None)
    settings = DqnSettings(**({"gamma": 0.9, "lr": 2e-3, "target_every": 50, "warm_up": 128, "replay": 4000} | values))
    states, actions = table.rewards.shape
    return DqnTraining(
        [settings] * len(seeds),
        [TableWorld(table, 8, 64) for _ in seeds],
        seeds,
        lambda random, device: QNetwork(states, actions, random, device),
        History("strategic", "toy", seeds),
        transitions=units * 8 * 16,
        stretch=16,
        score=score,
        device=CPU,
    )


def agents(training: PpoTraining | DqnTraining) -> list[PPOAgent | DQNAgent]:
    """Train to the end; one agent per seed."""
    for _ in training.run():
        pass
    kind = PPOAgent if isinstance(training, PpoTraining) else DQNAgent
    return [kind(training.tensors(s)) for s in range(len(training.random))]


def choices(agent: PPOAgent | DQNAgent, table: Table) -> NDArray[np.int64]:
    """The action of the agent in every state of a table, int64 [K]."""
    return agent.act(table.observed(np.arange(len(table.rewards))), table.mask)
