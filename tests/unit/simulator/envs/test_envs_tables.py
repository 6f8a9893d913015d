"""The environments on other reference tables: more and fewer places, and the same places in another order of rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

from simulator.scenario import Scenario
from tests.worlds.changed_tables import shuffle_rows, with_a_region_more, without_cloud, without_metro
from tests.worlds.env_worlds import APPS, KINDS, fleet_of, make_scenario, naive_features, single

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
CHANGES: dict[str, tuple[Callable[[Path, Path], Path], list[int]]] = {  # placements of each cloud afterwards
    "a region more": (with_a_region_more, [27, 24, 24]),
    "a metro less": (lambda reference, to: without_metro(reference, to, "gru"), [21, 21, 21]),
    "a cloud less": (lambda reference, to: without_cloud(reference, to, "azure"), [24, 24]),
}
DECISIONS = {"Strategic": 12, "Tactical": 60, "TacticalCandidates": 60, "Autoscale": 200}


@pytest.fixture(scope="module", params=CHANGES)
def changed(request: pytest.FixtureRequest, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, list[int]]:
    change, sizes = CHANGES[request.param]
    folder = change(repository / "data" / "reference", tmp_path_factory.mktemp("tables") / "reference")
    return make_scenario(repository, reference=folder), sizes


@pytest.fixture(scope="module")
def shuffled(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    folder = shuffle_rows(repository / "data" / "reference", tmp_path_factory.mktemp("tables") / "reference", seed=5)
    return make_scenario(repository, reference=folder)


@pytest.mark.parametrize("kind", KINDS)
def test_spaces_have_the_sizes_of_the_tables(changed: tuple[Scenario, list[int]], kind: str, recwarn: pytest.WarningsRecorder) -> None:
    scenario, sizes = changed
    clouds, most = len(sizes), max(sizes)
    pools = int(np.diff(scenario.apps.first_function).max())
    shape, actions = {
        "Strategic": ((5 * clouds + 5,), clouds),
        "Tactical": ((clouds + 4,), most),
        "TacticalCandidates": ((most, 11), most),
        "Autoscale": ((12, 5), 4**pools * 3),
    }[kind]
    env = single(kind, scenario, intervals=4)
    assert env.observation_space.shape == shape
    assert (np.prod(env.action_space.nvec) if kind == "Autoscale" else env.action_space.n) == actions
    check_env(env.unwrapped)
    assert [str(w.message) for w in recwarn if "WARN" in str(w.message)] == []
    fleet = fleet_of(kind, scenario, intervals=4)
    fleet.action_space.seed(1)
    seen, _ = fleet.reset(seed=1)
    assert seen.shape == (APPS, *shape)
    for _ in range(6):
        seen, rewards, *_ = fleet.step(fleet.action_space.sample())
        assert fleet.observation_space.contains(seen)
        assert np.isfinite(rewards).all()


def test_tactical_features_are_those_of_their_definitions(changed: tuple[Scenario, list[int]]) -> None:
    scenario, _ = changed
    env = fleet_of("Tactical", scenario)
    env.action_space.seed(2)
    seen, info = env.reset(seed=2)
    for k in range(60):
        fleet = env.unwrapped.runs[0].fleet
        if k % 20 == 0:
            for app in range(APPS):
                expected = naive_features(scenario, fleet.step, app, int(fleet.placement[app]), int(info["cloud"][app]))
                assert seen[app] == pytest.approx(expected, abs=2e-6)
        seen, _, _, _, info = env.step(env.action_space.sample())


def test_candidates_beyond_a_smaller_cloud_are_empty_and_mean_to_stay(changed: tuple[Scenario, list[int]]) -> None:
    scenario, sizes = changed
    env = fleet_of("TacticalCandidates", scenario)
    for cloud, size in enumerate(sizes):
        seen, info = env.reset(seed=1, options={"cloud": cloud})
        run = env.unwrapped.runs[0]
        assert seen.any(axis=2).sum(axis=1).tolist() == [size] * APPS
        assert (info["action_mask"][:, :size].sum(axis=1) > 0).all()
        assert not info["action_mask"][:, size:].any()
        env.step(np.full(APPS, max(sizes) - 1))
        moved = run.fleet.placement != scenario.apps.home
        assert moved.any() == (size == max(sizes))


def paired(names: tuple[str, ...], others: tuple[str, ...]) -> Int64:
    """Position of each of `names` in `others`."""
    found = np.array([others.index(name) for name in names])
    assert (found != np.arange(len(names))).any()
    return found


def played(
    kind: str, scenario: Scenario, actions: list[NDArray[Any]], cloud: Int64
) -> list[tuple[NDArray[np.float32], Any, dict[str, Any]]]:
    """Observation before, reward and info of each decision."""
    env = fleet_of(kind, scenario)
    seen, info = env.reset(seed=1, options={} if kind in ("Strategic", "Autoscale") else {"cloud": cloud})
    found = []
    for action in actions:
        after, reward, _, _, info_after = env.step(action)
        found.append((seen, reward, {**info, "objective_usd": info_after["objective_usd"]}))
        seen, info = after, info_after
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_rows_permutes_what_is_seen_and_changes_nothing_else(scenario: Scenario, shuffled: Scenario, kind: str) -> None:
    c = paired(scenario.tables.clouds, shuffled.tables.clouds)
    p = paired(scenario.tables.zones, shuffled.tables.zones)
    rng = np.random.default_rng(1)
    cloud = rng.integers(3, size=APPS)
    of_cloud, of_cloud_there = (t.cloud_of_region[t.region_of_placement] for t in (scenario.tables, shuffled.tables))
    here = np.stack([np.flatnonzero(of_cloud == k) for k in range(3)])  # [C, N] placements of each cloud, in the order of the rows
    there = np.stack([np.flatnonzero(of_cloud_there == k) for k in c])
    at = np.stack([np.searchsorted(row, p[places]) for row, places in zip(there, here, strict=True)])  # action here -> action there
    count = DECISIONS[kind]
    if kind == "Autoscale":
        pools = int(np.diff(scenario.apps.first_function).max())
        actions = list(rng.integers([4] * pools + [3], size=(count, APPS, pools + 1)))
        actions_there = actions
    elif kind == "Strategic":
        actions = list(rng.integers(3, size=(count, APPS)))
        actions_there = [c[action] for action in actions]
    else:
        actions = list(rng.integers(24, size=(count, APPS)))
        actions_there = [at[cloud, action] for action in actions]
    one, other = played(kind, scenario, actions, cloud), played(kind, shuffled, actions_there, c[cloud])
    column = np.arange(20)  # of the strategic state
    for block in (0, 3, 6, 9, 15):
        column[block : block + 3] = block + c
    for k, ((seen, reward, info), (seen_there, reward_there, info_there)) in enumerate(zip(one, other, strict=True)):
        mask, mask_there = info.get("action_mask"), info_there.get("action_mask")
        if kind == "Strategic":
            seen_there, mask_there = seen_there[:, column], mask_there[:, c]
        elif kind == "Tactical":
            seen_there = np.concatenate([seen_there[:, :3][:, c], seen_there[:, 3:]], axis=1)
        elif kind == "TacticalCandidates":
            seen_there = seen_there[np.arange(APPS)[:, None], at[cloud]]
        if kind.startswith("Tactical"):
            mask_there = mask_there[np.arange(APPS)[:, None], at[cloud]]
        np.testing.assert_allclose(seen_there, seen, atol=1e-6, err_msg=f"decision {k}")
        np.testing.assert_array_equal(mask_there, mask)
        np.testing.assert_array_equal(info_there["objective_usd"], info["objective_usd"], err_msg=f"decision {k}")
        np.testing.assert_allclose(reward_there, reward, rtol=1e-12)
    assert np.ptp([reward for _, reward, _ in one], axis=0).max() > 0
