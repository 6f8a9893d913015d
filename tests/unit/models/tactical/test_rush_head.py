"""The rush head: starts as the planner's response, learns who is about to rush, resumes and loads to the same bytes. Not here: fleets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import CheckpointError
from models.baselines.planning.response import KNOTS, response_weights
from models.checkpoints import load_state, save_state
from models.tactical.rush_head import INPUTS, LEAST_RISE, NAME, VERSION, load
from models.tactical.rush_training import Samples, Settings, Training

CPU = torch.device("cpu")
SHORT = Settings(hidden=16, epochs=12, batch=64, lr=1e-2)
PLACES, INTERVALS = 12, 40


@pytest.fixture(scope="module")
def data() -> Samples:
    """Ten apps; a rush, which costs 5 charges in a zone above 0.7, is seen by the first input."""
    rng = np.random.default_rng(1)
    used = rng.uniform(0.4, 0.95, (INTERVALS, PLACES))
    interval = np.repeat(np.arange(INTERVALS), 10)
    inputs = rng.normal(size=(len(interval), INPUTS)).astype(np.float32)
    inputs[:, 0] = rng.random(len(interval)) < 0.3
    cost = inputs[:, :1] * 5.0 * (used[interval] > 0.7)
    prior = np.broadcast_to(np.linspace(0.0, 0.5, len(KNOTS)), (len(interval), len(KNOTS)))
    return Samples(
        inputs,
        prior.astype(np.float32),
        cost.astype(np.float32),
        interval,
        response_weights(used).astype(np.float32),
        np.ones(used.shape, dtype=np.float32),
    )


@pytest.fixture(scope="module")
def trained(data: Samples) -> Training:
    training = Training([data], (1, 2), SHORT, CPU)
    assert [progress.done for progress in training.run()][-1] == training.total
    return training


def test_an_untrained_head_answers_the_planners_response(data: Samples) -> None:
    head = Training([data], (1,), SHORT, CPU).head
    curve = head.response(data.inputs[:20], data.prior[:20])
    assert not curve[:, 0].any()
    np.testing.assert_allclose(np.diff(curve), np.diff(data.prior[:20]) + LEAST_RISE, rtol=0.2)


def test_it_learns_who_is_about_to_rush_and_that_only_full_zones_matter(data: Samples, trained: Training) -> None:
    curve = trained.head.response(data.inputs, data.prior)
    is_rush = data.inputs[:, 0] > 0
    assert curve[is_rush, -1].mean() > 3
    assert curve[~is_rush, -1].mean() < 0.5
    at_half = list(KNOTS).index(0.6)
    assert curve[is_rush, at_half].mean() < 0.2 * curve[is_rush, -1].mean()
    assert (np.diff(curve) >= 0).all()
    losses = [row["value"] for row in trained.history.rows()]
    assert np.mean(losses[-10:]) < np.mean(losses[:10])


def test_a_seed_alone_is_the_same_seed_in_a_batch(data: Samples, trained: Training) -> None:
    alone = Training([data], (2,), SHORT, CPU)
    list(alone.run())
    np.testing.assert_allclose(alone.head.networks.flat.detach()[0], trained.head.networks.flat.detach()[1], atol=1e-4)


def test_a_training_that_was_stopped_ends_in_the_same_bytes(data: Samples, trained: Training, tmp_path: Path) -> None:
    stopped = Training([data], (1, 2), SHORT, CPU)
    for progress in stopped.run():
        if progress.done == 30:
            break
    save_state(tmp_path / "state.pt", stopped.state())
    again = Training([data], (1, 2), SHORT, CPU)
    again.restore(load_state(tmp_path / "state.pt"))
    list(again.run())
    assert torch.equal(again.head.networks.flat, trained.head.networks.flat)
    assert again.history.rows() == trained.history.rows()


def test_saved_and_loaded_it_answers_the_same_and_another_card_is_an_error(data: Samples, trained: Training, tmp_path: Path) -> None:
    save_state(tmp_path / "best_model.pt", trained.tensors())
    card = {"layer": "tactical", "arm": NAME, "features": {"version": VERSION}, "seeds": [1, 2], "settings": {"hidden": 16}, "sizes": {}}
    (tmp_path / "card.json").write_text(json.dumps(card), encoding="utf-8")
    head = load(tmp_path / "best_model.pt")
    expected = trained.head.response(data.inputs[:9], data.prior[:9])
    np.testing.assert_array_equal(head.response(data.inputs[:9], data.prior[:9]), expected)
    for changed in ({"arm": "another"}, {"features": {"version": VERSION + 1}}, {"settings": {"hidden": 8}}):
        (tmp_path / "card.json").write_text(json.dumps(card | changed), encoding="utf-8")
        with pytest.raises(CheckpointError, match="needed"):
            load(tmp_path / "best_model.pt")
