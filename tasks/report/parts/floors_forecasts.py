"""Errors of the forecasts behind warm floors, and who beats whom. Not here: pictures (floors_pictures.py), money (floors_money.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.report.page import Column, Page, num
from tasks.report.parts.floors_money import SAID, Row, named

if TYPE_CHECKING:
    pass

METRICS = ("rmse", "mae", "mase", "pinball")
RIVALS = ("zero", "last_value", "moving_average", "seasonal_naive", "boosting")
NETWORKS = ("lstm_specified", "lstm_symmetric", "lstm_quantile", "lstm_lagged")


def beats(page: Page, rows: list[Row], labels: dict[str, str]) -> str:
    """A table that says per target and class which simple forecasts the specified network beats, and by which measure."""
    by = {(r["target"], r["app_class"], r["arm"]): r for r in rows}
    cases = list(dict.fromkeys((r["target"], r["app_class"]) for r in rows))
    parts = []
    for network in ("lstm_specified", "lstm_symmetric"):
        table = [_beaten(by, case, network) for case in cases if (*case, network) in by]
        if not table:
            continue
        wins = sum(cell == "✓ all four" for row in table for key, cell in row.items() if key in RIVALS)
        page.number(f"floors_{network}_beats_outright", wins)
        name, of = named(labels, network), len(table) * len(RIVALS)
        parts.append(
            page.table(
                f"operational_beats_{network}",
                heading=f"{name}: better by all four measures than simple forecasts in {num(wins)} of {num(of)} cases",
                sentence="Measures (RMSE, MAE, MASE, pinball at 5/6) by which the network beats each forecast, on the same windows.",
                columns=[Column("target", "Target"), Column("app_class", "Class")]
                + [Column(rival, named(labels, rival), kind="verdict") for rival in RIVALS],
                rows=table,
                folded=network != "lstm_specified",
                **SAID,
            )
        )
    return "".join(parts)


def _beaten(by: dict[tuple[str, str, str], Row], case: tuple[str, str], network: str) -> Row:
    row: Row = {"target": case[0], "app_class": case[1]}
    own = by[*case, network]
    for rival in RIVALS:
        other = by.get((*case, rival))
        if other is None:
            row[rival] = "– not judged"
            continue
        won = [m for m in METRICS if own[m] is not None and other[m] is not None and own[m] < other[m]]
        said = {0: "✕ none", len(METRICS): "✓ all four"}.get(len(won))
        row[rival] = said or "≈ " + ", ".join(m.upper() if m != "pinball" else m for m in won)
    return row


def errors(page: Page, rows: list[Row], labels: dict[str, str]) -> str:
    """Every error of every forecast; the least MASE of a case is bold."""
    best: dict[tuple[str, str], str] = {}
    for target, group in dict.fromkeys((r["target"], r["app_class"]) for r in rows):
        judged = [r for r in rows if (r["target"], r["app_class"]) == (target, group) and r["mase"] is not None]
        if judged:
            best[target, group] = min(judged, key=lambda r: (r["mase"], r["arm"]))["arm"]
    zero = page.number("floors_forecasts_won_by_zero", sum(arm == "zero" for arm in best.values()))
    won = page.number("floors_forecasts_won_by_lstm", sum(arm.startswith("lstm") for arm in best.values()))
    return page.table(
        "operational_errors",
        heading=f"A forecast of zero has the least MASE in {num(zero)}, an LSTM in {num(won)} of {num(len(best))} cases",
        sentence="Errors of what the next step asks for. Most steps are empty, so `zero` is the row to beat; the lowest MASE is bold.",
        columns=[
            Column("target", "Target"),
            Column("app_class", "Class"),
            Column("arm", "Forecast"),
            Column("rmse", "RMSE", "of the target", "number"),
            Column("mae", "MAE", "of the target", "number"),
            Column("mase", "MASE", "1 = naive", "number", 3),
            Column("pinball", "Pinball 5/6", "of the target", "number"),
        ],
        rows=[{**r, "arm": named(labels, r["arm"])} for r in rows],
        best=[i for i, r in enumerate(rows) if best.get((r["target"], r["app_class"])) == r["arm"]],
        folded=True,
        **SAID,
    )
