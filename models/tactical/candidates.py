"""The candidates arm: the planner with one network that corrects what it expects of every placement.

Settings, network, training, agent, from top to bottom. Every placement of an app is scored by the same weights, from the app's own past, the
features of the placement and the planner's expectation there, so permuting the placements permutes the scores. The network starts at zero:
untrained, the arm is the planner. Its answer is what the coming interval (near) and the following ones (far) cost beyond the prior, in
units of the app; the planner's exact programme then decides on the corrected costs.

Not here: what it reads (scoring.py), what it learns from (samples.py), learning by trying (ppo.py, candidates_ppo.py), files of stages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from models.baselines.planner import MIN_CALLS, Planner
from models.baselines.planning.costs import Costs, Expected
from models.checkpoints import load_model
from models.tactical.scoring import OWN, PLACES, Observer
from models.training import GAIN_RELU, Adam, Best, History, Networks, Progress, State, generators
from simulator.control.features import candidates, lagged
from simulator.parameters import Section

if TYPE_CHECKING:
    from pathlib import Path

    from models.baselines.planning.learned import Learned
    from models.tactical.samples import Samples
    from simulator.control.view import Facts, View

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
ARM, LAYER = "candidates", "tactical"
FEATURE_VERSION = 100 * candidates.VERSION + lagged.VERSION
NEAR, FAR = range(2)  # of the answer



class CandidatesSettings(Section):
    """How the network learns; a part of the section `train_tactical`."""

    hidden: int = Field(default=48, ge=1, description="units of the layer that joins the app with a placement")
    second: int = Field(default=24, ge=1, description="units of the layer above it")
    lr: float = Field(default=1e-3, gt=0, description="learning rate; it falls linearly to a tenth")
    batch: int = Field(default=128, ge=1, description="rows (an app at a barrier, all placements) of an update")
    updates: int = Field(default=1500, ge=1, description="at most")
    validate_every: int = Field(default=100, ge=1, description="updates")
    patience: int = Field(default=6, ge=1, description="validations without a better one of any seed after which training ends")
    decay: float = Field(default=1e-4, ge=0, description="penalty on squared weights")


class Scorer:
    """S networks, one per training seed.

    Args:
        settings: sizes.
        random: of each seed.
        centre, scale: float32 [OWN + PLACES], what inputs are normalised by.
        device: where it is.
    """

    def __init__(
        self, settings: CandidatesSettings, random: Sequence[torch.Generator], centre: Tensor, scale: Tensor, device: torch.device
    ) -> None:
        self.networks = Networks(layers(settings), random, device)
        self.centre, self.scale = centre.to(device), scale.to(device)

    def __call__(self, own: Tensor, places: Tensor) -> Tensor:
        """Return the corrections of rows own [S, B, OWN] at places [S, B, P, PLACES], float32 [S, B, P, 2]."""
        seeds, rows, count = places.shape[:3]
        net = self.networks
        app = net.linear("own", (own - self.centre[:OWN]) / self.scale[:OWN])
        seen = (places - self.centre[OWN:]) / self.scale[OWN:]
        place = net.linear("place", seen.reshape(seeds, rows * count, PLACES)).view(seeds, rows, count, -1)
        joined = torch.relu(app[:, :, None] + place).reshape(seeds, rows * count, -1)
        return net.linear("answer", torch.relu(net.linear("second", joined))).view(seeds, rows, count, 2)


def layers(settings: CandidatesSettings) -> dict[str, tuple[int, int, float]]:
    """Layers of the network for `Networks`; the last one starts at zero, so that the arm starts as its prior."""
    return {
        "own": (OWN, settings.hidden, GAIN_RELU),
        "place": (PLACES, settings.hidden, GAIN_RELU),
        "second": (settings.hidden, settings.second, GAIN_RELU),
        "answer": (settings.second, 2, 0.0),
    }


def normalisation(samples: Samples) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the inputs, float32 [OWN + PLACES] each; 1 where nothing varies."""
    centre = np.concatenate([samples.own.mean(axis=0), samples.places.mean(axis=(0, 1))])
    spread = np.concatenate([samples.own.std(axis=0), samples.places.std(axis=(0, 1))])
    return torch.from_numpy(centre), torch.from_numpy(np.where(spread > 1e-4, spread, 1.0).astype(np.float32))


