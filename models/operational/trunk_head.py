"""The event head on the trunk of the network: what the LSTMs make of the app's window, beside the features of the pool. Not here: trees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.operational.allocator import Knowledge, has_call, scaled_states
from models.operational.events import COLUMNS, Head, Seen
from models.operational.lstm import SHAPES, LSTMPredictor
from models.operational.onnx_export import OnnxPredictor
from simulator.control.features import operational
from simulator.control.features.operational import TIME
from simulator.control.view import View

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
INPUTS = SHAPES[1] + len(COLUMNS)
HIDDEN = 32


@dataclass(frozen=True)
class Settings:
    """Of the head's training: passes over all rows, rows of a batch, learning rate."""

    epochs: int = 3
    batch: int = 512
    lr: float = 1e-3


class TrunkHead(nn.Module):
    """Log odds of both horizons from trunk and pool, float32 [B, 80] -> [B, 2]; inputs are standardised by the rows it was fitted on."""

    def __init__(self) -> None:
        super().__init__()
        self.centre = nn.Buffer(torch.zeros(INPUTS))
        self.spread = nn.Buffer(torch.ones(INPUTS))
        self.dense, self.out = nn.Linear(INPUTS, HIDDEN), nn.Linear(HIDDEN, 2)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        found: Tensor = self.out(torch.relu(self.dense((x - self.centre) / self.spread)))
        return found

    def head(self, horizon: int) -> Head:
        """Probabilities of one horizon, for rows float32 [n, 80]."""

        def probability(rows: Float32) -> Float64:
            with torch.no_grad():
                odds = self(torch.from_numpy(np.ascontiguousarray(rows)))[:, horizon]
            return np.asarray(torch.sigmoid(odds).numpy(), dtype=np.float64)

        return probability


def fit_head(x: Float32, y: NDArray[np.bool_], weight: Float32, settings: Settings, seed: int) -> TrunkHead:
    """Fit with the log loss on rows float32 [n, 80], events bool [n, 2]."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = TrunkHead()
    rows, events, weights = torch.from_numpy(x), torch.from_numpy(y.astype(np.float32)), torch.from_numpy(weight)[:, None]
    network.centre.copy_(rows.mean(dim=0))
    network.spread.copy_(rows.std(dim=0).clamp_min(1e-3))
    network.out.bias.data.copy_(torch.logit((events * weights).sum(dim=0) / weights.sum(), eps=1e-6))
    adam = torch.optim.Adam(network.parameters(), lr=settings.lr)
    for _ in range(settings.epochs):
        for part in torch.randperm(len(rows), generator=generator).split(settings.batch):
            losses = nn.functional.binary_cross_entropy_with_logits(network(rows[part]), events[part], reduction="none")
            adam.zero_grad()
            (losses * weights[part]).mean().backward()
            adam.step()
    return network.eval()


class TrunkSeen(Seen):
    """Rows with the trunk of the pool's app in front. Good for one run.

    Args:
        predictor: whose trunk it is, in torch or as it is served.
        known: of the apps; its statistics of the inputs are copied and kept up to date.
    """

    needs_steps = True

    def __init__(self, predictor: LSTMPredictor | OnnxPredictor, known: Knowledge) -> None:
        super().__init__()
        self.predictor, self.inputs = predictor, known.inputs.copy()
        self._window: operational.Known | None = None

    def rows(self, view: View) -> tuple[Float32, Int64]:
        """Features float32 [n, 80] of the pools that may be dead, and which they are, int64 [n]."""
        if self._window is None:
            self._window = operational.start(view.facts)
            first = view.facts.apps.first_function
            self._app_of_function = np.repeat(np.arange(len(first) - 1), np.diff(first))
        x, own = super().rows(view)
        raw = operational.observe(view, self._window)
        self.inputs.update(raw[:, -1, :TIME])
        wanted = np.unique(self._app_of_function[own])
        active = has_call(raw[wanted])
        called, idle = wanted[active], wanted[~active]
        asked = np.concatenate([called, idle[:1]])  # windows without a call share one evaluation
        trunk = np.empty((len(raw), SHAPES[1]), dtype=np.float32)
        found = self.predictor.trunk(scaled_states(raw[asked], self.inputs.of_apps(asked)))
        trunk[called] = found[: len(called)]
        if len(idle):
            trunk[idle] = found[-1]
        return np.concatenate([trunk[self._app_of_function[own]], x], axis=1), own
