"""When calls come (the calendar), how long they run and how far apart they are, beside the published figures. Not here: who makes them
(data_apps.py).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tasks.eda.records import Curve, Durations, Gaps, Volumes
from tasks.report.facts import COMMAND, day_name, ink_of, plural, provenance, source_of, volumes
from tasks.report.page import Page, annotation, num
from tasks.report.plot import axis, both, colour, decimated, y_title
from tasks.report.text import percent, seconds

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CCDF_POINTS = 1000
FLOOR = 1e-4  # share at which a CCDF's axis ends
HEIGHT = 320  # px
ROW_WIDE, ROW_NARROW = 23, 21  # px of a day in the calendar
CLOCK_S = 1e-3  # the trace has its durations in milliseconds
OWN = {"twin": "twin", "real": "real slice", "own": "own trace"}
PUBLISHED = "published, whole trace"
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


def durations(page: Page) -> str:
    """The figure of durations, "" without calls."""
    found = page.read("reports/eda/durations.json", Durations)
    if not found or not found.calls:
        return ""
    for key in ("p50_s", "p95_s", "p99_s", "max_s"):
        page.number(f"duration_{key}", getattr(found, key))
    zero = page.number("duration_zero_share", found.zero_share)
    heading = f"One call in twenty runs longer than {seconds(found.p95_s)}; half end within {seconds(found.p50_s)}"
    note = f" {percent(zero)} are recorded as 0 ms, which a log axis cannot show." if zero else ""
    return _figure(
        page,
        "durations",
        heading=heading,
        sentence=f"Share of calls that run longer than a duration; both axes are logarithmic.{note}",
        alt=f"{heading}. The longest takes {seconds(found.max_s)}.",
        titles=("share of calls that run longer", "duration, log scale"),
        said=plural(page.number("duration_calls", found.calls), "call"),
        data=_rows(page, _curve(found.ccdf), "duration_s")
        + _rows(page, published_durations(_published(page)), "duration_s", published=True),
    )


def gaps(page: Page) -> str:
    """The figure of gaps, "" without gaps."""
    found = page.read("reports/eda/gaps.json", Gaps)
    if not found or not found.ccdf.seconds:
        return ""
    over = page.number("gaps_over_60s", found.over_60s)
    under = page.number("gaps_under_1s", found.under_1s)
    heading = f"{percent(under)} of the gaps between two calls are shorter than a second"
    real = published_gaps(_published(page))
    known = f" (published: {percent(page.number('published_gaps_over_60s', real['share'][-1]))})" if real["share"] else ""
    return _figure(
        page,
        "gaps",
        heading=heading,
        sentence=f"Share of the gaps between successive calls of one app that are longer; {percent(over)} last over a minute{known}.",
        alt=heading,
        titles=("share of gaps that are longer", "gap between two calls of an app, log scale"),
        said="",
        data=_rows(page, _curve(found.ccdf), "gap_s") + _rows(page, real, "gap_s", published=True),
    )


def published_durations(real: dict[str, Any]) -> dict[str, list[float]]:
    """Known points of the published distribution: durations in seconds, ascending, and the share of all calls that last so long.

    They come from the buckets, from the quantiles of all calls and from those of the calls above 0 ms (the clock ticks in ms).

    Args:
        real: data/reference/twin/azure2021.json; {} gives no point.
    """
    if not real:
        return {"seconds": [], "share": []}
    above_zero = 1 - real["zero_duration_share"]
    edges, shares = real["duration_bucket_edges_s"], real["duration_bucket_shares"]
    points = [(CLOCK_S, above_zero)]
    points += [(edge, sum(shares[i:])) for i, edge in enumerate(edges) if edge > 0]
    points += [(real[f"duration_p{q}_s"], 1 - q / 100) for q in (50, 95, 99)]
    points += [(value, above_zero * (1 - float(q))) for q, value in real["nonzero_percentiles_s"].items()]
    points.sort()
    return {"seconds": [float(p[0]) for p in points], "share": [round(p[1], 5) for p in points]}


def published_gaps(real: dict[str, Any]) -> dict[str, list[float]]:
    """The two published points of the gaps: at a second and at a minute."""
    if not real:
        return {"seconds": [], "share": []}
    return {"seconds": [1.0, 60.0], "share": [round(1 - real["gap_under_1s_share"], 5), real["gap_over_60s_share"]]}


def _curve(ccdf: Curve) -> dict[str, list[float]]:
    return {"seconds": list(ccdf.seconds), "share": list(ccdf.share)}


def _published(page: Page) -> dict[str, Any]:
    """Published figures of the trace that the calls are of, or are fitted to; one's own traces have none."""
    name, origin = source_of(page)
    return page.read_json("data/reference/twin/azure2021.json") if name == "azure2021" and origin != "own" else {}


