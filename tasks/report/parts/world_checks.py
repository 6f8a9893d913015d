"""The figure of the calibration: what theory, measurement, hand and prototype say, and what the world yields. Not here: any check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.report.page import Page, annotation, num
from tasks.report.plot import axis, both, colour
from tasks.report.text import decimals_of
from tasks.world.calibration_record import Calibration, Check

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

VERDICT = {True: "✓ holds", False: "✕ outside", None: "– not judged"}
KINDS = {
    "theory": "Queueing theory",
    "measured": "Measured elsewhere",
    "hand": "Calculated by hand",
    "prototype": "First implementation: targets, not counted",
}
REACH = 2.0  # the axis, in allowed distances; what is farther is named, not plotted
WRONG = 99.0  # used as the distance of a figure that should be exact and is not
WIDE_FROM = 850  # px; the narrow layout would not fit on a printed page
LEFT, RIGHT, NARROW_RIGHT = 330, 276, 150  # px beside the plot, for names and figures


def checks(page: Page, found: Calibration, said: dict[str, Any]) -> str:
    """HTML of the figure; its table holds every check, also those that are not judged."""
    rows = found.checks
    judged = [r for kind in KINDS for r in rows if r.kind == kind and r.is_within is not None]
    held = page.number("world_checks_held", sum(bool(r.is_within) for r in judged))
    page.number("world_checks", len(judged))
    figures_held, figures = counted(rows)
    page.number("world_figures_held", figures_held)
    page.number("world_figures", figures)
    heading, outside = findings(rows)
    return page.figure(
        "world_calibration",
        heading=heading,
        sentence=f"Distance from the expected figure in units of the allowed distance; shaded: within the allowed range. {outside}",
        **both(_rows, judged),
        key='<span><i class="dot" style="--c:var(--s4)"></i>within</span><span class="verdict bad">✕ outside</span>',
        alt=f"{heading}: {num(held)} marks are in the shaded band. {outside}",
        data=[_data(r) for r in rows],
        below=WIDE_FROM,
        **(said | {"tags": [page.origin_tag(found.origin), "measured"]}),
    )


def counted(rows: Sequence[Check]) -> tuple[int, int]:
    """How many figures hold, of how many. What the twin was calibrated to confirms nothing, so it does not count."""
    within = [r.is_within for r in rows if r.is_within is not None and r.kind != "prototype"]
    return sum(within), len(within)


def findings(rows: Sequence[Check]) -> tuple[str, str]:
    """The heading, and the names of the figures outside their allowed range."""
    missed = [r.what for r in rows if r.is_within is False]
    held, judged = counted(rows)
    heading = f"The simulated world matches {num(held)} of {num(judged)} figures from theory and measurement"
    return heading, f"Outside: {'; '.join(missed)}." if missed else "None is outside."


def position(row: Check) -> float:
    """Distance from what is expected (without that, from the middle of the allowed range): -1 and 1 are the ends of that range."""
    low, high, value = row.low, row.high, row.found
    middle = (low + high) / 2 if row.expected is None else row.expected
    if value == middle:
        return 0.0
    allowed = high - middle if value > middle else middle - low
    distance = abs(value - middle) / allowed if allowed > 0 else WRONG
    return round(distance if value > middle else -distance, 4)


def _data(row: Check) -> dict[str, Any]:
    kept = {name: getattr(row, name) for name in ("what", "kind", "expected", "found", "low", "high", "unit", "standard_error", "source")}
    return kept | {"position": position(row), "verdict": VERDICT[row.is_within]}


def _rows(rows: Sequence[Check], *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    step, right = (38, NARROW_RIGHT) if narrow else (16, RIGHT)  # so that all rows fit on a printed page
    text: list[dict[str, Any]] = []
    bands: list[dict[str, Any]] = []
    marks: dict[bool, tuple[list[float], list[float]]] = {True: ([], []), False: ([], [])}
    y = 0
    for kind, name in KINDS.items():
        own = [r for r in rows if r.kind == kind]
        if not own:
            continue
        text.append(annotation(0, y, f"<b>{name}</b>", ink="ink", size=12.5, refs=("paper", "y"), xshift=0 if narrow else -LEFT))
        bands.append({"type": "rect", "x0": -1, "x1": 1, "y0": y + 0.5, "y1": y + len(own) + 0.5, "xref": "x", "yref": "y"})
        for row in own:
            y += 1
            at = position(row)
            if abs(at) <= REACH:
                marks[bool(row.is_within)][0].append(at)
                marks[bool(row.is_within)][1].append(y)
            else:
                far = "off the axis →" if at > 0 else "← off the axis"
                side = "right" if at > 0 else "left"
                text.append(annotation(REACH if at > 0 else -REACH, y, far, ink="bad", at=(side, "middle")))
            text += _labels(row, y, narrow)
        y += 1
    figure = go.Figure()
    for is_within, (xs, ys) in marks.items():
        marker = {"symbol": "circle" if is_within else "x", "size": 9 if is_within else 10, "color": colour("s4" if is_within else "bad")}
        figure.add_scatter(x=xs, y=ys, mode="markers", marker=marker, hovertemplate="%{x:.2f} of the allowed distance<extra></extra>")
    ends = ["lower", "expected", "upper"] if narrow else ["lower end", "expected", "upper end"]
    shaded = {"fillcolor": colour("s0"), "line": {"width": 0}, "layer": "below"}
    if not narrow:
        heads = (("found", "right", 74), ("expected", "right", 150), ("unit", "left", 160))
        text += [annotation(1, 1, h, at=(a, "bottom"), refs=("paper", "paper"), xshift=x, yshift=4) for h, a, x in heads]
    else:
        head = annotation(1, 1, "found / expected", at=("right", "bottom"), refs=("paper", "paper"), xshift=NARROW_RIGHT, yshift=4)
        text.append(head)
    figure.update_layout(
        height=round(step * (y + 0.3)) + 66,
        margin={"l": 0 if narrow else LEFT, "r": right, "t": 24, "b": 42},
        annotations=text,
        shapes=[band | shaded for band in bands],
        xaxis=axis(
            range=[-REACH, REACH],
            tickvals=[-1, 0, 1],
            ticktext=ends,
            tickangle=0,
            title="distance from the expected figure",
        ),
        yaxis=axis(range=[y - 0.4, -0.7], showgrid=False, showticklabels=False),
    )
    return figure


def _labels(row: Check, y: float, narrow: bool) -> list[dict[str, Any]]:
    """Name, figure found, figure expected and unit of a row."""
    ink, sign = ("ink", "") if row.is_within else ("bad", "✕ ")
    places = decimals_of([v for v in (row.found, row.expected) if v is not None])
    found = f"{sign}{num(row.found, places)}"
    expected = f"≤ {num(row.high, decimals_of([row.high]))}" if row.expected is None else num(row.expected, places)
    quiet = "ink-2" if row.is_within else "bad"

    def label(x: int, text: str, ink: str, side: str, shift: int, size: float = 12, **more: Any) -> dict[str, Any]:
        return annotation(x, y, text, ink=ink, size=size, at=(side, more.pop("level", "middle")), refs=("paper", "y"), xshift=shift, **more)

    if narrow:
        return [
            label(0, row.what, quiet, "left", 0, 11, level="bottom", yshift=6),
            label(1, f"{found} / {expected}", ink, "right", NARROW_RIGHT, 11),
        ]
    return [
        label(0, row.what, quiet, "left", -LEFT),
        label(1, found, ink, "right", 74),
        label(1, expected, "ink-2", "right", 150),
        label(1, "µs" if row.unit == "us" else row.unit, "ink-3", "left", 160),
    ]
