"""A policy that does as it is told, and a small world to run it in. Not here: tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulator.control.decision import Decision, PolicyBase, Scope
from simulator.control.view import View


class Said(PolicyBase):
    """Answers what a function of the view says, and keeps the views.

    Args:
        answer: gives the decision.
        period_steps: between decisions.
        needs: needs_replays, needs_steps.
    """

    scope: Scope = "cloud"

    def __init__(self, answer: Callable[[View], Any], period_steps: int, **needs: bool) -> None:
        self.name, self.answer, self.period_steps, self.views = "said", answer, period_steps, list[View]()
        for name, value in needs.items():
            setattr(self, name, value)

    def decide(self, view: View) -> Any:
        """Keep the view and answer."""
        self.views.append(view)
        return self.answer(view)


def nothing(view: View) -> Decision:
    """Order nothing."""
    return Decision()