def _rows(page: Page, ccdf: dict[str, list[float]], x: str, *, published: bool = False) -> list[dict[str, Any]]:
    name = PUBLISHED if published else OWN[source_of(page)[1]]
    return [{"of": name, x: a, "share_longer": b} for a, b in zip(ccdf["seconds"], ccdf["share"], strict=True)]


def _figure(
    page: Page, identity: str, *, heading: str, sentence: str, alt: str, titles: tuple[str, str], said: str, data: list[dict[str, Any]]
) -> str:
    origin, ink = source_of(page)[1], ink_of(page)
    known = any(d["of"] == PUBLISHED for d in data)
    own = f'<span><i style="--c:var(--{ink})"></i>{OWN[origin]}</span>'
    return page.figure(
        identity,
        heading=heading,
        sentence=sentence,
        **both(_ccdf, data, titles, ink),
        key=f'{own}<span><i class="dot" style="--c:var(--ink)"></i>{PUBLISHED}</span>' if known else "",
        alt=alt,
        tags=[*dict.fromkeys([origin, "real"] if known else [origin]), "measured"],
        provenance=provenance(page, said, "published figures: data/reference/SOURCES.md" if known else ""),
        command=COMMAND,
        data=data,
    )


def _ccdf(data: list[dict[str, Any]], titles: tuple[str, str], ink: str, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    twin = ink == "s3"  # the twin is a line, the real trace steps
    x = next(key for key in data[0] if key.endswith("_s"))
    own, known = ([(d[x], d["share_longer"]) for d in data if (d["of"] == PUBLISHED) is part] for part in (False, True))
    own = [(a, b) for a, b in own if a > 0 and b > 0]
    xs, ys = decimated([p[0] for p in own], [p[1] for p in own], CCDF_POINTS)
    hover = "%{y:.3~%} longer than %{x:.3~g} s<extra></extra>"
    figure = go.Figure(
        go.Scatter(
            x=xs, y=ys, mode="lines", hovertemplate=hover,
            line={"color": colour(ink), "width": 2.5 if twin else 1.6, "shape": "linear" if twin else "hv"},
        )
    )  # fmt: skip
    if known:  # only these points are published, so nothing joins them
        figure.add_scatter(
            x=[p[0] for p in known], y=[p[1] for p in known], mode="markers", hovertemplate="published: " + hover,
            marker={"size": 7, "color": colour("ink")}, cliponaxis=False,
        )  # fmt: skip
    reach = [*xs, *(p[0] for p in known)] or [1e-3, 1.0]
    low = math.floor(math.log10(min(reach)))
    high = max(low + 1, math.ceil(math.log10(max(reach))))
    every = 1 + (high - low) // (5 if narrow else 7)
    ticks = [t for i, t in enumerate(t for t in SECOND_TICKS if low <= math.log10(t[0]) <= high) if i % every == 0]
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 56, "r": 30, "t": 34, "b": 46},
        annotations=[y_title(titles[0]) | {"xshift": -50}],
        xaxis=axis(type="log", range=[low, high], tickvals=[t[0] for t in ticks], ticktext=[t[1] for t in ticks], title=titles[1]),
        yaxis=axis(type="log", range=[math.log10(FLOOR), 0.04], tickvals=[t[0] for t in SHARE_TICKS], ticktext=[t[1] for t in SHARE_TICKS]),
    )
    return figure


