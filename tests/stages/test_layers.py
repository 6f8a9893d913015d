"""From replays to the tables of the tactical and strategic layers, on the small worlds; networks above and below are untrained."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from core.errors import ParameterError
from models.checkpoints import load_state
from models.orchestrator import Orchestrator
from simulator.newcomers import one_in, without_past
from simulator.scenario import load_scenario
from tasks.core.params import Params
from tasks.core.paths import Paths
from tasks.core.records import read_record
from tasks.evaluation import compare, evaluate_ablation, evaluate_learned, evaluate_newcomers
from tasks.evaluation.arms import ablation, learned
from tasks.evaluation.evaluation_record import EvaluatedAblation
from tasks.evaluation.layers import REFERENCES, metrics
from tasks.evaluation.layers_record import LayerMetrics
from tasks.evaluation.newcomers_outputs import Newcomers, newcomers_file, newcomers_record
from tasks.learning import finetune, train_candidates, train_candidates_ppo
from tasks.learning.candidates_outputs import CandidatesChoice, PlannedChoice
from tasks.learning.card import Card
from tasks.learning.finetune_outputs import ChosenLayer
from tasks.learning.learn_planner_outputs import load_learned, load_rows, planner_folder
from tasks.world.scenario_outputs import scenario_folder
from tests.worlds.report_world import NAMES, small_params
from tests.worlds.untrained import write_floors, write_untrained

SMALL = {
    "train_candidates.seeds": [1, 2],
    "train_candidates.strengths": [[1, 0], [1, 1]],
    "train_candidates.network.updates": 40,
    "train_candidates.network.validate_every": 20,
    "train_candidates_ppo.seeds": [1, 2],
    "train_candidates_ppo.fleets": 1,
    "train_candidates_ppo.transitions": 512,
    "train_candidates_ppo.strengths": [1.0],
    "finetune.strategic_transitions": 100,
    "finetune.strategic_stretch": 6,
    "finetune.tactical_transitions": 512,
    "finetune.tactical_stretch": 32,
}


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    return small_params(repository).changed(SMALL)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, built_world: Paths, params: Params) -> Paths:
    root = tmp_path_factory.mktemp("layers") / "tree"
    shutil.copytree(built_world.root, root)
    paths = Paths(root)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("TRINE_THREADS", "1")
        write_untrained(root / "data" / "models")
        write_floors(paths)
        for stage in (
            train_candidates,
            train_candidates_ppo,
            finetune,
            evaluate_learned,
            evaluate_ablation,
            evaluate_newcomers,
            compare,
        ):
            stage.run(params, paths)
    return paths


def test_the_candidates_arm_has_weights_card_choice_and_history(tree: Paths, params: Params) -> None:
    folder = tree.root / "data" / "models" / "tactical" / "candidates"
    choice, card = read_record(folder / "choice.json", CandidatesChoice), read_record(folder / "card.json", Card)
    assert choice.chosen.mean == min(one.mean for one in choice.tried)
    assert len(choice.tried) == 2
    assert (choice.prior.volume, choice.prior.response) == (0, 0)
    assert card.seeds == (1, 2)
    assert card.parameters == sum(tensor.numel() for tensor in load_state(folder / "seed-2.pt").values())
    rows = json.loads((tree.reports / "tactical" / "candidates_history.json").read_text())
    assert {row["seed"] for row in rows} == {1, 2}
    assert {row["update"] for row in rows if row["metric"] == "charts/validation"} == {0, 20, 40}


def test_what_is_learned_by_trying_is_no_worse_than_its_prior(tree: Paths) -> None:
    """On the valid spans; strength 0, the planner, is among what is chosen from, and judged it is the planner to the last cent."""
    folder = tree.root / "data" / "models" / "tactical" / "candidates_ppo"
    choice, card = read_record(folder / "choice.json", PlannedChoice), read_record(folder / "card.json", Card)
    assert [one.strength for one in choice.tried] == [0, 1]
    assert choice.strength == min(choice.tried, key=lambda one: one.mean).strength
    assert ("falls back to the planner" in choice.why) == (choice.strength == 0)
    assert card.parameters == sum(tensor.numel() for tensor in load_state(folder / "seed-2.pt").values())
    assert any("millions of transitions" in line for line in card.not_for)
    learned_rows, baselines = (
        pl.read_parquet(tree.root / "data" / "evaluation" / f"{group}.parquet") for group in ("learned", "baselines")
    )
    own = learned_rows.filter((pl.col("arm") == "candidates_ppo") & (pl.col("seed") == 1))
    prior = baselines.filter(pl.col("arm") == "planner_response")
    assert (own["cost_nanousd"].sum() == prior["cost_nanousd"].sum()) == (choice.strength == 0)


def test_training_by_trying_again_gives_the_same_bytes(tree: Paths, params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRINE_THREADS", "1")
    folder = tree.root / "data" / "models" / "tactical" / "candidates_ppo"
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    train_candidates_ppo.run(params, tree)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_train_span_must_hold_an_episode(tree: Paths, params: Params) -> None:
    changed = params.changed({"train_candidates_ppo.network.ppo.steps": 1024})
    with pytest.raises(ParameterError, match="half of a train span"):
        train_candidates_ppo.run(changed, tree)


def test_replacing_a_layer_changes_the_result(tree: Paths) -> None:
    """Its identity (clouds of home, the least estimate, reactive scaling) and, above, chance."""
    found = read_record(tree.reports / "tactical" / "metrics.json", LayerMetrics).families["calm"].arms
    for arm, others in (("strategic_tactical", ("clouds_home", "clouds_random", "strategic_only")), ("full", ("strategic_tactical",))):
        assert all(found[arm].minus[other].mean != 0 for other in others)


def test_the_sweep_has_a_front(tree: Paths) -> None:
    points = read_record(tree.reports / "tactical" / "metrics.json", LayerMetrics).sweep["calm"]
    assert points[0].arm == "flat72"
    assert len(points) == len(ablation.SWEEP) + 1
    for point in points:
        axes = ("bill_pct_of_home", "carbon_pct_of_home", "missed_pct")
        own = [getattr(point, axis) for axis in axes]
        beaten = [
            all(b <= a for a, b in zip(own, theirs, strict=True)) and theirs != own
            for theirs in ([getattr(other, axis) for axis in axes] for other in points)
        ]
        assert point.is_on_front != any(beaten)


def test_training_again_gives_the_same_bytes(tree: Paths, params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRINE_THREADS", "1")
    folder = tree.root / "data" / "models" / "tactical" / "candidates"
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    train_candidates.run(params, tree)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_the_orchestrator_uses_the_cheapest_of_every_layer(tree: Paths) -> None:
    models = tree.root / "data" / "models"
    below, above = (read_record(models / layer / "chosen.json", ChosenLayer) for layer in ("tactical", "strategic"))
    costs = below.valid_pct_of_home
    assert set(costs) == {"candidates", "candidates_ppo", "planner_response", "ppo_specified"}
    assert (below.is_used, costs[below.arm]) == (True, min(costs.values()))
    assert set(below.planner) == {name.rsplit("-", 1)[0] for name in NAMES}
    costs = above.valid_pct_of_home
    assert {"none", "dqn_specified"} <= set(costs) <= {"none", "dqn_specified", "joint"}
    assert costs[above.arm] == min(cost for name, cost in costs.items() if name != "none")
    assert costs["none"] == below.valid_pct_of_home[below.arm]
    assert above.is_used == (costs[above.arm] < costs["none"])
    assert (Orchestrator.load(models).strategic is not None) == above.is_used
    assert Orchestrator.load(models, ("strategic",)).strategic is not None


def test_the_joint_pair_is_one_model(tree: Paths) -> None:
    models = tree.root / "data" / "models"
    pair = load_state(models / "joint" / "best_model.pt")
    assert {name.split(".")[0] for name in pair} == {"strategic", "tactical"}
    assert read_record(models / "joint" / "card.json", Card).layer == "joint"


def test_without_a_layer_of_no_use_the_rest_is_what_is_judged(tree: Paths) -> None:
    """`as_chosen` is `full` where every layer is of use; where it leaves the strategic one out, the two differ."""
    is_used = read_record(tree.root / "data" / "models" / "strategic" / "chosen.json", ChosenLayer).is_used
    rows = pl.read_parquet(tree.root / "data" / "evaluation" / "learned.parquet")
    keys = ["scenario", "app_id", "hour"]
    full, chosen = (rows.filter(pl.col("arm") == name).drop("arm").sort(keys) for name in ("full", "as_chosen"))
    assert full.equals(chosen) == is_used


def test_every_training_seed_is_judged_in_every_scenario(tree: Paths) -> None:
    rows = pl.read_parquet(tree.root / "data" / "evaluation" / "learned.parquet")
    found = rows.group_by("arm").agg(pl.col("seed").n_unique().alias("seeds"), pl.col("scenario").n_unique().alias("scenarios"))
    seeds = dict(zip(found["arm"].to_list(), found["seeds"].to_list(), strict=True))
    trained = {"candidates": 2, "candidates_ppo": 2, "dqn_specified": 2, "ppo_specified": 2}
    assert seeds == trained | {"strategic_only": 1, "strategic_tactical": 1, "full": 1, "as_chosen": 1}
    asked_every_step = pl.col("arm").is_in(["full", "as_chosen"])
    assert set(found.filter(~asked_every_step)["scenarios"].to_list()) == {len(NAMES)}
    assert set(rows.filter(asked_every_step)["family"]) == {"calm"}
    assert set(seeds) <= {arm.name for arm in learned.ARMS}


def test_ablations_differ_from_the_arm(tree: Paths) -> None:
    rows = pl.read_parquet(tree.root / "data" / "evaluation" / "ablation.parquet")
    assert set(rows["family"].unique()) == {"calm"}
    assert set(rows["arm"].unique()) == {arm.name for arm in ablation.ARMS}
    usd = {name: frame["cost_nanousd"].sum() for (name,), frame in rows.group_by("arm")}
    assert usd["no_zones"] != usd["flat72"]
    assert usd["period_2000"] != usd["flat72"]
    assert usd["latency_x10"] != usd["flat72"]
    facts = read_record(tree.root / "data" / "evaluation" / "ablation.json", EvaluatedAblation)
    assert all(one.multiplier in (1, 2, 4, 8, 16) for one in facts.scenarios)


def test_without_a_cloud_above_the_arm_is_flat(tree: Paths) -> None:
    """The ablation of the first training seed without changes is the arm itself."""
    keys, parts = ["scenario", "app_id", "hour"], []
    for group, arm, seed in (("learned", "candidates", 1), ("ablation", "flat72", 1)):
        rows = pl.read_parquet(tree.root / "data" / "evaluation" / f"{group}.parquet")
        own = rows.filter((pl.col("arm") == arm) & (pl.col("seed") == seed) & (pl.col("family") == "calm"))
        parts.append(own.drop("arm").sort(keys))
    assert parts[0].equals(parts[1])


def test_the_layers_tables_say_what_is_closed(tree: Paths) -> None:
    found = read_record(tree.reports / "tactical" / "metrics.json", LayerMetrics)
    results = pl.read_csv(tree.reports / "tactical" / "evaluation_results.csv")
    calm = found.families["calm"]
    assert set(calm.gap_share_of_home) == set(REFERENCES)
    own = results.filter((pl.col("family") == "calm") & (pl.col("arm") == "candidates"))
    assert calm.arms["candidates"].share_of_home.mean == pytest.approx(own["objective_pct_of_home"].mean() / 100, abs=1e-6)
    assert calm.arms["candidates"].seeds == 2
    pct = {
        arm: results.filter((pl.col("family") == "calm") & (pl.col("arm") == arm))
        .group_by("scenario")
        .agg(pl.col("objective_pct_of_home").mean())
        for arm in ("best_static", "candidates", "hindsight")
    }
    means = {arm: frame["objective_pct_of_home"].mean() for arm, frame in pct.items()}
    expected = (means["best_static"] - means["candidates"]) / (means["best_static"] - means["hindsight"])
    closed = calm.arms["candidates"].closed["best_static"]
    assert closed is not None
    assert closed.mean == pytest.approx(expected, rel=1e-5)
    assert set(found.without_five) == set(found.families)


def test_a_small_gap_is_no_denominator(tree: Paths, params: Params) -> None:
    from simulator.parameters import Objective

    rows = pl.concat(pl.read_parquet(tree.root / "data" / "evaluation" / f"{group}.parquet") for group in ("baselines", "bound", "learned"))
    same = rows.filter(pl.col("arm") == "hindsight").with_columns(pl.lit("planner_response").alias("arm"))
    rows = pl.concat([rows.filter(pl.col("arm") != "planner_response"), same])
    found = metrics(rows, ["candidates"], Objective())["calm"]
    assert found["gap_share_of_home"]["planner_response"] == 0
    assert found["arms"]["candidates"]["closed"]["planner_response"] is None
    assert np.isfinite(found["arms"]["candidates"]["closed"]["best_static"]["value"])


def test_apps_without_a_history_are_judged_beside_arms_that_know_it(tree: Paths) -> None:
    table, found = pl.read_csv(newcomers_file(tree)), read_record(newcomers_record(tree), Newcomers)
    assert sorted(table["scenario"].unique().to_list()) == ["calm-1", "calm-2"]  # there is no crunch
    known = {arm for arms in evaluate_newcomers.REFERENCES.values() for arm in arms}
    assert set(table["arm"]) == known | {"newcomers_planner", "newcomers_candidates", "newcomers_informed"}
    assert (table.group_by("scenario").agg(pl.col("apps").n_unique())["apps"] == 1).all()
    assert (table["apps"] > 0).all()
    usd = {arm: rows["total_usd"].to_numpy() for (arm,), rows in table.sort("scenario").group_by("arm", maintain_order=True)}
    home = usd["home"]
    gap = ((home - usd["hindsight"]) / home).mean()
    closed = found.families["calm"].closed["newcomers_planner"]
    assert closed is not None
    assert closed.value == pytest.approx(((home - usd["newcomers_planner"]) / home).mean() / gap, rel=1e-6)
    assert (usd["newcomers_planner"] != usd["planner_response"]).any()


def test_a_small_fleet_may_have_no_app_without_a_history(tree: Paths, params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[str, object] = {}
    monkeypatch.setattr(evaluate_newcomers, "write_text_atomic", lambda file, text: written.update({file.name: text}))
    monkeypatch.setattr(evaluate_newcomers, "write_record", lambda file, _, record: written.update({file.name: record}))
    said = evaluate_newcomers.run(params.changed({"evaluate_newcomers.one_in": 1000}), tree)
    assert said == "0 arms in 2 scenarios, one in 1000 apps without a history"
    assert written["newcomers.csv"] == "scenario,family,apps,arm,total_usd\n"
    assert written["newcomers.json"] == {"one_in": 1000, "level": evaluate_newcomers.LEVEL, "families": {}}


def test_the_calls_of_their_past_change_nothing(tree: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """With replays of that past that are a hundred times as expensive, the planner has learned the same."""
    whole = load_scenario(scenario_folder(tree) / "calm-1")
    is_new = one_in(5, whole.apps.app_ids)
    scenario = without_past(whole, is_new, whole.split_steps[1])
    one = evaluate_newcomers.learned_without(tree, scenario, is_new)
    rows = load_rows(planner_folder(tree) / "calm-1")
    costlier = dataclasses.replace(rows, usd=np.where(is_new[rows.app][:, None], 100 * rows.usd, rows.usd))
    assert (costlier.usd != rows.usd).any()
    monkeypatch.setattr(evaluate_newcomers, "load_rows", lambda folder: costlier)
    other = evaluate_newcomers.learned_without(tree, scenario, is_new)
    for field in dataclasses.fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))
    assert (one.known_calls[is_new] == 0).all()
    full = load_learned(planner_folder(tree) / "calm-1", "test")
    np.testing.assert_array_equal(one.level_usd[~is_new], full.level_usd[~is_new])
    np.testing.assert_array_equal(one.response_usd[~is_new], full.response_usd[~is_new])
