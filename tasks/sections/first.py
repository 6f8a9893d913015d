"""First screen: origin, headline, tiles, calendar, limits. Not here: the evidence (the other sections)."""

from __future__ import annotations

import html
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tasks.page import Page, annotation, interval, num, tag
from tasks.page_facts import COMMAND, day_name, plural, provenance, share_of_apps, source_of, volumes
from tasks.page_plot import axis, colour
from tasks.page_text import percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TITLE, NAV, QUESTION = "", "Answer", ""
ROW_WIDE, ROW_NARROW = 23, 21  # px of a day in the calendar
ORIGINS = {
    "twin": "generated data fitted to the public traces; not the traces themselves",
    "real": "rows of the public traces as they were released; a slice, not the whole",
}


def render(page: Page) -> str:
    """HTML of the first screen."""
    _, kind = source_of(page)
    origin = f'<div class="origin">{tag(kind)}<span>{ORIGINS[kind]}</span></div>'
    tiles = "".join(_tiles(page))
    return "".join([origin, _headline(page), f'<div class="tiles">{tiles}</div>' if tiles else "", calendar(page), _limits(page)])


def _headline(page: Page) -> str:
    said = []
    found = page.json("eda/concentration.json")
    calls = volumes(page)
    if calls:
        page.metric("calls_staged", calls["total"])
        page.metric("days", len(calls["days"]))
    if found and found.get("apps") and found.get("top"):
        count = max(1, min(5, len(found["apps"]) - 1))
        share = page.metric(f"share_top{count}_apps", found["top"].get(str(count), sum(found["apps"][:count]) / max(1, sum(found["apps"]))))
        page.metric("apps", len(found["apps"]))
        said.append(share_of_apps(count, len(found["apps"]), percent(share)) + ".")
    elif calls:
        said.append(f"{plural(calls['total'], 'call')} in {plural(len(calls['days']), 'day')} are ready for learning.")
    best = best_forecast(page)
    if best:
        apart = page.metric("best_forecast_from_naive", round(abs(1 - best["mase"]), 5))
        verdict = f"errs {num(100 * apart, 0)} % {'less' if best['mase'] < 1 else 'more'} than its naive yardstick"
        if round(100 * best["mase"]) == 100:
            verdict = "equals its naive yardstick"
        said.append(f"Without learning, the best forecast of calls ({best['arm']}) {verdict}.")
    return f"<h1>{html.escape(' '.join(said) or 'No source is on: there is nothing to show yet.')}</h1>"


def best_forecast(page: Page) -> dict[str, Any] | None:
    """Arm and MASE of the best forecast of calls on the test span."""
    best = (page.json("eda/forecasts.json") or {}).get("best")
    return best if best and best.get("mase") is not None else None


def _tiles(page: Page) -> list[str]:
    tiles = []
    quality = (page.json("eda/quality.json") or {}).get("sources") or []
    calls = volumes(page)
    if calls:
        days = plural(len(calls["days"]), "day")
        tiles.append(page.tile("How many calls are staged?", num(calls["total"]), "", f"{calls['source']}, {days}"))
    if quality:
        rows_in = page.metric("rows_in", sum(q["rows_in"] for q in quality))
        rejected = page.metric("rows_rejected", sum(q["rows_rejected"] for q in quality))
        share = f"{percent(page.metric('rows_rejected_share', rejected / rows_in))} of " if rows_in else "of "
        tiles.append(page.tile("How many rows were rejected?", num(rejected), "", f"{share}{plural(rows_in, 'raw row')}, all sources"))
    fit = (page.json("validation/twin_fit.json") or {}).get("rows") or []
    if fit:
        passed = page.metric("twin_fit_passed", sum(r["pass"] is True for r in fit))
        judged = page.metric("twin_fit_judged", sum(r["pass"] is not None for r in fit))
        if judged:
            tiles.append(
                page.tile("Is the twin near the real traces?", num(passed), f"of {num(judged)}", "targets met within their tolerance")
            )
    best = best_forecast(page)
    if best:
        mase = page.metric("best_forecast_mase", best["mase"])
        page.metric("best_forecast_arm", best["arm"])
        spread = ""
        if best.get("mase_quartiles"):
            low, high = (page.metric(f"best_forecast_mase_{q}", v) for q, v in zip(("p25", "p75"), best["mase_quartiles"], strict=True))
            spread = f", half of the apps in {interval(low, high, 2)}"
        small = f"{best['arm']}, calls, test span{spread}; 1 = naive"
        tiles.append(page.tile("How good is the best forecast without learning?", num(mase, 2), "MASE", small))
    return tiles


