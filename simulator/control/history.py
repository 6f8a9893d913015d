"""What the calls before a barrier say. Not here: conditions, instances, anything that a decision could change.

Arrivals do not depend on decisions, so these tables are made once per scenario. Row k holds what was known at tactical barrier k and is
made of calls that arrived before it; a later call changes no earlier row, to the bit (sums are of integers).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from core.units import DAY_US, PPM, SLOT_US
from simulator.control.bursts import bursts
from simulator.workload import BYTES_IN_MEDIAN, BYTES_OUT_MEDIAN

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Made = TypeVar("Made")
NOMINAL_US = 1_000_000  # duration of a call of an app that was never called
DURATION, BYTES_IN, BYTES_OUT = range(3)  # columns of `mean`


@dataclass(frozen=True, eq=False)
class History:
    """A apps, C clouds, M metros, K barriers.

    Args:
        cold: float32 [K, A, C], probability that a gap between calls of the app outlives an idle instance of the cloud: the mean over
            the gaps that ended in the last 24 h; without one, 1.
        origins: float32 [K, A, M], where the calls of the last five minutes came from; without calls the last one ever, before the
            first call the home metro. Rows add up to 1.
        mean: float64 [K, A, 3], duration in us, bytes in and bytes out of the calls of the last 24 h; without calls the last one ever,
            before the first call 1 s and the medians of the app's payload class.
        day_first: int64 [K, A], the first of the calls that `mean` is of; they end at `day_end`, int64 [K, A].
    """

    cold: Float32
    origins: Float32
    mean: Float64
    day_first: Int64
    day_end: Int64

    def until(self, row: int) -> History:
        """The rows 0 .. row, read-only."""
        return History(**{field.name: read_only(getattr(self, field.name)[: row + 1]) for field in fields(self)})


@dataclass(frozen=True, eq=False)
class PastCalls:
    """Calls of one app, by arrival: int64 arrival and duration in us, int32 function, bytes in and out, int8 origin, bool has_ended."""

    arrival_us: Int64
    duration_us: Int64
    function: NDArray[np.int32]
    bytes_in: NDArray[np.int32]
    bytes_out: NDArray[np.int32]
    origin: NDArray[np.int8]
    has_ended: NDArray[np.bool_]


class Past:
    """Calls that arrived before a barrier.

    Attributes:
        first_call, until: int64 [A]; app a has the calls first_call[a] : until[a] of the trace behind it.
        history: tables of the tactical barriers so far, see `History`; made on first use.
    """

    def __init__(self, scenario: Scenario, step: int, until: Int64) -> None:
        self._calls, self._tables_of = scenario.calls, scenario
        self._now_us, self._row = step * scenario.world.step_us, step // scenario.world.tactical_steps
        self.first_call, self.until = read_only(scenario.calls.first_call[:-1]), read_only(until)

    @property
    def history(self) -> History:
        """Tables of the tactical barriers so far; the last row is the newest."""
        return self._once((self._row, "history"), lambda: history(self._tables_of).until(self._row))

    @property
    def bursts(self) -> Float32:
        """How the calls of each app came, by tactical barrier so far, float32 [K, A, len(bursts.NAMES)]; the last row is the newest."""
        return read_only(bursts(self._tables_of)[: self._row + 1])

    def calls(self, app: int) -> PastCalls:
        """The calls of an app so far; `has_ended` where the call's own duration had passed by the barrier."""
        part = slice(int(self.first_call[app]), int(self.until[app]))
        c = self._calls
        ended = c.arrival_us[part] + c.duration_us[part] <= self._now_us
        names = ("arrival_us", "duration_us", "function", "bytes_in", "bytes_out", "origin")
        return PastCalls(**{name: read_only(getattr(c, name)[part]) for name in names}, has_ended=ended)

    def p95_us(self) -> Float64:
        """95 % quantile (nearest rank) of the durations that the newest row of `history.mean` is of, float64 [A]; without any, 1 s."""
        return self._once((self._row, "p95_us"), lambda: read_only(self._p95_us()))

    def once(self, name: Hashable, make: Callable[[], Made]) -> Made:
        """What `make` returns, made once per scenario, barrier and name: learners pass the same barriers again and again.

        It may depend on the scenario's arrivals and conditions before the barrier, not on decisions, and must not change.
        """
        return self._once((self._now_us, name), make)

    def _once(self, key: tuple[int, Hashable], make: Callable[[], Made]) -> Made:
        known = _ONCE.setdefault(self._tables_of, {})
        if key not in known:
            known[key] = make()
        found: Made = known[key]
        return found

    def _p95_us(self) -> Float64:
        now = self.history
        found = np.full(len(self.until), float(NOMINAL_US))
        for a in np.flatnonzero(now.day_end[-1] > now.day_first[-1]):
            window = self._calls.duration_us[now.day_first[-1, a] : now.day_end[-1, a]]
            rank = -(-95 * len(window) // 100) - 1
            found[a] = np.partition(window, rank)[rank]
        return found


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view of an array that cannot be written through."""
    view = array.view()
    view.flags.writeable = False
    return view


_KNOWN: WeakKeyDictionary[Scenario, History] = WeakKeyDictionary()
_ONCE: WeakKeyDictionary[Scenario, dict[tuple[int, Hashable], Any]] = WeakKeyDictionary()  # by time or row of the barrier, and name


def history(scenario: Scenario) -> History:
    """Return the tables of a scenario for its tactical barriers, from the start to its end; made once per scenario."""
    if scenario not in _KNOWN:
        _KNOWN[scenario] = _history(scenario)
    return _KNOWN[scenario]


def _history(scenario: Scenario) -> History:
    calls, apps, t = scenario.calls, scenario.apps, scenario.tables
    barrier_us = np.arange(0, scenario.steps + 1, scenario.world.tactical_steps, dtype=np.int64) * scenario.world.step_us
    first = calls.first_call[:-1][None, :]
    day, until = _windows(calls.first_call, calls.arrival_us, barrier_us, DAY_US)
    recent, _ = _windows(calls.first_call, calls.arrival_us, barrier_us, SLOT_US)
    has_any = until > first
    of_day = np.where(day < until, day, np.maximum(until - 1, first))
    of_slot = np.where(recent < until, recent, np.maximum(until - 1, first))

    def mean(values: NDArray[np.integer], begin: Int64) -> Float64:
        total = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
        return (total[until] - total[begin]) / np.maximum(until - begin, 1)

    gap_us = np.diff(calls.arrival_us, prepend=0)
    gap_us[calls.first_call[:-1][np.diff(calls.first_call) > 0]] = scenario.steps * scenario.world.step_us  # nothing came before it
    share = np.linspace(0, PPM, t.keep_alive_us.shape[1])
    ended = [mean(np.interp(gap_us, life, share).astype(np.int64), day) / PPM for life in t.keep_alive_us]
    cold = np.where((day < until)[:, :, None], np.stack(ended, axis=2), 1.0)
    home = np.eye(len(t.metros))[t.metro_of_region[t.region_of_placement[apps.home]]]
    origins = np.stack([mean(calls.origin == m, of_slot) for m in range(len(t.metros))], axis=2)
    nominal = np.stack(
        [np.full(len(apps.payload), NOMINAL_US), np.array(BYTES_IN_MEDIAN)[apps.payload], np.array(BYTES_OUT_MEDIAN)[apps.payload]], axis=1
    )
    known = np.stack([mean(values, of_day) for values in (calls.duration_us, calls.bytes_in, calls.bytes_out)], axis=2)
    return History(
        cold=cold.astype(np.float32),
        origins=np.where(has_any[:, :, None], origins, home).astype(np.float32),
        mean=np.where(has_any[:, :, None], known, nominal),
        day_first=of_day,
        day_end=until,
    )


def _windows(first_call: Int64, arrival_us: Int64, barrier_us: Int64, window_us: int) -> tuple[Int64, Int64]:
    """Begin and end of the calls of each app that arrived in [barrier - window, barrier), int64 [K, A] each."""
    begin = np.zeros((len(barrier_us), len(first_call) - 1), dtype=np.int64)
    end = np.zeros_like(begin)
    for a, (lo, hi) in enumerate(pairwise(first_call.tolist())):
        begin[:, a] = lo + np.searchsorted(arrival_us[lo:hi], barrier_us - window_us)
        end[:, a] = lo + np.searchsorted(arrival_us[lo:hi], barrier_us)
    return begin, end
