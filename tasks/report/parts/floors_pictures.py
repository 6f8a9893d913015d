"""Pictures of forecasts: fan, residuals, calibration of the quantile and of the event heads, provisioning. Not here: tables of errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tasks.evaluation.operational_pictures_record import Bin, FloorPictures
from tasks.report.page import Page, num
from tasks.report.parts.floors_money import SAID, Row, named
from tasks.report.plot import annotation, axis, both, colour, y_title
from tasks.report.wording import fitting

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

INKS = {
    "lstm_specified": "learned", "lstm_symmetric": "s4", "lstm_quantile": "m5", "last_value": "rule", "boosting": "m2",
    "moving_average": "random",
}  # fmt: skip
CLASS_INKS = {"rare": "m7", "low": "m5", "mid": "m2", "high": "m0"}
PANEL_PX, GAP = 190, 0.09
LEAST_SURE = 30  # pools in a bin of sure forecasts that a heading may speak of


def pictures(page: Page, shown: FloorPictures) -> str:
    """Fan, residuals, calibration of quantile and event heads, provisioning."""
    return _fan(page, shown) + _residuals(page, shown) + _quantile(page, shown) + _events(page, shown) + _provision(page, shown)


def _key(shown: FloorPictures, arms: tuple[str, ...], more: str = "") -> str:
    return more + "".join(
        f'<span><i style="--c:var(--{INKS[arm]})"></i>{named(shown.labels, arm)}</span>' for arm in arms
    )  # fmt: skip


def _said(shown: FloorPictures) -> dict[str, Any]:
    return SAID | {"provenance": f"{shown.scenario} · every app at home · test span"}


def _panels(titles: list[str], draw: Callable[[Figure, int, str, str], None], narrow: bool, x: dict[str, Any], y: dict[str, Any]) -> Figure:
    """Small multiples side by side, or one below another; `draw` adds the traces of panel i on its axes."""
    import plotly.graph_objects as go

    figure, text, layout = go.Figure(), [], {}
    n = len(titles)
    width = (1 - GAP * (n - 1)) / n
    for i, title in enumerate(titles):
        number = "" if i == 0 else str(i + 1)
        draw(figure, i, f"x{number}", f"y{number}")
        at = i * (width + GAP)
        end = min(1.0, at + width)  # a sum of floats may exceed 1
        across, down = ([0.0, 1.0], [1 - end, 1 - at]) if narrow else ([at, end], [0.0, 1.0])
        last = i == n - 1
        xs = x if (last or not narrow) else {k: v for k, v in x.items() if k != "title"}
        layout[f"xaxis{number}"] = axis(domain=across, anchor=f"y{number}", **xs)
        layout[f"yaxis{number}"] = axis(domain=down, anchor=f"x{number}", **y)
        text.append(annotation(across[0], down[1], title, at=("left", "bottom"), refs=("paper", "paper"), yshift=6, size=12))
    height = PANEL_PX * n + 60 if narrow else 250
    figure.update_layout(height=height, margin={"l": 56, "r": 12, "t": 34, "b": 46}, annotations=text, **layout)
    return figure


def _line(figure: Figure, xs: Any, ys: Any, ink: str, x: str, y: str, **more: Any) -> None:
    line = {"width": 1.8, "color": colour(ink)} | more.pop("line", {})
    figure.add_scatter(x=list(xs), y=list(ys), mode=more.pop("mode", "lines"), line=line, hoverinfo="skip", xaxis=x, yaxis=y, **more)


def _fan(page: Page, shown: FloorPictures) -> str:
    if not shown.fans:
        return ""

    def figure(*, narrow: bool) -> Figure:
        def draw(into: Figure, i: int, x: str, y: str) -> None:
            fan = shown.fans[i]
            minutes = [step * shown.step_s / 60 for step in range(len(fan.truth))]
            _line(into, minutes, fan.truth, "ink-3", x, y, line={"width": 1.2, "shape": "hv"})
            for arm, values in fan.forecasts.items():
                _line(into, minutes, values, INKS[arm], x, y)

        titles = [f"{fan.app_class}: app {fan.app_id[:8]}, calls per s" for fan in shown.fans]
        return _panels(titles, draw, narrow, {"title": "minutes", "nticks": 4}, {"rangemode": "tozero", "nticks": 4})

    steps = sum(len(fan.truth) for fan in shown.fans)
    above = {
        arm: 100 * sum(f >= t for fan in shown.fans for f, t in zip(fan.forecasts[arm], fan.truth, strict=True)) / steps
        for arm in shown.fans[0].forecasts
    }  # fmt: skip
    expectile, mean = (num(above[arm], 0) for arm in ("lstm_specified", "lstm_symmetric"))
    heading = f"The 5/6 expectile covers what came in {expectile} % of these steps, the mean in {mean} %"
    rows = [
        {"class": fan.app_class, "app": fan.app_id[:8], "step": i, "calls_per_s": truth, **{a: v[i] for a, v in fan.forecasts.items()}}
        for fan in shown.fans
        for i, truth in enumerate(fan.truth)
    ]  # fmt: skip
    return page.figure(
        "operational_fan",
        heading=heading,
        sentence="The busiest half hour of the most called app of three classes: what came in each step, and what was forecast for it.",
        **both(figure),
        key=_key(shown, tuple(shown.fans[0].forecasts), '<span><i style="--c:var(--ink-3)"></i>what came</span>'),
        alt=heading,
        data=rows,
        **_said(shown),
    )


def _residuals(page: Page, shown: FloorPictures) -> str:
    if not shown.residuals:
        return ""
    level = [100 * q for q in shown.levels]

    def figure(*, narrow: bool) -> Figure:
        def draw(into: Figure, i: int, x: str, y: str) -> None:
            for arm, values in shown.residuals[i].by_arm.items():
                _line(into, level, [100 * v for v in values], INKS[arm], x, y, mode="lines+markers", marker={"size": 4})

        titles = [f"{one.app_class}, {num(one.windows)} windows" for one in shown.residuals]
        return _panels(titles, draw, narrow, {"title": "% of windows", "tickvals": [0, 50, 100]}, {"nticks": 5})

    middle = shown.levels.index(0.5)
    above = [one.app_class for one in shown.residuals if one.by_arm["lstm_specified"][middle] < 0]
    heading = f"The specified network forecasts too much in more than half of the windows: {', '.join(above) or 'no class'}"
    rows = [
        {"app_class": one.app_class, "arm": arm, "share": q, "residual": v}
        for one in shown.residuals
        for arm, values in one.by_arm.items()
        for q, v in zip(shown.levels, values, strict=True)
    ]
    return page.figure(
        "operational_residuals",
        heading=fitting(heading, "How far forecasts lie from what came, by class of app"),
        sentence="Quantiles of what came less the forecast of the call rate, in % of the app's largest rate on train; windows with a call.",
        **both(figure),
        key=_key(shown, tuple(shown.residuals[0].by_arm)),
        alt=heading,
        data=rows,
        **_said(shown),
    )


def _bins(found: dict[str, tuple[Bin, ...]], key: str) -> list[Row]:
    return [{key: name, "forecast": b.forecast, "observed": b.observed, "count": b.count} for name, bins in found.items() for b in bins]


def _quantile(page: Page, shown: FloorPictures) -> str:
    if not shown.quantile:
        return ""
    below = {name: sum(b.observed * b.count for b in bins) / sum(b.count for b in bins) for name, bins in shown.quantile.items()}
    name, share = min(below.items(), key=lambda one: -abs(one[1] - shown.quantile_level))

    def figure(*, narrow: bool) -> Figure:
        import plotly.graph_objects as go

        made = go.Figure()
        for group, bins in shown.quantile.items():
            _line(made, range(1, len(bins) + 1), [100 * b.observed for b in bins], CLASS_INKS[group], "x", "y", mode="lines+markers")
        level = 100 * shown.quantile_level
        made.add_shape(type="line", xref="paper", x0=0, x1=1, y0=level, y1=level, line={"color": colour("ink"), "width": 1}, layer="below")
        made.update_layout(
            height=260,
            margin={"l": 48, "r": 12, "t": 30, "b": 44},
            annotations=[y_title("% of windows at or below the forecast")],
            xaxis=axis(title="windows by their forecast, lowest to highest eighth", dtick=1),
            yaxis=axis(range=[0, 102], nticks=6),
        )
        return made

    heading = f"The 5/6 quantile holds {num(100 * share, 0)} % of the windows of class {name}, the furthest from 83 %"
    return page.figure(
        "operational_quantile",
        heading=heading,
        sentence="Share of windows with a call whose truth is at most the quantile network's forecast; a calibrated one is on the line.",
        **both(figure),
        key="".join(f'<span><i style="--c:var(--{CLASS_INKS[g]})"></i>{g}</span>' for g in shown.quantile),
        alt=heading,
        data=_bins(shown.quantile, "app_class"),
        **_said(shown),
    )


def _events(page: Page, shown: FloorPictures) -> str:
    if not shown.events:
        return ""
    inks = dict(zip(shown.events, ("learned", "s4", "m5", "m2"), strict=False))
    least = 1e-5

    def figure(*, narrow: bool) -> Figure:
        import plotly.graph_objects as go

        made = go.Figure()
        for name, bins in shown.events.items():
            own = [b for b in bins if b.observed > 0 and b.forecast > least]
            _line(made, [b.forecast for b in own], [b.observed for b in own], inks[name], "x", "y", mode="lines+markers")
        made.add_shape(type="line", x0=least, x1=1, y0=least, y1=1, line={"color": colour("ink"), "width": 1}, layer="below")
        ticks = {"type": "log", "range": [-5, 0.05], "tickvals": [1e-4, 1e-2, 1], "ticktext": ["0.01 %", "1 %", "100 %"]}
        made.update_layout(
            height=300,
            margin={"l": 60, "r": 12, "t": 30, "b": 44},
            annotations=[y_title("how often it happened")],
            xaxis=axis(title="probability of a call that finds nothing idle", **ticks),
            yaxis=axis(**ticks),
        )
        return made

    sure = [(name, b) for name, bins in shown.events.items() for b in bins if b.forecast >= 0.5 and b.count >= LEAST_SURE]
    worst = max(sure, key=lambda one: one[1].forecast - one[1].observed, default=None)
    heading = "The event heads promise what happens"
    if worst is not None and worst[1].forecast - worst[1].observed > 0.1:
        heading = f"Where a head says {num(100 * worst[1].forecast, 0)} %, it happens in {num(100 * worst[1].observed, 0)} %: {worst[0]}"
    return page.figure(
        "operational_events",
        heading=heading,
        sentence="Pools without a clock that may be dead, by the probability of each head. The line is calibrated; a bin without an event"
        " is left out.",
        **both(figure),
        key="".join(f'<span><i style="--c:var(--{ink})"></i>{name}</span>' for name, ink in inks.items()),
        alt=heading,
        data=_bins(shown.events, "head"),
        **_said(shown),
    )


def _provision(page: Page, shown: FloorPictures) -> str:
    def figure(*, narrow: bool) -> Figure:
        import plotly.graph_objects as go

        made = go.Figure()
        for arm, pairs in shown.provision.items():
            _line(made, [p[1] for p in pairs], [p[0] for p in pairs], INKS[arm], "x", "y")
            one = pairs[shown.factors.index(1.0)]
            made.add_scatter(x=[one[1]], y=[one[0]], mode="markers", marker={"size": 10, "color": colour(INKS[arm])}, hoverinfo="skip")
        made.update_layout(
            height=300,
            margin={"l": 60, "r": 12, "t": 30, "b": 44},
            annotations=[y_title("vCPUs too few, mean of a step and app")],
            xaxis=axis(title="vCPUs too many, mean of a step and app", type="log", dtick=1, tickformat="~g"),
            yaxis=axis(rangemode="tozero", nticks=5),
        )
        return made

    at = {arm: pairs[shown.factors.index(1.0)] for arm, pairs in shown.provision.items()}
    most = max(at, key=lambda arm: at[arm][1] / max(at[arm][0], 1e-12))
    heading = f"{named(shown.labels, most)} provides {num(at[most][1] / max(at[most][0], 1e-12), 1)} vCPUs too many for each one too few"
    return page.figure(
        "operational_provision",
        heading=fitting(heading, "Too few against too many vCPUs"),
        sentence="Each line is one forecast times 0.25 to 4; the dot is the forecast itself. Lower and further left is better.",
        **both(figure),
        key=_key(shown, tuple(shown.provision)),
        alt=heading,
        data=[
            {"arm": arm, "factor": f, "too_few": p[0], "too_many": p[1]}
            for arm, pairs in shown.provision.items()
            for f, p in zip(shown.factors, pairs, strict=True)
        ],
        **_said(shown),
    )
