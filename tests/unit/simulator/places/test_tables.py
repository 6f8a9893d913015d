"""The reference tables: the figures of the worked example, the distributions, the order of rows, and what a damaged table says."""

from __future__ import annotations

import csv
import random
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from simulator.fleet import Field, Fleet
from simulator.parameters import Network, World
from simulator.places import power, prices, rounding
from simulator.places.distributions import quantile_table
from simulator.places.table_parts import FILES
from simulator.places.tables import Tables, load_tables
from tests.worlds.changed_tables import Rows, rewrite, with_a_region_more
from tests.worlds.small_worlds import plain_scenario, plain_tables

ROOT = Path(__file__).resolve().parents[4]
REFERENCE = ROOT / "data" / "reference"
WORLD = World()


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables(REFERENCE, WORLD)


def rows_of(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_shapes_and_indices(tables: Tables) -> None:
    assert (len(tables.clouds), len(tables.metros), len(tables.regions), len(tables.zones)) == (3, 8, 24, 72)
    assert tables.clouds == ("aws", "azure", "gcp")
    assert tables.metros == ("iad", "fra", "lhr", "nrt", "sin", "syd", "bom", "gru")
    assert tables.regions[0] == "aws:us-east-1"
    assert tables.zones[0] == "aws:us-east-1a"
    placement = np.arange(72)
    assert np.array_equal(tables.region_of_placement, placement // 3)
    assert np.array_equal(tables.zone_number, placement % 3)
    assert np.array_equal(tables.cloud_of_region * 8 + tables.metro_of_region, np.arange(24))
    assert np.array_equal(tables.region_at.ravel(), np.arange(24))
    assert len(set(tables.zones)) == 72


def test_cells_follow_the_default_rule(tables: Tables) -> None:
    for placement, region in enumerate(tables.region_of_placement):
        cloud, metro = tables.cloud_of_region[region], tables.metro_of_region[region]
        assert tables.cells[placement] == "ahecgdbf"[(metro + (0, 3, 5)[cloud]) % 8]


def test_worked_example(tables: Tables) -> None:
    iad, fra = tables.regions.index("aws:us-east-1"), tables.regions.index("aws:eu-central-1")
    aws = tables.clouds.index("aws")
    assert tables.rtt_us[tables.metros.index("lhr"), iad] == 76_733
    assert tables.data_rtt_us[fra, iad] == 89_784
    assert tables.us_per_kib[fra, iad] == 14
    assert tables.egress_nanousd_per_mb[fra, iad] == 20_000
    assert tables.internet_nanousd_per_mb[iad] == 90_000
    assert tables.request_nanousd[iad] == 200
    assert tables.cold_start_us[aws, 0, 160:162].tolist() == [279_300, 279_775]
    assert tables.keep_alive_us[aws, 42:44].tolist() == [303_602_678, 303_770_089]
    assert prices.execution_fusd_per_us(tables, 256)[iad] == 4167
    assert power.busy_uw(tables, 256)[aws] == 459_442
    assert power.idle_uw(tables, 256)[aws] == 232_776
    assert tables.billing_granularity_us.tolist() == [1_000, 1_000, 100_000]
    assert tables.billing_minimum_us[tables.clouds.index("azure")] == 100_000


def test_medians_and_tails_of_cold_starts(tables: Tables) -> None:
    seconds = tables.cold_start_us / 1e6
    assert seconds[:, :, 128] == pytest.approx(np.array([[0.264, 0.669, 1.696], [1.575, 3.396, 7.320], [0.665, 1.194, 2.143]]), abs=6e-4)
    p95 = seconds[:, :, 243] * 0.8 + seconds[:, :, 244] * 0.2  # 0.95 * 256 = 243.2
    assert p95 == pytest.approx(np.array([[0.49, 0.96, 1.90], [3.83, 8.28, 17.9], [1.13, 1.71, 2.59]]), rel=0.012)
    assert (np.diff(tables.cold_start_us) >= 0).all()


def test_quartiles_of_idle_life(tables: Tables) -> None:
    seconds = tables.keep_alive_us[:, [0, 64, 128, 192, 256]] / 1e6
    assert seconds.round().tolist() == [[60, 307, 319, 334, 360], [120, 223, 335, 355, 390], [660, 907, 916, 925, 945]]
    assert (np.diff(tables.keep_alive_us) >= 0).all()


def test_the_law_of_2021_is_a_choice_of_the_parameters() -> None:
    world = World.model_validate({"keep_alive": {"source": "mikhail_2021"}})
    aws, azure, gcp = load_tables(REFERENCE, world).keep_alive_us / 60e6
    assert 5 < aws[128] < 7
    assert azure[128] == pytest.approx(22)
    assert azure[256] == 59  # 2.5 % of lives are longer than was measured: cut there
    assert 15 < gcp[128] < 16


def test_quantiles_of_a_distribution_with_a_flat_part_and_noise() -> None:
    probabilities = [Fraction(p) for p in ("0", "0", "0.5", "0.25", "1", "1")]
    table = quantile_table(probabilities, [Fraction(v) for v in (10, 20, 30, 40, 50, 60)])
    assert table[::64] == [20, 30, 40, 45, 50]  # 0.5 is reached at 30 and still holds at 40; at 50 all have died
    assert quantile_table([Fraction(1, 4), Fraction(3, 4)], [Fraction(7), Fraction(9)])[::64] == [7, 7, 8, 9, 9]


def test_network_rules(tables: Tables) -> None:
    same = np.arange(24)
    assert (tables.data_rtt_us[same, same] == WORLD.network.same_region_rtt_us).all()
    assert (tables.egress_nanousd_per_mb[same, same] == 0).all()
    assert np.array_equal(tables.data_rtt_us, tables.data_rtt_us.T)
    assert tables.us_per_kib.min() == 14  # the cap, 0.6 Gbit/s
    unmeasured = tables.regions.index("aws:sa-east-1"), tables.regions.index("azure:brazilsouth")
    assert tables.us_per_kib[unmeasured] == 14  # 5 Gbit/s in a metro / 8 > 0.6
    azure_fra = tables.regions.index("azure:germanywestcentral")
    assert tables.rtt_us[tables.metros.index("lhr"), azure_fra] == tables.data_rtt_us[tables.regions.index("azure:uksouth"), azure_fra]
    assert tables.inter_zone_nanousd_per_mb.tolist() == [20_000, 0, 20_000]
    slower = load_tables(REFERENCE, World(network=Network(same_region_rtt_us=700, cap_gbps=0.1)))
    assert (slower.data_rtt_us[same, same] == 700).all()
    assert slower.us_per_kib[0, 1] == 82


def test_prices_and_memory_rules(tables: Tables) -> None:
    aws, azure, gcp = (tables.regions.index(name) for name in ("aws:us-east-1", "azure:eastus", "gcp:us-east4"))
    assert rounding.billed_gb(tables, [100, 128, 129, 1536, 4096])[:, 1].tolist() == [0.125, 0.125, 0.25, 1.5, 1.5]
    assert rounding.billed_gb(tables, 100)[0] == 100 / 1024
    assert rounding.vcpus(tables, [[1769], [768]])[:, 0, :2].tolist() == [[1, 1769 / 1536], [768 / 1769, 0.5]]
    assert rounding.vcpus(tables, 384)[2] == pytest.approx((0.167 + 0.333) / 2)
    assert rounding.vcpus(tables, 16_384)[2] == 2
    execution, floor, on_floor = (
        {size: price(tables, size) for size in (200, 256, 1024, 2048)}
        for price in (prices.execution_fusd_per_us, prices.floor_fusd_per_us, prices.provisioned_fusd_per_us)
    )
    assert execution[200][azure] == 4_000
    assert execution[256][gcp] == round((0.25 * 2.5e-6 + 0.167 * 2.4e-5) * 1e9)
    assert floor[1024][aws] == 4167
    assert on_floor[1024][aws] == 9722
    assert on_floor[1024][azure] == execution[1024][azure]
    assert floor[2048][gcp] == 7_500
    assert tables.usd_per_gb_s[tables.regions.index("gcp:europe-west3")] == 3.5e-6


def test_rules_of_the_clouds(tables: Tables) -> None:
    assert tables.is_pool_per_function.tolist() == [True, False, True]
    assert tables.is_cold_start_billed.tolist() == [True, False, True]
    assert tables.is_floor_dropped.tolist() == [True, True, False]
    assert tables.floor_min_billed_min.tolist() == [5, 0, 0]


def test_the_bill_of_the_fleet_follows_the_rounding_of_the_tables(folder: Path) -> None:
    """2 s of 256 MB. In steps of 512 MB they cost twice as much; in steps of 10 s, five times."""
    calls = [{"arrival_us": 1_000_000, "duration_us": 999_000}]
    costs = {}
    for name, column, value in (
        ("as it is", "memory_step_mb", "0"),
        ("memory", "memory_step_mb", "512"),
        ("time", "granularity_us", "10000000"),
    ):
        rewrite(folder / "billing.csv", lambda rows, c=column, v=value: [r | {c: v} if r["cloud"] == "aws" else r for r in rows])
        billed = load_tables(folder, WORLD)
        names = ("memory_step_mb", "memory_cap_mb", "billing_granularity_us", "billing_minimum_us", "is_cold_start_billed")
        rules = {rule: getattr(billed, rule)[:1] for rule in names}
        scenario = plain_scenario(capacity=[[5]], calls=calls, tables=plain_tables(request_nanousd=0, **rules), apps={"memory_mb": 256})
        fleet = Fleet(scenario, scenario.apps.home, luck_seed=1)
        fleet.finish()
        costs[name] = int(fleet.out[:, :, Field.COST_NANOUSD].sum())
        shutil.copy(REFERENCE / "billing.csv", folder / "billing.csv")
    assert costs == {"as it is": 5_000, "memory": 10_000, "time": 25_000}


def test_shares_places_and_carbon(tables: Tables) -> None:
    assert tables.home_share_cloud.tolist() == [0.4, 0.35, 0.25]
    assert tables.home_share_metro.tolist() == [0.3, 0.15, 0.1, 0.12, 0.1, 0.08, 0.1, 0.05]
    at = dict(zip(tables.metros, tables.continent, strict=True))
    assert [m for m in at if at[m] == "americas"] == ["iad", "gru"]
    assert [m for m in at if at[m] == "europe"] == ["fra", "lhr"]
    assert tables.carbon_zones[tables.metros.index("fra")] == ("DE", "DE-LU")
    assert tables.carbon_profile_mg_per_kwh[tables.metros.index("bom"), 0, 0] == 770_720
    assert tables.timezone[tables.metros.index("gru")] == "America/Sao_Paulo"
    assert tables.lat[tables.metros.index("syd")] < 0


def test_what_is_assumed_is_listed(tables: Tables) -> None:
    text = "\n".join(tables.assumed)
    for what in (
        "clouds.csv: home_share (3 of 3",
        "metros.csv: home_share",
        "zones.csv: cell",
        "vcpu.csv: row (1 of",
        "prices.csv: provisioned (",
    ):
        assert what in text
    assert "energy.csv" not in text


def test_every_row_says_where_it_comes_from() -> None:
    for name in sorted(set(FILES) - {"regions.csv", "carbon_profiles.csv"}):  # of these two data/reference/SOURCES.md says it
        for row in rows_of(REFERENCE / name):
            assert row["as_of"], name
            assert row["licence"], name
            assert row["confidence"] in ("verified", "assumed"), name
            assert any(row[column] for column in row if column.endswith("source")), name
    assert sum(p.stat().st_size for p in REFERENCE.glob("*.csv")) < 400_000


def test_permuted_rows_permute_the_tables(tables: Tables, folder: Path) -> None:
    for name in FILES:
        rewrite(folder / name, lambda rows: random.Random(7).sample(rows, len(rows)))
    other = load_tables(folder, WORLD)
    c = np.array([other.clouds.index(name) for name in tables.clouds])
    m = np.array([other.metros.index(name) for name in tables.metros])
    r = np.array([other.regions.index(name) for name in tables.regions])
    p = np.array([other.zones.index(name) for name in tables.zones])
    assert not np.array_equal(r, np.arange(24))
    axes = {"rtt_us": (m, r), "data_rtt_us": (r, r), "us_per_kib": (r, r), "egress_nanousd_per_mb": (r, r)}
    sizes = {3: c, 8: m, 24: r, 72: p}
    renamed = {"cloud_of_region": c, "metro_of_region": m, "region_of_placement": r}
    for name, value in vars(tables).items():
        moved = getattr(other, name)
        if name in renamed:
            assert np.array_equal(moved[sizes[len(value)]], renamed[name][value]), name
        elif name == "region_at":
            assert np.array_equal(moved[np.ix_(c, m)], r[value]), name
        elif isinstance(value, np.ndarray):
            axis = np.ix_(*axes[name]) if name in axes else sizes[len(value)]
            assert np.array_equal(moved[axis], value, equal_nan=True), name
        elif name in ("assumed", "cpu_busy", "memory_w_per_gb"):
            assert moved == value, name
        else:
            for there, item in zip(sizes[len(value)], value, strict=True):
                assert np.array_equal(moved[there], item), name
    sizes_mb = (128, 700, 4096)
    assert np.array_equal(rounding.vcpus(other, sizes_mb)[:, c], rounding.vcpus(tables, sizes_mb))


def test_a_region_is_added_by_rows(tmp_path: Path) -> None:
    """A second aws region of its own metro: clients there who belong to another cloud start from it."""
    grown = load_tables(with_a_region_more(REFERENCE, tmp_path / "grown"), WORLD)
    assert len(grown.zones) == 75
    assert grown.region_at[:, 8].tolist() == [24, -1, -1]
    assert grown.rtt_us[8].tolist() == [12_000] * 24 + [1000]
    assert grown.us_per_kib[24, 0] == 22  # 3 Gbit/s between metros / 8
    assert grown.home_share_metro.sum() == pytest.approx(1)
