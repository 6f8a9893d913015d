"""The stage on one small world: files, equal bytes, theory, worked call, limits, shares, assumed values, replays. Not here: the page."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.baselines.rules import Fixed
from simulator.control.loop import run as play
from simulator.control.spans import span_steps
from simulator.objective import COMPONENTS, components_usd, objective_usd
from simulator.parameters import World
from simulator.places.tables import load_tables
from simulator.scenario import Scenario, save
from simulator.twin.fleets import twin_scenario
from tasks.core.files import read_json, write_json
from tasks.core.params import Params, load
from tasks.core.paths import Paths
from tasks.learning.tune_baselines_outputs import baselines_folder
from tasks.world import calibrate
from tasks.world.calibrate import calibration_file
from tasks.world.calibration_assumed import MEASURED, Basis, assumed_rows, weakest
from tasks.world.calibration_bill import bill
from tasks.world.calibration_world import assumed_share, run_at_home
from tasks.world.reference_places import NETWORK_SOURCES
from tasks.world.scenario_outputs import scenario_folder
from tests.worlds.stage_files import chosen_baselines, scenario_list

NAME = "calm-3"
SIZE: dict[str, Any] = {"days": 3, "apps": 40, "rate": 0.2, "split_steps": (12_000, 14_000, 16_000)}


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    return load(repository / "params.yaml").changed({f"scenario.{name}": value for name, value in SIZE.items()})


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return twin_scenario("calm", 3, **SIZE)


@pytest.fixture(scope="module")
def static(scenario: Scenario) -> Any:
    """Placements of the arm best static: every third app stays at home."""
    sampled = np.random.default_rng(4).integers(0, len(scenario.tables.zones), len(scenario.apps.app_ids))
    return np.where(np.arange(len(sampled)) % 3 == 0, scenario.apps.home, sampled)


def stage(root: Path, repository: Path, params: Params, scenario: Scenario, static: Any) -> Paths:
    paths = Paths(root)
    shutil.copytree(repository / "data" / "reference", paths.reference)
    save(scenario, scenario_folder(paths))
    write_json(scenario_folder(paths) / "scenarios.json", scenario_list(**{NAME: "calm"}))
    chosen = {app: scenario.tables.zones[p] for app, p in zip(scenario.apps.app_ids, static, strict=True)}
    write_json(baselines_folder(paths) / "chosen.json", chosen_baselines({NAME: {"best_static": chosen}}))
    calibrate.run(params, paths)
    return paths


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, repository: Path, params: Params, scenario: Scenario, static: Any) -> Paths:
    return stage(tmp_path_factory.mktemp("built"), repository, params, scenario, static)


@pytest.fixture(scope="module")
def found(built: Paths) -> dict[str, Any]:
    content: dict[str, Any] = read_json(calibration_file(built))
    return content


def of_kind(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    rows = [row for row in found["checks"] if row["kind"] == kind]
    assert rows, kind
    return rows


def test_files_and_equal_bytes_in_another_folder(
    built: Paths, found: dict[str, Any], tmp_path: Path, repository: Path, params: Params, scenario: Scenario, static: Any
) -> None:
    assert sorted(f.name for f in (built.reports / "world").iterdir()) == ["calibration.csv", "calibration.json"]
    with (built.reports / "world" / "calibration.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["what"] for row in rows] == [row["what"] for row in found["checks"]]
    assert tuple(rows[0]) == calibrate.COLUMNS
    assert (found["scenario"], found["apps"], found["calls"]) == (NAME, 40, len(scenario.calls.arrival_us))
    again = stage(tmp_path, repository, params, scenario, static)
    assert {f.name: f.read_bytes() for f in (again.reports / "world").iterdir()} == {
        f.name: f.read_bytes() for f in (built.reports / "world").iterdir()
    }


def test_theory_is_met(found: dict[str, Any]) -> None:
    rows = of_kind(found, "theory")
    assert [row["what"] for row in rows if not row["is_within"]] == []
    assert all(row["low"] < row["expected"] < row["high"] and row["standard_error"] > 0 for row in rows)


def test_the_worked_call_is_exact(found: dict[str, Any]) -> None:
    for row in of_kind(found, "hand"):
        assert row["found"] == row["expected"] == row["low"] == row["high"], row["what"]
        assert row["is_within"]


def test_a_small_world_is_not_judged_by_the_figures_of_the_large_one(found: dict[str, Any], params: Params, repository: Path) -> None:
    assert {row["is_within"] for row in of_kind(found, "prototype")} == {None}
    assert calibrate._is_full_size(load(repository / "params.yaml"))
    assert not calibrate._is_full_size(params)


def test_limits_are_shares_and_correlations(found: dict[str, Any], scenario: Scenario) -> None:
    limits = found["limits"]
    shares = [name for name in limits if "share" in name]
    assert len(shares) == 4
    assert all(0 <= limits[name] <= 1 for name in shares)
    assert all(-1 <= limits[name] <= 1 for name in limits if name.startswith(("carbon_correlation", "congestion")))
    assert limits["carbon_correlation_same_metro"] == 1.0
    assert 0 < limits["carbon_share_at_0_19"] < limits["carbon_share_at_1"]
    assert limits["room_of_a_zone"] == pytest.approx(scenario.conditions.capacity.mean())
    assert limits["busy_instances"] > 0


def test_places_hold_every_call_of_the_test_span(found: dict[str, Any], scenario: Scenario, static: Any) -> None:
    places = found["places"]
    assert [row["region"] for row in places] == list(scenario.tables.regions)
    begin, end = (step * scenario.world.step_us for step in span_steps(scenario, "test"))
    first, arrival = scenario.calls.first_call, scenario.calls.arrival_us
    calls = [int(((arrival[a:b] >= begin) & (arrival[a:b] < end)).sum()) for a, b in pairwise(first)]
    for kind, placement in (("home", scenario.apps.home), ("static", static)):
        assert sum(row[f"{kind}_share"] for row in places) == pytest.approx(1, abs=1e-8)
        region = scenario.tables.region_of_placement[placement]
        for r, row in enumerate(places):
            own = sum(n for n, at in zip(calls, region, strict=True) if at == r)
            assert row[f"{kind}_share"] == pytest.approx(own / sum(calls), abs=1e-8), (kind, row["region"])
    moved = sum(
        n for n, a, b in zip(calls, scenario.apps.home, static, strict=True)
        if scenario.tables.region_of_placement[a] != scenario.tables.region_of_placement[b]
    )  # fmt: skip
    assert sum(row["share"] for row in found["shifts"]) == pytest.approx(moved / sum(calls), abs=1e-8)
    assert [row["share"] for row in found["shifts"]] == sorted((row["share"] for row in found["shifts"]), reverse=True)
    prices = {row["region"]: row for row in places}
    assert prices["azure:japaneast"]["price_basis"] == "assumed"
    assert prices["aws:us-east-1"]["price_basis"] == "verified"
    assert prices["aws:us-east-1"]["nanousd_per_s_of_256_mb"] == 4167


def test_what_the_moved_calls_save(found: dict[str, Any], scenario: Scenario, static: Any) -> None:
    """All apps that change region, component by component, are the sum of the rows."""
    region = scenario.tables.region_of_placement
    moved = region[scenario.apps.home] != region[static]
    sums = [play(scenario, Fixed("own", place), found["luck_seed"]).out.sum(axis=1)[moved] for place in (scenario.apps.home, static)]
    before, after = (components_usd(part.sum(axis=0), scenario.objective) for part in sums)
    for name in COMPONENTS[:-1]:
        assert sum(row[f"{name}_usd"] for row in found["shifts"]) == pytest.approx(float(after[name] - before[name]), abs=1e-7), name


def test_the_first_row_of_the_sensitivity_is_the_replay(found: dict[str, Any], scenario: Scenario, static: Any) -> None:
    first, *others = found["sensitivity"]
    assert (first["change"], first["home_change"]) == ("defaults", 0)
    for kind, placement in (("home", scenario.apps.home), ("static", static)):
        fleet = play(scenario, Fixed("own", placement), found["luck_seed"])
        own = float(objective_usd(fleet.out.sum(axis=(0, 1)), scenario.objective))
        assert first[f"{kind}_usd"] == pytest.approx(own, rel=1e-8)
        assert 0 < first[f"{kind}_assumed"] < 1
    assert first["static_of_home"] == pytest.approx(first["static_usd"] / first["home_usd"], rel=1e-8)
    assert len({row["change"] for row in found["sensitivity"]}) == len(found["sensitivity"]) == 13
    assert all(row["home_change"] == pytest.approx(row["home_usd"] / first["home_usd"] - 1, abs=1e-8) for row in others)
    assert any(abs(row["home_change"]) > 0.01 for row in others)


def test_every_assumed_value_names_table_and_row(found: dict[str, Any], built: Paths) -> None:
    rows = found["assumed"]
    assert all(row["table"] and row["row"] and row["value"] and row["unit"] and row["why"] for row in rows)
    assert len({(row["table"], row["row"], row["column"], row["unit"]) for row in rows}) == len(rows)
    for row in rows:
        if row["table"] == "params.yaml":
            continue
        with (built.reference / row["table"]).open(encoding="utf-8", newline="") as handle:
            content = list(csv.DictReader(handle))
        if row["row"] == "aws, azure, gcp":  # a rule of the clouds, listed once for all of them
            of_cloud = {line["cloud"]: line[row["column"]] for line in content}
            assert all(cloud in row["value"] and value in row["value"] for cloud, value in of_cloud.items()), row
            continue
        lines = [line for line in content if set(row["row"].replace(" to ", " ").split()) <= set(line.values())]
        assert any((line[row["column"]] or "none") == row["value"] for line in lines), row


def test_the_assumed_rows_are_those_that_the_tables_count(built: Paths) -> None:
    world = World()
    rows = assumed_rows(built.reference, world)
    counts = Counter((row["table"], row["row"].split()[1] if row["table"] == "prices.csv" else "") for row in rows)
    said = {line.split(":")[0]: 0 for line in load_tables(built.reference, world).assumed}
    for line in load_tables(built.reference, world).assumed:
        said[line.split(":")[0]] += int(line.split("(")[1].split()[0])
    network = {row["row"] for row in rows if row["table"] == "network.csv"}
    assert len(network) == said.pop("network.csv")
    rules = [row for row in rows if row["row"] == "aws, azure, gcp"]  # listed once for three clouds
    unlisted = {"clouds.csv": 1}  # azure's cold starts are free of charge as far as anybody says: the sensitivities do not vary it
    for table, count in said.items():
        more = 2 * sum(row["table"] == table for row in rules) + unlisted.get(table, 0)
        assert sum(n for (name, _), n in counts.items() if name == table) + more == count, table
    verified = {short for short, _, _, confidence in NETWORK_SOURCES.values() if confidence == "verified" and short != "none"}
    assert set(MEASURED) == verified
    quota = next(row for row in rows if row["row"] == "world.quota_per_placement")
    assert quota["value"] == str(world.quota_per_placement)


def test_the_bill_says_which_of_its_steps_are_assumed(found: dict[str, Any], built: Paths) -> None:
    steps = {step["step"]: step["basis"] for step in found["bill"]["steps"]}
    assert set(steps.values()) <= {"verified", "replayed", "computed", "preference", "drawn", "assumed"}
    cloud, zone = found["bill"]["call"]["zone"].split(":")
    with (built.reference / "zones.csv").open(encoding="utf-8", newline="") as handle:
        region = next(f"{cloud}:{row['region']}" for row in csv.DictReader(handle) if (row["cloud"], row["zone"]) == (cloud, zone))
    with (built.reference / "prices.csv").open(encoding="utf-8", newline="") as handle:
        prices = {row["item"]: row["confidence"] for row in csv.DictReader(handle) if row["region"] == region}
    assert steps["Request"] == prices["requests"]
    assert steps["Execution price"] == ("assumed" if prices["execution"] == "assumed" else "drawn")
    assert steps["Egress, out"] == ("assumed" if prices["internet_egress"] == "assumed" else "drawn")
    assert (steps["Slowdown"], steps["Fetch"], steps["Miss"]) == ("assumed", "assumed", "preference")
    assert [weakest("verified", "drawn"), weakest("drawn", "assumed", "verified"), weakest("verified")] == ["drawn", "assumed", "verified"]


@pytest.mark.parametrize(
    ("region", "basis"),
    [
        ("azure:japaneast", ["assumed", "assumed", "assumed", "assumed", "assumed"]),
        ("aws:us-east-1", ["verified", "verified", "drawn", "drawn", "drawn"]),
        ("gcp:asia-south1", ["verified", "assumed", "assumed", "assumed", "drawn"]),
    ],
)
def test_the_basis_of_a_bill_is_that_of_its_region(region: str, basis: list[str], scenario: Scenario, built: Paths) -> None:
    t = scenario.tables
    place = int(np.flatnonzero(t.region_of_placement == t.regions.index(region))[0])
    there = replace(scenario, apps=replace(scenario.apps, home=np.full_like(scenario.apps.home, place)))
    steps = {step["step"]: step["basis"] for step in bill(there, 1, built.reference)["steps"]}
    assert [steps[name] for name in ("Billed time", "Request", "Execution price", "Egress, out", "Energy, busy")] == basis


def test_the_share_at_assumed_prices_goes_from_nothing_to_all(
    found: dict[str, Any], built: Paths, scenario: Scenario, params: Params, tmp_path: Path
) -> None:
    sums = run_at_home(scenario, params.section("calibrate", calibrate.Settings).luck_seed).out.sum(axis=1)
    own = assumed_share(scenario, sums, scenario.apps.home, Basis(built.reference))
    assert found["limits"]["assumed_prices_share_of_home"] == pytest.approx(own, rel=1e-8)
    parts = components_usd(sums.sum(axis=0), scenario.objective)
    money = float((parts["execution"] + parts["egress"]) / sum(parts.values()))
    for old, new, share in ((",assumed", ",verified", 0.0), (",verified", ",assumed", money)):
        folder = tmp_path / new[1:]
        shutil.copytree(built.reference, folder)
        for name in ("prices.csv", "network.csv"):
            text = (folder / name).read_text(encoding="utf-8").replace(old, new)
            (folder / name).write_text(text, encoding="utf-8")
        assert assumed_share(scenario, sums, scenario.apps.home, Basis(folder)) == pytest.approx(share, abs=1e-12)


def test_json_is_plain(built: Paths) -> None:
    text = calibration_file(built).read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["family"] == "calm"
