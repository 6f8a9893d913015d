"""The page without a browser: words for numbers, what a figure must have, which parts are left out, equal bytes."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from core.errors import DamagedFileError, GateError
from tasks.core import params as params_module
from tasks.core.paths import Paths
from tasks.report.page import FINGERPRINT, Column, Page, pair
from tasks.report.parts.data_times import published_durations, published_gaps
from tasks.report.plot import decimated, serialised
from tasks.report.report_outputs import tables_folder
from tasks.report.text import csv_text, decimals_of, html_table, interval, latex_text, num, percent, seconds, tag
from tests.worlds.page_inputs import build, eda_inputs, write_inputs


@pytest.fixture
def page(tmp_path: Path) -> Page:
    write_inputs(tmp_path)
    paths = Paths(tmp_path)
    return Page(params_module.load(paths.params_file), paths)


def _figure_parts() -> dict[str, Any]:
    plot = go.Figure(go.Scatter(x=[1], y=[2])).update_layout(height=100)
    return {
        "heading": "One is less than two", "sentence": "Read it so.", "alt": "One is less than two.",
        "wide": plot, "narrow": plot, "key": "",
        "tags": ["twin", "measured"], "provenance": "azure2021", "command": "dvc repro report", "data": [{"x": 1, "y": 2.5}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (1234567, "1,234,567"), (-3.14159, "\u22123.14"), (0.01234, "0.0123"), (250.04, "250"), (2.0, "2"), (-0.0, "0")],
)
def test_num(value: float, shown: str) -> None:
    assert num(value) == shown


def test_num_with_sign_and_decimals_never_shows_minus_nought() -> None:
    assert num(0.8, 1, sign=True) == "+0.8"
    assert num(-0.04, 1, sign=True) == "0.0"


def test_interval_has_equal_decimals() -> None:
    assert interval(-3.1, 6.04) == "[\u22123.10, 6.04]"
    assert interval(0.5, 12.25, 1) == "[0.5, 12.2]"


@pytest.mark.parametrize(
    ("value", "shown"), [(2e-5, "20 µs"), (0.0314, "31.4 ms"), (14.416, "14.4 s"), (578.62, "9.64 min"), (86400, "24 h"), (0, "0 µs")]
)
def test_seconds(value: float, shown: str) -> None:
    assert seconds(value) == shown


@pytest.mark.parametrize(("share", "shown"), [(0, "0 %"), (1, "100 %"), (0.715, "72 %"), (0.087, "8.7 %"), (0.0012, "0.12 %")])
def test_percent(share: float, shown: str) -> None:
    assert percent(share) == shown


def test_tags_are_four() -> None:
    assert tag("sampled: payload") == '<span class="tag sampled">sampled payload</span>'
    with pytest.raises(ValueError, match="unknown tag 'guessed'"):
        tag("guessed")


def test_tables_escape_and_align() -> None:
    columns = [Column("name"), Column("v", "Value", "s", "number"), Column("ok", kind="verdict")]
    rows = [
        {"name": "a<b & c_d", "v": 0.5, "ok": "✓ holds"},
        {"name": "x", "v": 12.0, "ok": "✕ misses"},
        {"name": "y", "v": None, "ok": ""},
    ]
    shown = html_table(columns, rows, best=[1])
    assert "a&lt;b &amp; c_d" in shown
    assert "<td class=number>0.5</td>" in shown
    assert "<td class=number>12.0</td>" in shown
    assert '<span class="verdict bad">✕ misses</span>' in shown
    assert shown.count("class=best") == 1
    assert list(csv.reader(csv_text(columns, rows).splitlines()))[3] == ["y", "", ""]
    assert r"a<b \& c\_d & 0.5 & ✓ holds \\" in latex_text(columns, rows)
    assert decimals_of([0.5, 12.0]) == 1


def test_a_long_table_says_that_it_is_thinned() -> None:
    shown = html_table([Column("i", kind="number")], [{"i": i} for i in range(1000)])
    assert shown.count("<tr>") == 201
    assert "One row in 5 of 1,000" in shown


def test_decimated_keeps_extremes() -> None:
    ys = [0.0] * 5000
    ys[1234], ys[4321] = 9.0, -9.0
    x, y = decimated(list(range(5000)), ys)
    assert len(x) <= 400
    assert (max(y), min(y)) == (9.0, -9.0)
    assert x == sorted(x)


@pytest.mark.parametrize("missing", ["heading", "sentence", "alt", "tags", "provenance", "command", "data", "wide", "narrow", "key"])
def test_a_figure_without_a_part_is_refused(page: Page, missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        page.figure("f", **_figure_parts() | {missing: None})


def test_a_figure_writes_its_numbers(page: Page, tmp_path: Path) -> None:
    shown = page.figure("f", **_figure_parts())
    assert "Figure 1" in shown
    assert f"data {FINGERPRINT}" in shown
    page.write("t", "", shown)
    assert (tables_folder(Paths(tmp_path)) / "f.csv").read_text() == "x,y\n1,2.5\n"
    assert "1 & 2.5" in (tables_folder(Paths(tmp_path)) / "f.tex").read_text()
    with pytest.raises(ValueError, match="on the page already"):
        page.figure("f", **_figure_parts())


def test_a_heading_has_at_most_90_characters(page: Page) -> None:
    with pytest.raises(ValueError, match="91 characters"):
        page.figure("f", **_figure_parts() | {"heading": "x" * 91})


def test_a_figure_needs_a_height_and_no_default_template() -> None:
    bare = go.Figure(go.Scatter(x=[1], y=[2]))
    with pytest.raises(ValueError, match="height"):
        serialised(bare, bare)
    bare.update_layout(height=50)
    assert "colorway" not in serialised(bare, bare)


def test_a_headline_number_has_one_value(page: Page) -> None:
    assert page.number("a", 1) == 1
    page.number("a", 1)
    with pytest.raises(ValueError, match="number a"):
        page.number("a", 2)


def test_pair_of_one_is_one() -> None:
    assert pair("<figure></figure>", "") == "<figure></figure>"
    assert pair("", "") == ""


def test_the_gate_is_asked_for_every_source_that_is_on(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    verdict = tmp_path / "reports" / "validation" / "google2019.json"
    verdict.write_text(json.dumps(json.loads(verdict.read_text()) | {"success": False}))
    with pytest.raises(GateError, match="google2019 failed validation"):
        build(tmp_path)


@pytest.mark.parametrize("how", ["absent", "empty"])
@pytest.mark.parametrize("half", [0, 1])
def test_a_missing_answer_leaves_its_part_out(tmp_path: Path, half: int, how: str) -> None:
    parts = [
        *(("volumes", "calendar"), ("concentration", "concentration"), ("durations", "durations"), ("gaps", "gaps")),
        *(("dispersion", "dispersion"), ("triggers", "triggers"), ("concurrency", "concurrency"), ("rhythm", "hours")),
        *(("cells", "cells"), ("quality", "rows"), ("forecasts", "forecast_dots")),
    ]
    missing = {name for name, _ in parts[half::2]}
    eda = eda_inputs()
    write_inputs(tmp_path, eda=eda | {name: {} for name in missing})
    if how == "absent":
        for name in missing:
            (tmp_path / "reports" / "eda" / f"{name}.json").unlink()
    text = build(tmp_path).read_text(encoding="utf-8")
    assert {name for name, identity in parts if f'<figure id="{identity}"' not in text} == missing


def test_published_points_are_one_falling_distribution(repository: Path) -> None:
    real = json.loads((repository / "data" / "reference" / "twin" / "azure2021.json").read_text(encoding="utf-8"))
    points = published_durations(real)
    known = dict(zip(points["seconds"], points["share"], strict=True))
    assert points["seconds"] == sorted(points["seconds"])
    assert points["share"] == sorted(points["share"], reverse=True)
    assert known[real["duration_p95_s"]] == 0.05
    assert known[0.01] == pytest.approx(1 - real["duration_bucket_shares"][0], abs=1e-3)
    assert published_gaps(real) == {"seconds": [1.0, 60.0], "share": [0.27, 0.03]}
    assert published_durations({}) == published_gaps({}) == {"seconds": [], "share": []}


def test_published_points_are_beside_the_curve_of_their_trace_only(tmp_path: Path) -> None:
    eda = eda_inputs()
    for source in ("azure2021", "azure2019"):
        write_inputs(tmp_path, eda=eda | {"volumes": eda["volumes"] | {"source": source}})
        build(tmp_path)
        for name in ("durations", "gaps"):
            text = (tmp_path / "reports" / "tables" / f"{name}.csv").read_text(encoding="utf-8")
            assert ("published, whole trace" in text) == (source == "azure2021")


def test_forecasts_show_their_quartiles(tmp_path: Path) -> None:
    eda = eda_inputs()
    write_inputs(tmp_path, eda=eda)
    text = build(tmp_path).read_text(encoding="utf-8")
    found = re.search(r'id="forecast_dots-figure">(.*?)</script>', text, re.DOTALL)
    assert found
    spec = json.loads(found.group(1))
    low, high = eda["forecasts"]["rows"][0]["mase_quartiles"]
    for form in ("wide", "narrow"):
        line, marks = spec[form]["data"][:2]
        assert (line["mode"], line["x"][:3]) == ("lines", [low, high, None])
        assert marks["mode"] == "markers"
        assert line["y"][0] == line["y"][1] == marks["y"][0]
        start, end = spec[form]["layout"]["xaxis"]["range"]
        assert 0 <= start <= low < high < end


def test_a_page_without_any_answer_is_still_built(tmp_path: Path) -> None:
    write_inputs(tmp_path, eda={})
    (tmp_path / "reports" / "validation" / "twin_fit.json").unlink()
    text = build(tmp_path).read_text(encoding="utf-8")
    assert "nothing to show yet" in text
    assert 'class="tile"' not in text


@pytest.mark.parametrize(
    ("mase", "headline", "heading"),
    [
        (0.8, "has 20 % less error than", "beats the"),
        (1.25, "has 25 % more error than", "does not beat the"),
        (1.001, "is as good as", "equals the"),
    ],
)
def test_words_follow_the_number(tmp_path: Path, mase: float, headline: str, heading: str) -> None:
    eda = eda_inputs()
    eda["forecasts"]["best"]["mase"] = mase
    write_inputs(tmp_path, eda=eda)
    text = build(tmp_path).read_text(encoding="utf-8")
    assert headline in text
    assert heading in text


def test_one_real_day_and_one_app_are_enough(tmp_path: Path) -> None:
    eda = eda_inputs()
    eda["volumes"] |= {"origin": "path:somewhere", "days": [3], "calls": [[5] + [0] * 23], "totals": [5], "total": 5, "split_hours": []}
    eda["concentration"] |= {"apps": [5], "functions": [5], "top": {"1": 1.0}}
    eda["concurrency"] |= {"hours": [0], "mean": [0.0], "max": [0], "overall_mean": 0.0, "overall_max": 0}
    eda["rhythm"] |= {"lags_h": [1], "autocorrelation": [None], "hour_relative": []}
    eda["dispersion"] |= {"apps": [{"rank": 1, "calls": 5, "dispersion": None, "busiest_step": 5}]}
    write_inputs(tmp_path, eda=eda)
    text = build(tmp_path).read_text(encoding="utf-8")
    assert '<span class="tag real">real</span>' in text
    assert "Wed 3 Feb" in text
    assert "nan" not in json.dumps(json.loads((tmp_path / "reports" / "page_numbers.json").read_text())).lower()


@pytest.mark.parametrize(
    ("change", "said"), [({"total": None}, "total: Input should be a valid integer"), ({"more": 1}, "more: Extra inputs")]
)
def test_an_answer_of_another_form_says_which_stage_to_run(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    write_inputs(tmp_path)
    file = tmp_path / "reports" / "eda" / "volumes.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(DamagedFileError, match="dvc repro --force eda") as caught:
        build(tmp_path)
    assert said in caught.value.what
    assert caught.value.where == str(file)
