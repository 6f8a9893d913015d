"""DQN for clouds, read from top to bottom: settings, network, training (collect, remember, update), agent.

Mnih et al. (2015) with Double DQN (van Hasselt et al., 2016), the Huber loss and, if wanted, returns of n steps (Sutton, 1988). Time limits
are no ends: the value of the last observation counts. All training seeds are one batch (models/networks.py).

Not here: what is remembered (replay.py), what is observed (simulator/control/features), the environment (models/worlds.py), validation
and files (tasks/learning).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from models.agents import Agent
from models.networks import GAIN_RELU, Networks, State, generators
from models.strategic.replay import Replay, n_step
from models.training import History, Score, SeedTraining, Tensors
from models.worlds import World, Worlds
from simulator.control.features import strategic
from simulator.parameters import Section

MASKED = -1e9  # instead of the value of an action that may not be chosen
AT_ONCE = 64  # transitions that are valued at once: what is computed of them fits into the cache


class DqnSettings(Section):
    """Constants of DQN; the defaults are the specified ones."""

    lr: float = Field(default=1e-3, gt=0, le=1, description="learning rate")
    gamma: float = Field(default=0.95, ge=0, lt=1, description="discount of a decision")
    target_every: int = Field(default=500, ge=1, le=1_000_000, description="updates between two copies into the target network")
    replay: int = Field(default=100_000, ge=64, le=10_000_000, description="transitions that are remembered")
    batch: int = Field(default=64, ge=1, le=65536, description="transitions of an update")
    epsilon: float = Field(default=1.0, ge=0, le=1, description="share of random actions at the start; it falls linearly")
    epsilon_end: float = Field(default=0.05, ge=0, le=1, description="share of random actions at the end of exploration")
    exploration: float = Field(default=0.5, gt=0, le=1, description="share of the training over which epsilon falls")
    n_step: int = Field(default=1, ge=1, le=1000, description="rewards of a target before the value counts")
    is_double: bool = Field(default=True, description="the present network chooses the action whose value the target network gives")
    updates_per_transition: float = Field(default=0.25, gt=0, le=100, description="gradient steps per transition of a seed")
    warm_up: int = Field(default=1_000, ge=0, le=10_000_000, description="transitions before the first update")
    max_norm: float = Field(default=10.0, gt=0, le=1000, description="largest norm of a gradient")
    validate_every: int = Field(
        default=1_000, ge=1, le=1_000_000, description="updates between two validations; the best checkpoint is kept"
    )


class QNetwork(Networks):
    """The specified network: 20 -> 128 -> 128 -> 3, ReLU. 19,587 parameters."""

    is_by_feature: ClassVar = True

    def __init__(self, inputs: int, actions: int, random: Sequence[torch.Generator], device: torch.device) -> None:
        gains = {"values": 1.0}
        layers = {name: (*width, gains.get(name, GAIN_RELU)) for name, width in self.widths(inputs, actions).items()}
        super().__init__(layers, random, device)
        self.inputs, self.actions = inputs, actions

    @staticmethod
    def widths(inputs: int, actions: int) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each layer."""
        return {"hidden1": (inputs, 128), "hidden2": (128, 128), "values": (128, actions)}

    def values(self, observed: Tensor, mask: Tensor | None = None) -> Tensor:
        """Discounted sum of rewards that is expected of each action, [S, B, inputs] -> [S, B, actions]."""
        found = self.by_action(observed).mT
        return found if mask is None else found.masked_fill(~mask, MASKED)

    def by_action(self, observed: Tensor) -> Tensor:
        """The same of all actions, [S, B, inputs] -> [S, actions, B]."""
        return self.linear("values", torch.relu_(self.linear("hidden2", torch.relu_(self.linear("hidden1", observed.mT)))))


