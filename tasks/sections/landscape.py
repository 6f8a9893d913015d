"""Section: what decisions are worth in the world, from random to the optimistic bound. Not here: learned policies, how the world works."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from tasks.page import Column, Page, annotation, num
from tasks.page_facts import plural
from tasks.page_plot import axis, both, colour

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TITLE, NAV, QUESTION = "Decision landscape", "Landscape", "How much does it matter where apps run, before anything is learned?"
COMMAND = "dvc repro compare report"
NAMES = {
    "random": "Random, one draw",
    "home": "Home",
    "greedy_locality": "Nearest region",
    "greedy_cold_start": "Fewest cold starts",
    "greedy_objective": "Greedy, no hysteresis",
    "greedy_hysteresis": "Greedy with hysteresis",
    "best_static": "Best static (train)",
    "coordinated_static": "Coordinated static (train)",
    "persistence": "Persistence rule",
    "hindsight": "Hindsight (coupled)",
    "optimistic_bound": "Optimistic bound (alone)",
}
INKS = {"random": "random", "best_static": "static", "persistence": "rule", "hindsight": "hindsight", "optimistic_bound": "bound"}
SYMBOLS = {"best_static": "square", "persistence": "diamond", "hindsight": "circle-open", "optimistic_bound": "line-ns-open"}
COMPONENTS = ("execution", "egress", "carbon", "sla", "latency", "moves")
CALM = "calm"
FEW = 3  # scenarios below which no verdict is given


def render(page: Page) -> str:
    """HTML of the section."""
    found = page.json("world/landscape.json")
    rows = _rows(page, "landscape")
    if not found or not rows:
        return ""
    return _ladder(page, found, rows) + _components(page, rows) + _families(page, rows)


def _rows(page: Page, name: str) -> list[dict[str, Any]]:
    """Rows of a table of reports/world, numbers as numbers, with the share of home of the same scenario."""
    file = page.paths.world / f"{name}.csv"
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as handle:
        rows = [
            {k: v if k in ("arm", "scenario", "family", "class") else float(v or "nan") for k, v in r.items()}
            for r in csv.DictReader(handle)
        ]
    home: dict[Any, Any] = {r["scenario"]: r["total_usd"] for r in rows if r["arm"] == "home"}
    return [r | {"name": NAMES.get(str(r["arm"]), r["arm"]), "of_home": 100 * r["total_usd"] / home[r["scenario"]]} for r in rows]


def _said(rows: list[dict[str, Any]]) -> dict[str, Any]:
    scenarios = len({r["scenario"] for r in rows})
    return {
        "tags": ["twin", "drawn: home, data, payload, state"],
        "provenance": f"{plural(scenarios, 'scenario')} · test span · some prices assumed, see docs/methods/world.md",
        "command": COMMAND,
    }


def _ladder(page: Page, found: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    family = CALM if any(r["family"] == CALM for r in rows) else str(rows[0]["family"])
    own = [r for r in rows if r["family"] == family]
    summary = found["families"][family]
    share = summary["static_share"]
    few = f" (n = {summary['scenarios']}: too few for a verdict)" if summary["scenarios"] < FEW else ""
    heading = f"No static choice could be shown to help{few}"
    if share:
        taken = page.metric("static_share_pct", round(100 * share["value"], 1))
        page.metric("landscape_scenarios", summary["scenarios"])
        heading = f"Best static takes {num(taken, 0)} % of home to hindsight{few}"
    gap = page.metric("gap_of_home_pct", round(100 * summary["gap_share_of_home"], 1))
    return page.figure(
        "landscape_ladder",
        heading=heading,
        sentence=f"Objective in % of home of the same scenario, family {family}; best static to hindsight: {num(gap, 1)} % of home.",
        **both(_ladder_figure, own),
        key="<span>dot: one scenario</span><span>mark: mean</span>",
        alt=f"{heading}; the gap from best static to hindsight is {num(gap, 1)} % of home",
        data=[{k: r[k] for k in ("arm", "scenario", "family", "total_usd", "of_home")} for r in own],
        **_said(own),
    )


def _ladder_figure(rows: list[dict[str, Any]], *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    arms = list(dict.fromkeys(str(r["arm"]) for r in rows))
    mean = {a: sum(v := [r["of_home"] for r in rows if r["arm"] == a]) / len(v) for a in arms}
    arms.sort(key=lambda a: -mean[a])
    figure = go.Figure()
    for i, arm in enumerate(arms):
        ink = colour(INKS.get(arm, "home"))
        own = [r["of_home"] for r in rows if r["arm"] == arm]
        figure.add_scatter(x=own, y=[i] * len(own), mode="markers", marker={"size": 5, "color": ink, "opacity": 0.38}, hoverinfo="skip")
        figure.add_scatter(
            x=[mean[arm]], y=[i], mode="markers", cliponaxis=False,
            hovertemplate=NAMES.get(arm, arm) + ": %{x:.1f} % of home<extra></extra>",
            marker={"symbol": SYMBOLS.get(arm, "circle"), "size": 11, "color": ink, "line": {"width": 2, "color": ink}},
        )  # fmt: skip
    text = []
    for i, arm in enumerate(arms):
        name, value = NAMES.get(arm, arm), f"<b>{num(mean[arm], 1)}</b> %"
        if narrow:
            text.append(annotation(0, i, name, at=("left", "bottom"), refs=("paper", "y"), yshift=12))
            text.append(annotation(1, i, value, ink="ink", at=("right", "bottom"), refs=("paper", "y"), yshift=12))
        else:
            text.append(annotation(0, i, name, size=13, at=("right", "middle"), refs=("paper", "y"), xshift=-12))
            text.append(annotation(1, i, value, ink="ink", size=13, refs=("paper", "y"), xshift=12))
    values = [r["of_home"] for r in rows]
    low, high = min(values), max(values)
    edge = 0.05 * (high - low) or 5.0
    figure.update_layout(
        height=(54 if narrow else 30) * len(arms) + 74,
        margin={"l": 12 if narrow else 190, "r": 12 if narrow else 90, "t": 22, "b": 44},
        annotations=text,
        xaxis=axis(range=[low - edge, high + edge], nticks=5 if narrow else 9, title="objective, % of home (axis not from 0)"),
        yaxis=axis(range=[len(arms) - 0.5, -0.8 if narrow else -0.5], showgrid=False, showticklabels=False),
    )
    return figure


def _components(page: Page, rows: list[dict[str, Any]]) -> str:
    family = CALM if any(r["family"] == CALM for r in rows) else str(rows[0]["family"])
    own = [r for r in rows if r["family"] == family]
    table = []
    for arm in dict.fromkeys(str(r["arm"]) for r in own):
        of_arm = [r for r in own if r["arm"] == arm]
        mean = {k: sum(r[k] for r in of_arm) / len(of_arm) for k in ("of_home", "total_usd", "moves", *(f"{c}_usd" for c in COMPONENTS))}
        table.append({"name": NAMES.get(arm, arm)} | mean)
    static = next((r for r in table if r["name"] == NAMES["best_static"]), None)
    home = next(r for r in table if r["name"] == NAMES["home"])
    saved = max(COMPONENTS, key=lambda c: home[f"{c}_usd"] - static[f"{c}_usd"]) if static else ""
    return page.table(
        "landscape_components",
        heading=f"Best static saves most on {saved}" if static else "What each arm costs",
        sentence=f"Means over the scenarios of family {family}, USD on the test span; SLA holds misses and rejects, moves hold floors.",
        columns=[
            Column("name", "Arm"),
            Column("of_home", "Of home", "%", "number"),
            Column("total_usd", "Total", "USD", "number"),
            *(Column(f"{c}_usd", "SLA" if c == "sla" else c.capitalize(), "USD", "number") for c in COMPONENTS),
        ],
        rows=table,
        **_said(own),
    )


def _families(page: Page, rows: list[dict[str, Any]]) -> str:
    arms = ("home", "best_static", "persistence", "greedy_hysteresis", "hindsight")
    table = []
    for scenario in sorted({str(r["scenario"]) for r in rows}):
        own = {str(r["arm"]): r for r in rows if r["scenario"] == scenario}
        shares = {arm: own[arm]["of_home"] for arm in arms if arm in own and arm != "home"}
        table.append({"scenario": scenario, "home_usd": own["home"]["total_usd"], "binding": 100 * own["home"]["binding_share"]} | shares)
    most = max(table, key=lambda r: (r["binding"], r["scenario"]))
    felt = page.metric("binding_most_pct", round(most["binding"], 1))
    heading = f"Capacity is felt most in {most['scenario']}: in {num(felt, 1)} % of the intervals with calls"
    return page.table(
        "landscape_families",
        heading=heading,
        sentence="Share of home by scenario; capacity felt: a call of the interval waited or was rejected, at home.",
        columns=[
            Column("scenario", "Scenario"),
            Column("home_usd", "Home", "USD", "number"),
            Column("binding", "Capacity felt", "% of intervals", "number"),
            *(Column(arm, NAMES[arm], "% of home", "number") for arm in arms if arm != "home"),
        ],
        rows=table,
        **_said(rows),
    )
