"""The candidates arm trained by PPO: its prior, its symmetry, the divergence from the planner, episodes, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import CheckpointError
from models.baselines.planner import Planner
from models.baselines.planning.costs import Costs
from models.baselines.planning.learned import Learned
from models.checkpoints import save_state
from models.networks import generators
from models.tactical.candidates_ppo import ARM, PlannedAgent, PlannedNetwork, PlannedPpo, log_probs
from models.tactical.planned import HERE, LOGIT, ROW, VERSION, Planned, PlannedWorld
from models.tactical.ppo import PpoSettings
from models.tactical.scoring import OWN
from models.training import History
from simulator.control.loop import run as play
from simulator.control.reward import Reward
from simulator.control.view import Facts
from simulator.envs.episodes import Stage
from simulator.objective import objective_usd
from simulator.scenario import Scenario
from tests.worlds.cards import write_plain_card

CPU = torch.device("cpu")
OPTIONS = {"horizon": 3, "switches": 1.0, "period_steps": 100}


def network(seed: int = 1, *, is_random: bool = True) -> PlannedNetwork:
    made = PlannedNetwork(0, 8, 4, generators([seed]), CPU)
    if is_random:
        with torch.no_grad():
            made.weight["logits"].normal_(generator=generators([seed])[0])
    return made


def observations(rows: int, places: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random states and masks in which something may be chosen."""
    rng = np.random.default_rng(seed)
    row = rng.normal(size=(rows, places, ROW)).astype(np.float32)
    row[:, :, HERE] = rng.integers(places, size=(rows, 1)) == np.arange(places)
    row[:, :, LOGIT] = -rng.exponential(5.0, (rows, places))
    own = rng.normal(size=(rows, OWN)).astype(np.float32)
    mask = rng.random((rows, places)) < 0.3
    mask[np.arange(rows), rng.integers(places, size=rows)] = True
    return np.concatenate([own, row.reshape(rows, -1)], axis=1), mask


def usd(scenario: Scenario, policy: object) -> float:
    return float(objective_usd(play(scenario, policy, 1, "test").out, scenario.objective).sum())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def world(scenario: Scenario, learned: Learned) -> PlannedWorld:
    stage, known = Stage.of(scenario, 1, Reward()), 40 * scenario.world.tactical_steps
    planned = {scenario.id: (Planned(learned, 0.05, horizon=3, switches=1.0), known)}
    return PlannedWorld([stage], planned, multiple=2, span="train", intervals=8, luck_seed=1, reward=Reward())


def training(world: PlannedWorld, kl: float, **options: float) -> PlannedPpo:
    ppo = PpoSettings(envs=2, steps=8, minibatch=16, epochs=2, entropy=0, entropy_end=0, gamma=0.9).model_copy(update=options)
    made = PlannedPpo(
        kl,
        [ppo],
        [world],
        [1],
        lambda random, device: PlannedNetwork(world.inputs, 8, 4, random, device),
        History("tactical", ARM, [1]),
        transitions=2 * world.envs * 8,
        stretch=8,
        score=None,
        device=CPU,
    )
    for _ in made.run():
        pass
    return made


def test_untrained_and_at_strength_zero_it_is_the_planner(scenario: Scenario, learned: Learned) -> None:
    facts = Facts.of(scenario)
    plain = usd(scenario, Planner(Costs(facts, learned), "planner_response", **OPTIONS))
    untrained = PlannedAgent(network(is_random=False).tensors(0), 1.0, 0.05)
    assert usd(scenario, untrained.policy(facts, learned, **OPTIONS)) == plain
    assert usd(scenario, PlannedAgent(network().tensors(0), 0.0, 0.05).policy(facts, learned, **OPTIONS)) == plain
    assert usd(scenario, PlannedAgent(network().tensors(0), 100.0, 0.05).policy(facts, learned, **OPTIONS)) != plain


def test_permuting_the_placements_permutes_the_logits() -> None:
    observed, _ = observations(50, 9, 1)
    order = np.random.default_rng(2).permutation(9)
    there = observed.copy()
    there[:, OWN:] = observed[:, OWN:].reshape(50, 9, ROW)[:, order].reshape(50, -1)
    agent = PlannedAgent(network().tensors(0), 1.0, 0.05)
    np.testing.assert_allclose(agent.logits(there, None), agent.logits(observed, None)[:, order], atol=1e-6)
    values = [agent.network.value(agent.network.encoded(torch.from_numpy(one)[None])) for one in (observed, there)]
    torch.testing.assert_close(*values, rtol=1e-5, atol=1e-6)


