"""DQN: targets by hand, the specified size, replay, exploration, seeds alone and together, resuming."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import CheckpointError
from models.checkpoints import save_state
from models.networks import generators
from models.strategic.dqn import DQNAgent, DqnSettings, QNetwork
from models.strategic.replay import Replay, n_step
from models.training import device_of
from tests.worlds.toy_learners import agents, dqn
from tests.worlds.toy_worlds import TableWorld, three_placements

CPU = device_of("cpu")
TABLE = three_placements()


def columns(rewards: list[float], over: list[int], terminal: list[int]) -> list[torch.Tensor]:
    flags = [torch.tensor(values, dtype=torch.bool)[:, None] for values in (over, terminal)]
    return [torch.tensor(rewards, dtype=torch.float32)[:, None], *flags]


def test_targets_of_several_steps_by_hand() -> None:
    """Rewards 1, 2, 4, 8 at gamma .5, two steps: 1 + 1, 2 + 2, 4 + 4, and 8 alone where the stretch ends."""
    total, last, factor = n_step(*columns([1, 2, 4, 8], [0] * 4, [0] * 4), 0.5, 2)
    assert total[:, 0].tolist() == [2.0, 4.0, 8.0, 8.0]
    assert last[:, 0].tolist() == [1, 2, 3, 3]
    assert factor[:, 0].tolist() == [0.25, 0.25, 0.25, 0.5]


def test_targets_stop_at_the_end_of_an_episode() -> None:
    """The second step is a time limit: its value still counts; the last is an end: it does not."""
    total, last, factor = n_step(*columns([1, 2, 4, 8], [0, 1, 0, 1], [0, 0, 0, 1]), 0.5, 3)
    assert total[:, 0].tolist() == [2.0, 2.0, 8.0, 8.0]
    assert last[:, 0].tolist() == [1, 1, 3, 3]
    assert factor[:, 0].tolist() == [0.25, 0.5, 0.0, 0.0]


def test_one_step_is_the_plain_target() -> None:
    total, last, factor = n_step(*columns([1, 2], [0, 1], [0, 1]), 0.9, 1)
    assert total[:, 0].tolist() == [1.0, 2.0]
    assert last[:, 0].tolist() == [0, 1]
    torch.testing.assert_close(factor[:, 0], torch.tensor([0.9, 0.0]))


def test_the_specified_network_has_its_size() -> None:
    assert QNetwork(20, 3, generators([1]), CPU).size == 19_587


def test_replay_keeps_the_newest() -> None:
    replay = Replay(5)
    for first in (0, 3):
        replay.add({"x": torch.arange(first, first + 3)[None].float()})
    assert (replay.held, replay.at) == (5, 1)
    assert sorted(replay.columns["x"][0].tolist()) == [1, 2, 3, 4, 5]
    replay.add({"x": torch.arange(100, 112)[None].float()})
    assert sorted(replay.columns["x"][0].tolist()) == [107, 108, 109, 110, 111]


def test_what_is_remembered_is_what_happened() -> None:
    """Every transition in the replay is one of the table, also across a time limit, where the next state is the one before the reset."""
    training = dqn(TABLE, [1, 2], 8, n_step=1)
    agents(training)
    found = {name: column[:, : training.replay.held] for name, column in training.replay.columns.items()}
    for s in range(2):
        state, reached = found["observed"][s].argmax(dim=1), found["reached"][s].argmax(dim=1)
        assert (torch.from_numpy(TABLE.following)[state, found["actions"][s]] == reached).all()
        torch.testing.assert_close(torch.from_numpy(TABLE.rewards).float()[state, found["actions"][s]], found["total"][s])
        assert (torch.from_numpy(TABLE.mask)[reached] == found["reached_mask"][s]).all()
    torch.testing.assert_close(found["factor"], torch.full_like(found["factor"], 0.9))


def test_an_end_earns_nothing_more() -> None:
    training = dqn(TABLE, [1], 8)
    training.worlds._worlds = [TableWorld(TABLE, 8, 4, is_terminal=True)]
    training.unit()
    factors = training.replay.columns["factor"][0, :128].view(16, 8)
    assert (factors[3::4] == 0).all()
    assert (factors[:3] > 0).all()


def test_epsilon_falls_from_one_and_masked_clouds_are_never_chosen() -> None:
    training = dqn(TABLE, [1], 10, exploration=0.5)
    seen = []
    for _ in training.run():
        seen.append([row["value"] for row in training.history.rows() if row["metric"] == "charts/epsilon"][-1])
    np.testing.assert_allclose(seen[:6], [1.0, 0.81, 0.62, 0.43, 0.24, 0.05], atol=1e-9)
    rng = np.random.default_rng(1)
    for done in (0, 10):
        training.done = done
        mask = rng.random((1, 50_000, 3)) < 0.4
        mask[0, np.arange(50_000), rng.integers(3, size=50_000)] = True
        actions = training.act(torch.rand(1, 50_000, 12), torch.from_numpy(mask))
        assert mask[0, np.arange(50_000), actions[0].numpy()].all()


def test_one_seed_alone_is_that_seed_among_ten_after_fifty_updates() -> None:
    together, alone = dqn(TABLE, [5, 6, 7, 8, 9, 10, 11, 12, 13, 14], 3), dqn(TABLE, [9], 3)
    for training in (together, alone):
        agents(training)
        assert training.updates > 50
    torch.testing.assert_close(alone.network.flat[0], together.network.flat[4], rtol=0, atol=1e-5)


def test_the_same_seed_twice_gives_the_same_weights_and_a_resumed_one_too() -> None:
    first, again, third = (dqn(TABLE, [3, 4], 8, replay=500) for _ in range(3))
    agents(first)
    running = again.run()
    for _ in range(5):
        next(running)
    third.restore(again.state())
    for training in (again, third):
        agents(training)
        assert torch.equal(training.network.flat, first.network.flat)
        assert training.history.rows() == first.history.rows()
    fresh = dqn(TABLE, [3, 4], 8)
    fresh.restore(dqn(TABLE, [3, 4], 8).state())
    assert fresh.replay.held == 0


def test_double_and_plain_targets_differ_only_in_who_chooses() -> None:
    training = dqn(TABLE, [1], 1)
    batch = {
        "observed": torch.eye(12)[None, :2],
        "actions": torch.tensor([[0, 1]]),
        "total": torch.zeros(1, 2),
        "factor": torch.ones(1, 2),
        "reached": torch.eye(12)[None, 2:4],
        "reached_mask": torch.ones(1, 2, 3, dtype=torch.bool),
    }
    losses = {}
    for is_double in (True, False):
        fresh = dqn(TABLE, [1], 1, is_double=is_double)
        fresh.target.put(-fresh.network.flat.detach())  # the target network's favourites are not the present one's
        losses[is_double] = float(fresh.learn(batch)["losses/td_loss"])
    assert losses[True] != losses[False]
    expected = training.network.values(batch["observed"]).gather(-1, batch["actions"][..., None]).squeeze(-1)
    fresh = dqn(TABLE, [1], 1)
    fresh.target.put(-fresh.network.flat.detach())
    chosen = fresh.network.values(batch["reached"]).argmax(dim=-1, keepdim=True)
    target = fresh.target.values(batch["reached"]).gather(-1, chosen).squeeze(-1)
    assert losses[True] == pytest.approx(torch.nn.functional.smooth_l1_loss(expected, target).item(), rel=1e-5)


def test_batches_are_the_transitions_drawn() -> None:
    replay, drawn = Replay(7), torch.tensor([[[0, 2], [1, 1], [3, 0]], [[3, 3], [2, 0], [1, 2]]])
    replay.add({"x": torch.arange(8).view(2, 4).float(), "y": torch.arange(16).view(2, 4, 2)})
    batches = list(replay.batches(drawn, ["x", "y"]))
    assert len(batches) == 3
    for n, batch in enumerate(batches):
        for s in range(2):
            assert batch["x"][s].tolist() == [4 * s + at for at in drawn[s, n].tolist()]
            assert batch["y"][s].tolist() == [[8 * s + 2 * at, 8 * s + 2 * at + 1] for at in drawn[s, n].tolist()]


@pytest.mark.parametrize("is_double", [True, False])
def test_values_that_are_remembered_are_those_of_the_target_network(is_double: bool) -> None:
    """Remembered, or asked for with every batch: the same weights, across copies into the target network, too."""
    found = []
    for is_remembered in (True, False):
        training = dqn(TABLE, [1, 2], 6, is_double=is_double, updates_per_transition=0.5, target_every=25)
        assert training._runs(60) == [25, 25, 10]
        if not is_remembered:
            training._remember = training.replay.add  # type: ignore[method-assign, assignment]
        agents(training)
        assert (("values" if is_double else "targets") in training.replay.columns) == is_remembered
        found.append(training.network.flat.detach())
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-5)


def test_values_are_remembered_while_they_are_asked_for_more_often_than_they_change() -> None:
    """A copy after every 5 updates with 64: 320 draws, so two units of 128 transitions are valued, three are not."""
    training = dqn(TABLE, [1], 3, target_every=5)
    for is_valued in (True, True, False):
        training.unit()
        assert ("values" in training.replay.columns) == is_valued
        if is_valued:
            held = {name: column[:, : training.replay.held] for name, column in training.replay.columns.items()}
            torch.testing.assert_close(held["values"], training.target.values(held["reached"], held["reached_mask"]).detach())


def test_an_agent_that_is_saved_and_loaded_chooses_the_same(tmp_path: Path) -> None:
    agent = DQNAgent(QNetwork(20, 3, generators([1]), CPU).tensors(0))
    save_state(tmp_path / "best_model.pt", agent.network.tensors(0))
    card = {"layer": "strategic", "features": {"name": "strategic", "version": 1}, "sizes": {"inputs": 20, "actions": 3}}
    (tmp_path / "card.json").write_text(json.dumps(card), encoding="utf-8")
    loaded = DQNAgent.load(tmp_path / "best_model.pt")
    observed = np.random.default_rng(1).random((500, 20), dtype=np.float32)
    assert (agent.act(observed, None) == loaded.act(observed, None)).all()
    assert loaded.select_cloud(observed[0]) == agent.act(observed[:1], None)[0]
    assert loaded.select_cloud(observed[0], np.array([False, False, True])) == 2
    (tmp_path / "card.json").write_text(json.dumps(card | {"layer": "tactical"}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="layer tactical"):
        DQNAgent.load(tmp_path / "best_model.pt")


def test_settings_are_the_specified_ones() -> None:
    found = DqnSettings()
    assert (found.lr, found.gamma, found.target_every, found.batch, found.replay) == (1e-3, 0.95, 500, 64, 100_000)
    assert (found.epsilon, found.epsilon_end, found.is_double) == (1.0, 0.05, True)
