"""What the landscape's figures share: its numbers, names and marks of the arms, rows of dots with their interval. Not here: any section."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.evaluation.compare_outputs import landscape_folder
from tasks.report.facts import plural
from tasks.report.page import Page, annotation, interval, num
from tasks.report.plot import colour

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

NAMES = {
    "random": "Random, one draw",
    "home": "Home",
    "greedy_locality": "Nearest region",
    "greedy_cold_start": "Fewest cold starts",
    "greedy_objective": "Greedy, no hysteresis",
    "greedy_hysteresis": "Greedy with hysteresis",
    "best_static": "Best static (train)",
    "coordinated_static": "Coordinated static",
    "persistence": "Persistence rule",
    "hindsight": "Hindsight (coupled)",
    "optimistic_bound": "Optimistic bound (alone)",
}
INKS = {"random": "random", "best_static": "static", "hindsight": "hindsight", "optimistic_bound": "bound"}
SYMBOLS = {"best_static": "square", "hindsight": "circle-open", "optimistic_bound": "line-ns-open"}
COMPONENTS = ("execution", "egress", "latency", "sla", "carbon", "moves")  # in the order of the stack
CALM = "calm"
JITTER = 0.17  # of a row
FAR = 0.6  # an arm is off the axis if it would stretch the axis of the others by more than this share
ROW_WIDE, ROW_NARROW = 32, 54  # px
LONG = 12  # a table with a row for each scenario is folded from here on


@dataclass(frozen=True)
class Arm:
    """One row: % of home of the same scenario by scenario (mean over seeds), mean, interval (None below 3 scenarios and at home)."""

    key: str
    name: str
    dots: dict[str, float]
    value: float
    low: float | None
    high: float | None
    ink: str
    symbol: str
    parts: dict[str, float] = field(default_factory=dict)  # of the mean, % of home


@dataclass(frozen=True)
class Landscape:
    """The numbers of reports/world, with one family in front: `calm`, or the first there is."""

    family: str
    families: dict[str, Any]
    without: dict[str, Any]
    rows: list[dict[str, Any]]
    origins: dict[str, str]  # twin or real, by scenario

    @property
    def summary(self) -> dict[str, Any]:
        """Headline figures of the family in front."""
        found: dict[str, Any] = self.families[self.family]
        return found

    @property
    def own(self) -> list[dict[str, Any]]:
        """Rows of the family in front."""
        return [r for r in self.rows if r["family"] == self.family]


def load(page: Page) -> Landscape | None:
    """The landscape, None while the graph has none; its size is kept in the metrics."""
    found, rows = page.json("world/landscape.json"), table_of(page, "landscape")
    if not found or not rows:
        return None
    families = found["families"]
    family = CALM if CALM in families else sorted(families)[0]
    for key in ("seeds", "scenarios"):
        page.metric(f"landscape_{key}", families[family][key])
    page.metric("interval_level_pct", round(100 * families[family]["level"], 1))
    origins = {scenario: page.origin_tag(origin) for scenario, origin in found["from"].items()}
    return Landscape(family, families, found["without_five"], rows, origins)


def table_of(page: Page, name: str) -> list[dict[str, Any]]:
    """Rows of a table of reports/world, numbers as numbers; [] if it is missing."""
    file = landscape_folder(page.paths) / f"{name}.csv"
    if not file.is_file():
        return []
    texts = ("arm", "scenario", "family", "class")
    with file.open(encoding="utf-8", newline="") as handle:
        return [{k: v if k in texts else float(v or "nan") for k, v in r.items()} for r in csv.DictReader(handle)]


def arms_of(rows: Sequence[dict[str, Any]], summary: dict[str, Any], best_rule: str, wanted: Sequence[str] = ()) -> list[Arm]:
    """Arms of one family, dearest first.

    Args:
        rows: of one family, each arm in every scenario.
        summary: with `share_of_home`, by arm.
        best_rule: the arm that is drawn as the rule.
        wanted: arms, all if empty.
    """
    home = {r["scenario"]: r["total_usd"] for r in rows if r["arm"] == "home" and r["total_usd"] > 0}
    found = []
    for key, share in summary["share_of_home"].items():
        own = [r for r in rows if r["arm"] == key and r["scenario"] in home]
        if not own or (wanted and key not in wanted):
            continue
        low, high = (None if share[end] is None or key == "home" else 100 * share[end] for end in ("low", "high"))
        parts = {c: 100 * sum(r[f"{c}_usd"] / home[r["scenario"]] for r in own) / len(own) for c in COMPONENTS}
        dots = {r["scenario"]: 100 * r["total_usd"] / home[r["scenario"]] for r in own}
        ink, symbol = ("rule", "diamond") if key == best_rule else (INKS.get(key, "home"), SYMBOLS.get(key, "circle"))
        found.append(Arm(key, NAMES.get(key, key), dots, 100 * share["value"], low, high, ink, symbol, parts))
    return sorted(found, key=lambda a: (-a.value, a.key))


def csv_rows(arms: Sequence[Arm], **first: Any) -> list[dict[str, Any]]:
    """Numbers of a figure: a row for each dot, then one for each mean with interval and components; `first` stands before them."""
    empty = dict.fromkeys(COMPONENTS)
    rows: list[dict[str, Any]] = []
    for a in arms:
        rows += [first | {"arm": a.name, "scenario": s, "of_home": v, "low": None, "high": None} | empty for s, v in a.dots.items()]
        rows.append(first | {"arm": a.name, "scenario": "mean", "of_home": a.value, "low": a.low, "high": a.high} | (a.parts or empty))
    return rows


def reach(arms: Sequence[Arm]) -> tuple[float, float]:
    """Ends of an axis that holds all arms, without those that are much dearer than home and the others (they are `off the axis`)."""
    spans = [[*a.dots.values(), a.value, *(end for end in (a.low, a.high) if end is not None)] for a in arms]
    kept = sorted(spans, key=max)
    while len(kept) > 2:
        right = max(100.0, *kept[-2])
        if max(kept[-1]) - right <= FAR * (right - min(map(min, kept[:-1]))):
            break
        kept.pop()
    low, high = min(map(min, kept)), max(map(max, kept))
    edge = 0.04 * (high - low) or 5.0
    return math.floor(low - edge), math.ceil(high + edge)


def add_arm(figure: Figure, arm: Arm, row: float, right: float, **axes: str) -> bool:
    """Draw dots, interval and mean of an arm; return whether it is on the axis, which ends at `right`."""
    if arm.value > right:
        return False
    ink, dots = colour(arm.ink), list(arm.dots.values())
    jitter = [0.0] if len(dots) == 1 else [JITTER * (2 * i / (len(dots) - 1) - 1) for i in range(len(dots))]
    figure.add_scatter(
        x=dots, y=[row + j for j in jitter], mode="markers", hoverinfo="skip", cliponaxis=True,
        marker={"size": 5, "color": ink, "opacity": 0.38}, **axes,
    )  # fmt: skip
    if arm.low is not None:
        figure.add_scatter(x=[arm.low, arm.high], y=[row, row], mode="lines", line={"width": 2.2, "color": ink}, hoverinfo="skip", **axes)
    figure.add_scatter(
        x=[arm.value], y=[row], mode="markers", cliponaxis=False,
        hovertemplate=arm.name + ": %{x:.1f} % of home<extra></extra>",
        marker={"symbol": arm.symbol, "size": 11, "color": ink, "line": {"width": 2.2 if "open" in arm.symbol else 0, "color": ink}},
        **axes,
    )  # fmt: skip
    return True


def value_of(arm: Arm) -> str:
    """Mean and interval as the text of a row."""
    if arm.low is None or arm.high is None:
        return f"<b>{num(arm.value, 1)}</b>"
    return f"<b>{num(arm.value, 1)}</b> <span style='font-size:11px'>{interval(arm.low, arm.high, 1)}</span>"


def labels(arm: Arm, row: float, *, narrow: bool, ends: tuple[float, float] = (0.0, 1.0), y: str = "y") -> list[dict[str, Any]]:
    """Name and value of a row: beside the panel, or above its row in the narrow layout.

    Args:
        arm: the row.
        row: its place.
        narrow: the layout.
        ends: of the panel, in shares of the paper.
        y: axis of the panel.
    """
    ink = "ink" if arm.ink in ("static", "rule") else "ink-2"
    if narrow:
        return [
            annotation(ends[0], row, arm.name, ink=ink, at=("left", "bottom"), refs=("paper", y), yshift=11),
            annotation(ends[1], row, value_of(arm), ink="ink", at=("right", "bottom"), refs=("paper", y), yshift=11),
        ]
    return [
        annotation(ends[0], row, arm.name, ink=ink, size=13, at=("right", "middle"), refs=("paper", y), xshift=-12),
        annotation(ends[1], row, value_of(arm), ink="ink", size=13, refs=("paper", y), xshift=12),
    ]


def off_axis(row: float, right: float, **refs: Any) -> dict[str, Any]:
    """What stands in the row of an arm that is off the axis."""
    return annotation(right, row, "off the axis →", ink="ink-3", at=("right", "middle"), **refs)


def key_of(page: Page, arms: Sequence[Arm]) -> str:
    """HTML that says what dots, lines and marks are."""
    seeds, level = page.metrics["landscape_seeds"], page.metrics["interval_level_pct"]
    dot = "one scenario" if seeds == 1 else f"one scenario (mean of {plural(seeds, 'seed')})"
    mean = f"mean and {num(level)} % interval" if any(a.low is not None for a in arms) else "mean"
    bar = '<i style="--c:var(--ink-2)"></i>' if any(a.low is not None for a in arms) else '<i class="box" style="--c:var(--ink-2)"></i>'
    return f'<span><i class="dot" style="--c:var(--random)"></i>{dot}</span><span>{bar}{mean}</span>'


def said(land: Landscape, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Tags, provenance and command of what shows `rows`."""
    families = sorted({str(r["family"]) for r in rows})
    design = f"{plural(land.summary['seeds'], 'seed')} \u00d7 {plural(land.summary['scenarios'], 'scenario')}"
    design += " each" if len(families) > 1 else ""
    names = f"{'family' if len(families) == 1 else 'families'} {', '.join(families)}"
    return {
        "tags": [*sorted({land.origins[r["scenario"]] for r in rows}, reverse=True), "drawn: home, data, payload, state"],
        "provenance": f"{design} · {names} · test span · some prices assumed, see docs/methods/world.md",
        "command": "dvc repro compare report",
    }
