"""Part of the first screen: the box Read this first, as measured figures. Not here: the full table (world_limits)."""

from __future__ import annotations

from tasks.report.facts import plural, source_of
from tasks.report.page import Page, num
from tasks.report.sections.arms import Landscape
from tasks.report.text import percent


def of_the_world(page: Page, land: Landscape) -> list[str]:
    """What bounds every finding about the simulated world, as measured figures."""
    found = page.json("world/calibration.json") or {}
    limits, points = found.get("limits") or {}, []
    if "carbon_correlation_same_metro" in limits:
        same = page.metric("carbon_correlation_same_metro", round(limits["carbon_correlation_same_metro"], 4))
        hours = page.metric("cleanest_region_share_of_hours", round(limits["cleanest_region_share_of_hours"], 4))
        carbon = page.metric("carbon_share_at_1", round(limits["carbon_share_at_1"], 5))
        points.append(
            f"Clouds of one metro share one grid (correlation {num(same, 2)}) and one region is cleanest in {percent(hours)} of the hours: "
            f"carbon, {percent(carbon)} of the objective at home, hardly tells clouds apart."
        )
    calls = (page.json("eda/concentration.json") or {}).get("top", {}).get("5")
    largest = land.summary["gap_by_app"]["largest_share"]
    if calls is not None:
        share = page.metric("share_top5_apps", calls)
        more = ""
        if largest:
            one = page.metric("gap_largest_pct", round(100 * largest["value"], 3))
            more = f", and one app makes {num(one, 0)} % of what hindsight saves over best static"
        points.append(f"Five apps carry {percent(share)} of the calls{more}.")
    if "congestion_after_25_min" in limits:
        soon, late = (page.metric(k, round(limits[k], 4)) for k in ("congestion_after_25_min", "congestion_after_4_h_10"))
        weak = next((r["home_change"] for r in found.get("sensitivity") or [] if r["change"] == "slowdown k = 1"), None)
        half = ""
        if weak is not None:
            change = page.metric("home_change_half_slowdown", round(100 * weak, 3))
            half = f"; with half the slowdown the bill at home changes by {num(change, 1)} %"
        points.append(
            f"How congested zones are is assumed{half}. Congestion correlates at {num(soon, 2)} with itself one tactical interval later, "
            f"at {num(late, 2)} one strategic interval later."
        )
    felt = {family: _felt(land, family) for family in sorted(land.families)}
    most = max(felt, key=lambda f: (felt[f], f))
    shares = [f"in {f} in {num(page.metric(f'felt_at_home_{f}_pct', round(felt[f], 3)), 1)} %" for f in dict.fromkeys([land.family, most])]
    points.append(f"With all apps at home, capacity is felt {' and '.join(shares)} of the intervals with calls.")
    return points


def _felt(land: Landscape, family: str) -> float:
    own = [r["binding_share"] for r in land.rows if r["family"] == family and r["arm"] == "home"]
    return 100 * sum(own) / len(own)


def of_the_data(page: Page) -> list[str]:
    """What bounds every finding about the calls."""
    _, kind = source_of(page)
    points = []
    if kind == "twin":
        points.append("This page shows the twin: what it says of the real traces goes only as far as its fit table.")
    found = page.json("eda/concentration.json")
    if found and len(found.get("apps") or []) >= 5:
        share = page.metric("share_top5_apps", found["top"].get("5", sum(found["apps"][:5]) / max(1, sum(found["apps"]))))
        points.append(f"Five apps carry {percent(share)} of the calls, so means over calls say little about most apps.")
    drawn = [c for c in (page.json("eda/quality.json") or {}).get("columns") or [] if c["kind"] == "drawn"]
    if drawn:
        names = list(dict.fromkeys(name for c in drawn for name in c["column"].split(", ")))
        count = page.metric("drawn_columns", len(names))
        listed = ", ".join(names[:4]) + (" and more" if len(names) > 4 else "")
        points.append(f"{plural(count, 'column is', 'columns are')} drawn, not measured ({listed}): no finding may rest on their values.")
    durations = page.json("eda/durations.json")
    if durations and durations.get("zero_share"):
        zero = page.metric("duration_zero_share", durations["zero_share"])
        points.append(f"{percent(zero)} of the calls have a recorded duration of 0 ms: the clock of the trace is coarse.")
    return points
