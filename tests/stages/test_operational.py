"""The stages of the operational layer on small worlds: what they write, and that the same run gives the same bytes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from models.operational.lstm import LSTMPredictor
from models.operational.onnx_export import OnnxPredictor
from models.operational.windows import demand
from models.orchestrator import Chosen
from simulator.control.baseline import Stay
from simulator.control.features import operational
from simulator.control.loop import run
from simulator.fleet import Field
from simulator.scenario import load_scenario
from tasks.core.params import Params
from tasks.core.paths import Paths
from tasks.core.records import read_record
from tasks.evaluation import drill_operational, evaluate_operational
from tasks.evaluation.arms.operational import ARMS
from tasks.evaluation.drill_record import DriftTimeline
from tasks.evaluation.evaluate_outputs import rows_file
from tasks.evaluation.operational_pictures_record import FloorPictures
from tasks.learning import train_operational, tune_operational
from tasks.learning.card import Card
from tasks.learning.operational_known import learn_known, load_known
from tasks.learning.operational_outputs import operational_models, operational_reports, tuned_operational
from tasks.learning.operational_policy import chosen_policy
from tasks.world.scenario_outputs import scenario_folder, training_folder
from tests.worlds.report_world import small_params, write_scenarios

SMALL: dict[str, Any] = {
    "train_operational.fleets": 1, "train_operational.windows": 1500, "train_operational.valid_windows": 500,
    "train_operational.epochs": 1, "train_operational.rows": 3000, "train_operational.trees": 8, "train_operational.row_steps": 50,
    "tune_operational.budget_replays": 1, "evaluate_operational.forecast_steps": 29,
    "drill_operational.days": 14, "drill_operational.rate": 0.5, "drill_operational.apps": 40, "drill_operational.judged_days": 0.12,
    "drill_operational.reacts_to": ["adwin", "page_hinkley"], "evaluate_operational.also_miss_usd": [3.0e-4],
}  # fmt: skip


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    return small_params(repository).changed(SMALL)


@pytest.fixture(scope="module", autouse=True)
def in_one_process() -> Iterator[None]:
    """Work that is split among processes happens here, where its lines are counted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRINE_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, repository: Path, params: Params) -> Paths:
    """Worlds with tuned rules and trained networks."""
    paths = write_scenarios(tmp_path_factory.mktemp("operational"), repository)
    assert "7 floor rules" in tune_operational.run(params, paths)
    assert "4 networks x 1 seeds" in train_operational.run(params, paths)
    return paths


@pytest.fixture(scope="module")
def judged(trained: Paths, params: Params) -> list[dict[str, str]]:
    """Rows of evaluation_results.csv."""
    assert f"{len(ARMS)} arms in 1 scenarios" in evaluate_operational.run(params, trained)
    return rows(operational_reports(trained) / "evaluation_results.csv")


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_the_card_says_what_was_trained(trained: Paths) -> None:
    card = read_record(operational_models(trained) / "card.json", Card)
    assert (card.layer, card.arm, card.parameters) == ("operational", "lstm_specified", 121_475)
    assert card.trained_on.scenarios == ("calm-101",)
    assert card.features.version == operational.VERSION
    assert len(card.figures) == 4


def test_what_serves_answers_as_what_was_trained(trained: Paths) -> None:
    folder = operational_models(trained)
    states = np.random.default_rng(1).random((7, 12, 5), dtype=np.float32)
    torch_answers = LSTMPredictor.load(folder / "best_model.pt").predict(states)
    np.testing.assert_allclose(OnnxPredictor(folder / "best_model.onnx").predict(states), torch_answers, atol=1e-5)


def test_history_search_and_validation_have_their_columns(trained: Paths) -> None:
    history = json.loads((operational_reports(trained) / "training_history.json").read_text(encoding="utf-8"))
    assert {row["arm"] for row in history} == set(train_operational.NETWORKS)
    assert list(history[0]) == ["layer", "arm", "seed", "update", "transitions", "metric", "value"]
    search = rows(operational_reports(trained) / "search.csv")
    assert len(search) == 7
    assert all(row["is_chosen"] == "True" for row in search)
    best = [row for row in rows(operational_reports(trained) / "validation_results.csv") if row["is_best"] == "True"]
    assert len(best) == 1
    assert Chosen.read(operational_models(trained)).arm in ("timers", "event_head")


def test_equal_runs_are_equal_bytes(trained: Paths, params: Params, tmp_path: Path) -> None:
    """The stages again, beside: every file of the models but what depends on nothing here."""
    again = Paths(tmp_path)
    for folder in (scenario_folder, training_folder):
        folder(again).parent.mkdir(parents=True, exist_ok=True)
        folder(again).symlink_to(folder(trained))
    tune_operational.run(params, again)
    assert contents(tuned_operational(again)) == contents(tuned_operational(trained))
    tuned = {file.name: file.read_bytes() for file in operational_reports(again).glob("search.csv")}
    assert tuned == {file.name: file.read_bytes() for file in operational_reports(trained).glob("search.csv")}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_what_is_known_of_an_app_is_of_its_past(trained: Paths) -> None:
    folder = scenario_folder(trained) / "calm-1"
    known, recorded = learn_known(load_scenario(folder, until="valid"), folder, 11)
    stored = load_known(tuned_operational(trained) / "calm-1")
    np.testing.assert_array_equal(known.scale, stored.scale)
    np.testing.assert_array_equal(known.benefit_usd, stored.benefit_usd)
    whole = load_scenario(folder)
    np.testing.assert_array_equal(recorded.demand, demand(whole, whole.split_steps[2])[:, : recorded.demand.shape[1]])


