"""The card of a model on the page: one renderer for all layers and arms. Not here: what a card holds (tasks/learning/card.py)."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from tasks.report.text import Column, html_table, interval, num

if TYPE_CHECKING:
    from tasks.learning.card import Card, Figure

SHOWN_DIGITS = 12  # of a fingerprint


def card_html(card: Card) -> str:
    """HTML of a card: a table of two columns, and the figures with their intervals below it."""
    rows = [
        ("Layer and arm", f"{card.layer}, {card.arm}"),
        ("Parameters of the network", f"{num(card.parameters)} ({_listed(card.sizes)})"),
        ("Observes", f"{card.features.name}, version {card.features.version}; normalisation: {card.normalisation.kind}"),
        ("Trained on", f"{', '.join(card.trained_on.scenarios)} ({card.trained_on.span} span)"),
        ("Fingerprint of the data", card.trained_on.fingerprint[:SHOWN_DIGITS]),
        ("Training seeds", f"{', '.join(map(str, card.seeds))}; best: {card.best_seed}"),
        ("Budget of a seed", _listed(card.budget)),
        ("Settings", ", ".join(f"{name} {value}" for name, value in sorted(card.settings.items()))),
        ("Device and versions", f"{card.device}; {', '.join(f'{name} {text}' for name, text in sorted(card.versions.items()))}"),
        ("Must not be used for", "; ".join(card.not_for)),
    ]
    body = "".join(f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(text)}</td></tr>' for name, text in rows)
    columns = [Column("figure"), Column("value"), Column("interval"), Column("unit"), Column("measured_on")]
    figures = html_table(columns, [_row(figure) for figure in card.figures]) if card.figures else ""
    return f'<div class="scroll" tabindex="0"><table class="card"><tbody>{body}</tbody></table></div>{figures}'


def _row(figure: Figure) -> dict[str, str]:
    has_interval = figure.low is not None and figure.high is not None
    return {
        "figure": figure.name,
        "value": num(figure.value),
        "interval": interval(figure.low, figure.high) if has_interval else "one value",  # type: ignore[arg-type]
        "unit": figure.unit,
        "measured_on": figure.measured_on,
    }


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {num(value)}" for name, value in sorted(counts.items()))
