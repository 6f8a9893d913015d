"""PPO for placements, read from top to bottom: settings, network, advantages, training (collect, update), agent.

Schulman et al. (2017), with the details of Huang et al. (2022): orthogonal start, advantages normalised per minibatch, linear decay of the
learning rate, clipped gradients. Time limits are no ends: the value of the last observation counts (Pardo et al., 2018), and all our
episodes end by time limit. All training seeds are one batch (models/networks.py).

Not here: what is observed (simulator/control/features), the environment (models/worlds.py), validation and files (tasks/learning).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from models.agents import Agent
from models.networks import GAIN_RELU, Networks, generators
from models.training import History, Score, SeedTraining, Tensors
from models.worlds import World, Worlds
from simulator.control.features import tactical
from simulator.parameters import Section

MASKED = -1e9  # instead of a logit: its probability is 0 to the bit


class PpoSettings(Section):
    """Constants of PPO; the defaults are the specified ones."""

    lr: float = Field(default=3e-4, gt=0, le=1, description="learning rate at the start; it falls linearly to 0")
    clip: float = Field(default=0.2, gt=0, lt=1, description="how far a probability ratio counts")
    entropy: float = Field(default=0.01, ge=0, le=1, description="weight of the entropy at the start")
    entropy_end: float = Field(default=0.001, ge=0, le=1, description="weight of the entropy at the end; it falls linearly")
    gamma: float = Field(default=0.99, ge=0, lt=1, description="discount of an interval")
    gae_lambda: float = Field(default=0.95, ge=0, le=1, description="of generalised advantage estimation")
    envs: int = Field(default=8, ge=1, le=4096, description="sub-environments of a batch")
    steps: int = Field(default=32, ge=1, le=4096, description="intervals of a batch: envs x steps transitions")
    minibatch: int = Field(default=64, ge=1, le=65536, description="transitions of a gradient step")
    epochs: int = Field(default=10, ge=1, le=100, description="passes over a batch")
    value_weight: float = Field(default=0.5, ge=0, le=100, description="weight of the value loss")
    max_norm: float = Field(default=0.5, gt=0, le=1000, description="largest norm of a gradient")
    validate_every: int = Field(default=50, ge=1, le=1_000_000, description="batches between two validations; the best checkpoint is kept")


class ActorCritic(Networks):
    """The specified network: 7 -> 128 shared; actor [128, 128, 64] -> 24; critic [128, 64] -> 1; ReLU. 68,697 parameters."""

    def __init__(self, inputs: int, actions: int, random: Sequence[torch.Generator], device: torch.device) -> None:
        gains = {"logits": 0.01, "value": 1.0}
        layers = {name: (*width, gains.get(name, GAIN_RELU)) for name, width in self.widths(inputs, actions).items()}
        super().__init__(layers, random, device)
        self.inputs, self.actions = inputs, actions

    @staticmethod
    def widths(inputs: int, actions: int) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each layer."""
        actor = {"encoder": (inputs, 128), "actor1": (128, 128), "actor2": (128, 128), "actor3": (128, 64), "logits": (64, actions)}
        return actor | {"critic1": (128, 128), "critic2": (128, 64), "value": (64, 1)}

    def encoded(self, observed: Tensor) -> Tensor:
        """[S, B, inputs] -> [S, B, 128]."""
        return torch.relu_(self.linear("encoder", observed))

    def policy(self, encoded: Tensor, mask: Tensor) -> Tensor:
        """Logarithms of the probabilities of all actions, [S, B, actions]."""
        hidden = encoded
        for name in ("actor1", "actor2", "actor3"):
            hidden = torch.relu_(self.linear(name, hidden))
        return torch.log_softmax(self.linear("logits", hidden).masked_fill(~mask, MASKED), dim=-1)

    def value(self, encoded: Tensor) -> Tensor:
        """Discounted sum of rewards that is expected, [S, B]."""
        hidden = torch.relu_(self.linear("critic2", torch.relu_(self.linear("critic1", encoded))))
        return self.linear("value", hidden).squeeze(-1)


def gae(rewards: Tensor, values: Tensor, next_values: Tensor, is_over: Tensor, gamma: float, lam: float) -> Tensor:
    """Return generalised advantage estimates (Schulman et al., 2016, eq. 16), float32 [..., T, N].

    Args:
        rewards: [..., T, N], of each step.
        values: [..., T, N], of the state before each step.
        next_values: [..., T, N], of the state that each step led to; 0 where that state is terminal, its value where time ran out.
        is_over: [..., T, N], an episode ended with the step, so what follows belongs to another one.
        gamma: discount.
        lam: 0 gives one-step advantages, 1 those of the whole return.
    """
    errors = rewards + gamma * next_values - values
    found, after = torch.zeros_like(errors), torch.zeros_like(errors[..., 0, :])
    for t in range(errors.shape[-2] - 1, -1, -1):
        after = errors[..., t, :] + gamma * lam * torch.where(is_over[..., t, :], 0.0, after)
        found[..., t, :] = after
    return found


