"""The landscape on the page, from invented rows: words agree with intervals, no ratio of a small gap, seeds are means, equal bytes."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest

from simulator.fleet import LATENCY_EDGES_US
from simulator.parameters import Objective
from tasks.core import params as params_module
from tasks.core.paths import Paths
from tasks.evaluation import compare
from tasks.evaluation.compare_outputs import landscape_folder
from tasks.report.page import Page
from tasks.report.sections import data, first, landscape
from tasks.report.sections.arms import Arm, reach
from tasks.report.wording import NO_RATIO, Effect, finding, heading, too_few

HOME_NANOUSD = 1_000_000_000
APPS = ("rare_a", "rare_b", "low_a", "low_b", "mid_a", "mid_b", "high_a", "high_b")  # named after their class
WEIGHTS = (0.01, 0.01, 0.03, 0.05, 0.1, 0.2, 0.2, 0.4)
# Cost of each arm in % of home.
USUAL = {
    "random": 216.0, "home": 100.0, "greedy_locality": 110.0, "greedy_cold_start": 122.0, "greedy_objective": 86.0,
    "greedy_hysteresis": 79.0, "best_static": 84.0, "coordinated_static": 83.0, "persistence": 76.0, "hindsight": 70.0,
    "optimistic_bound": 68.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def inputs(repository: Path) -> ModuleType:
    """The invented inputs of the browser tests."""
    spec = importlib.util.spec_from_file_location("landscape_inputs", repository / "tests" / "e2e" / "conftest.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def invented(scenarios: int, seeds: int = 2, spread: float = 0.02, **changes: float) -> pl.DataFrame:
    """Rows of an evaluation: every arm costs its share of home, give or take `spread`, twice as much in the family `crunch`."""
    rng = np.random.Generator(np.random.PCG64(5))
    rows = []
    for arm, share in (USUAL | changes).items():
        for family in ("calm", "crunch"):
            for scenario in range(1, scenarios + 1):
                for seed in range(1, seeds + 1):
                    luck = 1 + (0 if arm == "home" else spread * rng.standard_normal())
                    for app, weight in zip(APPS, WEIGHTS, strict=True):
                        cost = HOME_NANOUSD * scenario * weight * share / 100 * luck * (2 if family == "crunch" else 1)
                        counts = {"calls": 100, "served": 90 + seed % 2, "rejected": 10 - seed % 2}
                        row = (
                            dict.fromkeys(compare.FIELDS, 0)
                            | counts
                            | {"cost_nanousd": round(cost * 0.7), "egress_nanousd": round(cost * 0.3)}
                        )
                        keys = {
                            "arm": arm,
                            "seed": seed,
                            "scenario": f"{family}-{scenario}",
                            "family": family,
                            "app_id": app,
                            "class": app.partition("_")[0],
                        }
                        bins = [0] * len(LATENCY_EDGES_US) + [counts["served"]]
                        rows.append(keys | row | {"intervals": 50, "binding_intervals": 3, "latency_histogram": bins})
    return pl.DataFrame(rows)


def page_of(root: Path, inputs: ModuleType, rows: pl.DataFrame, origin: str = "twin") -> Page:
    root.mkdir(parents=True, exist_ok=True)
    inputs.write_inputs(root)
    paths = Paths(root)
    params = params_module.load(paths.params_file)
    landscape_folder(paths).mkdir(parents=True, exist_ok=True)
    compare.publish(rows, [], dict.fromkeys(rows["scenario"].to_list(), origin), params.section("objective", Objective), paths)
    return Page(params, paths)


def found_of(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((landscape_folder(page.paths) / "landscape.json").read_text(encoding="utf-8"))
    return found


def heading_of(text: str, identity: str) -> str:
    found = re.search(rf'<h3 id="{identity}-t">(.*?)</h3>', text)
    assert found
    return found.group(1)


def test_without_a_landscape_the_first_screen_is_of_the_data(tmp_path: Path, inputs: ModuleType) -> None:
    inputs.write_inputs(tmp_path)
    page = Page(params_module.load(tmp_path / "params.yaml"), Paths(tmp_path))
    text = first.render(page)
    assert 'id="calendar"' in text
    assert 'id="ladder"' not in text
    assert landscape.render(page) == ""
    assert 'id="calendar"' not in data.render(page)


def test_decisions_judged_on_other_calls_say_so(tmp_path: Path, inputs: ModuleType) -> None:
    rows = invented(3, seeds=1)
    same = first.render(page_of(tmp_path / "same", inputs, rows))
    assert 'class="tag twin"' in same
    assert "decisions are judged on" not in same
    other = first.render(page_of(tmp_path / "other", inputs, rows, "path:/traces"))
    head = other[: other.index("<h1>")]
    assert re.findall(r'class="tag (twin|real)"', head) == ["real", "twin"]
    assert "decisions are judged on rows of the public traces" in head
    assert "figures of calls: generated data" in head
    ladder = other[other.index('id="ladder"') : other.index("Read this first")]
    assert 'class="tag real"' in ladder
    assert 'class="tag twin"' not in ladder


def test_the_words_are_those_of_the_intervals(tmp_path: Path, inputs: ModuleType) -> None:
    """Headline, ladder and tiles recomputed from metrics and from the published JSON."""
    page = page_of(tmp_path, inputs, invented(12))
    text = first.render(page)
    summary = found_of(page)["families"]["calm"]
    effect = Effect.of(summary["differences"]["rule_minus_static"]["of_home"], 2)
    assert effect.high is not None
    assert effect.high < -0.5
    assert heading_of(text, "ladder") == heading("The best rule", "best static", effect)
    assert heading_of(text, "ladder") == f"The best rule lowers best static by {page.metrics['rule_and_static_apart_pct']:.1f} % of home"
    assert "too few" not in text
    head = re.search(r"<h1>(.*?)</h1>", text)
    assert head
    saves, takes = page.metrics["foresight_saves_pct"], page.metrics["static_share_pct"]
    assert head.group(1).replace("\u00a0", " ") == (
        f"Perfect foresight lowers the objective by {saves:.1f} % of home. One good static choice takes {takes:.0f} % of that."
    )
    assert saves == pytest.approx(30, abs=1.5)
    assert takes == pytest.approx(16 / 30 * 100, abs=6)
    assert 'id="calendar"' in data.render(page)
    assert "the gap left to learn" in page._specs["ladder"]
    assert text.count('class="tile"') == first.TILES


def test_a_null_effect_is_not_told_apart(tmp_path: Path, inputs: ModuleType) -> None:
    rows = invented(12, spread=0.06, greedy_hysteresis=90.0, persistence=84.3, greedy_objective=95.0)
    page = page_of(tmp_path, inputs, rows)
    text = first.render(page)
    assert heading_of(text, "ladder") == "The best rule is not told apart from best static"
    assert "≈ not told apart" in landscape.render(page)


def test_no_ratio_of_a_gap_of_under_one_per_cent(tmp_path: Path, inputs: ModuleType) -> None:
    """Hindsight 0.7 % below home: no share, wherever one would stand; the denominator stays."""
    small = {"best_static": 99.6, "hindsight": 99.3, "greedy_hysteresis": 99.8, "persistence": 99.9, "greedy_objective": 99.9}
    page = page_of(tmp_path, inputs, invented(12, spread=0.0005, **small))
    summary = found_of(page)["families"]["calm"]
    assert summary["static_share"] is None
    assert summary["gap_by_app"]["largest_share"] is None
    assert set(summary["closed_of_static_to_hindsight"].values()) == {None}
    text = first.render(page) + landscape.render(page)
    assert f"by 0.7\u00a0% of home. {finding('One good static choice', 'home', Effect(-0.4, -0.4, -0.4, 2, 12))}" in text
    assert '<div class="value">no ratio</div>' in text
    assert "the gap is under 1 % of home" in text
    assert heading_of(text, "landscape_gap_by_app") == NO_RATIO.capitalize()


def test_a_small_design_says_so_and_draws_no_interval(tmp_path: Path, inputs: ModuleType) -> None:
    page = page_of(tmp_path, inputs, invented(2, seeds=1))
    text = first.render(page) + landscape.render(page)
    for identity in (
        "ladder",
        "landscape_arms",
        "landscape_classes",
        "landscape_without_five",
        "landscape_gap_by_app",
        "landscape_differences",
    ):
        assert heading_of(text, identity).endswith(too_few(1, 2)), identity
    assert '"mode":"lines"' not in page._specs["ladder"] + page._specs["landscape_arms"] + page._specs["landscape_classes"]
    assert "interval" not in re.sub(r"<[^>]*>", "", text.split("landscape_components")[0]).lower().replace("intervals", "").replace(
        "tactical interval", ""
    ).replace("strategic interval", "")


def test_totals_are_means_over_seeds(tmp_path: Path, inputs: ModuleType) -> None:
    """USD and counts are of one test span, however many seeds were played; quantiles and shares pool them."""
    one, three = (
        pl.read_csv(landscape_folder(page_of(tmp_path / str(seeds), inputs, invented(2, seeds, spread=0.0)).paths) / "landscape.csv")
        for seeds in (1, 3)
    )
    assert one.columns == three.columns
    for name in ("total_usd", "execution_usd", "egress_usd", "calls", "binding_share", "latency_p50_s"):
        np.testing.assert_allclose(three[name].to_numpy(), one[name].to_numpy(), rtol=1e-9)
    assert one["served"].to_list()[0] == 8 * 91
    assert three["served"].to_list()[0] == pytest.approx(8 * (91 + 90 + 91) / 3)
    assert one.schema["served"] == pl.Int64
    assert three.schema["calls"] == pl.Int64  # whole means stay whole


def test_differences_are_paired_and_of_the_same_home(tmp_path: Path, inputs: ModuleType) -> None:
    """By hand: mean over scenarios of (rule - static) / home, and the interval of Student's t."""
    page = page_of(tmp_path, inputs, invented(5))
    with (landscape_folder(page.paths) / "landscape.csv").open(encoding="utf-8", newline="") as lines:
        rows = [r for r in csv.DictReader(lines) if r["family"] == "calm"]
    usd = {arm: np.array([float(r["total_usd"]) for r in rows if r["arm"] == arm]) for arm in ("home", "best_static", "persistence")}
    difference = (usd["persistence"] - usd["best_static"]) / usd["home"]
    half = 2.7764451 * difference.std(ddof=1) / np.sqrt(5)
    summary = found_of(page)["families"]["calm"]
    assert summary["best_rule"] == "persistence"
    found = summary["differences"]["rule_minus_static"]["of_home"]
    assert found["value"] == pytest.approx(difference.mean(), abs=1e-8)
    assert (found["low"], found["high"]) == pytest.approx((difference.mean() - half, difference.mean() + half), abs=1e-7)
    money = summary["differences"]["rule_minus_static"]["usd"]["value"]
    assert money == pytest.approx((usd["persistence"] - usd["best_static"]).mean(), abs=1e-8)
    assert summary["share_of_home"]["persistence"]["value"] == pytest.approx((usd["persistence"] / usd["home"]).mean(), abs=1e-8)


