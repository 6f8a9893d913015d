"""The table of what limits any gain in this world: limit, figure, consequence. Not here: whether the world is right (world_checks.py)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tasks.core.terms import SMALL_GAP
from tasks.evaluation.landscape_record import Landscape
from tasks.report.page import Column, Page, num
from tasks.report.parts.arms import family_in_front, table_of
from tasks.report.text import percent
from tasks.world.calibration_record import Calibration, Limits

HARDLY, OFTEN = 0.01, 0.05  # shares of the intervals in which capacity binds
NO_BREAK = "\u00a0"
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Limit:
    """One row: its figure in calibration.json, how it is shown, and what follows if it holds or not."""

    limit: str
    key: str
    unit: str
    shown: Callable[[float], str]
    holds: Callable[[Limits], bool]
    so: str
    otherwise: str


def _ratio(value: float) -> str:
    return num(value, 2)


def _share(value: float) -> str:
    return percent(round(value, 5))


def _is_small(limits: Limits) -> bool:
    """Whether the whole fleet fits into one zone on average."""
    return limits.busy_instances < limits.room_of_a_zone


LIMITS = (
    Limit(
        "Carbon of two clouds in one metro", "carbon_correlation_same_metro", "correlation", _ratio,
        lambda x: x.carbon_correlation_same_metro > 0.99, "Carbon differs by metro, not by cloud.", "Carbon differs by cloud, too.",
    ),
    Limit(
        "Hours in which the same metro is cleanest", "cleanest_region_share_of_hours", "of all hours", _share,
        lambda x: x.cleanest_region_share_of_hours > 0.9, "Least carbon needs no forecast: it is one place.",
        "The cleanest place changes with the hour.",
    ),
    Limit(
        "Carbon at its social cost, 0.19 USD/kg", "carbon_share_at_0_19", "of the objective", _share,
        lambda x: x.carbon_share_at_0_19 < OFTEN, "At that price carbon decides almost nothing.", "At that price carbon matters.",
    ),
    Limit(
        "Carbon at a preference of 1 USD/kg", "carbon_share_at_1", "of the objective", _share, lambda x: x.carbon_share_at_1 < 0.1,
        "A gain in carbon stays small in money.", "Carbon is worth following in money.",
    ),
    Limit(
        "Busy instances of the whole fleet", "busy_instances", "on average", _ratio, _is_small,
        "Any one zone could hold the fleet on average.", "The fleet needs more than one zone.",
    ),
    Limit(
        "Headroom of one zone", "room_of_a_zone", "instances on average", lambda value: num(value, 1), _is_small,
        "Only bursts fill a zone.", "Zones are full without bursts.",
    ),
    Limit(
        "Congestion now and 25 min later", "congestion_after_25_min", "correlation", _ratio, lambda x: x.congestion_after_25_min >= 0.5,
        "A decision every 25 min can follow it.", "It is gone before a decision can follow it.",
    ),
    Limit(
        "Congestion now and 4 h 10 later", "congestion_after_4_h_10", "correlation", _ratio, lambda x: x.congestion_after_4_h_10 < 0.5,
        "A decision every 4 h 10 can use its level, not follow it.", "Even a decision every 4 h 10 can follow it.",
    ),
)  # fmt: skip


def limits(page: Page, found: Calibration, said: dict[str, Any]) -> str:
    """HTML of the table, from calibration.json and the runs at home of the landscape."""
    runs, rest = (_home(page, name) for name in ("landscape", "without_five"))
    for family, share in binding(runs).items():
        page.number(f"world_binding_{family}_pct", round(100 * share, 3))
    return page.table(
        "world_limits",
        heading=heading(binding(runs), found.limits),
        sentence="What limits any gain, measured on the simulated world; all apps are at home unless a row says otherwise.",
        columns=[Column("limit", "Limit"), Column("figure", "Figure"), Column("unit", "Unit"), Column("consequence", "Consequence")],
        rows=limit_rows(found.limits, runs, rest, _gap(page)),
        **said,
    )


def heading(shares: dict[str, float], limits: Limits) -> str:
    """In what share of the intervals capacity binds in the family in front, and in the family where it binds most."""
    if not shares:
        word = "fewer" if _is_small(limits) else "more"
        return f"All apps at home keep {word} instances busy than one zone has free"
    front = family_in_front(list(shares))
    most = max(shares, key=lambda family: shares[family])
    also = f", {num(100 * shares[most], 1)} % in {most}" if most != front else ""
    return f"Capacity limits bind in {num(100 * shares[front], 1)} % of app intervals at home in {front}{also}"


def binding(runs: Rows) -> dict[str, float]:
    """Mean over the scenarios of each family: share of the intervals with calls in which one waited or was rejected for capacity."""
    return {
        family: _mean([r["binding_share"] for r in runs if r["family"] == family]) for family in dict.fromkeys(r["family"] for r in runs)
    }


def limit_rows(limits: Limits, runs: Rows, rest: Rows, gap: tuple[str, float] | None) -> Rows:
    """The rows of the table; every consequence follows from its figure.

    Args:
        limits: of calibration.json.
        runs: at home, of the landscape.
        rest: the same without the five largest apps.
        gap: family in front, and its gap from best static to hindsight as a share of home; None while there is no landscape.
    """
    rows = [_row(x.limit, x.shown(getattr(limits, x.key)), x.unit, x.so if x.holds(limits) else x.otherwise) for x in LIMITS]
    for family, share in binding(runs).items():
        if share < HARDLY:
            why = "Capacity hardly binds; the section Decision landscape shows what such bursts cost."
        elif share < OFTEN:
            why = "Capacity binds now and then, in bursts: see Load over time."
        else:
            why = "Capacity binds often: it matters where other apps are."
        rows.append(_row(f"Intervals in which capacity binds, {family}", percent(round(share, 5)), "of those with calls", why))
    rows += _five(runs, rest) + _left(gap)
    share = limits.assumed_prices_share_of_home
    why = "This part of the bill depends on prices that are not confirmed." if share else "Every price is confirmed."
    return [*rows, _row("Execution and egress at assumed prices", percent(round(share, 4)), "of the objective, all days", why)]


def _five(runs: Rows, rest: Rows) -> Rows:
    family = family_in_front(list({r["family"] for r in runs}))
    money, without = (sum(r["total_usd"] for r in part if r["family"] == family) for part in (runs, rest))
    if not money or not any(r["family"] == family for r in rest):
        return []
    share = 1 - without / money
    why = (
        "These five apps dominate the totals: read the results without them, too."
        if share >= 0.5
        else "These five apps do not dominate the totals."
    )
    return [_row(f"Money of the five largest apps, {family}", percent(round(share, 4)), "of the objective", why)]


def _left(gap: tuple[str, float] | None) -> Rows:
    if gap is None:
        return []
    family, share = gap
    why = "What the best schedule found with foresight saves over best static."
    if share < SMALL_GAP:
        why = "Too little for a ratio: there is nothing to learn here."
    return [_row(f"Between best static and hindsight, {family}", percent(round(share, 5)), "of home", why)]


def _gap(page: Page) -> tuple[str, float] | None:
    found = page.read("reports/world/landscape.json", Landscape)
    if not found:
        return None
    family = family_in_front(list(found.families))
    return family, found.families[family].gap_share_of_home


def _row(limit: str, figure: str, unit: str, consequence: str) -> dict[str, Any]:
    return {"limit": limit, "figure": figure.replace(" ", NO_BREAK), "unit": unit, "consequence": consequence}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _home(page: Page, name: str) -> Rows:
    """Rows of the arm home of a table of reports/world, [] if it is missing."""
    return [
        r | {"binding_share": 0.0 if math.isnan(r["binding_share"]) else r["binding_share"]}
        for r in table_of(page, name)
        if r["arm"] == "home"
    ]
