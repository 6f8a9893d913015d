"""What all learners share: seeds as one batch, early stopping, rows of history, the end of a training that explodes.

A training is a generator of `Progress`: after each item its `state()` holds all that it needs to go on from there, in another process,
to the same bytes. Random numbers come from one generator per seed, so a seed does not depend on which others share its batch.

Not here: networks (networks.py), a learner (ppo.py, dqn.py, lstm.py), files and the progress bar (tasks/learning), environment variables.

for done, total, metrics in training.run():
    ...
"""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import ParameterError, TrainingError
from models.networks import Adam, Networks, State

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
Tensors = Mapping[str, Tensor]
VALIDATION = "charts/validation"  # the metric that decides which checkpoint is kept, lower is better
Score = Callable[[Sequence[Tensors]], Mapping[str, Sequence[float]]]  # metrics [S] of networks, `VALIDATION` among them
DeviceName = Literal["auto", "cpu", "cuda"]
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, KEPT_BYTES = -1, -3, 1 << 30  # of mallopt(3)


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

    Freed memory is kept for the next step: with glibc's defaults a training step gives its arrays back to the system and spends a quarter
    of its time on getting them again, page by page. Nothing here reads memory that nobody wrote, so new tensors are not filled first, which
    deterministic algorithms would do by default.

    Raises:
        ParameterError: cuda is asked for and there is none.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a property of the module's class
    if hasattr(library := ctypes.CDLL(None), "mallopt"):
        for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            library.mallopt(option, KEPT_BYTES)
    if name == "cuda" and not torch.cuda.is_available():
        raise ParameterError("no CUDA device is available", where="TRINE_DEVICE=cuda", how="set TRINE_DEVICE to auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


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


class SeedTraining(ABC):
    """The training of S networks as one batch, one per seed: what PPO and DQN have in common. See `Training`.

    Args:
        network: the networks; their parameters are drawn already.
        random: of each seed.
        history: of this arm and these seeds.
        units: of work in all, of `per_unit` transitions of each seed.
        score: measures networks, given by the parameters of each seed, on data that they are not trained on; None: the last are the best.
        eps: of `Adam`.
        max_norm: of `Adam`.

    Attributes:
        done, updates: units and updates so far.
        kept: float32 [S, parameters], of each seed's best validation.
    """

    def __init__(
        self,
        network: Networks,
        random: Sequence[torch.Generator],
        history: History,
        *,
        units: int,
        per_unit: int,
        score: Score | None,
        eps: float,
        max_norm: float | None,
    ) -> None:
        self.network, self.random, self.history, self.score, self.device = network, random, history, score, network.flat.device
        self.adam = Adam(network, eps, max_norm)
        self.best, self.kept = Best(len(random)), network.flat.detach().clone()
        self.units, self.per_unit, self.done, self.updates = units, per_unit, 0, 0

    @abstractmethod
    def unit(self) -> Mapping[str, Any]:
        """Do one unit of work and return its metrics, [S] each."""

    def run(self) -> Iterator[Progress]:
        """Train on from the present state; the last networks are validated, too."""
        while self.done < self.units:
            metrics = self.unit()
            self.done += 1
            means = self.history.add(self.updates, self.done * self.per_unit, metrics)
            if self.done == self.units:
                self.validate()
            yield Progress(self.done, self.units, means)

    def validate(self) -> None:
        """Score the present networks and keep those that are the best so far."""
        flat = self.network.flat.detach()
        if self.score is None:
            self.kept = flat.clone()
            return
        found = self.score([self.network.tensors(s) for s in range(len(flat))])
        is_better = torch.from_numpy(self.best.note(self.updates, found[VALIDATION])).to(self.device)
        self.kept = torch.where(is_better[:, None], flat, self.kept)
        self.history.add(self.updates, self.done * self.per_unit, found)

    def tensors(self, seed: int) -> dict[str, Tensor]:
        """Parameters of the best validation of a seed, by its position in the batch and the names of the layers."""
        present = self.network.flat.detach().clone()
        self.network.put(self.kept)
        found = self.network.tensors(seed)
        self.network.put(present)
        return found

    def state(self) -> State:
        """See `Training`."""
        parts = {name: getattr(self, name).state() for name in ("adam", "best", "history")}
        rows = {"flat": self.network.flat.detach().cpu().clone(), "kept": self.kept.cpu().clone()}
        luck = [own.get_state() for own in self.random]
        return parts | rows | {"luck": luck, "done": self.done, "updates": self.updates}

    def restore(self, state: State) -> None:
        """See `Training`."""
        for name in ("adam", "best", "history"):
            getattr(self, name).restore(state[name])
        for own, luck in zip(self.random, state["luck"], strict=True):
            own.set_state(luck)
        self.network.put(state["flat"].to(self.device))
        self.kept = state["kept"].to(self.device)
        self.done, self.updates = state["done"], state["updates"]
