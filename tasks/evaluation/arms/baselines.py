"""The arms of the group `baselines`: rules, the planner, and the planner with its rush head. Not here: the rules (models/baselines)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.baselines import rules
from models.baselines.coordination import NAME as COORDINATED
from models.baselines.newcomers import NAME as FOLLOW
from models.baselines.newcomers import FollowTheLeader
from models.baselines.planner import Planner
from models.tactical.rush_head import NAME as RUSH_HEAD
from tasks.evaluation.arms.table import Arm, ordered
from tasks.evaluation.arms.tuned import TUNED, Known, Tuned

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.baselines.knowledge import Knowledge
    from models.baselines.planning.curve import SampledCalls
    from models.tactical.rush_head import RushHead
    from simulator.control.view import Facts


@dataclass(frozen=True)
class Judged:
    """What an arm is built from in one scenario.

    Args:
        known: facts, and what rules may know of the past.
        head: trained network that sees bursts coming.
        typical: calls of another fleet, for apps without a history.
        seed: of the luck, and of the random arm.
        placements: int64 [A] by name, as `tune_baselines` chose them.
        parameters: of the tuned rules, by name.
    """

    known: Known
    head: RushHead
    typical: SampledCalls
    seed: int
    placements: Mapping[str, NDArray[np.int64]]
    parameters: Mapping[str, Mapping[str, float]]

    @property
    def facts(self) -> Facts:
        """What does not change."""
        return self.known.facts

    @property
    def knowledge(self) -> Knowledge:
        """Of the train span."""
        return self.known.knowledge


@dataclass(frozen=True, kw_only=True)
class Baseline(Arm):
    """One row; `build` makes the policy that is judged."""

    build: Callable[[Judged], Any]


def _tuned(row: Tuned) -> Baseline:
    """The row of a tuned rule, with the parameters that were chosen."""

    def build(world: Judged) -> Any:
        return row.build(world.known, world.parameters[row.name], world.facts.world.tactical_steps)

    return Baseline(name=row.name, label=row.label, ink=row.ink, order=row.order, is_causal=row.is_causal, build=build)


def _greedy_objective(world: Judged) -> Any:
    """Greedy without hysteresis, with the horizon chosen for the rule that has it."""
    horizon = int(world.parameters["greedy_hysteresis"]["horizon"])
    period_steps = world.facts.world.tactical_steps
    return rules.GreedyObjective(world.facts, world.knowledge, horizon, has_hysteresis=False, period_steps=period_steps)


def _rush_head(world: Judged) -> Any:
    """The planner with the network's response, with what was chosen for the one with a price on crowding."""
    chosen = world.parameters["planner_price"]
    horizon, switches, crowding = int(chosen["horizon"]), chosen["switches"], chosen["crowding"]
    costs, period_steps = world.head.costs(world.facts, world.known.learned), world.facts.world.tactical_steps
    return Planner(costs, RUSH_HEAD, horizon=horizon, switches=switches, crowding=crowding, period_steps=period_steps)


ARMS = ordered(
    Baseline(name="random", label="Random, one draw", ink="random", order=10, build=lambda w: rules.random(w.facts, w.seed)),
    Baseline(name="home", label="Home", order=20, build=lambda w: rules.home(w.facts)),
    Baseline(name="greedy_locality", label="Nearest region", order=30, build=lambda w: rules.greedy_locality(w.facts, w.knowledge)),
    Baseline(name="greedy_cold_start", label="Fewest cold starts", order=40, build=lambda w: rules.greedy_cold_start(w.facts, w.knowledge)),
    Baseline(name="greedy_objective", label="Greedy, no hysteresis", order=50, build=_greedy_objective),
    Baseline(
        name="best_static", label="Best static (train)", ink="static", order=70, build=lambda w: rules.best_static(w.facts, w.knowledge)
    ),
    Baseline(
        name=COORDINATED,
        label="Coordinated static",
        order=80,
        build=lambda w: rules.Fixed(COORDINATED, w.placements[COORDINATED]),
    ),
    Baseline(
        name=FOLLOW,
        label="Follow the leader",
        order=96,
        build=lambda w: FollowTheLeader(w.facts, w.typical, w.facts.world.tactical_steps),
    ),
    Baseline(name=RUSH_HEAD, label="Planner with rush head", layer="tactical", order=130, build=_rush_head),
    *map(_tuned, TUNED),
)
