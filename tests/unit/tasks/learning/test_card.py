"""Cards are typed records, and one renderer shows them all. Not here: the cards of real models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import DamagedFileError
from models.checkpoints import read_card
from tasks.core.records import read_record
from tasks.learning.card import Card, Features, Figure, Normalisation, TrainedOn, versions, write_card
from tasks.report.parts.card import card_html

CARD = Card(
    layer="tactical",
    arm="toy",
    sizes={"inputs": 7, "actions": 24},
    parameters=68_697,
    features=Features(name="tactical", version=1),
    normalisation=Normalisation(kind="none"),
    trained_on=TrainedOn(fingerprint="f" * 64, scenarios=("calm-101",), span="train"),
    settings={"lr": 3e-4, "is_double": True},
    versions=versions(),
    seeds=(1, 2),
    best_seed=2,
    budget={"transitions": 1000},
    figures=(
        Figure(name="objective", value=97.5, low=96.0, high=99.0, unit="% of home", measured_on="valid span"),
        Figure(name="share", value=1, low=None, high=None, unit="", measured_on="one seed"),
    ),
    not_for=("clouds that are not in the tables, e.g. <others>",),
    device="cpu",
)


def test_a_card_is_written_and_read(tmp_path: Path) -> None:
    write_card(tmp_path, CARD)
    assert read_record(tmp_path / "card.json", Card) == CARD
    assert read_card(tmp_path / "model.pt")["features"] == {"name": "tactical", "version": 1}
    found = json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))
    (tmp_path / "card.json").write_text(json.dumps(found | {"seeds": "1, 2"}), encoding="utf-8")
    with pytest.raises(DamagedFileError, match="seeds"):
        read_record(tmp_path / "card.json", Card)


def test_the_page_shows_everything_that_a_card_says() -> None:
    shown = card_html(CARD)
    for text in ("tactical, toy", "68,697 (actions 24, inputs 7)", "calm-101 (train span)", "1, 2; best: 2", "is_double True, lr 0.0003"):
        assert text in shown
    assert "e.g. &lt;others&gt;" in shown
    assert "[96, 99]" in shown
    assert "one value" in shown
    assert "f" * 12 in shown
    assert "f" * 13 not in shown
