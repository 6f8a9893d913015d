"""The project's learners on CartPole-v1: is the training code right? Not here: the world of this project.

PPO and DQN train with the code that the layers use (models/tactical/ppo.py, models/strategic/dqn.py); only hyper-parameters differ. All
training seeds are one batch. Each seed's checkpoint that did best in validation plays 100 greedy episodes. The last line is JSON: the
return of every seed, and the processor time of each learner.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from numpy.typing import NDArray

from models.strategic.dqn import DQNAgent, DqnSettings, DqnTraining, QNetwork
from models.tactical.ppo import ActorCritic, PPOAgent, PpoSettings, PpoTraining
from models.training import VALIDATION, History, Score, SeedTraining, Tensors, device_of
from models.worlds import Seen, Stepped

SEEDS = (1, 2, 3, 4, 5)
TRANSITIONS = 500_000
BOUND = 475.0  # the mean return at which CartPole-v1 counts as solved
EPISODES, VALIDATION_EPISODES = 100, 20
PPO = PpoSettings(
    lr=1e-3, entropy=0.0, entropy_end=0.0, envs=16, steps=64, minibatch=512, epochs=6, gamma=0.98, gae_lambda=0.9, validate_every=40
)
DQN = DqnSettings(
    lr=1e-3,
    gamma=0.99,
    target_every=250,
    exploration=0.1,
    epsilon_end=0.04,
    updates_per_transition=0.125,
    validate_every=500,
)
DQN_ENVS, DQN_STRETCH = 16, 16


class CartPoles:
    """CartPole-v1 in N copies, reset in the step that ends an episode; a `World` that goes on where the last stretch ended."""

    def __init__(self, envs: int) -> None:
        self.envs, self._env, self._seen = envs, CartPoleVectorEnv(envs), None
        self._all = np.ones((envs, 2), dtype=np.bool_)

    def begin(self, seed: int) -> Seen:
        """Start on the first call, else go on."""
        if self._seen is None:
            self._seen = Seen(self._env.reset(seed=seed % 2**32)[0], self._all)
        return self._seen

    def step(self, actions: NDArray[np.int64]) -> Stepped:
        """Push every cart to the left (0) or to the right (1)."""
        env = self._env
        reached, rewards, terminated, truncated, _ = env.step(actions)
        is_over = terminated | truncated
        self._seen = Seen(reached, self._all)
        if is_over.any():
            env.state[:, is_over] = env.np_random.uniform(env.low, env.high, (4, int(is_over.sum())))
            env.steps[is_over], env.prev_done[:] = 0, False
            self._seen = Seen(env.state.T.astype(np.float32), self._all)
        return Stepped(self._seen, Seen(reached, self._all), rewards.astype(np.float64), is_over, terminated)


def returns(act: Callable[[NDArray[np.float32], None], NDArray[np.int64]], episodes: int, seed: int) -> NDArray[np.float64]:
    """The returns of so many greedy episodes, float64 [episodes]."""
    world, earned, is_on = CartPoles(episodes), np.zeros(episodes), np.ones(episodes, dtype=np.bool_)
    observed = world.begin(seed).observed
    while is_on.any():
        stepped = world.step(act(observed, None))
        earned += stepped.rewards * is_on
        is_on &= ~stepped.is_over
        observed = stepped.seen.observed
    return earned


def score_of(agent: Callable[[Tensors], Any]) -> Score:
    """What decides which checkpoint of a seed is the best: a few greedy episodes, negated because lower is better."""
    return lambda found: {VALIDATION: [-float(returns(agent(one).act, VALIDATION_EPISODES, 1000).mean()) for one in found]}


def ppo(seeds: Sequence[int], transitions: int) -> tuple[SeedTraining, Callable[[Tensors], Any]]:
    """The training of PPO, and what makes an agent of parameters."""
    training = PpoTraining(
        [PPO] * len(seeds),
        [CartPoles(PPO.envs) for _ in seeds],
        seeds,
        lambda random, device: ActorCritic(4, 2, random, device),
        History("cartpole", "ppo", seeds),
        transitions=transitions,
        stretch=PPO.steps,
        score=score_of(PPOAgent),
        device=device_of("cpu"),
    )
    return training, PPOAgent


def dqn(seeds: Sequence[int], transitions: int) -> tuple[SeedTraining, Callable[[Tensors], Any]]:
    """The training of DQN, and what makes an agent of parameters."""
    training = DqnTraining(
        [DQN] * len(seeds),
        [CartPoles(DQN_ENVS) for _ in seeds],
        seeds,
        lambda random, device: QNetwork(4, 2, random, device),
        History("cartpole", "dqn", seeds),
        transitions=transitions,
        stretch=DQN_STRETCH,
        score=score_of(DQNAgent),
        device=device_of("cpu"),
    )
    return training, DQNAgent


LEARNERS = {"ppo": ppo, "dqn": dqn}


def measure(learner: str, seeds: Sequence[int], transitions: int) -> dict[str, Any]:
    """Train all seeds and play: mean return of each seed, their mean, transitions, CPU seconds."""
    started = time.process_time()
    training, agent = LEARNERS[learner](seeds, transitions)
    for progress in training.run():
        if progress.done % max(1, progress.total // 10) == 0:
            print(f"{learner} {progress.done}/{progress.total} {dict(progress.metrics)}", file=sys.stderr, flush=True)
    found = [float(returns(agent(training.tensors(s)).act, EPISODES, 2000 + s).mean()) for s in range(len(seeds))]
    return {
        "returns": dict(zip(map(str, seeds), found, strict=True)),
        "mean": float(np.mean(found)),
        "transitions": training.units * training.per_unit,
        "best_update": training.best.update,
        "cpu_s": round(time.process_time() - started, 1),
    }


def main() -> None:
    """Train, play, and print one line of JSON last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--learners", nargs="+", default=sorted(LEARNERS), choices=sorted(LEARNERS))
    parser.add_argument("--transitions", type=int, default=TRANSITIONS)
    options = parser.parse_args()
    found = {name: measure(name, SEEDS, options.transitions) for name in options.learners}
    least = min(one["mean"] for one in found.values())
    print(json.dumps({"name": "cartpole", "ours": least, "peer": BOUND, "ratio": round(least / BOUND, 3), "unit": "mean return", **found}))


if __name__ == "__main__":
    main()