class CandidatesTraining:
    """Supervised training on replays, all seeds as one batch: a `models.training.Training`.

    Args:
        settings: how it learns.
        seeds: training seeds.
        train: rows to learn from.
        valid: rows of other fleets or later days, by which the best update of each seed is kept.
        device: where it runs.
    """

    def __init__(
        self, settings: CandidatesSettings, seeds: Sequence[int], train: Samples, valid: Samples, device: torch.device | None = None
    ) -> None:
        self.settings, self.seeds, self.device = settings, list(seeds), device or torch.device("cpu")
        self.train, self.valid = train, valid
        self.random = generators(self.seeds)
        self.scorer = Scorer(settings, self.random, *normalisation(train), self.device)
        self.adam = Adam(self.scorer.networks, max_norm=1.0)
        self.best, self.history = Best(len(self.seeds), settings.patience), History(LAYER, ARM, self.seeds)
        self.kept = self.scorer.networks.flat.detach().clone()
        self.done = 0

    def run(self) -> Iterator[Progress]:
        """One item is `validate_every` updates and a validation; the first validation is of the prior."""
        s = self.settings
        if self.done == 0:
            self._validate(float("nan"))
        while self.done < s.updates and not self.best.is_over:
            loss = torch.zeros(len(self.seeds))
            count = min(s.validate_every, s.updates - self.done)
            for _ in range(count):
                loss += self._update()
            yield Progress(self.done, s.updates, self._validate(loss / count))

    def _update(self) -> Tensor:
        s, rows = self.settings, len(self.train)
        at = torch.stack([torch.randint(rows, (s.batch,), generator=own) for own in self.random]).numpy()
        own, places = torch.from_numpy(self.train.own[at]), torch.from_numpy(self.train.places[at])
        target, allowed = torch.from_numpy(self.train.target[at]), torch.from_numpy(self.train.is_allowed[at])
        weight = torch.from_numpy(self.train.weight[at]).to(self.device)
        found = self.scorer(own.to(self.device), places.to(self.device))
        losses = _squared(found, target.to(self.device), allowed.to(self.device), weight)
        shrink = torch.stack([tensor.flatten(1).square().sum(dim=1) for tensor in self.scorer.networks.parameters()]).sum(dim=0)
        rate = s.lr * (1 - 0.9 * self.done / s.updates)
        self.adam.step(losses + s.decay * shrink, [rate] * len(self.seeds))
        self.done += 1
        return losses.detach().cpu()

    def _validate(self, loss: Tensor | float) -> dict[str, float]:
        """Note losses, and what going to the cheapest placement would have cost in the valid rows, % of what the prior's choice did."""
        seeds = len(self.seeds)
        found, chosen_usd = np.zeros(seeds), np.zeros(seeds)
        prior_usd = _chosen_usd(self.valid, np.zeros((1, *self.valid.usd.shape), dtype=np.float32), slice(None))[0]
        with torch.no_grad():
            for begin in range(0, len(self.valid), s_rows := 1024):
                part = slice(begin, begin + s_rows)
                answer = self._answer(self.valid, part)
                target = torch.from_numpy(self.valid.target[part]).to(self.device).expand(seeds, -1, -1, -1)
                allowed = torch.from_numpy(self.valid.is_allowed[part]).to(self.device).expand(seeds, -1, -1)
                weight = torch.from_numpy(self.valid.weight[part]).to(self.device).expand(seeds, -1)
                found += (_squared(answer, target, allowed, weight) * weight.sum(dim=1)).cpu().numpy()
                chosen_usd += _chosen_usd(self.valid, answer[..., NEAR].cpu().numpy(), part)
        valid_loss = found / float(self.valid.weight.sum())
        is_better = self.best.note(self.done, valid_loss)
        better = torch.from_numpy(is_better).to(self.device)
        self.kept = torch.where(better[:, None], self.scorer.networks.flat.detach(), self.kept)
        metrics: dict[str, Any] = {"losses/valid_loss": valid_loss, "charts/chosen_pct_of_prior": 100 * chosen_usd / max(prior_usd, 1e-12)}
        if isinstance(loss, Tensor):
            metrics["losses/loss"] = loss
        return self.history.add(self.done, self.done * self.settings.batch, metrics)

    def _answer(self, samples: Samples, part: slice) -> Tensor:
        """Corrections of all seeds for the same rows."""
        own, places = (torch.from_numpy(values[part]).to(self.device) for values in (samples.own, samples.places))
        seeds = len(self.seeds)
        return self.scorer(own.expand(seeds, -1, -1), places.expand(seeds, -1, -1, -1))

    def tensors(self, seed: int) -> dict[str, Tensor]:
        """What a checkpoint of one seed (its place in the batch) holds: its best weights and the normalisation."""
        return {"weights": self.kept[seed].cpu().clone(), "centre": self.scorer.centre.cpu(), "scale": self.scorer.scale.cpu()}

    def state(self) -> State:
        """All that the rest of the training depends on."""
        return {
            "done": self.done,
            "networks": self.scorer.networks.flat.detach().cpu().clone(),
            "kept": self.kept.cpu().clone(),
            "random": [own.get_state() for own in self.random],
            **{name: getattr(self, name).state() for name in ("adam", "best", "history")},
        }

    def restore(self, state: State) -> None:
        """Go back to what `state` returned."""
        self.done, self.kept = state["done"], state["kept"].to(self.device)
        self.scorer.networks.put(state["networks"].to(self.device))
        for own, found in zip(self.random, state["random"], strict=True):
            own.set_state(found)
        for name in ("adam", "best", "history"):
            getattr(self, name).restore(state[name])


