"""Section: the tactical layer, where inside or across clouds apps run. Not here: the strategic layer, the rules (landscape.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.evaluation.policy_record import ShownPolicies, ShownPolicy
from tasks.report.page import Page, pair
from tasks.report.parts.layers import closed, costs, curves, design, effect, metrics_of
from tasks.report.plot import axis, both, colour, y_title
from tasks.report.text import num
from tasks.report.wording import finding

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from tasks.evaluation.layers_record import LayerMetrics

ORDER, TITLE, NAV, QUESTION = 94, "Tactical layer", "Tactical", "Does a network place apps better than the planner that it starts from?"
TAGS = ["twin", "sampled: home, data, payload, state"]
CLOUD_INKS = {"aws": "aws", "azure": "azure", "gcp": "gcp"}
SCALE = [[0, "var(--s0)"], [0.2, "var(--s1)"], [0.4, "var(--s2)"], [0.6, "var(--s3)"], [0.8, "var(--s4)"], [1, "var(--s5)"]]


def add(page: Page) -> str:
    """HTML of the section."""
    found = metrics_of(page, "tactical")
    if found is None:
        return ""
    history, own = page.read_list("reports/tactical/training_history.json"), page.read_list("reports/tactical/candidates_history.json")
    learning = pair(
        curves(page, "tactical_curve", history, "charts/validation", "Validation of the specified PPO while it trains",
               "Cost on the valid spans; lower is better, the best checkpoint of a seed is kept.", "% of home, winsorised"),
        curves(page, "candidates_curve", own, "charts/validation", "Error of the corrected planner on fleets it has not seen",
               "Mean square error of expected costs in units of the app; the first point is the planner itself.", "error"),
    ) + pair(
        curves(page, "tactical_value_loss", history, "losses/value_loss", "Value loss of the specified PPO",
               "Mean square error of the critic, units of the reward.", "value loss"),
        curves(page, "tactical_explained", history, "losses/explained_variance", "How much of the returns the critic explains",
               "1 is all of their variance, 0 is what a constant explains.", "explained variance"),
    )  # fmt: skip
    shown = page.read("reports/tactical/policy.json", ShownPolicies)
    pictures = _policies(page, shown) if shown else ""
    return (
        design(found)
        + costs(page, "tactical", found, "candidates", "planner_response")
        + _identity(found)
        + closed(page, "tactical", found)
        + learning
        + pictures
    )


def _identity(found: LayerMetrics) -> str:
    """What is left when the layer is replaced by its identity, in words."""
    said = []
    labels = {arm.name: arm.label for arm in found.arms}
    for name, family in found.families.items():
        for subject, other in (("candidates", "home"), ("strategic_tactical", "candidates")):
            arm = family.arms.get(subject)
            if arm is None or other not in arm.minus:
                continue
            change = effect(arm.minus[other], arm.seeds)
            words = finding(labels[subject], labels.get(other, other), change)
            useless = " A layer that changes nothing is of no use there." if change.word in ("equal", "unclear") else ""
            said.append(f"{name}: {words}.{useless}")
    return "<ul>" + "".join(f"<li>{line}</li>" for line in said) + "</ul>" if said else ""


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
    top = shown.responses[0]
    rows: list[dict[str, Any]] = [
        {"app": one.app_id[:8], "utilisation": knot, "usd_per_million_calls": usd}
        for one in shown.responses
        for knot, usd in zip(shown.knots, one.usd, strict=True)
    ]
    return page.figure(
        "tactical_response",
        heading=f"Bursts of app {top.app_id[:8]} cost {num(top.usd[-1], 0)} USD more per million calls in a full zone",
        sentence="What a million calls cost beyond their level as a zone fills, from replays: the five apps for which that is worth most.",
        **both(_response_figure, shown),
        key="",
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
