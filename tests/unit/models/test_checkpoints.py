"""Weights come back as they were saved, and only with a card that fits. Not here: cards as records."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch

from core.errors import CheckpointError
from models.checkpoints import load_model, load_state, save_state

FITTING = {"layer": "tactical", "features": {"name": "tactical", "version": 1}, "sizes": {"inputs": 2, "actions": 3}}


def saved(folder: Path, card: object = FITTING, shape: tuple[int, ...] = (2, 3)) -> Path:
    save_state(folder / "model.pt", {"out.weight": torch.ones(shape), "out.bias": torch.ones(shape[1])})
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder / "model.pt"


def test_equal_states_are_equal_bytes_whatever_the_file_is_called(tmp_path: Path) -> None:
    state = {"w": torch.arange(6.0), "at": 3, "rows": [[1, "a", 0.5]], "luck": torch.Generator().manual_seed(1).get_state()}
    for name in ("one.pt", "deeper/another_name.pt"):
        save_state(tmp_path / name, state)
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "deeper" / "another_name.pt").read_bytes()
    found = load_state(tmp_path / "one.pt")
    assert (found["at"], found["rows"]) == (3, [[1, "a", 0.5]])
    assert torch.equal(found["w"], state["w"])


def widths(sizes: dict[str, int]) -> dict[str, tuple[int, int]]:
    return {"out": (sizes["inputs"], sizes["actions"])}


def test_a_model_comes_back(tmp_path: Path) -> None:
    found = load_model(saved(tmp_path), "tactical", 1, widths)
    assert torch.equal(found["out.weight"], torch.ones(2, 3))


@pytest.mark.parametrize(("layer", "version", "sizes"), [("strategic", 1, [2, 3]), ("tactical", 2, [2, 3]), ("tactical", 1, [3, 3])])
def test_another_layer_version_or_size_is_an_error(tmp_path: Path, layer: str, version: int, sizes: list[int]) -> None:
    path = saved(tmp_path, FITTING | {"sizes": dict(zip(("inputs", "actions"), sizes, strict=True))})
    with pytest.raises(CheckpointError, match="needed"):
        load_model(path, layer, version, widths)


def test_a_card_without_a_size_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not state the size 'actions'"):
        load_model(saved(tmp_path, FITTING | {"sizes": {"inputs": 2}}), "tactical", 1, widths)


def test_what_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="weights are missing"):
        load_state(tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="card of the model is missing"):
        load_model(tmp_path / "none.pt", "tactical", 1, widths)
    with pytest.raises(CheckpointError, match="no card of a model"):
        load_model(saved(tmp_path, card={"layer": "tactical"}), "tactical", 1, widths)
    (tmp_path / "model.pt").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_state(tmp_path / "model.pt")


def test_a_file_that_holds_code_or_no_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "code.pt").write_bytes(pickle.dumps({"w": Path("x")}, protocol=2))
    torch.save(torch.ones(1), tmp_path / "one.pt")
    for name in ("code.pt", "one.pt"):
        with pytest.raises(CheckpointError):
            load_state(tmp_path / name)
