"""The arms of the group `ablation`: the candidates arm with something taken away or changed. Not here: the arm itself (learned.py).

They are judged with one checkpoint, the first training seed's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from models.tactical.candidates import CandidatesAgent
from models.tactical.weighted import reweighed
from simulator.control.decision import Policy
from tasks.evaluation.arms.table import Arm, ordered
from tasks.evaluation.arms.world import World, candidates_agents

PERIODS_STEPS = (200, 500, 1000, 2000)
HEAVIER = 10.0  # a weight of the objective in the sweep


@dataclass(frozen=True, eq=False)
class Ablated:
    """What an ablation is built from.

    Args:
        world: the scenario.
        agent: the checkpoint.
        multiplier: price of a miss under which the SLO was kept on the valid span.
    """

    world: World
    agent: CandidatesAgent
    multiplier: float

    @classmethod
    def of(cls, world: World, multiplier: float) -> Ablated:
        """With the checkpoint of the first training seed."""
        agents = candidates_agents(world.models)
        return cls(world, agents[min(agents)], multiplier)

    def policy(
        self, name: str, *, is_allowed: Any = None, weights: dict[str, float] | None = None, period_steps: int | None = None
    ) -> Policy:
        """The candidates arm with other allowed placements (bool [A, P]), other weights or another period."""
        world, options = self.world, self.world.planner_options()
        facts = world.facts if is_allowed is None else replace(world.facts, is_allowed=is_allowed)
        learned = world.known.learned
        if weights:
            learned = reweighed(learned, world.scenario, world.scenario.split_steps[1], **weights)
        options["period_steps"] = period_steps or options["period_steps"]
        return self.agent.policy(facts, learned, name=name, **options)


@dataclass(frozen=True, kw_only=True)
class Ablation(Arm):
    """One row; `build` makes the policy that is judged."""

    ink: str = "learned"
    layer: str = "tactical"
    build: Callable[[Ablated], Policy]


def _no_zones(a: Ablated) -> Policy:
    """The first zone of each region alone, and home."""
    facts = a.world.facts
    allowed = facts.is_allowed & (facts.tables.zone_number == 0)[None, :]
    allowed[range(len(allowed)), facts.apps.home] = True
    return a.policy("no_zones", is_allowed=allowed)


def _period(steps: int, order: int) -> Ablation:
    name = f"period_{steps}"
    return Ablation(name=name, label=f"Decides every {steps} steps", order=order, build=lambda a: a.policy(name, period_steps=steps))


def _heavier(weight: str, order: int) -> Ablation:
    name = f"{weight}_x{HEAVIER:.0f}"
    return Ablation(
        name=name,
        label=f"{HEAVIER:.0f} times the weight of {weight}",
        order=order,
        build=lambda a: a.policy(name, weights={weight: HEAVIER}),
    )


ARMS = ordered(
    Ablation(name="flat72", label="All placements, no cloud above", order=110, build=lambda a: a.policy("flat72")),
    Ablation(name="no_zones", label="One zone a region", order=120, build=_no_zones),
    Ablation(
        name="slo_constraint",
        label="SLO as a constraint",
        order=130,
        build=lambda a: a.policy("slo_constraint", weights={"misses": a.multiplier}),
    ),
    *(_heavier(weight, 140 + i) for i, weight in enumerate(("carbon", "latency", "misses"))),
    *(_period(steps, 150 + i) for i, steps in enumerate(PERIODS_STEPS)),
)
