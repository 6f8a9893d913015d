"""The training of the specified PPO on training fleets, as the search and the final training both run it. Not here: files, stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from models.tactical.ppo import ActorCritic, PPOAgent, PpoSettings, PpoTraining
from models.training import History, Score, Tensors, device_of
from models.worlds import FleetWorld
from simulator.control.baseline import HOME_SEED
from simulator.control.decision import Composite
from simulator.envs.tactical import TacticalEpisodes
from tasks.core.environment import Environment
from tasks.learning.tactical_outputs import LAYER

if TYPE_CHECKING:
    from simulator.control.decision import Policy
    from simulator.control.reward import Reward
    from simulator.control.view import Facts
    from simulator.envs.episodes import Stage

ARM = "ppo_specified"


def placing(tensors: Tensors, facts: Facts) -> Policy:
    """A network as it is validated: every app stays in the cloud of its home, the network chooses the placement."""
    return Composite(ARM, tactical=PPOAgent(tensors).policy(facts))


def ppo_training(
    settings: Sequence[PpoSettings],
    seeds: Sequence[int],
    stages: Sequence[Stage],
    reward: Reward,
    *,
    transitions: int,
    stretch: int,
    apps: int | None,
    score: Score | None,
) -> PpoTraining:
    """The training of all seeds as one batch.

    Args:
        settings: of each seed.
        seeds: training seeds; one may be there several times with different settings.
        stages: training fleets, shared by all seeds.
        reward: scale and clip.
        transitions: of each seed.
        stretch: decisions of an episode.
        apps: that are learned from; None: as many as all fleets have.
        score: see `SeedTraining`.
    """
    episodes: dict[str, Any] = {"span": "train", "intervals": stretch, "luck_seed": HOME_SEED, "reward": reward}
    worlds = [FleetWorld(stages, TacticalEpisodes, multiple=settings[0].envs, most=apps, **episodes) for _ in seeds]
    return PpoTraining(
        settings,
        worlds,
        seeds,
        lambda random, device: ActorCritic(worlds[0].inputs, worlds[0].actions, random, device),
        History(LAYER, ARM, seeds),
        transitions=transitions,
        stretch=stretch,
        score=score,
        device=device_of(Environment().device),
    )
