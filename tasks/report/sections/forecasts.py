"""Section: how good forecasts without learning are. Not here: learned forecasts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tasks.core.terms import CLASSES
from tasks.eda.records import BestForecast, ForecastRow, Forecasts
from tasks.report.facts import COMMAND, provenance, source_of
from tasks.report.page import Column, Page, annotation, num
from tasks.report.plot import axis, colour
from tasks.report.text import seconds
from tasks.report.wording import fitting

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ORDER, TITLE, NAV, QUESTION = 60, "Forecasts", "Forecasts", "How well do simple rules forecast, before anything is learned?"
MARKS = (("circle", "ink"), ("square", "s4"), ("diamond", "s3"), ("circle-open", "home"), ("x-thin-open", "moves"))
GROUPS = (*CLASSES, "all", "cells")
APART, APART_NARROW = 0.22, 0.14  # rows between the marks of two rules, so that equal values do not cover each other
FOLD_FROM = 20  # a table from this many rows on is folded
EVEN = 0.005  # a MASE this near to 1 equals the yardstick


def add(page: Page) -> str:
    """HTML of the section."""
    found = page.read("reports/eda/forecasts.json", Forecasts)
    if not found or not found.rows:
        return ""
    rows = _ordered([r.row() | _extra(r) for r in found.rows])
    return _dots(page, found, [r for r in rows if r["mase"] is not None]) + _table(page, found, rows)


def _extra(row: ForecastRow) -> dict[str, Any]:
    low, high = row.mase_quartiles or (None, None)
    return {"group": f"{row.target}, {row.group}", "mase_low": low, "mase_high": high}


def _ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows by target, class and rule, targets and rules in the order in which the file names them first."""
    targets, arms = (list(dict.fromkeys(r[k] for r in rows)) for k in ("target", "arm"))
    rank = {name: i for i, name in enumerate(GROUPS)}
    return sorted(rows, key=lambda r: (targets.index(r["target"]), rank.get(r["class"], len(GROUPS)), r["class"], arms.index(r["arm"])))


def _said(page: Page, found: Forecasts) -> dict[str, Any]:
    cells = "google2019 for cells" if any(r.group == "cells" for r in found.rows) else ""
    ahead = f"{seconds(page.number('forecast_horizon_s', found.horizon * found.step_s))} ahead"
    return {
        "tags": [source_of(page)[1], "measured"],
        "provenance": provenance(page, cells, ahead, "test span"),
        "command": COMMAND,
    }