def test_a_masked_placement_is_never_chosen_in_a_hundred_thousand_states() -> None:
    agent = PlannedAgent(network().tensors(0), 3.0, 0.05)
    for seed in range(10):
        observed, mask = observations(10_000, 8, seed)
        assert mask[np.arange(10_000), agent.act(observed, mask)].all()


def test_among_equal_placements_an_app_stays() -> None:
    observed, _ = observations(200, 8, 3)
    row = observed[:, OWN:].reshape(200, 8, ROW)
    row[:, :, LOGIT] = 0
    observed[:, OWN:] = row.reshape(200, -1)
    here = row[:, :, HERE].argmax(axis=1)
    agent = PlannedAgent(network(is_random=False).tensors(0), 1.0, 0.05)
    np.testing.assert_array_equal(agent.act(observed, None), here)
    away = np.ones((200, 8), dtype=np.bool_)
    away[np.arange(200), here] = False
    np.testing.assert_array_equal(agent.act(observed, away), np.where(here == 0, 1, 0))


def test_the_divergence_is_the_one_by_hand() -> None:
    """Two placements, the policy half and half, the planner 0.8 and 0.2: 0.5 log(0.5 / 0.8) + 0.5 log(0.5 / 0.2)."""
    made = PlannedPpo.__new__(PlannedPpo)
    made.kl = 2.0
    prior, mask = torch.tensor([[[0.8, 0.2, 0.5]]]).log(), torch.tensor([[[True, True, False]]])
    encoded = network().encoded(torch.zeros(1, 1, OWN + 3 * ROW))._replace(prior=prior)
    found, measured = made.penalty(encoded, log_probs(torch.zeros(1, 1, 3), mask), mask)
    expected = 0.5 * np.log(0.5 / 0.8) + 0.5 * np.log(0.5 / 0.2)
    assert float(measured["losses/kl_to_planner"]) == pytest.approx(expected, rel=1e-5)
    assert float(found) == pytest.approx(2 * expected, rel=1e-5)


def test_a_heavy_divergence_keeps_the_network_at_the_planner(world: PlannedWorld) -> None:
    def last(kl: float) -> float:
        rows = training(world, kl, lr=3e-2).history.rows()
        return [row["value"] for row in rows if row["metric"] == "losses/kl_to_planner"][-1]

    assert last(100.0) < last(0.0)


def test_episodes_lie_after_what_the_planner_knows(world: PlannedWorld, scenario: Scenario) -> None:
    steps = scenario.world.tactical_steps
    begins = set()
    for seed in range(40):
        seen = world.begin(seed)
        begins.add(world.run.start // steps)
        assert seen.mask[np.arange(world.envs), :].any(axis=1).all()
    assert min(begins) >= 40
    assert max(begins) <= scenario.split_steps[0] // steps - 8
    assert len(begins) > 1


def test_a_training_goes_on_from_its_state(world: PlannedWorld) -> None:
    whole, other = training(world, 0.1), training(world, 0.1)
    for name, tensor in whole.tensors(0).items():
        assert torch.equal(tensor, other.tensors(0)[name])
    other.restore(whole.state())
    assert torch.equal(other.network.flat, whole.network.flat)


def test_saved_and_loaded_it_chooses_the_same(tmp_path: Path) -> None:
    file, tensors = tmp_path / "seed-1.pt", network().tensors(0)
    save_state(file, tensors)
    write_plain_card(tmp_path, "tactical", VERSION, {"hidden": 8, "second": 4})
    observed, mask = observations(100, 8, 5)
    loaded = PlannedAgent.load(file, 0.5, 0.05)
    np.testing.assert_array_equal(loaded.act(observed, mask), PlannedAgent(tensors, 0.5, 0.05).act(observed, mask))
    write_plain_card(tmp_path, "tactical", VERSION + 1, {"hidden": 8, "second": 4})
    with pytest.raises(CheckpointError, match="features"):
        PlannedAgent.load(file, 0.5, 0.05)
