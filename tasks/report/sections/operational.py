"""Section: what warm floors cost and save, the forecasts behind them, drift. Not here: its figures and tables (parts/floors_*.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tasks.evaluation.operational_pictures_record import FloorPictures
from tasks.report.page import num, pair
from tasks.report.parts.floors_drift import drift
from tasks.report.parts.floors_forecasts import beats, errors
from tasks.report.parts.floors_money import MONEY, money, named, rows_of
from tasks.report.parts.floors_pictures import pictures
from tasks.report.parts.learning import Curve, curves

if TYPE_CHECKING:
    from tasks.report.page import Page

ORDER, TITLE, NAV, QUESTION = 85, "Warm floors", "Floors", "When does keeping an instance warm pay?"


def add(page: Page) -> str:
    """HTML of the section; empty where nothing was judged."""
    rows = rows_of(page)
    if not any(row["target"] == MONEY for row in rows):
        return ""
    shown = page.read("reports/operational/pictures.json", FloorPictures)
    labels = shown.labels if shown else {}
    forecast = [row for row in rows if not row["target"].startswith(MONEY)]
    # In the order of the page: figures are numbered as they are made.
    return "".join((
        money(page, rows, labels),
        beats(page, forecast, labels),
        errors(page, forecast, labels) if forecast else "",
        _learning(page, page.read_list("reports/operational/training_history.json"), labels),
        pictures(page, shown) if shown else "",
        drift(page),
    ))  # fmt: skip


def _learning(page: Page, history: list[dict[str, Any]], labels: dict[str, str]) -> str:
    """Validation losses of every network, a line per training seed; each has a loss of its own."""
    figures = []
    for arm in dict.fromkeys(row["arm"] for row in history):
        own, sentence = [row for row in history if row["arm"] == arm], "Loss on the last fifth of the train spans; lower is better."
        figures.append(curves(page, f"operational_curve_{arm}", own, "losses/valid", _fell(named(labels, arm)), sentence, "loss"))
    return "".join(pair(*figures[i : i + 2]) for i in range(0, len(figures), 2))


def _fell(name: str) -> Callable[[Curve], str]:
    return lambda curve: f"{name}: the validation loss goes from {num(curve.first, 5)} to {num(curve.best, 5)} at best"
