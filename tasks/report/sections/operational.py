"""Section: what warm floors cost and save, the forecasts behind them, drift. Not here: its figures and tables (parts/floors_*.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.evaluation.operational_pictures_record import FloorPictures
from tasks.report.page import pair
from tasks.report.parts.floors_drift import drift
from tasks.report.parts.floors_forecasts import beats, errors
from tasks.report.parts.floors_money import MONEY, money, named, rows_of
from tasks.report.parts.floors_pictures import pictures
from tasks.report.parts.layers import curves

if TYPE_CHECKING:
    from tasks.report.page import Page

ORDER, TITLE, NAV, QUESTION = 85, "Warm floors", "Floors", "When does keeping an instance warm pay?"


def add(page: Page) -> str:
    """HTML of the section; empty where nothing was judged."""
    rows = rows_of(page)
    judged = [row for row in rows if row["target"] == MONEY]
    if not judged:
        return ""
    shown = page.read("reports/operational/pictures.json", FloorPictures)
    labels = shown.labels if shown else {}
    forecast = [row for row in rows if not row["target"].startswith(MONEY)]
    said = beats(page, forecast) + errors(page, forecast, labels) if forecast else ""
    history = page.read_list("reports/operational/training_history.json")
    drawn = pictures(page, shown) if shown else ""
    return money(page, rows, labels) + said + _learning(page, history, labels) + drawn + drift(page)


def _learning(page: Page, history: list[dict[str, Any]], labels: dict[str, str]) -> str:
    """Validation losses of every network, a line per training seed; each has a loss of its own."""
    figures = []
    for arm in dict.fromkeys(row["arm"] for row in history):
        own = [row for row in history if row["arm"] == arm]
        heading = f"{named(labels, arm)}: validation loss while it trains"
        figures.append(
            curves(
                page, f"operational_curve_{arm}", own, "losses/valid", heading, "Last fifth of the train spans; lower is better.", "loss"
            )
        )
    return "".join(pair(*figures[i : i + 2]) for i in range(0, len(figures), 2))
