"""The sweep of the objective's weights: what other weights buy, and which of them no other beats. Not here: the arms, any section."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.report.parts.layers import COMMAND, TAGS
from tasks.report.text import Column

if TYPE_CHECKING:
    from tasks.evaluation.layers_record import LayerMetrics
    from tasks.report.page import Page


def weighed(page: Page, found: LayerMetrics) -> str:
    """HTML of the table; empty where nothing was swept."""
    label = {arm.name: arm.label for arm in found.arms}
    rows = [
        {
            "weights": label[point.arm],
            "family": family,
            "bill": point.bill_pct_of_home,
            "carbon": point.carbon_pct_of_home,
            "missed": point.missed_pct,
            "objective": point.objective_pct_of_home,
            "front": "on it" if point.is_on_front else "beaten",
        }
        for family, points in found.sweep.items()
        for point in points
    ]
    if not rows:
        return ""
    on_front = sum(row["front"] == "on it" for row in rows)
    return page.table(
        "tactical_weights",
        heading=f"{on_front} of {len(rows)} weightings are on the front of money, carbon and misses",
        sentence="The candidates arm decides by other weights; on the front, nothing is gained in one column without a loss in another.",
        columns=[
            *(Column("weights", "Weights"), Column("family", "Family"), Column("bill", "Bill", "% of home", "number", 2)),
            *(Column("carbon", "Carbon", "% of home", "number", 2), Column("missed", "Missed calls", "%", "number", 3)),
            *(Column("objective", "Objective, usual weights", "% of home", "number", 2), Column("front", "Front")),
        ],
        rows=rows,
        tags=TAGS,
        provenance=f"test span · {max(family.scenarios for family in found.families.values())} scenarios a family",
        command=COMMAND,
    )
