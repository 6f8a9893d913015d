"""Section: what other libraries do in the same worlds, as it was recorded. Not here: measuring them (bench/)."""

from __future__ import annotations

from tasks.report.page import Column, Page, interval

ORDER, TITLE, NAV, QUESTION = 96, "Peers", "Peers", "How do other libraries do the same work?"
FILE = "docs/results/peers.csv"
COLUMNS = (
    *(Column("peer", "Peer"), Column("compared", "What was compared"), Column("unit", "Unit")),
    *(Column("ours", "Trine", kind="number"), Column("theirs", "Peer's", kind="number"), Column("difference", "Difference", kind="number")),
    *(Column("interval", "Interval", "95 %"), Column("training_seeds", "Training seeds", kind="number")),
    *(Column("date", "Recorded"), Column("command", "Command")),
)


def add(page: Page) -> str:
    """HTML of the section; empty where nothing is recorded."""
    rows = [
        {
            **{key: row[key] for key in ("peer", "compared", "unit", "date", "command")},
            **{key: float(row[key]) for key in ("ours", "theirs", "difference")},
            "interval": interval(float(row["low"]), float(row["high"])) if row["low"] else "",
            "training_seeds": int(row["training_seeds"]),
        }
        for row in page.read_csv(FILE)
    ]
    if not rows:
        return ""
    dates = [str(row["date"]) for row in rows]
    return page.table(
        "peers",
        heading=f"{len(rows)} comparisons with other libraries, recorded, not run for this page",
        sentence="Trine less the peer, in the unit of the row; both sides ran in turn, on the same fleets of the twin.",
        columns=COLUMNS,
        rows=rows,
        tags=["twin", "measured"],
        provenance=f"recorded {min(dates)} to {max(dates)} · {FILE} has more on every row",
        command="make bench",
    )
