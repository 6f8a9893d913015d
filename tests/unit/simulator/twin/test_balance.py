"""Balanced draws: what they even out, what they leave alone, and what they do not depend on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator.parameters import World
from simulator.places.tables import Tables, load_tables
from simulator.rng import text_id
from simulator.twin.azure2021 import generate_azure2021, published_calls
from simulator.twin.balance import DRAWS, FAR_US, NEIGHBOURS, balanced_draws
from simulator.workload import draw_regions
from tests.worlds.changed_tables import shuffle_rows

WORLD = World()
SEEDS = range(1, 41)


@pytest.fixture(scope="module")
def tables(repository: Path) -> Tables:
    return load_tables(repository / "data" / "reference", WORLD)


def ids_and_calls(seed: int, apps: int = 119) -> tuple[np.ndarray, np.ndarray]:
    calls = published_calls(seed, apps)
    return np.array([text_id(name) for name in calls], dtype=np.int64), np.array(list(calls.values()), dtype=np.int64)


def shares(seed: int, tables: Tables, is_balanced: bool) -> list[float]:
    """Shares of the calls: on each cloud, of global apps, of apps at home whose network path to the data alone is too long."""
    ids, calls = ids_and_calls(seed)
    draw = balanced_draws(seed, tables, WORLD, ids, calls) if is_balanced else 0
    region, data, is_global = draw_regions(seed, tables, WORLD, ids + draw)
    far = ~is_global & (tables.data_rtt_us[data, region] + WORLD.network.same_region_rtt_us > FAR_US)
    masks = [tables.cloud_of_region[region] == c for c in range(len(tables.clouds))]
    return [float(calls[mask].sum() / calls.sum()) for mask in (*masks, is_global, far)]


@pytest.mark.slow
def test_seeds_have_alike_shares_of_clouds_and_the_means_stay(tables: Tables) -> None:
    first, balanced = (np.array([shares(seed, tables, is_balanced) for seed in SEEDS]) for is_balanced in (False, True))
    clouds = len(tables.clouds)
    assert (balanced.std(axis=0)[:clouds] < 0.4 * first.std(axis=0)[:clouds]).all()
    distribution = np.append(tables.home_share_cloud / tables.home_share_cloud.sum(), WORLD.workload.global_share)
    error = balanced.std(axis=0, ddof=1) / np.sqrt(len(SEEDS))
    assert (np.abs(balanced.mean(axis=0)[: clouds + 1] - distribution) < 3 * error[: clouds + 1] + 0.01).all()
    assert np.abs(balanced.mean(axis=0) - first.mean(axis=0))[-1] < 3 * first.std(axis=0)[-1] / np.sqrt(len(SEEDS))
    assert balanced[:, clouds].std() > 0.05  # what is not balanced still differs between seeds


def test_ten_neighbours_share_a_draw_and_no_order_matters(tables: Tables) -> None:
    ids, calls = ids_and_calls(3, apps=1234)
    draws = balanced_draws(3, tables, WORLD, ids, calls)
    assert draws.min() >= 0
    assert draws.max() < DRAWS
    order = np.lexsort((ids, -calls))
    tens = np.split(draws[order], range(NEIGHBOURS, len(ids), NEIGHBOURS))
    assert len(tens) == 124
    assert all(len(set(ten.tolist())) == 1 for ten in tens)
    assert len({int(ten[0]) for ten in tens}) > 50
    mixed = np.random.default_rng(1).permutation(len(ids))
    assert balanced_draws(3, tables, WORLD, ids[mixed], calls[mixed]).tolist() == draws[mixed].tolist()


def test_the_order_of_the_tables_changes_no_draw(tmp_path: Path, repository: Path, tables: Tables) -> None:
    other = load_tables(shuffle_rows(repository / "data" / "reference", tmp_path / "reference", 5), WORLD)
    assert other.regions != tables.regions
    ids, calls = ids_and_calls(2)
    assert balanced_draws(2, other, WORLD, ids, calls).tolist() == balanced_draws(2, tables, WORLD, ids, calls).tolist()


def test_apps_without_a_call_and_no_apps_at_all(tables: Tables) -> None:
    ids, _ = ids_and_calls(1, apps=15)
    assert balanced_draws(1, tables, WORLD, ids, np.zeros(15, dtype=np.int64)).tolist() == [0] * 15  # all draws are as even
    assert balanced_draws(1, tables, WORLD, ids[:0], np.zeros(0, dtype=np.int64)).tolist() == []


def test_the_published_calls_name_the_apps_of_the_twin() -> None:
    calls, twin = published_calls(7, 30), generate_azure2021(7, 14, 30)
    assert list(calls) == twin.app_ids
    assert list(calls.values()) == np.bincount(twin.app, minlength=30).tolist()
    assert list(calls.values()) == sorted(calls.values(), reverse=True)
