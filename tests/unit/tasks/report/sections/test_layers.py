"""The sections of the two upper layers, from invented records: words agree with intervals, small gaps have no ratio, pictures are equal."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors import DamagedFileError
from tasks.core import params as params_module
from tasks.core.files import write_json, write_text_atomic
from tasks.core.paths import Paths
from tasks.core.records import write_record
from tasks.evaluation.layers_record import LayerMetrics
from tasks.evaluation.policy_record import ShownPolicies
from tasks.report import layer_pictures
from tasks.report.page import Page
from tasks.report.parts import layers
from tasks.report.sections import strategic, tactical
from tests.worlds.page_inputs import write_inputs

ARMS = {
    "home": ("Home", "home"),
    "best_static": ("Best static (train)", "static"),
    "greedy_hysteresis": ("Greedy with hysteresis", "home"),
    "planner_response": ("Planner with response", "home"),
    "hindsight": ("Hindsight (coupled)", "hindsight"),
    "candidates": ("Candidates on the planner", "learned"),
    "strategic_tactical": ("Strategic and tactical layer", "learned"),
    "dqn_specified": ("DQN, as specified", "learned"),
    "flat72": ("All placements, no cloud above", "learned"),
    "carbon_x10": ("10 times the weight of carbon", "learned"),
}
AXES = ("bill_pct_of_home", "carbon_pct_of_home", "missed_pct", "objective_pct_of_home")
SWEEP = {"flat72": (70.0, 80.0, 1.0, 73.0), "carbon_x10": (71.0, 90.0, 1.5, 74.0)}
COSTS = {"home": 100.0, "best_static": 84.0, "greedy_hysteresis": 79.0, "planner_response": 76.0, "hindsight": 70.0}
OF_LAYER = {"tactical": ("candidates", "strategic_tactical"), "strategic": ("dqn_specified",)}
SCENARIOS = 10


def between(value: float, half: float = 0.01) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "n": SCENARIOS}


def family(layer: str, costs: dict[str, float], gap: float = 0.06, closes: float = 0.6) -> dict[str, Any]:
    arms = {}
    for name in OF_LAYER[layer]:
        minus = {
            other: between((costs[name] - COSTS[other]) / 100) for other in ("home", "best_static", "greedy_hysteresis", "planner_response")
        }
        if name == "strategic_tactical":
            minus["candidates"] = between((costs[name] - costs["candidates"]) / 100)
        share = (COSTS["planner_response"] - costs[name]) / 100 / 0.06
        closed = {
            "best_static": between(closes),
            "greedy_hysteresis": between(0.3),
            "planner_response": between(share) if gap >= 0.01 else None,
        }
        arms[name] = {"seeds": 2, "share_of_home": between(costs[name] / 100), "minus": minus, "closed": closed}
    return {
        "scenarios": SCENARIOS,
        "home_usd": 12.0,
        "hindsight_share_of_home": between(0.7),
        "gap_share_of_home": {"best_static": 0.14, "greedy_hysteresis": 0.09, "planner_response": gap},
        "arms": arms,
    }


def page_of(root: Path, *, gap: float = 0.06, closes: float = 0.6, **costs: float) -> Page:
    """A page whose layers cost what is given, in % of home."""
    known = {"candidates": 73.0, "strategic_tactical": 90.0, "dqn_specified": 104.0} | costs
    root.mkdir(parents=True, exist_ok=True)
    write_inputs(root)
    for layer, names in OF_LAYER.items():
        found = family(layer, known, gap, closes)
        rows = [{"name": n, "label": label, "ink": ink, "is_causal": n != "hindsight", "layer": ""} for n, (label, ink) in ARMS.items()]
        value = {"layer": layer, "arms": rows, "level": 0.95, "families": {"calm": found}, "without_five": {"calm": found}}
        points = [{"arm": arm, "is_on_front": arm == "flat72", **dict(zip(AXES, of, strict=True))} for arm, of in SWEEP.items()]
        value["sweep"] = {"calm": points} if layer == "tactical" else {}
        write_record(root / "reports" / layer / "metrics.json", LayerMetrics, value)
        lines = ["layer,arm,seed,scenario,family,objective_pct_of_home"]
        for arm in (*names, *COSTS):
            for scenario in range(SCENARIOS):
                for seed in (1, 2) if arm in names else (1,):
                    lines.append(f"{layer},{arm},{seed},calm-{scenario},calm,{(known | COSTS)[arm] + 0.1 * scenario}")
        write_text_atomic(root / "reports" / layer / "evaluation_results.csv", "\n".join(lines) + "\n")
        metrics = ("charts/validation", "losses/value_loss", "losses/explained_variance", "losses/q_values", "losses/td_loss")
        history = [
            {
                "layer": layer,
                "arm": names[0],
                "seed": seed,
                "update": u,
                "transitions": 100 * u,
                "metric": metric,
                "value": 1 / (1 + u) + seed,
            }
            for metric in metrics
            for seed in (1, 2)
            for u in range(5)
        ]
        write_json(root / "reports" / layer / "training_history.json", history)
    regions = ("aws:one", "gcp:two")
    arm = {"by_region": [[0.75] * 24, [0.25] * 24], "by_cloud": [[0.75, 0.0, 0.25]] * 3, "moves": [0, 2, 1], "hours": [0.0, 0.4, 0.8]}
    shown = {
        "scenario": "calm-1", "regions": regions, "clouds": ["aws", "azure", "gcp"], "arms": {"candidates": arm}, "knots": [0.3, 0.9],
        "responses": [{"app_id": "<b>cdefghij", "calls_per_interval": 5.0, "usd": [0.0, 120.0]}],
    }  # fmt: skip
    write_record(root / "reports" / "tactical" / "policy.json", ShownPolicies, shown)
    paths = Paths(root)
    return Page(params_module.load(paths.params_file), paths)


def test_headings_agree_with_the_intervals(tmp_path: Path) -> None:
    text = tactical.add(page_of(tmp_path / "better"))
    assert "Candidates on the planner costs 3.0 % of home less than planner with response" in text
    assert "1 of 2 weightings are on the front of money, carbon and misses" in text
    assert text.index("10 times the weight of carbon") < text.index("beaten")
    assert "No detectable difference" in tactical.add(page_of(tmp_path / "unclear", candidates=76.2))
    text = strategic.add(page_of(tmp_path / "worse"))
    assert "DQN, as specified costs 4.0 % of home more than home" in text
    assert "✕ harmful" in text
    assert "closes 60 % of the gap from best static to hindsight in calm" in text


def test_a_layer_that_changes_nothing_is_said_to_be_useless(tmp_path: Path) -> None:
    page = page_of(tmp_path / "changes")
    assert "≈ not shown" not in tactical.add(page)
    assert "A layer saves money in 0 of" in strategic.add(page)
    assert "≈ not shown to be of use" in tactical.add(page_of(tmp_path / "nothing", strategic_tactical=73.4))


def test_a_negative_share_and_a_small_design_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "SCENARIOS", 2)
    text = strategic.add(page_of(tmp_path, closes=-3.3))
    assert "No arm of the layer closes any of the gap from best static to hindsight in calm" in text
    assert "– costs more, too few" in text
    assert "✕ harmful" not in text


def test_a_small_gap_has_no_ratio(tmp_path: Path) -> None:
    assert "no ratio</td>" not in tactical.add(page_of(tmp_path / "open"))
    page = page_of(tmp_path / "small", gap=0.004)
    assert "no ratio</td>" in tactical.add(page)
    _, rows = page.tables["tactical_closed"]
    assert {row["planner_response"] for row in rows} == {"no ratio"}


def test_the_first_screen_says_what_learning_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def summary(best_rule: str, costs: float = 0.75) -> Any:
        shares = {"planner_response": 0.76, "planner": costs, "hindsight": 0.70}
        return SimpleNamespace(best_rule=best_rule, share_of_home={name: SimpleNamespace(mean=value) for name, value in shares.items()})

    prior = summary("planner_response")
    assert layers.learned_tile(page_of(tmp_path / "without"), prior) == ""
    monkeypatch.setattr(layers, "CHOSEN", "candidates")
    page = page_of(tmp_path / "with")
    tile = layers.learned_tile(page, prior)
    assert '<div class="tile learned">' in tile
    assert '<div class="value">50<i>%</i></div>' in tile
    assert "[49, 51] of the 6.0 % of home from the planner with response to hindsight" in tile
    closes = {name: value for name, value in page.numbers.items() if name.startswith("learned")}
    assert closes == {"learned_closes_pct": 50.0, "learned_gap_pct": 6.0, "learned_closes_low_pct": 49.0, "learned_closes_high_pct": 51.0}
    assert "\u221250<i>" in layers.learned_tile(page_of(tmp_path / "worse", candidates=79.0), prior)
    assert "no ratio" in layers.learned_tile(page_of(tmp_path / "small", gap=0.007), prior)
    assert "to hindsight; 40 % from the best rule</div>" in layers.learned_tile(page_of(tmp_path / "rule"), summary("planner"))
    assert "best rule" not in layers.learned_tile(page_of(tmp_path / "near"), summary("planner", 0.705))


def test_figures_show_every_seed_and_say_what_policies_do(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    text = tactical.add(page) + strategic.add(page)
    assert "Most apps are in aws:one: 75 % of them" in text
    assert "3 moves in 3 decisions" in text
    assert "a million calls of one app cost 120 USD more" in text
    assert "&lt;b&gt;cdefg</span>" in text, "ids are escaped"
    numbers = [int(number) for number in re.findall(r">Figure (\d+)<", text)]
    assert numbers == sorted(numbers), "figures are numbered in the order of the page"
    assert len(numbers) > 5
    for identity in ("tactical_curve", "tactical_value_loss", "tactical_explained", "strategic_q", "strategic_curve", "strategic_loss"):
        _, rows = page.tables[identity]
        assert {row["seed"] for row in rows} == {1, 2}, identity
    assert "candidates_curve" not in page.tables  # its history is missing


def test_without_metrics_there_is_no_section(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    page = Page(params_module.load(tmp_path / "params.yaml"), Paths(tmp_path))
    assert tactical.add(page) == strategic.add(page) == ""
    assert layer_pictures.draw(page, Paths(tmp_path)) == []


def test_pictures_are_equal_for_equal_inputs(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        root = tmp_path / name
        assert layer_pictures.draw(page_of(root), Paths(root)) == ["strategic", "tactical"]
        found.append([(root / "reports" / layer / "visualizations.png").read_bytes() for layer in ("strategic", "tactical")])
    assert found[0] == found[1]
    assert all(picture.startswith(b"\x89PNG") and len(picture) > 10_000 for picture in found[0])


def test_a_history_that_is_no_list_is_damaged(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    (tmp_path / "reports" / "tactical" / "training_history.json").write_text(json.dumps({"a": 1}))
    with pytest.raises(DamagedFileError, match="no list of rows"):
        tactical.add(page)


def test_the_table_is_written_as_csv(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    page.write("t", "", tactical.add(page))
    with (tmp_path / "reports" / "tables" / "tactical_closed.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 4  # two arms, with and without the five largest apps
