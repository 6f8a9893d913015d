"""First screen: origin, headline, tiles, the ladder, limits. Not here: the evidence (the other sections).

While there is no landscape, headline and tiles speak of the data, and the picture is the calendar (data_times.py).
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from tasks.report.facts import plural, share_of_apps, source_of, volumes
from tasks.report.page import Page, annotation, interval, num, tag
from tasks.report.plot import axis, both, colour
from tasks.report.sections import first_limits
from tasks.report.sections.arms import (
    NAMES,
    ROW_NARROW,
    ROW_WIDE,
    Arm,
    Landscape,
    add_arm,
    arms_of,
    csv_rows,
    key_of,
    labels,
    load,
    off_axis,
    reach,
    said,
)  # fmt: skip
from tasks.report.sections.data_times import calendar
from tasks.report.text import percent
from tasks.report.wording import NO_RATIO, TIMES, Effect, finding, heading, too_few

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TITLE, NAV, QUESTION = "", "Answer", ""
TILES = 4
NO_BREAK = "\u00a0"
FILLERS = ("calls", "fit")  # tiles of the data beside those of the landscape
LADDER = ("random", "home", "best_static", "hindsight", "optimistic_bound")  # and the best rule
ORIGINS = {
    "twin": "generated data fitted to the public traces; not the traces themselves",
    "real": "rows of the public traces as they were released; a slice, not the whole",
}


def render(page: Page) -> str:
    """HTML of the first screen."""
    land, head, facts = load(page), _headline(page), _tiles(page)  # their figures are headline numbers on any page
    if land is None:
        tiles, picture, limits = list(facts.values()), calendar(page), first_limits.of_the_data(page)
    else:
        head, picture = _unbroken(_worth(page, land)), _ladder(page, land)
        limits = [_unbroken(point) for point in first_limits.of_the_world(page, land)]
        tiles = [*_worth_tiles(page, land), *(facts[name] for name in FILLERS if name in facts)][:TILES]
    shown = f'<div class="tiles">{"".join(tiles)}</div>' if tiles else ""
    points = "".join(f"<li>{html.escape(p)}</li>" for p in limits)
    box = f'<div class="limits"><p><b>Read this first</b></p><ul>{points}</ul></div>' if limits else ""
    return "".join([_origin(page, land), f"<h1>{html.escape(head)}</h1>", shown, picture, box])


def _origin(page: Page, land: Landscape | None) -> str:
    """What the page rests on: of one kind, or decisions judged on other calls than the ones whose figures it shows."""
    _, kind = source_of(page)
    judged = {land.origins[r["scenario"]] for r in land.own} if land else {kind}
    lines = [(kind, ORIGINS[kind])]
    if judged != {kind}:
        lines = [(one, f"decisions are judged on {ORIGINS[one]}") for one in sorted(judged, reverse=True)]
        lines.append((kind, f"figures of calls: {ORIGINS[kind]}"))
    return "".join(f'<div class="origin">{tag(one)}<span>{text}</span></div>' for one, text in lines)


def _unbroken(text: str) -> str:
    """A text in which no line ends between a number and its per cent or its times."""
    for joined in (" %", " = ", f" {TIMES} "):
        text = text.replace(joined, joined.replace(" ", NO_BREAK))
    return text


def _worth(page: Page, land: Landscape) -> str:
    """Two sentences: what foresight could save, and what one static choice takes of it."""
    summary = land.summary
    seeds, found = summary["seeds"], summary["differences"]
    foresight, static = (
        Effect.of(found[k]["of_home"], seeds, f) for k, f in (("home_minus_hindsight", -100.0), ("static_minus_home", 100.0))
    )
    page.metric("foresight_saves_pct", round(-foresight.value, 3))
    first = finding("Perfect foresight", "home", foresight, "the objective")
    second = finding("One good static choice", "home", static)
    if static.word == "better":
        second = NO_RATIO.capitalize()
        if summary["static_share"]:
            second = f"One good static choice takes {num(_static_share(page, summary), 0)} % of that"
    page.metric("static_saves_pct", round(-static.value, 3))
    return f"{first}. {second}{too_few(seeds, summary['scenarios'])}."


def _static_share(page: Page, summary: dict[str, Any]) -> float:
    return float(page.metric("static_share_pct", round(100 * summary["static_share"]["value"], 3)))


def _worth_tiles(page: Page, land: Landscape) -> list[str]:
    summary = land.summary
    reach_ = summary["differences"]["home_minus_hindsight"]["of_home"]
    home = page.metric("home_usd", round(summary["home_usd"], 6))
    between = _between(page, "foresight_saves", reach_, 1)
    days = (page.json("world/calibration.json") or {}).get("test_days")
    span = f"test span of {num(page.metric('test_span_days', round(days[1] - days[0], 2)), 1)} days" if days else "test span"
    tiles = [
        page.tile(
            "How much could perfect foresight save?",
            num(page.metrics["foresight_saves_pct"], 1),
            "%",
            f"{between}of home; home costs {num(home, 2)} USD per {span}",
        )
    ]
    page.metric("no_ratio_under_pct", 1.0)
    question = "How much of that does one good static choice take?"
    if summary["static_share"] is None:
        return [*tiles, page.tile(question, "no ratio", "", "the gap is under 1 % of home")]
    between = _between(page, "static_share", summary["static_share"], 0)
    return [*tiles, page.tile(question, num(_static_share(page, summary), 0), "%", f"{between}of the saving; no learning, no moves")]


def _between(page: Page, name: str, found: dict[str, Any], places: int) -> str:
    """Interval of a tile, in per cent, with a space behind it; "" below three scenarios."""
    if found["low"] is None:
        return ""
    low, high = (page.metric(f"{name}_{end}_pct", round(100 * found[end], 3)) for end in ("low", "high"))
    return f"{interval(low, high, places)} "


def _headline(page: Page) -> str:
    parts = []
    found = page.json("eda/concentration.json")
    calls = volumes(page)
    if calls:
        page.metric("calls_staged", calls["total"])
        page.metric("days", len(calls["days"]))
    if found and found.get("apps") and found.get("top"):
        count = max(1, min(5, len(found["apps"]) - 1))
        share = page.metric(f"share_top{count}_apps", found["top"].get(str(count), sum(found["apps"][:count]) / max(1, sum(found["apps"]))))
        page.metric("apps", len(found["apps"]))
        parts.append(share_of_apps(count, len(found["apps"]), percent(share)) + ".")
    elif calls:
        parts.append(f"{plural(calls['total'], 'call')} in {plural(len(calls['days']), 'day')} are ready for learning.")
    best = best_forecast(page)
    if best:
        apart = page.metric("best_forecast_from_naive", round(abs(1 - best["mase"]), 5))
        verdict = f"errs {num(100 * apart, 0)} % {'less' if best['mase'] < 1 else 'more'} than its naive yardstick"
        if round(100 * best["mase"]) == 100:
            verdict = "equals its naive yardstick"
        parts.append(f"Without learning, the best forecast of calls ({best['arm']}) {verdict}.")
    return " ".join(parts) or "No source is on: there is nothing to show yet."


def best_forecast(page: Page) -> dict[str, Any] | None:
    """Arm and MASE of the best forecast of calls on the test span."""
    best = (page.json("eda/forecasts.json") or {}).get("best")
    return best if best and best.get("mase") is not None else None


def _tiles(page: Page) -> dict[str, str]:
    """The tiles that speak of the data, by name."""
    tiles = {}
    quality = (page.json("eda/quality.json") or {}).get("sources") or []
    calls = volumes(page)
    if calls:
        days = plural(len(calls["days"]), "day")
        tiles["calls"] = page.tile("How many calls are staged?", num(calls["total"]), "", f"{calls['source']}, {days}")
    if quality:
        rows_in = page.metric("rows_in", sum(q["rows_in"] for q in quality))
        rejected = page.metric("rows_rejected", sum(q["rows_rejected"] for q in quality))
        share = f"{percent(page.metric('rows_rejected_share', rejected / rows_in))} of " if rows_in else "of "
        tiles["rejected"] = page.tile(
            "How many rows were rejected?", num(rejected), "", f"{share}{plural(rows_in, 'raw row')}, all sources"
        )
    fit = (page.json("validation/twin_fit.json") or {}).get("rows") or []
    if fit:
        passed = page.metric("twin_fit_passed", sum(r["pass"] is True for r in fit))
        judged = page.metric("twin_fit_judged", sum(r["pass"] is not None for r in fit))
        if judged:
            small = "targets met within their tolerance"
            tiles["fit"] = page.tile("Is the twin near the real traces?", num(passed), f"of {num(judged)}", small)
    best = best_forecast(page)
    if best:
        mase = page.metric("best_forecast_mase", best["mase"])
        page.metric("best_forecast_arm", best["arm"])
        spread = ""
        if best.get("mase_quartiles"):
            low, high = (page.metric(f"best_forecast_mase_{q}", v) for q, v in zip(("p25", "p75"), best["mase_quartiles"], strict=True))
            spread = f", half of the apps in {interval(low, high, 2)}"
        small = f"{best['arm']}, calls, test span{spread}; 1 = naive"
        tiles["forecast"] = page.tile("How good is the best forecast without learning?", num(mase, 2), "MASE", small)
    return tiles


def _ladder(page: Page, land: Landscape) -> str:
    """Random to bound in one column; the band from the best rule to hindsight is what is left to learn."""
    summary = land.summary
    best = summary["best_rule"]
    arms = arms_of(land.own, summary, best, (*LADDER, best))
    effect = Effect.of(summary["differences"]["rule_minus_static"]["of_home"], summary["seeds"])
    page.metric("rule_and_static_apart_pct", round(abs(effect.value), 3))
    left = summary["differences"]["rule_minus_hindsight"]
    gap = page.metric("gap_left_pct", round(100 * left["of_home"]["value"], 3))
    usd = page.metric("gap_left_usd", round(left["usd"]["value"], 6))
    said_ = heading("The best rule", "best static", effect)
    name = NAMES.get(best, best)
    of_gap = f"{num(gap, 1)} % of home = {num(usd, 2)} USD"
    band = f"the gap left to learn:<br>{of_gap}" if gap > 0 else ""
    return page.figure(
        "ladder",
        heading=said_,
        sentence=f"Objective in % of home of the same scenario, family {land.family}: money, carbon, SLA and latency in one sum. The best "
        f"rule of this span: {name[0].lower()}{name[1:]}.",
        **both(_ladder_figure, arms, band),
        key=key_of(page, arms),
        alt=f"{said_}. From the best rule to hindsight it is {of_gap}.",
        data=csv_rows(arms),
        **said(land, land.own),
    )


def _ladder_figure(arms: list[Arm], band: str, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    figure, text, shapes = go.Figure(), [], []
    low, high = reach(arms)
    for i, arm in enumerate(arms):
        if not add_arm(figure, arm, i, high):
            text.append(off_axis(i, high))
        text += labels(arm, i, narrow=narrow)
    top = -1.4 if narrow else -1.7
    rule, hindsight = (next(a.value for a in arms if is_it(a)) for is_it in (lambda a: a.ink == "rule", lambda a: a.key == "hindsight"))
    if band:
        shapes.append(
            {"type": "rect", "x0": hindsight, "x1": rule, "y0": 0, "y1": 1, "yref": "paper", "line": {"width": 0}, "layer": "below"}
            | {"fillcolor": colour("gap-wash")}
        )
        is_left = rule - low < 0.5 * (high - low)
        at, x = ("left", hindsight) if is_left else ("right", rule)
        text.append(
            annotation(x, 1, band, ink="rule", at=(at, "top"), refs=("x", "paper"), yshift=-4, align=at, xshift=4 if is_left else -4)
        )
    else:
        top = -0.8 if narrow else -0.5
    figure.update_layout(
        height=round((ROW_NARROW if narrow else ROW_WIDE) * (len(arms) - 0.5 - top)) + 66,
        margin={"l": 12 if narrow else 186, "r": 12 if narrow else 146, "t": 16, "b": 46},
        annotations=text,
        shapes=shapes,
        xaxis=axis(range=[low, high], nticks=5 if narrow else 9, title=f"objective, % of home (the axis starts at {low})"),
        yaxis=axis(range=[len(arms) - 0.5, top], showgrid=False, showticklabels=False),
    )
    return figure
