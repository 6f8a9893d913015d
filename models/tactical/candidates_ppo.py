"""The candidates arm trained by trying: PPO with a KL term to the planner. Settings, network, training, agent, from top to bottom.

The logit of a placement is the planner's (planned.py) plus what the network makes of the app and of the placement. All placements are
scored by the same weights, so permuting them permutes the logits. The last layer starts at zero: untrained, the arm is the planner, and
the KL term keeps it near.

Not here: PPO (ppo.py), what is observed and the episodes (planned.py), the supervised network (candidates.py), files of stages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from models.checkpoints import load_model
from models.networks import GAIN_RELU, Networks, generators
from models.tactical.planned import HERE, LOGIT, ROW, VERSION, Planned
from models.tactical.ppo import MASKED, PpoSettings, PpoTraining
from models.tactical.scoring import OWN
from simulator.control.acting import Acting
from simulator.parameters import Section

if TYPE_CHECKING:
    from pathlib import Path

    from models.baselines.planning.learned import Learned
    from models.training import Tensors
    from simulator.control.decision import Policy, Scope
    from simulator.control.view import Facts

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]
ARM = "candidates_ppo"


class PlannedSettings(Section):
    """How the network on top of the planner learns."""

    hidden: int = Field(ge=1, le=4096, description="units of the layer that joins the app with a placement")
    second: int = Field(ge=1, le=4096, description="units of the layer above it")
    temperature: float = Field(gt=0, le=1000, description="of the planner's logits, in units of what a usual interval of the app costs")
    kl: float = Field(ge=0, le=1000, description="weight of the divergence from the planner")
    ppo: PpoSettings = Field(description="constants of PPO")


class Encoded(NamedTuple):
    """Rows of S seeds and B apps: app [S, B, hidden], places [S, B, P, second], the planner's logits [S, B, P]."""

    app: Tensor
    places: Tensor
    prior: Tensor


