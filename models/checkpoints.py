"""Weights on disk: tensors only, and the card beside them that says what they are of. Not here: writing cards (tasks/learning/card.py).

A checkpoint is saved to memory first: the bytes of `torch.save` to a path depend on the file's name. It is loaded with `weights_only=True`,
so that opening a model from elsewhere runs no code.
"""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.errors import CheckpointError

Widths = Mapping[str, tuple[int, int]]  # inputs and outputs of linear layers
CARD = "card.json"
AGAIN = "train it again: trine run"


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers, texts and collections of them; a crash leaves the old file."""
    memory = io.BytesIO()
    torch.save(dict(state), memory)
    path.parent.mkdir(parents=True, exist_ok=True)
    neighbour = path.with_name(f".{path.name}.new")
    neighbour.write_bytes(memory.getvalue())
    os.replace(neighbour, path)  # noqa: PTH105 (Path.replace is the same call; os.replace names the guarantee)


def load_state(path: Path | str) -> dict[str, Any]:
    """Read what `save_state` wrote, onto the CPU.

    Raises:
        CheckpointError: the file is missing, damaged, or holds more than tensors and plain values.
    """
    try:
        found = torch.load(io.BytesIO(Path(path).read_bytes()), map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError("the weights are missing", where=str(path), how=AGAIN) from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise CheckpointError(f"the weights cannot be read: {error}", where=str(path), how=AGAIN) from None
    if not isinstance(found, dict):
        raise CheckpointError("the file holds no tensors by name", where=str(path), how=AGAIN)
    return found


def load_model(path: Path | str, layer: str, feature_version: int, widths: Callable[[dict[str, int]], Widths]) -> dict[str, Tensor]:
    """Read the tensors of a model of linear layers and hold them to its card.

    Args:
        path: of the weights; `card.json` lies in the same folder.
        layer: that the model is used in.
        feature_version: of the features that it will be given.
        widths: inputs and outputs of each linear layer by name, from the sizes that the card states.

    Raises:
        CheckpointError: weights or card are missing or damaged, or of another layer, version of the features, or sizes.
    """
    card = read_card(path)
    tensors = load_state(path)
    found = card["layer"], card["features"]["version"]
    if found != (layer, feature_version):
        what = f"the model is of layer {found[0]}, features {found[1]}; needed: layer {layer}, features {feature_version}"
        raise CheckpointError(what, where=str(path), how=AGAIN)
    try:
        needed = shapes(widths(card["sizes"]))
    except KeyError as error:
        raise CheckpointError(f"the card does not state the size {error}", where=str(path), how=AGAIN) from None
    sizes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if sizes != needed:
        raise CheckpointError(f"the model has tensors {sizes}; needed: {needed}", where=str(path), how=AGAIN)
    return tensors


def shapes(widths: Widths) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors of linear layers: `<layer>.weight` [inputs, outputs] and `<layer>.bias` [outputs]."""
    weights = {f"{name}.weight": width for name, width in widths.items()}
    return weights | {f"{name}.bias": width[1:] for name, width in widths.items()}


def read_card(path: Path | str) -> dict[str, Any]:
    """Return the card beside the weights at `path`.

    Raises:
        CheckpointError: it is missing or is no card.
    """
    file = Path(path).parent / CARD
    try:
        card: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        card["layer"], card["features"]["version"], card["sizes"]
    except FileNotFoundError:
        raise CheckpointError("the card of the model is missing", where=str(file), how=AGAIN) from None
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"it is no card of a model: {type(error).__name__} {error}", where=str(file), how=AGAIN) from None
    return card
