"""Section: the strategic layer, which cloud an app runs in. Not here: the tactical layer, the rules (landscape.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.report.page import Page, pair
from tasks.report.parts.layers import closed, costs, curves, design, effect, metrics_of
from tasks.report.wording import finding

if TYPE_CHECKING:
    from tasks.evaluation.layers_record import LayerMetrics

ORDER, TITLE, NAV, QUESTION = 92, "Strategic layer", "Strategic", "Does a network that picks the cloud save anything?"


def add(page: Page) -> str:
    """HTML of the section."""
    found = metrics_of(page, "strategic")
    if found is None:
        return ""
    history = page.read_list("reports/strategic/training_history.json")
    learning = pair(
        curves(page, "strategic_curve", history, "charts/validation", "Validation of the specified DQN while it trains",
               "Cost on the valid spans; lower is better, the best checkpoint of a seed is kept.", "% of home, winsorised"),
        curves(page, "strategic_q", history, "losses/q_values", "What the network expects of the actions it learns from",
               "Mean value of the actions in a batch, units of the reward: home is 0.", "Q value"),
    )  # fmt: skip
    loss = curves(page, "strategic_loss", history, "losses/td_loss", "Loss of the specified DQN", "Huber loss of a batch.", "loss")
    return (
        design(found)
        + costs(page, "strategic", found, "dqn_specified", "home")
        + _identity(found)
        + closed(page, "strategic", found)
        + learning
        + loss
    )


def _identity(found: LayerMetrics) -> str:
    """What is left when the layer is replaced by its identity, home, in words."""
    said = []
    for name, family in found.families.items():
        for key, arm in family.arms.items():
            change = effect(arm.minus["home"], arm.seeds)
            words = finding({one.name: one.label for one in found.arms}[key], "home", change)
            useless = "" if change.word == "better" else " There the layer is of no use: staying at home is as good or better."
            said.append(f"<li>{name}: {words}.{useless}</li>")
    return f"<ul>{''.join(said)}</ul>"
