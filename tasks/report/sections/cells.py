"""Section: the eight Google cells (CPU in use, correlation between cells). Not here: calls of apps (data.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.eda.records import Cells
from tasks.report.facts import COMMAND, plural, provenance
from tasks.report.page import Column, Page, annotation, num
from tasks.report.plot import axis, colour, decimated
from tasks.report.text import percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ORDER, TITLE, NAV, QUESTION = 40, "Cells", "Cells", "How loaded are the eight cells that represent our regions, and do they move together?"
DAY_H = 24
FULL = 0.8  # from this correlation on, a cell of the map is nearer to its full colour than to the page
GAPS = {False: (0.035, 0.2), True: (0.07, 0.085)}  # share of width, of height between panels: wide, narrow


def add(page: Page) -> str:
    """HTML of the section, "" when the source is off."""
    found = page.read("reports/eda/cells.json", Cells)
    if not found:
        return ""
    return _multiples(page, found) + _table(page, found) + _correlation(page, found)


def _said(page: Page, found: Cells, *more: str) -> dict[str, Any]:
    return {
        "tags": [page.origin_tag(found.origin), "measured", "sampled: capacity"],
        "provenance": provenance(page, *more, source=found.source, origin=found.origin),
        "command": COMMAND,
    }


def _multiples(page: Page, found: Cells) -> str:
    names = list(found.order)
    means = {c: found.cells[c].mean for c in names}
    low, high = min(means, key=lambda c: (means[c], c)), max(means, key=lambda c: (means[c], c))
    page.number("cells", len(names))
    page.number("cell_cpu_lowest_mean", means[low])
    page.number("cell_cpu_highest_mean", means[high])
    heading = f"Mean CPU use ranges from {percent(means[low])} (cell {low}) to {percent(means[high])} (cell {high})"
    if len(names) == 1:
        heading = f"Cell {low} uses {percent(means[low])} of its CPU on average"
    data = [
        {"cell": c, "t_h": t, "cpu_fraction": v, "cell_mean": means[c]}
        for c in names
        for t, v in zip(found.cells[c].t_h, found.cells[c].cpu_fraction, strict=True)
    ]
    return page.figure(
        "cells",
        heading=heading,
        sentence="CPU in use, % of the capacity, on one scale. The shape is measured; the capacity is sampled, so levels are assumed.",
        wide=_panels(found, names, narrow=False),
        narrow=_panels(found, names, narrow=True),
        key="",
        alt=heading,
        data=data,
        **_said(page, found, plural(len(names), "cell")),
    )


def _panels(found: Cells, names: list[str], *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    columns = min(2 if narrow else 4, len(names))
    lines = -(-len(names) // columns)
    gap_x, gap_y = GAPS[narrow]
    width, height = (1 - gap_x * (columns - 1)) / columns, (1 - gap_y * (lines - 1)) / lines
    figure, text, layout = go.Figure(), [], {}
    ink = "s3" if found.origin == "twin" else "ink"
    hours = [t for c in names for t in found.cells[c].t_h]
    start, end = min(hours), max(hours)
    days = range(int(start // DAY_H), int(end // DAY_H) + 1, max(1, round((end - start) / DAY_H / 3)))
    top = 20 * (1 + int(max(100 * v for c in names for v in found.cells[c].cpu_fraction) // 20))
    for i, name in enumerate(names):
        line, column = divmod(i, columns)
        left, upper = column * (width + gap_x), 1 - line * (height + gap_y)
        key = "" if i == 0 else str(i + 1)
        x, y = decimated(found.cells[name].t_h, [100 * v for v in found.cells[name].cpu_fraction], 300)
        figure.add_scatter(
            x=x, y=y, mode="lines", line={"color": colour(ink), "width": 1.3}, xaxis=f"x{key}", yaxis=f"y{key}",
            hovertemplate=f"cell {name}, hour %{{x:.0f}}: %{{y:.1f}} %<extra></extra>",
        )  # fmt: skip
        outer = line == lines - 1 or i + columns >= len(names)
        layout[f"xaxis{key}"] = axis(
            domain=[left, min(1.0, left + width)], anchor=f"y{key}", range=[start, max(end, start + 1)], tickvals=[d * DAY_H for d in days],
            ticktext=[f"day {d}" if d == days[0] else str(d) for d in days], showticklabels=outer,
        )  # fmt: skip
        layout[f"yaxis{key}"] = axis(
            domain=[max(0.0, upper - height), min(1.0, upper)], anchor=f"x{key}", range=[0, top], tickvals=[0, top / 2, top],
            ticktext=["0", num(top / 2, 0), f"{num(top)} %"], showticklabels=column == 0,
        )  # fmt: skip
        label = f"<b>{name}</b>  mean {percent(found.cells[name].mean)}"
        text.append(annotation(left, min(1.0, upper), label, at=("left", "bottom"), refs=("paper", "paper"), yshift=4))
    figure.update_layout(
        height=(115 if narrow else 130) * lines + 60, margin={"l": 48, "r": 14, "t": 26, "b": 30}, annotations=text, **layout
    )
    return figure


def _table(page: Page, found: Cells) -> str:
    names = list(found.order)
    rows = [
        {
            "cell": c,
            "mean": found.cells[c].mean,
            "std": found.cells[c].std,
            "lag1": found.cells[c].lag1,
            "cpu_memory": found.cpu_memory[c],
        }
        for c in names
    ]
    steady = min((cell.lag1 for cell in found.cells.values() if cell.lag1 is not None), default=None)
    if steady is not None:
        page.number("cell_cpu_lowest_lag1", steady)
    heading = (
        f"Load changes slowly: in every cell, neighbouring steps correlate by at least {num(steady, 2)}"
        if steady is not None
        else "Load of the cells"
    )
    if steady is not None and steady < 0.5:
        heading = f"Load changes fast in some cells: the lowest correlation of neighbouring steps is {num(steady, 2)}"
    return page.table(
        "cell_table",
        heading=heading,
        sentence="CPU in use as a share of the capacity; the last two columns are correlations.",
        columns=[
            Column("cell"),
            Column("mean", "Mean", "share of capacity", "number", 3),
            Column("std", "Standard deviation", "share of capacity", "number", 4),
            Column("lag1", "Next step", "r", "number", 3),
            Column("cpu_memory", "CPU with memory", "r", "number", 3),
        ],
        rows=rows,
        **_said(page, found, plural(len(names), "cell")),
    )


def _correlation(page: Page, found: Cells) -> str:
    names, matrix = list(found.order), found.cpu_correlation
    if len(names) < 2 or len(matrix) != len(names):
        return ""
    pairs = [(matrix[i][j], names[i], names[j]) for i in range(len(names)) for j in range(i)]
    others = sorted((r, a, b) for r, a, b in pairs if r is not None)
    if not others:
        return ""
    middle = page.number("cell_cpu_median_correlation", others[len(others) // 2][0])
    most = page.number("cell_cpu_highest_correlation", others[-1][0])
    word = "move together" if middle >= 0.5 else "move largely on their own" if middle < 0.3 else "move together only in part"
    heading = f"Loads of the cells {word}: the median correlation of a pair is {num(middle, 2)}"
    signed = '<span>−1</span><span class="signed" role="img" aria-label="colour scale from minus one to one"></span><span>1</span>'
    return page.figure(
        "cell_correlation",
        heading=heading,
        sentence="Correlation of CPU in use between every two cells: blue if they move together, red if they move against each other.",
        wide=_matrix(names, matrix, narrow=False),
        narrow=_matrix(names, matrix, narrow=True),
        key=signed,
        alt=f"{heading}; the highest is {num(most, 2)} between {others[-1][2]} and {others[-1][1]}",
        data=[{"cell": a, "with": b, "correlation": matrix[i][j]} for i, a in enumerate(names) for j, b in enumerate(names)],
        **_said(page, found, plural(page.number("cell_pairs", len(others)), "pair")),
    )


def _matrix(names: list[str], matrix: Sequence[Sequence[float | None]], *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    size = len(names)
    scale = [[0.0, colour("sla")], [0.5, colour("bg")], [1.0, colour("execution")]]
    figure = go.Figure(
        go.Heatmap(
            z=matrix,
            x=list(range(size)),
            y=list(range(size)),
            zmin=-1,
            zmax=1,
            colorscale=scale,
            xgap=1.5,
            ygap=1.5,
            showscale=False,
            hoverinfo="skip",
        )
    )
    # Numbers on the full ends of the map take the page's colour, on its pale middle the ink.
    text = [
        annotation(j, i, num(v, 2), ink="bg" if abs(v) > FULL else "ink", size=11 if narrow else 12, at=("center", "middle"))
        for i, row in enumerate(matrix) for j, v in enumerate(row) if v is not None
    ]  # fmt: skip
    ticks = list(range(size))
    figure.update_layout(
        height=(30 if narrow else 32) * size + 44,
        margin={"l": 24, "r": 8 if narrow else 420, "t": 28, "b": 8},
        annotations=text,
        xaxis=axis(side="top", range=[-0.5, size - 0.5], tickvals=ticks, ticktext=names, showgrid=False),
        yaxis=axis(range=[size - 0.5, -0.5], tickvals=ticks, ticktext=names, showgrid=False),
    )
    return figure  # fmt: skip
