"""The state at a barrier, for whoever decides there. Not here: what builds it (loop.py), what learners derive from it (features/).

Nothing in a `View` arrives or begins at or after its barrier. The outcome of a call is known at its arrival, as in all results: that is a
limit of this world, and nothing that forecasts may read the duration of a call that has not ended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from simulator import kernel
from simulator.conditions import slowdown_permille

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.control.decision import Decision
    from simulator.control.history import Past
    from simulator.control.meters import Arrivals
    from simulator.parameters import Objective, Slo, World
    from simulator.places.tables import Tables
    from simulator.scenario import Scenario
    from simulator.workload import Apps

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
Made = TypeVar("Made")
RUNS = 41  # last arrivals of a function that a view holds
WINDOW_STEPS = kernel.WINDOW_STEPS  # that a view holds
UP, WORKING, IDLE_NEWEST_US, IDLE_OLDEST_US, FLOOR = range(5)  # columns of `pools`
OBJECTIVE_NANOUSD, CARBON_NANOUSD, REPLAYED_CALLS = range(3)  # last axis of `replayed`
# Last axis of `steps`.
(STEP_CALLS, STEP_WAITED, STEP_REJECTED, STEP_NOTHING_IDLE, STEP_UP, STEP_WORKING, STEP_MEMORY_MB) = range(7)
(STEP_WAIT_US, STEP_VCPU_US) = range(7, kernel.STEP_FIELDS)


@dataclass(frozen=True, eq=False)
class Facts:
    """What does not change and everybody may know: published tables, apps, prices, weights, fences. No calls, no conditions.

    Args:
        tables: places and prices.
        apps: attributes of the apps.
        world, slo, objective: parameters.
        is_allowed: bool [A, P], placements that an app may use.
    """

    tables: Tables
    apps: Apps
    world: World
    slo: Slo
    objective: Objective
    is_allowed: Bool

    @classmethod
    def of(cls, scenario: Scenario) -> Facts:
        """The facts of a scenario; always the same object."""
        if scenario not in _FACTS:
            _FACTS[scenario] = cls(scenario.tables, scenario.apps, scenario.world, scenario.slo, scenario.objective, scenario.is_allowed)
        return _FACTS[scenario]

    def made(self, kind: Callable[[Facts], Made]) -> Made:
        """What `kind` makes of the facts, made once: runs share it, so it must not change."""
        if kind not in self._made:
            self._made[kind] = kind(self)
        found: Made = self._made[kind]
        return found

    @cached_property
    def _made(self) -> dict[Callable[[Facts], Any], Any]:
        return {}

    @cached_property
    def cloud_of_placement(self) -> Int64:
        """The cloud of each placement, int64 [P]."""
        return self.tables.cloud_of_region[self.tables.region_of_placement]

    @cached_property
    def may_use(self) -> Bool:
        """Whether an app may use a placement of a cloud, bool [A, C]."""
        is_in = self.cloud_of_placement[:, None] == np.arange(len(self.tables.clouds))
        return (self.is_allowed[:, :, None] & is_in).any(axis=1)

    @cached_property
    def keeps_one_pool(self) -> Bool:
        """Whether the functions of an app share one pool at a placement, bool [P]."""
        return ~self.tables.is_pool_per_function[self.cloud_of_placement]


_FACTS: WeakKeyDictionary[Scenario, Facts] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class View:
    """The world at barrier `step`, read-only. A apps, P placements, R regions, Q functions, S finished slots.

    Args:
        facts: what everybody may know.
        step: the barrier; time is step * facts.world.step_s.
        placement, target: int64 [A], where each app runs, and where a copy is under way (-1: none).
        cloud: int64 [A], given by the layer above; without one, the cloud of the app's home.
        recent: int64 [A, len(Field)], sums since this part's last decision (idle energy as far as it is known).
        peak: int64 [A], most instances alive at the end of a step since then.
        pools: int64 [Q, 5], of each function: instances up, working, idle time of the newest and of the oldest idle one in us (-1: none),
            floor granted. Where a cloud keeps one pool per app, rows beyond the app's first are 0.
        memory_class: int64 [A], in force.
        arrivals: what `runs` is made of.
        utilisation_ppm, is_out: int64 and bool [P, S], of all finished five-minute slots.
        free: int64 [P], capacity of the last finished slot (before the first: the quota) less what is busy, warming or kept by a floor, at
            least 0; idle instances yield.
        carbon_mg_per_kwh: int64 [R, hours so far], the running hour included.
        past: calls that arrived before the barrier, and what they say.
        replayed: int64 [P, A, 3], of the tactical intervals that ended since this part's last decision, each app alone at each placement
            with a luck of its own: objective without carbon, carbon, both in nano-USD, calls. None where the part does not need it.
        steps: int64 [12, A, 9], of the last steps, newest last: calls that arrived, and of them those that waited, were rejected, found no
            idle instance; instances up and working at the end; MB of memory of the calls that ran at once, at most; us that calls waited in
            the step, vCPU us that they ran in it. 0 before the run. None where the part does not need it.
    """

    facts: Facts
    step: int
    placement: Int64
    target: Int64
    cloud: Int64
    recent: Int64
    peak: Int64
    pools: Int64
    memory_class: Int64
    arrivals: Arrivals
    utilisation_ppm: Int64
    is_out: Bool
    free: Int64
    carbon_mg_per_kwh: Int64
    past: Past
    replayed: Int64 | None = None
    steps: Int64 | None = None

    @property
    def runs(self) -> Int64:
        """Last arrivals of each function wherever it ran (arrival + half of the round trip), us, int64 [Q, 41], newest last, -1: none."""
        return self.arrivals.runs

    @property
    def now_us(self) -> int:
        """Time of the barrier, us."""
        return self.step * self.facts.world.step_us

    @cached_property
    def utilisation_now_ppm(self) -> Int64:
        """Utilisation of the last finished slot, int64 [P]; before the first, the mean that the world is built around."""
        return self.utilisation_before(0)

    def utilisation_before(self, slots: int) -> Int64:
        """Utilisation so many slots before the last finished one, int64 [P]; of the first slot if that is too early."""
        finished = self.utilisation_ppm.shape[1]
        if finished == 0:
            return np.full(len(self.free), round(self.facts.world.utilisation.u_mean * 1e6), dtype=np.int64)
        return self.utilisation_ppm[:, max(0, finished - 1 - slots)]

    @cached_property
    def slowdown_permille(self) -> Int64:
        """Factor on durations in the last finished slot, thousandths, int64 [P]."""
        return slowdown_permille(self.utilisation_now_ppm.astype(np.int32), self.facts.world).astype(np.int64)

    @property
    def grid_mg_per_kwh(self) -> Int64:
        """Carbon intensity of the running hour, int64 [R]."""
        return self.carbon_mg_per_kwh[:, -1]

    @cached_property
    def is_open(self) -> Bool:
        """Placements that were not out in the last finished slot, bool [P]."""
        return ~self.is_out[:, -1] if self.is_out.shape[1] else np.ones(len(self.free), dtype=np.bool_)

    def below(self, orders: Decision) -> View:
        """The same barrier for the next layer down: `cloud` and `target` show what was just ordered."""
        if orders.cloud is None and orders.placement is None:
            return self
        cloud = self.cloud if orders.cloud is None else orders.cloud
        target = self.target if orders.placement is None else np.where(orders.placement == self.placement, -1, orders.placement)
        return replace(self, cloud=cloud, target=target)
