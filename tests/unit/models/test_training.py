"""Seeds as one batch are the same as seeds alone; early stopping; history; what is resumed. Not here: learners."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import ParameterError, TrainingError
from models.networks import Adam, Networks, generators
from models.training import Best, History, device_of

LAYERS = {"in": (5, 16, 2**0.5), "out": (16, 2, 1.0)}
CPU = device_of("cpu")


def losses(networks: Networks, x: torch.Tensor) -> torch.Tensor:
    """A squared error of each seed, float32 [S]."""
    return (networks.linear("out", torch.relu(networks.linear("in", x))) - 1).square().mean(dim=(1, 2))


class ByFeature(Networks):
    """The same networks, features first."""

    is_by_feature = True


def test_features_first_or_rows_first_are_the_same_networks() -> None:
    rows, features = Networks(LAYERS, generators([1, 2]), CPU), ByFeature(LAYERS, generators([1, 2]), CPU)
    for seed in range(2):
        held = features.tensors(seed)
        assert {name: (own.shape, own.is_contiguous()) for name, own in held.items()} == {
            name: (own.shape, True) for name, own in rows.tensors(seed).items()
        }
        assert all(torch.equal(held[name], own) for name, own in rows.tensors(seed).items())
    x = torch.randn(2, 8, 5, generator=generators([3])[0])
    torch.testing.assert_close(features.linear("in", x.mT).mT, rows.linear("in", x))
    for networks in (rows, features):
        networks.load(0, features.tensors(1))
    torch.testing.assert_close(features.linear("in", x.mT).mT[0], rows.linear("in", x)[0])


def trained(seeds: list[int], steps: int = 30, max_norm: float | None = 0.5) -> Networks:
    networks = Networks(LAYERS, generators(seeds), CPU)
    adam, luck = Adam(networks, max_norm=max_norm), generators(seeds)
    for _ in range(steps):
        x = torch.stack([torch.randn(8, 5, generator=own) for own in luck])
        adam.step(losses(networks, x), [1e-2] * len(seeds))
    return networks


def test_a_seed_alone_is_the_seed_in_a_batch() -> None:
    together = trained([3, 1, 2])
    for s, seed in enumerate([3, 1, 2]):
        torch.testing.assert_close(trained([seed]).flat[0], together.flat[s], rtol=0, atol=1e-5)


def test_one_step_is_pytorchs_own_adam_on_a_plain_network() -> None:
    networks = Networks(LAYERS, generators([7]), CPU)
    plain = torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
    with torch.no_grad():
        for layer, name in ((plain[0], "in"), (plain[2], "out")):
            layer.weight.copy_(networks.weight[name][0].T)
            layer.bias.copy_(networks.bias[name][0, 0])
    theirs, ours = torch.optim.Adam(plain.parameters(), lr=0.01), Adam(networks, max_norm=0.1)
    for _ in range(5):
        x = torch.randn(8, 5)
        loss = (plain(x) - 1).square().mean()
        theirs.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.1)
        theirs.step()
        found = ours.step(losses(networks, x[None]), [0.01])
        torch.testing.assert_close(found[0], norm)
    expected = torch.cat([p.T.flatten() if p.ndim == 2 else p for p in plain.parameters()])
    torch.testing.assert_close(networks.flat[0].detach(), expected.detach(), rtol=1e-5, atol=1e-6)


def test_every_seed_has_a_rate_of_its_own() -> None:
    networks = Networks(LAYERS, generators([1, 1]), CPU)
    before = networks.flat.detach().clone()
    Adam(networks).step(losses(networks, torch.ones(2, 8, 5)), [0.0, 0.1])
    assert torch.equal(networks.flat[0], before[0])
    assert not torch.equal(networks.flat[1], before[1])


def test_seeds_whose_rates_part_are_moved_apart_from_then_on() -> None:
    """Equal rates are one call, others are several: the same as rates of their own from the start."""
    found = []
    for first in ([0.01, 0.01, 0.01], [0.01, 0.0100001, 0.01]):
        networks = Networks(LAYERS, generators([1, 2, 3]), CPU)
        adam = Adam(networks)
        for rates in (first, first, [0.01, 0.01, 0.03], [0.01, 0.01, 0.03]):
            adam.step(losses(networks, torch.ones(3, 8, 5)), rates)
        found.append(networks.flat.detach().clone())
        assert adam.state()["step"].tolist() == [4, 4, 4]
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-6)
    assert not torch.equal(found[0][2], found[0][1])


def test_an_optimiser_goes_on_from_its_state() -> None:
    one, two = (Networks(LAYERS, generators([1, 2]), CPU) for _ in range(2))
    adam, x = Adam(one), torch.ones(2, 8, 5)
    assert adam.state() == {}
    for _ in range(3):
        adam.step(losses(one, x), [0.01, 0.02])
    two.put(one.flat.detach())
    again = Adam(two)
    again.restore(adam.state())
    for own, networks in ((adam, one), (again, two)):
        own.step(losses(networks, x), [0.01, 0.02])
    assert torch.equal(one.flat, two.flat)
    assert torch.equal(one.row(1), two.flat[1])


def test_the_best_of_each_seed_and_patience() -> None:
    best = Best(2, patience=2)
    assert best.note(10, [5.0, 7.0]).tolist() == [True, True]
    assert best.note(20, [5.0, 6.0]).tolist() == [False, True]
    assert best.update == [10, 20]
    again = Best(2, patience=2)
    again.restore(best.state())
    for one in (best, again):
        assert not one.is_over
        one.note(30, [9.0, float("nan")])
        one.note(40, [5.0, 6.0])
        assert one.is_over
        assert one.score.tolist() == [5.0, 6.0]
    assert not Best(1).is_over


def test_history_has_a_row_per_seed_and_metric() -> None:
    history = History("tactical", "toy", [4, 9])
    means = history.add(3, 768, {"losses/value_loss": torch.tensor([1.0, 2.0]), "charts/episodic_return": [float("nan"), 5.0]})
    assert means == {"losses/value_loss": 1.5, "charts/episodic_return": 5.0}
    assert history.add(4, 1024, {"charts/episodic_return": [float("nan")] * 2}) == {}
    again = History("tactical", "toy", [4, 9])
    again.restore(history.state())
    row = {"layer": "tactical", "arm": "toy", "seed": 9, "update": 3, "transitions": 768}
    assert again.rows() == history.rows()
    assert again.rows()[1:] == [
        row | {"metric": "losses/value_loss", "value": 2.0},
        row | {"metric": "charts/episodic_return", "value": 5.0},
    ]


def test_a_loss_that_explodes_names_arm_seed_and_update() -> None:
    history = History("tactical", "toy", [4, 9])
    with pytest.raises(TrainingError, match=r"losses/value_loss exploded at update 7(.|\n)*arm toy, training seed 9"):
        history.add(7, 1, {"losses/value_loss": np.array([1.0, np.inf])})
    history.add(7, 1, {"losses/explained_variance": [1.0, float("nan")]})


def test_a_device_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("auto").type == "cpu"
    with pytest.raises(ParameterError, match="no CUDA device"):
        device_of("cuda")
