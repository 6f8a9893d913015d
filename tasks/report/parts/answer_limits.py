"""Part of the first screen: the box Read this first, as measured figures. Not here: the full table (world_limits.py)."""

from __future__ import annotations

from tasks.eda.records import Concentration, Durations, Quality
from tasks.report.facts import plural, source_of
from tasks.report.page import Page, num
from tasks.report.parts.arms import Shown
from tasks.report.text import percent
from tasks.world.calibration_record import Calibration


def of_the_world(page: Page, land: Shown) -> list[str]:
    """What limits every finding about the simulated world, as measured figures."""
    found = page.read("reports/world/calibration.json", Calibration)
    points = []
    if found:
        limits = found.limits
        same = page.number("carbon_correlation_same_metro", round(limits.carbon_correlation_same_metro, 4))
        hours = page.number("cleanest_region_share_of_hours", round(limits.cleanest_region_share_of_hours, 4))
        carbon = page.number("carbon_share_at_1", round(limits.carbon_share_at_1, 5))
        points.append(
            f"Clouds in the same metro share one grid (correlation {num(same, 2)}), and one region is the cleanest in {percent(hours)} of "
            f"the hours: carbon, {percent(carbon)} of the objective at home, hardly differs between clouds."
        )
    calls = page.read("reports/eda/concentration.json", Concentration)
    largest = land.summary.gap_by_app.largest_share
    if calls and "5" in calls.top:
        share = page.number("share_top5_apps", calls.top["5"])
        more = ""
        if largest:
            one = page.number("gap_largest_pct", round(100 * largest.mean, 3))
            more = f", and one app accounts for {num(one, 0)} % of what hindsight saves over best static"
        points.append(f"Five apps make {percent(share)} of the calls{more}.")
    if found:
        soon, late = (page.number(k, round(getattr(found.limits, k), 4)) for k in ("congestion_after_25_min", "congestion_after_4_h_10"))
        weak = next((r.home_change for r in found.sensitivity if r.change == "slowdown k = 1"), None)
        half = ""
        if weak is not None:
            change = page.number("home_change_half_slowdown", round(100 * weak, 3))
            half = f"; with half the slowdown the bill at home changes by {num(change, 1)} %"
        points.append(
            f"How congested zones are is assumed{half}. The correlation of congestion with itself is {num(soon, 2)} after one tactical "
            f"interval and {num(late, 2)} after one strategic interval."
        )
    binding = {family: _binding(land, family) for family in sorted(land.families)}
    most = max(binding, key=lambda f: (binding[f], f))
    shown = dict.fromkeys([land.family, most])
    shares = [f"in {num(page.number(f'binding_at_home_{f}_pct', round(binding[f], 3)), 1)} % in {f}" for f in shown]
    shares[0] = shares[0].replace(" % in ", " % of the intervals with calls in ")
    points.append(f"With all apps at home, capacity limits bind {' and '.join(shares)}.")
    return points


def _binding(land: Shown, family: str) -> float:
    own = [r["binding_share"] for r in land.rows if r["family"] == family and r["arm"] == "home"]
    return 100 * sum(own) / len(own)


def of_the_data(page: Page) -> list[str]:
    """What limits every finding about the calls."""
    _, kind = source_of(page)
    points = []
    if kind == "twin":
        points.append("This page shows the twin: it says no more about the real traces than the table of the twin's fit supports.")
    if kind == "own":
        points.append("This page shows your own traces: homes, memory, payloads and clouds are sampled, not yours.")
    found = page.read("reports/eda/concentration.json", Concentration)
    if found and "5" in found.top:
        share = page.number("share_top5_apps", found.top["5"])
        points.append(f"Five apps make {percent(share)} of the calls, so means over calls say little about most apps.")
    quality = page.read("reports/eda/quality.json", Quality)
    sampled = [c for c in quality.columns if c.kind == "drawn"] if quality else []
    if sampled:
        names = list(dict.fromkeys(name for c in sampled for name in c.column.split(", ")))
        count = page.number("sampled_columns", len(names))
        listed = ", ".join(names[:4]) + (" and more" if len(names) > 4 else "")
        points.append(f"{plural(count, 'column is', 'columns are')} sampled, not measured ({listed}): no finding may rest on their values.")
    durations = page.read("reports/eda/durations.json", Durations)
    if durations and durations.zero_share:
        zero = page.number("duration_zero_share", durations.zero_share)
        points.append(f"{percent(zero)} of the calls have a recorded duration of 0 ms, because the clock of the trace is coarse.")
    return points
