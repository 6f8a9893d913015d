"""The predictor is the specified one, its loss is the 5/6 expectile, and equal seeds are equal weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import CheckpointError
from models.checkpoints import load_state, save_state
from models.operational.lstm import LEVEL, LSTMPredictor, LSTMTraining, Network, Settings, Windows, asymmetric_mse, pinball
from models.operational.onnx_export import OnnxPredictor, export, exported


def windows(count: int, seed: int, extra: int = 0) -> Windows:
    """The rate of the next step follows the last one's."""
    rng = np.random.default_rng(seed)
    x = rng.random((count, 12, 5)).astype(np.float32)
    y = np.stack([x[:, -1, 0], x[:, -1, 1] / 2, x[:, -1, 0] / 3], axis=1)
    return Windows(x, y, np.ones(count, dtype=np.float32), rng.random((count, extra)).astype(np.float32))


def test_it_has_the_specified_parameters() -> None:
    count = sum(p.numel() for p in Network().parameters())
    assert count == 121_475
    assert count - 4 * 128 == 120_963  # with the phase as one input instead of sine and cosine


@pytest.mark.parametrize(("loss", "expected"), [(asymmetric_mse, 5 / 6), (lambda f, t: (f - t) ** 2, 1 / 2)])
def test_a_constant_converges_to_the_expectile(loss: object, expected: float) -> None:
    target = torch.tensor([0.0, 1.0]).repeat(50)
    forecast = torch.zeros(1, requires_grad=True)
    adam = torch.optim.Adam([forecast], lr=0.02)
    for _ in range(800):
        adam.zero_grad()
        loss(forecast.expand(100), target).mean().backward()  # type: ignore[operator]
        adam.step()
    assert forecast.item() == pytest.approx(expected, abs=1e-3)
    assert pytest.approx(5 / 6) == LEVEL


def test_the_quantile_loss_has_its_least_value_at_the_quantile() -> None:
    target = torch.arange(1000) / 1000.0
    at = [float(pinball(torch.full((1000,), q), target).mean()) for q in (0.7, LEVEL, 0.95)]
    assert at[1] < min(at[0], at[2])


def test_equal_seeds_are_equal_weights_and_training_helps() -> None:
    made = [LSTMTraining(Settings(epochs=2), seed, windows(1024, 1), windows(256, 2), "arm") for seed in (1, 1, 2)]
    for training in made:
        assert [p.done for p in training.run()] == [1, 2]
    one, same, other = (training.network.state_dict() for training in made)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    rows = [row for row in made[0].history.rows() if row["metric"] == "losses/valid"]
    assert rows[1]["value"] < rows[0]["value"]
    assert rows[1]["transitions"] == 2048
    assert torch.random.initial_seed() != 1


def test_a_training_that_was_stopped_ends_in_the_same_weights(tmp_path: Path) -> None:
    whole = LSTMTraining(Settings(epochs=3), 1, windows(512, 1), windows(128, 2), "arm")
    list(whole.run())
    first = LSTMTraining(Settings(epochs=3), 1, windows(512, 1), windows(128, 2), "arm")
    next(iter(first.run()))
    save_state(tmp_path / "state.pt", first.state())
    second = LSTMTraining(Settings(epochs=3), 1, windows(512, 1), windows(128, 2), "arm")
    second.restore(load_state(tmp_path / "state.pt"))
    list(second.run())
    assert all(torch.equal(whole.best[name], second.best[name]) for name in whole.best)
    assert whole.history.rows() == second.history.rows()


def test_it_stops_when_patience_runs_out() -> None:
    settings = Settings(epochs=20, patience=1, lr=0.0)
    training = LSTMTraining(settings, 1, windows(128, 1), windows(128, 2), "arm")
    assert len(list(training.run())) == 2


def test_padding_is_masked() -> None:
    network = Network().eval()
    window = torch.zeros(1, 12, 5)
    window[0, -3:] = torch.rand(3, 5)
    inside = torch.cat([window, window])
    inside[1, 4, 4] = 0.3  # a row with a time of day is no padding
    with torch.no_grad():
        found = network(inside)
    assert not torch.equal(found[0], found[1])


def test_a_saved_predictor_predicts_the_same(tmp_path: Path) -> None:
    training = LSTMTraining(Settings(epochs=1, extra=3), 1, windows(256, 1, 3), windows(128, 2, 3), "lagged")
    list(training.run())
    predictor = LSTMPredictor(training.best, training.settings)
    save_state(tmp_path / "lagged.pt", predictor.state())
    loaded, data = LSTMPredictor.load(tmp_path / "lagged.pt"), windows(5, 3, 3)
    np.testing.assert_array_equal(predictor.predict(data.window, data.extra), loaded.predict(data.window, data.extra))
    assert (loaded.predict(data.window, data.extra) >= 0).all()
    assert loaded.settings == training.settings


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="missing"):
        LSTMPredictor.load(tmp_path / "none.pt")
    save_state(tmp_path / "other.pt", {"network": {"weight": torch.zeros(2)}, "settings": {}})
    with pytest.raises(CheckpointError, match="no operational network"):
        LSTMPredictor.load(tmp_path / "other.pt")


def test_one_state_and_many_are_predicted_alike() -> None:
    predictor = LSTMPredictor(Network().state_dict())
    states = windows(4, 5).window
    np.testing.assert_allclose(predictor.predict(states[0]), predictor.predict(states)[0], atol=1e-6)
    assert predictor.trunk(states).shape == (4, 64)


def test_onnx_answers_as_torch_does(tmp_path: Path) -> None:
    training = LSTMTraining(Settings(epochs=1), 1, windows(256, 1), windows(128, 2), "arm")
    list(training.run())
    predictor = LSTMPredictor(training.best)
    export(predictor, tmp_path / "model.onnx")
    served, states = OnnxPredictor(tmp_path / "model.onnx"), windows(64, 7).window
    states[3, :8] = 0  # padding
    np.testing.assert_allclose(served.predict(states), predictor.predict(states), atol=1e-5)
    np.testing.assert_allclose(served.predict(states[3]), predictor.predict(states[3]), atol=1e-5)
    trunk = OnnxPredictor(exported(predictor, is_trunk=True)).trunk(states)
    np.testing.assert_allclose(trunk, predictor.trunk(states), atol=1e-5)
    np.testing.assert_allclose(predictor.answer(trunk), predictor.predict(states), atol=1e-5)
