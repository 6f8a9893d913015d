"""Counts the state at a barrier: arrivals of each function, instances of each pool. Not here: views (view.py)."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simulator import kernel
from simulator.control.decision import Policy, Role
from simulator.control.history import read_only
from simulator.control.view import FLOOR, IDLE_NEWEST_US, IDLE_OLDEST_US, RUNS, UP, WORKING
from simulator.fleet import Fleet
from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
MOST_UNASKED = 64  # barriers after which the last arrivals are looked up, so that no long run keeps all of them


@njit(cache=True)
def note_arrivals(  # pragma: no cover
    w: kernel.Static, first: int, end: int, place: Int64, target: Int64, switch_step: Int64, runs: Int64
) -> None:
    """Add the calls of the groups first .. end - 1 to `runs` (int64 [Q, n], newest last).

    `place`, `target`, `switch_step`: int64 [A], as they were at the barrier where the first of these groups begins.
    """
    last = runs.shape[1] - 1
    for g in range(end - 1, first - 1, -1):  # newest first: once the rows are full, most calls are older than all they hold
        a = w.group_app[g]
        p = target[a] if target[a] >= 0 and w.group_step[g] >= switch_step[a] else place[a]
        region = w.region[p]
        for i in range(w.group_first[g] + w.group_calls[g] - 1, w.group_first[g] - 1, -1):
            row = runs[w.first_pool[a] + w.function[i]]
            t = w.arrival_us[i] + (w.rtt_us[w.origin[i], region] >> 1)
            if t <= row[0]:
                continue
            j = last
            while j >= 0 and row[j] > t:
                j -= 1
            for x in range(j):
                row[x] = row[x + 1]
            row[j] = t


class Arrivals:
    """The calls that arrived before a barrier: how many of each app, and the last ones of each function once somebody asks.

    Args:
        static: of the run.
        before: at an earlier barrier; None: there was nothing.
        groups: first and end of the groups of calls that came since.
        where: int64 [A] each, placements, targets and steps of their switches at the earlier barrier.

    Attributes:
        until: int64 [A], end of the calls of each app.
    """

    def __init__(self, static: kernel.Static, before: Arrivals | None, groups: tuple[int, int], where: tuple[Int64, Int64, Int64]) -> None:
        self._static, self._before, self._groups, self._where = static, before, groups, where
        self._runs: Int64 | None = None
        self._unasked: int = before._unasked + 1 if before else 0  # barriers since the last one whose `runs` are known
        if before and self._unasked > MOST_UNASKED:
            before._look_up()
            self._unasked = 1
        app, calls = (column[slice(*groups)] for column in (static.group_app, static.group_calls))
        came = np.bincount(app, calls, minlength=len(where[0])).astype(np.int64)
        self.until: Int64 = (before.until if before else static.first_call[:-1]) + came

    @property
    def runs(self) -> Int64:
        """Last arrivals of each function, see `View.runs`, int64 [Q, 41]."""
        return self._look_up() if self._runs is None else self._runs

    def _look_up(self) -> Int64:
        todo, known = [self], self._before
        while known is not None and known._runs is None:
            todo.append(known)
            known = known._before
        runs = np.full((int(self._static.first_pool[-1]), RUNS), -1, dtype=np.int64) if known is None else known.runs.copy()
        for part in reversed(todo):
            note_arrivals(self._static, *part._groups, *part._where, runs)
        self._runs, self._before, self._unasked = read_only(runs), None, 0
        return self._runs


_BEFORE: WeakKeyDictionary[Scenario, dict[int, Arrivals]] = WeakKeyDictionary()  # by group


def arrivals_before(scenario: Scenario, fleet: Fleet) -> Arrivals:
    """Return what arrived before the first barrier of a fleet that has not run: all of it came at home; made once."""
    known = _BEFORE.setdefault(scenario, {})
    if fleet.group not in known:
        last = max((group for group in known if group < fleet.group), default=0)
        nowhere = np.full(len(scenario.apps.app_ids), -1, dtype=np.int64)
        known[fleet.group] = Arrivals(fleet.static, known.get(last), (last, fleet.group), (scenario.apps.home, nowhere, nowhere))
    return known[fleet.group]


@njit(cache=True)
def count_pools(  # pragma: no cover
    free_at: Int64, expiry: Int64, pools: Int64, granted: Int64, first_pool: Int64, place: Int64, places: int, now: int
) -> tuple[Int64, Int64]:
    """Return the instances of every pool as of `now`, see `View.pools`, and how many at each placement would yield, int64 [places].

    An instance yields if it is idle and not among those that the floor of its pool keeps, the ones that expire last. Layout of heap and
    stack: simulator/kernel.py.
    """
    found, yielding = np.zeros((len(pools), 5), dtype=np.int64), np.zeros(places, dtype=np.int64)
    for a in range(len(first_pool) - 1):
        for q in range(first_pool[a], first_pool[a + 1]):
            begin, size, busy, idle = pools[q, kernel.START], pools[q, kernel.SIZE], pools[q, kernel.BUSY], pools[q, kernel.IDLE]
            newest, oldest = np.int64(-1), np.int64(-1)
            for j in range(busy + idle):
                i = begin + j if j < busy else begin + size - idle + (j - busy)
                if expiry[i] <= now:
                    continue
                found[q, UP] += 1
                if free_at[i] > now:
                    found[q, WORKING] += 1
                    continue
                since = now - free_at[i]
                oldest = max(oldest, since)
                newest = since if newest < 0 else min(newest, since)
                later = np.int64(0)
                for x in range(busy + idle if granted[q] else 0):
                    o = begin + x if x < busy else begin + size - idle + (x - busy)
                    later += expiry[o] > expiry[i] or (
                        expiry[o] == expiry[i] and (free_at[o] > free_at[i] or (free_at[o] == free_at[i] and x < j))
                    )
                yielding[place[a]] += later >= granted[q]
            found[q, IDLE_NEWEST_US], found[q, IDLE_OLDEST_US], found[q, FLOOR] = newest, oldest, granted[q]
    return found, yielding


def pools_of(fleet: Fleet) -> tuple[Int64, Int64]:
    """See `count_pools`: as of the barrier that a fleet has reached."""
    now, places = fleet.step * fleet.scenario.world.step_us, len(fleet.static.region)
    return count_pools(*fleet.slab, fleet.state.pools, fleet.state.granted, fleet.static.first_pool, fleet.placement, places, now)


class Part:
    """One part of a policy, and what happened since its last decision.

    Attributes:
        known: int64 [A, len(Field)], sums as of then.
        peak: int64 [A], most instances alive since then.
        replayed: int64 [P, A, 3], see `View.replayed`; None: no interval has ended since then.
    """

    def __init__(self, role: Role, policy: Policy, apps: int) -> None:
        self.role, self.policy = role, policy
        self.known = np.zeros((apps, kernel.FIELDS), dtype=np.int64)
        self.peak = np.zeros(apps, dtype=np.int64)
        self.replayed: Int64 | None = None

    def has_decided(self, total: Int64, alive: Int64) -> None:
        """Start anew from the sums (int64 [A, len(Field)]) and the instances alive (int64 [A]) of this barrier."""
        self.known, self.peak, self.replayed = total.copy(), alive, None
