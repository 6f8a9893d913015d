"""Section: the strategic layer, which cloud an app runs in. Not here: the tactical layer, the rules (landscape.py)."""

from __future__ import annotations

from tasks.report.page import Page, num, pair
from tasks.report.parts.layers import closed, costs, design, metrics_of, replaced
from tasks.report.parts.learning import VALIDATED, Curve, curves, validated

ORDER, TITLE, NAV, QUESTION = 92, "Strategic layer", "Strategic", "Does a network that picks the cloud save anything?"


def add(page: Page) -> str:
    """HTML of the section."""
    found = metrics_of(page, "strategic")
    if found is None:
        return ""
    history = page.read_list("reports/strategic/training_history.json")
    pairs = [("strategic", key, "home") for key in next(iter(found.families.values())).arms]
    # In the order of the page: figures are numbered as they are made.
    return "".join((
        design(found),
        costs(page, "strategic", found, "dqn_specified", "home"),
        replaced(page, "strategic", found, pairs),
        closed(page, "strategic", found),
        pair(
            curves(page, "strategic_curve", history, "charts/validation", validated("DQN"), VALIDATED, "% of home, winsorised"),
            curves(page, "strategic_q", history, "losses/q_values", _expected,
                   "Mean value of the actions in a batch, units of the reward: home is 0.", "Q value"),
        ),
        curves(page, "strategic_loss", history, "losses/td_loss", _lost, "Huber loss of a batch.", "loss"),
    ))  # fmt: skip


def _expected(curve: Curve) -> str:
    word = "worse" if curve.last < 0 else "better"
    return f"In the end the network expects the actions it takes to be {word} than home (Q = {num(curve.last, 1)})"


def _lost(curve: Curve) -> str:
    return f"The loss goes from {num(curve.first, 2)} to {num(curve.last, 2)}"
