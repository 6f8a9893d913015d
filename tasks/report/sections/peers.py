"""Section: what other libraries do in the same worlds, as it was recorded. Not here: measuring them (bench/)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tasks.report.page import Column, Page, interval

ORDER, TITLE, NAV, QUESTION = 96, "Peers", "Peers", "How do other libraries do the same work?"
FILE = "docs/results/peers.csv"
COLUMNS = (
    *(Column("peer", "Peer"), Column("compared", "What was compared"), Column("unit", "Unit"), Column("better", "Better is")),
    *(Column("ours", "Trine", kind="number"), Column("theirs", "Peer's", kind="number"), Column("difference", "Difference", kind="number")),
    *(
        Column("interval", "Interval", "95 %"),
        Column("training_seeds", "Seeds", kind="number"),
        Column("found", "Trine is", "", "verdict"),
    ),
)
BETTER, WORSE, EQUAL, UNCLEAR = "✓ better", "✕ worse", "≈ equal", "≈ not told apart"


def add(page: Page) -> str:
    """HTML of the section; empty where nothing is recorded."""
    recorded = page.read_csv(FILE)
    rows = [
        {
            **{key: row[key] for key in ("peer", "compared", "unit", "better")},
            **{key: float(row[key]) for key in ("ours", "theirs", "difference")},
            "interval": interval(float(row["low"]), float(row["high"])) if row["low"] else "",
            "training_seeds": int(row["training_seeds"]),
            "found": found(row),
        }
        for row in recorded
    ]
    if not rows:
        return ""
    dates, counts = [row["date"] for row in recorded], Counter(row["found"] for row in rows)
    even = counts[EQUAL] + counts[UNCLEAR]
    return page.table(
        "peers",
        heading=f"In {len(rows)} recorded comparisons, Trine is better in {counts[BETTER]} and worse in {counts[WORSE]}; {even} are even",
        sentence="Trine less the peer, in the unit of the row; both sides ran on the same fleets. Recorded, not run for this page.",
        columns=COLUMNS,
        rows=rows,
        tags=["twin", "measured"],
        provenance=f"recorded {min(dates)} to {max(dates)} · {FILE} has the command of every row",
        command="make bench",
    )


def found(row: Mapping[str, str]) -> str:
    """What a record says, by its interval where it has one, else by the difference."""
    low, high = (float(row[end] or row["difference"]) for end in ("low", "high"))
    if low == high == 0:
        return EQUAL
    if low <= 0 <= high:
        return UNCLEAR
    return BETTER if (high < 0) == (row["better"] == "lower") else WORSE
