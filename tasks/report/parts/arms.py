"""What the landscape's figures share: its numbers, the arms as rows of dots with their interval. Not here: any section."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.evaluation.evaluation_record import ArmRow
from tasks.evaluation.landscape_record import Family, Interval, Landscape
from tasks.report.facts import plural
from tasks.report.page import Page, annotation, interval, num
from tasks.report.plot import colour

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SYMBOLS = {"static": "square", "rule": "diamond", "hindsight": "circle-open", "bound": "line-ns-open"}  # by ink; others are circles
COMPONENTS = ("execution", "egress", "latency", "sla", "carbon", "moves")  # in the order of the stack
CALM = "calm"
JITTER = 0.17  # of a row
FAR = 0.6  # an arm is off the axis if it would stretch the axis of the others by more than this share
ROW_WIDE, ROW_NARROW = 32, 54  # px
LONG = 12  # a table with a row for each scenario is folded from here on
TEXTS = ("arm", "scenario", "family", "class")  # columns of the tables of reports/world that hold no number


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
class Shown:
    """The numbers of reports/world, with one family in front: `calm`, or the first there is."""

    found: Landscape
    family: str
    rows: list[dict[str, Any]]
    origins: dict[str, str]  # twin or real, by scenario

    @property
    def summary(self) -> Family:
        """Headline figures of the family in front."""
        return self.found.families[self.family]

    @property
    def families(self) -> dict[str, Family]:
        """Headline figures of every family."""
        return self.found.families

    @property
    def own(self) -> list[dict[str, Any]]:
        """Rows of the family in front."""
        return [r for r in self.rows if r["family"] == self.family]

    @property
    def arms(self) -> dict[str, ArmRow]:
        """Label and ink of every arm."""
        return {arm.name: arm for arm in self.found.arms}


def family_in_front(names: Sequence[str]) -> str:
    """`calm`, or the first there is."""
    return CALM if CALM in names else min(names, default=CALM)


def load(page: Page) -> Shown | None:
    """The landscape, None while there is none; its size is kept in the numbers of the page."""
    found, rows = page.read("reports/world/landscape.json", Landscape), table_of(page, "landscape")
    if not found or not rows:
        return None
    family = family_in_front(list(found.families))
    summary = found.families[family]
    page.number("landscape_seeds", summary.seeds)
    page.number("landscape_scenarios", summary.scenarios)
    page.number("interval_level_pct", round(100 * summary.level, 1))
    return Shown(found, family, rows, {scenario: page.origin_tag(origin) for scenario, origin in found.origins.items()})


def table_of(page: Page, name: str) -> list[dict[str, Any]]:
    """Rows of a table of reports/world, numbers as numbers; [] if it is missing."""
    rows = page.read_csv(f"reports/world/{name}.csv")
    return [{k: v if k in TEXTS else float(v or "nan") for k, v in r.items()} for r in rows]


def arms_of(
    land: Shown, rows: Sequence[dict[str, Any]], shares: Mapping[str, Interval], best_rule: str, wanted: Sequence[str] = ()
) -> list[Arm]:
    """Arms of one family, the most expensive first.

    Args:
        land: with labels and inks.
        rows: of one family, each arm in every scenario.
        shares: of home, by arm.
        best_rule: the arm that is plotted as the rule.
        wanted: arms, all if empty.
    """
    home = {r["scenario"]: r["total_usd"] for r in rows if r["arm"] == "home" and r["total_usd"] > 0}
    found = []
    for key, share in shares.items():
        own = [r for r in rows if r["arm"] == key and r["scenario"] in home]
        if not own or (wanted and key not in wanted):
            continue
        low, high = (None if end is None or key == "home" else 100 * end for end in (share.low, share.high))
        parts = {c: 100 * sum(r[f"{c}_usd"] / home[r["scenario"]] for r in own) / len(own) for c in COMPONENTS}
        dots = {r["scenario"]: 100 * r["total_usd"] / home[r["scenario"]] for r in own}
        arm = land.arms[key]
        ink = "rule" if key == best_rule else arm.ink
        found.append(Arm(key, arm.label, dots, 100 * share.mean, low, high, ink, SYMBOLS.get(ink, "circle"), parts))
    return sorted(found, key=lambda a: (-a.value, a.key))


def csv_rows(arms: Sequence[Arm], **before: Any) -> list[dict[str, Any]]:
    """Numbers of a figure: a row for each dot, then one for each mean with interval and components; `before` are its first columns."""
    empty = dict.fromkeys(COMPONENTS)
    rows: list[dict[str, Any]] = []
    for a in arms:
        rows += [before | {"arm": a.name, "scenario": s, "of_home": v, "low": None, "high": None} | empty for s, v in a.dots.items()]
        rows.append(before | {"arm": a.name, "scenario": "mean", "of_home": a.value, "low": a.low, "high": a.high} | (a.parts or empty))
    return rows


def reach(arms: Sequence[Arm]) -> tuple[float, float]:
    """Ends of an axis that holds all arms, without those that cost much more than home and the others (they are `off the axis`)."""
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
    """Plot dots, interval and mean of an arm; return whether it is on the axis, which ends at `right`."""
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
    """The note in the row of an arm that is off the axis."""
    return annotation(right, row, "off the axis →", ink="ink-3", at=("right", "middle"), **refs)


def key_of(page: Page, arms: Sequence[Arm]) -> str:
    """HTML that says what dots, lines and marks are."""
    seeds, level = page.numbers["landscape_seeds"], page.numbers["interval_level_pct"]
    dot = "one scenario" if seeds == 1 else f"one scenario (mean of {plural(seeds, 'seed')})"
    mean = f"mean and {num(level)} % interval" if any(a.low is not None for a in arms) else "mean"
    bar = '<i style="--c:var(--ink-2)"></i>' if any(a.low is not None for a in arms) else '<i class="box" style="--c:var(--ink-2)"></i>'
    return f'<span><i class="dot" style="--c:var(--random)"></i>{dot}</span><span>{bar}{mean}</span>'


def said(land: Shown, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Tags, provenance and command of what shows `rows`."""
    families = sorted({str(r["family"]) for r in rows})
    design = f"{plural(land.summary.seeds, 'seed')} \u00d7 {plural(land.summary.scenarios, 'scenario')}"
    design += " each" if len(families) > 1 else ""
    names = f"{'family' if len(families) == 1 else 'families'} {', '.join(families)}"
    return {
        "tags": [*sorted({land.origins[r["scenario"]] for r in rows}, reverse=True), "sampled: home, data, payload, state"],
        "provenance": f"{design} · {names} · test span · some prices assumed, see docs/methods/world.md",
        "command": "dvc repro compare report",
    }
