"""Part of the landscape: which apps the differences come from (classes, the five largest, who makes the gap). Not here: totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.core.terms import CLASSES, SMALL_GAP
from tasks.report.page import Column, Page, annotation, num
from tasks.report.parts.arms import (
    LONG,
    Arm,
    Shown,
    add_arm,
    arms_of,
    csv_rows,
    key_of,
    labels,
    off_axis,
    reach,
    said,
    table_of,
    value_of,
)
from tasks.report.plot import axis, both, colour
from tasks.report.wording import NO_RATIO, fitting

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from tasks.evaluation.landscape_record import Summary

ROW, ROW_NARROW, TITLE = 46, 52, 34  # px of a row, of a row in the narrow layout, of a panel's title
GAP_X = 0.03  # share of the width between panels


def html_of(page: Page, land: Shown) -> str:
    """HTML of the part."""
    return _classes(page, land) + _without_five(page, land) + _gap(page, land)


def _classes(page: Page, land: Shown) -> str:
    rows = [r for r in table_of(page, "classes") if r["family"] == land.family]
    found = land.summary.classes
    order = ("best_static", land.summary.best_rule, "hindsight")  # the same rows in every panel: they are named once
    panels: dict[str, list[Arm]] = {}
    for name in CLASSES:
        own = [r for r in rows if r["class"] == name]
        arms = arms_of(land, own, found[name].share_of_home, land.summary.best_rule) if name in found else []
        if arms:
            panels[name] = sorted(arms, key=lambda arm: order.index(arm.key))
    if not panels:
        return ""
    gaps = {c: share for c in panels if (share := found[c].share_of_gap) is not None}
    shares, of, kind = gaps, "gap to hindsight", "share_of_gap"
    if len(gaps) < len(panels):
        shares, of, kind = {c: found[c].share_of_bill for c in panels}, "bill at home", "share_of_bill"
    most = max(shares, key=lambda c: (shares[c], c))
    taken = page.number(f"class_most_{kind}_pct", round(100 * shares[most], 3))
    heading = f"Apps of class {most} account for {num(taken, 0)} % of the {of}"
    titles = {c: f"<b>{c}</b>  home {_usd(found[c].home_usd)} USD" for c in panels}
    data = [row for c, arms in panels.items() for row in csv_rows(arms, **{"class": c, "home_usd": float(_usd(found[c].home_usd))})]
    return page.figure(
        "landscape_classes",
        heading=heading,
        sentence=f"Objective in % of what the class costs at home, family {land.family}; classes by calls on train, panels on one scale.",
        **both(_panels, panels, titles),
        key=key_of(page, next(iter(panels.values()))) + '<span><i style="--c:var(--line)"></i>home</span>',
        alt=heading,
        data=data,
        below=800,
        **said(land, rows),
    )


def _usd(value: float) -> str:
    return f"{value:.3g}" if value < 1 else f"{value:.2f}"


def _panels(panels: dict[str, list[Arm]], titles: dict[str, str], *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    figure, text, lines, layout = go.Figure(), [], [], {}
    low, high = reach([a for arms in panels.values() for a in arms])
    high = max(high, 104)  # home, at 100, is in sight
    count, most = len(panels), max(map(len, panels.values()))
    inside = count * (TITLE + most * ROW_NARROW) if narrow else most * ROW
    width, step = (1.0, 0.0) if narrow else ((1 - GAP_X * (count - 1)) / count, 0.0)
    step = 0.0 if narrow else width + GAP_X
    for i, (name, arms) in enumerate(panels.items()):
        key = "" if i == 0 else str(i + 1)
        ends = (i * step, min(1.0, i * step + width))
        upper = 1 - (i * (TITLE + most * ROW_NARROW)) / inside if narrow else 1.0
        lower = max(0.0, upper - most * ROW_NARROW / inside) if narrow else 0.0
        text.append(annotation(ends[0], upper, titles[name], ink="ink", at=("left", "bottom"), refs=("paper", "paper"), yshift=6))
        lines.append({"type": "line", "x0": 100, "x1": 100, "y0": 0, "y1": 1, "xref": f"x{key}", "yref": f"y{key} domain"})
        for row, arm in enumerate(arms):
            if not add_arm(figure, arm, row, high, xaxis=f"x{key}", yaxis=f"y{key}"):
                text.append(off_axis(row, high, refs=(f"x{key}", f"y{key}")))
            beside = labels(arm, row, narrow=narrow, ends=ends, y=f"y{key}")
            above = annotation(ends[1], row, value_of(arm), ink="ink", at=("right", "bottom"), refs=("paper", f"y{key}"), yshift=8)
            text += beside if narrow else [*(beside[:1] if i == 0 else []), above]
        is_last = i == count - 1 or not narrow
        more = {"title": f"% of home (the axis starts at {low})"} if (i == count - 1 if narrow else i == 0) else {}
        layout[f"xaxis{key}"] = axis(domain=ends, anchor=f"y{key}", range=[low, high], nticks=4, showticklabels=is_last, **more)
        rows = [most - 0.5, -0.75]
        layout[f"yaxis{key}"] = axis(domain=[lower, upper], anchor=f"x{key}", range=rows, showgrid=False, showticklabels=False)
    figure.update_layout(
        height=inside + 76,
        margin={"l": 12 if narrow else 178, "r": 16, "t": 30, "b": 46},
        annotations=text,
        shapes=[line | {"line": {"color": colour("line"), "width": 1.5}, "layer": "below"} for line in lines],
        **layout,
    )
    return figure


def _without_five(page: Page, land: Shown) -> str:
    table: list[dict[str, Any]] = []
    for family in sorted(land.families):
        for apps, found in (("all", land.families[family]), ("without the five largest", land.found.without_five[family])):
            share = {arm: 100 * found.share_of_home[key].mean for arm, key in _shown(found)}
            gap = {"gap": 100 * found.gap_share_of_home, "gap_usd": found.gap_usd}
            table.append({"family": family, "apps": apps, "home_usd": found.home_usd} | share | gap)
    own = {r["apps"]: r["gap"] for r in table if r["family"] == land.family}
    with_, without = (
        page.number("gap_pct", round(own["all"], 3)),
        page.number("gap_without_five_pct", round(own["without the five largest"], 3)),
    )
    return page.table(
        "landscape_without_five",
        heading=f"Without the five largest apps the gap is {num(without, 1)} % of home, with them {num(with_, 1)} %",
        sentence="The five apps that cost most at home are left out; the gap is from best static to hindsight, and arms decide as before.",
        columns=[
            Column("family", "Family"),
            Column("apps", "Apps"),
            Column("home_usd", "Home", "USD", "number", 2),
            Column("static", "Best static", "% of home", "number", 1),
            Column("rule", "Best rule", "% of home", "number", 1),
            Column("hindsight", "Hindsight", "% of home", "number", 1),
            Column("gap", "Gap", "% of home", "number", 1),
            Column("gap_usd", "Gap", "USD", "number", 2),
        ],
        rows=table,
        **said(land, land.rows),
    )


def _shown(found: Summary) -> tuple[tuple[str, str], ...]:
    return (("static", "best_static"), ("rule", found.best_rule), ("hindsight", "hindsight"))


def _gap(page: Page, land: Shown) -> str:
    """Who makes the gap: the apps behind most of it, and their rejected calls."""
    table = []
    for _, summary in sorted(land.families.items()):
        for one in summary.gap_by_app.scenarios:
            gap = 100 * one.all_usd / one.home_usd
            open_ = gap >= 100 * SMALL_GAP
            row: dict[str, Any] = {"scenario": one.scenario, "gap": gap}
            row |= {
                part: 100 * usd / one.all_usd if open_ else None for part, usd in (("largest", one.largest_usd), ("five", one.five_usd))
            }
            for arm, rejected in (("best_static", one.rejected_best_static), ("hindsight", one.rejected_hindsight)):
                row |= {f"{arm}_five": rejected.five, f"{arm}_all": rejected.all}
            table.append(row)
    found = land.summary.gap_by_app
    heading = NO_RATIO.capitalize()
    page.number("no_ratio_under_pct", 100 * SMALL_GAP)
    if found.largest_share and found.five_share:
        share_of = {"largest": found.largest_share, "five": found.five_share}
        largest, five = (page.number(f"gap_{k}_pct", round(100 * share.mean, 3)) for k, share in share_of.items())
        heading = fitting(
            f"In {land.family}, one app accounts for {num(largest, 0)} % of the gap to hindsight, five for {num(five, 0)} %",
            f"One app accounts for {num(largest, 0)} % of the gap to hindsight",
        )
    note = f" Empty: {NO_RATIO}." if any(r["largest"] is None for r in table) else ""
    return page.table(
        "landscape_gap_by_app",
        heading=heading,
        sentence="By scenario: how much of the gap from best static to hindsight the largest app and the five largest make, and the "
        "calls that full zones rejected under both, of these five and of all apps. Apps that cost more under hindsight reduce the "
        f"gap.{note}",
        columns=[
            Column("scenario", "Scenario"),
            Column("gap", "Gap", "% of home", "number", 1),
            Column("largest", "One app", "% of gap", "number", 0),
            Column("five", "Five apps", "% of gap", "number", 0),
            Column("best_static_five", "Static, five", "rejected", "number", 0),
            Column("hindsight_five", "Hindsight, five", "rejected", "number", 0),
            Column("best_static_all", "Static, all", "rejected", "number", 0),
            Column("hindsight_all", "Hindsight, all", "rejected", "number", 0),
        ],
        rows=table,
        folded=len(table) > LONG,
        **said(land, land.rows),
    )
