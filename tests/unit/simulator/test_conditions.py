"""Utilisation, outages, slowdown and carbon: which day is played when, what no draw depends on, published statistics."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from core.errors import ParameterError
from simulator.conditions import CellSeries, Conditions, build_conditions, cell_series, profile_carbon, slowdown_permille, utc_offsets_min
from simulator.parameters import Episodes, Outages, Utilisation, World
from simulator.places.tables import Tables, load_tables
from simulator.twin.google2019 import CELLS, generate_google2019

STEPS, DAY = 80_640, 288
QUIET = {"episodes": Episodes(per_zone_14d=0), "outages": Outages(per_zone_year=0)}
# Only the cell's own movement is left, and its scale is such that nothing is cut.
REPLAY = World(utilisation=Utilisation(u_mean=0.4, zone_spread=0, zone_noise=0, drift=0), **QUIET)


@pytest.fixture(scope="module")
def tables(repository: Path) -> Tables:
    return load_tables(repository / "data" / "reference", World())


@pytest.fixture(scope="module")
def cells(repository: Path) -> dict[str, CellSeries]:
    with (repository / "data" / "reference" / "cells.csv").open(encoding="utf-8", newline="") as handle:
        timezones = {row["cell"]: row["timezone"] for row in csv.DictReader(handle)}
    twin = generate_google2019(1)
    slots = np.arange(twin.cpu_ncu.shape[1])
    return {name: cell_series(slots, twin.cpu_ncu[i], timezones[name]) for i, name in enumerate(CELLS)}


def build(
    tables: Tables, world: World, cells: dict[str, CellSeries], seed: int = 1, steps: int = STEPS, first_day: int = 0, month: int = 2
) -> Conditions:
    return build_conditions(tables, world, seed, steps, cells, profile_carbon(tables, month, 336), first_day=first_day)


def stairs(days: int = 28) -> dict[str, CellSeries]:
    """Cells whose day d (a Sunday when d is a multiple of 7) has the constant use 1 + d / 100."""
    one = CellSeries(1.0 + np.repeat(np.arange(days), DAY) / 100.0, 0)
    return dict.fromkeys("abcdefgh", one)


def days_played(tables: Tables, seed: int = 1, first_day: int = 0, steps: int = STEPS) -> list[list[tuple[int, int]]]:
    """Per zone, (local day, day of the cell that is played) of every whole local day, read at its noon."""
    found = build(tables, REPLAY, stairs(), seed, steps, first_day).utilisation_ppm
    offset = utc_offsets_min(tables.timezone, REPLAY.carbon.start)[tables.metro_of_region[tables.region_of_placement]] // 5
    out = []
    for p, values in enumerate(found):
        noons = np.arange(-1, steps // 5760 + 1) * DAY + DAY // 2 - offset[p]
        noons = noons[(noons >= 0) & (noons < len(values))]
        number = (noons + offset[p]) // DAY + first_day
        out.append(list(zip(number.tolist(), np.rint((values[noons] / 400_000 - 1.0) * 100).astype(int).tolist(), strict=True)))
    return out


@pytest.mark.parametrize("first_day", [0, 3, 20])
def test_weekdays_play_weekdays_and_none_twice_in_a_fortnight(tables: Tables, first_day: int) -> None:
    for zone in days_played(tables, first_day=first_day):
        assert len(zone) >= 13
        for number, played in zone:
            assert (number % 7 in (0, 6)) == (played % 7 in (0, 6))
        if first_day == 0:  # 8 weekend days and 20 weekdays are a round; another start may lie across two rounds
            inside = [played for number, played in zone if number >= 0]
            assert len(set(inside)) == len(inside)


def test_no_two_zones_play_the_same_order(tables: Tables) -> None:
    orders = {tuple(played for number, played in zone if 0 <= number < 13) for zone in days_played(tables)}
    assert len(orders) == len(tables.zones)
    assert days_played(tables, seed=2) != days_played(tables, seed=1)


def test_a_day_takes_over_in_the_first_hour_after_local_midnight(tables: Tables) -> None:
    found = build(tables, REPLAY, stairs()).utilisation_ppm
    offset = utc_offsets_min(tables.timezone, REPLAY.carbon.start)[tables.metro_of_region[tables.region_of_placement]] // 5
    for p, values in enumerate(found):
        changed = (np.flatnonzero(np.diff(values)) + 1 + offset[p]) % DAY
        assert set(changed.tolist()) <= set(range(13))
        assert len(changed) > 100


def test_the_offsets_are_those_of_the_date() -> None:
    zones = ("America/New_York", "Europe/Berlin", "Europe/London", "Asia/Kolkata", "Australia/Sydney", "America/Sao_Paulo")
    assert utc_offsets_min(zones, dt.date(2023, 1, 29)).tolist() == [-300, 60, 0, 330, 660, -180]
    assert utc_offsets_min(zones, dt.date(2019, 5, 15)).tolist() == [-240, 120, 60, 330, 600, -180]


def test_a_cell_is_laid_on_its_local_calendar_and_gaps_are_filled() -> None:
    series = cell_series(np.array([1068, 1070, 1071]), np.array([1.0, 3.0, 2.0]), "America/New_York")
    assert series.first_slot == -48  # Sunday 00:00 UTC is Saturday 20:00 in New York
    assert series.relative.tolist() == [0.5, 1.0, 1.5, 1.0]
    with pytest.raises(ParameterError, match="no CPU use"):
        cell_series(np.array([0, 1]), np.zeros(2), "Asia/Tokyo")


def test_a_longer_scenario_begins_with_the_shorter_one(tables: Tables, cells: dict[str, CellSeries]) -> None:
    short, long = build(tables, World(), cells, steps=17_280), build(tables, World(), cells)
    for field in dataclasses.fields(Conditions):
        one, other = getattr(short, field.name), getattr(long, field.name)
        np.testing.assert_array_equal(one, other[:, : one.shape[1]], err_msg=field.name)


def test_the_order_of_the_zones_only_permutes(tables: Tables, cells: dict[str, CellSeries]) -> None:
    order = np.random.default_rng(1).permutation(len(tables.zones))
    moved = dataclasses.replace(
        tables,
        zones=tuple(tables.zones[p] for p in order),
        cells=tuple(tables.cells[p] for p in order),
        region_of_placement=tables.region_of_placement[order],
    )
    one, other = build(tables, World(), cells), build(moved, World(), cells)
    np.testing.assert_array_equal(one.utilisation_ppm[order], other.utilisation_ppm)
    np.testing.assert_array_equal(one.carbon_mg_per_kwh, other.carbon_mg_per_kwh)


def test_capacity_and_slowdown_follow_the_utilisation(tables: Tables, cells: dict[str, CellSeries]) -> None:
    world = World(quota_per_placement=45, outages=Outages(per_zone_year=26))
    found = build(tables, world, cells)
    u, capacity = found.utilisation_ppm.astype(object), found.capacity
    is_out = found.utilisation_ppm == 1_000_000
    assert (capacity[is_out] == 0).all()
    assert (capacity[~is_out] == np.maximum(45 * (1_000_000 - u[~is_out]) // 1_000_000, 1)).all()
    assert found.utilisation_ppm[~is_out].min() >= 50_000
    assert found.utilisation_ppm[~is_out].max() <= 980_000
    slowdown = slowdown_permille(np.array([0, 600_000, 720_000, 800_000, 1_000_000], dtype=np.int32), world)
    assert slowdown.tolist() == [1000, 1000, 1180, 1500, 3000]
    np.testing.assert_array_equal(found.slowdown_permille, slowdown_permille(found.utilisation_ppm, world))


def test_outages_and_episodes_come_at_their_rate(tables: Tables) -> None:
    world = REPLAY.model_copy(update={"outages": Outages(per_zone_year=26)})
    flat = dict.fromkeys("abcdefgh", CellSeries(np.ones(28 * DAY), 0))
    begun, slots = 0, 0
    for seed in range(6):
        out = build(tables, world, flat, seed).utilisation_ppm == 1_000_000
        begun += int((out[:, 1:] & ~out[:, :-1]).sum() + out[:, 0].sum())
        slots += int(out.sum())
    expected = 26 * 14 / 365 * len(tables.zones) * 6
    assert abs(begun - expected) <= 3 * np.sqrt(expected)
    assert slots * 5 / begun == pytest.approx(60 * np.exp(0.8**2 / 2), rel=0.2)  # mean of the log-normal lengths, minutes
    world = REPLAY.model_copy(update={"episodes": Episodes(per_zone_14d=2)})
    busy = np.concatenate([build(tables, world, flat, seed).utilisation_ppm - 400_000 for seed in range(6)])
    begun = int(((busy[:, 1:] > 0) & (busy[:, :-1] == 0)).sum())
    assert abs(begun - 2 * len(busy)) <= 3 * np.sqrt(2 * len(busy))
    assert busy[busy > 0].min() >= 125_000
    assert np.median(busy[busy > 0]) == pytest.approx(250_000, rel=0.1)


def test_statistics_of_the_defaults(tables: Tables, cells: dict[str, CellSeries]) -> None:
    """Near the figures of the prototype that chose the defaults: level 0.51-0.68 by zone, deviation 0.094, memory of minutes and hours."""
    for seed in (1, 2, 3):
        found = build(tables, World(), cells, seed)
        u = np.where(found.utilisation_ppm == 1_000_000, np.nan, found.utilisation_ppm / 1e6)
        level = np.nanmean(u, axis=1)
        assert 0.57 < level.mean() < 0.63
        assert 0.43 < level.min() < level.max() < 0.77
        assert np.nanstd(u, axis=1).mean() == pytest.approx(0.094, abs=0.01)
        centred = np.nan_to_num(u - level[:, None])
        power = (centred**2).sum(axis=1)
        memory = [float(np.median((centred[:, k:] * centred[:, :-k]).sum(axis=1) / power)) for k in (1, 5, 50)]
        assert memory == pytest.approx([0.96, 0.86, 0.45], abs=0.08)
        correlation = np.corrcoef(centred)
        region = tables.region_of_placement
        siblings = correlation[(region[:, None] == region[None, :]) & ~np.eye(len(region), dtype=bool)]
        assert siblings.mean() == pytest.approx(0.17, abs=0.08)
        s = found.slowdown_permille[found.utilisation_ppm < 1_000_000] / 1000
        assert s.mean() == pytest.approx(1.07, abs=0.02)
        assert np.percentile(s, 95) == pytest.approx(1.36, abs=0.08)


def test_carbon_is_the_profile_of_the_month_or_the_hours_given(tables: Tables, cells: dict[str, CellSeries]) -> None:
    found = build(tables, World(), cells, steps=17_280, month=7).carbon_mg_per_kwh
    assert found.shape == (len(tables.regions), 72)
    for r, m in enumerate(tables.metro_of_region):
        np.testing.assert_array_equal(found[r], np.tile(tables.carbon_profile_mg_per_kwh[m, 6], 3))
    hourly = np.arange(len(tables.metros) * 80).reshape(len(tables.metros), 80)
    given = build_conditions(tables, World(), 1, 17_280, cells, hourly).carbon_mg_per_kwh
    np.testing.assert_array_equal(given, hourly[tables.metro_of_region, :72])
    with pytest.raises(ParameterError, match="has 80 hours, the scenario needs 336"):
        build_conditions(tables, World(), 1, STEPS, cells, hourly)


def test_a_zone_without_a_usable_cell_is_named(tables: Tables) -> None:
    with pytest.raises(ParameterError, match="replays cell 'a', which has no series"):
        build(tables, World(), {k: v for k, v in stairs().items() if k != "a"})
    with pytest.raises(ParameterError, match="no whole day"):
        build(tables, World(), dict.fromkeys("abcdefgh", CellSeries(np.ones(300), 1)))
