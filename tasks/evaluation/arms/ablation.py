"""The arms of the group `ablation`: what is learned with something taken away or changed. Not here: the arms themselves (learned.py).

The candidates arm is judged with one checkpoint, the first training seed's. `clouds_home` and `clouds_random` replace the strategic layer
above the tactical one that the orchestrator uses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.orchestrator import Orchestrator
from models.tactical.candidates import CandidatesAgent
from models.tactical.weighted import reweighed
from simulator.control.decision import Composite, Decision, Policy, PolicyBase
from simulator.control.view import Facts, View
from tasks.evaluation.arms.table import Arm, ordered
from tasks.evaluation.arms.world import World, candidates_agents

PERIODS_STEPS = (200, 500, 1000, 2000)
# The sweep of the objective's weights: factors on one weight, beside all weights as they are.
SWEEP = (("carbon", 3.0), ("carbon", 10.0), ("carbon", 30.0), ("latency", 10.0), ("misses", 0.1), ("misses", 10.0))


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


def _weighed(weight: str, factor: float, order: int) -> Ablation:
    name = f"{weight}_x{factor:g}"
    label = f"{factor:g} times the weight of {weight}"
    return Ablation(name=name, label=label, order=order, is_weighed=True, build=lambda a: a.policy(name, weights={weight: factor}))


class HomeClouds(PolicyBase):
    """A strategic layer that leaves every app in the cloud of its home: the layer's identity."""

    name = "clouds_home"

    def __init__(self, facts: Facts) -> None:
        self.period_steps = facts.world.strategic_steps

    def decide(self, view: View) -> Decision:
        """Order the clouds of home."""
        return Decision(cloud=view.facts.cloud_of_placement[view.facts.apps.home])


class RandomClouds(HomeClouds):
    """A strategic layer that samples a cloud among those that an app may use, every time it is asked.

    Args:
        facts: of the scenario.
        seed: of the random numbers.
    """

    name = "clouds_random"

    def __init__(self, facts: Facts, seed: int) -> None:
        super().__init__(facts)
        self._rng = np.random.Generator(np.random.PCG64(seed))

    def decide(self, view: View) -> Decision:
        """Order a sampled cloud for every app."""
        may_use = view.facts.may_use
        return Decision(cloud=np.argmax(self._rng.random(may_use.shape) * may_use, axis=1))


def _below(above: Callable[[Ablated], Policy], name: str) -> Callable[[Ablated], Policy]:
    """The tactical layer that the orchestrator uses, below another strategic one."""

    def build(a: Ablated) -> Policy:
        chosen = Orchestrator.load(a.world.models, ("tactical",), family=a.world.scenario.family)
        return Composite(name, strategic=above(a), tactical=chosen.placing(a.world.facts, a.world.known.learned, "cloud"))

    return build


ARMS = ordered(
    Ablation(name="flat72", label="All placements, no cloud above", order=110, is_weighed=True, build=lambda a: a.policy("flat72")),
    Ablation(name="no_zones", label="One zone a region", order=120, build=_no_zones),
    Ablation(
        name="slo_constraint",
        label="SLO as a constraint",
        order=130,
        build=lambda a: a.policy("slo_constraint", weights={"misses": a.multiplier}),
    ),
    *(_weighed(weight, factor, 140 + i) for i, (weight, factor) in enumerate(SWEEP)),
    *(_period(steps, 150 + i) for i, steps in enumerate(PERIODS_STEPS)),
    Ablation(
        name="clouds_home",
        label="Clouds of home, tactical below",
        order=160,
        layer="strategic",
        build=_below(lambda a: HomeClouds(a.world.facts), "clouds_home"),
    ),
    Ablation(
        name="clouds_random",
        label="Random clouds, tactical below",
        order=161,
        layer="strategic",
        build=_below(lambda a: RandomClouds(a.world.facts, a.world.seed), "clouds_random"),
    ),
)
