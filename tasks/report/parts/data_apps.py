"""Who makes the calls, and how evenly (Lorenz curve, dispersion). Not here: times of calls (data_times.py)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.eda.records import AppDispersion, Concentration, Dispersion
from tasks.report.facts import COMMAND, ink_of, plural, provenance, share_of_apps, source_of
from tasks.report.page import Page, annotation, num
from tasks.report.plot import axis, both, colour, decimated, y_title
from tasks.report.text import percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_DOTS = 1000
HEIGHT = 320  # px


def concentration(page: Page) -> str:
    """The Lorenz figure, "" with fewer than two apps."""
    found = page.read("reports/eda/concentration.json", Concentration)
    if not found or len(found.apps) < 2:
        return ""
    apps, functions = found.apps, found.functions
    count = min(5, len(apps) - 1)
    share = page.number(f"share_top{count}_apps", found.top[str(count)])
    page.number("apps", len(apps))
    named = plural(page.number("functions", len(functions)), "function") if functions else ""
    heading = share_of_apps(count, len(apps), percent(share))
    data = _lorenz("app", apps) + (_lorenz("function", functions) if sum(functions) else [])
    return page.figure(
        "concentration",
        heading=heading,
        sentence="Cumulative share of calls, from the least to the most active app; the straight line is equal shares.",
        **both(_lorenz_figure, data, count, share, ink_of(page)),
        key=_lorenz_key(ink_of(page), bool(functions)),
        alt=heading,
        tags=[source_of(page)[1], "measured"],
        provenance=provenance(page, plural(len(apps), "app"), named),
        command=COMMAND,
        data=data,
    )  # fmt: skip


def _lorenz_key(ink: str, functions: bool) -> str:
    dashed = '<span><i style="--c:var(--s4);border-top-style:dashed"></i>functions</span>'
    return f'<span><i style="--c:var(--{ink})"></i>apps</span>{dashed if functions else ""}'


def _lorenz(of: str, descending: Sequence[int]) -> list[dict[str, Any]]:
    """Points of a Lorenz curve from nothing to everything; `rank` is that of the one that is added."""
    total, run = sum(descending), 0
    rows: list[dict[str, Any]] = [{"of": of, "rank": None, "calls": 0, "of_all_percent": 0.0, "of_calls_percent": 0.0}]
    for i, calls in enumerate(reversed(descending), start=1):
        run += calls
        point = {"of_all_percent": 100 * i / len(descending), "of_calls_percent": 100 * run / total}
        rows.append({"of": of, "rank": len(descending) - i + 1, "calls": calls} | point)
    return rows


def _lorenz_figure(data: list[dict[str, Any]], count: int, share: float, ink: str, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_scatter(x=[0, 100], y=[0, 100], mode="lines", line={"color": colour("line"), "width": 1.5}, hoverinfo="skip")
    for of, line in (
        ("function", {"color": colour("s4"), "width": 1.6, "dash": "5px,3px"}),
        ("app", {"color": colour(ink), "width": 2.5}),
    ):
        points = [(d["of_all_percent"], d["of_calls_percent"]) for d in data if d["of"] == of]
        if points:
            x, y = decimated([p[0] for p in points], [p[1] for p in points])
            hover = f"%{{x:.0f}} % of {of}s: %{{y:.1f}} % of calls<extra></extra>"
            figure.add_scatter(x=x, y=y, mode="lines", line=line, hovertemplate=hover)
    at = next(d for d in data if d["of"] == "app" and d["rank"] == count + 1)
    figure.add_scatter(
        x=[at["of_all_percent"]], y=[at["of_calls_percent"]], mode="markers", marker={"size": 9, "color": colour("ink")}, hoverinfo="skip"
    )
    label = f"the {'largest app makes' if count == 1 else f'{count} largest apps make'}<br>{percent(share)} of calls"
    inks = [annotation(3, 96, label, ink="ink", size=12.5, at=("left", "top")), y_title("share of calls, %") | {"xshift": -32}]
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 38, "r": 16, "t": 34, "b": 46},
        annotations=inks,
        xaxis=axis(range=[0, 101.5], tickvals=list(range(0, 101, 20)), title="from least to most active, %"),
        yaxis=axis(range=[0, 101.5], tickvals=list(range(0, 101, 20))),
    )
    return figure  # fmt: skip


def dispersion(page: Page) -> str:
    """The figure of the dispersion per app, "" without apps."""
    found = page.read("reports/eda/dispersion.json", Dispersion)
    known = [(a, a.dispersion) for a in found.apps if a.dispersion is not None and a.dispersion > 0 and a.calls > 0] if found else []
    if not known:
        return ""
    apps = [a for a, _ in known]
    bursty = page.number("apps_over_dispersed", sum(dispersion > 1 for _, dispersion in known))
    everyone = page.read("reports/eda/concentration.json", Concentration)
    of = f"the {num(len(apps))} largest apps" if everyone and len(apps) < len(everyone.apps) else plural(len(apps), "app")
    heading = f"{num(bursty)} of {of} are called in bursts, more unevenly than at random"
    return page.figure(
        "dispersion",
        heading=heading,
        sentence="One dot is one app: variance over mean of its calls per step. The line at 1 is a Poisson process.",
        **both(_dispersion_figure, known, ink_of(page)),
        key="",
        alt=heading,
        tags=[source_of(page)[1], "measured"],
        provenance=provenance(page, plural(len(apps), "app")),
        command=COMMAND,
        data=[a.row() for a in apps],
    )


def _dispersion_figure(apps: list[tuple[AppDispersion, float]], ink: str, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    shown = apps[:: math.ceil(len(apps) / MOST_DOTS)]
    figure = go.Figure(
        go.Scatter(
            x=[a.calls for a, _ in shown], y=[dispersion for _, dispersion in shown], mode="markers",
            marker={"size": 6, "color": colour(ink), "opacity": 0.75}, customdata=[a.rank for a, _ in shown],
            hovertemplate="app of rank %{customdata}: %{x:,} calls, dispersion %{y:.3~g}<extra></extra>",
        )
    )  # fmt: skip
    x = _decades([a.calls for a, _ in shown])
    y = _decades([*(dispersion for _, dispersion in shown), 1.0])
    every_x = 1 + len(x) // (6 if narrow else 8)
    figure.add_hline(y=1, line={"color": colour("ink"), "width": 1.4})
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 56, "r": 30, "t": 34, "b": 46},
        annotations=[y_title("variance / mean of calls per step") | {"xshift": -50}],
        xaxis=axis(
            type="log", range=[x[0] - 0.1, x[-1]], title="calls of the app, log scale",
            tickvals=[10.0**k for k in x[::every_x]], ticktext=[_power(k) for k in x[::every_x]],
        ),
        yaxis=axis(type="log", range=[y[0], y[-1]], tickvals=[10.0**k for k in y], ticktext=[_power(k) for k in y]),
    )  # fmt: skip
    return figure


def _decades(values: Sequence[float]) -> list[int]:
    low = math.floor(math.log10(min(values)))
    return list(range(low, max(low + 1, math.ceil(math.log10(max(values)))) + 1))


def _power(k: int) -> str:
    return f"{10**k:,}" if 0 <= k <= 4 else f"{10 ** (k - 6):,}M" if k >= 6 else f"{10 ** (k - 3):,}k" if k > 0 else f"{10.0**k:.{-k}f}"
