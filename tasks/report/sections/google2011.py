"""Section: the Google cluster of 2011, job submissions and machine shapes. Not here: the cells of 2019 (cells.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.eda.records import Google2011
from tasks.report.facts import COMMAND, plural, provenance
from tasks.report.page import Page, num
from tasks.report.plot import axis, colour, y_title
from tasks.report.text import Column

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ORDER, TITLE, NAV, QUESTION = 50, "Google 2011", "2011", "How did jobs arrive in an earlier cluster, and what machines served them?"
DAY_H, HEIGHT = 24, 300


def add(page: Page) -> str:
    """HTML of the section; empty where the source is off."""
    found = page.read("reports/eda/google2011.json", Google2011)
    return _jobs(page, found) + _machines(page, found) if found else ""


def _jobs(page: Page, found: Google2011) -> str:
    jobs = found.jobs
    if not jobs:
        return ""
    classes = sorted(jobs.classes)
    hours = len(jobs.classes[classes[0]])
    data = [
        {"hour": jobs.first_hour + h, **{f"class_{c}": jobs.classes[c][h] for c in classes}}
        | {"jobs": sum(jobs.classes[c][h] for c in classes)}
        for h in range(hours)
    ]
    ink = "s3" if page.is_twin(found.origin) else "ink"
    total = page.number("google2011_jobs", jobs.total)
    most = page.number("google2011_jobs_busiest_hour", max(d["jobs"] for d in data))
    heading = f"{num(total)} jobs were submitted, {num(most)} in the busiest hour"
    return page.figure(
        "jobs2011",
        heading=heading,
        sentence="Submissions per hour of the trace, all scheduling classes; the numbers by class are in the table below the figure.",
        wide=_figure(data, 12, ink),
        narrow=_figure(data, 5, ink),
        key="",
        alt=heading,
        tags=[page.origin_tag(found.origin), "measured"],
        provenance=provenance(page, plural(hours, "hour"), source="google2011", origin=found.origin),
        command=COMMAND,
        data=data,
    )


def _figure(data: list[dict[str, Any]], most_ticks: int, ink: str) -> Figure:
    import plotly.graph_objects as go

    hours = [d["hour"] for d in data]
    step = max(6, -(-(hours[-1] - hours[0] + 1) // most_ticks // 6) * 6)
    ticks = list(range(hours[0] - hours[0] % step, hours[-1] + 1, step))
    figure = go.Figure()
    figure.add_bar(
        x=hours,
        y=[d["jobs"] for d in data],
        marker={"color": colour(ink), "line": {"width": 0}},
        hovertemplate="hour %{x}: %{y:,} jobs<extra></extra>",
    )
    figure.update_layout(
        height=HEIGHT,
        bargap=0.15,
        margin={"l": 56, "r": 30, "t": 34, "b": 46},
        annotations=[y_title("jobs submitted in the hour") | {"xshift": -50}],
        xaxis=axis(range=[hours[0] - 0.5, hours[-1] + 0.5], tickvals=ticks, ticktext=[num(t) for t in ticks], title="hour of the trace"),
        yaxis=axis(rangemode="tozero"),
    )
    return figure


def _machines(page: Page, found: Google2011) -> str:
    machines = found.machines
    if not machines or not machines.top:
        return ""
    share = page.number("google2011_top_shape_share", machines.top[0].share)
    total = page.number("google2011_machines", machines.total)
    rows = [m.row() | {"share": 100 * m.share} for m in machines.top]
    heading = f"{num(100 * share)} % of {num(total)} machines have the same shape"
    return page.table(
        "machines2011",
        heading=heading,
        sentence="Capacity of a machine relative to the largest one, the most common shapes first.",
        columns=[
            Column("cpu", "CPU", "of the largest", "number", 3),
            Column("memory", "Memory", "of the largest", "number", 3),
            Column("machines", "Machines", "", "number", 0),
            Column("share", "Share", "%", "number", 1),
        ],
        rows=rows,
        tags=[page.origin_tag(found.origin), "measured"],
        provenance=provenance(page, plural(machines.total, "machine"), source="google2011", origin=found.origin),
        command=COMMAND,
    )