def _dots(page: Page, found: Forecasts, rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    best = found.best or _best(rows)
    verdict = "equals" if abs(best.mase - 1) < EVEN else "beats" if best.mase < 1 else "does not beat"
    heading = fitting(
        f"The best simple forecast of {best.target} ({best.arm}) {verdict} the naive yardstick",
        f"The best simple forecast of {best.target} {verdict} the naive yardstick",
    )
    arms = list(dict.fromkeys(r["arm"] for r in rows))
    key = "".join(
        f'<span><svg width="14" height="12" aria-hidden="true">{_symbol(*MARKS[i % len(MARKS)])}</svg>{arm}</span>'
        for i, arm in enumerate(arms)
    )
    data = [{k: r[k] for k in ("target", "class", "arm", "series", "mase", "mase_low", "mase_high")} for r in rows]
    spread = " The thin line spans the middle half of the series." if any(r["mase_low"] is not None for r in rows) else ""
    return page.figure(
        "forecast_dots",
        heading=heading,
        sentence=f"Mean absolute scaled error on the test span, mean over series: 1 is the step-to-step change on train.{spread}",
        wide=_figure(rows, arms, narrow=False),
        narrow=_figure(rows, arms, narrow=True),
        key=key,
        alt=f"{heading}: MASE {num(best.mase, 2)}",
        data=data,
        **_said(page, found),
    )


def _best(rows: list[dict[str, Any]]) -> BestForecast:
    best = min(rows, key=lambda r: (r["mase"], r["arm"]))
    return BestForecast.model_validate({k: best[k] for k in ("arm", "mase", "mase_quartiles", "target")})


def _symbol(symbol: str, ink: str) -> str:
    paint = f"var(--{ink})"
    return {
        "circle": f'<circle cx="7" cy="6" r="5" fill="{paint}"/>',
        "square": f'<rect x="2" y="1" width="10" height="10" fill="{paint}"/>',
        "diamond": f'<path d="M7 0l6 6-6 6-6-6z" fill="{paint}"/>',
        "circle-open": f'<circle cx="7" cy="6" r="4.5" fill="none" stroke="{paint}" stroke-width="2"/>',
    }.get(symbol, f'<path d="M3 2l8 8m0-8l-8 8" stroke="{paint}" stroke-width="2"/>')


def _figure(rows: list[dict[str, Any]], arms: list[str], *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    groups = list(dict.fromkeys(r["group"] for r in rows))
    best = {g: min((r for r in rows if r["group"] == g), key=lambda r: r["mase"]) for g in groups}
    figure = go.Figure()
    apart, reach = (APART_NARROW, 0.28) if narrow else (APART, 0.5)
    for i in range(len(groups)):  # the line at 1, row by row, so that it does not cross the names above the rows
        figure.add_shape(type="line", x0=1, x1=1, y0=i - reach, y1=i + reach, line={"color": colour("ink"), "width": 1.4}, layer="below")
    for k, arm in enumerate(arms):
        symbol, ink = MARKS[k % len(MARKS)]
        own = [r | {"at": groups.index(r["group"]) + apart * (k - (len(arms) - 1) / 2)} for r in rows if r["arm"] == arm]
        spread = [r for r in own if r["mase_low"] is not None]
        figure.add_scatter(  # one trace with gaps: from the lower to the upper quartile of the series
            x=[x for r in spread for x in (r["mase_low"], r["mase_high"], None)], y=[y for r in spread for y in (r["at"], r["at"], None)],
            mode="lines", line={"color": colour(ink), "width": 1.4}, hoverinfo="skip", cliponaxis=False,
        )  # fmt: skip
        figure.add_scatter(
            x=[r["mase"] for r in own], y=[r["at"] for r in own], mode="markers", cliponaxis=False,
            marker={"symbol": symbol, "size": 9, "color": colour(ink), "line": {"width": 2 * ("open" in symbol), "color": colour(ink)}},
            customdata=[r["series"] for r in own], hovertemplate=arm + ": MASE %{x:.3f}, %{customdata} series<extra></extra>",
        )  # fmt: skip
    text = []
    for i, group in enumerate(groups):
        name = f"{group} ({num(best[group]['series'])})"
        value = f"<b>{num(best[group]['mase'], 2)}</b> {best[group]['arm']}"
        if narrow:
            text.append(annotation(0, i, name, at=("left", "bottom"), refs=("paper", "y"), yshift=18))
            text.append(annotation(1, i, value, ink="ink", at=("right", "bottom"), refs=("paper", "y"), yshift=18))
        else:
            text.append(annotation(0, i, name, size=13, at=("right", "middle"), refs=("paper", "y"), xshift=-12))
            text.append(annotation(1, i, value, ink="ink", size=13, refs=("paper", "y"), xshift=12))
    if not narrow:
        text.append(annotation(1, 1, "best of the row", ink="ink-3", at=("left", "bottom"), refs=("paper", "paper"), xshift=12, yshift=3))
        text.append(
            annotation(0, 1, "target, class (series)", ink="ink-3", at=("right", "bottom"), refs=("paper", "paper"), xshift=-12, yshift=3)
        )
    values = [1.0, *(r[k] for r in rows for k in ("mase", "mase_low", "mase_high") if r[k] is not None)]
    low, high = min(values), max(values)
    edge = 0.06 * (high - low) or 0.1
    start = max(0.0, math.floor(100 * (low - edge)) / 100)
    title = f"MASE, lower is better (the axis starts at {num(start, 2)})" if start else "MASE, lower is better"
    figure.update_layout(
        height=(72 if narrow else 38) * len(groups) + 78,
        margin={"l": 12 if narrow else 160, "r": 12 if narrow else 230, "t": 30, "b": 44},
        annotations=text,
        xaxis=axis(
            range=[start, high + edge],
            nticks=5 if narrow else 9,
            title=title,
        ),
        yaxis=axis(range=[len(groups) - 0.5, -0.75 if narrow else -0.5], showgrid=False, showticklabels=False),
    )
    return figure  # fmt: skip


def _table(page: Page, found: Forecasts, rows: list[dict[str, Any]]) -> str:
    groups = dict.fromkeys(r["group"] for r in rows)
    judged = {g: [r for r in rows if r["group"] == g and r["mase"] is not None] for g in groups}
    winners = {g: min(members, key=lambda r: (r["mase"], r["arm"]))["arm"] for g, members in judged.items() if members}
    best = [i for i, r in enumerate(rows) if winners.get(r["group"]) == r["arm"]]
    arms = sorted(set(winners.values()))
    page.number("forecast_classes", len(winners))
    page.number("forecast_best_rules", len(arms))
    heading = (
        f"{arms[0].capitalize()} is best in all {num(len(winners))} classes"
        if len(arms) == 1
        else f"No single rule is best: each of {num(len(arms))} rules is best in some of the {num(len(winners))} classes"
    )
    return page.table(
        "forecast_table",
        heading=heading,
        sentence="Errors on the test span by target and class of apps; the lowest MASE of a class is in bold.",
        columns=[
            Column("target", "Target"),
            Column("class", "Class"),
            Column("arm", "Rule"),
            Column("series", "Series", "count", "number"),
            Column("rmse", "RMSE", "of the target", "number"),
            Column("mae", "MAE", "of the target", "number"),
            Column("mase", "MASE", "1 = naive", "number", 3),
            Column("mase_low", "MASE of series", "lower quartile", "number", 3),
            Column("mase_high", "MASE of series", "upper quartile", "number", 3),
        ],
        rows=rows,
        best=best,
        folded=len(rows) >= FOLD_FROM,
        **_said(page, found),
    )  # fmt: skip
