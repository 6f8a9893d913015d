"""What the sections of the tactical and the strategic layer share: costs of the arms, what they close, curves. Not here: any section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.evaluation.layers_record import FamilyOfLayer, LayerMetrics
from tasks.report.parts.arms import ROW_NARROW, ROW_WIDE, SYMBOLS, Arm, add_arm, annotation, family_in_front, labels, off_axis, reach
from tasks.report.plot import axis, both, colour, decimated, y_title
from tasks.report.text import Column, interval, num
from tasks.report.wording import NO_RATIO, Effect, finding, fitting, told, too_few

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from tasks.evaluation.landscape_record import Interval
    from tasks.report.page import Page

REFERENCES = {"best_static": "best static", "greedy_hysteresis": "the tuned greedy rule", "planner_response": "the planner"}
TAGS = ["twin", "sampled: home, data, payload, state"]
COMMAND = "dvc repro compare report"
DOTS = '<span><i class="dot" style="--c:var(--random)"></i>one scenario</span><span><i style="--c:var(--ink-2)"></i>mean, interval</span>'
LINES = (
    '<span><i style="--c:var(--learned-soft)"></i>one training seed</span><span><i style="--c:var(--learned)"></i>mean of the seeds</span>'
)
SHOWN_WITH = ("home", "best_static", "greedy_hysteresis", "planner_response", "hindsight")


def metrics_of(page: Page, layer: str) -> LayerMetrics | None:
    """What `compare` says of the arms of a layer; None while there is nothing."""
    return page.read(f"reports/{layer}/metrics.json", LayerMetrics)


def design(found: LayerMetrics) -> str:
    """HTML that a small design says once."""
    family = found.families[family_in_front(list(found.families))]
    return too_few(max(arm.seeds for arm in family.arms.values()), family.scenarios)


def effect(found: Interval, seeds: int) -> Effect:
    """A difference in % of home."""
    return Effect.of(found, seeds)


def costs(page: Page, layer: str, found: LayerMetrics, subject: str, other: str) -> str:
    """Dots and intervals of all arms of a layer in the family in front, beside what they are measured against."""
    name = family_in_front(list(found.families))
    family, named = found.families[name], {arm.name: arm for arm in found.arms}
    rows = [row for row in page.read_csv(f"reports/{layer}/evaluation_results.csv") if row["family"] == name]
    arms = [arm for key in (*SHOWN_WITH, *family.arms) if (arm := _arm(key, rows, family, named)) is not None]
    arms.sort(key=lambda arm: (-arm.value, arm.key))
    own = family.arms[subject]
    said = effect(own.minus[other], own.seeds)
    heading = fitting(finding(named[subject].label, named[other].label, said), f"{named[subject].label} against {named[other].label}")
    return page.figure(
        f"{layer}_costs",
        heading=heading,
        sentence=f"Objective in % of home in the same scenario, family {name}; dots are scenarios, means over training seeds.",
        **both(_costs_figure, arms),
        key=DOTS,
        alt=f"{heading}. {named[subject].label} costs {num(100 * own.share_of_home.mean, 1)} % of home.",
        tags=TAGS,
        provenance=f"{own.seeds} training seeds × {family.scenarios} scenarios · family {name} · test span",
        command=COMMAND,
        data=[{"arm": arm.name, "scenario": s, "of_home": v} for arm in arms for s, v in arm.dots.items()],
        below=800,
    )


def _arm(key: str, rows: Sequence[dict[str, str]], family: FamilyOfLayer, named: dict[str, Any]) -> Arm | None:
    dots: dict[str, list[float]] = {}
    for row in rows:
        if row["arm"] == key:
            dots.setdefault(row["scenario"], []).append(float(row["objective_pct_of_home"]))
    if not dots or key not in named:
        return None
    means = {scenario: sum(values) / len(values) for scenario, values in dots.items()}
    share = family.arms[key].share_of_home if key in family.arms else None
    low, high = (None if share is None or end is None else 100 * end for end in ((share.low, share.high) if share else (None, None)))
    ink = named[key].ink
    return Arm(key, named[key].label, means, sum(means.values()) / len(means), low, high, ink, SYMBOLS.get(ink, "circle"))


def _costs_figure(arms: list[Arm], *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    figure, text = go.Figure(), []
    low, high = reach(arms)
    for i, arm in enumerate(arms):
        if not add_arm(figure, arm, i, high):
            text.append(off_axis(i, high))
        text += labels(arm, i, narrow=narrow)
    figure.update_layout(
        height=(ROW_NARROW if narrow else ROW_WIDE) * len(arms) + 80,
        margin={"l": 12 if narrow else 236, "r": 12 if narrow else 130, "t": 22, "b": 44},
        annotations=text,
        xaxis=axis(range=[low, high], nticks=6, title=f"% of home (the axis starts at {low})"),
        yaxis=axis(range=[len(arms) - 0.5, -0.8 if narrow else -0.5], showgrid=False, showticklabels=False),
    )
    return figure


def closed(page: Page, layer: str, found: LayerMetrics) -> str:
    """The table of what every arm closes of the gaps to hindsight, in every family, with and without the five largest apps."""
    named = {arm.name: arm for arm in found.arms}
    rows = []
    for apps, families in (("all", found.families), ("without the five largest", found.without_five)):
        for name, family in families.items():
            for key, arm in family.arms.items():
                row: dict[str, Any] = {"arm": named[key].label, "family": name, "apps": apps, "seeds": arm.seeds}
                row |= {"of_home": 100 * arm.share_of_home.mean, "interval": _ends(arm.share_of_home)}
                for reference in REFERENCES:
                    row[reference] = _share(arm.closed.get(reference))
                    row[f"{reference}_gap"] = 100 * family.gap_share_of_home.get(reference, float("nan"))
                least = arm.minus.get("planner_response")
                row["verdict"] = told(effect(least, arm.seeds)) if least else "– not judged"
                rows.append(row)
    columns = [Column("arm"), Column("family"), Column("apps"), Column("seeds", kind="number")]
    columns += [Column("of_home", "cost", "% of home", "number", 1), Column("interval", "its interval", "% of home")]
    for reference, words in REFERENCES.items():
        columns += [Column(reference, f"closes from {words}"), Column(f"{reference}_gap", "that gap", "% of home", "number", 1)]
    columns.append(Column("verdict", "against the planner", kind="verdict"))
    family = found.families[family_in_front(list(found.families))]
    return page.table(
        f"{layer}_closed",
        heading="What every arm closes of the gap between a reference and hindsight",
        sentence=f"0 % is the reference, 100 % is hindsight in the coupled world; {NO_RATIO} where that is so.",
        columns=columns,
        rows=rows,
        tags=TAGS,
        provenance=f"test span · {family.scenarios} scenarios a family · intervals by training seeds and scenarios",
        command=COMMAND,
        folded=len(rows) > 14,
    )


def _share(found: Interval | None) -> str:
    if found is None:
        return "no ratio"
    ends = "" if found.low is None or found.high is None else f" {interval(100 * found.low, 100 * found.high, 0)}"
    return f"{num(100 * found.mean, 0)} %{ends}"


def _ends(found: Interval) -> str | None:
    return None if found.low is None or found.high is None else interval(100 * found.low, 100 * found.high, 1)


def curves(page: Page, identity: str, rows: Sequence[dict[str, Any]], metric: str, heading: str, sentence: str, title: str) -> str:
    """Learning curves of one metric: a thin line per training seed and their mean; nothing where it was not measured."""
    own = [row for row in rows if row["metric"] == metric]
    lines: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for row in own:
        lines.setdefault((row["arm"], row["seed"]), []).append((float(row["transitions"]), float(row["value"])))
    if not any(len(points) > 1 for points in lines.values()):
        return ""
    return page.figure(
        identity,
        heading=heading,
        sentence=sentence,
        **both(_curves_figure, lines, title),
        key=LINES,
        alt=heading,
        tags=["twin", "measured"],
        provenance=f"{len(lines)} training seeds · training fleets",
        command="dvc repro report",
        data=[{"arm": arm, "seed": seed, "transitions": x, "value": y} for (arm, seed), line in lines.items() for x, y in line],
    )


def _curves_figure(lines: dict[tuple[str, int], list[tuple[float, float]]], title: str, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    by_x: dict[float, list[float]] = {}
    for points in lines.values():
        xs, ys = decimated([x for x, _ in points], [y for _, y in points])
        figure.add_scatter(x=xs, y=ys, mode="lines", line={"width": 1.2, "color": colour("learned-soft")}, hoverinfo="skip")
        for x, y in points:
            by_x.setdefault(x, []).append(y)
    full = sorted(x for x, ys in by_x.items() if len(ys) == len(lines))
    xs, ys = decimated(full, [sum(by_x[x]) / len(by_x[x]) for x in full])
    figure.add_scatter(x=xs, y=ys, mode="lines", line={"width": 2.8, "color": colour("learned")}, hoverinfo="skip")
    figure.update_layout(
        height=260 if narrow else 280,
        margin={"l": 58, "r": 14, "t": 30, "b": 42},
        annotations=[y_title(title, x=0.0)],
        xaxis=axis(title="transitions of a seed", nticks=5),
        yaxis=axis(nticks=5),
    )
    return figure


__all__ = ["annotation", "closed", "costs", "curves", "design", "effect", "metrics_of"]
