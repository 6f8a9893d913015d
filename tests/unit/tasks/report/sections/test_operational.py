"""The section of warm floors from invented figures: headings follow the values, what was not judged is not shown."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tasks.core import params as params_module
from tasks.core.paths import Paths
from tasks.evaluation import drill_operational
from tasks.evaluation.evaluate_operational import COLUMNS
from tasks.learning.operational_outputs import write_rows
from tasks.report import floors_picture
from tasks.report.layer_pictures import inks
from tasks.report.page import HEADING_LIMIT, Page
from tasks.report.report_outputs import operational_picture
from tasks.report.sections import operational

ERRORS = {"zero": 0.5, "last_value": 0.9, "lstm_specified": 3.0}


def page_of(root: Path, repository: Path, money: dict[str, float], errors: dict[str, float], interval: float | None = 1.0) -> Page:
    """A page whose file says what each arm costs, in per cent of reactive, and the MASE of each forecast."""
    folder = root / "reports" / "operational"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "evaluation_results.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS)
        writer.writeheader()
        for arm, pct in money.items():
            low, high = ("", "") if interval is None else (pct - interval, pct + interval)
            for group in ("all", "low", "cloud azure"):
                row = {"arm": arm, "app_class": group, "target": "money", "objective_pct_of_reactive": pct, "ci_low": low, "ci_high": high}
                writer.writerow(row | {"cold_start_rate": 0.05, "sla_rate": 0.95, "floor_usd": 0.1})
        for arm, mase in errors.items():
            writer.writerow({"arm": arm, "app_class": "all", "target": "rate", "rmse": 1, "mae": 1, "mase": mase, "pinball": 1})
    return Page(params_module.load(repository / "params.yaml"), Paths(root))


def test_the_heading_says_what_pays(tmp_path: Path, repository: Path) -> None:
    page = page_of(tmp_path, repository, {"reactive": 100, "timers": 98.7, "static_2x": 180, "greedy_hindsight": 95}, ERRORS)
    text = operational.add(page)
    assert "Timers: 1.3 % less than reactive scaling; 1 of 2" in text
    assert page.numbers["floors_best_saves_pct"] == 1.3
    assert page.numbers["floors_forecasts_won_by_zero"] == 1
    assert page.numbers["floors_forecasts_won_by_lstm"] == 0
    assert "A forecast of zero has the least MASE in 1, an LSTM in 0 of 1 cases" in text


def test_where_no_floor_pays_it_says_so(tmp_path: Path, repository: Path) -> None:
    page = page_of(tmp_path, repository, {"reactive": 100, "timers": 100.5, "greedy_hindsight": 95}, {}, interval=None)
    text = operational.add(page)
    assert "No floor pays" in text
    assert "operational_errors" not in page.tables


@pytest.mark.parametrize("name", ["timers", "hybrid_histogram_with_a_long_name"])
def test_headings_fit(tmp_path: Path, repository: Path, name: str) -> None:
    text = operational.add(page_of(tmp_path, repository, {"reactive": 100, name: 98.7, "greedy_hindsight": 95}, ERRORS))
    assert text
    assert HEADING_LIMIT == 90


SHOWN = {
    "scenario": "calm-1", "labels": {"timers": "Timers just in time"}, "step_s": 15, "levels": [0.1, 0.5, 0.9], "quantile_level": 0.83,
    "fans": [{"app_class": name, "app_id": "abc", "first_hour": 3, "truth": [0, 1, 0],
              "forecasts": {arm: [0.5, 0.5, 0.5] for arm in ("lstm_symmetric", "lstm_specified", "lstm_quantile")}}
             for name in ("low", "mid", "high")],
    "residuals": [{"app_class": "mid", "windows": 10, "by_arm": {"lstm_specified": [-0.2, -0.1, 0.3]}}],
    "quantile": {"mid": [{"forecast": 0.1, "observed": 0.9, "count": 8}, {"forecast": 0.4, "observed": 0.5, "count": 8}]},
    "events": {
        "near": [
            {"forecast": 0.01, "observed": 0.02, "count": 50}, {"forecast": 0.9, "observed": 0.4, "count": 40},
            {"forecast": 0.99, "observed": 0.1, "count": 5},  # too few for a heading
        ],
    },
    "factors": [0.5, 1.0], "provision": {"lstm_specified": [[0.2, 0.1], [0.1, 0.4]]},
}  # fmt: skip
HISTORY = [
    {"layer": "operational", "arm": "lstm_specified", "seed": 1, "update": i, "transitions": i, "metric": "losses/valid", "value": 1 / i}
    for i in (1, 2)
]  # fmt: skip
SERIES = [
    {"case": case, "signal": signal, "app_class": "mid", "hours": [-1, 0, 1], "residual": [0.1, None, 2.0], "alarms": alarms}
    for case, signal, alarms in (("rate_x3", "rate", {"page_hinkley": [1.5], "adwin": []}), ("duration_x2", "duration", {"adwin": []}))
]  # fmt: skip
ACTION = {"arm": "timers", "case": "rate_x3", "detector": "adwin", "reaction": "fall_back", "signal": "rate", "app_class": "mid", "hour": 2}


def drawn_page(root: Path, repository: Path) -> Page:
    page = page_of(root, repository, {"reactive": 100, "timers": 98.7, "static_2x": 180}, ERRORS)
    folder = root / "reports" / "operational"
    for name, content in (
        ("pictures", SHOWN),
        ("training_history", HISTORY),
        ("drift_timeline", {"seed": 24, "series": SERIES, "actions": [ACTION]}),
    ):
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    drill = [("adwin", "rate", "mid", "none", 1, 1, "", "", 1.5), ("adwin", "rate", "mid", "rate_x3", 1, 1, 4.5, 4.5, 2.0),
             ("adwin", "rate", "mid", "cycle_6h", 1, 0, "", "", 0.0)]  # fmt: skip
    write_rows(folder / "drift_drill.csv", drill_operational.COLUMNS, drill)
    worth = [
        ("timers", "rate_x3", "", "nothing", 1, 0, 98.0, 98.0, 0.0, "", ""),
        ("timers", "rate_x3", "adwin", "fall_back", 1, 1, 99.0, 98.0, 1.02, "", ""),
    ]
    write_rows(folder / "drift_reaction.csv", drill_operational.REACTION_COLUMNS, worth)
    return page


def test_pictures_say_what_was_found(tmp_path: Path, repository: Path) -> None:
    page = drawn_page(tmp_path, repository)
    text = operational.add(page)
    for said in (
        "Timers just in time: 1.3 % less than reactive scaling",
        "covers what came in 67 % of these steps, the mean in 67 %",
        "forecasts too much in more than half of the windows: mid",
        "holds 70 % of the windows of class mid",
        "Where a head says 90 %, it happens in 40 %: near",
        "provides 4.0 vCPUs too many for each one too few",
        "Page-Hinkley notices 1 of 2 shifts",
        "up to 1.5 false alarms a class and week",
        "lowers the objective in 0 of 1 cases",
        "The record of 1 actions",
    ):
        assert said in text
    assert "off the axis" in page._specs["operational_dots"]
    assert "operational_curve_lstm_specified" in page.tables


def test_the_picture_of_the_layer_is_one_file(tmp_path: Path, repository: Path) -> None:
    page = drawn_page(tmp_path, repository)
    assert floors_picture.draw(page, Paths(tmp_path), inks())
    found = operational_picture(Paths(tmp_path))
    assert found.read_bytes()[:4] == b"\x89PNG"
    (tmp_path / "reports" / "operational" / "drift_timeline.json").unlink()
    assert floors_picture.draw(drawn_page(tmp_path / "other", repository), Paths(tmp_path / "other"), inks())


def test_who_beats_whom_is_said_by_measure(tmp_path: Path, repository: Path) -> None:
    page = page_of(tmp_path, repository, {"reactive": 100, "timers": 98.7}, ERRORS | {"lstm_symmetric": 0.7})
    operational.add(page)
    _, rows = page.tables["operational_beats_lstm_symmetric"]
    assert rows[0]["zero"] == "✕ none"
    assert rows[0]["last_value"] == "≈ MASE"
    assert rows[0]["boosting"] == "– not judged"


def test_without_a_file_there_is_no_section(tmp_path: Path, repository: Path) -> None:
    assert operational.add(Page(params_module.load(repository / "params.yaml"), Paths(tmp_path))) == ""
