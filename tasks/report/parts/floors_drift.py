"""Drift on the page: the timeline of one twin, how late each detector is, and what a reaction is worth. Not here: detecting, reacting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.evaluation.drill_record import DriftTimeline, Series
from tasks.report.page import Column, Page, interval, num
from tasks.report.parts.floors_money import named
from tasks.report.parts.floors_pictures import CLASS_INKS
from tasks.report.plot import annotation, axis, both, colour

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COMMAND = "dvc repro drill_operational"
SAID: dict[str, Any] = {"tags": ["twin", "measured"], "provenance": "shifted twins of 28 days", "command": COMMAND}
CASES = {
    "rate_x3": "calls three times as often",
    "cycle_6h": "daily cycle 6 h later",
    "duration_x2": "calls twice as long",
    "none": "no shift",
}
SIGNAL_OF = {"rate_x3": "rate", "cycle_6h": "rate", "duration_x2": "duration"}
DETECTORS = {"adwin": "ADWIN", "page_hinkley": "Page-Hinkley"}
SYMBOLS = {"adwin": "triangle-up-open", "page_hinkley": "x"}
SHOWN_H = 72  # after the shift
PANEL_PX = 170


def drift(page: Page) -> str:
    """HTML; empty where no drill was held."""
    shown = page.read("reports/operational/drift_timeline.json", DriftTimeline)
    return (_timeline(page, shown) if shown and shown.series else "") + _delays(page) + _reactions(page) + _actions(page, shown)


def _timeline(page: Page, shown: DriftTimeline) -> str:
    found = {case: [one for one in shown.series if one.case == case and one.signal == signal] for case, signal in SIGNAL_OF.items()}
    found = {case: rows for case, rows in found.items() if rows}
    first = {
        case: [hours[0] for one in rows if (hours := one.alarms.get("page_hinkley", ()))] for case, rows in found.items()
    }  # fmt: skip
    noticed = sum(bool(hours) for hours in first.values())
    heading = f"Page-Hinkley notices {num(noticed)} of {num(len(found))} shifts in this twin, each in some class of apps"
    return page.figure(
        "operational_drift",
        heading=heading,
        sentence="Hourly means of the residuals, in spreads of the train span, by class; marks are alarms. The shift comes at hour 0.",
        **both(_timeline_figure, found),
        key="".join(f'<span><i style="--c:var(--{ink})"></i>{name}</span>' for name, ink in CLASS_INKS.items())
        + "<span>✕ Page-Hinkley</span><span>△ ADWIN</span>",
        alt=heading,
        data=[
            {"case": case, "app_class": one.app_class, "hour": hour, "residual": value}
            for case, rows in found.items()
            for one in rows
            for hour, value in zip(one.hours, one.residual, strict=True)
            if hour < SHOWN_H
        ],
        **SAID | {"provenance": f"twin {shown.seed}"},
    )


def _timeline_figure(found: dict[str, list[Series]], *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    figure, text, layout = go.Figure(), [], {}
    share = 1 / len(found)
    for i, (case, rows) in enumerate(found.items()):
        number = "" if i == 0 else str(i + 1)
        for one in rows:
            _series(figure, one, f"x{number}", f"y{number}")
        down = [1 - (i + 0.82) * share, 1 - (i + 0.12) * share]
        title = {"title": "hours from the shift"} if i == len(found) - 1 else {}
        layout[f"xaxis{number}"] = axis(anchor=f"y{number}", range=[-24, SHOWN_H], dtick=24, **title)
        layout[f"yaxis{number}"] = axis(domain=down, anchor=f"x{number}", range=[-3.2, 3.9], tickvals=[-3, 0, 3])
        text.append(annotation(0, down[1], CASES[case], at=("left", "bottom"), refs=("paper", "paper"), yshift=4))
    figure.update_layout(height=PANEL_PX * len(found) + 40, margin={"l": 36, "r": 12, "t": 16, "b": 46}, annotations=text, **layout)
    return figure


def _series(figure: Figure, one: Series, x: str, y: str) -> None:
    shown = [(hour, value) for hour, value in zip(one.hours, one.residual, strict=True) if hour < SHOWN_H]
    ink = colour(CLASS_INKS[one.app_class])
    figure.add_scatter(
        x=[hour for hour, _ in shown], y=[value for _, value in shown], mode="lines", line={"width": 1.3, "color": ink}, hoverinfo="skip",
        xaxis=x, yaxis=y,
    )  # fmt: skip
    for detector, hours in one.alarms.items():
        at = [hour for hour in hours if hour < SHOWN_H]
        mark = {"symbol": SYMBOLS[detector], "size": 8, "color": ink, "line": {"width": 1.6, "color": ink}}
        figure.add_scatter(x=at, y=[3.5] * len(at), mode="markers", marker=mark, hoverinfo="skip", xaxis=x, yaxis=y)


def _delays(page: Page) -> str:
    rows = page.read_csv("reports/operational/drift_drill.csv")
    if not rows:
        return ""
    by: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        key = row["detector"], row["signal"], row["app_class"]
        own = by.setdefault(key, {"detector": DETECTORS[row["detector"]], "signal": row["signal"], "app_class": row["app_class"]})
        if row["case"] == "none":
            own["false"] = float(row["alarms_per_week"]) if row["alarms_per_week"] else None
        else:
            own[row["case"]] = _delay(row)
    most = max((row["false"] or 0.0) for row in by.values())
    return page.table(
        "operational_delays",
        heading=f"Hours until a shift is noticed; up to {num(most, 1)} false alarms a class and week",
        sentence="Median of the twins that noticed, in brackets how many did. Read each delay against the alarms without a shift.",
        columns=[
            Column("detector", "Detector"),
            Column("signal", "Residual of"),
            Column("app_class", "Class"),
            *(Column(case, words) for case, words in CASES.items() if case != "none"),
            Column("false", "no shift", "alarms a week", "number", 1),
        ],
        rows=list(by.values()),
        folded=True,
        **SAID,
    )


def _delay(row: dict[str, str]) -> str:
    if not row["delay_h_median"]:
        return "–"
    return f"{num(float(row['delay_h_median']), 1)} ({row['noticed']} of {row['seeds']})"


def _reactions(page: Page) -> str:
    rows = [row for row in page.read_csv("reports/operational/drift_reaction.csv") if row["reaction"] != "nothing"]
    if not rows:
        return ""
    acted = [row for row in rows if int(row["actions"]) > 0]
    saving = sum(float(row["change_pct"]) < 0 for row in acted)
    heading = f"A reaction to an alarm lowers the objective in {num(saving)} of {num(len(acted))} cases in which one came"
    page.number("floors_reactions_that_save", saving)
    table = [
        {
            "arm": named({}, row["arm"]),
            "case": CASES[row["case"]],
            "detector": DETECTORS[row["detector"]],
            "reaction": row["reaction"].replace("_", " "),
            "actions": int(row["actions"]),
            "without": float(row["pct_without_reaction"]),
            "with": float(row["pct_of_reactive"]),
            "change": float(row["change_pct"]),
            "interval": interval(float(row["ci_low"]), float(row["ci_high"]), 2) if row["ci_low"] else None,
        }
        for row in rows
    ]
    return page.table(
        "operational_reactions",
        heading=heading,
        sentence="Objective from the shift on, in % of reactive scaling in the same world: the same arm without and with the reaction.",
        columns=[
            Column("arm", "Arm"),
            Column("case", "Shift"),
            Column("detector", "Detector"),
            Column("reaction", "Reaction"),
            Column("actions", "Actions", "all twins", "number"),
            Column("without", "Without", "% of reactive", "number", 2),
            Column("with", "With", "% of reactive", "number", 2),
            Column("change", "Change", "% of without", "number", 2),
            Column("interval", "95 %", "of the change"),
        ],
        rows=table,
        folded=True,
        **SAID,
    )


def _actions(page: Page, shown: DriftTimeline | None) -> str:
    if shown is None or not shown.actions:
        return ""
    rows = [one.row() | {"arm": named({}, one.arm), "case": CASES[one.case], "detector": DETECTORS[one.detector]} for one in shown.actions]
    return page.table(
        "operational_actions",
        heading=f"The record of {num(len(rows))} actions that alarms triggered in one twin",
        sentence="Every alarm of the judged time, and what was done about it in each arm.",
        columns=[
            Column("arm", "Arm"),
            Column("case", "Shift"),
            Column("detector", "Detector"),
            Column("signal", "Residual of"),
            Column("app_class", "Class"),
            Column("reaction", "Reaction"),
            Column("hour", "Hour", "from the shift", "number", 2),
        ],
        rows=rows,
        folded=True,
        **SAID | {"provenance": f"twin {shown.seed}"},
    )
