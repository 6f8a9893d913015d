"""A fleet of apps in one world: the state of a run and what can be done to it. Not here: the arithmetic of a call (simulator/kernel.py).

fleet = Fleet(scenario, scenario.apps.home, luck_seed=11)
fleet.advance(100); fleet.move(placements); fleet.advance(200); fleet.finish()
fleet.out[app, bucket, Field.COST_NANOUSD]
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import TrineError
from core.units import HOUR_US
from simulator import kernel
from simulator.layout import calls_of, floor_seeds, grown, slab_of, state_of, static_of
from simulator.places.constants import app_constants

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
# Upper edges of the latency bins: four a doubling from 1 ms to 268 s, the last bin is open.
LATENCY_EDGES_US = np.rint(1000.0 * 2.0 ** (np.arange(73) / 4)).astype(np.int64)


class Field(IntEnum):
    """Columns of `Fleet.out`. Counts, us, nano-USD, ng, uJ as the name says; a call is booked in the bucket of its arrival.

    LATENCY_US sums served calls; EXCESS_US is latency beyond the call's own duration (a rejected call: the timeout);
    CARBON_NG is execution, network, idle instances and copies of moves; IDLE_CARBON_NG is the idle part of it.
    """

    CALLS = kernel.CALLS
    SERVED = kernel.SERVED
    REJECTED = kernel.REJECTED
    COLD_STARTS = kernel.COLD_STARTS
    MISSES = kernel.MISSES
    WAITED = kernel.WAITED
    WAIT_US = kernel.WAIT_US
    LATENCY_US = kernel.LATENCY_US
    EXCESS_US = kernel.EXCESS_US
    COST_NANOUSD = kernel.COST
    EGRESS_NANOUSD = kernel.EGRESS
    CARBON_NG = kernel.CARBON
    IDLE_CARBON_NG = kernel.IDLE_CARBON
    FLOOR_NANOUSD = kernel.FLOOR
    MOVE_NANOUSD = kernel.MOVE
    MOVES = kernel.MOVES
    REJECT_NANOUSD = kernel.REJECT
    BUSY_US = kernel.BUSY_US
    BILLED_US = kernel.BILLED_US
    ENERGY_UJ = kernel.ENERGY


class ConservationError(TrineError):
    """Calls that arrived differ from calls served plus calls rejected."""


class Fleet:
    """All apps of a scenario, from `start_step` on with empty pools.

    Args:
        scenario: the world.
        placement: int64 [A], first placement of each app; it is free.
        luck_seed: of cold starts and keep-alives; equal luck makes runs comparable call by call.
        start_step, end_step: calls that arrive in these steps are served (default: the whole scenario).
        bucket_us: width of a bucket of `out`; a multiple of the step.
        is_coupled: apps share the capacity of a placement; else each has all of it.
        has_histogram: count latencies, too.
        is_watched: keep `total` and `peak`, too, which views are made of.
        has_steps: keep `steps`, too.
        has_rows: keep `rows` and `nothing_idle`, too; with `has_steps`.
        only: bool [A], apps whose calls come; the others are there and get none.

    Attributes:
        out: int64 [A, buckets, len(Field)], bucket = time since the start of the trace / bucket_us.
        binding: uint8 [A, tactical intervals], bit 0: had calls, bit 1: a call waited or was rejected for capacity.
        histogram: int32 [A, buckets, 74] of latencies of served calls by `LATENCY_EDGES_US`, or of size 0.
        rows: int64 [n, 2 + 9], step, app and what `steps` says of them, sorted; a step of an app that has no row had nothing but as many
            instances up as in the row before.
        nothing_idle: bool [calls], whether a call found no idle instance: it started cold, waited for an instance, or was rejected.
        step: barrier that was reached.
    """

    def __init__(
        self,
        scenario: Scenario,
        placement: Int64,
        *,
        luck_seed: int,
        start_step: int = 0,
        end_step: int | None = None,
        bucket_us: int = HOUR_US,
        is_coupled: bool = True,
        has_histogram: bool = False,
        is_watched: bool = False,
        has_steps: bool = False,
        has_rows: bool = False,
        only: NDArray[np.bool_] | None = None,
    ) -> None:
        self.scenario, self.step, self.start_step = scenario, start_step, start_step
        self.end_step = scenario.steps if end_step is None else end_step
        self.is_coupled = is_coupled
        static = static_of(scenario, luck_seed, bucket_us)
        self.static = static if only is None else calls_of(static, only)
        self.memory_mb = scenario.apps.memory_mb.astype(np.int64).copy()
        self.state = state_of(
            scenario,
            self.static,
            placement,
            is_coupled=is_coupled,
            edges=LATENCY_EDGES_US,
            has_histogram=has_histogram,
            is_watched=is_watched,
            has_steps=has_steps,
            has_rows=has_rows,
        )
        self._slab = slab_of(1024)
        self._group = int(np.searchsorted(self.static.group_step, start_step))
        self._floor_seeds = floor_seeds(scenario, luck_seed)
        self._floored = np.zeros((0, 2), dtype=np.int64)

    @property
    def out(self) -> Int64:
        """Results, int64 [A, buckets, len(Field)]."""
        return self.state.out

    @property
    def binding(self) -> NDArray[np.uint8]:
        """Bits of each app and tactical interval: had calls; capacity was binding."""
        return self.state.binding

    @property
    def steps(self) -> Int64:
        """The last twelve steps, see `View.steps`, int64 [12, A, 9]; empty without `has_steps`."""
        window = self.state.window
        return np.roll(window, -(self.step % len(window)), axis=0) if len(window) else window

    @property
    def rows(self) -> Int64:
        """Steps of apps in which something happened."""
        return self.state.rows[: int(self.state.rows_known[0])]

    @property
    def nothing_idle(self) -> NDArray[np.bool_]:
        """Calls that found no idle instance."""
        return self.state.nothing_idle

    @property
    def group(self) -> int:
        """The first group of calls that has not been served."""
        return self._group

    @property
    def slab(self) -> tuple[Int64, Int64]:
        """Times at which instances are free, and at which they expire, us, int64 [slots] in the layout of simulator/kernel.py."""
        return self._slab[0], self._slab[1]

    @property
    def placement(self) -> Int64:
        """Placement of each app as of the barrier reached, int64 [A]; an ordered move shows when its copy has ended."""
        return self.state.place

    def advance(self, to_step: int) -> None:
        """Serve the steps up to barrier `to_step`."""
        end = min(to_step, self.end_step)
        while self.step < end:
            self._group, self.step = kernel.advance(
                self.static,
                self.state,
                *self._slab,
                self._group,
                self.step,
                end,
                self.end_step,
                self._floored,
                self._floor_seeds,
                self.is_coupled,
            )
            if self.step < end:
                self.state, self._slab = grown(self.state, self._slab)

    def place(self, placement: Int64) -> None:
        """Choose the first placement of every app (int64 [A]) before anything has run; it is free.

        Raises:
            TrineError: a placement is not one of the scenario or not allowed for its app, or the fleet has run.
        """
        if self.step != self.start_step:
            raise TrineError(f"the fleet has run to step {self.step}", where="Fleet.place", how="use move() from there on")
        self.state.place[:] = self._checked(placement)

    def move(self, placement: Int64) -> None:
        """Order moves at the barrier reached; apps whose placement (int64 [A]) is the present one stay.

        Raises:
            TrineError: a placement is not one of the scenario or not allowed for its app.
        """
        kernel.order_moves(self.static, self.state, self._checked(placement), self.step)

    def _checked(self, placement: Int64) -> Int64:
        wanted = np.asarray(placement, dtype=np.int64)
        places = len(self.static.region)
        if wanted.shape != self.state.place.shape or wanted.min(initial=0) < 0 or wanted.max(initial=0) >= places:
            raise TrineError(
                f"placements need shape {self.state.place.shape} and values 0..{places - 1}", where="Fleet", how="pass one index an app"
            )
        forbidden = ~self.scenario.is_allowed[np.arange(len(wanted)), wanted] & (wanted != self.state.place)
        if forbidden.any():
            app = int(np.flatnonzero(forbidden)[0])
            zone = self.scenario.tables.zones[int(wanted[app])]
            raise TrineError(f"app {app} may not run at {zone}", where="Fleet", how="choose among scenario.is_allowed[app]")
        return wanted

    def set_floors(self, floor: Int64) -> None:
        """Set the warm floor of every pool (int64 [pools], order of function_ids) from the barrier reached on.

        A pool that does not exist at its app's placement gets none. What a zone cannot grant is neither launched nor paid.

        Raises:
            TrineError: a floor is negative or not whole, or their number is wrong.
        """
        wanted = np.asarray(floor)
        if wanted.dtype.kind not in "iu" or wanted.shape != self.state.floor.shape or wanted.min(initial=0) < 0:
            what = f"floors need shape {self.state.floor.shape} and whole numbers from 0 on"
            raise TrineError(what, where="Fleet.set_floors", how="pass one number a function")
        self.state.floor[:] = wanted
        pools = np.flatnonzero((self.state.floor > 0) | (self.state.granted > 0))
        app = np.searchsorted(self.static.first_pool, pools, side="right") - 1
        self._floored = np.stack([app, pools], axis=1).astype(np.int64)

    def set_memory(self, memory_mb: Int64, duration_factor_permille: Int64) -> None:
        """Set memory and the factor on durations (int64 [A], thousandths) from the barrier reached on."""
        constants = app_constants(self.scenario, memory_mb)
        constants[:, :, kernel.DURATION_FACTOR] = np.asarray(duration_factor_permille, dtype=np.int64)[:, None]
        self.set_constants(memory_mb, constants)

    def set_constants(self, memory_mb: Int64, constants: Int64) -> None:
        """Set memory (MB, int64 [A]) and what it makes a call cost (int64 [A, R, kernel.CONSTANTS]) from the barrier reached on.

        A new size is a new pool: what runs ends at the old size, and what is idle is never used again, a floor's instances included.
        """
        is_changed = self.memory_mb != memory_mb
        if is_changed.any():
            kernel.leave_sizes(self.static, self.state, *self._slab, is_changed, self.step, self.is_coupled)
        self.memory_mb[:] = memory_mb
        self.state.constants[:] = constants

    def finish(self) -> None:
        """Serve what is left, book the idle periods of what is warm, check conservation.

        Raises:
            ConservationError: a call was lost or counted twice.
        """
        self.advance(self.end_step)
        kernel.finish(self.static, self.state, *self._slab, self.end_step)
        self.check()

    def replay_alone(self, fresh_steps: int = 0) -> None:
        """Run the whole span app by app, uncoupled, without moves and floors; `fresh_steps`: pools start empty at its multiples.

        Raises:
            ConservationError: a call was lost or counted twice.
        """
        calls = self.scenario.calls
        # Groups are sorted by (step, app): a stable sort by app leaves the steps in order; small integers are sorted by their digits.
        order = np.argsort(calls.group_app.astype(np.min_scalar_type(len(self.state.place))), kind="stable")
        first = np.searchsorted(calls.group_app[order], np.arange(len(self.state.place) + 1)).astype(np.int64)
        alone = self.state._replace(alive=np.zeros(1, np.int64), ring=np.zeros((len(self.state.ring), 1), np.int32))
        calls_of_app, pools_of_app = int(np.diff(calls.first_call).max(initial=0)), int(np.diff(self.static.first_pool).max(initial=0))
        slab = slab_of(4 * (calls_of_app + pools_of_app))  # a page that is never touched takes no memory
        kernel.replay_alone(self.static, alone, *slab, order, first, self.step, self.end_step, fresh_steps)
        self.step = self.end_step
        self.check()

    def check(self) -> None:
        """Check that the calls that arrived are those served plus those rejected.

        Raises:
            ConservationError: they are not.
        """
        total = self.out.sum(axis=(0, 1))
        lo, hi = np.searchsorted(self.static.group_step, (self.start_step, self.step))
        arrived = int(self.static.group_calls[lo:hi].sum())
        if not int(total[Field.CALLS]) == arrived == int(total[Field.SERVED] + total[Field.REJECTED]):
            served, rejected = total[Field.SERVED], total[Field.REJECTED]
            raise ConservationError(
                f"{arrived} calls arrived, {total[Field.CALLS]} were handled, {served} served, {rejected} rejected",
                where=f"scenario {self.scenario.id}, steps {self.start_step}..{self.step}",
                how="this is a bug in the simulator, please report it with the scenario",
            )
