"""The rush head: what bursts of the coming interval will cost an app. Not here: what it reads of an app's past (control/bursts.py).

The planner's response is what a call of an app costs on average in a full zone, times the calls that are expected on average. But most
calls come in bursts, and whether one is under way can be seen. One network, shared by all apps, turns an app's recent past into the
response of its coming interval: a rising curve over the utilisation, each rise that of the planner's times a factor. It learns from
replays of all placements, where every burst has had as many outcomes as there are zones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.errors import CheckpointError
from core.units import PPM, SLOT_US
from models.baselines.planner import MIN_CALLS
from models.baselines.planning.costs import HORIZON, Costs, Expected
from models.baselines.planning.learned import Learned, beyond_curve
from models.baselines.planning.response import KNOTS, response_weights
from models.baselines.planning.volumes import mean_calls
from models.checkpoints import AGAIN, load_state, read_card
from models.networks import Adam, Networks, State, generators
from models.training import History, Progress
from simulator.control import bursts
from simulator.control.history import history

if TYPE_CHECKING:
    from models.baselines.planning.rows import ReplayRows
    from simulator.control.view import Facts, View
    from simulator.scenario import Scenario

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
NAME, LAYER, VERSION = "rush_head", "tactical", bursts.VERSION
OWN = 5 + len(KNOTS)  # columns of an app beside its bursts
INPUTS, OUTPUTS = len(bursts.NAMES) + OWN, len(KNOTS)  # a common cost of all placements, and the rises between the knots
AHEAD, FADING = 3, 0.5  # intervals for which the network's answer counts, and by how much less each time
LEAST_RISE = 1e-3  # of the charge of a reject: so that a factor can raise a response that has been 0
SMALLEST, LARGEST = -8.0, 6.0  # logarithm of a factor
QUIET = -3.0  # start of the common cost, before the softplus


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


def observe(table: Float32, calls: Float64, learned: Learned, quota: int) -> tuple[Float32, Float32]:
    """Return the inputs of the network, float32 [..., A, INPUTS], and the planner's response, float32 [..., A, len(KNOTS)].

    Args:
        table: float32 [..., A, len(bursts.NAMES)], rows of `bursts`.
        calls: float64 [..., A], expected.
        learned: of the past.
        quota: instances of an empty zone.
    """
    response = learned.response_usd / learned.reject_usd[:, None]
    own = [np.log(np.maximum(learned.calls, 1e-3)), np.log(learned.reject_usd), np.full(len(response), np.log(quota))]
    own += [np.log1p(learned.functions), *np.log1p(response * 100).T]
    fixed = np.broadcast_to(np.stack(own, axis=1), (*table.shape[:-1], len(own)))
    inputs = np.concatenate([table, fixed, np.log1p(calls)[..., None]], axis=-1)
    return inputs.astype(np.float32), (response * calls[..., None]).astype(np.float32)


class RushHead:
    """S networks of one shape, whose mean answer counts.

    Args:
        networks: see `layers`.
        centre, scale: float32 [INPUTS], subtracted from the inputs, and what the rest is divided by.
    """

    def __init__(self, networks: Networks, centre: Tensor, scale: Tensor) -> None:
        self.networks, self.centre, self.scale = networks, centre, scale

    def answer(self, inputs: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the coming interval costs anywhere, [S, N, 1], and beyond that at KNOTS, [S, N, len(KNOTS)], charges of a reject.

        `inputs`: [S, N, INPUTS]; `prior`: [S, N, len(KNOTS)].
        """
        x = (inputs - self.centre) / self.scale
        x = torch.relu(self.networks.linear("first", x))
        x = self.networks.linear("last", torch.relu(self.networks.linear("second", x)))
        rises = torch.exp(x[..., 1:].clamp(SMALLEST, LARGEST)) * (prior[..., 1:] - prior[..., :-1] + LEAST_RISE)
        curve = torch.cumsum(rises, dim=-1)
        return functional.softplus(x[..., :1] + QUIET), torch.cat([torch.zeros_like(curve[..., :1]), curve], dim=-1)

    def response(self, inputs: Float32, prior: Float32) -> Float64:
        """Return the mean of the networks' curves, float64 [N, len(KNOTS)]."""
        seeds = len(self.networks.flat)
        with torch.no_grad():
            _, curve = self.answer(*(torch.from_numpy(x).expand(seeds, *x.shape) for x in (inputs, prior)))
        return curve.mean(dim=0).numpy().astype(np.float64)

    def costs(self, facts: Facts, learned: Learned, horizon: int = HORIZON) -> RushCosts:
        """Return the planner's costs with the network's response in the coming intervals."""
        return RushCosts(self, facts, learned, horizon)


def layers(hidden: int) -> dict[str, tuple[int, int, float]]:
    """The layers of a network: inputs, outputs and gain of the start by name; the last one starts near the planner's own response."""
    return {"first": (INPUTS, hidden, 2**0.5), "second": (hidden, hidden, 2**0.5), "last": (hidden, OUTPUTS, 0.01)}


class RushCosts(Costs):
    """The planner's expected costs with the network's response in the coming intervals."""

    def __init__(self, head: RushHead, facts: Facts, learned: Learned, horizon: int = HORIZON) -> None:
        super().__init__(facts, learned, horizon=horizon)
        self.head, self._is_known = head, learned.known_calls >= MIN_CALLS

    def _expect(self, view: View) -> Expected:
        """Replace the response of the first intervals, by less and less."""
        expected, learned = super()._expect(view), self.learned
        inputs, prior = observe(view.past.bursts[-1], expected.calls, learned, self.facts.world.quota_per_placement)
        curve = self.head.response(inputs, prior) * learned.reject_usd[:, None]
        beyond = (curve - learned.response_usd * expected.calls[:, None]) * self._is_known[:, None]
        weights = response_weights(learned.congestion.nodes(expected.utilisation[:AHEAD])).mean(axis=2)
        fading = FADING ** np.arange(len(weights))
        expected.usd[: len(weights)] += fading[:, None, None] * (beyond @ weights.transpose(0, 2, 1))
        return expected


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


def load(path: Path | str) -> RushHead:
    """Read a trained head; its card lies beside it.

    Raises:
        CheckpointError: weights or card are missing, damaged, or of another model.
    """
    card, tensors = read_card(path), load_state(path)
    networks = Networks(layers(int(card["settings"]["hidden"])), generators(card["seeds"]), torch.device("cpu"))
    needed = {"flat": tuple(networks.flat.shape), "centre": (INPUTS,), "scale": (INPUTS,)}
    sizes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if (card["arm"], card["features"]["version"]) != (NAME, VERSION) or sizes != needed:
        what = f"the model is {card['arm']}, features {card['features']['version']}, tensors {sizes}; needed: {NAME}, {VERSION}, {needed}"
        raise CheckpointError(what, where=str(path), how=AGAIN)
    networks.put(tensors["flat"])
    return RushHead(networks, tensors["centre"], tensors["scale"])
