"""Tables as worlds for learners, with their optimum by dynamic programming. Not here: learners, the real world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.worlds import Seen, Stepped

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Table:
    """A deterministic world: where each action leads and what it earns. K states, A actions.

    Args:
        following: int64 [K, A].
        rewards: float64 [K, A].
        mask: bool [K, A], actions that may be chosen.
    """

    following: Int64
    rewards: Float64
    mask: Bool

    def optimum(self, gamma: float) -> Float64:
        """Discounted value of the best policy from every state, float64 [K]."""
        value = np.zeros(len(self.rewards))
        for _ in range(5000):
            value = np.where(self.mask, self.rewards + gamma * value[self.following], -np.inf).max(axis=1)
        return value

    def value(self, actions: Int64, gamma: float) -> Float64:
        """Discounted value of a policy (int64 [K]) from every state, float64 [K]."""
        states = np.arange(len(actions))
        step = np.zeros((len(actions), len(actions)))
        step[states, self.following[states, actions]] = gamma
        found: Float64 = np.linalg.solve(np.eye(len(actions)) - step, self.rewards[states, actions])
        return found

    def observed(self, states: Int64) -> NDArray[np.float32]:
        """One-hot of each state, float32 [N, K]."""
        return np.eye(len(self.rewards), dtype=np.float32)[states]


class TableWorld:
    """A `World` of a table: N copies that begin at random states and meet a time limit (`is_terminal`: an end) after `limit` steps."""

    def __init__(self, table: Table, envs: int, limit: int = 1 << 40, *, is_terminal: bool = False) -> None:
        self.table, self.envs, self.limit, self.is_terminal = table, envs, limit, is_terminal

    def begin(self, seed: int) -> Seen:
        self.rng, self.steps = np.random.default_rng(seed), 0
        self.states = self.rng.integers(len(self.table.rewards), size=self.envs)
        return self._seen()

    def step(self, actions: Int64) -> Stepped:
        assert self.table.mask[self.states, actions].all(), "a masked action was chosen"
        rewards = self.table.rewards[self.states, actions]
        self.states, self.steps = self.table.following[self.states, actions], self.steps + 1
        reached, is_over = self._seen(), np.full(self.envs, self.steps % self.limit == 0)
        if is_over.any():
            self.states = self.rng.integers(len(self.table.rewards), size=self.envs)
        return Stepped(self._seen(), reached, rewards, is_over, is_over & self.is_terminal)

    def _seen(self) -> Seen:
        return Seen(self.table.observed(self.states), self.table.mask[self.states])


def three_placements(move_cost: float = 0.3) -> Table:
    """Three placements whose worth changes with the time of day: one is best by day, one by night, one is never bad but once.

    State = 3 x phase + placement, action = the placement of the next phase. From the last one, the first cannot be reached at night.
    """
    worth = np.array([[2.0, 1.0, 1.2], [2.0, 1.0, 1.2], [0.5, 2.0, 1.2], [0.5, 2.0, 0.9]])  # [phase, placement]
    phases = len(worth)
    following, rewards, mask = np.zeros((12, 3), dtype=np.int64), np.zeros((12, 3)), np.ones((12, 3), dtype=np.bool_)
    for phase in range(phases):
        for here in range(3):
            for there in range(3):
                state = 3 * phase + here
                following[state, there] = 3 * ((phase + 1) % phases) + there
                rewards[state, there] = worth[phase, there] - move_cost * (here != there)
                mask[state, there] = not (phase >= 2 and here == 2 and there == 0)
    return Table(following, rewards, mask)


def tempting_placement(move_cost: float = 1.5) -> Table:
    """Two placements, one better for ever; moving there costs more than one interval of it earns, so a myopic learner stays."""
    following = np.array([[0, 1], [0, 1]])
    rewards = np.array([[1.0, 2.0 - move_cost], [1.0 - move_cost, 2.0]])
    return Table(following, rewards, np.ones((2, 2), dtype=np.bool_))
