"""`reports/operational/visualizations.png`: the figures of the section on warm floors in one picture. Not here: the page, other layers."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from tasks.core.files import write_bytes_atomic
from tasks.evaluation.drill_record import DriftTimeline
from tasks.evaluation.operational_pictures_record import FloorPictures
from tasks.report.parts.floors_drift import SHOWN_H, SIGNAL_OF
from tasks.report.parts.floors_money import HINDSIGHT, MONEY, MOST_PCT, named, rows_of
from tasks.report.parts.floors_pictures import CLASS_INKS, INKS
from tasks.report.report_outputs import operational_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tasks.core.paths import Paths
    from tasks.report.page import Page

WIDTH_IN, HEIGHT_IN, DPI = 15, 12, 90
Inks = dict[str, str]
DRIFT_CASE = "rate_x3"


def draw(page: Page, paths: Paths, ink: Inks) -> bool:
    """Write the picture if the layer was judged; `ink`: colours by their names in the style sheet."""
    shown = page.read("reports/operational/pictures.json", FloorPictures)
    money = [row for row in rows_of(page) if row["target"] == MONEY]
    if shown is None or not money:
        return False
    history = page.read_list("reports/operational/training_history.json")
    drill = page.read("reports/operational/drift_timeline.json", DriftTimeline)
    write_bytes_atomic(operational_picture(paths), _picture(shown, money, history, drill, ink))
    return True


def _picture(
    shown: FloorPictures, money: list[dict[str, Any]], history: list[dict[str, Any]], drill: DriftTimeline | None, ink: Inks
) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI, facecolor=ink["bg"], layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(3, 4).ravel()
    _curves(panels[0], history, ink)
    for axes, i in zip(panels[1:4], range(3), strict=True):
        _fan(axes, shown, i, ink)
    _residuals(panels[4], shown, ink)
    _quantile(panels[5], shown, ink)
    _events(panels[6], shown, ink)
    _provision(panels[7], shown, ink)
    _money(panels[8], money, "all", shown.labels, ink)
    for axes, cloud in zip(panels[9:11], ("cloud azure", "cloud gcp"), strict=True):
        _money(axes, money, cloud, shown.labels, ink)
    _drift(panels[11], drill, ink)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _titled(axes: Axes, title: str, x: str, y: str = "") -> None:
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(x, fontsize=8)
    axes.set_ylabel(y, fontsize=8)
    axes.tick_params(labelsize=7)


def _curves(axes: Axes, history: list[dict[str, Any]], ink: Inks) -> None:
    lines: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for row in history:
        if row["metric"] == "losses/valid":
            lines.setdefault((row["arm"], row["seed"]), []).append((row["transitions"], row["value"]))
    for (arm, _), points in lines.items():
        first = points[0][1] or 1.0
        axes.plot([x for x, _ in points], [y / first for _, y in points], color=ink[INKS.get(arm, "m2")], linewidth=1.2, marker=".")
    _titled(axes, f"Validation loss, all {len(lines)} trainings", "windows seen", "of the first pass's")


def _fan(axes: Axes, shown: FloorPictures, i: int, ink: Inks) -> None:
    if i >= len(shown.fans):
        axes.set_axis_off()
        return
    fan = shown.fans[i]
    minutes = [step * shown.step_s / 60 for step in range(len(fan.truth))]
    axes.step(minutes, fan.truth, where="post", color=ink["ink-3"], linewidth=0.8, label="what came")
    for arm, values in fan.forecasts.items():
        axes.plot(minutes, values, color=ink[INKS[arm]], linewidth=1.2, label=named(shown.labels, arm))
    axes.legend(frameon=False, fontsize=6)
    _titled(axes, f"Forecast fan, class {fan.app_class}", "minutes", "calls per s")


def _residuals(axes: Axes, shown: FloorPictures, ink: Inks) -> None:
    for one in shown.residuals:
        values = [100 * v for v in one.by_arm["lstm_specified"]]
        axes.plot([100 * q for q in shown.levels], values, color=ink[CLASS_INKS[one.app_class]], marker=".", label=one.app_class)
    axes.axhline(0, color=ink["ink"], linewidth=0.7)
    axes.legend(frameon=False, fontsize=7)
    _titled(axes, "Residuals of the rate, LSTM as specified", "% of windows with a call", "% of the largest rate")


def _quantile(axes: Axes, shown: FloorPictures, ink: Inks) -> None:
    for name, bins in shown.quantile.items():
        axes.plot(range(1, len(bins) + 1), [100 * b.observed for b in bins], color=ink[CLASS_INKS[name]], marker=".", label=name)
    axes.axhline(100 * shown.quantile_level, color=ink["ink"], linewidth=0.7)
    axes.set_ylim(0, 102)
    axes.legend(frameon=False, fontsize=7)
    _titled(axes, "Calibration of the 5/6 quantile", "eighths of the windows by forecast", "% at or below it")


def _events(axes: Axes, shown: FloorPictures, ink: Inks) -> None:
    for (name, bins), colour in zip(shown.events.items(), ("learned", "s4", "m5", "m2"), strict=False):
        own = [b for b in bins if b.observed > 0]
        axes.loglog([b.forecast for b in own], [b.observed for b in own], color=ink[colour], marker=".", label=name)
    axes.plot([1e-4, 1], [1e-4, 1], color=ink["ink"], linewidth=0.7)
    axes.legend(frameon=False, fontsize=6)
    _titled(axes, "Calibration of the event heads", "probability", "how often it happened")


def _provision(axes: Axes, shown: FloorPictures, ink: Inks) -> None:
    for arm, pairs in shown.provision.items():
        axes.semilogx([p[1] for p in pairs], [p[0] for p in pairs], color=ink[INKS[arm]], label=named(shown.labels, arm))
        one = pairs[shown.factors.index(1.0)]
        axes.plot([one[1]], [one[0]], "o", color=ink[INKS[arm]])
    axes.legend(frameon=False, fontsize=6)
    _titled(axes, "Under- against over-provisioning", "vCPUs too many", "vCPUs too few")


def _money(axes: Axes, money: list[dict[str, Any]], group: str, labels: dict[str, str], ink: Inks) -> None:
    rows = sorted((row for row in money if row["app_class"] == group), key=lambda row: -row["objective_pct_of_reactive"])
    rows = [row for row in rows if row["objective_pct_of_reactive"] <= MOST_PCT]
    for i, row in enumerate(rows):
        colour = ink["hindsight" if row["arm"] == HINDSIGHT else "s4"]
        if row["ci_low"] is not None:
            axes.plot([row["ci_low"], row["ci_high"]], [i, i], color=colour, linewidth=1.2)
        axes.plot([row["objective_pct_of_reactive"]], [i], "o", color=colour, markersize=4)
    axes.axvline(100, color=ink["ink"], linewidth=0.7)
    axes.set_yticks(range(len(rows)), [named(labels, row["arm"]) for row in rows])
    _titled(axes, f"Money, {group.removeprefix('cloud ')}, % of reactive", "arms above 130 % are left out")
    axes.tick_params(axis="y", labelsize=6)


def _drift(axes: Axes, drill: DriftTimeline | None, ink: Inks) -> None:
    own = [] if drill is None else [s for s in drill.series if s.case == DRIFT_CASE and s.signal == SIGNAL_OF[DRIFT_CASE]]
    if not own:
        axes.set_axis_off()
        return
    for one in own:
        colour = ink[CLASS_INKS[one.app_class]]
        part = [(h, v) for h, v in zip(one.hours, one.residual, strict=True) if h < SHOWN_H and v is not None]
        axes.plot([h for h, _ in part], [v for _, v in part], color=colour, linewidth=1, label=one.app_class)
        for detector, marker in (("page_hinkley", "x"), ("adwin", "^")):
            at = [h for h in one.alarms.get(detector, ()) if h < SHOWN_H]
            axes.plot(at, [3.4] * len(at), marker, color=colour, markersize=5)
    axes.axvline(0, color=ink["ink"], linewidth=0.7)
    axes.legend(frameon=False, fontsize=7)
    _titled(axes, "Drift, three times the calls; x PH, ^ ADWIN", "hours from the shift", "residual, spreads")
