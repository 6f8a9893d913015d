"""`reports/<layer>/visualizations.png`: the figures of a layer's section in one picture, for readers without a browser.

Drawn with matplotlib's Agg from the files that the sections read; colours come from the style sheet. Not here: the page, the operational
layer's panels (floors_picture.py).
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from tasks.core.files import write_bytes_atomic
from tasks.evaluation.policy_record import ShownPolicies
from tasks.report import floors_picture
from tasks.report.page import style_text
from tasks.report.parts.arms import family_in_front
from tasks.report.parts.layers import metrics_of
from tasks.report.report_outputs import strategic_picture, tactical_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tasks.core.paths import Paths
    from tasks.evaluation.layers_record import FamilyOfLayer, LayerMetrics
    from tasks.report.page import Page

WIDTH_IN, HEIGHT_IN, DPI = 12, 8, 100
CURVES = {
    "strategic": (("charts/validation", "Validation, % of home"), ("losses/q_values", "Q values"), ("losses/td_loss", "Loss")),
    "tactical": (
        ("charts/validation", "Validation, % of home"),
        ("losses/value_loss", "Value loss"),
        ("losses/explained_variance", "Explained variance"),
    ),
}


def draw(page: Page, paths: Paths) -> list[str]:
    """Write the picture of every layer that has metrics; return these layers."""
    drawn = []
    for layer, file_of in (("strategic", strategic_picture), ("tactical", tactical_picture)):
        found = metrics_of(page, layer)
        if found is None:
            continue
        history = page.read_list(f"reports/{layer}/training_history.json")
        shown = page.read("reports/tactical/policy.json", ShownPolicies) if layer == "tactical" else None
        write_bytes_atomic(file_of(paths), _picture(layer, found, history, shown))
        drawn.append(layer)
    if floors_picture.draw(page, paths, inks()):
        drawn.append("operational")
    return drawn


def _picture(layer: str, found: LayerMetrics, history: list[dict[str, Any]], shown: ShownPolicies | None) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ink = inks()
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI, facecolor=ink["bg"], layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 3).ravel()
    for axes, (metric, title) in zip(panels, CURVES[layer], strict=False):
        _curves(axes, history, metric, title, ink)
    name = family_in_front(list(found.families))
    _costs(panels[3], found, found.families[name], f"Cost, family {name}, % of home", ink)
    arm = None if shown is None or not shown.arms else shown.arms.get("candidates", shown.arms[min(shown.arms)])
    if shown is not None and arm is not None:
        _heat(panels[4], shown, arm.by_region, ink)
        for c, cloud in enumerate(shown.clouds):
            panels[5].step(arm.hours, [100 * row[c] for row in arm.by_cloud], where="post", color=ink.get(cloud, ink["home"]), label=cloud)
        panels[5].set_title("Apps by cloud over time, %", loc="left", fontsize=10)
        panels[5].legend(frameon=False, fontsize=8)
    for axes in panels[4 if shown is None else 6 :]:
        axes.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _curves(axes: Axes, history: list[dict[str, Any]], metric: str, title: str, ink: dict[str, str]) -> None:
    lines: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for row in history:
        if row["metric"] == metric:
            lines.setdefault((row["arm"], row["seed"]), []).append((row["transitions"], row["value"]))
    for points in lines.values():
        axes.plot([x for x, _ in points], [y for _, y in points], color=ink["learned"], marker=".", linewidth=1.2, alpha=0.7)
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(f"transitions of a seed ({len(lines)} seeds)", fontsize=8)


def _costs(axes: Axes, found: LayerMetrics, family: FamilyOfLayer, title: str, ink: dict[str, str]) -> None:
    from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

    labels = {arm.name: arm.label for arm in found.arms}
    arms = sorted(family.arms.items(), key=lambda one: -one[1].share_of_home.mean)
    for i, (_, arm) in enumerate(arms):
        share = arm.share_of_home
        if share.low is not None and share.high is not None:
            axes.plot([100 * share.low, 100 * share.high], [i, i], color=ink["learned"], linewidth=2)
        axes.plot([100 * share.mean], [i], "o", color=ink["learned"])
    axes.axvline(100 * family.hindsight_share_of_home.mean, color=ink["bound"], linestyle=":")
    axes.set_yticks(range(len(arms)), [labels[name] for name, _ in arms], fontsize=7)
    axes.set_xscale("log")  # the specified PPO is far off
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_title(f"{title}; dotted: hindsight", loc="left", fontsize=10)


def _heat(axes: Axes, shown: ShownPolicies, by_region: tuple[tuple[float, ...], ...], ink: dict[str, str]) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    scale = LinearSegmentedColormap.from_list("sequential", [ink[f"s{i}"] for i in range(6)])
    axes.imshow([[100 * value for value in row] for row in by_region], aspect="auto", cmap=scale, interpolation="nearest")
    axes.set_yticks(range(len(shown.regions)), list(shown.regions), fontsize=6)
    axes.set_xlabel("hour of the day, UTC", fontsize=8)
    axes.set_title("Where the candidates arm keeps apps", loc="left", fontsize=10)


def inks() -> dict[str, str]:
    """Colours of the light theme by their names in the style sheet."""
    text = style_text("page.css")
    light = text[text.index(":root") : text.index("}", text.index(":root"))]
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9A-Fa-f]{6})", light))
