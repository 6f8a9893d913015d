"""What all learners share: seeds as one batch, early stopping, rows of history, the end of a training that explodes.

A training is a generator of `Progress`: after each item its `state()` holds all that it needs to go on from there, in another process,
to the same bytes. Random numbers come from one generator per seed, so a seed does not depend on which others share its batch.

Not here: a learner (ppo.py, dqn.py, lstm.py), files and the progress bar (tasks/learning), environment variables.

for done, total, metrics in training.run():
    ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import ParameterError, TrainingError

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
DeviceName = Literal["auto", "cpu", "cuda"]
State = dict[str, Any]  # tensors, numbers, texts, and lists and dicts of them: what `torch.load(weights_only=True)` reads
GAIN_RELU = 2.0**0.5


class Progress(NamedTuple):
    """How far a training is: units of work done and in all, and the newest metrics, means over its seeds."""

    done: int
    total: int
    metrics: Mapping[str, float]


class Training(Protocol):
    """What a stage runs to its end and can resume (tasks/learning/checkpoint.py)."""

    def run(self) -> Iterator[Progress]:
        """Train on from the present state, one unit of work at a time."""

    def state(self) -> State:
        """All that the rest of the training depends on."""

    def restore(self, state: State) -> None:
        """Go back to a state of a training with the same settings and data."""


def device_of(name: DeviceName) -> torch.device:
    """The device that is meant; pins one thread per process and deterministic algorithms, so that equal runs give equal bytes.

    Raises:
        ParameterError: cuda is asked for and there is none.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    if name == "cuda" and not torch.cuda.is_available():
        raise ParameterError("no CUDA device is available", where="TRINE_DEVICE=cuda", how="set TRINE_DEVICE to auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """One source of random numbers per training seed, on the CPU whatever the device, so that all devices see the same luck."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


class Networks:
    """S networks of one shape, one per training seed, which are evaluated as one: linear layers with a leading seed dimension.

    All parameters of a seed are one row of one matrix, so keeping, restoring and saving a seed is copying a row.

    Args:
        layers: (inputs, outputs, gain of the orthogonal start) by name; biases start at 0.
        random: of each seed.
        device: where the networks are.

    Attributes:
        flat: float32 [S, parameters of one network].
        size: parameters of one network.
    """

    def __init__(self, layers: Mapping[str, tuple[int, int, float]], random: Sequence[torch.Generator], device: torch.device) -> None:
        self.layers = dict(layers)
        self.size = sum(inputs * outputs + outputs for inputs, outputs, _ in self.layers.values())
        self.flat = torch.zeros(len(random), self.size, device=device)
        self.weight: dict[str, Tensor] = {}
        self.bias: dict[str, Tensor] = {}
        at = 0
        for name, (inputs, outputs, gain) in self.layers.items():
            weight = self.flat[:, at : at + inputs * outputs].view(-1, inputs, outputs)
            at += inputs * outputs
            for s, own in enumerate(random):
                start = torch.nn.init.orthogonal_(torch.empty(outputs, inputs), gain, generator=own)
                weight[s] = start.T.to(device)
            self.weight[name] = weight.requires_grad_()
            self.bias[name] = self.flat[:, at : at + outputs].view(-1, 1, outputs).requires_grad_()
            at += outputs

    def linear(self, name: str, x: Tensor) -> Tensor:
        """Layer `name` of every network: [S, B, inputs] -> [S, B, outputs]."""
        return torch.baddbmm(self.bias[name], x, self.weight[name])

    def parameters(self) -> list[Tensor]:
        """The tensors that gradients are taken of, in the order of a row of `flat`."""
        return [tensor for name in self.layers for tensor in (self.weight[name], self.bias[name])]

    def row(self, seed: int) -> Tensor:
        """A copy of the parameters of one network, float32 [parameters], on the CPU."""
        return self.flat[seed].detach().cpu().clone()

    def put(self, rows: Tensor) -> None:
        """Replace the parameters of all networks, float32 [S, parameters]."""
        self.flat.detach().copy_(rows)


class Adam:
    """Adam for `Networks`, with a clipped gradient and a learning rate of its own for each seed.

    Args:
        networks: whose parameters move.
        eps: added to the root of the second moment.
        max_norm: the gradient of a seed is scaled down to this norm; None: never.
    """

    def __init__(self, networks: Networks, eps: float = 1e-8, max_norm: float | None = None) -> None:
        self.networks, self.max_norm = networks, max_norm
        self._parameters, flat = networks.parameters(), networks.flat.detach()
        self._gradient = torch.zeros_like(flat)
        self._rows = [torch.nn.Parameter(row) for row in flat]  # the same storage as the layers'
        for row, gradient in zip(self._rows, self._gradient, strict=True):
            row.grad = gradient
        self._adam = torch.optim.Adam([{"params": [row]} for row in self._rows], eps=eps, fused=True)

    def step(self, losses: Tensor, lr: Tensor | Sequence[float]) -> Tensor:
        """Move every network down the gradient of its own loss.

        Args:
            losses: float32 [S], with the graph behind them.
            lr: learning rate of each seed.

        Returns:
            norm of the gradient of each seed before clipping, float32 [S].
        """
        found = torch.autograd.grad(losses.sum(), self._parameters)
        torch.cat([part.flatten(1) for part in found], dim=1, out=self._gradient)
        norms = torch.linalg.vector_norm(self._gradient, dim=1)
        if self.max_norm is not None:
            self._gradient.mul_((self.max_norm / (norms + 1e-6)).clamp(max=1)[:, None])
        for group, rate in zip(self._adam.param_groups, lr, strict=True):
            group["lr"] = float(rate)
        self._adam.step()
        return norms

    def state(self) -> State:
        """Both moments of every parameter and the number of steps."""
        rows = [self._adam.state[row] for row in self._rows]
        if not rows[0]:
            return {}
        return {name: torch.stack([row[name].cpu() for row in rows]) for name in ("step", "exp_avg", "exp_avg_sq")}

    def restore(self, state: State) -> None:
        """Go back to what `state` returned."""
        self._adam.state.clear()
        for s, row in enumerate(self._rows if state else ()):
            device = row.device
            moments = {name: state[name][s].clone().to(device) for name in ("step", "exp_avg", "exp_avg_sq")}
            self._adam.state[row] = moments


class Best:
    """The best validation of every seed so far, and whether any of them still improves.

    Args:
        seeds: how many.
        patience: validations of all seeds without an improvement of any after which training ends; None: it never ends early.

    Attributes:
        score: float64 [S], lowest so far (lower is better); infinite before the first.
        update: list of the update of each seed's best.
    """

    def __init__(self, seeds: int, patience: int | None = None) -> None:
        self.patience, self.score = patience, np.full(seeds, np.inf)
        self.update, self._without = [0] * seeds, 0

    def note(self, update: int, scores: Sequence[float] | Float64) -> Bool:
        """Take the scores of a validation and return which seeds improved, bool [S]; the first of equal ones is the best."""
        is_better: Bool = np.asarray(scores, dtype=np.float64) < self.score
        self.score = np.where(is_better, scores, self.score)
        self.update = [update if better else before for better, before in zip(is_better.tolist(), self.update, strict=True)]
        self._without = 0 if is_better.any() else self._without + 1
        return is_better

    @property
    def is_over(self) -> bool:
        """Whether patience has run out."""
        return self.patience is not None and self._without >= self.patience

    def state(self) -> State:
        """For a checkpoint."""
        return {"score": self.score.tolist(), "update": list(self.update), "without": self._without}

    def restore(self, state: State) -> None:
        """Go back to what `state` returned."""
        self.score, self.update, self._without = np.array(state["score"]), list(state["update"]), state["without"]


class History:
    """What a training measured, one row per seed and metric: the rows of `reports/<layer>/training_history.json`.

    Args:
        layer, arm: of every row.
        seeds: of the batch, in its order.
    """

    def __init__(self, layer: str, arm: str, seeds: Sequence[int]) -> None:
        self.layer, self.arm, self.seeds = layer, arm, list(seeds)
        self._rows: list[list[Any]] = []

    def add(self, update: int, transitions: int, metrics: Mapping[str, Sequence[float] | Float64 | Tensor]) -> dict[str, float]:
        """Note metrics [S] by name after an update and return their means over the seeds.

        Args:
            update: updates so far.
            transitions: that one seed has seen so far (windows, where the data are windows).
            metrics: by CleanRL's names where it has one, e.g. losses/value_loss. A NaN is left out: it was not measured.

        Raises:
            TrainingError: a loss is infinite or NaN; arm, seed and update are named.
        """
        means = {}
        for name, found in metrics.items():
            values = np.asarray(found.detach().cpu() if isinstance(found, Tensor) else found, dtype=np.float64)
            if name.startswith("losses/"):
                self._require_finite(name, values, update)
            for seed, value in zip(self.seeds, values.tolist(), strict=True):
                if value == value:
                    self._rows.append([seed, update, transitions, name, value])
            if not np.isnan(values).all():
                means[name] = float(np.nanmean(values))
        return means

    def _require_finite(self, name: str, values: Float64, update: int) -> None:
        broken = [seed for seed, value in zip(self.seeds, values.tolist(), strict=True) if not np.isfinite(value)]
        if broken and name != "losses/explained_variance":  # which is NaN where all returns are equal
            raise TrainingError(
                f"{name} exploded at update {update}",
                where=f"arm {self.arm}, training seed {broken[0]}",
                how="lower its learning rate in params.yaml; the last good checkpoint was kept",
            )

    def rows(self) -> list[dict[str, Any]]:
        """All rows so far: layer, arm, seed, update, transitions, metric, value."""
        names = ("seed", "update", "transitions", "metric", "value")
        return [{"layer": self.layer, "arm": self.arm, **dict(zip(names, row, strict=True))} for row in self._rows]

    def state(self) -> State:
        """For a checkpoint."""
        return {"rows": [list(row) for row in self._rows]}

    def restore(self, state: State) -> None:
        """Go back to what `state` returned."""
        self._rows = [list(row) for row in state["rows"]]
