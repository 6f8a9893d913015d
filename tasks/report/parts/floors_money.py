"""Warm floors in money: every arm, by cloud and class. Not here: forecasts (floors_forecasts.py), drift (floors_drift.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.core.terms import CLASSES
from tasks.report.page import Column, Page, annotation, interval, num
from tasks.report.parts.arms import off_axis
from tasks.report.plot import axis, both, colour
from tasks.report.wording import fitting

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FILE = "reports/operational/evaluation_results.csv"
COMMAND = "dvc repro evaluate_operational"
SAID: dict[str, Any] = {"tags": ["twin", "measured"], "provenance": "calm scenarios, every app at home, test span", "command": COMMAND}
MONEY, HINDSIGHT, REACTIVE = "money", "greedy_hindsight", "reactive"
MOST_PCT = 130.0  # the axis ends here; what costs more is written
NUMBERS = ("rmse", "mae", "mase", "pinball", "objective_pct_of_reactive", "ci_low", "ci_high", "cold_start_rate", "sla_rate", "floor_usd")
Row = dict[str, Any]


def rows_of(page: Page) -> list[Row]:
    """All rows of the evaluation, numbers as numbers, an empty cell as None."""
    return [
        {key: (float(value) if value else None) if key in NUMBERS else value for key, value in row.items()} for row in page.read_csv(FILE)
    ]


def named(labels: dict[str, str], arm: str) -> str:
    """The label of an arm; one that is only a forecast has none, and is called by its name."""
    own = arm.replace("_", " ").replace("lstm", "LSTM")
    return labels.get(arm) or own[:1].upper() + own[1:]


def money(page: Page, rows: list[Row], labels: dict[str, str]) -> str:
    """Dots of all arms, and the tables by cloud and class, for what a miss costs by default and otherwise."""
    own = [row for row in rows if row["target"] == MONEY]
    others = sorted({row["target"] for row in rows if row["target"].startswith(f"{MONEY}_miss_")})
    found = _dots(page, own, labels) + _by_cloud(page, own, labels, "") + _by_class(page, own, labels)
    for target in others:
        found += _by_cloud(page, [row for row in rows if row["target"] == target], labels, target.rsplit("_", 1)[1])
    return found


def _dots(page: Page, rows: list[Row], labels: dict[str, str]) -> str:
    shown = sorted((r for r in rows if r["app_class"] == "all"), key=lambda r: r["objective_pct_of_reactive"])
    causal = [r for r in shown if r["arm"] not in (HINDSIGHT, REACTIVE)]
    best = causal[0]
    saved = page.number("floors_best_saves_pct", round(100 - best["objective_pct_of_reactive"], 2))
    page.number("floors_best_arm", best["arm"])
    worse = page.number("floors_arms_above_reactive", sum(r["objective_pct_of_reactive"] > 100 for r in causal))
    what = f"{named(labels, best['arm'])}: {num(saved, 1)} % less than reactive scaling" if saved > 0 else "No floor pays"
    what = what[0].upper() + what[1:]
    heading = fitting(f"{what}; {num(worse)} of {num(len(causal))} arms cost more than none", what)
    return page.figure(
        "operational_dots",
        heading=heading,
        sentence="Objective of each arm in per cent of reactive scaling: 100 is no floor at all. The line is the 95 % interval.",
        **both(_dots_figure, shown, labels),
        key="",
        alt=heading,
        data=[{k: r[k] for k in ("arm", "objective_pct_of_reactive", "ci_low", "ci_high")} for r in shown],
        **SAID,
    )


def _dots_figure(rows: list[Row], labels: dict[str, str], *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    figure, text = go.Figure(), []
    on_axis = [(i, r) for i, r in enumerate(rows) if r["objective_pct_of_reactive"] <= MOST_PCT]
    low = min([99.0, *(r["objective_pct_of_reactive"] for _, r in on_axis), *(r["ci_low"] for _, r in on_axis if r["ci_low"] is not None)])
    spread = [(i, r) for i, r in on_axis if r["ci_low"] is not None]
    figure.add_scatter(
        x=[x for _, r in spread for x in (r["ci_low"], min(r["ci_high"], MOST_PCT), None)], y=[y for i, _ in spread for y in (i, i, None)],
        mode="lines", line={"color": colour("ink-3"), "width": 1.4}, hoverinfo="skip",
    )  # fmt: skip
    inks = [colour("hindsight" if r["arm"] == HINDSIGHT else "home" if r["arm"] == REACTIVE else "s4") for _, r in on_axis]
    figure.add_scatter(
        x=[r["objective_pct_of_reactive"] for _, r in on_axis], y=[i for i, _ in on_axis], mode="markers",
        marker={"size": 9, "color": inks}, hoverinfo="skip",
    )  # fmt: skip
    for i, r in enumerate(rows):
        name, value = named(labels, r["arm"]), num(r["objective_pct_of_reactive"], 1)
        if r["objective_pct_of_reactive"] > MOST_PCT:
            text.append(off_axis(i, MOST_PCT))
        if narrow:
            text.append(annotation(0, i, f"{name} <b>{value}</b>", at=("left", "bottom"), refs=("paper", "y"), yshift=4))
        else:
            text.append(annotation(0, i, name, size=13, at=("right", "middle"), refs=("paper", "y"), xshift=-12))
            text.append(annotation(1, i, f"<b>{value}</b>", ink="ink", size=13, refs=("paper", "y"), xshift=12))
    figure.add_shape(type="line", x0=100, x1=100, y0=-0.5, y1=len(rows) - 0.5, line={"color": colour("ink"), "width": 1}, layer="below")
    figure.update_layout(
        height=(38 if narrow else 26) * len(rows) + 70,
        margin={"l": 12 if narrow else 222, "r": 12 if narrow else 70, "t": 20, "b": 44},
        annotations=text,
        xaxis=axis(range=[low - 0.5, MOST_PCT], title=f"% of reactive; the axis ends at {num(MOST_PCT)}", nticks=5 if narrow else 9),
        yaxis=axis(range=[len(rows) - 0.5, -0.9], showgrid=False, showticklabels=False),
    )
    return figure


def _cell(row: Row) -> str:
    value = num(row["objective_pct_of_reactive"], 2)
    return value if row["ci_low"] is None else f"{value} {interval(row['ci_low'], row['ci_high'], 1)}"


def _grouped(rows: list[Row], labels: dict[str, str], groups: list[str]) -> list[Row]:
    """One row per arm, cheapest first: a cell with value and interval for each group."""
    by_arm: dict[str, Row] = {}
    for r in rows:
        found = by_arm.setdefault(r["arm"], {"arm": named(labels, r["arm"])})
        if r["app_class"] in groups:
            found[r["app_class"]] = _cell(r)
        if r["app_class"] == "all":
            found |= {"order": r["objective_pct_of_reactive"], "floor_usd": r["floor_usd"], "all": _cell(r)}
            found |= {"cold_pct": 100 * (r["cold_start_rate"] or 0.0), "sla_pct": 100 * (r["sla_rate"] or 0.0)}
    return sorted(by_arm.values(), key=lambda r: r["order"])


def _by_cloud(page: Page, rows: list[Row], labels: dict[str, str], miss: str) -> str:
    groups = list(dict.fromkeys(r["app_class"] for r in rows if r["app_class"].startswith("cloud ")))
    where = f"a miss costs {miss} USD" if miss else "a miss costs what the profile says"
    return page.table(
        f"operational_money{'_miss_' + str(len(miss)) if miss else ''}",
        heading=f"Where floors save and what they cost, by cloud; {where}",
        sentence="Objective in per cent of reactive scaling on the same calls, with 95 % intervals from three scenarios on.",
        columns=[
            Column("arm", "Arm"),
            Column("all", "All apps", "% of reactive"),
            *(Column(name, name.removeprefix("cloud "), "% of reactive") for name in groups),
            Column("cold_pct", "Cold starts", "%", "number", 2),
            Column("sla_pct", "SLA met", "%", "number", 2),
            Column("floor_usd", "Floors", "USD", "number", 3),
        ],
        rows=_grouped(rows, labels, groups),
        folded=bool(miss),
        **SAID,
    )


def _by_class(page: Page, rows: list[Row], labels: dict[str, str]) -> str:
    groups = [name for name in CLASSES if name in {r["app_class"] for r in rows}]
    return page.table(
        "operational_money_classes",
        heading="The same by class of app: the classes with most calls decide",
        sentence="Objective in per cent of reactive scaling of the apps of each class.",
        columns=[Column("arm", "Arm"), *(Column(name, name, "% of reactive") for name in groups)],
        rows=_grouped(rows, labels, groups),
        folded=True,
        **SAID,
    )