class DqnTraining(SeedTraining):
    """Trains S networks at once, one per pair of settings and seed.

    A unit of work is one stretch of `stretch` steps in every world: it is remembered, then `updates_per_transition` updates are made for
    each of its transitions of a seed.

    Args:
        settings: of each seed; lr, gamma and target_every may differ, the rest is that of the first.
        worlds: of each seed, all of one size.
        seeds: of parameters, actions, replay and worlds.
        network: makes the networks.
        history: of this arm and these seeds.
        transitions: of each seed; the training ends with the stretch that reaches it.
        stretch: steps between two starts of the worlds.
        score: see `SeedTraining`.
        device: see `SeedTraining`.
    """

    network: QNetwork

    def __init__(
        self,
        settings: Sequence[DqnSettings],
        worlds: Sequence[World],
        seeds: Sequence[int],
        network: Callable[[Sequence[torch.Generator], torch.device], QNetwork],
        history: History,
        *,
        transitions: int,
        stretch: int,
        score: Score | None,
        device: torch.device,
    ) -> None:
        random, self.settings, self.stretch = generators(seeds), settings[0], stretch
        self.worlds = Worlds(worlds, random, device)
        per_unit = self.worlds.envs * stretch
        made, units = network(random, device), -(-transitions // per_unit)
        super().__init__(made, random, history, units=units, per_unit=per_unit, score=score, eps=1e-8, max_norm=self.settings.max_norm)
        self.target = network(generators(seeds), device)
        self.target.put(self.network.flat.detach())
        self.lr, self.gamma, self.period = ([getattr(one, name) for one in settings] for name in ("lr", "gamma", "target_every"))
        self.replay, self.owed = Replay(self.settings.replay), 0.0

    def unit(self) -> Mapping[str, Any]:
        """Collect one stretch and learn from what is remembered."""
        self._remember(self.collect())
        metrics: dict[str, Any] = {}
        if self.replay.held >= self.settings.warm_up:
            self.owed += self.per_unit * self.settings.updates_per_transition
            updates = int(self.owed)
            self.owed -= updates
            rows = [torch.randint(self.replay.held, (updates, self.settings.batch), generator=own) for own in self.random]
            for drawn in torch.stack(rows).to(self.device).split(self._runs(updates), dim=1):
                for batch in self.replay.batches(drawn, self._read()):
                    metrics = self.learn(batch)
        if metrics:
            metrics["losses/q_values"] = metrics["losses/q_values"].mean(dim=(1, 2))
        return metrics | {
            "charts/epsilon": [self.epsilon] * len(self.random),
            "charts/episodic_return": self.worlds.episodic_return(),
        }

    # -- collect ---------------------------------------------------------------------------------------------------------------------

    @property
    def epsilon(self) -> float:
        """Share of random actions now."""
        share = min(1.0, self.done / (self.units * self.settings.exploration))
        return self.settings.epsilon + share * (self.settings.epsilon_end - self.settings.epsilon)

    def collect(self) -> dict[str, Tensor]:
        """Play one stretch in every world; returns its transitions, [S, T x N, ...] each."""
        observed, mask = self.worlds.begin()
        rows = []
        for _ in range(self.stretch):
            actions = self.act(observed, mask)
            following, mask_following, outcome = self.worlds.step(actions)
            rows.append((observed, actions, *outcome))
            observed, mask = following, mask_following
        seen, actions, reached, reached_mask, rewards, is_over, is_terminal = (torch.stack(c, dim=1) for c in zip(*rows, strict=True))
        found = [n_step(r, o, t, g, self.settings.n_step) for r, o, t, g in zip(rewards, is_over, is_terminal, self.gamma, strict=True)]
        total, last, factor = (torch.stack(column) for column in zip(*found, strict=True))
        place, env = torch.arange(len(last))[:, None, None], torch.arange(last.shape[2])
        columns = {"observed": seen, "actions": actions, "total": total, "factor": factor}
        columns |= {"reached": reached[place, last, env], "reached_mask": reached_mask[place, last, env]}
        return {name: column.flatten(1, 2) for name, column in columns.items()}

    def act(self, observed: Tensor, mask: Tensor) -> Tensor:
        """The best or, with probability epsilon, any action that may be chosen, int64 [S, N]."""
        with torch.no_grad():
            best = self.network.values(observed, mask).argmax(dim=-1)
        luck = torch.stack([torch.rand(*mask.shape[1:-1], 1 + mask.shape[-1], generator=own) for own in self.random]).to(self.device)
        anything = (luck[..., 1:] * mask).argmax(dim=-1)
        return torch.where(luck[..., 0] < self.epsilon, anything, best)

    # -- update ----------------------------------------------------------------------------------------------------------------------

    def _runs(self, updates: int) -> list[int]:
        """So many updates in runs of which none has a copy into a target network before its last update."""
        copies = (u for u in range(1, updates) if any((self.updates + u) % period == 0 for period in self.period))
        return [end - begin for begin, end in pairwise([0, *copies, updates])]

    def _read(self) -> list[str]:
        """The columns that an update reads."""
        if "targets" in self.replay.columns:
            return ["observed", "actions", "targets"]
        reached = ["reached", "reached_mask", *(["values"] if "values" in self.replay.columns else [])]
        return ["observed", "actions", "total", "factor", *reached]

    def _remember(self, columns: dict[str, Tensor]) -> None:
        """Remember transitions, [S, n, ...] each.

        What the target network says of what they reached is remembered, too, as long as fewer are held than are drawn between two copies:
        then it is asked once for each, not whenever it is drawn.
        """
        if self.replay.held + self.per_unit <= min(self.period) * self.settings.batch:
            columns |= self._said(columns)
        else:
            for name in ("values", "targets"):
                self.replay.columns.pop(name, None)
        self.replay.add(columns)

    def _say_anew(self) -> None:
        """The target network has changed."""
        columns = {name: column[:, : self.replay.held] for name, column in self.replay.columns.items()}
        if not columns.keys().isdisjoint(("values", "targets")):
            for name, said in self._said(columns).items():
                columns[name].copy_(said)

    def _said(self, columns: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Values of what transitions reached, [S, n, actions], or, where no other network chooses among them, the targets, [S, n]."""
        values = self._values(columns["reached"], columns["reached_mask"])
        return {"values": values} if self.settings.is_double else {"targets": self._targets(columns, values)}

    def _values(self, reached: Tensor, mask: Tensor) -> Tensor:
        with torch.no_grad():
            parts = zip(reached.split(AT_ONCE, dim=1), mask.split(AT_ONCE, dim=1), strict=True)
            return torch.cat([self.target.values(*part) for part in parts], dim=1)

    def _targets(self, columns: Mapping[str, Tensor], values: Tensor) -> Tensor:
        if self.settings.is_double:
            chosen = self.network.values(columns["reached"], columns["reached_mask"]).argmax(dim=-1, keepdim=True)
            value = values.gather(-1, chosen).squeeze(-1)
        else:
            value = values.amax(dim=-1)
        return columns["total"] + columns["factor"] * value

    def learn(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Make one update with a batch, the columns of `_read`, [S, B, ...] each; returns metrics, [S], and Q values, [S, 1, B]."""
        with torch.no_grad():
            if "targets" in batch:
                targets = batch["targets"]
            else:
                values = batch["values"] if "values" in batch else self.target.values(batch["reached"], batch["reached_mask"])
                targets = self._targets(batch, values)
        expected = self.network.by_action(batch["observed"]).gather(1, batch["actions"][:, None])
        losses = torch.nn.functional.smooth_l1_loss(expected, targets[:, None], reduction="none").mean(dim=(1, 2))
        norms = self.adam.step(losses, self.lr)
        self.updates += 1
        due = [s for s, period in enumerate(self.period) if self.updates % period == 0]
        if due:
            self.target.flat.detach()[due] = self.network.flat.detach()[due]
            self._say_anew()
        if self.updates % self.settings.validate_every == 0:
            self.validate()
        return {"losses/td_loss": losses.detach(), "losses/q_values": expected.detach(), "losses/gradient_norm": norms}

    def state(self) -> State:
        """See `Training`."""
        replay = {name: column[:, : self.replay.held].cpu().clone() for name, column in self.replay.columns.items()}
        own = {"target": self.target.flat.detach().cpu().clone(), "replay": replay, "replay_at": self.replay.at, "owed": self.owed}
        return super().state() | own

    def restore(self, state: State) -> None:
        """See `Training`."""
        super().restore(state)
        self.target.put(state["target"].to(self.device))
        self.replay = Replay(self.settings.replay)
        if state["replay"]:
            self.replay.add({name: column.to(self.device) for name, column in state["replay"].items()})
        self.replay.at, self.owed = state["replay_at"], state["owed"]


class DQNAgent(Agent):
    """A trained network that chooses the cloud of the highest value.

    Args:
        tensors: of the layers of `QNetwork`, by name.
    """

    layer: ClassVar = strategic
    layer_name: ClassVar = "strategic"
    arm: ClassVar = "dqn_specified"
    period: ClassVar = "strategic_steps"

    def __init__(self, tensors: Tensors) -> None:
        inputs, actions = tensors["hidden1.weight"].shape[0], tensors["values.bias"].shape[0]
        self.network = QNetwork(inputs, actions, generators([0]), torch.device("cpu"))
        self.network.load(0, tensors)

    @staticmethod
    def widths(sizes: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """See `Agent`."""
        return QNetwork.widths(sizes["inputs"], sizes["actions"])

    def select_cloud(self, strategic_state: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> int:
        """Return the cloud, 0, 1, 2: aws, azure, gcp with the published tables.

        Args:
            strategic_state: float32 [5 clouds + 5], see `simulator.envs.strategic.StrategicEnv`.
            mask: bool [clouds], those that may be chosen; None: all.
        """
        observed = np.asarray(strategic_state, dtype=np.float32)
        return int(self.act(observed[None], None if mask is None else mask[None])[0])

    def weights(self, observed: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Values of all actions, float32 [A, actions], in units of the reward; `MASKED` where an action may not be chosen."""
        with torch.no_grad():
            found: NDArray[np.float32] = self.network.values(torch.from_numpy(observed)[None], torch.from_numpy(mask)[None])[0].numpy()
        return found
