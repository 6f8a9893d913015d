"""Section: what the calls are like: their times, the apps that make them, what triggers them. Not here: load over time (rhythm.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.eda.records import Triggers
from tasks.report.facts import COMMAND, ink_of, plural, provenance, source_of
from tasks.report.page import Page, annotation, pair
from tasks.report.parts.arms import load
from tasks.report.parts.data_apps import concentration, dispersion
from tasks.report.parts.data_times import calendar, durations, gaps
from tasks.report.plot import axis, both, colour
from tasks.report.text import percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ORDER, TITLE, NAV, QUESTION = 20, "Calls", "Calls", "How long do calls run, how do they arrive, and who makes them?"


def add(page: Page) -> str:
    """HTML of the section."""
    days = calendar(page) if load(page) is not None else ""  # without a landscape the calendar is on the first screen
    return days + pair(durations(page), gaps(page)) + pair(concentration(page), dispersion(page)) + _triggers(page)


def _triggers(page: Page) -> str:
    found = page.read("reports/eda/triggers.json", Triggers)
    rows = sorted((r.row() for r in found.rows) if found else [], key=lambda r: (-r["calls"], r["trigger"]))
    total = sum(r["calls"] for r in rows)
    if not found or not total:
        return ""
    top = rows[0]
    page.number("top_trigger_share", top["calls"] / total)
    heading = f"{percent(top['calls'] / total)} of the calls are started by the trigger {top['trigger']}"
    data = [r | {"calls_share": r["calls"] / total} for r in rows]
    return page.figure(
        "triggers",
        heading=heading,
        sentence="Share of calls by what starts them."
        + (" Hatched: the trigger of a function is sampled, because the trace does not state it." if found.is_sampled else ""),
        **both(_trigger_figure, data, ink_of(page), found.is_sampled),
        key="",
        alt=heading,
        tags=[source_of(page)[1], "sampled: trigger" if found.is_sampled else "measured"],
        provenance=provenance(page, plural(page.number("trigger_functions", sum(r["functions"] for r in rows)), "function")),
        command=COMMAND,
        data=data,
    )


def _trigger_figure(rows: list[dict[str, Any]], ink: str, is_sampled: bool, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    shares = [100 * r["calls_share"] for r in rows]
    pattern = (
        {"shape": "/", "fgcolor": colour("bg"), "fgopacity": 0.6, "size": 6, "solidity": 0.2, "fillmode": "overlay"} if is_sampled else {}
    )
    figure = go.Figure(
        go.Bar(
            x=shares,
            y=list(range(len(rows))),
            orientation="h",
            width=0.5,
            marker={"color": colour(ink), "pattern": pattern},
            hoverinfo="skip",
        )
    )
    text = [
        annotation(
            100, i, f"{percent(r['calls_share'])}, {plural(r['functions'], 'function')}", ink="ink", at=("left", "middle"), xshift=10
        )
        for i, r in enumerate(rows)
    ]
    if narrow:
        text = [
            annotation(
                0,
                i,
                f"{r['trigger']}: {percent(r['calls_share'])}, {plural(r['functions'], 'function')}",
                ink="ink",
                at=("left", "bottom"),
                yshift=13,
            )
            for i, r in enumerate(rows)
        ]
    else:
        text += [
            annotation(0, i, r["trigger"], size=13, at=("right", "middle"), refs=("paper", "y"), xshift=-10) for i, r in enumerate(rows)
        ]
    figure.update_layout(
        height=(54 if narrow else 34) * len(rows) + 70,
        margin={"l": 8 if narrow else 130, "r": 24 if narrow else 210, "t": 20, "b": 46},
        annotations=text,
        xaxis=axis(range=[0, 100], tickvals=list(range(0, 101, 20)), title="share of calls, %"),
        yaxis=axis(range=[len(rows) - 0.4, -0.8 if narrow else -0.6], showgrid=False, showticklabels=False),
    )
    return figure  # fmt: skip