def test_who_makes_the_gap(tmp_path: Path, inputs: ModuleType) -> None:
    """One app's burst meets a full zone under best static: it makes most of the gap, and its rejected calls say why."""
    rows = invented(3, seeds=2, spread=0.001, best_static=70.0)
    burst = (pl.col("arm") == "best_static") & (pl.col("app_id") == "mid_b")
    rows = rows.with_columns(
        pl.when(burst).then(pl.col("cost_nanousd") * 3).otherwise(pl.col("cost_nanousd")).alias("cost_nanousd"),
        pl.when(burst).then(60).when(pl.col("arm") == "hindsight").then(4).otherwise(0).alias("rejected"),
    )
    found = found_of(page_of(tmp_path, inputs, rows))["families"]["calm"]["gap_by_app"]
    assert found["largest_share"]["value"] == pytest.approx(1.0, abs=0.02)
    assert found["five_share"]["value"] == pytest.approx(1.0, abs=0.02)
    for one in found["scenarios"]:
        assert one["apps"][0] == "mid_b"
        assert one["rejected_best_static"] == {"largest": 60.0, "five": 60.0, "all": 60.0}
        assert one["rejected_hindsight"] == {"largest": 4.0, "five": 20.0, "all": 32.0}


def test_every_class_has_the_same_rows_in_the_same_order(tmp_path: Path, inputs: ModuleType) -> None:
    """Names stand beside the first panel alone, so a class in which the rule is dearer than best static keeps the order."""
    dear = pl.col("arm").is_in(compare.RULES) & (pl.col("class") == "low")
    rows = invented(3).with_columns(pl.when(dear).then(pl.col("cost_nanousd") * 3).otherwise(pl.col("cost_nanousd")).alias("cost_nanousd"))
    page = page_of(tmp_path, inputs, rows)
    landscape.render(page)
    shown = page.tables["landscape_classes"][1]
    means = {c: [r for r in shown if r["class"] == c and r["scenario"] == "mean"] for c in ("rare", "low", "mid", "high")}
    assert {tuple(r["arm"] for r in of) for of in means.values()} == {("Best static (train)", "Persistence rule", "Hindsight (coupled)")}
    static, rule, _ = (r["of_home"] for r in means["low"])
    assert rule > static


def test_an_axis_holds_every_dot_but_those_of_an_arm_far_away() -> None:
    def arm(name: str, *dots: float) -> Arm:
        return Arm(name, name, {str(i): d for i, d in enumerate(dots)}, sum(dots) / len(dots), None, None, "home", "circle")

    low, high = reach([arm("hindsight", 55.0, 80.0), arm("hindsight", 70.0, 72.0), arm("home", 100.0, 100.0), arm("random", 200.0, 240.0)])
    assert low < 55
    assert 100 < high < 200
    assert reach([arm("hindsight", 69.0, 70.0), arm("best_static", 73.0, 74.0), arm("home", 100.0, 100.0)])[1] > 100


def test_equal_rows_give_equal_bytes(tmp_path: Path, inputs: ModuleType) -> None:
    rows = invented(4)
    written = []
    for name, given in (("a", rows), ("b", rows.sample(fraction=1.0, shuffle=True, seed=3))):
        page = page_of(tmp_path / name, inputs, given)
        written.append({f.name: f.read_bytes() for f in landscape_folder(page.paths).iterdir()})
    assert written[0] == written[1]