def test_every_arm_has_money_and_forecasts_have_errors(judged: list[dict[str, str]]) -> None:
    money = {row["arm"]: row for row in judged if row["target"] == "money" and row["app_class"] == "all"}
    assert set(money) == {arm.name for arm in ARMS}
    assert float(money["reactive"]["objective_pct_of_reactive"]) == 100.0
    assert float(money["reactive"]["floor_usd"]) == 0.0
    assert float(money["greedy_hindsight"]["objective_pct_of_reactive"]) < 100
    assert float(money["static_2x"]["floor_usd"]) >= 0
    forecasts = {row["arm"] for row in judged if row["target"] == "rate"}
    assert {"zero", "last_value", "moving_average", "seasonal_naive", "lstm_specified", "lstm_lagged", "boosting"} <= forecasts
    zero = next(row for row in judged if (row["arm"], row["app_class"], row["target"]) == ("zero", "all", "rate"))
    assert float(zero["rmse"]) > 0
    assert {row["app_class"] for row in judged} >= {"all", "cloud aws", "cloud azure", "cloud gcp"}
    assert list(judged[0]) == list(evaluate_operational.COLUMNS)


def test_the_chosen_policy_runs_as_the_operational_part(trained: Paths) -> None:
    scenario = load_scenario(scenario_folder(trained) / "calm-1")
    models = operational_models(trained).parent
    floors, home = (run(scenario, policy, 1, "test") for policy in (chosen_policy(models, "calm-1"), Stay()))
    assert floors.out[..., Field.CALLS].sum() == home.out[..., Field.CALLS].sum()
    assert floors.out[..., Field.COLD_STARTS].sum() < home.out[..., Field.COLD_STARTS].sum()


def test_a_miss_that_costs_more_makes_every_arm_dearer(judged: list[dict[str, str]], trained: Paths) -> None:
    targets = {row["target"] for row in judged if row["target"].startswith("money")}
    assert targets == {"money", "money_miss_0.0003"}
    usd = (
        pl.read_parquet(rows_file(trained, "operational"))
        .filter(pl.col("arm") == "reactive")
        .group_by("target")
        .agg(pl.col("total_usd").sum())
    )
    by = dict(usd.iter_rows())
    assert by["money_miss_0.0003"] > by["money"]


def test_pictures_are_of_the_windows_that_errors_are_of(judged: list[dict[str, str]], trained: Paths) -> None:
    shown = read_record(operational_reports(trained) / "pictures.json", FloorPictures)
    assert set(shown.labels) == {arm.name for arm in ARMS}
    assert {fan.app_class for fan in shown.fans} <= {"low", "mid", "high"}
    assert all(len(line) == len(fan.truth) for fan in shown.fans for line in fan.forecasts.values())
    # Too much less too little is the mean error, which the pinball loss and the mean absolute error imply as well.
    few, many = shown.provision["lstm_specified"][shown.factors.index(1.0)]
    row = next(r for r in judged if (r["arm"], r["app_class"], r["target"]) == ("lstm_specified", "all", "cpu"))
    assert few + many == pytest.approx(float(row["mae"]), rel=1e-4)
    assert (5 * few + many) / 6 == pytest.approx(float(row["pinball"]), rel=1e-4)
    assert sum(b.count for b in shown.events["boosted, next two steps"]) > 100


@pytest.fixture(scope="module")
def drilled(trained: Paths, params: Params) -> Path:
    drill_operational.run(params, trained)
    return operational_reports(trained)


def test_the_drill_says_what_a_reaction_is_worth(drilled: Path) -> None:
    found = rows(drilled / "drift_reaction.csv")
    assert {row["reaction"] for row in found if row["arm"] == "lstm_symmetric"} == {"nothing", "recalibrate", "fall_back", "fine_tune"}
    for row in found:
        if row["reaction"] == "nothing" or row["actions"] == "0":
            assert row["pct_of_reactive"] == row["pct_without_reaction"]
    assert all(row["pct_of_reactive"] == "100.0" for row in found if row["arm"] == "reactive")
    assert any(row["pct_of_reactive"] != row["pct_without_reaction"] for row in found)
    shown = read_record(drilled / "drift_timeline.json", DriftTimeline)
    assert sum(int(row["actions"]) for row in found) == len(shown.actions) > 0


def test_a_drill_notices_what_is_shifted(drilled: Path) -> None:
    found = rows(drilled / "drift_drill.csv")
    assert {row["case"] for row in found} == {"none", "rate_x3", "cycle_6h", "duration_x2"}
    assert {row["detector"] for row in found} == {"adwin", "page_hinkley"}
    noticed = {case: sum(int(row["noticed"]) for row in found if row["case"] == case) for case in ("none", "rate_x3")}
    assert noticed["rate_x3"] > noticed["none"]
    assert all(row["delay_h_median"] == "" for row in found if row["case"] == "none")
