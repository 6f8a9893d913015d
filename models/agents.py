"""What trained networks of the upper layers share: reading one and holding it to its card, acting, being a part of a policy.

Not here: networks, learning (ppo.py, dqn.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from models.checkpoints import load_model
from simulator.control.acting import Acting

if TYPE_CHECKING:
    from models.training import Tensors
    from simulator.control.decision import Policy
    from simulator.control.view import Facts


class Agent(ABC):
    """A trained network that takes the action of the largest weight.

    Attributes:
        layer: module of `simulator.control.features` that it observes by.
        layer_name: of its card.
        arm: its name where none is given.
        period: name of the field of the world that says how often it decides.
    """

    layer: ClassVar[Any]
    layer_name: ClassVar[str]
    arm: ClassVar[str]
    period: ClassVar[str]
    network: Any  # of linear layers, with `actions`

    @abstractmethod
    def __init__(self, tensors: Tensors) -> None:
        """Take the parameters of a network, by the names of its layers."""

    @staticmethod
    @abstractmethod
    def widths(sizes: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each layer, from the sizes of a card."""

    @abstractmethod
    def weights(self, observed: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """What the network makes of all actions, float32 [A, actions]; least where one may not be chosen."""

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read the weights at `path` and the card beside them.

        Raises:
            CheckpointError: they are missing, damaged, or not of this layer, its features or this network.
        """
        return cls(load_model(path, cls.layer_name, cls.layer.VERSION, cls.widths))

    def act(self, observed: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        """Return the actions of the largest weight, int64 [A], for observations [A, inputs] and masks [A, actions]."""
        may = np.ones((len(observed), self.network.actions), dtype=np.bool_) if mask is None else mask
        chosen: NDArray[np.int64] = self.weights(observed, may).argmax(axis=1)
        return chosen

    def policy(self, facts: Facts, name: str = "") -> Policy:
        """The agent as its layer's part of a policy, for one run."""
        period_steps = getattr(facts.world, self.period)
        return Acting(name or self.arm, self.layer, self.layer.start(facts), self.act, period_steps=period_steps)
