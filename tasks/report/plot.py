"""What all Plotly figures share: template, annotations, JSON. Not here: any figure, any colour value (tasks/report/style/page.css)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

DIGITS = 5  # significant digits of a float in a figure
LINE_POINTS = 400
TICK_SIZE = 12


def colour(name: str) -> str:
    """Name of a colour of the style sheet, e.g. `s3`; the page's script fills in its value."""
    return f"var(--{name})"


def axis(**more: Any) -> dict[str, Any]:
    """An axis of the house, with `more` on top."""
    base: dict[str, Any] = {
        "gridcolor": colour("grid"),
        "gridwidth": 1,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "ticklabelstandoff": 5,
        "fixedrange": True,
        "automargin": False,
        "tickfont": {"size": TICK_SIZE, "color": colour("ink-3")},
    }
    title = more.pop("title", None)
    if title is not None:
        base["title"] = {"text": title, "font": {"size": 12, "color": colour("ink-2")}, "standoff": 6}
    return base | more


def template() -> dict[str, Any]:
    """The one template of the page."""
    return {
        "layout": {
            "font": {"family": colour("sans"), "size": 13, "color": colour("ink-2")},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 8, "r": 8, "t": 28, "b": 40, "pad": 0},
            "xaxis": axis(),
            "yaxis": axis(),
            "showlegend": False,
            "dragmode": False,
            "hovermode": "closest",
            "separators": ".,",
            "hoverlabel": {"bgcolor": colour("panel"), "bordercolor": colour("line"), "font": {"size": 13, "color": colour("ink")}},
        }
    }


def annotation(
    x: float,
    y: float,
    text: str,
    *,
    ink: str = "ink-2",
    size: float = 12,
    at: tuple[str, str] = ("left", "middle"),
    refs: tuple[str, str] = ("x", "y"),
    **more: Any,
) -> dict[str, Any]:
    """Text in a figure without an arrow; `at` anchors it, `refs` are its axes (`paper` with `xshift` for labels in a margin)."""
    font = {"size": size, "color": colour(ink)}
    place = {"xanchor": at[0], "yanchor": at[1], "xref": refs[0], "yref": refs[1]}
    return {"x": x, "y": y, "text": text, "font": font, "showarrow": False} | place | more


def y_title(text: str, refs: tuple[str, str] = ("paper", "paper"), x: float = 0.0, y: float = 1.0) -> dict[str, Any]:
    """The title of a y-axis: horizontal, above the axis, left."""
    return annotation(x, y, text, at=("left", "bottom"), refs=refs, yshift=8)


def both(build: Callable[..., Figure], *args: Any) -> dict[str, Figure]:
    """The layouts `wide` and `narrow` of a figure whose builder takes `narrow`."""
    return {"wide": build(*args, narrow=False), "narrow": build(*args, narrow=True)}


def serialised(wide: Figure, narrow: Figure) -> str:
    """One JSON with both layouts of a figure, without plotly's default template, floats to five digits."""
    return json.dumps({"wide": _plain(wide), "narrow": _plain(narrow)}, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def decimated(xs: Sequence[float], ys: Sequence[float], points: int = LINE_POINTS) -> tuple[list[float], list[float]]:
    """Thin a line to at most `points` points: the lowest and the highest of each of points/2 equal bins, in order."""
    if len(xs) <= points:
        return list(xs), list(ys)
    size = math.ceil(len(xs) / (points // 2))
    keep: list[int] = []
    for start in range(0, len(xs), size):
        bin_ = range(start, min(start + size, len(xs)))
        keep += sorted({min(bin_, key=lambda i: ys[i]), max(bin_, key=lambda i: ys[i])})
    return [xs[i] for i in keep], [ys[i] for i in keep]


def _plain(figure: Figure) -> dict[str, Any]:
    figure.update_layout(template="none")
    content = json.loads(figure.to_json())
    content["layout"].pop("template", None)
    if "height" not in content["layout"]:
        raise ValueError("a figure needs a fixed height: fig.update_layout(height=...)")
    return {"data": _rounded(content["data"]), "layout": _rounded(content["layout"])}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return value
