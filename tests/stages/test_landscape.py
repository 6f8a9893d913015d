"""From scenarios to the landscape: tune_baselines, evaluate, compare on four small worlds. Not here: rules, judge, statistics."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from core.units import HOUR_US
from models.baselines.knowledge import move_cost_usd
from models.baselines.programme import best_schedule
from models.baselines.rules import Scheduled
from models.tactical.rush_head import load as load_head
from simulator.control.counterfactual import objective_table
from simulator.control.loop import run
from simulator.control.spans import span_steps
from simulator.fleet import Field
from simulator.objective import objective_usd
from simulator.scenario import Scenario, load_scenario, save
from tasks.core.files import read_json
from tasks.core.params import Params, load
from tasks.core.paths import Paths
from tasks.core.records import read_record
from tasks.core.terms import SMALL_GAP
from tasks.evaluation import compare
from tasks.evaluation.arms.table import arm_named
from tasks.evaluation.arms.tuned import TUNED
from tasks.evaluation.compare_outputs import landscape_folder
from tasks.evaluation.evaluate_baselines import policies
from tasks.evaluation.evaluate_outputs import facts_file, rows_file
from tasks.evaluation.evaluation_record import EvaluatedBound
from tasks.evaluation.headline import PAIRS
from tasks.evaluation.landscape_record import Landscape
from tasks.evaluation.rows import KEYS
from tasks.learning import learn_planner, tune_baselines
from tasks.learning.baselines_record import ChosenBaselines
from tasks.learning.learn_planner_outputs import planner_folder
from tasks.learning.train_rush_head_outputs import WEIGHTS, rush_head_folder
from tasks.learning.tune_baselines_outputs import baselines_folder
from tasks.world.scenario_outputs import scenario_folder, training_folder
from tests.worlds.folders import contents
from tests.worlds.report_world import NAMES, REPLAYS, run_stages, small_params

FIRST = ["arm", "scenario", "family", "total_usd", "execution_usd", "egress_usd", "carbon_usd", "sla_usd", "latency_usd", "moves_usd"]
RULES = {"greedy_objective", "greedy_hysteresis", "persistence", "greedy_locality", "greedy_cold_start"}
RULES |= {"planner", "planner_response", "planner_price", "fr24_heuristic", "chen25_two_tier", "follow_the_leader"}
TABLES = ("classes.csv", "landscape.csv", "landscape.json", "without_five.csv")  # of `compare`


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    return small_params(repository)


@pytest.fixture(scope="module")
def landscape(built_world: Paths) -> pl.DataFrame:
    return pl.read_csv(landscape_folder(built_world) / "landscape.csv")


def content(paths: Paths) -> dict[str, bytes]:
    found = {
        f"{folder.name}/{name}": of
        for folder in (baselines_folder(paths), rows_file(paths, "bound").parent)
        for name, of in contents(folder).items()
    }
    return found | {name: (landscape_folder(paths) / name).read_bytes() for name in TABLES}


def test_the_tables_hold_every_arm_in_every_scenario(built_world: Paths, landscape: pl.DataFrame) -> None:
    assert landscape.columns[: len(FIRST)] == FIRST
    assert {"moves", "binding_share"} <= set(landscape.columns)
    found = set(landscape.select("arm", "scenario").iter_rows())
    arms = [arm.name for arm in read_record(landscape_folder(built_world) / "landscape.json", Landscape).arms]
    assert found == {(arm, name) for arm in arms for name in NAMES}
    assert landscape["arm"].unique(maintain_order=True).to_list() == arms
    total = landscape["total_usd"].to_numpy()
    np.testing.assert_allclose(landscape.select(FIRST[4:]).sum_horizontal().to_numpy(), total, atol=1e-8)
    calls = landscape.group_by("scenario").agg(pl.col("calls").n_unique().alias("n"))
    assert calls["n"].to_list() == [1] * 4  # every arm met the same calls
    assert (landscape["served"] + landscape["rejected"] == landscape["calls"]).all()
    for name, other in (("classes", 4), ("without_five", 1)):
        part = pl.read_csv(landscape_folder(built_world) / f"{name}.csv")
        assert part.height <= landscape.height * other
    classes = (
        pl.read_csv(landscape_folder(built_world) / "classes.csv")
        .group_by("arm", "scenario")
        .agg(pl.col("total_usd").sum(), pl.col("calls").sum())
    )
    both = landscape.join(classes, on=["arm", "scenario"], suffix="_classes")
    assert (both["calls"] == both["calls_classes"]).all()
    np.testing.assert_allclose(both["total_usd"].to_numpy(), both["total_usd_classes"].to_numpy(), atol=1e-8)


def test_the_rows_have_the_grain_arm_seed_scenario_app_hour(built_world: Paths) -> None:
    rows = pl.concat([pl.read_parquet(rows_file(built_world, group)) for group in ("baselines", "bound")])
    assert rows.height == rows.select(KEYS).n_unique()
    for group in ("baselines", "bound"):
        part = pl.read_parquet(rows_file(built_world, group)).select(KEYS)
        assert part.equals(part.sort(KEYS))
    assert rows["seed"].unique().to_list() == [1]
    assert {field.name.lower() for field in Field} <= set(rows.columns)


def test_equal_bytes_in_two_processes_in_another_folder(
    built_world: Paths, params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRINE_THREADS", "2")
    paths = Paths(tmp_path)
    for folder in (scenario_folder, training_folder):
        shutil.copytree(folder(built_world), folder(paths))
    run_stages(paths, params)
    assert content(paths) == content(built_world)


def test_every_rule_has_the_same_counted_budget(built_world: Paths, params: Params, repository: Path) -> None:
    chosen = read_record(baselines_folder(built_world) / "chosen.json", ChosenBaselines)
    counted = {count for of_scenario in chosen.replays.values() for count in of_scenario.values()}
    assert counted == {REPLAYS}
    assert set(chosen.replays) == set(NAMES)
    for rules in chosen.rules.values():
        for rule, entry in rules.items():
            shares = [tried.valid_share_of_home for tried in entry.tried]
            assert [tried.parameters for tried in entry.tried] == list(arm_named(TUNED, rule).grid[:REPLAYS])
            assert entry.parameters == entry.tried[int(np.argmin(shares))].parameters
    budget = load(repository / "params.yaml").section("tune_baselines", tune_baselines.Settings).budget_replays
    assert all(len(rule.grid) >= budget for rule in TUNED), "a grid shorter than the budget gives its rule less of it"


def test_tuning_does_not_see_the_test_span(built_world: Paths, params: Params, tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    luck = np.random.default_rng(1)
    for name in NAMES:
        scenario = load_scenario(scenario_folder(built_world) / name)
        calls, valid = scenario.calls, scenario.split_steps[1] * scenario.world.step_us
        later = calls.arrival_us >= valid
        duration = np.where(later, np.random.default_rng(scenario.seed).integers(0, 9_000_000, len(later)), calls.duration_us)
        changed = dataclasses.replace(calls, duration_us=duration, bytes_in=np.where(later, 7, calls.bytes_in).astype(np.int32))
        slot = scenario.split_steps[1] // 20 + 1  # what is in flight at the end of the valid span still meets its first slot
        seen = scenario.conditions
        capacity, slowdown = seen.capacity.copy(), seen.slowdown_permille.copy()
        capacity[:, slot:] = luck.integers(1, 50, capacity[:, slot:].shape)
        slowdown[:, slot:] = luck.integers(1000, 4000, slowdown[:, slot:].shape)
        if name.startswith("fenced"):  # the other family keeps its conditions: calls alone
            seen = dataclasses.replace(seen, capacity=capacity, slowdown_permille=slowdown)
        save(dataclasses.replace(scenario, calls=changed, conditions=seen), scenario_folder(paths))
    shutil.copy(scenario_folder(built_world) / "scenarios.json", scenario_folder(paths))
    shutil.copytree(training_folder(built_world), training_folder(paths))
    learn_planner.run(params, paths)
    assert contents(planner_folder(paths)) == contents(planner_folder(built_world))
    tune_baselines.run(params, paths)
    assert (baselines_folder(paths) / "chosen.json").read_bytes() == (baselines_folder(built_world) / "chosen.json").read_bytes()


def test_hindsight_is_at_most_the_best_static(landscape: pl.DataFrame) -> None:
    totals = {arm: frame.sort("scenario")["total_usd"].to_numpy() for (arm,), frame in landscape.group_by("arm")}
    assert (totals["hindsight"] <= totals["best_static"] + 1e-9).all()
    assert (totals["hindsight"] <= totals["home"] + 1e-9).all()
    assert (totals["hindsight"] < totals["best_static"]).any()


def alone(scenario: Scenario, policy: object) -> float:
    fleet = run(scenario, policy, 1, is_coupled=False)  # type: ignore[arg-type]
    return float(objective_usd(fleet.out.sum(axis=(0, 1)), scenario.objective))


def test_the_optimistic_bound_is_below_every_rule_in_the_uncoupled_world(built_world: Paths, landscape: pl.DataFrame) -> None:
    for name in NAMES:
        scenario = load_scenario(scenario_folder(built_world) / name)
        stay, fresh = (objective_table(scenario, 1, "test", is_fresh=is_fresh) for is_fresh in (False, True))
        hour = span_steps(scenario, "test")[0] * scenario.world.step_us // HOUR_US
        schedule, value = best_schedule(stay, fresh, move_cost_usd(scenario, hour), scenario.is_allowed)
        replayed = alone(scenario, Scheduled("again", schedule, scenario.world.tactical_steps))
        table = landscape.filter((pl.col("arm") == "optimistic_bound") & (pl.col("scenario") == name))
        assert table["total_usd"].item() == pytest.approx(replayed, abs=1e-8)
        facts = next(f for f in read_record(facts_file(built_world, "bound"), EvaluatedBound).scenarios if f.scenario == name)
        assert facts.programme_usd == pytest.approx(value.sum(), abs=1e-8)
        assert facts.programme_usd <= facts.static_alone_usd + 1e-9
        # Where the tables leave something out (tests/unit/models/baselines/test_programme.py), the replay of the schedule says it.
        assert replayed == pytest.approx(value.sum(), rel=1e-3)
        for rule in policies(
            scenario,
            read_record(baselines_folder(built_world) / "chosen.json", ChosenBaselines),
            baselines_folder(built_world),
            load_head(rush_head_folder(built_world) / WEIGHTS),
            1,
        ):
            assert replayed <= alone(scenario, rule) + 1e-9, (name, rule.name)


def test_no_ratio_is_formed_where_the_gap_is_small(built_world: Paths, landscape: pl.DataFrame, params: Params, tmp_path: Path) -> None:
    found = read_json(landscape_folder(built_world) / "landscape.json")
    assert set(found) == {"families", "without_five", "scenarios", "from", "arms"}
    assert found["from"] == dict.fromkeys(NAMES, "twin")
    for family, summary in found["families"].items():
        part = landscape.filter(pl.col("family") == family)
        home = part.filter(pl.col("arm") == "home").select("scenario", pl.col("total_usd").alias("home_usd"))
        shares = part.join(home, on="scenario").with_columns(pl.col("total_usd") / pl.col("home_usd"))
        mean = {arm: frame["total_usd"].mean() for (arm,), frame in shares.group_by("arm")}  # of home of the same scenario
        gap = mean["best_static"] - mean["hindsight"]
        assert summary["gap_share_of_home"] == pytest.approx(gap, abs=1e-6)
        for arm, closed in summary["closed_of_static_to_hindsight"].items():
            assert (closed is None) == (gap < SMALL_GAP)
            if closed is not None:
                share = (mean["best_static"] - mean[arm]) / (mean["best_static"] - mean["hindsight"])
                assert closed["value"] == pytest.approx(share, rel=1e-4)
        assert summary["share_of_home"]["home"]["value"] == 1.0
        assert summary["share_of_home"]["home"]["low"] is None  # two scenarios carry no interval
        assert summary["best_rule"] in RULES
        assert summary["seeds"] == 1
        arms = {"static": "best_static", "rule": summary["best_rule"], "home": "home", "hindsight": "hindsight"}
        for a, b in PAIRS:
            difference = summary["differences"][f"{a}_minus_{b}"]
            assert difference["of_home"]["value"] == pytest.approx(mean[arms[a]] - mean[arms[b]], abs=1e-6)
            assert difference["of_home"]["low"] is None
        classes = summary["classes"].values()
        assert sum(one["home_usd"] for one in classes) == pytest.approx(summary["home_usd"], abs=1e-6)
        rejected = part.filter(pl.col("arm") == "best_static").sort("scenario")["rejected"].to_list()
        for one, all_apps in zip(summary["gap_by_app"]["scenarios"], rejected, strict=True):
            assert one["rejected_best_static"]["all"] == all_apps
            assert one["largest_usd"] <= one["five_usd"]
        gaps = [one["all_usd"] for one in summary["gap_by_app"]["scenarios"]]
        assert np.mean(gaps) == pytest.approx(summary["gap_usd"], abs=1e-6)
    # Hindsight costs as much as home: nothing is left to share out.
    shutil.copytree(built_world.root / "data", tmp_path / "data")
    paths = Paths(tmp_path)
    bound, rules = (pl.read_parquet(rows_file(paths, group)) for group in ("bound", "baselines"))
    home = rules.filter(pl.col("arm") == "home")
    same = [home.with_columns(pl.lit(arm).alias("arm")) for arm in ("best_static", "hindsight")]
    pl.concat([rules.filter(pl.col("arm") != "best_static"), same[0]]).write_parquet(rows_file(paths, "baselines"))
    pl.concat([bound.filter(pl.col("arm") != "hindsight"), same[1]]).write_parquet(rows_file(paths, "bound"))
    compare.run(params, paths)
    for summary in json.loads((landscape_folder(paths) / "landscape.json").read_text(encoding="utf-8"))["families"].values():
        assert summary["gap_share_of_home"] == 0
        assert summary["static_share"] is None
        assert set(summary["closed_of_static_to_hindsight"].values()) == {None}
