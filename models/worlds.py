"""The world as a learner meets it: sub-environments that step together, ends of episodes told apart from time limits.

`World` is what learners ask for. `FleetWorld` plays episodes of whole fleets on training scenarios (simulator/envs); a benchmark wraps
an environment of gymnasium. Not here: learners, features, rewards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from core.errors import ParameterError
from simulator.control.features import strategic
from simulator.control.features.estimate import Places
from simulator.envs.episodes import Episodes, Stage

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
FIRST_LUCK = 100  # luck below it belongs to the judge, to tuning and to replays


class Seen(NamedTuple):
    """What N sub-environments show: observations float32 [N, ...], actions that may be chosen bool [N, actions]."""

    observed: Float32
    mask: Bool


class Stepped(NamedTuple):
    """What a step of N sub-environments brought.

    `reached` is what the step led to, before any reset: equal to `seen` unless an episode ended. `is_over` marks ends of episodes,
    `is_terminal` those after which nothing can be earned any more; the others are time limits, where the value of `reached` counts.
    """

    seen: Seen
    reached: Seen
    rewards: Float64
    is_over: Bool
    is_terminal: Bool


class Outcome(NamedTuple):
    """What a step of S worlds brought, see `Stepped`: tensors [S, N, ...]."""

    reached: Tensor
    reached_mask: Tensor
    rewards: Tensor
    is_over: Tensor
    is_terminal: Tensor


class World(Protocol):
    """N sub-environments of one training seed. All luck comes from the seeds given to `begin`, so a training can be resumed there."""

    envs: int

    def begin(self, seed: int) -> Seen:
        """Start a stretch of experience; what had begun before is given up (or, in a world without an end, goes on)."""

    def step(self, actions: Int64) -> Stepped:
        """Act in every sub-environment, int64 [N]."""


class Worlds:
    """The worlds of S training seeds as one; all tensors begin with the dimensions S, N.

    Args:
        worlds: of each seed, all of one size.
        random: of each seed.
        device: of the tensors.
    """

    def __init__(self, worlds: Sequence[World], random: Sequence[torch.Generator], device: torch.device) -> None:
        self._worlds, self._random, self._device, self.envs = worlds, random, device, worlds[0].envs
        self._running = np.zeros((len(worlds), self.envs))
        self._earned: list[list[float]] = [[] for _ in worlds]

    def begin(self) -> tuple[Tensor, Tensor]:
        """Begin a stretch in every world; returns observations and masks."""
        seeds = [int(torch.randint(2**62, (1,), generator=own)) for own in self._random]
        seen = [world.begin(seed) for world, seed in zip(self._worlds, seeds, strict=True)]
        return self._joined([one.observed for one in seen]), self._joined([one.mask for one in seen])

    def step(self, actions: Tensor) -> tuple[Tensor, Tensor, Outcome]:
        """Act in every world, int64 [S, N]; returns the next observations and masks, and what the step brought."""
        stepped = [world.step(chosen) for world, chosen in zip(self._worlds, actions.cpu().numpy(), strict=True)]
        rewards, is_over = np.stack([one.rewards for one in stepped]), np.stack([one.is_over for one in stepped])
        self._count(rewards, is_over)
        outcome = Outcome(
            reached=self._joined([one.reached.observed for one in stepped]),
            reached_mask=self._joined([one.reached.mask for one in stepped]),
            rewards=self._joined([one.rewards.astype(np.float32) for one in stepped]),
            is_over=self._joined([one.is_over for one in stepped]),
            is_terminal=self._joined([one.is_terminal for one in stepped]),
        )
        seen = [one.seen for one in stepped]
        return self._joined([one.observed for one in seen]), self._joined([one.mask for one in seen]), outcome

    def episodic_return(self) -> list[float]:
        """Mean return of the episodes of each seed that ended since the last question; NaN where none did."""
        found = [float(np.mean(earned)) if earned else float("nan") for earned in self._earned]
        self._earned = [[] for _ in self._worlds]
        return found

    def _count(self, rewards: Float64, is_over: Bool) -> None:
        self._running += rewards
        for s, ended in enumerate(is_over):
            self._earned[s] += self._running[s, ended].tolist()
        self._running[is_over] = 0

    def _joined(self, parts: Sequence[NDArray[Any]]) -> Tensor:
        return torch.from_numpy(np.stack(parts)).to(self._device)


class FleetWorld:
    """Episodes of fleets: each stretch plays one of the training scenarios from a random decision on, all its apps coupled.

    The learner decides for `envs` apps with enough train calls, drawn anew for each episode; all others stay at home. Every episode has a
    luck of its own, so that none is learned by heart.

    Args:
        stages: scenarios with their runs at home; they can be shared by the worlds of several seeds.
        kind: of the episodes, e.g. `TacticalEpisodes`.
        multiple: the number of apps is a multiple of this.
        most: apps that the learner decides for; None: as many as every scenario has.
        options: of the episodes: span, intervals, luck_seed, reward and so on.

    Attributes:
        inputs: numbers in an observation.
        actions: to choose among.

    Raises:
        ParameterError: a scenario has fewer apps to learn from.
    """

    def __init__(
        self, stages: Sequence[Stage], kind: Callable[..., Episodes], *, multiple: int = 1, most: int | None = None, **options: Any
    ) -> None:
        self._runs = [kind(stage, **options) for stage in stages]
        self._eligible = [np.flatnonzero(stage.is_eligible) for stage in stages]
        least = min(map(len, self._eligible))
        self.envs = min(least, most or least) // multiple * multiple
        if self.envs == 0:
            what = f"a training fleet has {least} apps with enough train calls, {multiple} are needed"
            raise ParameterError(what, where="params.yaml: scenario.training", how="use larger fleets, or lower reward.min_train_calls")
        self.intervals = self._runs[0].intervals
        self.inputs, self.actions = (spaces.flatdim(one) for one in (self._runs[0].observation_space, self._runs[0].action_space))

    def begin(self, seed: int) -> Seen:
        """Begin an episode of one of the scenarios; scenario, first decision, apps and clouds are drawn from the seed."""
        rng = np.random.default_rng(seed)
        at = int(rng.integers(len(self._runs)))
        self.run, apps = self._runs[at], len(self._runs[at].apps)
        self.run.luck_seed = FIRST_LUCK + int(rng.integers(1 << 31))
        self.chosen: Int64 = rng.permutation(self._eligible[at])[: self.envs]
        is_chosen = np.zeros(apps, dtype=np.bool_)
        is_chosen[self.chosen] = True
        self._actions, options = self._stay(rng, is_chosen)
        observed, info = self.run.reset(rng, options)
        return self._seen(observed, info)

    def step(self, actions: Int64) -> Stepped:
        """Decide for the chosen apps; the episode ends by truncation only."""
        self._actions[self.chosen] = actions
        observed, rewards, is_over, info = self.run.step(self._actions)
        seen = self._seen(observed, info)
        ends = np.full(self.envs, is_over)
        return Stepped(seen, seen, rewards[self.chosen], ends, np.zeros(self.envs, dtype=np.bool_))

    def _seen(self, observed: Float32, info: Mapping[str, NDArray[Any]]) -> Seen:
        return Seen(observed[self.chosen], info["action_mask"][self.chosen].astype(np.bool_))

    def _stay(self, rng: np.random.Generator, is_chosen: Bool) -> tuple[Int64, dict[str, Int64]]:
        """The actions that keep every app at home, int64 [A], and the options of the episode: a random cloud for the chosen apps only."""
        facts = self.run.facts
        home = facts.cloud_of_placement[facts.apps.home]
        if self.run.layer is strategic:
            return home.copy(), {}
        places = facts.made(Places.of)
        stay = np.argmax(places.candidates[home] == facts.apps.home[:, None], axis=1)
        drawn = np.argmax(rng.random(facts.may_use.shape) * facts.may_use, axis=1)
        return stay.astype(np.int64), {"cloud": np.where(is_chosen, drawn, home)}
