"""Trains the rush head on replays of the past at all placements. Not here: the network (rush_head.py), fleets on disk (tasks/learning)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.units import PPM, SLOT_US
from models.baselines.planner import MIN_CALLS
from models.baselines.planning.learned import Learned, beyond_curve
from models.baselines.planning.response import KNOTS, response_weights
from models.baselines.planning.volumes import mean_calls
from models.networks import Adam, Networks, State, generators
from models.tactical.rush_head import INPUTS, LAYER, NAME, RushHead, layers, observe
from models.training import History, Progress
from simulator.control import bursts
from simulator.control.history import history

if TYPE_CHECKING:
    from models.baselines.planning.rows import ReplayRows
    from simulator.scenario import Scenario

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """How the network is trained.

    Args:
        hidden: units of each of the two hidden layers.
        epochs: over all samples.
        batch: samples of an update.
        lr: learning rate at its highest; it rises over a tenth of the updates and falls to 0.
        max_norm: of the gradient.
    """

    hidden: int = 64
    epochs: int = 4
    batch: int = 4096
    lr: float = 2e-3
    max_norm: float = 1.0


@dataclass(frozen=True, eq=False)
class Samples:
    """Intervals of the past of one scenario, N apps and intervals, P placements, K intervals.

    Args:
        inputs: float32 [N, INPUTS].
        prior: float32 [N, len(KNOTS)], the planner's response times its expected calls, in charges of a reject.
        cost: float32 [N, P], what the interval cost beyond curve and level, in charges of a reject, at least 0.
        interval: int64 [N], row of `hats` and `is_used`.
        hats: float32 [K, P, len(KNOTS)], of the utilisation.
        is_used: float32 [K, P], 0 in an outage.
    """

    inputs: Float32
    prior: Float32
    cost: Float32
    interval: NDArray[np.int64]
    hats: Float32
    is_used: Float32


def samples(scenario: Scenario, learned: Learned, rows: ReplayRows, end_step: int) -> Samples:
    """Return the samples of all known apps in all intervals before a step.

    Args:
        scenario: the world.
        learned: of its past; that it has seen these intervals, too, is of little weight (means over all of them).
        rows: replays of the intervals.
        end_step: a tactical barrier.
    """
    world, calls, intervals = scenario.world, scenario.calls, end_step // scenario.world.tactical_steps
    width = world.tactical_us // SLOT_US
    seen, past = scenario.conditions, rows.before(intervals)
    is_before = np.concatenate([[0], np.cumsum(calls.arrival_us < end_step * world.step_us)])
    until = calls.first_call[:-1] + np.diff(is_before[calls.first_call])
    over = beyond_curve(scenario, past, learned.curve_usd, until, intervals * width)
    over -= learned.level_usd[past.app][:, scenario.tables.region_of_placement] * past.calls[:, None]
    apps = len(until)
    cost = np.zeros((intervals, apps, over.shape[1]), dtype=np.float32)
    cost[past.interval, past.app] = np.maximum(over / learned.reject_usd[past.app][:, None], 0.0)
    known = np.flatnonzero(learned.known_calls >= MIN_CALLS)
    table = bursts.bursts(scenario)[:intervals]
    expected = _expected_calls(scenario, learned, intervals)
    inputs, prior = observe(table, expected, learned, world.quota_per_placement)
    by_interval = (over.shape[1], intervals, width)
    used = seen.utilisation_ppm[:, : intervals * width].reshape(by_interval).mean(axis=2).T / PPM
    is_used = np.all((seen.capacity[:, : intervals * width] > 0).reshape(by_interval), axis=2).T
    return Samples(
        inputs=inputs[:, known].reshape(-1, INPUTS),
        prior=prior[:, known].reshape(-1, len(KNOTS)),
        cost=cost[:, known].reshape(-1, over.shape[1]),
        interval=np.repeat(np.arange(intervals), len(known)),
        hats=response_weights(used).astype(np.float32),
        is_used=np.asarray(is_used, dtype=np.float32),
    )


def _expected_calls(scenario: Scenario, learned: Learned, intervals: int) -> Float64:
    """What the planner expects at the barriers of a span that has passed, float64 [intervals, A]."""
    until = history(scenario).day_end
    return np.stack([mean_calls(np.diff(until[: k + 1], axis=0), learned.calls) for k in range(intervals)])


class Training:
    """Trains the networks of several seeds as one batch, each on samples in an order of its own.

    Args:
        data: samples by scenario.
        seeds: of training.
        settings: see `Settings`.
        device: of the networks.
    """

    def __init__(self, data: Sequence[Samples], seeds: Sequence[int], settings: Settings, device: torch.device) -> None:
        self.settings, self.random = settings, generators(seeds)
        every = np.concatenate([one.inputs for one in data])
        centre, scale = every.mean(axis=0), every.std(axis=0) + 1e-3
        self.head = RushHead(
            Networks(layers(settings.hidden), self.random, device), *(torch.from_numpy(x).to(device) for x in (centre, scale))
        )
        self._adam = Adam(self.head.networks, max_norm=settings.max_norm)
        first = np.cumsum([0, *(len(one.hats) for one in data)])
        parts = {name: np.concatenate([getattr(one, name) for one in data]) for name in ("inputs", "prior", "cost", "hats", "is_used")}
        parts["interval"] = np.concatenate([one.interval + offset for one, offset in zip(data, first, strict=False)])
        self._data = {name: torch.from_numpy(values).to(device) for name, values in parts.items()}
        self.count = len(every)
        self.done, self.total = 0, settings.epochs * -(-self.count // settings.batch)
        self.history = History(LAYER, NAME, seeds)
        self._order: Tensor | None = None

    def run(self) -> Iterator[Progress]:
        """Train on, one update at a time."""
        updates = self.total // self.settings.epochs
        while self.done < self.total:
            at = self.done % updates
            if at == 0 or self._order is None:
                self._order = torch.stack([torch.randperm(self.count, generator=own) for own in self.random])
            loss = self._update(self._order[:, at * self.settings.batch : (at + 1) * self.settings.batch])
            self.done += 1
            metrics = self.history.add(self.done, self.done * self.settings.batch, {"losses/deviance": loss})
            yield Progress(self.done, self.total, metrics)

    def _update(self, picked: Tensor) -> Tensor:
        """One step on the samples int64 [S, B]; the loss of each seed."""
        data = {name: self._data[name][picked] for name in ("inputs", "prior", "cost", "interval")}
        common, curve = self.head.answer(data["inputs"], data["prior"])
        hats, used = self._data["hats"][data["interval"]], self._data["is_used"][data["interval"]]
        mean = common + torch.einsum("sbpk,sbk->sbp", hats, curve)
        # Half the deviance of counts, less what no network can change: its minimum is the mean, and one rush does not outweigh all else.
        loss = ((mean - data["cost"] * torch.log(mean + 1e-6)) * used).mean(dim=(1, 2))
        rise = min(1.0, (self.done + 1) / (0.1 * self.total))
        lr = self.settings.lr * min(rise, (self.total - self.done) / (0.9 * self.total))
        self._adam.step(loss, [lr] * len(loss))
        return loss.detach()

    def state(self) -> State:
        """All that the rest of the training depends on."""
        return {
            "flat": self.head.networks.flat.detach().cpu().clone(),
            "adam": self._adam.state(),
            "random": [own.get_state() for own in self.random],
            "order": torch.zeros(0) if self._order is None else self._order,
            "done": self.done,
            "history": self.history.state(),
        }

    def restore(self, state: State) -> None:
        """Go back to a state of a training with the same settings and data."""
        self.head.networks.put(state["flat"])
        self._adam.restore(state["adam"])
        for own, found in zip(self.random, state["random"], strict=True):
            own.set_state(found)
        self._order = state["order"] if len(state["order"]) else None
        self.done = state["done"]
        self.history.restore(state["history"])

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint holds."""
        return {"flat": self.head.networks.flat.detach().cpu(), "centre": self.head.centre.cpu(), "scale": self.head.scale.cpu()}
