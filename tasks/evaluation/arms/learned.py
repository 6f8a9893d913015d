"""The arms of the group `learned`: networks of the three layers, alone and together. Not here: training (tasks/learning), judging.

An arm with training seeds of its own is judged once for each; what the orchestrator chose is judged as the checkpoint that it uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from models.orchestrator import LayerName, Orchestrator
from models.strategic.dqn import DQNAgent
from models.tactical.ppo import PPOAgent
from simulator.control.decision import Composite, Policy
from simulator.control.view import Facts
from tasks.evaluation.arms.table import Arm, ordered
from tasks.evaluation.arms.world import World, by_seed, candidates_agents, planned_agents
from tasks.learning.operational_policy import chosen_policy


@dataclass(frozen=True, kw_only=True)
class Learned(Arm):
    """One row; `build` makes the policies that are judged, by training seed (by the seed of the luck where there is no training seed).

    With `has_steps` it is asked every step, and judged in the families of the setting `full_in` only.
    """

    ink: str = "learned"
    has_steps: bool = False
    build: Callable[[World], Mapping[int, Policy]]


def _ppo(world: World) -> Mapping[int, Policy]:
    files = by_seed(world.models / "tactical" / "ppo_specified")
    return {seed: Composite("ppo_specified", tactical=PPOAgent.load(file).policy(world.facts)) for seed, file in files.items()}


def _candidates(world: World) -> Mapping[int, Policy]:
    agents = candidates_agents(world.models)
    options = world.planner_options()
    return {seed: agent.policy(world.facts, world.known.learned, **options) for seed, agent in agents.items()}


def _candidates_ppo(world: World) -> Mapping[int, Policy]:
    agents, options = planned_agents(world.models), world.planner_options()
    return {seed: agent.policy(world.facts, world.known.learned, **options) for seed, agent in agents.items()}


def _dqn(world: World) -> Mapping[int, Policy]:
    files = by_seed(world.models / "strategic" / "dqn_specified")
    return {seed: Composite("dqn_specified", strategic=DQNAgent.load(file).policy(world.facts)) for seed, file in files.items()}


def _strategic_only(world: World) -> Mapping[int, Policy]:
    return _orchestrated(world, "strategic_only", ("strategic",))


def _strategic_tactical(world: World) -> Mapping[int, Policy]:
    return _orchestrated(world, "strategic_tactical", ("strategic", "tactical"))


def _full(world: World) -> Mapping[int, Policy]:
    """All three layers, whether they were found to be of use or not; the floors are asked every step."""
    return _orchestrated(world, "full", ("strategic", "tactical", "operational"))


def _as_chosen(world: World) -> Mapping[int, Policy]:
    """The layers that were found to be of use on the valid spans."""
    return _orchestrated(world, "as_chosen", None)


def _orchestrated(world: World, name: str, layers: tuple[LayerName, ...] | None) -> Mapping[int, Policy]:
    def operational(_: Facts) -> Policy:
        return chosen_policy(world.models, world.scenario.id)

    found = Orchestrator.load(world.models, layers, operational, family=world.scenario.family)
    return {world.seed: found.policy(world.facts, world.known.learned, name=name)}


ARMS = ordered(
    Learned(name="ppo_specified", label="PPO, as specified", order=10, layer="tactical", build=_ppo),
    Learned(name="candidates", label="Candidates on the planner", order=20, layer="tactical", build=_candidates),
    Learned(name="candidates_ppo", label="Candidates, PPO from the planner", order=25, layer="tactical", build=_candidates_ppo),
    Learned(name="dqn_specified", label="DQN, as specified", order=30, layer="strategic", build=_dqn),
    Learned(name="strategic_only", label="Strategic layer alone", order=40, layer="strategic", build=_strategic_only),
    Learned(name="strategic_tactical", label="Strategic and tactical layer", order=50, layer="tactical", build=_strategic_tactical),
    Learned(name="full", label="All three layers", order=60, layer="tactical", has_steps=True, build=_full),
    Learned(name="as_chosen", label="Orchestrator's choice", order=70, layer="tactical", has_steps=True, build=_as_chosen),
)
