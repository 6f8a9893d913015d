"""Section: what each policy costs, from random to the optimistic bound, and for what. Not here: classes of apps, who makes the gap
(parts/landscape_classes.py), the ladder of the first screen (answer.py), learned policies, how the world works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.report.page import Column, Page, annotation, interval, num
from tasks.report.parts import landscape_classes
from tasks.report.parts.arms import (
    COMPONENTS,
    LONG,
    ROW_NARROW,
    ROW_WIDE,
    Arm,
    Shown,
    add_arm,
    arms_of,
    csv_rows,
    key_of,
    labels,
    load,
    off_axis,
    reach,
    said,
)  # fmt: skip
from tasks.report.plot import axis, both, colour
from tasks.report.wording import EQUAL_WITHIN, Effect, fitting, told, too_few

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from tasks.evaluation.landscape_record import Family

ORDER, TITLE, NAV = 90, "Decision landscape", "Landscape"
QUESTION = "How much does it matter where apps run, before anything is learned?"
SAMPLED = ("egress", "moves")  # components that rest on sampled payload and state
LABELS = {"sla": "SLA misses and rejects", "moves": "moves and floors"}
ARM_WORDS = {"static": "Best static", "rule": "Best rule", "home": "home", "hindsight": "hindsight"}
DIFFERENCES = (("rule", "static"), ("rule", "home"), ("static", "home"))


def add(page: Page) -> str:
    """HTML of the section."""
    land = load(page)
    if land is None:
        return ""
    arms = arms_of(land, land.own, land.summary.share_of_home, land.summary.best_rule)
    parts = (landscape_classes.html_of, _differences, _families)
    design = too_few(land.summary.seeds, land.summary.scenarios)
    return design + _arms(page, land, arms) + _table(page, land, arms) + "".join(part(page, land) for part in parts)


def _arms(page: Page, land: Shown, arms: list[Arm]) -> str:
    heading = _component_heading(land)
    static, hindsight = (page.number(f"{k}_of_home_pct", round(_value(arms, k), 3)) for k in ("best_static", "hindsight"))
    boxes = "".join(
        f'<span><i class="box" style="--c:var(--{c})"></i>{LABELS.get(c, c)}{" (sampled in part)" if c in SAMPLED else ""}</span>'
        for c in COMPONENTS
    )
    return page.figure(
        "landscape_arms",
        heading=heading,
        sentence=f"Objective in % of home in the same scenario, family {land.family}. Left: the total; right: the components of its mean.",
        **both(_arms_figure, arms),
        key=key_of(page, arms) + boxes,
        alt=f"{heading}. Best static costs {num(static, 1)} % of home, hindsight {num(hindsight, 1)} %.",
        data=csv_rows(arms),
        below=800,
        **said(land, land.own),
    )


def _value(arms: list[Arm], key: str) -> float:
    return next(a.value for a in arms if a.key == key)


def _component_heading(land: Shown) -> str:
    """What best static saves on and what it pays more for: components whose whole interval is on one side of what counts as equal."""
    found = land.summary.components_of_home["static_minus_home"]
    words = {c: Effect.of(v, land.summary.seeds).word for c, v in found.items()}
    saved = sorted((c for c, w in words.items() if w == "better"), key=lambda c: found[c].mean)
    more = sorted((c for c, w in words.items() if w == "worse"), key=lambda c: -found[c].mean)
    if not saved:
        return "Best static saves nothing on any component"
    short = {"sla": "SLA"}
    most, also = ([short.get(c, c) for c in of[:2]] for of in (saved, more))
    saves = f"Best static saves on {' and '.join(most)}"
    return fitting(*([f"{saves} and pays more for {also[0]}"] if also else []), saves)


def _arms_figure(arms: list[Arm], *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    figure, text = go.Figure(), []
    low, high = reach(arms)
    left, right = (0.0, 1.0) if narrow else (0.0, 0.42), (0.0, 1.0) if narrow else (0.63, 1.0)
    for i, arm in enumerate(arms):
        is_on = add_arm(figure, arm, i, high)
        text += labels(arm, i, narrow=narrow, ends=left)
        if not is_on:
            text.append(off_axis(i, high))
        if narrow:
            text.append(annotation(0, i, arm.name, at=("left", "bottom"), refs=("paper", "y2"), yshift=11))
    for c in COMPONENTS:
        hatch = {"shape": "/" if c in SAMPLED else "", "fgcolor": colour("bg"), "fgopacity": 0.55, "size": 6, "solidity": 0.16}
        figure.add_bar(
            x=[a.parts[c] for a in arms], y=list(range(len(arms))), orientation="h", width=0.3 if narrow else 0.56, xaxis="x2", yaxis="y2",
            marker={"color": colour(c), "line": {"width": 1, "color": colour("bg")}, "pattern": hatch | {"fillmode": "overlay"}},
            hovertemplate=LABELS.get(c, c) + ": %{x:.1f} % of home<extra></extra>",
        )  # fmt: skip
    most = max(sum(a.parts.values()) for a in arms)
    rows = {"range": [len(arms) - 0.5, -0.8 if narrow else -0.5], "showgrid": False, "showticklabels": False}
    heights = (((0.53, 1.0), (0.0, 0.47)) if narrow else ((0.0, 1.0), (0.0, 1.0)))  # fmt: skip
    figure.update_layout(
        height=2 * ROW_NARROW * len(arms) + 150 if narrow else (ROW_WIDE + 2) * len(arms) + 74,
        margin={"l": 12 if narrow else 178, "r": 12, "t": 22, "b": 44},
        barmode="stack",
        annotations=text,
        xaxis=axis(domain=left, anchor="y", range=[low, high], nticks=6, title=f"total, % of home (the axis starts at {low})"),
        yaxis=axis(domain=heights[0], anchor="x", **rows),
        xaxis2=axis(domain=right, anchor="y2", range=[0, 1.02 * most], nticks=6, title="components, % of home"),
        yaxis2=axis(domain=heights[1], anchor="x2", **rows),
    )
    return figure


def _table(page: Page, land: Shown, arms: list[Arm]) -> str:
    table = []
    for arm in arms:
        own = [r for r in land.own if r["arm"] == arm.key]
        mean = {k: sum(r[k] for r in own) / len(own) for k in ("total_usd", *(f"{c}_usd" for c in COMPONENTS), "moves")}
        between = None if arm.low is None or arm.high is None else interval(arm.low, arm.high, 1)
        table.append({"arm": arm.name, "of_home": arm.value, "interval": between} | mean)
    at_home = next(a for a in arms if a.key == "home")
    largest = max(COMPONENTS, key=lambda c: at_home.parts[c])
    has_intervals = any(r["interval"] for r in table)
    level = num(page.numbers["interval_level_pct"])
    return page.table(
        "landscape_components",
        heading=f"At home, the largest part of the bill is {LABELS.get(largest, largest)}",
        sentence=f"Means over the scenarios of family {land.family}, USD per test span. SLA includes misses and rejects, moves floors.",
        columns=[
            Column("arm", "Arm"),
            Column("of_home", "Of home", "%", "number", 1),
            *([Column("interval", "Interval", f"{level} %")] if has_intervals else []),
            Column("total_usd", "Total", "USD", "number", 2),
            *(Column(f"{c}_usd", "SLA" if c == "sla" else c.capitalize(), "USD", "number", 2) for c in COMPONENTS),
            Column("moves", "Moves", "count", "number", 0),
        ],
        rows=table,
        best=[i for i, a in enumerate(arms) if a.key == "best_static"],
        **said(land, land.own),
    )


def _differences(page: Page, land: Shown) -> str:
    rows: list[dict[str, Any]] = []
    won = 0
    for family, summary in sorted(land.families.items()):
        for a, b in DIFFERENCES:
            found = summary.differences[f"{a}_minus_{b}"]
            effect = Effect.of(found.of_home, summary.seeds)
            won += (a, b) == ("rule", "static") and effect.word == "better"
            row = {"family": family, "difference": f"{ARM_WORDS[a]} less {ARM_WORDS[b].lower()}", "of_home": effect.value}
            row["between"] = None if effect.low is None or effect.high is None else interval(effect.low, effect.high, 1, sign=True)
            rows.append(row | {"usd": found.usd.mean, "rule": _rule(land, summary) if a == "rule" else None, "found": told(effect)})
    page.number("families_rule_costs_less", won)
    page.number("families", len(land.families))
    page.number("equal_within_pct", EQUAL_WITHIN)
    has_intervals = any(r["between"] for r in rows)
    return page.table(
        "landscape_differences",
        heading=f"The best rule costs less than best static in {num(won)} of {num(len(land.families))} families",
        sentence=f"Paired by scenario; below zero is cheaper, equal if the whole interval is within {num(EQUAL_WITHIN, 1)} % of home. The "
        "rule is the best one on the test span of its family.",
        columns=[
            Column("family", "Family"),
            Column("difference", "Difference"),
            Column("of_home", "Of home", "%", "number", 1),
            *([Column("between", "Interval", f"{num(page.numbers['interval_level_pct'])} %")] if has_intervals else []),
            Column("usd", "Money", "USD", "number", 2),
            Column("rule", "Best rule"),
            Column("found", "Found", "", "verdict"),
        ],
        rows=rows,
        **said(land, land.rows),
    )


def _rule(land: Shown, summary: Family) -> str:
    return land.arms[summary.best_rule].label


def _families(page: Page, land: Shown) -> str:
    table = []
    for scenario in sorted({str(r["scenario"]) for r in land.rows}):
        own = {str(r["arm"]): r for r in land.rows if r["scenario"] == scenario}
        home = own["home"]
        arms = {"static": "best_static", "rule": land.families[home["family"]].best_rule, "hindsight": "hindsight"}
        shares = {name: 100 * own[arm]["total_usd"] / home["total_usd"] for name, arm in arms.items()}
        table.append({"scenario": scenario, "home_usd": home["total_usd"], "binding": 100 * home["binding_share"]} | shares)
    most = max(table, key=lambda r: (r["binding"], r["scenario"]))
    often = page.number("binding_most_pct", round(most["binding"], 3))
    return page.table(
        "landscape_families",
        heading=f"Capacity limits bind most in {most['scenario']}: in {num(often, 1)} % of the intervals with calls",
        sentence="Share of home by scenario. Capacity binds in an interval at home if one of its calls waited or was rejected.",
        columns=[
            Column("scenario", "Scenario"),
            Column("home_usd", "Home", "USD", "number", 2),
            Column("binding", "Capacity binds", "% of intervals", "number"),
            Column("static", "Best static", "% of home", "number", 1),
            Column("rule", "Best rule", "% of home", "number", 1),
            Column("hindsight", "Hindsight", "% of home", "number", 1),
        ],
        rows=table,
        folded=len(table) > LONG,
        **said(land, land.rows),
    )
