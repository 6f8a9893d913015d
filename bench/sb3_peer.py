"""Stable-Baselines3 on the worlds of this project: the environment and the specified networks in its terms. Not here: measuring.

Imported only where that library is installed (`make bench`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnv

from models.worlds import FleetWorld

PARAMETERS = {"ppo": 68_697, "dqn": 19_587}


class PeerEnv(VecEnv):
    """A `FleetWorld` as its vector environment: an episode that ends is followed by the next one, and ends by time limit."""

    def __init__(self, world: FleetWorld, seed: int) -> None:
        space = spaces.Box(-10, 10, (world.inputs,), np.float32)
        super().__init__(world.envs, space, spaces.Discrete(world.actions))
        self.world, self.rng = world, np.random.default_rng(seed)

    def reset(self) -> NDArray[np.float32]:
        """Begin an episode."""
        return self.world.begin(int(self.rng.integers(2**31))).observed

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Take the actions of the next step."""
        self.actions = actions

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step all sub-environments."""
        stepped = self.world.step(self.actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        observed = stepped.seen.observed
        if stepped.is_over.all():
            infos = [{"terminal_observation": row, "TimeLimit.truncated": True} for row in stepped.reached.observed]
            observed = self.reset()
        return observed, stepped.rewards.astype(np.float32), stepped.is_over, infos

    def close(self) -> None:
        """Nothing is open."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """There are no attributes to read."""
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Nothing can be set: the world of a seed is made before."""
        raise AttributeError(f"a world of Trine has no attribute {attr_name} that can be set")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Nothing can be called but what a vector environment has."""
        raise AttributeError(f"a world of Trine has no method {method_name} of single sub-environments")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Nothing is wrapped."""
        return [False] * self.num_envs


class Annealed(BaseCallback):
    """Lets the weight of the entropy fall linearly.

    Args:
        end: its value at the end of the training.
    """

    def __init__(self, end: float) -> None:
        super().__init__()
        self.end = end

    def _on_training_start(self) -> None:
        self.start = float(self.model.ent_coef)

    def _on_rollout_end(self) -> None:
        share = 1 - (self.model.num_timesteps - self.model.n_envs * self.model.n_steps) / self.model._total_timesteps
        self.model.ent_coef = self.end + share * (self.start - self.end)

    def _on_step(self) -> bool:
        return True


class Validated(BaseCallback):
    """Validates the policy every so many batches and at the end, and keeps the best of it; notes what a sub-environment earns an episode.

    Args:
        every: batches between two validations.
        score: of the present policy, lower is better.
    """

    def __init__(self, every: int, score: Callable[[], float]) -> None:
        super().__init__()
        self.every, self.score, self.batches, self.least = every, score, 0, np.inf
        self.kept: dict[str, torch.Tensor] = {}
        self.earned: list[float] = []
        self._running = 0.0

    def _on_rollout_start(self) -> None:
        if self.batches and self.batches % self.every == 0:
            self._validate()

    def _on_rollout_end(self) -> None:
        self.batches += 1

    def _on_training_end(self) -> None:
        self._validate()

    def _on_step(self) -> bool:
        self._running += float(np.mean(self.locals["rewards"]))
        if self.locals["dones"].all():
            self.earned.append(self._running)
            self._running = 0.0
        return True

    def _validate(self) -> None:
        if (found := self.score()) < self.least:
            self.least, self.kept = found, {name: own.clone() for name, own in self.model.policy.state_dict().items()}


class Encoder(BaseFeaturesExtractor):
    """The shared encoder of the specified PPO network."""

    def __init__(self, space: spaces.Box) -> None:
        super().__init__(space, 128)
        self.layer = torch.nn.Sequential(torch.nn.Linear(int(np.prod(space.shape)), 128), torch.nn.ReLU())

    def forward(self, observed: torch.Tensor) -> torch.Tensor:
        """[B, inputs] -> [B, 128], in the precision of the weights; observations come in single precision."""
        return self.layer(observed.to(self.layer[0].weight.dtype))


def peer_ppo(world: FleetWorld, seed: int, *, lr: float = 3e-4) -> PPO:
    """PPO with the specified network and constants, 32 steps of every sub-environment a batch.

    Its value loss is twice ours, so it counts half as much. Its weight of the entropy is a constant; `Annealed` lets it fall as ours does.
    """
    arch = {"pi": [128, 128, 64], "vf": [128, 64]}
    model = PPO(
        "MlpPolicy",
        PeerEnv(world, seed),
        learning_rate=lambda left: lr * left,
        n_steps=32,
        batch_size=64,
        n_epochs=10,
        gamma=0.99,
        gae_lambda=0.95,
        clip_range=0.2,
        ent_coef=0.01,
        vf_coef=0.25,
        policy_kwargs={"features_extractor_class": Encoder, "net_arch": arch, "activation_fn": torch.nn.ReLU},
        seed=seed,
        device="cpu",
    )
    assert sum(p.numel() for p in model.policy.parameters()) == PARAMETERS["ppo"]
    return model


def peer_dqn(world: FleetWorld, seed: int) -> DQN:
    """DQN with the specified network and constants: one update with 64 transitions for every four new ones."""
    model = DQN(
        "MlpPolicy",
        PeerEnv(world, seed),
        learning_rate=1e-3,
        buffer_size=100_000,
        learning_starts=256,
        batch_size=64,
        gamma=0.95,
        train_freq=1,
        gradient_steps=max(1, world.envs // 4),
        target_update_interval=500,
        policy_kwargs={"net_arch": [128, 128]},
        seed=seed,
        device="cpu",
    )
    assert sum(p.numel() for p in model.q_net.parameters()) == PARAMETERS["dqn"]
    return model


def greedy(model: PPO | DQN, observed: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """The most probable actions that may be chosen, as our agents choose, int64 [A]."""
    with torch.no_grad():
        seen = torch.as_tensor(observed)
        scores = model.policy.get_distribution(seen).distribution.logits if isinstance(model, PPO) else model.q_net(seen)
    found = scores.numpy() if mask is None else np.where(mask, scores.numpy(), -np.inf)
    return found.argmax(axis=1)
