"""The training of the specified DQN on training fleets, as search, final training and joint round run it. Not here: files, stages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from models.strategic.dqn import DQNAgent, DqnTraining, QNetwork
from simulator.control.decision import Composite, Policy
from simulator.control.view import Facts
from simulator.envs.strategic import StrategicEpisodes
from tasks.learning.fleet_training import Learner
from tasks.learning.strategic_outputs import LAYER

if TYPE_CHECKING:
    from models.training import Tensors
    from tasks.learning.validation import PolicyOf

ARM = "dqn_specified"
Below = Callable[[Facts], Policy] | None  # the tactical part of a run; None: the least estimate of the chosen cloud


def choosing(below: Below) -> PolicyOf:
    """Return how a network is validated: it chooses clouds, above a tactical part."""

    def policy_of(tensors: Tensors, facts: Facts) -> Policy:
        return Composite(ARM, strategic=DQNAgent(tensors).policy(facts), tactical=below(facts) if below else None)

    return policy_of


def dqn_learner(arm: str = ARM) -> Learner[DqnTraining]:
    """DQN on any number of apps."""
    return Learner(LAYER, arm, DqnTraining, QNetwork, StrategicEpisodes)
