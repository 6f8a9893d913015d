"""The section of warm floors from invented figures: headings follow the values, what was not judged is not shown."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tasks.core import params as params_module
from tasks.core.paths import Paths
from tasks.evaluation.evaluate_operational import COLUMNS
from tasks.report.page import HEADING_LIMIT, Page
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
    assert "Timers saves 1.3 % of reactive scaling; 1 of 2" in text
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


def test_without_a_file_there_is_no_section(tmp_path: Path, repository: Path) -> None:
    assert operational.add(Page(params_module.load(repository / "params.yaml"), Paths(tmp_path))) == ""
