"""The specified predictor: twelve steps of five inputs -> CPU, memory and request rate of the next step. Settings, network, loss, training.

The asymmetric loss weighs a forecast that is too low five times as much: its minimum is the 5/6 expectile, not a quantile and not the mean.
Not here: windows (windows.py), scaling (scaler.py), what a forecast is worth (allocator.py), files of a stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.checkpoints import load_state
from models.operational.windows import TARGETS
from models.training import Best, History, Progress, State, device_of
from simulator.control.features.operational import SERIES, TIME
from simulator.control.view import WINDOW_STEPS

Float32 = NDArray[np.float32]
Loss = Literal["asymmetric", "symmetric", "quantile"]
UNDER, OVER = 5.0, 1.0
LEVEL = UNDER / (UNDER + OVER)
SHAPES = (128, 64, 32)


@dataclass(frozen=True)
class Settings:
    """Of one training.

    Args:
        loss: what is minimised.
        lr, batch, clip_norm, dropout: of Adam and the network.
        epochs: at most; a pass over all windows each.
        patience: epochs without a better validation.
        extra: inputs beside the window, e.g. lagged calls.
    """

    loss: Loss = "asymmetric"
    lr: float = 1e-3
    batch: int = 128
    clip_norm: float = 1.0
    dropout: float = 0.2
    epochs: int = 10
    patience: int = 10
    extra: int = 0


class Network(nn.Module):
    """LSTM 128 -> LSTM 64 -> dropout -> dense 32 ReLU -> 3; the phase of the day is expanded to sine and cosine, padding is masked.

    Args:
        dropout: after the second LSTM.
        extra: inputs beside the window, which join the dense layer.
    """

    def __init__(self, dropout: float = 0.2, extra: int = 0) -> None:
        super().__init__()
        wide, narrow, dense = SHAPES
        self.extra = extra
        self.first = nn.LSTM(SERIES + 1, wide, batch_first=True)
        self.second = nn.LSTM(wide, narrow, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(narrow + extra, dense)
        self.out = nn.Linear(dense, len(TARGETS))

    def trunk(self, window: Tensor) -> Tensor:
        """What the LSTMs make of windows float32 [B, 12, 5]: float32 [B, 64]. A row of zeros is padding."""
        is_row = (window != 0).any(dim=2, keepdim=True).to(window.dtype)
        angle = 2 * torch.pi * window[:, :, TIME:]
        inputs = torch.cat([window[:, :, :TIME], torch.sin(angle), torch.cos(angle)], dim=2) * is_row
        hidden, _ = self.first(inputs)
        hidden, _ = self.second(hidden)
        found: Tensor = hidden[:, -1]
        return found

    def forward(self, window: Tensor, extra: Tensor | None = None) -> Tensor:
        """Scaled CPU, memory and rate of the next step, float32 [B, 3]; `extra`: float32 [B, extra]."""
        return self.answer(self.trunk(window), extra)

    def answer(self, trunk: Tensor, extra: Tensor | None = None) -> Tensor:
        """The layers above the LSTMs, on what `trunk` returns."""
        hidden = self.dropout(trunk)
        hidden = hidden if extra is None else torch.cat([hidden, extra], dim=1)
        found: Tensor = self.out(torch.relu(self.dense(hidden)))
        return found


def asymmetric_mse(forecast: Tensor, target: Tensor, under: float = UNDER, over: float = OVER) -> Tensor:
    """Squared error, weighted `under` where the forecast is too low and `over` where it is too high; of the shape of both."""
    error = target - forecast
    return torch.where(error > 0, under, over) * error * error


def pinball(forecast: Tensor, target: Tensor, level: float = LEVEL) -> Tensor:
    """Quantile loss: its minimum is the quantile of that level; of the shape of both."""
    error = target - forecast
    return torch.maximum(level * error, (level - 1) * error)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "asymmetric": asymmetric_mse,
    "symmetric": lambda forecast, target: (target - forecast) ** 2,
    "quantile": pinball,
}


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows to train on, in order of time.

    Args:
        window: float32 [n, 12, 5].
        target: float32 [n, 3].
        weight: float32 [n].
        extra: float32 [n, extra], may have no column.
    """

    window: Float32
    target: Float32
    weight: Float32
    extra: Float32


