"""Makes a policy of a function of observations: features, the function's answer, the order. Not here: training, the features themselves.

A trained network is judged by the features that it was trained on, because environments and this policy call the same functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from simulator.control.decision import Decision, PolicyBase, Scope

if TYPE_CHECKING:
    from simulator.control.view import Facts, View

Act = Callable[[NDArray[np.float32], NDArray[np.bool_] | None], NDArray[Any]]


class Layer(Protocol):
    """What each module of `simulator.control.features` offers; `known` is the object that `start` made for the run."""

    VERSION: int
    NEEDS_STEPS: bool

    def start(self, facts: Facts) -> Any:
        """What a run remembers."""

    def space(self, facts: Facts) -> spaces.Box:
        """The space of one app's observation."""

    def actions(self, facts: Facts) -> spaces.Space[Any]:
        """The space of one app's action."""

    def observe(self, view: View, known: Any) -> NDArray[np.float32]:
        """Features, float32 [A, ...]."""

    def mask(self, view: View, known: Any) -> NDArray[np.bool_] | None:
        """Actions that may be chosen, bool [A, n]; None: all."""

    def decision(self, view: View, known: Any, chosen: NDArray[Any]) -> Decision:
        """The order for actions [A, ...]."""


class Acting(PolicyBase):
    """A policy that observes the features of a layer and orders what a function answers to them.

    Args:
        name: of the arm.
        layer: module of `simulator.control.features`.
        known: what `layer.start(facts)` made for this run.
        act: (observations float32 [A, ...], mask bool [A, n] or None) -> actions [A, ...].
        period_steps: between decisions.
        scope: see `Policy`.
    """

    def __init__(self, name: str, layer: Layer, known: Any, act: Act, *, period_steps: int, scope: Scope = "cloud") -> None:
        self.name, self.layer, self.known, self.act, self.period_steps, self.scope = name, layer, known, act, period_steps, scope
        self.needs_steps = layer.NEEDS_STEPS

    def decide(self, view: View) -> Decision:
        """Observe, act, order."""
        observed = self.layer.observe(view, self.known)
        return self.layer.decision(view, self.known, self.act(observed, self.layer.mask(view, self.known)))
