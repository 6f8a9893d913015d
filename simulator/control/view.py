"""What a policy may see, and what a policy is. Not here: policies (models/), features of the learners' environments (simulator/envs).

Everything in an `Observation` stood at the barrier it is made at, or before: utilisation is that of the last finished slot, capacity and
instances are those of the barrier, calls are those that arrived before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from core.units import HOUR_US, SLOT_US

if TYPE_CHECKING:
    from simulator.fleet import Fleet
    from simulator.parameters import Objective, Slo, World
    from simulator.places.tables import Tables
    from simulator.scenario import Scenario
    from simulator.workload import Apps

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Facts:
    """What does not change and everybody may know: published tables, the apps, prices and weights. No calls, no conditions."""

    tables: Tables
    apps: Apps
    world: World
    slo: Slo
    objective: Objective
    is_allowed: NDArray[np.bool_]

    @classmethod
    def of(cls, scenario: Scenario) -> Facts:
        """The facts of a scenario."""
        return cls(scenario.tables, scenario.apps, scenario.world, scenario.slo, scenario.objective, scenario.is_allowed)


@dataclass(frozen=True)
class Observation:
    """The world at barrier `step`. A apps, P placements, R regions.

    Args:
        step: the barrier; time is step * world.step_s.
        placement: int64 [A], where each app runs.
        utilisation_ppm, slowdown_permille: int64 [P], of the last finished five-minute slot.
        free: int64 [P], instances that still fit in, as of the barrier; never below 0.
        carbon_mg_per_kwh: int64 [R], of the hour of the barrier.
        recent: int64 [A, len(Field)], sums over calls since the policy's last decision (idle energy as far as it is known).
    """

    step: int
    placement: Int64
    utilisation_ppm: Int64
    slowdown_permille: Int64
    free: Int64
    carbon_mg_per_kwh: Int64
    recent: Int64


class Policy(Protocol):
    """A way to decide; one that remembers is used for one run.

    Attributes:
        name: of the arm in every table.
        period_steps: steps between decisions.
    """

    name: str
    period_steps: int

    def decide(self, seen: Observation) -> Int64:
        """Return the wanted placement of every app, int64 [A]; the first answer is the free first placement."""


def observe(fleet: Fleet, recent: Int64) -> Observation:
    """Return what stands at the fleet's barrier.

    Args:
        fleet: at a barrier.
        recent: int64 [A, len(Field)], see `Observation`.
    """
    seen, now = fleet.scenario.conditions, fleet.step * fleet.scenario.world.step_us
    slots = seen.capacity.shape[1]
    slot, last = min(now // SLOT_US, slots - 1), min(max(now // SLOT_US - 1, 0), slots - 1)
    alive = fleet.state.alive if fleet.is_coupled else np.zeros(len(fleet.static.region), dtype=np.int64)
    return Observation(
        step=fleet.step,
        placement=fleet.placement.copy(),
        utilisation_ppm=seen.utilisation_ppm[:, last].astype(np.int64),
        slowdown_permille=seen.slowdown_permille[:, last].astype(np.int64),
        free=np.maximum(0, seen.capacity[:, slot] - alive),
        carbon_mg_per_kwh=seen.carbon_mg_per_kwh[:, min(now // HOUR_US, seen.carbon_mg_per_kwh.shape[1] - 1)].copy(),
        recent=recent,
    )
