"""What the sections of the tactical and the strategic layer share: costs of the arms, what they close, what is left without them.

Not here: learning curves (learning.py), any section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.core.terms import SMALL_GAP
from tasks.evaluation.layers_record import FamilyOfLayer, LayerMetrics
from tasks.report.parts.arms import ROW_NARROW, ROW_WIDE, SYMBOLS, Arm, add_arm, family_in_front, labels, off_axis, reach
from tasks.report.plot import axis, both
from tasks.report.text import Column, interval, num
from tasks.report.wording import NO_RATIO, Effect, finding, fitting, in_sentence, told, too_few

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from tasks.evaluation.landscape_record import Interval, Summary
    from tasks.report.page import Page

REFERENCES = {"best_static": "best static", "greedy_hysteresis": "the tuned greedy rule", "planner_response": "the planner"}
PRIOR, CHOSEN = "planner_response", "as_chosen"  # what learned arms start from; what the orchestrator uses
TAGS = ["twin", "sampled: home, data, payload, state"]
COMMAND = "dvc repro compare report"
DOTS = '<span><i class="dot" style="--c:var(--random)"></i>one scenario</span><span><i style="--c:var(--ink-2)"></i>mean, interval</span>'
USE = {"better": "✓ of use", "worse": "✕ harmful", "equal": "≈ useless", "unclear": "≈ not shown to be of use"}
SEEN = {"better": "– costs less, too few", "worse": "– costs more, too few", "equal": "– equal, too few", "unclear": "– unclear, too few"}
SHOWN_WITH = ("home", "best_static", "greedy_hysteresis", "planner_response", "hindsight")


def metrics_of(page: Page, layer: str) -> LayerMetrics | None:
    """What `compare` says of the arms of a layer; None while there is nothing."""
    return page.read(f"reports/{layer}/metrics.json", LayerMetrics)


def learned_tile(page: Page, summary: Summary) -> str:
    """HTML of the tile of the first screen that says what learning closes; empty while nothing learned is judged in the family in front.

    Args:
        page: the page.
        summary: of that family, for what is closed from the rule that is best on the span, in hindsight; without an interval.
    """
    found = metrics_of(page, "tactical")
    family = found.families[family_in_front(list(found.families))] if found else None
    if family is None or CHOSEN not in family.arms:
        return ""
    question, own = "How much of the rest does learning close?", family.arms[CHOSEN]
    if (share := own.closed[PRIOR]) is None:
        return page.tile(question, "no ratio", "", "the gap is under 1 % of home", is_learned=True)
    closes = page.number("learned_closes_pct", round(100 * share.mean, 3))
    gap = page.number("learned_gap_pct", round(100 * family.gap_share_of_home[PRIOR], 3))
    small = f"of the {num(gap, 1)} % of home from the planner with response to hindsight"
    if share.low is not None and share.high is not None:
        ends = (("low", share.low), ("high", share.high))
        low, high = (page.number(f"learned_closes_{end}_pct", round(100 * value, 3)) for end, value in ends)
        small = f"{interval(low, high, 0)} {small}"
    rule, hindsight = (summary.share_of_home[name].mean for name in (summary.best_rule, "hindsight"))
    if summary.best_rule != PRIOR and rule - hindsight >= SMALL_GAP:
        from_rule = page.number("learned_closes_from_rule_pct", round(100 * (rule - own.share_of_home.mean) / (rule - hindsight), 3))
        small += f"; {num(from_rule, 0)} % from the best rule"
    return page.tile(question, num(closes, 0), "%", small, is_learned=True)


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
    names = named[subject].label, in_sentence(named[other].label)
    heading = fitting(finding(*names, said), f"{names[0]} against {names[1]}")
    return page.figure(
        f"{layer}_costs",
        heading=heading,
        sentence=f"Objective in % of home in the same scenario, family {name}; dots are scenarios, means over training seeds.",
        **both(_costs_figure, arms),
        key=DOTS,
        alt=f"{heading}. {named[subject].label} costs {num(100 * own.share_of_home.mean, 1)} % of home.",
        tags=TAGS,
        provenance=f"{counted(own.seeds)} × {family.scenarios} scenarios · family {name} · test span",
        command=COMMAND,
        data=[{"arm": arm.name, "scenario": s, "of_home": v} for arm in arms for s, v in arm.dots.items()],
        below=800,
    )


def counted(seeds: int) -> str:
    """`1 training seed`."""
    return f"{seeds} training seed{'' if seeds == 1 else 's'}"


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


def replaced(page: Page, layer: str, found: LayerMetrics, pairs: Sequence[tuple[str, str, str]]) -> str:
    """The table that says what layers are worth: each arm against what is left without one of its layers, in every family.

    Args:
        page: under construction.
        layer: of the arms.
        found: its metrics.
        pairs: (layer, an arm that has it, the arm that is left when it is replaced by its identity).
    """
    named, rows = {arm.name: in_sentence(arm.label) for arm in found.arms}, []
    for name, family in found.families.items():
        for without, subject, other in pairs:
            arm = family.arms.get(subject)
            if arm is None or other not in arm.minus:
                continue
            change = effect(arm.minus[other], arm.seeds)
            row = {"layer": without, "family": name, "with": named[subject], "without": named.get(other, other), "change": change.value}
            row |= {"interval": _ends(arm.minus[other]), "verdict": (SEEN if change.is_small else USE)[change.word], "word": change.word}
            rows.append(row)
    if not rows:
        return ""
    useful = sum(row["word"] == "better" for row in rows)
    return page.table(
        f"{layer}_replaced",
        heading=f"A layer saves money in {useful} of {len(rows)} comparisons with what is left without it",
        sentence="What the layer changes, % of home; below zero is cheaper.",
        columns=[
            *(Column("layer", "Layer"), Column("family", "Family"), Column("with", "With it"), Column("without", "Without it")),
            *(Column("change", "Change", "% of home", "number", 1), Column("interval", "Its interval", "% of home")),
            Column("verdict", "The layer is", kind="verdict"),
        ],
        rows=rows,
        tags=TAGS,
        provenance=f"test span · {max(family.scenarios for family in found.families.values())} scenarios a family",
        command=COMMAND,
    )


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
    columns = [Column("arm", "Arm"), Column("family", "Family"), Column("apps", "Apps"), Column("seeds", "Seeds", kind="number")]
    columns += [Column("of_home", "Cost", "% of home", "number", 1), Column("interval", "Its interval", "% of home")]
    for reference, words in REFERENCES.items():
        columns += [Column(reference, f"Closes from {words}"), Column(f"{reference}_gap", "That gap", "% of home", "number", 1)]
    columns.append(Column("verdict", "Against the planner", kind="verdict"))
    in_front = family_in_front(list(found.families))
    family = found.families[in_front]
    best = min(family.arms, key=lambda key: (family.arms[key].share_of_home.mean, key))
    share = family.arms[best].closed.get("best_static")
    return page.table(
        f"{layer}_closed",
        heading=_closing(named[best].label, share, in_front),
        sentence=f"0 % is the reference, 100 % is hindsight in the coupled world; {NO_RATIO} where that is so.",
        columns=columns,
        rows=rows,
        tags=TAGS,
        provenance=f"test span · {family.scenarios} scenarios a family · intervals by training seeds and scenarios",
        command=COMMAND,
        folded=len(rows) > 14,
    )


def _closing(label: str, share: Interval | None, family: str) -> str:
    if share is None:
        return f"In {family}, too little is left between best static and hindsight for a ratio"
    if share.mean <= 0:
        return f"No arm of the layer closes any of the gap from best static to hindsight in {family}"
    said = f"{num(100 * share.mean, 0)} % of the gap from best static to hindsight in {family}"
    return fitting(f"{label} closes {said}", f"The best arm closes {said}")


def _share(found: Interval | None) -> str:
    if found is None:
        return "no ratio"
    ends = "" if found.low is None or found.high is None else f" {interval(100 * found.low, 100 * found.high, 0)}"
    return f"{num(100 * found.mean, 0)} %{ends}"


def _ends(found: Interval) -> str | None:
    return None if found.low is None or found.high is None else interval(100 * found.low, 100 * found.high, 1)
