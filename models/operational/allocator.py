"""From a forecast to an order: warm floor, ceiling, memory and vCPU, by Little's law or by the event head. Not here: forecasts, rules.

Little's law: the vCPUs that a step asks for, over those of one instance, are the instances that work. A floor is at most what the zone has
free, and no more than its price allows: where the benefit of an avoided cold start is less than the price of the floor's shortest time,
nothing is kept warm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import ParameterError
from models.operational.economics import Prices
from models.operational.scaler import MinMax
from models.operational.scaling import rounded
from models.operational.windows import TARGETS
from simulator.control.decision import Decision, PolicyBase
from simulator.control.features import operational
from simulator.control.features.operational import RATE, SERIES, TIME
from simulator.control.orders import memory_classes
from simulator.places.rounding import vcpus

if TYPE_CHECKING:
    from simulator.control.view import Facts, View

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UNLIMITED = np.iinfo(np.int64).max  # no cloud of this world limits the instances of an app below its zone's capacity
MOST_SHARE = 0.25  # of a zone's free instances that floors of one decision may take
CPU, MEMORY, CALLS = (TARGETS.index(name) for name in ("cpu", "memory", "rate"))


class Predictor(Protocol):
    """A trained forecast of what the next step asks for."""

    def predict(self, states: Float32) -> Float32:
        """Scaled CPU, memory and rate, float32 [n, 3], for states float32 [n, 12, 5]."""


@dataclass(frozen=True, eq=False)
class Allocation:
    """What the next step gets. A apps, Q functions.

    Args:
        floor: int64 [Q], warm instances.
        ceiling: int64 [A], most instances; `UNLIMITED` where the world has no limit.
        memory_mb: int64 [A].
        vcpu_milli: int64 [A], thousandths of a vCPU that come with the memory.
    """

    floor: Int64
    ceiling: Int64
    memory_mb: Int64
    vcpu_milli: Int64


@dataclass(frozen=True)
class AllocationRules:
    """What is tuned.

    Args:
        factor: of the instances that the forecast asks for.
        threshold: least part of an instance that is rounded up.
        margin: instances added to every forecast, the safety margin.
        is_priced: leave out a floor whose benefit is below its price.
    """

    factor: float = 1.0
    threshold: float = 0.5
    margin: float = 0.0
    is_priced: bool = True


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What is known of the apps of a scenario, of its train span.

    Args:
        scale: float32 [A, 3], what demand is divided by.
        inputs: statistics of the four inputs of each app.
        benefit_usd: float64 [A, C], of an avoided cold start.
        memory_class: int64 [A], static sizes; all 0: the configured ones.
    """

    scale: Float32
    inputs: MinMax
    benefit_usd: Float64
    memory_class: Int64


def scaled_states(operational_state: Float32, inputs: MinMax) -> Float32:
    """Return states as the networks were trained on them, float32 [A, 12, 5]: scaled per app; without a call the time of day is left."""
    found = operational_state.copy()
    is_row = (operational_state != 0).any(axis=2)
    found[:, :, :TIME] = inputs.scaled(np.ascontiguousarray(operational_state[:, :, :TIME])) * is_row[:, :, None]
    found[~has_call(operational_state), :, :TIME] = 0
    return found


def has_call(operational_state: Float32) -> NDArray[np.bool_]:
    """Which windows hold a call, bool [A]."""
    return np.asarray((operational_state[:, :, RATE] > 0).any(axis=1))


class Allocator:
    """A predictor and what is known of the apps.

    Args:
        predictor: of the next step.
        known: of the scenario.
        rules: see `AllocationRules`.
    """

    def __init__(self, predictor: Predictor, known: Knowledge, rules: AllocationRules | None = None) -> None:
        self.predictor, self.known, self.rules = predictor, known, rules or AllocationRules()
        self._prices = Prices()
        self._sized: tuple[Facts, Int64, Float64] | None = None

    def forecast(self, operational_state: Float32) -> Float32:
        """What the next step asks for, float32 [A, 3]: vCPUs, MB, calls per second. Windows without a call share one evaluation."""
        active = has_call(operational_state)
        own, rest = np.flatnonzero(active), np.flatnonzero(~active)
        asked = np.concatenate([own, rest[:1]])
        answers = self.predictor.predict(scaled_states(operational_state[asked], self.known.inputs.of_apps(asked)))
        found = np.empty((len(active), len(TARGETS)), dtype=np.float32)
        found[own] = answers[: len(own)]
        if len(rest):
            found[rest] = answers[-1]
        return found * self.known.scale

    def allocate_resources(self, operational_state: Float32, view: View, facts: Facts) -> Allocation:
        """Return what the next step gets where the apps are placed now.

        Args:
            operational_state: float32 [A, 12, 5], see `simulator.control.features.operational.observe`; not scaled.
            view: of the barrier.
            facts: of the scenario.

        Raises:
            ParameterError: the state has another shape.
        """
        apps = len(facts.apps.app_ids)
        if operational_state.shape != (apps, operational_state.shape[1], SERIES):
            what = f"the state has shape {operational_state.shape}"
            raise ParameterError(what, where="allocate_resources", how=f"pass float32 [{apps}, 12, {SERIES}]")
        asked = self.forecast(operational_state)
        cloud = facts.cloud_of_placement[view.placement]
        memory, vcpu_by_cloud = self._sizes(facts)
        vcpu = vcpu_by_cloud[np.arange(apps), cloud]
        instances = asked[:, CPU] / np.maximum(vcpu, 1e-9)
        floors = rounded(self.rules.factor * instances + self.rules.margin, self.rules.threshold)
        floors = np.maximum(floors, 0)
        if self.rules.is_priced:
            p = self._prices.at(view)
            comes = 1.0 - np.exp(-asked[:, CALLS] * facts.world.step_us / 1e6)
            pays = comes * self.known.benefit_usd[np.arange(apps), cloud] > p.step_usd * p.unit_steps
            floors = np.where(pays, floors, 0)
        return Allocation(
            floor=on_pools(self._within(floors, view), view),
            ceiling=np.full(apps, UNLIMITED),
            memory_mb=memory.astype(np.int64),
            vcpu_milli=np.rint(1000 * vcpu).astype(np.int64),
        )

    def _sizes(self, facts: Facts) -> tuple[Int64, Float64]:
        """Memory of the apps, MB, int64 [A], and the vCPUs that come with it, float64 [A, C]; they do not change in a run."""
        if self._sized is None or self._sized[0] is not facts:
            sizes, _ = memory_classes(facts)
            memory = sizes[np.arange(len(sizes)), self.known.memory_class]
            self._sized = facts, memory, vcpus(facts.tables, memory)
        return self._sized[1], self._sized[2]

    def _within(self, floors: Int64, view: View) -> Int64:
        """Cut the floors of a zone to a share of what it has free, in order of the apps."""
        found = floors.copy()
        for p in np.unique(view.placement[floors > 0]):
            own = np.flatnonzero(view.placement == p)
            left = int(view.free[p] * MOST_SHARE)
            total = np.minimum(np.cumsum(found[own]), left)
            found[own] = np.diff(total, prepend=0)
        return found


