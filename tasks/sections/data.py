"""Section: what the calls are like (durations, gaps, concentration, dispersion, triggers). Not here: load over time (rhythm.py)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tasks.page import Page, annotation, num, pair
from tasks.page_facts import COMMAND, plural, provenance, share_of_apps, source_of
from tasks.page_plot import axis, colour, decimated, y_title
from tasks.page_text import percent, seconds

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TITLE, NAV, QUESTION = "Calls", "Calls", "How long do calls run, how do they arrive, and who makes them?"
CCDF_POINTS = 1000
FLOOR = 1e-4  # share at which a CCDF's axis ends
SQUARE = 320  # px of a paired figure
SECOND_TICKS = (
    (1e-3, "1 ms"),
    (1e-2, "10 ms"),
    (0.1, "100 ms"),
    (1.0, "1 s"),
    (10.0, "10 s"),
    (100.0, "100 s"),
    (1e3, "1,000 s"),
    (1e4, "10,000 s"),
    (1e5, "28 h"),
    (1e6, "12 d"),
)
SHARE_TICKS = ((1.0, "100 %"), (0.1, "10 %"), (0.01, "1 %"), (1e-3, "0.1 %"), (1e-4, "0.01 %"))  # fmt: skip


def render(page: Page) -> str:
    """HTML of the section."""
    return pair(_durations(page), _gaps(page)) + pair(_lorenz(page), _dispersion(page)) + _triggers(page)


def _both(build: Callable[..., Figure], *args: Any) -> dict[str, Figure]:
    return {"wide": build(*args, narrow=False), "narrow": build(*args, narrow=True)}


def _line(page: Page) -> str:
    return "s3" if source_of(page)[1] == "twin" else "ink"


def _durations(page: Page) -> str:
    found = page.json("eda/durations.json")
    if not found or not found.get("calls"):
        return ""
    for key in ("p50_s", "p95_s", "p99_s", "max_s"):
        page.metric(f"duration_{key}", found[key])
    zero = page.metric("duration_zero_share", found["zero_share"])
    heading = f"One call in twenty runs longer than {seconds(found['p95_s'])}; half end within {seconds(found['p50_s'])}"
    note = f" {percent(zero)} are 0 ms and lie left of a log axis." if zero else ""
    return page.figure(
        "durations",
        heading=heading,
        sentence=f"Share of calls that run longer than a duration; both axes are logarithmic.{note}",
        **_both(_ccdf, found["ccdf"], "share of calls that run longer", "duration, log scale", _line(page)),
        key="",
        alt=f"{heading}. The longest takes {seconds(found['max_s'])}.",
        tags=[source_of(page)[1], "measured"],
        provenance=provenance(page, plural(found["calls"], "call")),
        command=COMMAND,
        data=_rows(found["ccdf"], "duration_s", "share_longer"),
    )


def _gaps(page: Page) -> str:
    found = page.json("eda/gaps.json")
    if not found or not found["ccdf"]["seconds"]:
        return ""
    page.metric("gaps_over_60s", found["over_60s"])
    under = page.metric("gaps_under_1s", found["under_1s"])
    heading = f"{percent(under)} of the gaps between two calls are shorter than a second"
    return page.figure(
        "gaps",
        heading=heading,
        sentence=f"Share of gaps between successive calls of one app that are longer; {percent(found['over_60s'])} last over a minute.",
        **_both(_ccdf, found["ccdf"], "share of gaps that are longer", "gap between two calls of an app, log scale", _line(page)),
        key="",
        alt=heading,
        tags=[source_of(page)[1], "measured"],
        provenance=provenance(page),
        command=COMMAND,
        data=_rows(found["ccdf"], "gap_s", "share_longer"),
    )


def _rows(ccdf: dict[str, list[float]], x: str, y: str) -> list[dict[str, float]]:
    return [{x: a, y: b} for a, b in zip(ccdf["seconds"], ccdf["share"], strict=True)]


def _ccdf(ccdf: dict[str, list[float]], y: str, x: str, ink: str, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    twin = ink == "s3"  # the twin is a line, the real trace steps
    points = [(a, b) for a, b in zip(ccdf["seconds"], ccdf["share"], strict=True) if a > 0 and b > 0]
    xs, ys = decimated([p[0] for p in points], [p[1] for p in points], CCDF_POINTS)
    figure = go.Figure(
        go.Scatter(
            x=xs, y=ys, mode="lines", line={"color": colour(ink), "width": 2.5 if twin else 1.6, "shape": "linear" if twin else "hv"},
            hovertemplate="%{y:.3~%} longer than %{x:.3~g} s<extra></extra>",
        )
    )  # fmt: skip
    low = math.floor(math.log10(min(xs, default=1e-3)))
    high = max(low + 1, math.ceil(math.log10(max(xs, default=1.0))))
    every = 1 + (high - low) // (5 if narrow else 7)
    ticks = [t for i, t in enumerate(t for t in SECOND_TICKS if low <= math.log10(t[0]) <= high) if i % every == 0]
    figure.update_layout(
        height=SQUARE,
        margin={"l": 56, "r": 30, "t": 34, "b": 46},
        annotations=[y_title(y, x=-0.0) | {"xshift": -50}],
        xaxis=axis(type="log", range=[low, high], tickvals=[t[0] for t in ticks], ticktext=[t[1] for t in ticks], title=x),
        yaxis=axis(type="log", range=[math.log10(FLOOR), 0.04], tickvals=[t[0] for t in SHARE_TICKS], ticktext=[t[1] for t in SHARE_TICKS]),
    )
    return figure


def _lorenz(page: Page) -> str:
    found = page.json("eda/concentration.json")
    if not found or len(found.get("apps") or []) < 2:
        return ""
    apps, functions = found["apps"], found.get("functions") or []
    count = min(5, len(apps) - 1)
    share = page.metric(f"share_top{count}_apps", found["top"].get(str(count), sum(apps[:count]) / sum(apps)))
    heading = share_of_apps(count, len(apps), percent(share))
    data = [{"of": k, "rank": i + 1, "calls": c} for k, v in (("app", apps), ("function", functions)) for i, c in enumerate(v)]
    return page.figure(
        "concentration",
        heading=heading,
        sentence="Cumulative share of calls, from the least to the most active; the straight line would be equal shares.",
        **_both(_lorenz_figure, apps, functions, count, share, _line(page)),
        key=_lorenz_key(_line(page), bool(functions)),
        alt=heading,
        tags=[source_of(page)[1], "measured"],
        provenance=provenance(page, plural(len(apps), "app"), plural(len(functions), "function") if functions else ""),
        command=COMMAND,
        data=data,
    )  # fmt: skip


def _lorenz_key(ink: str, functions: bool) -> str:
    dashed = '<span><i style="--c:var(--s4);border-top-style:dashed"></i>functions</span>'
    return f'<span><i style="--c:var(--{ink})"></i>apps</span>{dashed if functions else ""}'


def _cumulative(descending: Sequence[int]) -> tuple[list[float], list[float]]:
    total, run, xs, ys = sum(descending), 0, [0.0], [0.0]
    for i, calls in enumerate(reversed(descending), start=1):
        run += calls
        xs.append(100 * i / len(descending))
        ys.append(100 * run / total)
    return decimated(xs, ys)


def _lorenz_figure(apps: list[int], functions: list[int], count: int, share: float, ink: str, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_scatter(x=[0, 100], y=[0, 100], mode="lines", line={"color": colour("line"), "width": 1.5}, hoverinfo="skip")
    if functions and sum(functions):
        fx, fy = _cumulative(functions)
        figure.add_scatter(
            x=fx,
            y=fy,
            mode="lines",
            line={"color": colour("s4"), "width": 1.6, "dash": "5px,3px"},
            hovertemplate="%{x:.0f} % of functions: %{y:.1f} % of calls<extra></extra>",
        )
    ax, ay = _cumulative(apps)
    figure.add_scatter(
        x=ax,
        y=ay,
        mode="lines",
        line={"color": colour(ink), "width": 2.5},
        hovertemplate="%{x:.0f} % of apps: %{y:.1f} % of calls<extra></extra>",
    )
    at = (100 * (1 - count / len(apps)), 100 * (1 - share))
    figure.add_scatter(x=[at[0]], y=[at[1]], mode="markers", marker={"size": 9, "color": colour("ink")}, hoverinfo="skip")
    label = f"the {'largest app makes' if count == 1 else f'{count} largest apps make'}<br>{percent(share)} of calls"
    inks = [annotation(3, 96, label, ink="ink", size=12.5, at=("left", "top")), y_title("share of calls, %") | {"xshift": -32}]
    figure.update_layout(
        height=SQUARE,
        margin={"l": 38, "r": 16, "t": 34, "b": 46},
        annotations=inks,
        xaxis=axis(range=[0, 101.5], tickvals=list(range(0, 101, 20)), title="from least to most active, %"),
        yaxis=axis(range=[0, 101.5], tickvals=list(range(0, 101, 20))),
    )
    return figure  # fmt: skip


def _dispersion(page: Page) -> str:
    found = page.json("eda/dispersion.json")
    apps = [a for a in (found or {}).get("apps") or [] if a["dispersion"] is not None and a["dispersion"] > 0 and a["calls"] > 0]
    if not apps:
        return ""
    bursty = page.metric("apps_over_dispersed", sum(a["dispersion"] > 1 for a in apps))
    everyone = len((page.json("eda/concentration.json") or {}).get("apps") or apps)
    of = f"the {num(len(apps))} largest apps" if len(apps) < everyone else plural(len(apps), "app")
    heading = f"{num(bursty)} of {of} call in bursts: more variable than at random"
    return page.figure(
        "dispersion",
        heading=heading,
        sentence="One dot is one app: variance over mean of its calls per step. The line at 1 is a Poisson process.",
        **_both(_dispersion_figure, apps, _line(page)),
        key="",
        alt=heading,
        tags=[source_of(page)[1], "measured"],
        provenance=provenance(page, plural(len(apps), "app")),
        command=COMMAND,
        data=apps,
    )


def _dispersion_figure(apps: list[dict[str, Any]], ink: str, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    shown = apps[:: math.ceil(len(apps) / CCDF_POINTS)]
    figure = go.Figure(
        go.Scatter(
            x=[a["calls"] for a in shown], y=[a["dispersion"] for a in shown], mode="markers",
            marker={"size": 6, "color": colour(ink), "opacity": 0.75}, customdata=[a["rank"] for a in shown],
            hovertemplate="app of rank %{customdata}: %{x:,} calls, dispersion %{y:.3~g}<extra></extra>",
        )
    )  # fmt: skip
    x = _decades([a["calls"] for a in shown])
    y = _decades([a["dispersion"] for a in shown] + [1.0])
    every_x = 1 + len(x) // (6 if narrow else 8)
    figure.add_hline(y=1, line={"color": colour("ink"), "width": 1.4})
    figure.update_layout(
        height=SQUARE,
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


def _triggers(page: Page) -> str:
    found = page.json("eda/triggers.json")
    rows = sorted((found or {}).get("rows") or [], key=lambda r: (-r["calls"], r["trigger"]))
    total = sum(r["calls"] for r in rows)
    if not total:
        return ""
    top = rows[0]
    page.metric("top_trigger_share", top["calls"] / total)
    drawn = bool(found and found.get("drawn"))
    heading = f"The trigger {top['trigger']} starts {percent(top['calls'] / total)} of the calls"
    data = [r | {"calls_share": r["calls"] / total} for r in rows]
    return page.figure(
        "triggers",
        heading=heading,
        sentence="Share of calls by what starts them."
        + (" Hatched: the trigger of a function is drawn, the trace does not state it." if drawn else ""),
        **_both(_trigger_figure, data, _line(page), drawn),
        key="",
        alt=heading,
        tags=[source_of(page)[1], "drawn: trigger" if drawn else "measured"],
        provenance=provenance(page, plural(sum(r["functions"] for r in rows), "function")),
        command=COMMAND,
        data=data,
    )


def _trigger_figure(rows: list[dict[str, Any]], ink: str, drawn: bool, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    shares = [100 * r["calls_share"] for r in rows]
    pattern = {"shape": "/", "fgcolor": colour("bg"), "fgopacity": 0.6, "size": 6, "solidity": 0.2, "fillmode": "overlay"} if drawn else {}
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