def calendar(page: Page) -> str:
    """The calendar hour x day, or "" without calls."""
    found = volumes(page)
    if not found:
        return ""
    source, kind = source_of(page)
    rows: list[dict[str, Any]] = [
        {"day": day_name(source, kind, day), "hour_utc": hour, "calls": count, "calls_of_day": sum(hours)}
        for day, hours in zip(found.days, found.calls, strict=True)
        for hour, count in enumerate(hours)
    ]
    top = max(r["calls"] for r in rows)
    busiest = max(rows, key=lambda r: r["calls"])
    at = page.number("busiest_hour", f"{busiest['day']} {busiest['hour_utc']:02d}:00")
    page.number("busiest_hour_calls", top)
    for name, hours in zip(("train", "validation"), found.split_hours, strict=False):
        page.number(f"{name}_ends_h", hours)
    borders = " Heavy lines separate train, validation and test." if found.split_hours else ""
    heading = _finding(page, found)
    scale = f'<span class="ramp" role="img" aria-label="colour scale from 0 to {num(top)}"></span>'
    ramp = f"<span>0</span>{scale}<span>{num(top)} calls per hour</span>"
    return page.figure(
        "calendar",
        heading=heading,
        sentence=f"Calls per hour, UTC; the number on the right is the total of the day.{borders}",
        wide=_calendar(found, (source, kind), top, narrow=False),
        narrow=_calendar(found, (source, kind), top, narrow=True),
        key=ramp,
        alt=f"{heading}. The busiest hour is {at} with {num(top)} calls.",
        tags=[kind, "measured"],
        provenance=provenance(page, plural(len(found.days), "day"), plural(found.total, "call")),
        command=COMMAND,
        data=rows,
    )


def _finding(page: Page, found: Volumes) -> str:
    by_hour = [sum(day[h] for day in found.calls) for h in range(24)]
    high, low = max(by_hour), min(by_hour)
    at = by_hour.index(high)
    page.number("busiest_hour_utc", at)
    if len(found.days) < 2 or low == 0:
        share = page.number("busiest_hour_share", round(high / sum(by_hour), 5))
        return f"The hour from {at:02d}:00 UTC has {percent(share)} of all calls"
    ratio = page.number("busiest_to_quietest_hour", round(high / low, 3))
    return f"The busiest hour of the day ({at:02d}:00 UTC) has {num(ratio, 1)} times as many calls as the quietest"


def _calendar(found: Volumes, origin: tuple[str, str], top: int, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    source, kind = origin
    days, calls = found.days, found.calls
    names = [day_name(source, kind, day) for day in days]
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


def _borders(found: Volumes) -> tuple[list[dict[str, Any]], list[tuple[float, str]]]:
    """Stepped lines at the ends of train and validation (hours since the first day's midnight), and the rows of the names of the spans."""
    rows = {day - found.days[0]: i for i, day in enumerate(found.days)}
    lines, edges = [], [0.0]
    for hours in found.split_hours[:2]:
        day, hour = divmod(hours, 24)
        if int(day) not in rows:
            return [], []
        y, x = rows[int(day)], hour - 0.5
        edges.append(y + hour / 24)
        path = f"M -0.5,{y + 0.5} L {x},{y + 0.5} L {x},{y - 0.5} L 23.5,{y - 0.5}"
        lines.append({"type": "path", "path": path, "line": {"color": colour("ink"), "width": 2}})
    edges.append(float(len(found.days)))
    if len(edges) != 4 or any(b - a < 0.8 for a, b in pairwise(edges)):
        return lines, []
    return lines, [((a + b) / 2 - 0.5, n) for (a, b), n in zip(pairwise(edges), ("train", "valid", "test"), strict=True)]


def _thousands(count: int) -> str:
    return f"{num(count / 1000, 0)}k" if count >= 10_000 else num(count)
