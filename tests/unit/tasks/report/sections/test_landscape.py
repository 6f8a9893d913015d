"""The landscape on the page, from invented rows: words agree with intervals, no ratio of a small gap, seeds are means, equal bytes."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.errors import DamagedFileError
from simulator.fleet import LATENCY_EDGES_US
from simulator.parameters import Objective
from tasks.core import params as params_module
from tasks.core.paths import Paths
from tasks.evaluation import compare
from tasks.evaluation.arms import baselines, bound
from tasks.evaluation.arms.table import described
from tasks.evaluation.compare import Arms
from tasks.evaluation.compare_outputs import landscape_folder
from tasks.evaluation.evaluation_record import ArmRow
from tasks.evaluation.headline import FIELDS
from tasks.evaluation.landscape_record import Interval
from tasks.report.page import Page
from tasks.report.parts.arms import Arm, reach
from tasks.report.sections import answer, data, landscape
from tasks.report.wording import NO_RATIO, Effect, finding, too_few
from tests.worlds.page_inputs import write_inputs

HOME_NANOUSD = 1_000_000_000
APPS = ("rare_a", "rare_b", "low_a", "low_b", "mid_a", "mid_b", "high_a", "high_b")  # named after their class
WEIGHTS = (0.01, 0.01, 0.03, 0.05, 0.1, 0.2, 0.2, 0.4)
# Cost of each arm in % of home.
USUAL = {
    "random": 216.0, "home": 100.0, "greedy_locality": 110.0, "greedy_cold_start": 122.0, "greedy_objective": 86.0,
    "greedy_hysteresis": 79.0, "best_static": 84.0, "coordinated_static": 83.0, "persistence": 76.0, "hindsight": 70.0,
    "optimistic_bound": 68.0,
}  # fmt: skip


ARMS = Arms.of(*(tuple(ArmRow.model_validate(row) for row in described(table.ARMS)) for table in (baselines, bound)))


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
                        row = dict.fromkeys(FIELDS, 0) | counts | {"cost_nanousd": round(cost * 0.7), "egress_nanousd": round(cost * 0.3)}
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


def page_of(root: Path, rows: pl.DataFrame, origin: str = "twin") -> Page:
    root.mkdir(parents=True, exist_ok=True)
    write_inputs(root)
    paths = Paths(root)
    params = params_module.load(paths.params_file)
    compare.publish(rows, ARMS, [], dict.fromkeys(rows["scenario"].to_list(), origin), params.section("objective", Objective), paths)
    return Page(params, paths)


def found_of(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((world_of(page) / "landscape.json").read_text(encoding="utf-8"))
    return found


def world_of(page: Page) -> Path:
    return landscape_folder(page._paths)


def heading_of(text: str, identity: str) -> str:
    found = re.search(rf'<h3 id="{identity}-t">(.*?)</h3>', text)
    assert found
    return found.group(1)


def test_without_a_landscape_the_first_screen_is_of_the_data(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    page = Page(params_module.load(tmp_path / "params.yaml"), Paths(tmp_path))
    text = answer.add(page)
    assert 'id="calendar"' in text
    assert 'id="ladder"' not in text
    assert landscape.add(page) == ""
    assert 'id="calendar"' not in data.add(page)


def test_decisions_judged_on_other_calls_say_so(tmp_path: Path) -> None:
    rows = invented(3, seeds=1)
    same = answer.add(page_of(tmp_path / "same", rows))
    assert 'class="tag twin"' in same
    assert "decisions are judged on" not in same
    other = answer.add(page_of(tmp_path / "other", rows, "path:/traces"))
    head = other[: other.index("<h1>")]
    assert re.findall(r'class="tag (twin|real)"', head) == ["real", "twin"]
    assert "decisions are judged on rows of the public traces" in head
    assert "figures of calls: generated data" in head
    ladder = other[other.index('id="ladder"') : other.index("Read this first")]
    assert 'class="tag real"' in ladder
    assert 'class="tag twin"' not in ladder


def test_the_words_are_those_of_the_intervals(tmp_path: Path) -> None:
    """Headline, ladder and tiles recomputed from metrics and from the published JSON."""
    page = page_of(tmp_path, invented(12))
    text = answer.add(page)
    summary = found_of(page)["families"]["calm"]
    effect = Effect.of(Interval.model_validate(summary["differences"]["rule_minus_static"]["of_home"]), 2)
    assert effect.high is not None
    assert effect.high < -0.5
    assert heading_of(text, "ladder") == finding("the best rule", "best static", effect)
    assert (
        heading_of(text, "ladder") == f"The best rule costs {page.numbers['rule_and_static_apart_pct']:.1f} % of home less than best static"
    )
    assert "too few" not in text
    head = re.search(r"<h1>(.*?)</h1>", text)
    assert head
    saves, takes = page.numbers["foresight_saves_pct"], page.numbers["static_share_pct"]
    assert head.group(1).replace("\u00a0", " ") == (
        f"Placing apps with perfect foresight would save {saves:.1f} % of what they cost at home. "
        f"Placing each app once, on its past, already saves {takes:.0f} % of that."
    )
    assert saves == pytest.approx(30, abs=1.5)
    assert takes == pytest.approx(16 / 30 * 100, abs=6)
    assert 'id="calendar"' in data.add(page)
    assert "the gap left to learn" in page._specs["ladder"]
    assert text.count('class="tile"') == answer.TILES


def test_a_null_effect_is_no_detectable_difference(tmp_path: Path) -> None:
    rows = invented(12, spread=0.06, greedy_hysteresis=90.0, persistence=84.3, greedy_objective=95.0)
    page = page_of(tmp_path, rows)
    text = answer.add(page)
    assert heading_of(text, "ladder") == "No detectable difference between the best rule and best static"
    assert "≈ no difference" in landscape.add(page)


def test_no_ratio_of_a_gap_of_under_one_per_cent(tmp_path: Path) -> None:
    """Hindsight 0.7 % below home: no share, wherever one would be shown; the denominator stays."""
    small = {"best_static": 99.6, "hindsight": 99.3, "greedy_hysteresis": 99.8, "persistence": 99.9, "greedy_objective": 99.9}
    page = page_of(tmp_path, invented(12, spread=0.0005, **small))
    summary = found_of(page)["families"]["calm"]
    assert summary["static_share"] is None
    assert summary["gap_by_app"]["largest_share"] is None
    assert set(summary["closed_of_static_to_hindsight"].values()) == {None}
    text = answer.add(page) + landscape.add(page)
    said = finding("placing each app once, on its past,", "leaving it at home", Effect(-0.4, -0.4, -0.4, 2, 12))
    assert f"would save 0.7\u00a0% of what they cost at home. {said}." in text
    assert '<div class="value">no ratio</div>' in text
    assert "the gap is under 1 % of home" in text
    assert heading_of(text, "landscape_gap_by_app") == NO_RATIO.capitalize()


def test_a_small_design_says_so_and_draws_no_interval(tmp_path: Path) -> None:
    page = page_of(tmp_path, invented(2, seeds=1))
    sections = [answer.add(page), landscape.add(page)]
    text = "".join(sections)
    assert [section.count(too_few(1, 2)) for section in sections] == [1, 1]
    assert "too few" not in "".join(re.findall(r"<h[13].*?</h[13]>", text))
    assert '"mode":"lines"' not in page._specs["ladder"] + page._specs["landscape_arms"] + page._specs["landscape_classes"]
    assert "interval" not in re.sub(r"<[^>]*>", "", text.split("landscape_components")[0]).lower().replace("intervals", "").replace(
        "tactical interval", ""
    ).replace("strategic interval", "")


def test_totals_are_means_over_seeds(tmp_path: Path) -> None:
    """USD and counts are of one test span, however many seeds were played; quantiles and shares pool them."""
    one, three = (
        pl.read_csv(world_of(page_of(tmp_path / str(seeds), invented(2, seeds, spread=0.0))) / "landscape.csv") for seeds in (1, 3)
    )
    assert one.columns == three.columns
    for name in ("total_usd", "execution_usd", "egress_usd", "calls", "binding_share", "latency_p50_s"):
        np.testing.assert_allclose(three[name].to_numpy(), one[name].to_numpy(), rtol=1e-9)
    assert one["served"].to_list()[0] == 8 * 91
    assert three["served"].to_list()[0] == pytest.approx(8 * (91 + 90 + 91) / 3)
    assert one.schema["served"] == pl.Int64
    assert three.schema["calls"] == pl.Int64  # whole means stay whole


def test_differences_are_paired_and_of_the_same_home(tmp_path: Path) -> None:
    """By hand: mean over scenarios of (rule - static) / home, and the interval of Student's t."""
    page = page_of(tmp_path, invented(5))
    with (world_of(page) / "landscape.csv").open(encoding="utf-8", newline="") as lines:
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


