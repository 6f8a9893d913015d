"""The training of the specified PPO on training fleets, as search, final training and joint round run it. Not here: files, stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.tactical.ppo import ActorCritic, PPOAgent, PpoSettings, PpoTraining
from simulator.control.decision import Composite
from simulator.envs.tactical import TacticalEpisodes
from tasks.learning.fleet_training import Learner
from tasks.learning.tactical_outputs import LAYER

if TYPE_CHECKING:
    from models.training import Tensors
    from simulator.control.decision import Policy
    from simulator.control.view import Facts

ARM = "ppo_specified"


def placing(tensors: Tensors, facts: Facts) -> Policy:
    """A network as it is validated: every app stays in the cloud of its home, the network chooses the placement."""
    return Composite(ARM, tactical=PPOAgent(tensors).policy(facts))


def ppo_learner(settings: PpoSettings, arm: str = ARM) -> Learner[PpoTraining]:
    """PPO with as many apps as fill its batches."""
    return Learner(LAYER, arm, PpoTraining, ActorCritic, TacticalEpisodes, multiple=settings.envs, rollout=settings.steps)
