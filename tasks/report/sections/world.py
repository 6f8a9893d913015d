"""Section: what limits a gain in the world, whether it is right, what one call costs, what is assumed. Not here: the landscape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tasks.report.facts import plural
from tasks.report.page import Column, Page, num
from tasks.report.parts.world_checks import checks
from tasks.report.parts.world_limits import limits
from tasks.report.text import percent
from tasks.world.calibration_record import Assumed, BillStep, Calibration, Sensitivity

ORDER, TITLE, NAV, QUESTION = 70, "The world", "World", "Can this simulated world show a gain at all, and can it be trusted?"
COMMAND = "dvc repro calibrate report"
BASIS = {
    "verified": "✓ verified",
    "replayed": "– replayed",
    "computed": "– computed",
    "preference": "– preference",
    "drawn": "≈ sampled",
    "assumed": "≈ assumed",
}
FOR = {  # what a charge of the bill is for
    "Request": "its request",
    "Execution price": "running it",
    "Egress, in": "fetching its data",
    "Egress, out": "sending its answer",
    "Carbon in money": "its carbon",
    "Miss": "missing its latency objective",
    "Latency in money": "its delay",
}
PRICES, NETWORK = "prices.csv", "network.csv"


def add(page: Page) -> str:
    """HTML of the section."""
    found = page.read("reports/world/calibration.json", Calibration)
    if not found:
        return ""
    calls = page.number("world_calls", found.calls)
    page.number("world_apps", found.apps)
    said = {
        "tags": [page.origin_tag(found.origin), "sampled: home, data, payload, state"],
        "provenance": f"scenario {found.scenario} · {plural(found.apps, 'app')} · {plural(calls, 'call')} · some prices assumed",
        "command": COMMAND,
    }
    trust = limits(page, found, said) + checks(page, found, said)
    return trust + _bill(page, found, said) + _sensitivity(page, found, said) + _assumed(page, found.assumed, said)


def _bill(page: Page, found: Calibration, said: dict[str, Any]) -> str:
    steps = found.bill.steps
    heading, share = bill_heading(steps)
    page.number("bill_largest_share", share)
    return page.table(
        "world_bill",
        heading=heading,
        sentence=(
            "One cold call of the scenario on its own, as the kernel accounts for it; idle energy is that of the whole keep-alive. Basis: "
            "the least certain input of the step."
        ),
        columns=[
            Column("step", "Step"),
            Column("formula", "From"),
            Column("value", "Value", "", "number"),
            Column("unit", "Unit"),
            Column("constant", "Constants"),
            Column("basis", "Basis", "", "verdict"),
        ],
        rows=[_digits(r.row(), ("value",)) | {"basis": BASIS[r.basis]} for r in steps],
        folded=True,
        **said,
    )


def bill_heading(steps: Sequence[BillStep]) -> tuple[str, float]:
    """The heading of the bill, and the share of its largest charge in all charges."""
    charges = {r.step: r.value for r in steps if r.step in FOR}
    largest = max(charges, key=lambda step: charges[step])
    share = round(charges[largest] / sum(charges.values()), 4) if charges[largest] else 0.0
    return f"{percent(share)} of what one cold call costs is for {FOR[largest]}", share


def _sensitivity(page: Page, found: Calibration, said: dict[str, Any]) -> str:
    shares = ("home_change", "static_of_home", "home_assumed", "static_assumed")
    rows = [r.row() | {name: 100 * getattr(r, name) for name in shares} for r in found.sensitivity]
    heading, most = sensitivity_heading(found.sensitivity)
    page.number("sensitivity_most_pct", most)
    return page.table(
        "world_sensitivity",
        heading=heading,
        sentence="Each row changes one assumption, on the test span; best static stays where it is under the default assumptions.",
        columns=[
            Column("change", "Change"),
            Column("home_usd", "Home", "USD", "number"),
            Column("home_change", "Change of home", "%", "number", 1),
            Column("static_of_home", "Best static", "% of home", "number"),
            Column("home_assumed", "At assumed prices", "% of home", "number", 1),
            Column("static_assumed", "At assumed prices", "% of best static", "number", 1),
            Column("how", "How"),
        ],
        rows=rows,
        **said,
    )


def sensitivity_heading(rows: Sequence[Sensitivity]) -> tuple[str, float]:
    """Which assumption changes the bill at home most, and by how many per cent."""
    worst = max(rows, key=lambda r: abs(r.home_change))
    if not worst.home_change:
        return "No change of an assumption changes the bill at home", 0.0
    most = round(100 * worst.home_change, 3)
    return f"The bill at home depends most on one assumption ({worst.change}): {num(most, sign=True)} %", most


def _assumed(page: Page, rows: Sequence[Assumed], said: dict[str, Any]) -> str:
    """Three folded tables: prices, pairs of regions, the rest."""
    shown = [Column("row", "Row"), Column("value", "Value"), Column("unit", "Unit"), Column("why", "Why")]
    prices = [r.row() for r in rows if r.table == PRICES]
    pairs = network_rows([r for r in rows if r.table == NETWORK])
    rest = [r.row() for r in rows if r.table not in (PRICES, NETWORK)]
    parts = (
        ("prices", prices, f"{plural(len(prices), 'price')} in {PRICES} {_is(len(prices))} assumed", shown),
        ("pairs", pairs, f"{plural(len(pairs), 'pair')} of regions in {NETWORK} {_is(len(pairs))} not fully measured", _PAIRS),
        ("rest", rest, f"{plural(len(rest), 'other value')} {_is(len(rest))} assumed or chosen by us", [Column("table", "Table"), *shown]),
    )
    out = ""
    for name, part, heading, columns in parts:
        if part:
            page.number(f"assumed_{name}", len(part))
            sentence = "The value listed in the table of data/reference, and why it is not a measurement."
            out += page.table(f"world_assumed_{name}", heading=heading, sentence=sentence, columns=columns, rows=part, folded=True, **said)
    return out


_PAIRS = [
    Column("row", "From, to"),
    Column("rtt_us", "Round trip", "us"),
    Column("gbps", "Throughput", "Gbit/s"),
    Column("egress_usd_per_gb", "Egress", "USD per GB"),
    Column("why", "Why"),
]


def network_rows(rows: Sequence[Assumed]) -> list[dict[str, str]]:
    """One row per pair of regions, with its assumed values; a measured value is empty."""
    out: dict[str, dict[str, str]] = {}
    for row in rows:
        pair = out.setdefault(row.row_of_table, {"row": row.row_of_table, "rtt_us": "", "gbps": "", "egress_usd_per_gb": "", "why": ""})
        pair[row.column] = row.value
        if row.why not in pair["why"].split("; "):
            pair["why"] = "; ".join(filter(None, (pair["why"], row.why)))
    return list(out.values())


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _digits(row: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Rows have different units, so a column has no common decimals: three significant digits each."""
    return row | {k: float(f"{row[k]:.3g}") for k in keys if isinstance(row.get(k), (int, float))}
