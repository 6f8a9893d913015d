"""The environments of gymnasium: their interface, what is seen, and that the future is not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import simulator.envs  # noqa: F401  (registers the environments)
from core.errors import ParameterError, TrineError
from core.units import SLOT_US
from simulator.control.features import tactical
from simulator.control.features.operational import QUEUE, RATE
from simulator.control.meters import pools_of
from simulator.control.reward import Reward
from simulator.control.view import UP, WORKING
from simulator.fleet import Field, Fleet
from simulator.scenario import Scenario
from tests.worlds.drawn_worlds import draw_small_world
from tests.worlds.env_worlds import APPS, KINDS, STEP_US, fleet_of, make_scenario, naive_features, single, without_future
from tests.worlds.kernel_play import busy_of


@pytest.mark.parametrize("kind", KINDS)
def test_gymnasium_finds_nothing_to_complain_about(scenario: Scenario, kind: str, recwarn: pytest.WarningsRecorder) -> None:
    env = single(kind, scenario, intervals=5)
    check_env(env.unwrapped)
    assert [str(w.message) for w in recwarn if "WARN" in str(w.message)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_episodes_end_by_truncation_alone_and_the_same_seed_gives_the_same(scenario: Scenario, kind: str) -> None:
    def episodes(seed: int) -> list[Any]:
        env = single(kind, scenario, intervals=4)
        env.action_space.seed(seed)
        found: list[Any] = []
        for episode in range(3):
            seen, info = env.reset(seed=seed if episode == 0 else None)
            assert env.observation_space.contains(seen)
            found.append((seen, info["app"]))
            for k in range(4):
                seen, reward, terminated, truncated, info = env.step(env.action_space.sample())
                assert env.observation_space.contains(seen)
                assert (terminated, truncated) == (False, k == 3)
                found.append((seen, reward))
        return found

    one, two, other = episodes(3), episodes(3), episodes(4)
    assert all(np.array_equal(a[0], b[0]) and a[1] == b[1] for a, b in zip(one, two, strict=True))
    assert any(not np.array_equal(a[0], b[0]) for a, b in zip(one, other, strict=True))


def test_episodes_go_through_the_eligible_apps(scenario: Scenario) -> None:
    env = single("Tactical", scenario, intervals=2)
    eligible = set(env.unwrapped.eligible.tolist())
    calls, train = scenario.calls, scenario.split_steps[0] * STEP_US
    count = [int((calls.arrival_us[lo:hi] < train).sum()) for lo, hi in zip(calls.first_call[:-1], calls.first_call[1:], strict=True)]
    assert eligible == {a for a, n in enumerate(count) if n >= 20}
    first = env.reset(seed=1)[1]["app"]
    assert {first} | {env.reset()[1]["app"] for _ in range(len(eligible) - 1)} == eligible
    assert env.reset(options={"app": first})[1]["app"] == first


@pytest.mark.parametrize("kind", KINDS)
def test_a_vector_of_fleets_steps_all_apps_and_begins_again(scenario: Scenario, kind: str) -> None:
    env = fleet_of(kind, [scenario, scenario], intervals=3)
    assert env.num_envs == 2 * APPS
    assert env.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.SAME_STEP
    env.action_space.seed(1)
    seen, info = env.reset(seed=1)
    assert env.observation_space.contains(seen)
    assert info["is_eligible"].shape == (2 * APPS,)
    trail = []
    for k in range(7):
        seen, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert env.observation_space.contains(seen)
        assert not terminated.any()
        assert (truncated == (k % 3 == 2)).all()
        assert ("final_obs" in info) == (k % 3 == 2)
        trail.append((seen, reward))
    env.action_space.seed(1)
    env.reset(seed=1)
    for seen, reward in trail:
        again, earned, *_ = env.step(env.action_space.sample())
        assert np.array_equal(seen, again)
        assert np.array_equal(reward, earned)


def test_the_first_observation_of_the_next_episode_comes_with_the_last_of_the_old(scenario: Scenario) -> None:
    env = fleet_of("Tactical", scenario, intervals=2)
    env.reset(seed=1)
    env.step(np.zeros(APPS, dtype=np.int64))
    seen, _, _, _, info = env.step(np.zeros(APPS, dtype=np.int64))
    assert info["_final_obs"].all()
    assert not np.array_equal(info["final_obs"], seen)
    assert env.unwrapped.runs[0].fleet.step == env.unwrapped.runs[0].fleet.start_step
    assert np.array_equal(info["action_mask"], tactical.mask(env.unwrapped.runs[0].view, env.unwrapped.runs[0].features))


def test_num_envs_is_what_the_scenarios_say(scenario: Scenario) -> None:
    assert fleet_of("Tactical", scenario, num_envs=APPS).num_envs == APPS
    with pytest.raises(ParameterError, match="num_envs is 5"):
        fleet_of("Tactical", scenario, num_envs=5)
    with pytest.raises(ParameterError, match="has no 121 whole decisions"):
        single("Tactical", scenario, intervals=121)


def test_after_the_end_comes_a_reset(scenario: Scenario) -> None:
    env = single("Tactical", scenario, intervals=1)
    env.reset(seed=1)
    assert env.step(0)[3]
    with pytest.raises(TrineError, match="the episode is over"):
        env.step(0)


def test_an_app_must_be_one_of_the_scenario_and_without_a_choice_one_to_learn_from(scenario: Scenario) -> None:
    env = single("Tactical", scenario, intervals=1)
    for app in (-1, APPS):
        with pytest.raises(ParameterError, match=f"there is no app {app}"):
            env.reset(options={"app": app})
    env = single("Tactical", scenario, intervals=1, reward=Reward(min_train_calls=10**9))
    with pytest.raises(ParameterError, match="no app has 1000000000 calls"):
        env.reset(seed=1)
    assert env.reset(options={"app": 3})[1]["app"] == 3


def test_an_option_is_one_value_or_one_a_sub_environment(scenario: Scenario) -> None:
    env = fleet_of("Tactical", [scenario, scenario])
    wanted = np.arange(2 * APPS) % 3
    seen, info = env.reset(seed=1, options={"cloud": wanted})
    assert np.array_equal(info["cloud"], wanted)
    assert np.array_equal(seen[:, :3].argmax(axis=1), wanted)
    assert env.reset(options={"cloud": 2})[1]["cloud"].tolist() == [2] * 2 * APPS


@pytest.mark.parametrize("kind", ["Tactical", "TacticalCandidates", "Autoscale"])
def test_the_spaces_follow_the_tables(kind: str) -> None:
    sizes = set()
    for seed in range(40):
        sampled = draw_small_world(seed).scenario
        world = dataclasses.replace(sampled, world=sampled.world.model_copy(update={"tactical_steps": 3}))
        if kind != "Autoscale" and world.split_steps[0] < 3 * world.world.tactical_steps:
            continue  # too short for three decisions
        of_cloud = world.tables.cloud_of_region[world.tables.region_of_placement]
        env = fleet_of(kind, world, intervals=3)
        env.action_space.seed(seed)
        seen, _ = env.reset(seed=seed)
        for _ in range(3):
            assert env.observation_space.contains(seen)
            seen, reward, *_ = env.step(env.action_space.sample())
            assert np.isfinite(reward).all()
        if kind != "Autoscale":
            assert env.single_action_space.n == np.bincount(of_cloud).max()
        sizes.add((len(world.tables.clouds), len(of_cloud)))
    assert len(sizes) > 5


@pytest.mark.parametrize("family", ["calm", "fenced"])
def test_tactical_features_are_those_of_their_definitions(scenario: Scenario, repository: Path, family: str) -> None:
    world = scenario if family == "calm" else make_scenario(repository, "fenced")
    env = fleet_of("Tactical", world)
    env.action_space.seed(2)
    seen, info = env.reset(seed=2)
    checked = 0
    for k in range(120):
        fleet, cloud = env.unwrapped.runs[0].fleet, info["cloud"]
        if k % 17 == 0:
            for app in range(APPS):
                expected = naive_features(world, fleet.step, app, int(fleet.placement[app]), int(cloud[app]))
                assert seen[app] == pytest.approx(expected, abs=2e-6)
                checked += 1
        seen, _, _, _, info = env.step(env.action_space.sample())
    assert checked == 8 * APPS


def test_candidates_are_described_one_by_one(scenario: Scenario, busiest: int) -> None:
    env = fleet_of("TacticalCandidates", scenario)
    env.reset(seed=1, options={"cloud": 2})
    run = env.unwrapped.runs[0]
    for _ in range(30):
        seen, _, _, _, info = env.step(np.full(APPS, 5))
    t, row = scenario.tables, seen[busiest]
    members = [p for p in range(len(t.zones)) if t.cloud_of_region[t.region_of_placement[p]] == 2]
    at = members[5]
    region, now = t.region_of_placement[at], run.fleet.step * STEP_US
    used = scenario.conditions.utilisation_ppm[at] / 1e6
    assert run.fleet.placement[busiest] == at
    assert row[:, 10].tolist() == [float(i == 5) for i in range(24)]
    assert row[5, 0] == pytest.approx(1 - min(1, t.data_rtt_us[scenario.apps.data_region[busiest], region] / 250_000), abs=1e-6)
    assert row[5, 4] == pytest.approx(used[now // SLOT_US - 1], abs=1e-6)
    assert row[5, 5] == pytest.approx(used[now // SLOT_US - 1] - used[now // SLOT_US - 6], abs=1e-6)
    capacity = scenario.conditions.capacity[at, now // SLOT_US - 1]
    assert row[5, 6] == pytest.approx(max(0, capacity - busy_of(run.fleet)[at]) / 6, abs=1e-6)
    assert row[5, 8] == pytest.approx(scenario.conditions.carbon_mg_per_kwh[region, now // 3_600_000_000] / 1e6, abs=1e-6)
    assert row[:, 9].max() <= 1
    assert row[:, 9].min() > 0
    assert (row[:, 2] > 0).sum() == (row[5, 2] > 0)
    assert info["action_mask"].shape == (APPS, 24)


def test_warm_counts_are_the_instances_of_the_coupled_account(scenario: Scenario) -> None:
    fleet, most = Fleet(scenario, scenario.apps.home, luck_seed=1), 0
    for step in range(500, 12000, 500):
        fleet.advance(step)
        pools, yielding = pools_of(fleet)
        home = np.repeat(scenario.apps.home, np.diff(scenario.apps.first_function))
        up, working = (np.bincount(home, pools[:, column], minlength=len(scenario.tables.zones)) for column in (UP, WORKING))
        assert np.array_equal(up, fleet.state.alive)
        assert np.array_equal(up - working, yielding)
        most = max(most, int(up.sum()))
    assert most > 0


def test_levels_replace_the_estimate(scenario: Scenario) -> None:
    levels = np.random.default_rng(1).random((APPS, len(scenario.tables.zones)))
    env = single("TacticalCandidates", scenario, levels_usd={scenario.id: levels})
    seen, info = env.reset(seed=1, options={"cloud": 1})
    app, places = info["app"], np.flatnonzero(scenario.tables.cloud_of_region[scenario.tables.region_of_placement] == 1)
    assert seen[:, 9] == pytest.approx(levels[app, places] / levels[app].max(), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_future_changes_no_observation_of_the_past(scenario: Scenario, kind: str) -> None:
    step = 400 if kind == "Autoscale" else 7000
    envs = [fleet_of(kind, world) for world in (scenario, without_future(scenario, step))]
    found = []
    for env in envs:
        env.action_space.seed(5)
        seen, info = env.reset(seed=5)
        trail = [seen]
        period = env.unwrapped.runs[0].period_steps
        for _ in range(step // period):
            seen, _, _, _, info = env.step(env.action_space.sample())
            trail.append(seen)
            trail.append(info.get("action_mask", seen))
        found.append(trail)
    assert len(found[0]) > 10
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))
    later = [env.step(env.action_space.sample())[0] for env in envs]
    if kind != "Autoscale":
        assert not np.array_equal(*later)  # the futures do differ


def test_the_window_of_autoscale_holds_the_last_steps(scenario: Scenario, busiest: int) -> None:
    env = single("Autoscale", scenario)
    env.reset(seed=1, options={"app": busiest})
    mine = scenario.calls.group_app == busiest
    count = dict(zip(scenario.calls.group_step[mine].tolist(), scenario.calls.group_calls[mine].tolist(), strict=True))
    action = np.zeros(len(env.action_space.nvec), dtype=np.int64)
    for step in range(1, 600):
        seen, *_ = env.step(action)
        rate = [np.log1p(count.get(k, 0)) / np.log1p(6) if k >= 0 else 0 for k in range(step - 12, step)]
        assert seen[:, RATE] == pytest.approx(np.clip(rate, 0, 1), abs=1e-6)
        assert seen[-1, 4] == pytest.approx(step / 5760, abs=1e-6)
    assert (seen[:, QUEUE] >= 0).all()


def test_strategic_state_of_the_calls_since_the_last_decision(scenario: Scenario) -> None:
    env = fleet_of("Strategic", scenario)
    env.reset(seed=1)
    run = env.unwrapped.runs[0]
    cloud_of_placement = run.facts.cloud_of_placement
    home_cloud = cloud_of_placement[scenario.apps.home]
    seen, *_ = env.step(home_cloud)
    out = run.fleet.out[:, 0]
    assert seen.shape == (APPS, 20)
    assert seen[:, 12] == pytest.approx(np.log1p(out[:, Field.CALLS]) / np.log1p(1e6), abs=1e-6)
    assert seen[:, 13] == pytest.approx(out[:, Field.COLD_STARTS] / np.maximum(out[:, Field.SERVED], 1), abs=1e-6)
    assert seen[:, 14] == pytest.approx(1 - out[:, Field.MISSES] / np.maximum(out[:, Field.CALLS], 1), abs=1e-6)
    assert np.array_equal(seen[:, 15:18].argmax(axis=1), cloud_of_placement[run.fleet.placement])
    angle = 2 * np.pi * 1000 / 5760
    assert seen[:, 18:] == pytest.approx(np.tile([np.sin(angle), np.cos(angle)], (APPS, 1)), abs=1e-6)
    best = run.features.clouds.best(run.features.estimate.usd(run.view))
    assert (cloud_of_placement[best] == np.arange(3)).all()
    grid = scenario.conditions.carbon_mg_per_kwh[scenario.tables.region_of_placement[best], 4]
    assert seen[:, 6:9] == pytest.approx(np.minimum(1, grid / 1e6), abs=1e-6)
