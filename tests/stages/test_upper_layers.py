"""The stages that search and train the two upper layers: what they write, that it is used, that equal runs are equal bytes."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from models.strategic.dqn import DQNAgent
from models.tactical.ppo import PPOAgent
from simulator.control.decision import Composite
from simulator.control.judge import evaluate
from simulator.control.view import Facts
from simulator.scenario import load_scenario
from tasks.core.params import Params, load
from tasks.core.paths import Paths
from tasks.core.records import read_record
from tasks.learning import train_strategic, train_tactical, tune_strategic, tune_tactical
from tasks.learning.card import Card
from tasks.learning.strategic_outputs import strategic_models, strategic_reports, tuned_strategic
from tasks.learning.tactical_outputs import tactical_models, tactical_reports, tuned_tactical
from tasks.learning.training_files import Tuned
from tasks.learning.valid_spans import winsorised
from tasks.learning.validation import Validation
from tasks.world.scenario_outputs import scenario_folder
from tests.worlds.folders import contents
from tests.worlds.small_learning import changes, copy_worlds, small

LAYERS = {"tactical": ("ppo_specified", 68_697), "strategic": ("dqn_specified", 19_587)}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    return small(load(repository / "params.yaml"))


@pytest.fixture(scope="module")
def learned(built_world: Paths, params: Params, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    paths = copy_worlds(built_world, tmp_path_factory.mktemp("learned"))
    for stage in (tune_tactical, tune_strategic, train_tactical, train_strategic):
        assert re.search(r"transitions.*peak memory [\d,]+ MB$", stage.run(params, paths))
    return paths


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("layer", LAYERS)
def test_a_search_lists_every_point_and_keeps_the_specified_one_unless_beaten(learned: Paths, layer: str) -> None:
    reports, file = {"tactical": (tactical_reports, tuned_tactical), "strategic": (strategic_reports, tuned_strategic)}[layer]
    found, tuned = rows(reports(learned) / "search.csv"), read_record(file(learned), Tuned)
    assert list(found[0]) == ["layer", "arm", "point", "parameters", "seed", "score", "score_se", "is_chosen"]
    assert len({row["point"] for row in found}) == tuned.points == {"tactical": 4, "strategic": 3}[layer]
    chosen = {row["parameters"] for row in found if row["is_chosen"] == "True"}
    assert [{name: value for name, value in json.loads(text).items() if name != "transitions"} for text in chosen] == [tuned.parameters]
    last = [row for row in found if row["score_se"]]
    means: dict[str, float] = {}
    for point in {row["point"] for row in last}:
        means[point] = float(np.mean([float(row["score"]) for row in last if row["point"] == point]))
    own = next(row["point"] for row in last if json.loads(row["parameters"]).items() >= tuned.specified.items())
    assert tuned.is_specified == (means[own] - min(means.values()) <= tuned.spread)
    assert tuned.score <= tuned.specified_score


@pytest.mark.parametrize("layer", LAYERS)
def test_a_training_writes_networks_card_history_and_validation(learned: Paths, layer: str) -> None:
    (arm, size), folder = LAYERS[layer], learned.root / "data" / "models" / layer
    assert sorted(contents(folder)) == sorted([f"{arm}/card.json", f"{arm}/seed-1.pt", f"{arm}/seed-2.pt", "best_model.pt", "card.json"])
    card = read_record(folder / "card.json", Card)
    assert (card.layer, card.arm, card.parameters, card.seeds, card.device) == (layer, arm, size, (1, 2), "cpu")
    assert (folder / "best_model.pt").read_bytes() == (folder / arm / f"seed-{card.best_seed}.pt").read_bytes()
    assert card.trained_on.scenarios == ("calm-101",)
    history = json.loads((learned.reports / layer / "training_history.json").read_text(encoding="utf-8"))
    assert {row["layer"] for row in history} == {layer}
    assert {row["seed"] for row in history} == {1, 2}
    losses = {"tactical": {"losses/value_loss", "losses/approx_kl"}, "strategic": {"losses/td_loss"}}[layer]
    assert losses < {row["metric"] for row in history}
    checked = rows(learned.reports / layer / "validation_results.csv")
    assert {row["family"] for row in checked} == {"calm", "fenced"}
    assert {(row["seed"], row["is_best"]) for row in checked} >= {("1", "True"), ("2", "True")}
    best: dict[str, float] = {}
    for row in checked:
        if row["is_best"] == "True":
            best[row["seed"]] = best.get(row["seed"], 0.0) + float(row["objective_pct_of_home"])
    assert min(best, key=lambda seed: best[seed]) == str(card.best_seed)


def test_what_was_trained_is_loaded_and_judged(learned: Paths) -> None:
    scenario = load_scenario(scenario_folder(learned) / "fenced-2")
    facts = Facts.of(scenario)
    placing = PPOAgent.load(tactical_models(learned) / "best_model.pt")
    choosing = DQNAgent.load(strategic_models(learned) / "best_model.pt")
    found = evaluate(scenario, Composite("both", strategic=choosing.policy(facts), tactical=placing.policy(facts)), 1)
    assert found["calls"].sum() > 0
    assert found["moves"].sum() >= 0


def test_equal_runs_are_equal_bytes(learned: Paths, params: Params, built_world: Paths, tmp_path: Path) -> None:
    paths = copy_worlds(built_world, tmp_path)
    for file in (tuned_tactical, tuned_strategic):
        file(paths).parent.mkdir(parents=True, exist_ok=True)
        file(paths).write_bytes(file(learned).read_bytes())
    train_tactical.run(params, paths)
    train_strategic.run(params, paths)
    for place in ("data/models", "reports/tactical/training_history.json", "reports/strategic/training_history.json"):
        one, two = (root / place for root in (learned.root, paths.root))
        assert (contents(one) == contents(two)) if one.is_dir() else (one.read_bytes() == two.read_bytes()), place


def test_a_single_rush_does_not_decide_a_validation(learned: Paths) -> None:
    usual = np.full((2, 200), 1.0)
    usual[1] = 0
    rush = usual.copy()
    rush[0, 7] = 1e6
    assert winsorised(usual) == 200
    assert winsorised(rush) < 202
    validation = Validation(learned, 11, families=("fenced",), most=1)
    assert list(validation.families) == ["fenced-1"]
    facts_seen: list[Any] = []

    def home(facts: Facts) -> Any:
        from simulator.control.baseline import Stay

        facts_seen.append(facts)
        return Stay()

    assert validation.pct_of_home(home) == {"fenced-1": pytest.approx(100)}
    assert len(facts_seen) == 1


@pytest.mark.slow
def test_a_training_killed_in_the_middle_ends_in_the_same_bytes(learned: Paths, built_world: Paths, tmp_path: Path) -> None:
    paths = copy_worlds(built_world, tmp_path)
    raw = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for name, value in changes().items():
        *sections, key = name.split(".")
        place = raw
        for section in sections:
            place = place[section]
        place[key] = list(value) if isinstance(value, tuple) else value
    paths.params_file.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    (tmp_path / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    tuned_tactical(paths).parent.mkdir(parents=True)
    tuned_tactical(paths).write_bytes(tuned_tactical(learned).read_bytes())
    env = os.environ | {"PYTHONPATH": str(ROOT), "TRINE_CHECKPOINT_S": "0"}
    command = [sys.executable, "-m", "tasks", "train_tactical"]
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 120
    while not list((tmp_path / ".trine" / "checkpoints").rglob("*.pt")):
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not tactical_models(paths).exists()
    subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True)
    for name, own in contents(tactical_models(learned)).items():
        if name.endswith(".pt"):
            assert (tactical_models(paths) / name).read_bytes() == own, name
    history = [json.loads((root / "reports" / "tactical" / "training_history.json").read_text()) for root in (learned.root, tmp_path)]
    assert history[0] == history[1]
    assert not (tmp_path / ".trine" / "checkpoints" / "train_tactical").exists()