class Batch(NamedTuple):
    """Experience of S seeds, T steps, N sub-environments: the first three dimensions of every tensor."""

    observed: Tensor
    mask: Tensor
    actions: Tensor
    log_probs: Tensor
    reached: Tensor
    rewards: Tensor
    is_over: Tensor
    is_terminal: Tensor


class PpoTraining(SeedTraining):
    """Trains S networks at once, one per pair of settings and seed.

    A unit of work is one stretch of `stretch` steps in every world. It is collected in rollouts of `steps` steps and learned from in
    batches of `envs` sub-environments, one after another: values are those of the present network, probabilities those of the behaviour.

    Args:
        settings: of each seed; lr, clip and entropy may differ, the rest is that of the first.
        worlds: of each seed, all of one size, a multiple of `envs`.
        seeds: of parameters, actions, minibatches and worlds.
        network: makes the networks.
        history: of this arm and these seeds.
        transitions: of each seed; the training ends with the stretch that reaches it.
        stretch: steps between two starts of the worlds, a multiple of `steps`.
        score, device: see `SeedTraining`.
    """

    network: ActorCritic

    def __init__(
        self,
        settings: Sequence[PpoSettings],
        worlds: Sequence[World],
        seeds: Sequence[int],
        network: Callable[[Sequence[torch.Generator], torch.device], ActorCritic],
        history: History,
        *,
        transitions: int,
        stretch: int,
        score: Score | None,
        device: torch.device,
    ) -> None:
        random, one = generators(seeds), settings[0]
        self.settings, self.stretch, self.worlds = one, stretch, Worlds(worlds, random, device)
        per_unit = self.worlds.envs * stretch
        units = -(-transitions // per_unit)
        made = network(random, device)
        super().__init__(made, random, history, units=units, per_unit=per_unit, score=score, eps=1e-5, max_norm=one.max_norm)
        self.lr, self.clip, self.entropy = (torch.tensor([getattr(each, k) for each in settings]) for k in ("lr", "clip", "entropy"))
        self.all_updates = units * per_unit // (one.envs * one.steps)
        self._seed = torch.arange(len(seeds), device=device)[:, None]

    def unit(self) -> Mapping[str, Any]:
        """Collect and learn from one stretch."""
        found = [self.learn(batch) for rollout in self.collect() for batch in self._batches(rollout)]
        means = {name: torch.stack([one[name] for one in found]).mean(dim=0) for name in found[0]}
        return means | {"charts/episodic_return": self.worlds.episodic_return()}

    # -- collect ---------------------------------------------------------------------------------------------------------------------

    def collect(self) -> Iterator[Batch]:
        """Play one stretch in every world and yield its rollouts, each of all sub-environments."""
        observed, mask = self.worlds.begin()
        for _ in range(self.stretch // self.settings.steps):
            rows = []
            for _ in range(self.settings.steps):
                actions, log_probs = self.act(observed, mask)
                following, mask_following, outcome = self.worlds.step(actions)
                found = (outcome.reached, outcome.rewards, outcome.is_over, outcome.is_terminal)
                rows.append((observed, mask, actions, log_probs, *found))
                observed, mask = following, mask_following
            yield Batch(*(torch.stack(column, dim=1) for column in zip(*rows, strict=True)))

    def act(self, observed: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Draw actions from the policies, int64 [S, N], and return the logarithms of their probabilities, [S, N]."""
        with torch.no_grad():
            log_probs = self.network.policy(self.network.encoded(observed), mask)
        uniform = torch.stack([torch.rand(log_probs.shape[1:], generator=own) for own in self.random]).to(self.device)
        actions = (log_probs - torch.log(-torch.log(uniform.clamp(1e-20)))).argmax(dim=-1)  # the Gumbel-max trick
        return actions, log_probs.gather(-1, actions[..., None]).squeeze(-1)

    def _batches(self, rollout: Batch) -> Iterator[Batch]:
        """The rollout in batches of `envs` sub-environments."""
        for at in range(0, self.worlds.envs, self.settings.envs):
            yield Batch(*(part[:, :, at : at + self.settings.envs] for part in rollout))

    # -- update ----------------------------------------------------------------------------------------------------------------------

    def learn(self, batch: Batch) -> Mapping[str, Tensor]:
        """Make `epochs` passes over one batch; returns metrics [S]."""
        share = self.updates / self.all_updates
        rates, weight = self.lr * (1 - share), (self.entropy + share * (self.settings.entropy_end - self.entropy)).to(self.device)
        values, next_values = self._values(batch)
        advantages = gae(batch.rewards, values, next_values, batch.is_over, self.settings.gamma, self.settings.gae_lambda)
        returns = advantages + values
        whole = (batch.observed, batch.mask, batch.actions, batch.log_probs, advantages, returns)
        flat = [part.flatten(1, 2) for part in whole]
        size = flat[2].shape[1]
        for _ in range(self.settings.epochs):
            order = torch.stack([torch.randperm(size, generator=own) for own in self.random]).to(self.device)
            rows = (order + self._seed * size).flatten()
            shuffled = [part.flatten(0, 1).index_select(0, rows).unflatten(0, order.shape) for part in flat]
            for at in range(0, size, self.settings.minibatch):
                losses, metrics = self.losses(*(part[:, at : at + self.settings.minibatch] for part in shuffled), weight=weight)
                norms = self.adam.step(losses, rates.tolist())
        self.updates += 1
        if self.updates % self.settings.validate_every == 0:
            self.validate()
        residual = (returns - values).var(dim=(1, 2)) / returns.var(dim=(1, 2))
        return metrics | {"losses/explained_variance": 1 - residual, "losses/gradient_norm": norms, "charts/learning_rate": rates}

    def losses(
        self, observed: Tensor, mask: Tensor, actions: Tensor, old: Tensor, advantages: Tensor, returns: Tensor, *, weight: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of each seed on a minibatch, [S], and metrics [S]. All tensors are [S, B, ...], the weight of the entropy is [S]."""
        encoded = self.network.encoded(observed)
        log_probs = self.network.policy(encoded, mask)
        difference = log_probs.gather(-1, actions[..., None]).squeeze(-1) - old
        ratio, clip = difference.exp(), self.clip[:, None].to(self.device)
        scaled = (advantages - advantages.mean(dim=1, keepdim=True)) / (advantages.std(dim=1, keepdim=True) + 1e-8)
        policy = torch.maximum(-scaled * ratio, -scaled * torch.clamp(ratio, 1 - clip, 1 + clip)).mean(dim=1)
        value = 0.5 * (self.network.value(encoded) - returns).square().mean(dim=1)
        entropy = -(log_probs.exp() * log_probs).sum(dim=-1).mean(dim=1)
        with torch.no_grad():
            kl, clipped = (ratio - 1 - difference).mean(dim=1), ((ratio - 1).abs() > clip).float().mean(dim=1)
        more, measured = self.penalty(encoded, log_probs, mask)
        metrics = {"losses/policy_loss": policy, "losses/value_loss": value, "losses/entropy": entropy} | measured
        loss = policy + self.settings.value_weight * value - weight * entropy
        return loss if more is None else loss + more, metrics | {"losses/approx_kl": kl, "losses/clipfrac": clipped}

    def penalty(self, encoded: Tensor, found: Tensor, mask: Tensor) -> tuple[Tensor | None, dict[str, Tensor]]:
        """What a variant adds to the loss of each seed, [S], by the log probabilities found, and its metrics; PPO adds nothing."""
        return None, {}

    def _values(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Values before and after every step, [S, T, N]; after it 0 where an episode terminated."""
        both = torch.cat([batch.observed, batch.reached], dim=1)
        with torch.no_grad():
            values = self.network.value(self.network.encoded(both.flatten(1, 2))).view(both.shape[:3])
        before, after = values.chunk(2, dim=1)
        return before, after.masked_fill(batch.is_terminal, 0.0)


class PPOAgent(Agent):
    """A trained network that chooses the most probable placement.

    Args:
        tensors: of the layers of `ActorCritic`, by name.
    """

    layer: ClassVar = tactical
    layer_name: ClassVar = "tactical"
    arm: ClassVar = "ppo_specified"
    period: ClassVar = "tactical_steps"

    def __init__(self, tensors: Tensors) -> None:
        inputs, actions = tensors["encoder.weight"].shape[0], tensors["logits.bias"].shape[0]
        self.network = ActorCritic(inputs, actions, generators([0]), torch.device("cpu"))
        self.network.load(0, tensors)

    @staticmethod
    def widths(sizes: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """See `Agent`."""
        return ActorCritic.widths(sizes["inputs"], sizes["actions"])

    def select_placement(self, tactical_state: NDArray[np.float32], strategic_cloud: int, mask: NDArray[np.bool_] | None = None) -> int:
        """Return the placement inside a cloud, 3 x metro + zone with the published tables.

        Args:
            tactical_state: float32 [clouds + 4], see `simulator.envs.tactical.TacticalEnv`; its one-hot of the cloud is replaced.
            strategic_cloud: 0, 1, 2: aws, azure, gcp.
            mask: bool [actions], placements that may be chosen; None: all.
        """
        observed = np.array(tactical_state, dtype=np.float32)
        observed[: len(observed) - 4] = np.arange(len(observed) - 4) == strategic_cloud
        return int(self.act(observed[None], None if mask is None else mask[None])[0])

    def weights(self, observed: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Logarithms of the probabilities of all actions, float32 [A, actions]."""
        with torch.no_grad():
            encoded = self.network.encoded(torch.from_numpy(observed)[None])
            found: NDArray[np.float32] = self.network.policy(encoded, torch.from_numpy(mask)[None])[0].numpy()
        return found