class PlannedNetwork(Networks):
    """One network per seed: own past and a placement -> hidden, joined -> second -> a logit; the value from the app and the mean place.

    It has the methods that `PpoTraining` asks an `ActorCritic` for.

    Args:
        inputs: numbers of an observation.
        hidden, second: widths.
        random, device: see `Networks`.
    """

    def __init__(self, inputs: int, hidden: int, second: int, random: Sequence[torch.Generator], device: torch.device) -> None:
        gains = {"logits": 0.0, "value": 1.0}  # untrained, the arm is its prior
        widths = self.widths({"hidden": hidden, "second": second})
        super().__init__({name: (*width, gains.get(name, GAIN_RELU)) for name, width in widths.items()}, random, device)
        self.inputs = inputs

    @staticmethod
    def widths(sizes: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each layer; `sizes` are those of a card."""
        hidden, second = sizes["hidden"], sizes["second"]
        actor = {"own": (OWN, hidden), "place": (ROW, hidden), "second": (hidden, second), "logits": (second, 1)}
        return actor | {"critic": (hidden + second, hidden), "value": (hidden, 1)}

    def encoded(self, observed: Tensor) -> Encoded:
        """What the app and its placements look like to the network, of observations [S, B, inputs]."""
        seeds, rows = observed.shape[:2]
        app = self.linear("own", observed[..., :OWN])
        place = observed[..., OWN:].reshape(seeds, rows, -1, ROW)
        count, prior = place.shape[2], place[..., LOGIT]
        seen = torch.cat([place[..., :LOGIT], -torch.log1p(-prior)[..., None]], dim=-1)
        joined = torch.relu(app[:, :, None] + self.linear("place", seen.view(seeds, rows * count, ROW)).view(seeds, rows, count, -1))
        second = torch.relu(self.linear("second", joined.view(seeds, rows * count, -1)))
        return Encoded(torch.relu(app), second.view(seeds, rows, count, -1), prior)

    def residual(self, encoded: Encoded) -> Tensor:
        """What the network adds to the planner's logits, [S, B, P]."""
        seeds, rows, count, second = encoded.places.shape
        return self.linear("logits", encoded.places.reshape(seeds, rows * count, second)).view(seeds, rows, count)

    def policy(self, encoded: Encoded, mask: Tensor) -> Tensor:
        """Logarithms of the probabilities of all placements, [S, B, P]."""
        return log_probs(encoded.prior + self.residual(encoded), mask)

    def value(self, encoded: Encoded) -> Tensor:
        """Discounted sum of rewards that is expected, [S, B]."""
        seen = torch.cat([encoded.app, encoded.places.mean(dim=2)], dim=-1)
        return self.linear("value", torch.relu(self.linear("critic", seen))).squeeze(-1)


def log_probs(logits: Tensor, mask: Tensor) -> Tensor:
    """Logarithms of the probabilities of what may be chosen, [..., P]."""
    return torch.log_softmax(logits.masked_fill(~mask, MASKED), dim=-1)


class PlannedPpo(PpoTraining):
    """PPO whose loss has the divergence from the planner, E over the policy of log(policy / planner), as a further term.

    Args:
        kl: weight of that term.
        options: of `PpoTraining`.
    """

    def __init__(self, kl: float, *args: object, **options: object) -> None:
        self.kl = kl
        super().__init__(*args, **options)  # type: ignore[arg-type]

    def penalty(self, encoded: Encoded, found: Tensor, mask: Tensor) -> tuple[Tensor, dict[str, Tensor]]:  # type: ignore[override]
        """What the distance from the planner adds to the loss of each seed, [S]."""
        divergence = (found.exp() * (found - log_probs(encoded.prior, mask))).masked_fill(~mask, 0.0).sum(dim=-1).mean(dim=1)
        return self.kl * divergence, {"losses/kl_to_planner": divergence}


class PlannedAgent:
    """A trained network that chooses the most likely placement.

    Args:
        tensors: of the layers of `PlannedNetwork`, by name.
        strength: share of the network's logits that counts: 0 is the planner.
        temperature: of the planner's logits, as in training.
    """

    def __init__(self, tensors: Tensors, strength: float, temperature: float) -> None:
        hidden, second = tensors["second.weight"].shape
        self.network = PlannedNetwork(0, hidden, second, generators([0]), torch.device("cpu"))
        self.network.load(0, tensors)
        self.temperature, self.strength = temperature, strength

    @classmethod
    def load(cls, path: Path | str, strength: float, temperature: float) -> PlannedAgent:
        """Read the weights at `path` and the card beside them.

        Raises:
            CheckpointError: they are missing, damaged, or not of this layer, its features or this network.
        """
        return cls(load_model(path, "tactical", VERSION, PlannedNetwork.widths), strength, temperature)

    def logits(self, observed: Float32, mask: Bool | None) -> Float32:
        """Logits of all placements, float32 [A, P]; minus infinity where one may not be chosen."""
        with torch.no_grad():
            encoded = self.network.encoded(torch.from_numpy(observed)[None])
            found: Float32 = (encoded.prior + self.strength * self.network.residual(encoded))[0].numpy()
        return found if mask is None else np.where(mask, found, -np.inf).astype(np.float32)

    def act(self, observed: Float32, mask: Bool | None) -> Int64:
        """Return the placement of the largest logit, int64 [A]; among equal ones the app stays, else the first is taken."""
        found = self.logits(observed, mask)
        is_here = observed[:, OWN:].reshape(*found.shape, ROW)[:, :, HERE] > 0
        is_best = found == found.max(axis=1, keepdims=True)
        chosen: Int64 = (is_best.astype(np.int64) + (is_best & is_here)).argmax(axis=1)
        return chosen

    def policy(
        self, facts: Facts, learned: Learned, *, horizon: int, switches: float, period_steps: int, scope: Scope = "all", name: str = ARM
    ) -> Policy:
        """The arm in one run.

        Args:
            facts: of the scenario.
            learned: of its past.
            horizon: of the planner.
            switches: likewise.
            period_steps: between decisions.
            scope: see `Planned`.
            name: of the arm.
        """
        layer = Planned(learned, self.temperature, horizon=horizon, switches=switches, scope=scope)
        return Acting(name, layer, layer.start(facts), self.act, period_steps=period_steps, scope=scope)
