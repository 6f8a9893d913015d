"""The rows of the group `baselines` whose parameters `tune_baselines` chooses, with what it tries. Not here: trying, the rules themselves.

They are apart from the other baselines because `tune_baselines` imports them: a new arm without parameters tunes nothing again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from models.baselines import rules
from models.baselines.chen25 import Limits, TwoTier
from models.baselines.fr24 import WeightedScore, Weights
from models.baselines.knowledge import Knowledge
from models.baselines.planner import Planner
from models.baselines.planning.costs import Costs
from models.baselines.planning.learned import Learned
from simulator.control.view import Facts
from tasks.evaluation.arms.table import Arm, ordered

Parameters = Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Known:
    """What tuned rules may know in one scenario before the span in which they decide.

    Args:
        facts: what does not change.
        knowledge: of the train span.
        learned: of everything before the span.
    """

    facts: Facts
    knowledge: Knowledge
    learned: Learned

    @cached_property
    def costs(self) -> Costs:
        """What intervals are expected to cost; shared by all runs of the scenario."""
        return Costs(self.facts, self.learned)

    @cached_property
    def plain_costs(self) -> Costs:
        """The same without the response."""
        return self.costs.without_response()


@dataclass(frozen=True, kw_only=True)
class Tuned(Arm):
    """One row.

    Args:
        grid: what is tried, in this order; the budget cuts the grids, which are equally long, so that no rule gets more of it.
        build: what is known, parameters and steps between decisions -> policy.
    """

    grid: tuple[Parameters, ...]
    build: Callable[[Known, Parameters, int], Any]


def greedy(known: Known, parameters: Parameters, period_steps: int) -> Any:
    """The greedy rule that moves only where `horizon` intervals like the present one pay for the move."""
    horizon = int(parameters["horizon"])
    return rules.GreedyObjective(known.facts, known.knowledge, horizon, has_hysteresis=True, period_steps=period_steps)


def persistence(known: Known, parameters: Parameters, period_steps: int) -> Any:
    """The rule under which congestion fades as it did on the train span, and a move must save `margin` times its price."""
    horizon, margin = int(parameters["horizon"]), parameters["margin"]
    return rules.Persistence(known.facts, known.knowledge, horizon, margin=margin, period_steps=period_steps)


def planner(known: Known, parameters: Parameters, period_steps: int) -> Any:
    """The planner that knows how congestion changes, but not what an app's own bursts cost."""
    return _planner(known.plain_costs, "planner", parameters, period_steps)


def planner_response(known: Known, parameters: Parameters, period_steps: int) -> Any:
    """The planner that also knows what an app's own bursts cost in a full zone."""
    return _planner(known.costs, "planner_response", parameters, period_steps)


def planner_price(known: Known, parameters: Parameters, period_steps: int) -> Any:
    """That planner, with a price for the capacity that apps take from each other."""
    return _planner(known.costs, "planner_price", parameters, period_steps)


def _planner(costs: Costs, name: str, parameters: Parameters, period_steps: int) -> Planner:
    horizon, switches, crowding = int(parameters["horizon"]), parameters["switches"], parameters.get("crowding", 0.0)
    return Planner(costs, name, horizon=horizon, switches=switches, crowding=crowding, period_steps=period_steps)


def fr24(known: Known, parameters: Parameters, period_steps: int) -> Any:
    """A weighted score of nearness, cold starts and load."""
    weights = Weights(parameters["data"], parameters["cold_start"], 1.0, parameters["utilisation"])
    return WeightedScore(known.facts, weights, margin=parameters["margin"], period_steps=period_steps)


def chen25(known: Known, parameters: Parameters, period_steps: int) -> Any:
    """Learned shares, then an assignment on the strategic clock."""
    limits = Limits(slack=parameters["slack"], headroom=parameters["headroom"])
    period = known.facts.world.strategic_steps // period_steps * period_steps
    return TwoTier(known.facts, known.knowledge, limits, horizon=int(parameters["horizon"]), period_steps=period)


HORIZONS = (8, 24, 4, 48, 2, 96, 16, 1, 12, 32, 6, 64, 3, 128, 20, 192, 5, 40, 10, 80, 28, 160, 14, 56)
SWITCHES = (1.0, 2.0, 0.5, 4.0, 0.0, 8.0)
AHEAD = (10, 3, 6, 1)
LOOKAHEADS = tuple({"horizon": h, "switches": m} for m, h in product(SWITCHES, AHEAD))
CROWDINGS = tuple({"horizon": h, "switches": m, "crowding": c} for m, h, c in product((1.0, 2.0), (10, 3, 6), (0.5, 0.1, 0.25, 0.05)))
SCORES = tuple(
    {"utilisation": u, "cold_start": c, "data": d, "margin": m}
    for m, d, u, c in product((0.05, 0.2), (1.0, 2.0), (0.5, 1.0, 2.0), (0.25, 1.0))
)
SHARES = tuple({"slack": s, "headroom": c, "horizon": h} for h, s, c in product((24, 8, 96), (1.5, 3.0, 1.0, 6.0), (1.0, 0.5)))
PLANNERS = ("planner", "planner_response", "planner_price")  # of these, `tune_baselines` names the best of a family
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
    Tuned(name="fr24_heuristic", label="Weighted score (FR24)", order=92, grid=SCORES, build=fr24),
    Tuned(name="chen25_two_tier", label="Two tiers (Chen25)", order=94, grid=SHARES, build=chen25),
    Tuned(name="planner", label="Planner", order=100, grid=LOOKAHEADS, build=planner),
    Tuned(name="planner_response", label="Planner with response", order=110, grid=LOOKAHEADS, build=planner_response),
    Tuned(name="planner_price", label="Planner with price", order=120, grid=CROWDINGS, build=planner_price),
)
