"""Stable-Baselines3's PPO with the luck of our training seeds: the same start, episodes, draws of actions and orders of rows.

What remains between two such trainings is the code, and how it rounds: both are in double precision, where rounding is too small to part
them. Here both know no masks, and the peer's learning rate falls from the first batch on, as ours does. Not here: what policies cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.distributions import CategoricalDistribution

from bench.sb3_peer import Annealed, PeerEnv, peer_ppo
from models.networks import generators
from models.tactical.ppo import ActorCritic, PpoSettings, PpoTraining
from models.training import History
from models.worlds import FleetWorld, Seen

CPU = torch.device("cpu")
LAYERS = {
    "encoder": "features_extractor.layer.0",
    "actor1": "mlp_extractor.policy_net.0",
    "actor2": "mlp_extractor.policy_net.2",
    "actor3": "mlp_extractor.policy_net.4",
    "logits": "action_net",
    "critic1": "mlp_extractor.value_net.0",
    "critic2": "mlp_extractor.value_net.2",
    "value": "value_net",
}


class Unmasked(FleetWorld):
    """Episodes in double precision in which every action may be chosen; what is masked elsewhere means to stay."""

    def _seen(self, observed: Any, info: Any) -> Seen:
        seen = super()._seen(observed, info)
        return Seen(seen.observed.astype(np.float64), np.ones_like(seen.mask))


class Luck:
    """What the generator of a seed draws in `PpoTraining` after the parameters, in its order, handed out by kind.

    The peer begins an episode before it learns from the end of the last one, ours after it.

    Args:
        own: the generator.
        settings: of the training.
        world: that is trained on.
    """

    def __init__(self, own: torch.Generator, settings: PpoSettings, world: FleetWorld) -> None:
        self.own, self.settings, self.world = own, settings, world
        self.uniforms: list[torch.Tensor] = []
        self.orders: list[torch.Tensor] = []

    def integers(self, _: int) -> int:
        """The seed of the next episode; what is drawn until its end is put by."""
        seed, one = int(torch.randint(2**62, (1,), generator=self.own)), self.settings
        for _ in range(self.world.intervals // one.steps):
            self.uniforms += [torch.rand(one.envs, self.world.actions, generator=self.own) for _ in range(one.steps)]
            self.orders += [torch.randperm(one.envs * one.steps, generator=self.own) for _ in range(one.epochs)]
        return seed


class DoubleEnv(PeerEnv):
    """Rewards are rounded as ours are, then counted in double precision."""

    def step_wait(self) -> tuple[Any, ...]:
        """See `PeerEnv`."""
        observed, rewards, *rest = super().step_wait()
        return observed, rewards.astype(np.float64), *rest


class DrawnActions(CategoricalDistribution):
    """Draws actions as ours does."""

    luck: Luck

    def sample(self) -> torch.Tensor:
        """[N]."""
        uniform = self.luck.uniforms.pop(0)
        return (self.distribution.logits - torch.log(-torch.log(uniform.clamp(1e-20)))).argmax(dim=-1)


class OrderedRows(RolloutBuffer):
    """Rows in double precision, which come in the order of ours: ours lie step by step, here sub-environment by sub-environment."""

    luck: Luck

    def reset(self) -> None:
        """Forget all rows."""
        super().reset()
        for name in ("rewards", "episode_starts", "values", "log_probs", "advantages", "returns"):
            setattr(self, name, getattr(self, name).astype(np.float64))

    def get(self, batch_size: int | None = None) -> Iterator[Any]:
        """One pass in minibatches."""
        next(super().get(batch_size))  # brings the columns into its order
        step, env = np.divmod(self.luck.orders.pop(0).numpy(), self.n_envs)
        rows: NDArray[np.int64] = env * self.buffer_size + step
        for at in range(0, len(rows), batch_size or len(rows)):
            yield self._get_samples(rows[at : at + (batch_size or len(rows))])


def train_with_same_luck(worlds: Sequence[Unmasked], transitions: int) -> tuple[list[Mapping[str, torch.Tensor]], list[PPO], list[float]]:
    """Train one seed after another on both sides; returns our networks, the peer's, and how far apart any two parameters end, by seed.

    Args:
        worlds: of each of the training seeds 1, 2, ...
        transitions: of each seed.
    """
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        found = [_train(world, seed, transitions) for seed, world in enumerate(worlds, start=1)]
    finally:
        torch.set_default_dtype(default)
    ours, theirs, apart = map(list, zip(*found, strict=True))
    return ours, theirs, apart


def _train(world: Unmasked, seed: int, transitions: int) -> tuple[Mapping[str, torch.Tensor], PPO, float]:
    ours = PpoTraining(
        [PpoSettings()],
        [world],
        [seed],
        lambda random, device: ActorCritic(world.inputs, world.actions, random, device),
        History("tactical", "ppo_specified", [seed]),
        transitions=transitions,
        stretch=world.intervals,
        score=None,
        device=CPU,
    )
    start = ours.network.tensors(0)
    for _ in ours.run():
        pass
    peer = _peer(world, seed, ours.all_updates)
    assert all(torch.equal(start[name], own) for name, own in _parameters(peer).items())
    peer.learn(ours.units * ours.per_unit, callback=Annealed(PpoSettings().entropy_end))
    end = ours.network.tensors(0)
    return end, peer, max(float((end[name] - own).abs().max()) for name, own in _parameters(peer).items())


def _peer(world: Unmasked, seed: int, batches: int) -> PPO:
    own = generators([seed])
    start = ActorCritic(world.inputs, world.actions, own, CPU).tensors(0)
    model = peer_ppo(world, seed)
    with torch.no_grad():
        for name, parameter in _parameters(model).items():
            parameter.copy_(start[name])
    settings, old = PpoSettings(), model.rollout_buffer
    luck = Luck(own[0], settings, world)
    model.lr_schedule = lambda left: settings.lr * (left + 1 / batches)
    model.env, model.policy.action_dist = DoubleEnv(world, seed), DrawnActions(world.actions)
    size = (old.buffer_size, old.observation_space, old.action_space, old.device)
    model.rollout_buffer = OrderedRows(*size, gae_lambda=old.gae_lambda, gamma=old.gamma, n_envs=old.n_envs)
    model.policy.action_dist.luck = model.rollout_buffer.luck = model.env.rng = luck
    return model


def _parameters(model: PPO) -> dict[str, torch.Tensor]:
    """Views of the peer's parameters by our names."""
    found = model.policy.state_dict()
    parts = [(f"{ours}.{part}", found[f"{theirs}.{part}"]) for ours, theirs in LAYERS.items() for part in ("weight", "bias")]
    return {name: (own.T if name.endswith("weight") else own) for name, own in parts}
