"""The table of what bounds any gain in this world: limit, figure, consequence. Not here: whether the world is right (world_checks.py)."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tasks.core.terms import SMALL_GAP
from tasks.evaluation.compare_outputs import landscape_folder
from tasks.report.page import Column, Page, num
from tasks.report.sections.arms import CALM
from tasks.report.text import percent

HARDLY, OFTEN = 0.01, 0.05  # shares of the intervals in which capacity is felt
NO_BREAK = "\u00a0"
Rows = list[dict[str, Any]]
Bounds = dict[str, float]


@dataclass(frozen=True)
class Limit:
    """One row: its figure in calibration.json, how it is shown, and what follows if it holds or not."""

    limit: str
    key: str
    unit: str
    shown: Callable[[float], str]
    holds: Callable[[Bounds], bool]
    so: str
    otherwise: str


def _ratio(value: float) -> str:
    return num(value, 2)


def _share(value: float) -> str:
    return percent(round(value, 5))


def _is_small(bounds: Bounds) -> bool:
    """Whether the whole fleet fits into one zone on average."""
    return bounds["busy_instances"] < bounds["room_of_a_zone"]


LIMITS = (
    Limit(
        "Carbon of two clouds in one metro", "carbon_correlation_same_metro", "correlation", _ratio,
        lambda b: b["carbon_correlation_same_metro"] > 0.99, "Carbon tells metros apart, not clouds.", "Carbon tells clouds apart, too.",
    ),
    Limit(
        "Hours in which the same metro is cleanest", "cleanest_region_share_of_hours", "of all hours", _share,
        lambda b: b["cleanest_region_share_of_hours"] > 0.9, "Least carbon needs no forecast: it is one place.",
        "The cleanest place changes with the hour.",
    ),
    Limit(
        "Carbon at its social cost, 0.19 USD/kg", "carbon_share_at_0_19", "of the objective", _share,
        lambda b: b["carbon_share_at_0_19"] < OFTEN, "At that price carbon decides next to nothing.", "At that price carbon weighs in.",
    ),
    Limit(
        "Carbon at a preference of 1 USD/kg", "carbon_share_at_1", "of the objective", _share, lambda b: b["carbon_share_at_1"] < 0.1,
        "A gain in carbon stays small in money.", "Carbon is worth following in money.",
    ),
    Limit(
        "Busy instances of the whole fleet", "busy_instances", "on average", _ratio, _is_small,
        "Any one zone could hold the fleet on average.", "The fleet needs more than one zone.",
    ),
    Limit(
        "Room of one zone", "room_of_a_zone", "instances on average", lambda value: num(value, 1), _is_small,
        "Only bursts fill a zone.", "Zones are full without bursts.",
    ),
    Limit(
        "Congestion now and 25 min later", "congestion_after_25_min", "correlation", _ratio, lambda b: b["congestion_after_25_min"] >= 0.5,
        "Who decides every 25 min can follow it.", "It is gone before anyone can follow it.",
    ),
    Limit(
        "Congestion now and 4 h 10 later", "congestion_after_4_h_10", "correlation", _ratio, lambda b: b["congestion_after_4_h_10"] < 0.5,
        "Who decides every 4 h 10 can choose well, not follow it.", "Even a choice every 4 h 10 can follow it.",
    ),
)  # fmt: skip


def limits(page: Page, found: dict[str, Any], said: dict[str, Any]) -> str:
    """HTML of the table, from calibration.json and the home runs of the landscape."""
    runs, rest = (_home(page, name) for name in ("landscape", "without_five"))
    for family, share in binding(runs).items():
        page.metric(f"world_binding_{family}_pct", round(100 * share, 3))
    return page.table(
        "world_limits",
        heading=heading(binding(runs), found["limits"]),
        sentence="What bounds any gain, measured on the world itself; all apps at home where not said otherwise.",
        columns=[Column("limit", "Limit"), Column("figure", "Figure"), Column("unit", "Unit"), Column("consequence", "Consequence")],
        rows=limit_rows(found["limits"], runs, rest, page.json("world/landscape.json") or {}),
        **said,
    )


def heading(felt: dict[str, float], bounds: dict[str, float]) -> str:
    """In what share of the intervals capacity is felt in the calm family, and in the family where it is felt most."""
    if not felt:
        word = "fewer" if bounds["busy_instances"] < bounds["room_of_a_zone"] else "more"
        return f"All apps at home keep {word} instances busy than one zone has free"
    first = CALM if CALM in felt else next(iter(felt))
    most = max(felt, key=lambda family: felt[family])
    also = f", {num(100 * felt[most], 1)} % in {most}" if most != first else ""
    return f"Capacity binds in {num(100 * felt[first], 1)} % of app intervals at home in {first}{also}"


def binding(runs: Rows) -> dict[str, float]:
    """Mean over the scenarios of each family: share of the intervals with calls in which one waited or was rejected for capacity."""
    return {
        family: _mean([r["binding_share"] for r in runs if r["family"] == family]) for family in dict.fromkeys(r["family"] for r in runs)
    }


def limit_rows(bounds: dict[str, float], runs: Rows, rest: Rows, landscape: dict[str, Any]) -> Rows:
    """The rows of the table; every consequence follows from its figure.

    Args:
        bounds: `limits` of calibration.json.
        runs: home runs of the landscape.
        rest: the same without the five largest apps.
        landscape: landscape.json, {} if there is none.
    """
    rows = [_row(x.limit, x.shown(bounds[x.key]), x.unit, x.so if x.holds(bounds) else x.otherwise) for x in LIMITS]
    for family, share in binding(runs).items():
        if share < HARDLY:
            why = "Capacity hardly binds; what such bursts cost: see who makes the gap."
        elif share < OFTEN:
            why = "Capacity binds now and then, in bursts: see Load over time."
        else:
            why = "Capacity binds often: where others are matters."
        rows.append(_row(f"Intervals in which capacity is felt, {family}", percent(round(share, 5)), "of those with calls", why))
    rows += _five(runs, rest) + _left(landscape)
    share = bounds["assumed_prices_share_of_home"]
    why = "So much of the bill would move with prices that are not confirmed." if share else "Every price is confirmed."
    return [*rows, _row("Execution and egress at assumed prices", percent(round(share, 4)), "of the objective, all days", why)]


def _five(runs: Rows, rest: Rows) -> Rows:
    family = _family({r["family"] for r in runs})
    money, without = (sum(r["total_usd"] for r in part if r["family"] == family) for part in (runs, rest))
    if not money or not any(r["family"] == family for r in rest):
        return []
    share = 1 - without / money
    why = (
        "Totals are mostly these five apps: read the results without them, too."
        if share >= 0.5
        else "Totals are not these five apps alone."
    )
    return [_row(f"Money of the five largest apps, {family}", percent(round(share, 4)), "of the objective", why)]


def _left(landscape: dict[str, Any]) -> Rows:
    families = landscape.get("families") or {}
    if not families:
        return []
    family = _family(set(families))
    gap = families[family]["gap_share_of_home"]
    why = (
        "What the best schedule found with foresight earns over best static."
        if gap >= SMALL_GAP
        else "Too little for a ratio: nothing to learn here."
    )
    return [_row(f"Between best static and hindsight, {family}", percent(round(gap, 5)), "of home", why)]


def _family(names: set[str]) -> str:
    return CALM if CALM in names else min(names, default=CALM)


def _row(limit: str, figure: str, unit: str, consequence: str) -> dict[str, Any]:
    return {"limit": limit, "figure": figure.replace(" ", NO_BREAK), "unit": unit, "consequence": consequence}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _home(page: Page, name: str) -> Rows:
    """Rows of the arm home of a table of reports/world, [] if it is missing."""
    file = landscape_folder(page.paths) / f"{name}.csv"
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as handle:
        return [
            {"family": r["family"], "total_usd": float(r["total_usd"]), "binding_share": float(r["binding_share"] or 0)}
            for r in csv.DictReader(handle)
            if r["arm"] == "home"
        ]