def allocate_resources(operational_state: Float32, view: View, facts: Facts, allocator: Allocator) -> Allocation:
    """See `Allocator.allocate_resources`."""
    return allocator.allocate_resources(operational_state, view, facts)


@dataclass(frozen=True)
class AppAllocation:
    """What one app gets: floors by function, ceiling, memory in MB, thousandths of a vCPU."""

    floor: tuple[int, ...]
    ceiling: int
    memory_mb: int
    vcpu_milli: int


def allocate_app(
    operational_state: Float32, view: View, facts: Facts, allocator: Allocator, app: int, *, cloud: str, region: str
) -> AppAllocation:
    """Return what one app gets in a region, as if it were placed in its first allowed zone there.

    Args:
        operational_state: float32 [12, 5] of the app.
        view: of the barrier.
        facts: of the scenario.
        allocator: as for all apps.
        app: its position.
        cloud: its name.
        region: its metro, e.g. `fra`.

    Raises:
        ParameterError: there is no such region, or the app may not use it.
    """
    from dataclasses import replace

    tables = facts.tables
    name = f"{cloud}:{region}"
    own = [p for p in range(len(tables.zones)) if tables.regions[int(tables.region_of_placement[p])] == name and facts.is_allowed[app, p]]
    if not own:
        known = ", ".join(tables.regions)
        raise ParameterError(f"app {app} has no zone in '{name}'", where="allocate_app", how=f"use one of {known} that it may use")
    placement = view.placement.copy()
    placement[app] = own[0]
    states = np.zeros((len(facts.apps.app_ids), *operational_state.shape), dtype=np.float32)
    states[app] = operational_state
    found = Allocator(allocator.predictor, allocator.known, allocator.rules).allocate_resources(
        states, replace(view, placement=placement), facts
    )
    part = slice(int(facts.apps.first_function[app]), int(facts.apps.first_function[app + 1]))
    floor = tuple(found.floor[part].tolist())
    return AppAllocation(floor, int(found.ceiling[app]), int(found.memory_mb[app]), int(found.vcpu_milli[app]))


def on_pools(floors: Int64, view: View) -> Int64:
    """Give an app's floor (int64 [A]) to the pool of the function that was called last, int64 [Q]."""
    first = view.facts.apps.first_function
    found = np.zeros(first[-1], dtype=np.int64)
    one_pool = view.facts.keeps_one_pool[view.placement]
    for a in np.flatnonzero(floors > 0):
        last = 0 if one_pool[a] else int(view.runs[first[a] : first[a + 1], -1].argmax())
        found[first[a] + last] = floors[a]
    return found


class Forecasted(PolicyBase):
    """Floors by Little's law on a forecast, every step. Good for one run.

    Args:
        allocator: its inputs' statistics are copied and kept up to date in the run.
        name: of the arm.
        has_memory: whether the sizes are ordered, too.
    """

    period_steps, needs_steps = 1, True

    def __init__(self, allocator: Allocator, name: str, *, has_memory: bool = False) -> None:
        known = allocator.known
        self.name, self.has_memory = name, has_memory
        own = Knowledge(known.scale.copy(), known.inputs.copy(), known.benefit_usd, known.memory_class)
        self.allocator = Allocator(allocator.predictor, own, allocator.rules)
        self._known: operational.Known | None = None

    def decide(self, view: View) -> Decision:
        """Observe, forecast, allocate."""
        if self._known is None:
            self._known = operational.start(view.facts)
        state = operational.observe(view, self._known)
        self.allocator.known.inputs.update(state[:, -1, :TIME])
        found = self.allocator.allocate_resources(state, view, view.facts)
        return Decision(floors=found.floor, memory_class=self.allocator.known.memory_class if self.has_memory else None)
