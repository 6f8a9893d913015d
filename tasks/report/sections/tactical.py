"""Section: the tactical layer, where inside or across clouds apps run. Not here: the strategic layer, the rules (landscape.py)."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from tasks.evaluation.policy_record import ShownPolicies, ShownPolicy
from tasks.report.page import Page, pair
from tasks.report.parts.layers import closed, costs, design, metrics_of, replaced
from tasks.report.parts.learning import VALIDATED, Curve, curves, validated
from tasks.report.parts.weights import weighed
from tasks.report.plot import axis, both, colour, y_title
from tasks.report.text import num

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ORDER, TITLE, NAV, QUESTION = 94, "Tactical layer", "Tactical", "Does a network place apps better than the planner that it starts from?"
TAGS = ["twin", "sampled: home, data, payload, state"]
CLOUD_INKS = {"aws": "aws", "azure": "azure", "gcp": "gcp"}
# (layer, an arm that has it, what is left when it is replaced by its identity)
REPLACED = (
    *(("tactical", "candidates", "home"), ("tactical", "candidates_ppo", "planner_response")),
    ("tactical", "strategic_tactical", "strategic_only"),
    *(("strategic", "strategic_tactical", other) for other in ("clouds_home", "clouds_random", "candidates")),
    ("operational", "full", "strategic_tactical"),
)
SCALE = [[0, "var(--s0)"], [0.2, "var(--s1)"], [0.4, "var(--s2)"], [0.6, "var(--s3)"], [0.8, "var(--s4)"], [1, "var(--s5)"]]


def add(page: Page) -> str:
    """HTML of the section."""
    found = metrics_of(page, "tactical")
    if found is None:
        return ""
    history, own = page.read_list("reports/tactical/training_history.json"), page.read_list("reports/tactical/candidates_history.json")
    tried = page.read_list("reports/tactical/candidates_ppo_history.json")
    shown = page.read("reports/tactical/policy.json", ShownPolicies)
    # In the order of the page: figures are numbered as they are made.
    return "".join((
        design(found),
        costs(page, "tactical", found, "candidates", "planner_response"),
        replaced(page, "tactical", found, REPLACED),
        closed(page, "tactical", found),
        weighed(page, found),
        pair(
            curves(page, "tactical_curve", history, "charts/validation", validated("PPO"), VALIDATED, "% of home, winsorised"),
            curves(page, "candidates_curve", own, "charts/validation", _corrected,
                   "Mean square error of expected costs in units of the app; the first point is the planner itself.", "error"),
        ),
        pair(
            curves(page, "tactical_value_loss", history, "losses/value_loss",
                   lambda curve: f"The critic's error goes from {num(curve.first, 0)} to {num(curve.last, 0)}",
                   "Mean square error of the critic, units of the reward.", "value loss"),
            curves(page, "tactical_explained", history, "losses/explained_variance",
                   lambda curve: f"In the end the critic explains {num(100 * curve.last, 0)} % of the returns' variance",
                   "1 is all of their variance, 0 is what a constant explains.", "explained variance"),
        ),
        pair(
            curves(page, "candidates_ppo_return", tried, "charts/episodic_return", _tried,
                   "Return of the episodes that end, against home; actions are sampled.", "return"),
            curves(page, "candidates_ppo_kl", tried, "losses/kl_to_planner",
                   lambda curve: f"The network's policy ends {num(curve.last, 4)} nats from the planner's",
                   "Divergence of the policy from the planner's, which the loss holds down.", "nats"),
        ),
        _policies(page, shown) if shown else "",
    ))  # fmt: skip


def _corrected(curve: Curve) -> str:
    return f"The network takes {num(100 * (1 - curve.best / curve.first), 1)} % off the planner's error on fleets it has not seen"


def _tried(curve: Curve) -> str:
    return f"Learning by trying earns {num(curve.first, 1)} an episode at first and {num(curve.last, 1)} in the end"


def _policies(page: Page, shown: ShownPolicies) -> str:
    key = "candidates" if "candidates" in shown.arms else min(shown.arms)
    arm = shown.arms[key]
    decided = [hour for hour in range(24) if any(by_hour[hour] for by_hour in arm.by_region)]
    most = max(range(len(shown.regions)), key=lambda r: sum(arm.by_region[r]))
    share = 100 * sum(arm.by_region[most][hour] for hour in decided) / max(1, len(decided))
    hours = [
        {"region": region, "hour": hour, "share_of_apps": arm.by_region[r][hour]}
        for r, region in enumerate(shown.regions)
        for hour in range(24)
    ]
    provenance = f"{shown.scenario} · arm {key} · test span"
    heat = page.figure(
        "tactical_policy",
        heading=f"Most apps are in {shown.regions[most]}: {num(share, 0)} % of them, mean over the day",
        sentence="Share of the apps in each region by hour of the day (UTC), means over the decisions of the test span.",
        **both(_heat_figure, shown, arm),
        key='<span><i class="box" style="--c:var(--s1)"></i>few</span><span><i class="box" style="--c:var(--s5)"></i>many</span>',
        alt=f"Most apps are in {shown.regions[most]}",
        tags=TAGS,
        provenance=provenance,
        command="dvc repro report",
        data=hours,
    )
    timeline = page.figure(
        "tactical_timeline",
        heading=f"{num(sum(arm.moves))} moves in {num(len(arm.moves))} decisions",
        sentence="Share of the apps in each cloud at every decision of the test span.",
        **both(_timeline_figure, shown, arm),
        key="".join(f'<span><i style="--c:var(--{CLOUD_INKS.get(c, "home")})"></i>{c}</span>' for c in shown.clouds),
        alt=f"{sum(arm.moves)} moves",
        tags=TAGS,
        provenance=provenance,
        command="dvc repro report",
        data=[
            {"hour": h, "moves": m} | dict(zip(shown.clouds, s, strict=True))
            for h, m, s in zip(arm.hours, arm.moves, arm.by_cloud, strict=True)
        ],
    )
    return pair(heat, timeline) + _responses(page, shown)


def _heat_figure(shown: ShownPolicies, arm: ShownPolicy, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    order = sorted(range(len(shown.regions)), key=lambda r: (-sum(arm.by_region[r]), shown.regions[r]))
    z = [[100 * value for value in arm.by_region[r]] for r in order]
    figure = go.Figure(
        go.Heatmap(
            z=z, x=list(range(24)), y=[shown.regions[r] for r in order], colorscale=SCALE, showscale=False, xgap=1.5, ygap=1.5,
            hovertemplate="%{y}, %{x} h: %{z:.1f} % of the apps<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(
        height=20 * len(order) + 70,
        margin={"l": 172, "r": 8, "t": 12, "b": 42},
        xaxis=axis(title="hour of the day, UTC", dtick=6, showgrid=False),
        yaxis=axis(autorange="reversed", showgrid=False),
    )
    return figure


def _timeline_figure(shown: ShownPolicies, arm: ShownPolicy, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    for c, name in enumerate(shown.clouds):
        ink = CLOUD_INKS.get(name, "home")
        figure.add_scatter(
            x=list(arm.hours), y=[100 * row[c] for row in arm.by_cloud], mode="lines",
            line={"width": 2, "color": colour(ink), "shape": "hv"},
            hovertemplate=name + ": %{y:.0f} % of the apps<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=260,
        margin={"l": 48, "r": 12, "t": 30, "b": 42},
        annotations=[y_title("% of the apps")],
        xaxis=axis(title="hours since the start of the trace", nticks=6),
        yaxis=axis(rangemode="tozero", nticks=5),
    )
    return figure


def _responses(page: Page, shown: ShownPolicies) -> str:
    if not shown.responses:
        return ""
    steepest = sorted(enumerate(shown.responses), key=lambda pair: (-pair[1].usd[-1], pair[0]))
    names = "".join(f'<span><i style="--c:var(--m{i + 1})"></i>{html.escape(one.app_id[:8])}</span>' for i, one in steepest)
    rows: list[dict[str, Any]] = [
        {"app": one.app_id[:8], "utilisation": knot, "usd_per_million_calls": usd}
        for one in shown.responses
        for knot, usd in zip(shown.knots, one.usd, strict=True)
    ]
    return page.figure(
        "tactical_response",
        heading=f"In a full zone, a million calls of one app cost {num(steepest[0][1].usd[-1], 0)} USD more than in an empty one",
        sentence="What bursts cost beyond the level of an app as a zone fills, from replays: the five apps for which that is worth most, "
        "named from top to bottom at the right edge.",
        **both(_response_figure, shown),
        key=names,
        alt="The response rises with the utilisation of the zone.",
        tags=TAGS,
        provenance=f"{shown.scenario} · train and valid spans",
        command="dvc repro report",
        data=rows,
    )


def _response_figure(shown: ShownPolicies, *, narrow: bool) -> Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    for i, one in enumerate(shown.responses):
        figure.add_scatter(
            x=[100 * knot for knot in shown.knots], y=list(one.usd), mode="lines+markers", line={"width": 2, "color": colour(f"m{i + 1}")},
            hovertemplate=one.app_id[:8] + ": %{y:.0f} USD at %{x:.0f} %<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=280,
        margin={"l": 58, "r": 14, "t": 30, "b": 42},
        annotations=[y_title("USD per million calls")],
        xaxis=axis(title="utilisation of the zone, %", nticks=6),
        yaxis=axis(rangemode="tozero", nticks=5),
    )
    return figure
