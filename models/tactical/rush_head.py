"""The rush head: what bursts of the coming interval will cost an app. Not here: what it reads of an app's past (control/bursts.py).

The planner's response is what a call of an app costs on average in a full zone, times the calls that are expected on average. But most
calls come in bursts, and whether one is under way can be seen. One network, shared by all apps, turns an app's recent past into the
response of its coming interval: a rising curve over the utilisation, each rise that of the planner's times a factor. It learns from
replays of all placements, where every burst has had as many outcomes as there are zones.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.errors import CheckpointError
from models.baselines.planner import MIN_CALLS
from models.baselines.planning.costs import HORIZON, Costs, Expected
from models.baselines.planning.learned import Learned
from models.baselines.planning.response import KNOTS, response_weights
from models.checkpoints import AGAIN, load_state, read_card
from models.networks import Networks, generators
from simulator.control import bursts

if TYPE_CHECKING:
    from simulator.control.view import Facts, View

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
NAME, LAYER, VERSION = "rush_head", "tactical", bursts.VERSION
OWN = 5 + len(KNOTS)  # columns of an app beside its bursts
INPUTS, OUTPUTS = len(bursts.NAMES) + OWN, len(KNOTS)  # a common cost of all placements, and the rises between the knots
AHEAD, FADING = 3, 0.5  # intervals for which the network's answer counts, and by how much less each time
LEAST_RISE = 1e-3  # of the charge of a reject: so that a factor can raise a response that has been 0
SMALLEST, LARGEST = -8.0, 6.0  # logarithm of a factor
QUIET = -3.0  # start of the common cost, before the softplus


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
