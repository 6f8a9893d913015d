"""Section: what warm floors cost and save, and how good the forecasts behind them are. Not here: how they are computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.core.terms import CLASSES
from tasks.report.page import Column, Page, annotation, num
from tasks.report.plot import axis, colour
from tasks.report.wording import fitting

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ORDER, TITLE, NAV, QUESTION = 85, "Warm floors", "Floors", "When does keeping an instance warm pay?"
FILE = "reports/operational/evaluation_results.csv"
COMMAND = "dvc repro evaluate_operational"
HINDSIGHT, REACTIVE = "greedy_hindsight", "reactive"
MOST_PCT = 130.0  # the axis ends here; what costs more is written
NUMBERS = ("rmse", "mae", "mase", "pinball", "objective_pct_of_reactive", "ci_low", "ci_high", "cold_start_rate", "sla_rate", "floor_usd")


def add(page: Page) -> str:
    """HTML of the section; empty where nothing was judged."""
    rows = [_typed(row) for row in page.read_csv(FILE)]
    money = [row for row in rows if row["target"] == "money"]
    if not money:
        return ""
    return _dots(page, money) + _money(page, money) + _errors(page, [row for row in rows if row["target"] != "money"])


def _typed(row: dict[str, str]) -> dict[str, Any]:
    return {key: (float(value) if value else None) if key in NUMBERS else value for key, value in row.items()}


def _said() -> dict[str, Any]:
    return {"tags": ["twin", "measured"], "provenance": "calm scenarios, every app at home, test span", "command": COMMAND}


def _dots(page: Page, money: list[dict[str, Any]]) -> str:
    rows = sorted((r for r in money if r["app_class"] == "all"), key=lambda r: r["objective_pct_of_reactive"])
    causal = [r for r in rows if r["arm"] not in (HINDSIGHT, REACTIVE)]
    best = causal[0]
    saved = page.number("floors_best_saves_pct", round(100 - best["objective_pct_of_reactive"], 2))
    page.number("floors_best_arm", best["arm"])
    worse = page.number("floors_arms_above_reactive", sum(r["objective_pct_of_reactive"] > 100 for r in causal))
    what = f"{best['arm'].replace('_', ' ')} saves {num(saved, 1)} % of reactive scaling" if saved > 0 else "No floor pays"
    heading = fitting(
        f"{what[0].upper()}{what[1:]}; {num(worse)} of {num(len(causal))} ways to keep instances warm cost more than none",
        f"{what[0].upper()}{what[1:]}; {num(worse)} of {num(len(causal))} arms cost more",
    )
    return page.figure(
        "operational_dots",
        heading=heading,
        sentence="Objective of each arm in per cent of reactive scaling: 100 is no floor at all. The line is the 95 % interval.",
        wide=_figure(rows, narrow=False),
        narrow=_figure(rows, narrow=True),
        key="",
        alt=heading,
        data=[{k: r[k] for k in ("arm", "objective_pct_of_reactive", "ci_low", "ci_high")} for r in rows],
        **_said(),
    )


def _figure(rows: list[dict[str, Any]], *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    shown = [min(r["objective_pct_of_reactive"], MOST_PCT) for r in rows]
    low = min([*shown, *(r["ci_low"] for r in rows if r["ci_low"] is not None), 99.0])
    spread = [(i, r) for i, r in enumerate(rows) if r["ci_low"] is not None]
    figure.add_scatter(
        x=[x for _, r in spread for x in (r["ci_low"], min(r["ci_high"], MOST_PCT), None)],
        y=[y for i, _ in spread for y in (i, i, None)],
        mode="lines",
        line={"color": colour("ink-3"), "width": 1.4},
        hoverinfo="skip",
    )
    inks = [colour("hindsight" if r["arm"] == HINDSIGHT else "home" if r["arm"] == REACTIVE else "s4") for r in rows]
    figure.add_scatter(x=shown, y=list(range(len(rows))), mode="markers", marker={"size": 9, "color": inks}, hoverinfo="skip")
    text = []
    for i, r in enumerate(rows):
        name, value = r["arm"].replace("_", " "), num(r["objective_pct_of_reactive"], 1)
        if narrow:
            text.append(annotation(0, i, f"{name} <b>{value}</b>", at=("left", "bottom"), refs=("paper", "y"), yshift=4))
        else:
            text.append(annotation(0, i, name, size=13, at=("right", "middle"), refs=("paper", "y"), xshift=-12))
            text.append(annotation(1, i, f"<b>{value}</b>", ink="ink", size=13, refs=("paper", "y"), xshift=12))
    figure.add_shape(type="line", x0=100, x1=100, y0=-0.5, y1=len(rows) - 0.5, line={"color": colour("ink"), "width": 1}, layer="below")
    figure.update_layout(
        height=(38 if narrow else 26) * len(rows) + 70,
        margin={"l": 12 if narrow else 170, "r": 12 if narrow else 70, "t": 20, "b": 44},
        annotations=text,
        xaxis=axis(range=[low - 0.5, MOST_PCT], title=f"% of reactive; the axis ends at {num(MOST_PCT)}", nticks=5 if narrow else 9),
        yaxis=axis(range=[len(rows) - 0.5, -0.9], showgrid=False, showticklabels=False),
    )
    return figure


def _money(page: Page, money: list[dict[str, Any]]) -> str:
    groups = list(dict.fromkeys(r["app_class"] for r in money if r["app_class"].startswith("cloud ")))
    by_arm: dict[str, dict[str, Any]] = {}
    for r in money:
        row = by_arm.setdefault(r["arm"], {"arm": r["arm"]})
        row[r["app_class"]] = r["objective_pct_of_reactive"]
        if r["app_class"] == "all":
            row |= {key: r[key] for key in ("ci_low", "ci_high", "floor_usd")}
            row |= {"cold_pct": 100 * (r["cold_start_rate"] or 0.0), "sla_pct": 100 * (r["sla_rate"] or 0.0)}
    rows = sorted(by_arm.values(), key=lambda r: r["all"])
    classes = [name for name in CLASSES if name in {r["app_class"] for r in money}]
    return page.table(
        "operational_money",
        heading="Where floors save and what they cost, by cloud and class of app",
        sentence="Objective in per cent of reactive scaling on the same calls; floors are the bill of the span, mean over the scenarios.",
        columns=[
            Column("arm", "Arm"),
            Column("all", "All apps", "% of reactive", "number", 2),
            Column("ci_low", "95 % interval", "from", "number", 2),
            Column("ci_high", "95 % interval", "to", "number", 2),
            *(Column(name, name.removeprefix("cloud "), "%", "number", 2) for name in groups),
            *(Column(name, name, "%", "number", 2) for name in classes),
            Column("cold_pct", "Cold starts", "%", "number", 2),
            Column("sla_pct", "SLA met", "%", "number", 2),
            Column("floor_usd", "Floors", "USD", "number", 3),
        ],
        rows=rows,
        **_said(),
    )


def _errors(page: Page, rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    best: dict[tuple[str, str], str] = {}
    for target, group in dict.fromkeys((r["target"], r["app_class"]) for r in rows):
        judged = [r for r in rows if (r["target"], r["app_class"]) == (target, group) and r["mase"] is not None]
        if judged:
            best[target, group] = min(judged, key=lambda r: (r["mase"], r["arm"]))["arm"]
    zero = page.number("floors_forecasts_won_by_zero", sum(arm == "zero" for arm in best.values()))
    won = page.number("floors_forecasts_won_by_lstm", sum(arm.startswith("lstm") for arm in best.values()))
    return page.table(
        "operational_errors",
        heading=f"A forecast of zero has the least MASE in {num(zero)}, an LSTM in {num(won)} of {num(len(best))} cases",
        sentence="Errors of what the next step asks for. Most steps are empty, so `zero` is the row to beat; the lowest MASE is bold.",
        columns=[
            Column("target", "Target"),
            Column("app_class", "Class"),
            Column("arm", "Forecast"),
            Column("rmse", "RMSE", "of the target", "number"),
            Column("mae", "MAE", "of the target", "number"),
            Column("mase", "MASE", "1 = naive", "number", 3),
            Column("pinball", "Pinball 5/6", "of the target", "number"),
        ],
        rows=rows,
        best=[i for i, r in enumerate(rows) if best.get((r["target"], r["app_class"])) == r["arm"]],
        folded=True,
        **_said(),
    )
