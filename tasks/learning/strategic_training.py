"""The training of the specified DQN on training fleets, as the search and the final training both run it. Not here: files, stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from models.strategic.dqn import DQNAgent, DqnSettings, DqnTraining, QNetwork
from models.training import History, Score, Tensors, device_of
from models.worlds import FleetWorld
from simulator.control.baseline import HOME_SEED
from simulator.control.decision import Composite, Policy
from simulator.control.view import Facts
from simulator.envs.strategic import StrategicEpisodes
from tasks.core.environment import Environment
from tasks.learning.strategic_outputs import LAYER

if TYPE_CHECKING:
    from simulator.control.reward import Reward
    from simulator.envs.episodes import Stage
    from tasks.learning.validation import PolicyOf

ARM = "dqn_specified"
Below = Callable[[Facts], Policy] | None  # the tactical part of a run; None: the least estimate of the chosen cloud


def choosing(below: Below) -> PolicyOf:
    """Return how a network is validated: it chooses clouds, above a tactical part."""

    def policy_of(tensors: Tensors, facts: Facts) -> Policy:
        return Composite(ARM, strategic=DQNAgent(tensors).policy(facts), tactical=below(facts) if below else None)

    return policy_of


def dqn_training(
    settings: Sequence[DqnSettings],
    seeds: Sequence[int],
    stages: Sequence[Stage],
    reward: Reward,
    *,
    below: Below,
    transitions: int,
    stretch: int,
    apps: int | None,
    score: Score | None,
) -> DqnTraining:
    """The training of all seeds as one batch.

    Args:
        settings: of each seed.
        seeds: training seeds; one may be there several times with different settings.
        stages: training fleets, shared by all seeds.
        reward: scale and clip.
        below: makes the tactical part of an episode.
        transitions: of each seed.
        stretch: decisions of an episode.
        apps: that are learned from; None: as many as all fleets have.
        score: see `SeedTraining`.
    """
    episodes: dict[str, Any] = {"span": "train", "intervals": stretch, "luck_seed": HOME_SEED, "reward": reward, "tactical": below}
    worlds = [FleetWorld(stages, StrategicEpisodes, most=apps, **episodes) for _ in seeds]
    return DqnTraining(
        settings,
        worlds,
        seeds,
        lambda random, device: QNetwork(worlds[0].inputs, worlds[0].actions, random, device),
        History(LAYER, ARM, seeds),
        transitions=transitions,
        stretch=stretch,
        score=score,
        device=device_of(Environment().device),
    )