def calendar(page: Page) -> str:
    """The calendar hour x day, or "" without calls."""
    found = volumes(page)
    if not found:
        return ""
    source, kind = source_of(page)
    rows = [
        {"day": day_name(source, day), "hour_utc": hour, "calls": count, "calls_of_day": sum(hours)}
        for day, hours in zip(found["days"], found["calls"], strict=True)
        for hour, count in enumerate(hours)
    ]
    top = max(r["calls"] for r in rows)
    busiest = max(rows, key=lambda r: r["calls"])
    at = page.metric("busiest_hour", f"{busiest['day']} {busiest['hour_utc']:02d}:00")
    page.metric("busiest_hour_calls", top)
    for name, hours in zip(("train", "validation"), found.get("split_hours") or [], strict=False):
        page.metric(f"{name}_ends_h", hours)
    borders = " Heavy lines part train, validation and test." if found.get("split_hours") else ""
    heading = _finding(page, found)
    scale = f'<span class="ramp" role="img" aria-label="colour scale from 0 to {num(top)}"></span>'
    ramp = f"<span>0</span>{scale}<span>{num(top)} calls an hour</span>"
    return page.figure(
        "calendar",
        heading=heading,
        sentence=f"Calls per hour, UTC; the number at the right is the total of the day.{borders}",
        wide=_calendar(found, source, top, narrow=False),
        narrow=_calendar(found, source, top, narrow=True),
        key=ramp,
        alt=f"{heading}. The busiest hour is {at} with {num(top)} calls.",
        tags=[kind, "measured"],
        provenance=provenance(page, plural(len(found["days"]), "day"), plural(found["total"], "call")),
        command=COMMAND,
        data=rows,
    )


def _finding(page: Page, found: dict[str, Any]) -> str:
    by_hour = [sum(day[h] for day in found["calls"]) for h in range(24)]
    high, low = max(by_hour), min(by_hour)
    at = by_hour.index(high)
    page.metric("busiest_hour_utc", at)
    if len(found["days"]) < 2 or low == 0:
        share = page.metric("busiest_hour_share", round(high / sum(by_hour), 5))
        return f"The hour from {at:02d}:00 UTC has {percent(share)} of all calls"
    ratio = page.metric("busiest_to_quietest_hour", round(high / low, 3))
    return f"The busiest hour of the day, {at:02d}:00 UTC, has {num(ratio, 1)} times the calls of the quietest"


def _calendar(found: dict[str, Any], source: str, top: int, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    days, calls = found["days"], found["calls"]
    names = [day_name(source, day) for day in days]
    figure = go.Figure(
        go.Heatmap(
            z=calls, x=list(range(24)), y=list(range(len(days))), zmin=0, zmax=max(top, 1), xgap=1.5, ygap=1.5, showscale=False,
            colorscale=[[i / 5, colour(f"s{i}")] for i in range(6)], customdata=[[n] * 24 for n in names],
            hovertemplate="%{customdata}, %{x}:00 UTC: %{z:,} calls<extra></extra>",
        )
    )  # fmt: skip
    text = [
        annotation(1, i, _thousands(sum(hours)), at=("right", "middle"), refs=("paper", "y"), xshift=52, size=12 if not narrow else 11)
        for i, hours in enumerate(calls)
    ]
    text.append(annotation(1, 1, "a day", ink="ink-3", at=("right", "bottom"), refs=("paper", "paper"), xshift=52, yshift=3))
    lines, names_of_spans = _borders(found)
    if not narrow:
        text += [annotation(1, y, n, ink="ink", size=13, refs=("paper", "y"), xshift=68) for y, n in names_of_spans]
    hours_shown = range(0, 24, 6 if narrow else 3)
    figure.update_layout(
        height=len(days) * (ROW_NARROW if narrow else ROW_WIDE) + 66,
        margin={"l": 66 if narrow else 92, "r": 56 if narrow else 120, "t": 26, "b": 40},
        annotations=text,
        shapes=lines,
        xaxis=axis(
            range=[-0.5, 23.5], showgrid=False, title="hour of day, UTC",
            tickvals=list(hours_shown), ticktext=[f"{h:02d}:00" for h in hours_shown],
        ),
        yaxis=axis(
            range=[len(days) - 0.5, -0.5], showgrid=False, tickvals=list(range(len(days))),
            ticktext=[n.rsplit(" ", 1)[0] if narrow and n[0].isupper() else n for n in names],
        ),
    )  # fmt: skip
    return figure


def _borders(found: dict[str, Any]) -> tuple[list[dict[str, Any]], list[tuple[float, str]]]:
    """Stepped lines at the ends of train and validation (hours since the first day's midnight), and where the spans' names stand."""
    split = found.get("split_hours") or []
    rows = {day - found["days"][0]: i for i, day in enumerate(found["days"])}
    lines, edges = [], [0.0]
    for hours in split[:2]:
        day, hour = divmod(hours, 24)
        if int(day) not in rows:
            return [], []
        y, x = rows[int(day)], hour - 0.5
        edges.append(y + hour / 24)
        path = f"M -0.5,{y + 0.5} L {x},{y + 0.5} L {x},{y - 0.5} L 23.5,{y - 0.5}"
        lines.append({"type": "path", "path": path, "line": {"color": colour("ink"), "width": 2}})
    edges.append(float(len(found["days"])))
    if len(edges) != 4 or any(b - a < 0.8 for a, b in pairwise(edges)):
        return lines, []
    return lines, [((a + b) / 2 - 0.5, n) for (a, b), n in zip(pairwise(edges), ("train", "valid", "test"), strict=True)]


def _thousands(count: int) -> str:
    return f"{num(count / 1000, 0)}k" if count >= 10_000 else num(count)


def _limits(page: Page) -> str:
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
    if not points:
        return ""
    return f'<div class="limits"><p><b>Read this first</b></p><ul>{"".join(f"<li>{html.escape(p)}</li>" for p in points)}</ul></div>'
