"""Learning curves of the layers, and what their means say. Not here: costs of arms (layers.py), any section."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.report.parts.layers import counted
from tasks.report.plot import axis, both, colour, decimated, y_title
from tasks.report.text import num

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from tasks.report.page import Page

LINES = (
    '<span><i style="--c:var(--learned-soft)"></i>one training seed</span><span><i style="--c:var(--learned)"></i>mean of the seeds</span>'
)
VALIDATED = "Lower is better, 100 is home; the best checkpoint of a training seed is kept."


def curves(
    page: Page, identity: str, rows: Sequence[dict[str, Any]], metric: str, says: Callable[[Curve], str], sentence: str, title: str
) -> str:
    """Learning curves of one metric: a thin line per training seed and their mean; nothing where it was not measured.

    Args:
        page: under construction.
        identity: of the figure.
        rows: of a training history.
        metric: its name there.
        says: the finding, from the mean over training seeds.
        sentence: what is shown.
        title: of the y-axis.
    """
    lines: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for row in rows:
        if row["metric"] == metric:
            lines.setdefault((row["arm"], row["seed"]), []).append((float(row["transitions"]), float(row["value"])))
    if not any(len(points) > 1 for points in lines.values()):
        return ""
    heading = says(Curve.of(lines))
    return page.figure(
        identity,
        heading=heading,
        sentence=sentence,
        **both(_curves_figure, lines, title),
        key=LINES,
        alt=heading,
        tags=["twin", "measured"],
        provenance=f"{counted(len(lines))} · training fleets",
        command="dvc repro report",
        data=[{"arm": arm, "seed": seed, "transitions": x, "value": y} for (arm, seed), line in lines.items() for x, y in line],
    )


@dataclass(frozen=True)
class Curve:
    """The mean of some learning curves where all of them have a point.

    Args:
        transitions: of a seed.
        values: means over the training seeds, as long.
        best: mean over the seeds of the least value that each has anywhere.
    """

    transitions: tuple[float, ...]
    values: tuple[float, ...]
    best: float

    @classmethod
    def of(cls, lines: dict[tuple[str, int], list[tuple[float, float]]]) -> Curve:
        """From the points (transitions, value) of every training seed."""
        by_x: dict[float, list[float]] = {}
        for x, y in (point for points in lines.values() for point in points):
            by_x.setdefault(x, []).append(y)
        full = sorted(x for x, ys in by_x.items() if len(ys) == len(lines))
        least = [min(y for _, y in points) for points in lines.values()]
        return cls(tuple(full), tuple(sum(by_x[x]) / len(by_x[x]) for x in full), sum(least) / len(least))

    @property
    def first(self) -> float:
        """The first mean; NaN if the curves have no point in common."""
        return self.values[0] if self.values else float("nan")

    @property
    def last(self) -> float:
        """The last mean; NaN if the curves have no point in common."""
        return self.values[-1] if self.values else float("nan")


def validated(network: str) -> Callable[[Curve], str]:
    """The finding of a curve of validation: what the kept checkpoints of a network cost."""
    return lambda curve: f"The best checkpoints of the specified {network} cost {num(curve.best, 0)} % of home on the valid spans"


def _curves_figure(lines: dict[tuple[str, int], list[tuple[float, float]]], title: str, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    for points in lines.values():
        xs, ys = decimated([x for x, _ in points], [y for _, y in points])
        figure.add_scatter(x=xs, y=ys, mode="lines", line={"width": 1.2, "color": colour("learned-soft")}, hoverinfo="skip")
    mean = Curve.of(lines)
    xs, ys = decimated(list(mean.transitions), list(mean.values))
    figure.add_scatter(x=xs, y=ys, mode="lines", line={"width": 2.8, "color": colour("learned")}, hoverinfo="skip")
    figure.update_layout(
        height=260 if narrow else 280,
        margin={"l": 58, "r": 14, "t": 30, "b": 42},
        annotations=[y_title(title, x=0.0)],
        xaxis=axis(title="transitions of a seed", nticks=5),
        yaxis=axis(nticks=5),
    )
    return figure
