"""Section: load over time (concurrency, autocorrelation, hour of day). Not here: the calendar (parts/data_times.py), cells (cells.py)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tasks.eda.records import Concurrency, Rhythm
from tasks.report.facts import COMMAND, ink_of, plural, provenance, source_of
from tasks.report.page import Page, num, pair
from tasks.report.plot import axis, colour, decimated, y_title

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ORDER, TITLE, NAV, QUESTION = 30, "Load over time", "Rhythm", "How many calls run at once, and how much does the past say about the future?"
DAY_H, WEEK_H = 24, 168
CLEAR, FAINT = 0.5, 0.2  # autocorrelations from which an hour resembles, or faintly resembles, an earlier one
HEIGHT = 300


def add(page: Page) -> str:
    """HTML of the section."""
    return _concurrency(page) + pair(_autocorrelation(page), _hours(page))


def _concurrency(page: Page) -> str:
    found = page.read("reports/eda/concurrency.json", Concurrency)
    if not found or not found.hours:
        return ""
    mean, most = page.number("concurrency_mean", found.overall_mean), page.number("concurrency_max", found.overall_max)
    heading = f"{num(mean, 1)} calls run at once on average, {num(most)} at peak"
    data = [{"hour": h, "mean": a, "max": b} for h, a, b in zip(found.hours, found.mean, found.max, strict=True)]
    return page.figure(
        "concurrency",
        heading=heading,
        sentence="Running calls of all apps together, by hour of the trace: mean of the hour and its peak, on a log axis.",
        wide=_concurrency_figure(data, ink_of(page), narrow=False),
        narrow=_concurrency_figure(data, ink_of(page), narrow=True),
        key=f'<span><i style="--c:var(--{ink_of(page)})"></i>mean of the hour</span>'
        '<span><i style="--c:var(--home)"></i>peak of the hour</span>',
        alt=heading,
        tags=[source_of(page)[1], "measured"],
        provenance=provenance(page, plural(len(data), "hour")),
        command=COMMAND,
        data=data,
    )


def _concurrency_figure(data: list[dict[str, Any]], ink: str, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    hours = [d["hour"] for d in data]
    for name, width, shade in (("max", 1.2, "home"), ("mean", 2.2, ink)):
        x, y = decimated(hours, [d[name] for d in data])
        # A log axis has no zero: an hour without calls is a gap in the line.
        figure.add_scatter(
            x=x,
            y=[v if v > 0 else None for v in y],
            mode="lines",
            line={"color": colour(shade), "width": width},
            hovertemplate=f"hour %{{x}}: {name} %{{y:.3~g}}<extra></extra>",
        )
    positive = [d[n] for d in data for n in ("mean", "max") if d[n] > 0] or [1.0]
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    decades = list(range(low, max(high, low + 1) + 1))
    step = DAY_H * max(1, math.ceil((hours[-1] - hours[0]) / DAY_H / (5 if narrow else 14)))
    ticks = list(range(hours[0] - hours[0] % DAY_H, hours[-1] + 2, step))
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 56, "r": 30, "t": 34, "b": 46},
        annotations=[y_title("running calls, log scale") | {"xshift": -50}],
        xaxis=axis(range=[hours[0], hours[-1] + 1], tickvals=ticks, ticktext=[num(t // DAY_H) for t in ticks], title="day of the trace"),
        yaxis=axis(
            type="log",
            range=[decades[0], decades[-1]],
            tickvals=[10.0**k for k in decades],
            ticktext=[f"{10.0**k:,.{max(0, -k)}f}" for k in decades],
        ),
    )
    return figure  # fmt: skip


def _autocorrelation(page: Page) -> str:
    found = page.read("reports/eda/rhythm.json", Rhythm)
    if not found or not found.lags_h:
        return ""
    data = [{"lag_h": lag, "autocorrelation": r} for lag, r in zip(found.lags_h, found.autocorrelation, strict=True) if r is not None]
    if not data:
        return ""
    by_lag = {d["lag_h"]: d["autocorrelation"] for d in data}
    day, week = by_lag.get(DAY_H), by_lag.get(WEEK_H)
    if day is None:
        first = page.number("autocorrelation_first_lag_h", min(by_lag))
        page.number("autocorrelation_first_lag", by_lag[first])
        heading = f"The load correlates with that of {num(first)} h earlier by r\u00a0=\u00a0{num(by_lag[first], 2)}"
    else:
        page.number("autocorrelation_24h", day)
        word = "resembles" if day >= CLEAR else "faintly resembles" if day >= FAINT else "does not resemble"
        heading = f"The load {word} that of the day before (r\u00a0=\u00a0{num(day, 2)})"
        if week is not None:
            page.number("autocorrelation_168h", week)
            heading = f"The load {word} that of the day before (r\u00a0=\u00a0{num(day, 2)}) and of the week before ({num(week, 2)})"
    return page.figure(
        "autocorrelation",
        heading=heading,
        sentence="Autocorrelation of the calls of all apps together, by lag; zero means no memory.",
        wide=_lag_figure(data, ink_of(page)),
        narrow=_lag_figure(data, ink_of(page)),
        key="",
        alt=heading,
        tags=[source_of(page)[1], "measured"],
        provenance=provenance(
            page, f"lags {num(page.number('lags_from_h', data[0]['lag_h']))} to {num(page.number('lags_to_h', data[-1]['lag_h']))} h"
        ),
        command=COMMAND,
        data=data,
    )


def _lag_figure(data: list[dict[str, Any]], ink: str) -> Figure:
    import plotly.graph_objects as go

    x, y = decimated([d["lag_h"] for d in data], [d["autocorrelation"] for d in data])
    figure = go.Figure(
        go.Scatter(x=x, y=y, mode="lines", line={"color": colour(ink), "width": 2}, hovertemplate="%{x} h: %{y:.2f}<extra></extra>")
    )
    figure.add_hline(y=0, line={"color": colour("ink"), "width": 1.4})
    step = DAY_H * max(1, math.ceil(x[-1] / DAY_H / 8))
    ticks = list(range(0, math.ceil(x[-1]) + 1, step))
    low = min(0.0, math.floor(min(y) * 5) / 5)
    levels = [round(low + 0.2 * k, 1) for k in range(round((1 - low) / 0.2) + 1)]
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 44, "r": 24, "t": 34, "b": 46},
        annotations=[y_title("autocorrelation") | {"xshift": -38}],
        xaxis=axis(range=[0, x[-1]], tickvals=ticks, title="lag, hours"),
        yaxis=axis(range=[low, 1.02], tickvals=levels, ticktext=[num(v, 1) for v in levels]),
    )
    return figure


def _hours(page: Page) -> str:
    found = page.read("reports/eda/rhythm.json", Rhythm)
    values = [v for v in found.hour_relative if v is not None] if found else []
    if len(values) != DAY_H:
        return ""
    high, low = page.number("hour_relative_highest", max(values)), page.number("hour_relative_lowest", min(values))
    at = page.number("hour_relative_highest_utc", values.index(high))
    heading = f"Over the day, load varies from {num(low, 2)} to {num(high, 2)} times its mean"
    return page.figure(
        "hours",
        heading=heading,
        sentence="Mean calls in an hour of the day, divided by the mean of all hours.",
        wide=_hour_figure(values, ink_of(page)),
        narrow=_hour_figure(values, ink_of(page)),
        key="",
        alt=f"{heading}; the busiest is {at:02d}:00 UTC",
        tags=[source_of(page)[1], "measured"],
        provenance=provenance(page),
        command=COMMAND,
        data=[{"hour_utc": h, "relative_load": v} for h, v in enumerate(values)],
    )


def _hour_figure(values: list[float], ink: str) -> Figure:
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Bar(
            x=list(range(DAY_H)), y=values, width=0.8, marker={"color": colour(ink)}, hovertemplate="%{x}:00 UTC: %{y:.2f}<extra></extra>"
        )
    )
    figure.add_hline(y=1, line={"color": colour("ink"), "width": 1.4})
    ticks = list(range(0, DAY_H, 6))
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 44, "r": 24, "t": 34, "b": 46},
        annotations=[y_title("load, 1 = mean of all hours") | {"xshift": -38}],
        xaxis=axis(range=[-0.6, 23.6], tickvals=ticks, ticktext=[f"{h:02d}:00" for h in ticks], showgrid=False, title="hour of day, UTC"),
        yaxis=axis(range=[0, max(values) * 1.08], nticks=6),
    )
    return figure
