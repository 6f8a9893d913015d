"""Section: the first screen with origin, headline, tiles, the ladder, limits. Not here: the evidence (the other sections).

While there is no landscape, headline and tiles are about the data, and the picture is the calendar (parts/data_times.py).
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from tasks.core.terms import SMALL_GAP
from tasks.data.twin_fit_record import TwinFit
from tasks.eda.records import BestForecast, Concentration, Forecasts, Quality
from tasks.report.facts import plural, share_of_apps, source_of, volumes
from tasks.report.page import Page, annotation, interval, num, tag
from tasks.report.parts import answer_limits
from tasks.report.parts.arms import (
    ROW_NARROW,
    ROW_WIDE,
    Arm,
    Shown,
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
from tasks.report.parts.data_times import calendar
from tasks.report.parts.layers import learned_tile
from tasks.report.plot import axis, both, colour
from tasks.report.text import percent
from tasks.report.wording import NO_RATIO, TIMES, Effect, finding, too_few
from tasks.world.calibration_record import Calibration

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from tasks.evaluation.landscape_record import Family, Interval

ORDER, TITLE, NAV, QUESTION = 10, "", "Answer", ""
TILES = 4
NO_BREAK = "\u00a0"
LEAST_USD = 0.1  # smaller sums are shown with three significant digits
FILLERS = ("fit", "calls")  # tiles of the data beside those of the landscape
LADDER = ("random", "home", "best_static", "hindsight", "optimistic_bound")  # and the best rule
ORIGINS = {
    "twin": "generated data fitted to the public traces; not the traces themselves",
    "real": "rows of the public traces as they were released; a slice, not the whole",
    "own": "your own traces, as they lie in data/inbox",
}


def add(page: Page) -> str:
    """HTML of the first screen."""
    land, head, facts = load(page), _headline(page), _tiles(page)  # their figures are headline numbers on any page
    design = ""
    if land is None:
        tiles, picture, limits = list(facts.values()), calendar(page), answer_limits.of_the_data(page)
    else:
        head, picture = _unbroken(_worth(page, land)), _ladder(page, land)
        design = too_few(land.summary.seeds, land.summary.scenarios)
        limits = [_unbroken(point) for point in answer_limits.of_the_world(page, land)]
        learned = learned_tile(page, land.summary)
        tiles = [*_worth_tiles(page, land), *([learned] if learned else []), *(facts[name] for name in FILLERS if name in facts)][:TILES]
    shown = f'<div class="tiles">{"".join(tiles)}</div>' if tiles else ""
    points = "".join(f"<li>{html.escape(p)}</li>" for p in limits)
    box = f'<div class="limits"><p><b>Read this first</b></p><ul>{points}</ul></div>' if limits else ""
    return "".join([_origin(page, land), f"<h1>{html.escape(head)}</h1>{design}", shown, picture, box])


def _origin(page: Page, land: Shown | None) -> str:
    """Where the calls come from, and the calls that decisions are judged on if these are others."""
    _, kind = source_of(page)
    judged = {land.origins[r["scenario"]] for r in land.own} if land else {kind}
    lines = [(kind, ORIGINS[kind])]
    if judged != {kind}:
        lines = [(one, f"decisions are judged on {ORIGINS[one]}") for one in sorted(judged, reverse=True)]
        lines.append((kind, f"figures of calls: {ORIGINS[kind]}"))
    return "".join(f'<div class="origin">{tag(one)}<span>{text}</span></div>' for one, text in lines)


def _unbroken(text: str) -> str:
    """A text in which no line breaks between a number and the sign after it."""
    for joined in (" %", " = ", f" {TIMES} "):
        text = text.replace(joined, joined.replace(" ", NO_BREAK))
    return text


def _worth(page: Page, land: Shown) -> str:
    """Two sentences: what foresight could save, and how much of it one good static choice takes."""
    summary = land.summary
    foresight = Effect.of(summary.differences["home_minus_hindsight"].of_home, summary.seeds, -100.0)
    static = Effect.of(summary.differences["static_minus_home"].of_home, summary.seeds)
    saved = page.number("foresight_saves_pct", round(-foresight.value, 3))
    page.number("static_saves_pct", round(-static.value, 3))
    first = finding("placing apps with perfect foresight", "leaving them at home", foresight)
    if foresight.word == "better":
        first = f"Placing apps with perfect foresight would save {num(saved, 1)} % of what they cost at home"
    second = finding("placing each app once, on its past,", "leaving it at home", static)
    if static.word == "better":
        second = NO_RATIO.capitalize()
        if summary.static_share:
            second = f"Placing each app once, on its past, already saves {num(_static_share(page, summary), 0)} % of that"
    return f"{first}. {second}."


def _static_share(page: Page, summary: Family) -> float:
    return float(page.number("static_share_pct", round(100 * summary.static_share.mean, 3))) if summary.static_share else 0.0


def _worth_tiles(page: Page, land: Shown) -> list[str]:
    summary = land.summary
    saving = summary.differences["home_minus_hindsight"].of_home
    home = page.number("home_usd", round(summary.home_usd, 6))
    between = _between(page, "foresight_saves", saving, 1)
    found, span = page.read("reports/world/calibration.json", Calibration), "test span"
    if found:
        start, end = found.test_days
        span = f"test span of {num(page.number('test_span_days', round(end - start, 2)), 1)} days"
    tiles = [
        page.tile(
            "How much could perfect foresight save?",
            num(page.numbers["foresight_saves_pct"], 1),
            "%",
            f"{between}of the cost at home: {num(home, 2 if home >= LEAST_USD else None)} USD per {span}",
        )
    ]
    page.number("no_ratio_under_pct", 100 * SMALL_GAP)
    question = "How much of that does one good static choice take?"
    if summary.static_share is None:
        return [*tiles, page.tile(question, "no ratio", "", "the gap is under 1 % of home")]
    between = _between(page, "static_share", summary.static_share, 0)
    return [*tiles, page.tile(question, num(_static_share(page, summary), 0), "%", f"{between}of the saving; no learning, no moves")]


def _between(page: Page, name: str, found: Interval, places: int) -> str:
    """Interval of a tile, in per cent, with a space behind it; "" below three scenarios."""
    if found.low is None or found.high is None:
        return ""
    low, high = (page.number(f"{name}_{end}_pct", round(100 * value, 3)) for end, value in (("low", found.low), ("high", found.high)))
    return f"{interval(low, high, places)} "


def _headline(page: Page) -> str:
    parts = []
    found = page.read("reports/eda/concentration.json", Concentration)
    calls = volumes(page)
    if calls:
        page.number("calls_staged", calls.total)
        page.number("days", len(calls.days))
    if found and found.apps and found.top:
        count = max(1, min(5, len(found.apps) - 1))
        share = page.number(f"share_top{count}_apps", found.top[str(count)])
        page.number("apps", len(found.apps))
        parts.append(share_of_apps(count, len(found.apps), percent(share)) + ".")
    elif calls:
        parts.append(f"{plural(calls.total, 'call')} in {plural(len(calls.days), 'day')} are ready for learning.")
    best = best_forecast(page)
    if best:
        apart = page.number("best_forecast_from_naive", round(abs(1 - best.mase), 5))
        verdict = f"has {num(100 * apart, 0)} % {'less' if best.mase < 1 else 'more'} error than the naive yardstick"
        if round(100 * best.mase) == 100:
            verdict = "is as good as the naive yardstick"
        parts.append(f"Without learning, the best forecast of calls ({best.arm}) {verdict}.")
    return " ".join(parts) or "No source is on: there is nothing to show yet."


def best_forecast(page: Page) -> BestForecast | None:
    """Arm and MASE of the best forecast of calls on the test span."""
    found = page.read("reports/eda/forecasts.json", Forecasts)
    return found.best if found else None


def _tiles(page: Page) -> dict[str, str]:
    """The tiles about the data, by name."""
    tiles = {}
    quality = page.read("reports/eda/quality.json", Quality)
    calls = volumes(page)
    if calls:
        days = plural(len(calls.days), "day")
        tiles["calls"] = page.tile("How many calls are staged?", num(calls.total), "", f"{calls.source}, {days}")
    if quality and quality.sources:
        rows_in = page.number("rows_in", sum(q.rows_in for q in quality.sources))
        rejected = page.number("rows_rejected", sum(q.rows_rejected for q in quality.sources))
        share = f"{percent(page.number('rows_rejected_share', rejected / rows_in))} of " if rows_in else "of "
        tiles["rejected"] = page.tile(
            "How many rows were rejected?", num(rejected), "", f"{share}{plural(rows_in, 'raw row')}, all sources"
        )
    fit = page.read("reports/validation/twin_fit.json", TwinFit)
    if fit and fit.rows:
        passed = page.number("twin_fit_passed", sum(r.is_met for r in fit.rows))
        judged = page.number("twin_fit_judged", len(fit.rows))
        small = "targets met within their tolerance"
        tiles["fit"] = page.tile("How close is the twin to the real traces?", num(passed), f"of {num(judged)}", small)
    best = best_forecast(page)
    if best:
        mase = page.number("best_forecast_mase", best.mase)
        page.number("best_forecast_arm", best.arm)
        spread = ""
        if best.mase_quartiles:
            low, high = (page.number(f"best_forecast_mase_{q}", v) for q, v in zip(("p25", "p75"), best.mase_quartiles, strict=True))
            spread = f", half of the apps in {interval(low, high, 2)}"
        small = f"{best.arm}, calls, test span{spread}; 1 = naive"
        tiles["forecast"] = page.tile("How good is the best forecast without learning?", num(mase, 2), "MASE", small)
    return tiles


def _ladder(page: Page, land: Shown) -> str:
    """Random to the optimistic bound in one column; the band from the best rule to hindsight is what is left to learn."""
    summary = land.summary
    best = summary.best_rule
    arms = arms_of(land, land.own, summary.share_of_home, best, (*LADDER, best))
    effect = Effect.of(summary.differences["rule_minus_static"].of_home, summary.seeds)
    page.number("rule_and_static_apart_pct", round(abs(effect.value), 3))
    left = summary.differences["rule_minus_hindsight"]
    gap = page.number("gap_left_pct", round(100 * left.of_home.mean, 3))
    usd = page.number("gap_left_usd", round(left.usd.mean, 6))
    said_ = finding("the best rule", "best static", effect)
    name = land.arms[best].label
    of_gap = f"{num(gap, 1)} % of home = {num(usd, 2 if abs(usd) >= LEAST_USD else None)} USD"
    band = f"the gap left to learn:<br>{of_gap}" if gap > 0 else ""
    return page.figure(
        "ladder",
        heading=said_,
        sentence=f"Objective in % of home in the same scenario, family {land.family}: money, carbon, SLA and latency in one sum. The best "
        f"rule on this span is the {name[0].lower()}{name[1:]}.",
        **both(_ladder_figure, arms, band),
        key=key_of(page, arms),
        alt=f"{said_}. Between the best rule and hindsight there is {of_gap}.",
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
