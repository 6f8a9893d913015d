"""Section: whether the world can be believed, and what one call costs in it. Not here: what decisions are worth (landscape)."""

from __future__ import annotations

from typing import Any

from tasks.page import Column, Page, num
from tasks.page_facts import plural

TITLE, NAV, QUESTION = "The world", "World", "Can the simulated world be believed?"
COMMAND = "dvc repro calibrate report"
VERDICT = {True: "✓ holds", False: "✕ outside", None: "– not judged"}


def render(page: Page) -> str:
    """HTML of the section."""
    found = page.json("world/calibration.json")
    if not found:
        return ""
    calls = page.metric("world_calls", found["calls"])
    said = {
        "tags": ["twin", "drawn: home, data, payload, state"],
        "provenance": f"scenario {found['scenario']} · {plural(found['apps'], 'app')} · {plural(calls, 'call')}",
        "command": COMMAND,
    }
    page.metric("world_apps", found["apps"])
    return _checks(page, found, said) + _bill(page, found, said) + _sensitivity(page, found, said)


def _checks(page: Page, found: dict[str, Any], said: dict[str, Any]) -> str:
    rows = found["checks"]
    judged = [r for r in rows if r["is_within"] is not None]
    held = page.metric("world_checks_held", sum(r["is_within"] for r in judged))
    page.metric("world_checks", len(judged))
    missed = [str(r["what"]) for r in judged if not r["is_within"]]
    return page.table(
        "world_calibration",
        heading=f"The world meets {num(held)} of {num(len(judged))} figures of theory and measurement",
        sentence=f"Outside: {'; '.join(missed)}." if missed else "Queueing theory, measured laws, a public simulator, hand calculation.",
        columns=[
            Column("what", "Figure"),
            Column("expected", "Expected", "", "number"),
            Column("found", "Found", "", "number"),
            Column("unit", "Unit"),
            Column("kind", "Basis"),
            Column("verdict", "Verdict", "", "verdict"),
        ],
        rows=[_digits(r, ("expected", "found")) | {"verdict": VERDICT[r["is_within"]]} for r in rows],
        folded=True,
        **said,
    )


def _bill(page: Page, found: dict[str, Any], said: dict[str, Any]) -> str:
    steps = found["bill"]["steps"]
    return page.table(
        "world_bill",
        heading="One call, step by step: time, money, carbon",
        sentence="A cold call of the scenario as the kernel books it; idle energy is that of the whole keep-alive.",
        columns=[
            Column("step", "Step"),
            Column("formula", "From"),
            Column("value", "Value", "", "number"),
            Column("unit", "Unit"),
            Column("basis", "Basis"),
        ],
        rows=[_digits(r, ("value",)) for r in steps],
        folded=True,
        **said,
    )


def _sensitivity(page: Page, found: dict[str, Any], said: dict[str, Any]) -> str:
    rows = [r | {"home_change": 100 * r["home_change"], "static_of_home": 100 * r["static_of_home"]} for r in found["sensitivity"]]
    worst = max(rows, key=lambda r: abs(r["home_change"]))
    return page.table(
        "world_sensitivity",
        heading=f"Of the assumptions tried, {worst['change']} moves the bill at home most",
        sentence="Each row changes one assumption; best static stays where the default assumptions put it.",
        columns=[
            Column("change", "Change"),
            Column("home_usd", "Home", "USD", "number"),
            Column("home_change", "Change of home", "%", "number"),
            Column("static_of_home", "Best static", "% of home", "number"),
            Column("how", "How"),
        ],
        rows=rows,
        **said,
    )


def _digits(row: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Rows have different units, so a column has no common decimals: three significant digits each."""
    return row | {k: float(f"{row[k]:.3g}") for k in keys if isinstance(row.get(k), (int, float))}
