"""The rows of the group `baselines` whose parameters `tune_baselines` chooses, with what it tries. Not here: trying, the rules themselves.

They are apart from the other baselines because `tune_baselines` imports them: a new arm without parameters tunes nothing again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from models.baselines import rules
from models.baselines.knowledge import Knowledge
from simulator.control.view import Facts
from tasks.evaluation.arms.table import Arm, ordered

Parameters = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Tuned(Arm):
    """One row.

    Args:
        grid: what is tried, in this order; the budget cuts the grids, which are equally long, so that no rule gets more of it.
        build: facts, knowledge, parameters and steps between decisions -> policy.
    """

    grid: tuple[Parameters, ...]
    build: Callable[[Facts, Knowledge, Parameters, int], Any]


def greedy(facts: Facts, knowledge: Knowledge, parameters: Parameters, period_steps: int) -> Any:
    """The greedy rule that moves only where `horizon` intervals like the present one pay for the move."""
    return rules.GreedyObjective(facts, knowledge, int(parameters["horizon"]), has_hysteresis=True, period_steps=period_steps)


def persistence(facts: Facts, knowledge: Knowledge, parameters: Parameters, period_steps: int) -> Any:
    """The rule under which congestion fades as it did on the train span, and a move must save `margin` times its price."""
    return rules.Persistence(facts, knowledge, int(parameters["horizon"]), margin=parameters["margin"], period_steps=period_steps)


HORIZONS = (8, 24, 4, 48, 2, 96, 16, 1, 12, 32, 6, 64, 3, 128, 20, 192, 5, 40, 10, 80, 28, 160, 14, 56)
TUNED = ordered(
    Tuned(
        name="greedy_hysteresis",
        label="Greedy with hysteresis",
        order=60,
        grid=tuple({"horizon": h} for h in HORIZONS),
        build=greedy,
    ),
    Tuned(
        name="persistence",
        label="Persistence rule",
        order=90,
        grid=tuple({"horizon": h, "margin": m} for m, h in product((1.0, 4.0, 2.0, 0.5), (3, 10, 5, 1, 8, 12))),
        build=persistence,
    ),
)