def _squared(found: Tensor, target: Tensor, allowed: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean square error of [S, B, P, 2] over the placements that are allowed, float32 [S]."""
    # A correction that is equal at all placements changes no choice, so it is neither punished nor learned.
    share = allowed / allowed.sum(dim=2, keepdim=True).clamp(min=1)
    even = (found * share[..., None]).sum(dim=2, keepdim=True)
    error = ((found - even - target).square() * share[..., None]).sum(dim=2).mean(dim=2)
    return (error * weight).sum(dim=1) / weight.sum(dim=1)


def _chosen_usd(samples: Samples, near: Float32, part: slice) -> Float64:
    """What the rows would have cost at the placement that looks cheapest, moves left out, USD, float64 [S]; near: [S, rows, P]."""
    expected = samples.prior_usd[part] + near * samples.scale_usd[part][:, None]
    best = np.where(samples.is_allowed[part], expected, np.inf).argmin(axis=2)
    usd = np.take_along_axis(np.broadcast_to(samples.usd[part], expected.shape), best[:, :, None], axis=2)[:, :, 0]
    found: Float64 = (usd * samples.weight[part]).sum(axis=1, dtype=np.float64)
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
        self._is_known = learned.known_calls >= MIN_CALLS
        self._corrected: dict[int, Expected] = {}

    def expected(self, view: View) -> Expected:
        """Return what is expected at the barrier of a view, corrected; apps of which too little is known keep the prior."""
        if view.step not in self._corrected:
            seen = self._observer.observe(view)
            answer = self._agent.corrections(seen.own, seen.places) * seen.scale_usd[:, None, None] * self._is_known[:, None, None]
            prior = self._observer.costs.expected(view)
            usd = prior.usd.copy()
            usd[0] += answer[:, :, NEAR]
            usd[1:] += answer[:, :, FAR]
            self._corrected[view.step] = Expected(usd, prior.calls, prior.used)
        return self._corrected[view.step]


class CandidatesAgent:
    """One trained network.

    Args:
        tensors: of its checkpoint, see `CandidatesTraining.tensors`.
        settings: sizes.
    """

    def __init__(self, tensors: Mapping[str, Tensor], settings: CandidatesSettings) -> None:
        random = generators([0])
        self.scorer = Scorer(settings, random, tensors["centre"], tensors["scale"], torch.device("cpu"))
        self.scorer.networks.put(tensors["weights"][None])

    @classmethod
    def load(cls, path: Path | str, settings: CandidatesSettings | None = None) -> CandidatesAgent:
        """Read a checkpoint and hold it to its card.

        Raises:
            CheckpointError: weights or card are missing, damaged, or of other features or sizes.
        """
        settings = settings or CandidatesSettings()
        size = sum(inputs * outputs + outputs for inputs, outputs, _ in layers(settings).values())
        shapes = {"weights": (size,), "centre": (OWN + PLACES,), "scale": (OWN + PLACES,)}
        return cls(load_model(path, layer=LAYER, feature_version=FEATURE_VERSION, shapes=shapes), settings)

    def corrections(self, own: Float32, places: Float32) -> Float64:
        """What near and far cost beyond the prior, in units of the app, float64 [A, P, 2]."""
        with torch.no_grad():
            found: Tensor = self.scorer(torch.from_numpy(own)[None], torch.from_numpy(places)[None])[0]
        return found.numpy().astype(np.float64)

    def policy(self, facts: Facts, learned: Learned, *, name: str = ARM, **options: Any) -> Planner:
        """The arm in one run; `options` are those of `Planner`."""
        return Planner(Corrected(facts, learned, self), name, **options)
