"""The section of recorded peers: what was recorded is what is shown, and what is recorded is whole."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest

from tasks.core import params as params_module
from tasks.core.paths import Paths
from tasks.report.page import Page
from tasks.report.sections import peers
from tests.worlds.page_inputs import write_inputs

ROOT = Path(__file__).parents[5]
HEAD = "date,command,peer,compared,unit,better,ours,theirs,difference,low,high,training_seeds,scenarios,transitions,note\n"


def recorded() -> list[dict[str, str]]:
    with (ROOT / peers.FILE).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def page_with(root: Path, lines: str | None) -> Page:
    write_inputs(root)
    if lines is not None:
        file = root / peers.FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEAD + lines, encoding="utf-8")
    paths = Paths(root)
    return Page(params_module.load(paths.params_file), paths)


@pytest.mark.parametrize("lines", [None, ""])
def test_without_records_there_is_no_section(tmp_path: Path, lines: str | None) -> None:
    assert peers.add(page_with(tmp_path, lines)) == ""


def test_a_record_is_shown_with_its_interval_date_and_command(tmp_path: Path) -> None:
    page = page_with(
        tmp_path,
        "2026-01-02,python -m bench.one,Peer <1>,cost,% of home,lower,170.5,180.25,-9.75,-12,-7.5,5,calm-1,100,more\n"
        "2026-01-03,python -m bench.two,Peer 2,speed,rows per CPU s,higher,9000,3000,6000,,,1,,,more\n",
    )
    text = peers.add(page)
    assert "In 2 recorded comparisons, Trine is better in 2 and worse in 0; 0 are even" in text
    assert "recorded 2026-01-02 to 2026-01-03" in text
    assert "Peer &lt;1&gt;" in text
    assert "[\u221212.0, \u22127.5]" in text
    _, rows = page.tables["peers"]
    assert [(row["ours"], row["theirs"], row["difference"], row["training_seeds"]) for row in rows] == [
        (170.5, 180.25, -9.75, 5),
        (9000.0, 3000.0, 6000.0, 1),
    ]


@pytest.mark.parametrize(
    ("better", "difference", "low", "high", "told"),
    [
        ("lower", "-3", "-4", "-1", peers.BETTER),
        ("lower", "3", "1", "4", peers.WORSE),
        ("higher", "3", "", "", peers.BETTER),
        ("higher", "-3", "", "", peers.WORSE),
        ("lower", "-3", "-7", "1", peers.UNCLEAR),
        ("lower", "0.0", "0.0", "0.0", peers.EQUAL),
    ],
)
def test_the_interval_says_who_is_better(better: str, difference: str, low: str, high: str, told: str) -> None:
    assert peers.found({"better": better, "difference": difference, "low": low, "high": high}) == told


def test_every_record_says_what_was_compared_and_how_to_repeat_it() -> None:
    rows = recorded()
    assert {"Stable-Baselines3", "StatsForecast", "NeuralForecast"} <= {row["peer"].split()[0] for row in rows}
    for row in rows:
        assert date.fromisoformat(row["date"])
        module = row["command"].split()[2]
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), row["command"]
        assert all(row[name] for name in ("peer", "compared", "unit", "training_seeds", "note"))
        assert row["better"] in ("lower", "higher")
        ours, theirs, difference = (float(row[name]) for name in ("ours", "theirs", "difference"))
        assert difference == pytest.approx(ours - theirs, abs=2e-3), row
        if row["low"] or row["high"]:
            assert float(row["low"]) <= difference <= float(row["high"])
