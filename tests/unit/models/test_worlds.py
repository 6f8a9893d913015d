"""Fleets as worlds of learners: who decides, who stays at home, what is seen. Not here: learners."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.errors import ParameterError
from models.networks import generators
from models.strategic.dqn import DQNAgent, DqnSettings, DqnTraining, QNetwork
from models.tactical.ppo import ActorCritic, PPOAgent, PpoSettings, PpoTraining
from models.training import History, device_of
from models.worlds import FleetWorld, Worlds
from simulator.control.decision import Composite
from simulator.control.judge import evaluate
from simulator.control.reward import Reward
from simulator.control.view import Facts
from simulator.envs.episodes import Stage
from simulator.envs.strategic import StrategicEpisodes
from simulator.envs.tactical import TacticalEpisodes
from simulator.scenario import Scenario

CPU = device_of("cpu")
OPTIONS = {"span": "train", "luck_seed": 1, "reward": Reward()}


@pytest.fixture(scope="module")
def stage(scenario: Scenario) -> Stage:
    return Stage.of(scenario, 1, Reward())


def test_apps_with_too_few_calls_stay_at_home(stage: Stage) -> None:
    few = replace(stage, is_eligible=np.arange(12) % 2 == 0)
    for kind in (TacticalEpisodes, StrategicEpisodes):
        world = FleetWorld([few], kind, multiple=4, intervals=8, **OPTIONS)
        assert world.envs == 4
        world.begin(3)
        assert set(world.chosen) <= {0, 2, 4, 6, 8, 10}
        others = np.setdiff1d(np.arange(12), world.chosen)
        for step in range(8):
            stepped = world.step(np.full(4, step % world.actions))
            assert stepped.is_over.tolist() == [step == 7] * 4
            assert not stepped.is_terminal.any()
            if kind is TacticalEpisodes:
                assert (world.run.fleet.placement[others] == few.scenario.apps.home[others]).all()
        assert stepped.seen.observed.shape == (4, world.inputs)
        assert stepped.seen.mask.dtype == np.bool_


def test_the_same_seed_begins_the_same_episode_and_worlds_are_stacked(stage: Stage) -> None:
    one, two = (FleetWorld([stage, stage], TacticalEpisodes, multiple=2, intervals=4, **OPTIONS) for _ in range(2))
    first, again, other = one.begin(7), two.begin(7), one.begin(8)
    np.testing.assert_array_equal(first.observed, again.observed)
    assert not np.array_equal(first.observed, other.observed)
    assert one.run.luck_seed != two.run.luck_seed
    assert min(one.run.luck_seed, two.run.luck_seed) >= 100
    worlds = Worlds([one, two], generators([1, 2]), CPU)
    observed, mask = worlds.begin()
    assert (observed.shape, mask.shape) == ((2, worlds.envs, 7), (2, worlds.envs, 24))
    assert torch.isnan(torch.tensor(worlds.episodic_return())).all()
    total = np.zeros((2, worlds.envs))
    for _ in range(4):
        _, _, outcome = worlds.step(torch.zeros(2, worlds.envs, dtype=torch.int64))
        total += outcome.rewards.numpy()
    np.testing.assert_allclose(worlds.episodic_return(), total.mean(axis=1), rtol=1e-5)


def test_a_fleet_without_apps_to_learn_from_is_an_error(stage: Stage) -> None:
    none = replace(stage, is_eligible=np.zeros(12, dtype=np.bool_))
    with pytest.raises(ParameterError, match="0 apps with enough train calls"):
        FleetWorld([none], TacticalEpisodes, intervals=8, **OPTIONS)


def test_both_learners_train_on_fleets_and_are_judged_as_policies(stage: Stage, scenario: Scenario) -> None:
    """One stretch each; what they learned is judged by the one loop, alone and one above the other."""
    facts = Facts.of(scenario)
    tactical = [FleetWorld([stage], TacticalEpisodes, multiple=4, intervals=8, **OPTIONS)]
    ppo = PpoTraining(
        [PpoSettings(envs=4, steps=8, minibatch=32, epochs=1)],
        tactical,
        [1],
        lambda random, device: ActorCritic(7, 24, random, device),
        History("tactical", "ppo_specified", [1]),
        transitions=64,
        stretch=8,
        score=None,
        device=CPU,
    )
    strategic = [FleetWorld([stage], StrategicEpisodes, intervals=4, **OPTIONS)]
    dqn = DqnTraining(
        [DqnSettings(warm_up=1)],
        strategic,
        [1],
        lambda random, device: QNetwork(20, 3, random, device),
        History("strategic", "dqn_specified", [1]),
        transitions=64,
        stretch=4,
        score=None,
        device=CPU,
    )
    for training in (ppo, dqn):
        before = training.network.flat.detach().clone()
        assert [progress.done for progress in training.run()][-1] == training.units
        assert not torch.equal(before, training.network.flat)
        assert any(row["metric"] == "charts/episodic_return" for row in training.history.rows())
    placing, choosing = PPOAgent(ppo.tensors(0)), DQNAgent(dqn.tensors(0))
    alone = Composite("ppo", tactical=placing.policy(facts))
    both = Composite("both", strategic=choosing.policy(facts), tactical=placing.policy(facts))
    calls = [evaluate(scenario, policy, 1)["calls"].sum() for policy in (alone, both)]
    assert calls[0] == calls[1] > 0