def test_who_makes_the_gap(tmp_path: Path) -> None:
    """One app's burst meets a full zone under best static: it makes most of the gap, and its rejected calls say why."""
    rows = invented(3, seeds=2, spread=0.001, best_static=70.0)
    burst = (pl.col("arm") == "best_static") & (pl.col("app_id") == "mid_b")
    rows = rows.with_columns(
        pl.when(burst).then(pl.col("cost_nanousd") * 3).otherwise(pl.col("cost_nanousd")).alias("cost_nanousd"),
        pl.when(burst).then(60).when(pl.col("arm") == "hindsight").then(4).otherwise(0).alias("rejected"),
    )
    found = found_of(page_of(tmp_path, rows))["families"]["calm"]["gap_by_app"]
    assert found["largest_share"]["value"] == pytest.approx(1.0, abs=0.02)
    assert found["five_share"]["value"] == pytest.approx(1.0, abs=0.02)
    for one in found["scenarios"]:
        assert one["apps"][0] == "mid_b"
        assert one["rejected_best_static"] == {"largest": 60.0, "five": 60.0, "all": 60.0}
        assert one["rejected_hindsight"] == {"largest": 4.0, "five": 20.0, "all": 32.0}


def test_every_class_has_the_same_rows_in_the_same_order(tmp_path: Path) -> None:
    """Names are beside the first panel alone, so a class in which the rule costs more than best static keeps the order."""
    expensive = pl.col("arm").is_in(ARMS.rules) & (pl.col("class") == "low")
    rows = invented(3).with_columns(
        pl.when(expensive).then(pl.col("cost_nanousd") * 3).otherwise(pl.col("cost_nanousd")).alias("cost_nanousd")
    )
    page = page_of(tmp_path, rows)
    landscape.add(page)
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


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    rows = invented(4)
    written = []
    for name, given in (("a", rows), ("b", rows.sample(fraction=1.0, shuffle=True, seed=3))):
        page = page_of(tmp_path / name, given)
        written.append({f.name: f.read_bytes() for f in world_of(page).iterdir()})
    assert written[0] == written[1]


def test_an_arm_that_no_table_lists_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match="unknown arm 'newcomer'") as caught:
        page_of(tmp_path, invented(2, newcomer=90.0))
    assert "tasks/evaluation/arms" in caught.value.how


def test_the_rules_are_the_causal_baselines_that_may_move() -> None:
    simple = {"greedy_objective", "greedy_hysteresis", "persistence", "greedy_locality", "greedy_cold_start", "follow_the_leader"}
    others = {"planner", "planner_response", "planner_price", "fr24_heuristic", "chen25_two_tier"}
    assert set(ARMS.rules) == simple | others


def test_labels_and_inks_are_those_of_the_evaluation(tmp_path: Path) -> None:
    page = page_of(tmp_path, invented(2))
    file = world_of(page) / "landscape.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    for arm in found["arms"]:
        if arm["name"] == "home":
            arm |= {"label": "Where it is", "ink": "learned"}
    file.write_text(json.dumps(found), encoding="utf-8")
    landscape.add(page)
    assert "Where it is" in {row["arm"] for row in page.tables["landscape_arms"][1]}
    assert "var(--learned)" in page._specs["landscape_arms"]
