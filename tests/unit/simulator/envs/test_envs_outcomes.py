"""The environments of gymnasium: what is earned, what every action changes, what is masked, and that a learner can use them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import simulator.envs  # noqa: F401  (registers the environments)
from core.errors import ParameterError
from simulator.control.baseline import home_objective, record_home
from simulator.control.decision import Decision, PolicyBase
from simulator.control.features.operational import MOST_FLOOR
from simulator.control.home_run import load_home_run, save_home
from simulator.control.loop import run as judge_run
from simulator.control.reward import Reward, reward_scale
from simulator.control.spans import span_steps
from simulator.control.view import View
from simulator.envs.strategic import StrategicEnv
from simulator.envs.tactical import TacticalEnv
from simulator.fleet import Field
from simulator.objective import objective_usd
from simulator.scenario import Scenario, save
from tests.worlds.env_worlds import APPS, STEPS, fleet_of, make_scenario, outcome, single


class Replayed(PolicyBase):
    """The choices of an episode, for the judge; -1 stays."""

    name = "replayed"

    def __init__(self, choices: list[Any], period_steps: int) -> None:
        self.choices, self.period_steps = iter(choices), period_steps

    def decide(self, view: View) -> Decision:
        """Return the next choice."""
        chosen = next(self.choices)
        return Decision(placement=np.where(chosen < 0, view.placement, chosen))


@pytest.mark.parametrize("span", ["train", "valid"])
def test_rewards_add_up_to_what_the_judge_finds(scenario: Scenario, span: Any) -> None:
    env = fleet_of("Tactical", scenario, span=span)
    env.action_space.seed(1)
    _, info = env.reset(seed=1)
    run, choices, total, is_over = env.unwrapped.runs[0], [], np.zeros(APPS), False
    while not is_over:
        action = env.action_space.sample()
        candidates = run.features.candidates(run.view)[np.arange(APPS), action]
        choices.append(np.where(info["action_mask"][np.arange(APPS), action], candidates, -1))
        _, reward, _, truncated, info = env.step(action)
        total += reward
        is_over = bool(truncated.all())
    begin, end = span_steps(scenario, span)
    assert len(choices) == (end - begin) // 100
    judged = judge_run(scenario, Replayed(choices, 100), 1, span)
    home = home_objective(scenario)[:, begin // 100 : end // 100].sum(axis=1)
    expected = home - objective_usd(judged.out.sum(axis=1), scenario.objective)
    assert judged.out[:, :, Field.MOVES].sum() > 0
    assert total * run.scale_usd == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_single_app_earns_what_it_costs_alone(scenario: Scenario, busiest: int) -> None:
    env = single("Strategic", scenario)
    env.reset(seed=1, options={"app": busiest})
    total, spent, home = 0.0, 0.0, 0.0
    for k in range(12):
        _, reward, _, truncated, info = env.step(k % 3)
        total, spent, home = total + reward, spent + info["objective_usd"], home + info["home_usd"]
    assert truncated
    run = env.unwrapped.run
    assert home == pytest.approx(home_objective(scenario)[busiest, :120].sum())
    assert total * run.scale_usd[0] == pytest.approx(home - spent, rel=1e-9)
    assert spent == pytest.approx(float(objective_usd(run.fleet.out[0, 0], scenario.objective)), rel=1e-12)
    assert (
        run.fleet.out[0, 0, Field.CALLS]
        == (scenario.calls.group_calls[scenario.calls.group_app == busiest])[
            scenario.calls.group_step[scenario.calls.group_app == busiest] < 12000
        ].sum()
    )


def test_the_scale_is_the_mean_at_home_of_intervals_with_calls(scenario: Scenario) -> None:
    home = home_objective(scenario)
    for steps in (100, 1000):
        scale = reward_scale(scenario, home, steps, 1e-6)
        for app in range(APPS):
            mine = scenario.calls.group_step[scenario.calls.group_app == app]
            with_calls = np.unique(mine[mine < 12000] // steps)
            by_interval = home[app, :120].reshape(12000 // steps, -1).sum(axis=1)
            expected = by_interval[with_calls].mean() if len(with_calls) else 0.0
            assert scale[app] == pytest.approx(max(expected, 1e-6))


def test_rewards_are_clipped(scenario: Scenario) -> None:
    env = fleet_of("Tactical", scenario, reward=Reward(clip=0.01))
    env.action_space.seed(1)
    env.reset(seed=1)
    rewards = np.concatenate([env.step(env.action_space.sample())[1] for _ in range(20)])
    assert rewards.min() == -0.01
    assert rewards.max() <= 0.01


@pytest.mark.parametrize("kind", ["Tactical", "TacticalCandidates"])
@pytest.mark.parametrize("cloud", [0, 1, 2])
def test_every_placement_changes_the_outcome(scenario: Scenario, busiest: int, kind: str, cloud: int) -> None:
    env = single(kind, scenario)
    found = {outcome(env, action, busiest, 60, cloud=cloud) for action in range(int(env.action_space.n))}
    assert len(found) == env.action_space.n == 24


def test_every_cloud_changes_the_outcome(scenario: Scenario, busiest: int) -> None:
    env = single("Strategic", scenario)
    assert len({outcome(env, cloud, busiest, 2) for cloud in range(3)}) == 3


def test_every_floor_and_every_memory_class_changes_the_outcome_and_doing_nothing_earns_nothing(repository: Path, busiest: int) -> None:
    scenario = make_scenario(repository, quota=60)  # a quarter of a zone is enough for every floor
    env = single("Autoscale", scenario)
    pools = len(env.action_space.nvec) - 1
    nothing = np.zeros(pools + 1, dtype=np.int64)
    env.reset(seed=1, options={"app": busiest})
    earned = [env.step(nothing) for _ in range(3000)]
    assert [step[1] for step in earned] == [0.0] * 3000
    assert sum(step[4]["objective_usd"] for step in earned) > 0
    first = scenario.apps.first_function
    mine = np.flatnonzero(scenario.calls.group_app == busiest)
    steps = int(scenario.calls.group_step[mine[0]]) + 400
    own = np.unique(scenario.calls.function[scenario.calls.group_first[mine[scenario.calls.group_step[mine] < steps]]])
    home_region = scenario.tables.region_of_placement[scenario.apps.home[busiest]]
    is_shared = not scenario.tables.is_pool_per_function[scenario.tables.cloud_of_region[home_region]]
    columns = [0] if is_shared else own.tolist()
    assert max(columns) < first[busiest + 1] - first[busiest] <= pools
    found = {outcome(env, nothing, busiest, steps)}
    actions = [(column, floor) for column in columns for floor in range(1, MOST_FLOOR + 1)] + [(pools, 1), (pools, 2)]
    for column, value in actions:
        action = nothing.copy()
        action[column] = value
        found.add(outcome(env, action, busiest, steps))
    assert len(found) == 1 + len(actions)


def test_a_masked_choice_means_to_stay(scenario: Scenario, repository: Path) -> None:
    fenced = make_scenario(repository, "fenced")
    env = fleet_of("Tactical", fenced)
    _, info = env.reset(seed=1, options={"cloud": 0})
    run, home = env.unwrapped.runs[0], fenced.apps.home
    mask = info["action_mask"]
    assert 0 < mask.sum() < mask.size
    continent = np.array(fenced.tables.continent)[fenced.tables.metro_of_region[fenced.tables.region_of_placement]]
    assert np.array_equal(mask == 1, continent[run.features.candidates(run.view)] == continent[home][:, None])
    env.step(mask.argmin(axis=1))
    assert np.array_equal(run.fleet.placement, home)
    env.step(mask.argmax(axis=1))
    env.step(mask.argmin(axis=1))
    candidates = run.features.candidates(run.view)
    moved = (candidates[:, 0] >= 0).sum() - (home == candidates[np.arange(APPS), mask.argmax(axis=1)]).sum()
    assert run.fleet.out[:, 0, Field.MOVES].sum() == moved


def test_a_placement_without_capacity_is_masked(scenario: Scenario) -> None:
    seen = scenario.conditions
    capacity = seen.capacity.copy()
    capacity[:] = np.maximum(capacity, 1)
    capacity[3, 9:12] = 0
    env = fleet_of("Tactical", dataclasses.replace(scenario, conditions=dataclasses.replace(seen, capacity=capacity)))
    _, info = env.reset(seed=1, options={"cloud": int(scenario.tables.cloud_of_region[scenario.tables.region_of_placement[3]])})
    at = env.unwrapped.runs[0].features.candidates(env.unwrapped.runs[0].view)[0].tolist().index(3)
    masks = [info["action_mask"][0, at]]
    for _ in range(3):
        masks.append(env.step(np.zeros(APPS, dtype=np.int64))[4]["action_mask"][0, at])
    assert masks == [1, 1, 0, 1]  # barriers at slots 0, 5, 10, 15, each shows the slot before


class FirstZone(PolicyBase):
    """The first placement of the given cloud; remembers when it was asked and what arrived since."""

    name, scope = "first_zone", "cloud"

    def __init__(self, asked: list[tuple[int, int]]) -> None:
        self.asked = asked

    def decide(self, view: View) -> Decision:
        self.asked.append((view.step, int(view.recent[0, Field.CALLS])))
        return Decision(placement=np.array([np.flatnonzero(view.facts.cloud_of_placement == c)[0] for c in view.cloud]))


def test_a_tactical_policy_of_ones_own_is_asked_on_its_own_clock(scenario: Scenario, busiest: int) -> None:
    asked: list[tuple[int, int]] = []
    env = StrategicEnv(scenario, tactical=lambda facts: FirstZone(asked))
    env.reset(seed=1, options={"app": busiest})
    env.step(2)
    env.step(2)
    assert [step for step, _ in asked] == list(range(0, 2000, 100))
    mine = scenario.calls.group_app == busiest
    step_of, count = scenario.calls.group_step[mine], scenario.calls.group_calls[mine]
    for step, calls in asked[1:]:
        assert calls == count[(step_of >= step - 100) & (step_of < step)].sum()
    assert env.run.fleet.placement[0] == np.flatnonzero(scenario.tables.cloud_of_region[scenario.tables.region_of_placement] == 2)[0]


def test_the_run_at_home_of_a_folder_is_read(scenario: Scenario, tmp_path: Path) -> None:
    folder = save(scenario, tmp_path)
    assert np.array_equal(TacticalEnv(folder).stage.home_usd, home_objective(scenario))
    invented = np.full((APPS, -(-STEPS // 100)), 0.25)
    record_home(scenario, folder)
    run = load_home_run(folder, scenario)
    save_home(invented, run, folder)
    assert np.array_equal(TacticalEnv(str(folder)).stage.home_usd, invented)
    save_home(invented[:, 1:], run, folder)
    with pytest.raises(ParameterError, match="shape"):
        TacticalEnv(folder)


def test_stable_baselines_trains_on_it_unchanged(scenario: Scenario) -> None:
    learners = pytest.importorskip("stable_baselines3", reason="stable-baselines3 is installed in the bench environment only")
    env = gymnasium.make("trine/Tactical-v0", scenario=scenario, intervals=16)
    model = learners.PPO("MlpPolicy", env, n_steps=64, batch_size=32, n_epochs=2, seed=1, device="cpu")
    before = [p.detach().clone() for p in model.policy.parameters()]
    model.learn(256)
    assert model.num_timesteps == 256
    assert any(not bool((a == b).all()) for a, b in zip(before, model.policy.parameters(), strict=True))
    action, _ = model.predict(env.reset(seed=1)[0], deterministic=True)
    assert env.action_space.contains(int(action))
