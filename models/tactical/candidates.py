"""The candidates arm: the planner with one network that corrects what it expects of every placement.

Settings, network, training, agent, from top to bottom. The network answers two factors for the coming interval (near) and for the following
ones (far): on the volume, from the app's own past; on the response of the app's own bursts, from that and from the placement. Corrected
cost = volume factor x (prior + (response factor - 1) x response); the planner's exact programme decides on it. Every placement is scored by
the same weights, so permuting placements permutes scores. The network starts at zero: untrained, the arm is the planner.

A correction of its own for every placement was tried first: it explained as much of the outcomes and chose worse, since what it gets wrong
about the placements of a large app outweighs what it learns (docs/methods/tactical.md).

Not here: what it reads (scoring.py), what it learns from (samples.py), learning by trying (ppo.py), files of stages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from models.baselines.planner import MIN_CALLS, Planner
from models.baselines.planning.costs import Costs, Expected
from models.checkpoints import load_model
from models.networks import GAIN_RELU, Networks, generators
from models.tactical.scoring import OWN, PLACES, Observer
from models.training import VALIDATION, History, SeedTraining, Tensors
from simulator.control.features import candidates, lagged
from simulator.parameters import Section

if TYPE_CHECKING:
    from pathlib import Path

    from models.baselines.planning.learned import Learned
    from models.tactical.samples import Samples
    from simulator.control.view import Facts, View

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
ARM, LAYER = "candidates", "tactical"
FEATURE_VERSION = 100 * candidates.VERSION + lagged.VERSION
NEAR, FAR = range(2)  # of what is answered
LARGEST = 3.0  # logarithm of a factor, at most
VALID_ROWS = 1024  # at once


class CandidatesSettings(Section):
    """How the network learns; a part of the section `train_tactical`."""

    hidden: int = Field(default=48, ge=1, le=4096, description="units of the layer that joins the app with a placement")
    second: int = Field(default=24, ge=1, le=4096, description="units of the layer above it")
    lr: float = Field(default=1e-3, gt=0, le=1, description="learning rate at the start; it falls linearly to a tenth")
    batch: int = Field(default=128, ge=1, le=65536, description="rows (an app at a barrier, all placements) of an update")
    updates: int = Field(default=1000, ge=1, le=10_000_000, description="of each seed")
    validate_every: int = Field(default=100, ge=1, le=10_000_000, description="updates between two validations; the best one is kept")
    decay: float = Field(default=1e-4, ge=0, le=1, description="penalty on squared weights")
    max_norm: float = Field(default=1.0, gt=0, le=1000, description="largest norm of a gradient")
    clip: float = Field(default=10.0, gt=0, le=1e6, description="of the costs that are learned from, in units of the app")


class CandidatesNetwork(Networks):
    """One network per seed: own past 14 and placement 13 -> 48 joined -> 24 -> two factors on the response; own past -> two on the volume.

    Inputs are normalised in training; what is saved has the normalisation in its first layers.
    """

    def __init__(self, hidden: int, second: int, random: Sequence[torch.Generator], device: torch.device) -> None:
        widths = self.widths({"own": OWN, "places": PLACES, "hidden": hidden, "second": second})
        gains = {"response": 0.0, "volume": 0.0}  # untrained, the arm is its prior
        super().__init__({name: (*width, gains.get(name, GAIN_RELU)) for name, width in widths.items()}, random, device)
        self.centre, self.spread = torch.zeros(OWN + PLACES, device=device), torch.ones(OWN + PLACES, device=device)

    @staticmethod
    def widths(sizes: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each layer; `sizes` are those of a card."""
        hidden, second = sizes["hidden"], sizes["second"]
        ends = {"second": (hidden, second), "response": (second, 2), "volume": (hidden, 2)}
        return {"own": (sizes["own"], hidden), "place": (sizes["places"], hidden)} | ends

    def normalise(self, samples: Samples) -> None:
        """Take mean and standard deviation of the inputs from samples; what does not vary is left as it is."""
        centre = np.concatenate([samples.own.mean(axis=0), samples.places.mean(axis=(0, 1))])
        spread = np.concatenate([samples.own.std(axis=0), samples.places.std(axis=(0, 1))])
        device = self.flat.device
        self.centre = torch.from_numpy(centre).to(device)
        self.spread = torch.from_numpy(np.where(spread > 1e-4, spread, 1.0).astype(np.float32)).to(device)

    def factors(self, own: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return logarithms of the factors for rows own [S, B, OWN] at places [S, B, P, PLACES].

        Returns:
            of the volume, float32 [S, B, 1, 2], and of the response, float32 [S, B, P, 2].
        """
        seeds, rows, count = places.shape[:3]
        app = self.linear("own", (own - self.centre[:OWN]) / self.spread[:OWN])
        seen = (places - self.centre[OWN:]) / self.spread[OWN:]
        place = self.linear("place", seen.reshape(seeds, rows * count, PLACES)).view(seeds, rows, count, -1)
        joined = torch.relu(app[:, :, None] + place).reshape(seeds, rows * count, -1)
        response = self.linear("response", torch.relu(self.linear("second", joined))).view(seeds, rows, count, 2)
        volume = self.linear("volume", torch.relu(app)).view(seeds, rows, 1, 2)
        return LARGEST * torch.tanh(volume / LARGEST), LARGEST * torch.tanh(response / LARGEST)

    def tensors(self, seed: int) -> dict[str, Tensor]:
        """See `Networks`; for inputs as they are observed."""
        found = super().tensors(seed)
        for name, part in (("own", slice(None, OWN)), ("place", slice(OWN, None))):
            centre, spread = self.centre[part].cpu(), self.spread[part].cpu()
            found[f"{name}.weight"] = found[f"{name}.weight"] / spread[:, None]
            found[f"{name}.bias"] = found[f"{name}.bias"] - centre @ found[f"{name}.weight"]
        return found


def corrected(prior: Tensor, response: Tensor, factors: tuple[Tensor, Tensor]) -> Tensor:
    """Return the corrected costs, in the unit and shape of `prior`: [S, B, P, 2]."""
    volume, own = factors
    return volume.exp() * (prior + (own.exp() - 1) * response)


class CandidatesTraining(SeedTraining):
    """Supervised training on replays, all seeds as one batch.

    A unit of work is `validate_every` updates and a validation; before the first, the prior itself is validated. What is validated is the
    loss; what going to the cheapest placement would have cost is in the history, too, in % of what the prior's choice did.

    Args:
        settings: how it learns.
        seeds: of parameters and batches.
        train: rows to learn from.
        valid: rows of other fleets or later days.
        device: where it runs.
    """

    network: CandidatesNetwork

    def __init__(self, settings: CandidatesSettings, seeds: Sequence[int], train: Samples, valid: Samples, device: torch.device) -> None:
        self.settings, self.train, self.valid, random = settings, train, valid, generators(seeds)
        network = CandidatesNetwork(settings.hidden, settings.second, random, device)
        network.normalise(train)
        units, per_unit = -(-settings.updates // settings.validate_every), settings.validate_every * settings.batch
        history = History(LAYER, ARM, seeds)
        norm = settings.max_norm
        super().__init__(network, random, history, units=units, per_unit=per_unit, score=self._scores, eps=1e-8, max_norm=norm)

    def unit(self) -> Mapping[str, Any]:
        """Validate what the units before have made, and make the updates of one more; the last networks are validated by `run`."""
        self.validate()
        losses = torch.stack([self._update() for _ in range(self.settings.validate_every)]).mean(dim=0)
        return {"losses/loss": losses}

    def _update(self) -> Tensor:
        s = self.settings
        at = torch.stack([torch.randint(len(self.train), (s.batch,), generator=own) for own in self.random]).numpy()
        losses, _ = loss_of(self.network, self.train, at)
        shrink = torch.stack([tensor.flatten(1).square().sum(dim=1) for tensor in self.network.parameters()]).sum(dim=0)
        rate = s.lr * (1 - 0.9 * self.updates / (self.units * s.validate_every))
        self.adam.step(losses + s.decay * shrink, [rate] * len(self.random))
        self.updates += 1
        return losses.detach()

    def _scores(self, found: Sequence[Tensors]) -> dict[str, list[float]]:
        """Loss of every seed in the valid rows."""
        scores, relative = [], []
        prior_usd = float(chosen(self.valid, np.arange(len(self.valid)), self.valid.prior[None, :, :, NEAR])[0])
        for tensors in found:
            network, squared, usd = CandidatesAgent(tensors).network, 0.0, 0.0
            for rows in np.array_split(np.arange(len(self.valid)), -(-len(self.valid) // VALID_ROWS)):
                with torch.no_grad():
                    losses, costs = loss_of(network, self.valid, rows[None])
                squared += float(losses[0]) * float(self.valid.weight[rows].sum())
                usd += float(chosen(self.valid, rows, costs[..., NEAR].numpy())[0])
            scores.append(squared / float(self.valid.weight.sum()))
            relative.append(100 * usd / max(prior_usd, 1e-12))
        return {VALIDATION: scores, "losses/valid_loss": scores, "charts/chosen_pct_of_prior": relative}


def loss_of(network: CandidatesNetwork, samples: Samples, at: Int64) -> tuple[Tensor, Tensor]:
    """Return the loss of each seed on its rows (int64 [S, B]), float32 [S], and the corrected costs, [S, B, P, 2].

    The loss is the weighted mean square error over the placements that are allowed; what is equal at all of them changes no choice and is
    left out.
    """
    device = network.flat.device
    names = ("own", "places", "prior", "response", "target", "is_allowed", "weight")
    rows = {name: torch.from_numpy(getattr(samples, name)[at]).to(device) for name in names}
    found = corrected(rows["prior"], rows["response"], network.factors(rows["own"], rows["places"]))
    share = (rows["is_allowed"] / rows["is_allowed"].sum(dim=2, keepdim=True).clamp(min=1))[..., None]
    even = (found * share).sum(dim=2, keepdim=True)
    error = ((found - even - rows["target"]).square() * share).sum(dim=2).mean(dim=2)
    return (error * rows["weight"]).sum(dim=1) / rows["weight"].sum(dim=1), found


def chosen(samples: Samples, rows: Int64, near: Float32) -> Float64:
    """What rows would have cost at the placement that looks cheapest (near: [S, rows, P]), moves left out, USD, float64 [S]."""
    best = np.where(samples.is_allowed[rows], near, np.inf).argmin(axis=2)
    usd = np.take_along_axis(np.broadcast_to(samples.usd[rows], near.shape), best[:, :, None], axis=2)[:, :, 0]
    found: Float64 = (usd * samples.weight[rows]).sum(axis=1, dtype=np.float64)
    return found


class Corrected(Costs):
    """The planner's costs with the network's corrections.

    Args:
        facts: of the scenario.
        learned: of its past.
        agent: the network.
    """

    def __init__(self, facts: Facts, learned: Learned, agent: CandidatesAgent) -> None:
        super().__init__(facts, learned)
        self._observer, self._agent = Observer(facts, learned), agent
        self._is_known = (learned.known_calls >= MIN_CALLS)[:, None]
        self._corrected: dict[int, Expected] = {}

    def expected(self, view: View) -> Expected:
        """Return what is expected at the barrier of a view, corrected; apps of which too little is known keep the prior."""
        if view.step not in self._corrected:
            seen, prior = self._observer.observe(view), self._observer.costs.expected(view)
            volume, own = self._agent.factors(seen.own, seen.places)
            usd = prior.usd.copy()
            for part, of in ((slice(0, 1), NEAR), (slice(1, None), FAR)):
                found = volume[:, :, of] * (usd[part] + (own[:, :, of] - 1.0) * seen.response_usd[part])
                usd[part] = np.where(self._is_known, found, usd[part])
            self._corrected[view.step] = Expected(usd, prior.calls, prior.used)
        return self._corrected[view.step]


class CandidatesAgent:
    """A trained network.

    Args:
        tensors: of the layers of `CandidatesNetwork`, by name.
        strength: how much of the logarithms of the factors counts, of those on the volume and those on the response: 0 the prior, 1 all.
    """

    def __init__(self, tensors: Tensors, strength: tuple[float, float] = (1.0, 1.0)) -> None:
        hidden, second = tensors["second.weight"].shape
        self.network, self.strength = CandidatesNetwork(hidden, second, generators([0]), torch.device("cpu")), strength
        self.network.load(0, tensors)

    @classmethod
    def load(cls, path: Path | str, strength: tuple[float, float] = (1.0, 1.0)) -> CandidatesAgent:
        """Read the weights at `path` and the card beside them.

        Raises:
            CheckpointError: they are missing, damaged, or not of this layer, its features or this network.
        """
        return cls(load_model(path, LAYER, FEATURE_VERSION, CandidatesNetwork.widths), strength)

    def factors(self, own: Float32, places: Float32) -> tuple[Float64, Float64]:
        """Factors on the volume, float64 [A, 1, 2], and on the response, float64 [A, P, 2]."""
        with torch.no_grad():
            found = self.network.factors(torch.from_numpy(own)[None], torch.from_numpy(places)[None])
        parts = zip(self.strength, found, strict=True)
        volume, response = ((strength * part[0]).exp().numpy().astype(np.float64) for strength, part in parts)
        return volume, response

    def policy(self, facts: Facts, learned: Learned, *, name: str = ARM, **options: Any) -> Planner:
        """The arm in one run; `options` are those of `Planner`."""
        return Planner(Corrected(facts, learned, self), name, **options)