class LSTMTraining:
    """One network, one training seed; see `models.training.Training`.

    Args:
        settings: of the training.
        seed: of weights and dropout.
        train, valid: the windows before and after the early-stopping split.
        arm: for the history.
        device: where it trains.

    Attributes:
        network: at the present state.
        best: weights of the best validation so far.
    """

    def __init__(self, settings: Settings, seed: int, train: Windows, valid: Windows, arm: str, device: torch.device | None = None) -> None:
        self.settings, self.seed, self.arm = settings, seed, arm
        self.device = device or device_of("cpu")
        # The weights come from the seed alone: the global source of random numbers is put back where it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = Network(settings.dropout, settings.extra).to(self.device)
        self.adam = torch.optim.Adam(self.network.parameters(), lr=settings.lr)
        self.history, self.early = History("operational", arm, [seed]), Best(1, settings.patience)
        self.best: dict[str, Tensor] = {}
        self.epoch = 0
        self._train, self._valid = (self._tensors(part) for part in (train, valid))

    def run(self) -> Iterator[Progress]:
        """Train epoch by epoch, windows in order of time."""
        while self.epoch < self.settings.epochs and not self.early.is_over:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(1_000_003 * self.seed + self.epoch)  # of dropout: a resumed training goes on with the same
                loss = self._pass()
            self.epoch += 1
            valid = self.loss(self._valid)
            if self.early.note(self.epoch, [valid])[0]:
                self.best = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}
            measured = {"losses/train": [loss], "losses/valid": [valid]}
            seen = self.epoch * len(self._train[0])
            yield Progress(self.epoch, self.settings.epochs, self.history.add(self.epoch, seen, measured))

    def loss(self, part: tuple[Tensor, ...]) -> float:
        """Weighted mean loss over windows, without dropout."""
        self.network.eval()
        total = 0.0
        with torch.no_grad():
            for begin in range(0, len(part[0]), 4096):
                total += float(self._losses(part, slice(begin, begin + 4096)).sum())
        return total / float(part[2].sum())

    def _pass(self) -> float:
        self.network.train()
        window, _, weight, _ = self._train
        total = 0.0
        for begin in range(0, len(window), self.settings.batch):
            part = slice(begin, begin + self.settings.batch)
            losses = self._losses(self._train, part)
            self.adam.zero_grad()
            losses.mean().backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
            self.adam.step()
            total += float(losses.detach().sum())
        return total / float(weight.sum())

    def _losses(self, data: tuple[Tensor, ...], part: slice) -> Tensor:
        window, target, weight, extra = (tensor[part] for tensor in data)
        forecast = self.network(window, extra if self.settings.extra else None)
        return LOSSES[self.settings.loss](forecast, target).mean(dim=1) * weight

    def _tensors(self, part: Windows) -> tuple[Tensor, ...]:
        arrays = (part.window, part.target, part.weight, part.extra)
        return tuple(torch.from_numpy(np.ascontiguousarray(array)).to(self.device) for array in arrays)

    def state(self) -> State:
        """All that the rest of the training depends on."""
        return {
            "epoch": self.epoch,
            "network": {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()},
            "adam": self.adam.state_dict(),
            "best": self.best,
            "early": self.early.state(),
            "history": self.history.state(),
        }

    def restore(self, state: State) -> None:
        """Go back to what `state` returned."""
        self.epoch, self.best = state["epoch"], state["best"]
        self.network.load_state_dict(state["network"])
        self.adam.load_state_dict(state["adam"])
        self.early.restore(state["early"])
        self.history.restore(state["history"])


class LSTMPredictor:
    """A trained network, for states as `simulator.control.features.operational.observe` makes them once they are scaled.

    Args:
        weights: tensors of a `Network` by name.
        settings: with which it was trained.
    """

    def __init__(self, weights: dict[str, Tensor], settings: Settings | None = None) -> None:
        torch.set_num_threads(1)  # more threads are slower for a network of this size
        self.settings = settings or Settings()
        self.network = Network(self.settings.dropout, self.settings.extra)
        self.network.load_state_dict(weights)
        self.network.eval()

    @classmethod
    def load(cls, path: Path | str) -> LSTMPredictor:
        """Read `best_model.pt` or the file of another arm.

        Raises:
            CheckpointError: the file is missing, damaged, or of another shape.
        """
        from core.errors import CheckpointError

        found = load_state(path)
        try:
            return cls(found["network"], Settings(**found["settings"]))
        except (KeyError, TypeError, RuntimeError) as error:
            how = "train it again: dvc repro --force train_operational"
            raise CheckpointError(f"it is no operational network: {error}", where=str(path), how=how) from None

    def state(self) -> State:
        """What `load` reads."""
        return {"network": self.network.state_dict(), "settings": asdict(self.settings)}

    def predict(self, states: Float32, extra: Float32 | None = None) -> Float32:
        """Scaled CPU, memory and rate of the next step, 0 or more.

        Args:
            states: float32 [n, 12, 5], or one state [12, 5].
            extra: float32 [n, extra], for a network that takes more than the window.

        Returns:
            float32 [n, 3], or [3] for one state.
        """
        many = torch.from_numpy(np.ascontiguousarray(states, dtype=np.float32).reshape(-1, WINDOW_STEPS, SERIES))
        with torch.no_grad():
            found = self.network(many, None if extra is None else torch.from_numpy(np.ascontiguousarray(extra))).clamp_min(0).numpy()
        return found[0] if states.ndim == 2 else found

    def answer(self, trunk: Float32, extra: Float32 | None = None) -> Float32:
        """What `predict` returns, for trunks float32 [n, 64] that were computed before."""
        with torch.no_grad():
            above = None if extra is None else torch.from_numpy(np.ascontiguousarray(extra))
            found: Float32 = self.network.answer(torch.from_numpy(np.ascontiguousarray(trunk)), above).clamp_min(0).numpy()
        return found

    def trunk(self, states: Float32) -> Float32:
        """What the LSTMs make of states float32 [n, 12, 5]: float32 [n, 64]."""
        with torch.no_grad():
            found: Float32 = self.network.trunk(torch.from_numpy(np.ascontiguousarray(states))).numpy()
        return found
