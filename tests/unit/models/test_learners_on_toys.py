"""Both learners on worlds whose optimum is known. Not here: their parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.worlds.toy_learners import agents, choices, dqn, ppo
from tests.worlds.toy_worlds import tempting_placement, three_placements

SEEDS = [1, 2, 3, 4, 5]
LEARNERS: dict[str, Any] = {"ppo": ppo, "dqn": dqn}
WORK = 40  # updates of PPO, stretches of DQN


@pytest.mark.parametrize("name", LEARNERS)
def test_three_placements_reach_98_percent_of_the_optimum(name: str) -> None:
    table = three_placements()
    best = table.optimum(0.9).mean()
    stay = table.value(np.arange(12) % 3, 0.9).mean()
    assert stay < 0.9 * best, "staying is nearly optimal: the world teaches nothing"
    for agent in agents(LEARNERS[name](table, SEEDS, WORK)):
        assert table.value(choices(agent, table), 0.9).mean() >= 0.98 * best


@pytest.mark.parametrize("name", LEARNERS)
def test_looking_ahead_earns_more_where_the_myopic_move_is_worse(name: str) -> None:
    table = tempting_placement()

    def earned(gamma: float) -> list[float]:
        """Earned in 64 steps from the worse placement, by each seed."""
        found = []
        for agent in agents(LEARNERS[name](table, SEEDS, WORK // 2, gamma=gamma)):
            actions, state, total = choices(agent, table), 0, 0.0
            for _ in range(64):
                total += table.rewards[state, actions[state]]
                state = table.following[state, actions[state]]
            found.append(float(total))
        return found

    far, near = earned(0.99), earned(0.0)
    assert all(f >= 1.05 * n for f, n in zip(far, near, strict=True)), (far, near)
