"""The sections of the world from invented figures: headings follow the values, rows say what they rest on, the map is Equal Earth."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from tasks.core import params as params_module
from tasks.core.paths import Paths
from tasks.core.records import checked, write_record
from tasks.evaluation.compare_outputs import landscape_folder
from tasks.evaluation.landscape_record import Landscape
from tasks.report.page import HEADING_LIMIT, Page
from tasks.report.parts import world_checks, world_limits
from tasks.report.sections import places, world
from tasks.world.calibration_record import Calibration, Limits
from tests.worlds.invented_calibration import HELD, LIMITS, METROS, OUTSIDE, calibration, check, checks, shift, shifts


@pytest.fixture
def page(tmp_path: Path, repository: Path) -> Page:
    (tmp_path / "data" / "reference").mkdir(parents=True)
    shutil.copy(repository / "data" / "reference" / "land.csv", tmp_path / "data" / "reference")
    (tmp_path / "reports" / "world").mkdir(parents=True)
    return Page(params_module.load(repository / "params.yaml"), Paths(tmp_path))


def world_of(page: Page) -> Path:
    return landscape_folder(page._paths)


def write(page: Page, content: dict[str, Any]) -> None:
    write_record(world_of(page) / "calibration.json", Calibration, content)


def write_gap(page: Page, share: float) -> None:
    """A landscape of one family that says nothing but the gap from best static to hindsight."""
    family = {
        "scenarios": 2, "seeds": 1, "level": 0.95, "home_usd": 8.0, "share_of_home": {}, "best_rule": "persistence", "differences": {},
        "components_of_home": {}, "static_share": None, "gap_share_of_home": share, "gap_usd": 8.0 * share,
        "closed_of_static_to_hindsight": {}, "classes": {}, "gap_by_app": {"largest_share": None, "five_share": None, "scenarios": []},
    }  # fmt: skip
    content = {"arms": [], "families": {"calm": family}, "without_five": {}, "scenarios": [], "from": {}}
    write_record(world_of(page) / "landscape.json", Landscape, content)


def write_runs(page: Page, binding: dict[str, float], five: float = 0.6) -> None:
    """Runs at home of two scenarios per family, of 10 and 6 USD; the five largest apps have the share `five` of the money."""
    for name, share in (("landscape", 1.0), ("without_five", 1 - five)):
        with (world_of(page) / f"{name}.csv").open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(["arm", "scenario", "family", "total_usd", "binding_share"])
            for family, binding_share in binding.items():
                for i, usd in enumerate((10.0, 6.0)):
                    writer.writerow(["home", f"{family}-{i}", family, usd * share, binding_share + (0.001, -0.001)[i]])
                    writer.writerow(["best_static", f"{family}-{i}", family, 1.0, 0.9])


def test_no_section_without_a_calibration(page: Page) -> None:
    assert (world.add(page), places.add(page)) == ("", "")


def test_all_figures_held(page: Page) -> None:
    write(page, calibration())
    text = world.add(page)
    assert "The simulated world matches 3 of 3 figures from theory and measurement" in text
    assert "None is outside." in text
    assert (page.numbers["world_checks_held"], page.numbers["world_checks"]) == (3, 3)
    rows = {row["what"]: row for row in page.tables["world_calibration"][1]}
    assert rows["Cold"]["verdict"] == "– not judged"
    assert rows["M/M/1: mean wait"]["verdict"] == "✓ holds"
    assert "✕ 0." not in page._specs["world_calibration"]


def test_one_figure_outside(page: Page) -> None:
    write(page, calibration(checks=OUTSIDE))
    assert "The simulated world matches 3 of 4 figures from theory and measurement" in world.add(page)
    plot = json.loads(page._specs["world_calibration"])
    for layout in ("wide", "narrow"):
        said = {note["text"]: note["font"]["color"] for note in plot[layout]["layout"]["annotations"]}
        assert said["← off the axis"] == "var(--bad)"
        assert any(text.startswith("✕ 0.500") and ink == "var(--bad)" for text, ink in said.items())
        assert sum(len(trace["x"]) for trace in plot[layout]["data"]) == 3
    heading, outside = world_checks.findings(checks(*OUTSIDE))
    assert outside == "Outside: Keep-alive."
    target = check("Misses", 0.085, 0.2, 0.05, 0.15, "prototype")
    assert world_checks.findings(checks(*OUTSIDE, target)) == (heading, "Outside: Keep-alive; Misses.")  # a target confirms nothing
    assert len(heading) <= HEADING_LIMIT


def test_a_figure_just_outside_is_a_cross_in_its_colour(page: Page) -> None:
    write(page, calibration(checks=[*HELD, check("Near", 1.0, 1.15, 0.9, 1.1)]))
    world.add(page)
    within, missed = json.loads(page._specs["world_calibration"])["wide"]["data"]
    assert (missed["x"], missed["marker"]["symbol"], missed["marker"]["color"]) == ([1.5], "x", "var(--bad)")
    assert (len(within["x"]), within["marker"]["symbol"], within["marker"]["color"]) == (3, "circle", "var(--s4)")


@pytest.mark.parametrize(
    ("expected", "found", "low", "high", "position"),
    [
        (4.0, 4.1, 3.8, 4.2, 0.5),
        (4.0, 3.6, 3.8, 4.8, -2.0),
        (None, 0.15, 0.0, 0.15, 1.0),
        (2.0, 2.0, 2.0, 2.0, 0.0),
        (2.0, 3.0, 2.0, 2.0, 99.0),
    ],
)
def test_position_is_in_parts_of_the_allowed_distance(
    expected: float | None, found: float, low: float, high: float, position: float
) -> None:
    assert world_checks.position(*checks(check("a", expected, found, low, high))) == pytest.approx(position, abs=1e-9)


def test_the_map_names_the_largest_move_and_what_it_saves(page: Page) -> None:
    write(page, calibration())
    text = places.add(page)
    assert "Calls move from Frankfurt to London, where power is cleaner" in text
    assert "Under best static, 20.0 % of the calls change metro and 0.0 % only the cloud" in text
    rows = page.tables["world_places"][1]
    assert sum(row["home_pct"] for row in rows) == pytest.approx(100, abs=0.01)
    assert {row["region"]: row["prices"] for row in rows}["azure:lhr"] == "assumed"
    plot = json.loads(page._specs["world_places"])
    for layout in ("wide", "narrow"):
        notes = [note["text"] for note in plot[layout]["layout"]["annotations"]]
        assert len(notes) == len(METROS)
        assert all("25 → 25 %" in note and "200 g" in note for note in notes)
        symbols = [trace["marker"]["symbol"] for trace in plot[layout]["data"] if "symbol" in trace.get("marker", {})]
        assert symbols == ["circle", "circle-open", "square", "square-open", "diamond", "diamond-open"]
        marks = [trace["x"] for trace in plot[layout]["data"] if "symbol" in trace.get("marker", {})]
        assert all(a < b < c for a, b, c in zip(marks[0], marks[2], marks[4], strict=True))  # AWS, Azure, Google from left to right
        assert all(trace["type"] == "scatter" for trace in plot[layout]["data"])


def test_no_call_changes_metro(page: Page) -> None:
    write(page, calibration(shifts=[shift("lhr", "lhr", 0.3, carbon=-1.0)]))
    text = places.add(page)
    assert "Best static leaves every call in its home metro" in text
    assert "0.0 % of the calls change metro and 30.0 % only the cloud" in text


def test_a_move_is_summed_over_clouds_and_may_save_nothing() -> None:
    rows = [shift("fra", "lhr", 0.2, sla=-1.0), shift("iad", "bom", 0.15, egress=0.4), shift("iad", "bom", 0.1, egress=0.3)]
    assert places.heading(shifts(*rows), METROS) == "Calls move from Northern Virginia to Mumbai / Pune, where nothing became cheaper"
    for component, words in places.CHEAPER.items():
        said = places.heading(shifts(*rows, shift("iad", "bom", 0.01, **{component: -1.0})), METROS)
        assert said.endswith(words)
        assert len(said) <= HEADING_LIMIT


def test_equal_earth_keeps_areas_and_its_middle() -> None:
    assert places.projected(places.MIDDLE, 0) == (0, 0)
    east, west = places.projected(places.MIDDLE + 60, 35), places.projected(places.MIDDLE - 60, 35)
    assert east == pytest.approx((-west[0], west[1]))
    for lat in (0.0, 45.0, 80.0):
        small = 0.01  # degrees; the area of a cell on the sphere is cos(lat) dlat dlon
        x0, x1 = (places.projected(lon, lat)[0] for lon in (places.MIDDLE, places.MIDDLE + small))
        dy = places.projected(places.MIDDLE, lat + small)[1] - places.projected(places.MIDDLE, lat - small)[1]
        area = (x1 - x0) * dy / 2
        assert area == pytest.approx(math.cos(math.radians(lat)) * math.radians(small) ** 2, rel=1e-4), lat


def test_the_land_is_closed_rings(repository: Path) -> None:
    content = (repository / "data" / "reference" / "land.csv").read_bytes()
    assert b"\r" not in content
    rows = list(csv.DictReader(content.decode("ascii").splitlines()))
    assert len(rows) == 1518
    rings: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        ring = rings.setdefault(row["ring"], [])
        assert int(row["point"]) == len(ring)
        ring.append((row["lon"], row["lat"]))
    assert list(rings) == [str(i) for i in range(55)]
    assert all(ring[0] == ring[-1] and len(ring) >= 4 for ring in rings.values())
    assert all(abs(float(lon)) <= 180 and abs(float(lat)) <= 90 for ring in rings.values() for lon, lat in ring)


def test_limits_say_what_follows(page: Page) -> None:
    write(page, calibration())
    write_runs(page, {"calm": 0.012, "crunch": 0.06, "fenced": 0.003})
    write_gap(page, 0.042)
    assert "Capacity limits bind in 1.2 % of app intervals at home in calm, 6.0 % in crunch" in world.add(page)
    rows = {row["limit"]: row for row in page.tables["world_limits"][1]}
    assert rows["Intervals in which capacity binds, calm"]["consequence"] == "Capacity binds now and then, in bursts: see Load over time."
    assert rows["Intervals in which capacity binds, crunch"]["consequence"].startswith("Capacity binds often")
    assert rows["Intervals in which capacity binds, fenced"]["consequence"].startswith("Capacity hardly binds")
    assert rows["Money of the five largest apps, calm"]["figure"] == "60\u00a0%"
    assert rows["Between best static and hindsight, calm"]["figure"] == "4.2\u00a0%"
    assert rows["Execution and egress at assumed prices"]["figure"] == "25\u00a0%"
    assert rows["Carbon of two clouds in one metro"]["consequence"] == "Carbon differs by metro, not by cloud."


def test_limits_of_another_world_read_otherwise(page: Page) -> None:
    other = {
        "carbon_correlation_same_metro": 0.5, "cleanest_region_share_of_hours": 0.4, "carbon_share_at_0_19": 0.2, "carbon_share_at_1": 0.5,
        "busy_instances": 90.0, "congestion_after_25_min": 0.2, "congestion_after_4_h_10": 0.7, "assumed_prices_share_of_home": 0.0,
    }  # fmt: skip
    runs = [{"family": "crunch", "total_usd": 10.0, "binding_share": 0.3}]
    rest = [{"family": "crunch", "total_usd": 9.0, "binding_share": 0.3}]
    rows = world_limits.limit_rows(Limits.model_validate(LIMITS | other), runs, rest, ("crunch", 0.007))
    limits = Limits.model_validate(LIMITS)
    assert [row["consequence"] for row in rows][:8] == [limit.otherwise for limit in world_limits.LIMITS]
    said = [row["consequence"] for row in rows[8:]]
    assert said[1:] == [
        "These five apps do not dominate the totals.",
        "Too little for a ratio: there is nothing to learn here.", "Every price is confirmed.",
    ]  # fmt: skip
    assert world_limits.heading(world_limits.binding(runs), limits) == "Capacity limits bind in 30.0 % of app intervals at home in crunch"
    assert world_limits.heading({}, limits) == "All apps at home keep fewer instances busy than one zone has free"
    assert world_limits.limit_rows(limits, [], [], None)[-1]["limit"] == "Execution and egress at assumed prices"


def test_the_bill_flags_what_is_assumed(page: Page) -> None:
    write(page, calibration())
    assert "90 % of what one cold call costs is for missing its latency objective" in world.add(page)
    assert page.numbers["bill_largest_share"] == 0.9
    basis = [row["basis"] for row in page.tables["world_bill"][1]]
    assert basis == ["✓ verified", "≈ assumed", "≈ sampled", "≈ sampled", "– preference"]


def test_the_heading_of_the_sensitivity(page: Page) -> None:
    write(page, calibration())
    assert "The bill at home depends most on one assumption (quota 30 per zone): +50 %" in world.add(page)
    assert page.tables["world_sensitivity"][1][0]["home_assumed"] == 25
    defaults = checked(calibration(), Calibration, Path()).sensitivity[:1]
    assert world.sensitivity_heading(defaults)[0] == "No change of an assumption changes the bill at home"


def test_assumed_values_row_by_row(page: Page) -> None:
    write(page, calibration())
    text = world.add(page)
    assert "1 price in prices.csv is assumed" in text
    assert "1 pair of regions in network.csv is not fully measured" in text
    assert page.tables["world_assumed_prices"][1][0]["row"] == "azure:lhr execution"
    pair = page.tables["world_assumed_pairs"][1][0]
    assert (pair["rtt_us"], pair["gbps"], pair["egress_usd_per_gb"]) == ("900", "4.9", "")
    assert pair["why"] == "stand-in: other; not measured"
    assert [row["table"] for row in page.tables["world_assumed_rest"][1]] == ["params.yaml"]
