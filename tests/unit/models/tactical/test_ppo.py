"""PPO: advantages by hand, the specified size, masks, seeds alone and together, resuming. Not here: what both learners must reach."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import CheckpointError, TrainingError
from models.checkpoints import save_state
from models.networks import generators
from models.tactical.ppo import ActorCritic, PPOAgent, PpoSettings, gae
from models.training import device_of
from tests.worlds.toy_learners import agents, choices, ppo
from tests.worlds.toy_worlds import three_placements

CPU = device_of("cpu")
TABLE = three_placements()


def column(*values: float) -> torch.Tensor:
    """Values of one sub-environment, [T, 1]."""
    return torch.tensor(values)[:, None]


def over(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.bool)[:, None]


def test_advantages_by_hand() -> None:
    """Rewards 1, 2, 3, values .5, 1, 1.5, then 2; gamma .9, lambda .8: errors 1.4, 2.35, 3.3."""
    found = gae(column(1, 2, 3), column(0.5, 1, 1.5), column(1, 1.5, 2), over(0, 0, 0), 0.9, 0.8)
    last = 3.3
    middle = 2.35 + 0.72 * last
    torch.testing.assert_close(found, column(1.4 + 0.72 * middle, middle, last))


def test_lambda_zero_and_one_are_one_step_and_the_whole_return() -> None:
    rewards, values, following = column(1, 2, 3), column(0.5, 1, 1.5), column(1, 1.5, 2)
    torch.testing.assert_close(gae(rewards, values, following, over(0, 0, 0), 0.9, 0), column(1.4, 2.35, 3.3))
    whole = column(1 + 0.9 * 2 + 0.81 * 3 + 0.729 * 2, 2 + 0.9 * 3 + 0.81 * 2, 3 + 0.9 * 2) - values
    torch.testing.assert_close(gae(rewards, values, following, over(0, 0, 0), 0.9, 1), whole)


def test_a_time_limit_bootstraps_and_an_end_does_not() -> None:
    """The second step ends an episode: its successor counts 10 where time ran out and 0 where it was the end; no error leaks across."""
    rewards, values = column(1, 1, 1), column(0, 0, 0)
    limit = gae(rewards, values, column(0, 10, 0), over(0, 1, 0), 0.5, 1.0)
    torch.testing.assert_close(limit, column(1 + 0.5 * 6, 6, 1))
    end = gae(rewards, values, column(0, 0, 0), over(0, 1, 0), 0.5, 1.0)
    torch.testing.assert_close(end, column(1.5, 1, 1))


def test_the_critic_learns_the_value_that_a_time_limit_hides() -> None:
    """One state that earns 1 for ever under a time limit of 64 steps: its value is 1 / (1 - gamma) = 10, not what an episode holds."""
    table = three_placements()
    table.rewards[:] = 1.0
    training = ppo(table, [1], 100, lr=3e-3, epochs=8)
    agents(training)
    with torch.no_grad():
        value = training.network.value(training.network.encoded(torch.eye(12)[None]))
    assert value.mean().item() == pytest.approx(10, rel=0.05)


def test_the_specified_network_has_its_size() -> None:
    assert ActorCritic(7, 24, generators([1]), CPU).size == 68_697


def test_a_masked_placement_is_never_chosen() -> None:
    rng = np.random.default_rng(1)
    training = ppo(TABLE, [1, 2], 1)
    networks = ActorCritic(7, 24, generators([1, 2]), CPU)
    networks.put(networks.flat.detach() * 30)  # opinions far stronger than those of a fresh network
    training.network = networks
    agent = PPOAgent(networks.tensors(0))
    for _ in range(10):
        observed = rng.random((2, 5000, 7), dtype=np.float32)
        mask = rng.random((2, 5000, 24)) < 0.3
        mask[np.arange(2)[:, None], np.arange(5000), rng.integers(24, size=(2, 5000))] = True
        actions, log_probs = training.act(torch.from_numpy(observed), torch.from_numpy(mask))
        assert mask[np.arange(2)[:, None], np.arange(5000), actions.numpy()].all()
        assert torch.isfinite(log_probs).all()
        assert mask[0][np.arange(5000), agent.act(observed[0], mask[0])].all()


def test_one_seed_alone_is_that_seed_among_ten_after_fifty_updates() -> None:
    seeds = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    together = ppo(TABLE, seeds, 50, epochs=2)
    alone = ppo(TABLE, [9], 50, epochs=2)
    for training in (together, alone):
        agents(training)
        assert training.updates == 50
    torch.testing.assert_close(alone.network.flat[0], together.network.flat[4], rtol=0, atol=1e-5)
    assert not torch.allclose(together.network.flat[3], together.network.flat[4], atol=1e-2)


def test_the_same_seed_twice_gives_the_same_weights_and_a_resumed_one_too() -> None:
    first, again, third = (ppo(TABLE, [3, 4], 6) for _ in range(3))
    agents(first)
    running = again.run()
    for _ in range(3):
        next(running)
    state = again.state()
    third.restore(state)
    for training in (again, third):
        agents(training)
        assert torch.equal(training.network.flat, first.network.flat)
        assert training.history.rows() == first.history.rows()
        assert torch.equal(training.kept, first.kept)


def test_the_best_checkpoint_is_kept_and_validated_as_often_as_asked() -> None:
    asked: list[float] = []

    def score(found: object) -> dict[str, list[float]]:
        asked.append(1.0 + abs(len(asked) - 1))
        return {"charts/validation": [asked[-1]]}

    training = ppo(TABLE, [1], 6, validate_every=2, score=score)
    kept = {}
    for progress in training.run():
        kept[progress.done] = training.network.row(0)
    assert asked == [2.0, 1.0, 2.0, 3.0]  # after updates 2, 4, 6 and at the end
    assert training.best.update == [4]
    assert torch.equal(training.kept[0].cpu(), kept[4])
    found = [row["value"] for row in training.history.rows() if row["metric"] == "charts/validation"]
    assert found == asked


def test_learning_rate_and_entropy_fall_linearly() -> None:
    training = ppo(TABLE, [1], 4, entropy=0.4, entropy_end=0.0)
    rates = []
    for _ in training.run():
        rates.append([row["value"] for row in training.history.rows() if row["metric"] == "charts/learning_rate"][-1])
    np.testing.assert_allclose(rates, [2e-3, 1.5e-3, 1e-3, 5e-4], rtol=1e-5)


def test_a_training_that_explodes_names_its_seed() -> None:
    table = three_placements()
    table.rewards[:] = 1e30
    with pytest.raises(TrainingError, match="training seed 8"):
        agents(ppo(table, [8], 3))


def test_an_agent_that_is_saved_and_loaded_chooses_the_same(tmp_path: Path) -> None:
    agent = PPOAgent(ActorCritic(7, 24, generators([1]), CPU).tensors(0))
    save_state(tmp_path / "best_model.pt", agent.network.tensors(0))
    card = {"layer": "tactical", "features": {"name": "tactical", "version": 1}, "sizes": {"inputs": 7, "actions": 24}}
    (tmp_path / "card.json").write_text(json.dumps(card), encoding="utf-8")
    loaded = PPOAgent.load(tmp_path / "best_model.pt")
    observed = np.random.default_rng(1).random((500, 7), dtype=np.float32)
    assert (agent.act(observed, None) == loaded.act(observed, None)).all()
    state = observed[0].copy()
    for cloud in range(3):
        state[:3] = np.eye(3)[cloud]
        assert loaded.select_placement(observed[0], cloud) == agent.act(state[None], None)[0]
    mask = np.zeros(24, dtype=np.bool_)
    mask[17] = True
    assert loaded.select_placement(observed[0], 1, mask) == 17
    (tmp_path / "card.json").write_text(json.dumps(card | {"features": {"name": "tactical", "version": 2}}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="features 2"):
        PPOAgent.load(tmp_path / "best_model.pt")


def test_settings_are_the_specified_ones() -> None:
    found = PpoSettings()
    assert (found.lr, found.clip, found.gae_lambda, found.gamma, found.entropy, found.entropy_end) == (3e-4, 0.2, 0.95, 0.99, 0.01, 0.001)
    assert (found.envs * found.steps, found.minibatch, found.epochs, found.validate_every) == (256, 64, 10, 50)
    assert choices(agents(ppo(TABLE, [1], 1))[0], TABLE).shape == (12,)
