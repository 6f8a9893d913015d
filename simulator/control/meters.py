"""Counts the state at a barrier: arrivals of each function, instances of each pool. Not here: views (view.py)."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numba import njit
from numpy.typing import NDArray

from simulator import kernel
from simulator.control.decision import Policy, Role
from simulator.control.view import FLOOR, IDLE_NEWEST_US, IDLE_OLDEST_US, RUNS, UP, WORKING
from simulator.fleet import Fleet
from simulator.scenario import Scenario

Int64 = NDArray[np.int64]


@njit(cache=True)
def note_arrivals(  # pragma: no cover
    w: kernel.Static, first: int, end: int, place: Int64, target: Int64, switch_step: Int64, runs: Int64, until: Int64
) -> None:
    """Add the calls of the groups first .. end - 1 to `runs` (int64 [Q, n], newest last) and `until` (int64 [A], end of the calls so far).

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
        until[a] += w.group_calls[g]


_BEFORE: WeakKeyDictionary[Scenario, dict[int, tuple[Int64, Int64]]] = WeakKeyDictionary()  # by group


def arrivals_before(scenario: Scenario, fleet: Fleet) -> tuple[Int64, Int64]:
    """Return `runs` and `until` (see `note_arrivals`) of a fleet that has not run: what came before its first barrier came at home.

    They are made once per scenario and barrier and are not to be changed.
    """
    known = _BEFORE.setdefault(scenario, {})
    if fleet.group not in known:
        begin = max((group for group in known if group < fleet.group), default=-1)  # the last barrier before it that is known
        nothing = np.full((int(scenario.apps.first_function[-1]), RUNS), -1, dtype=np.int64), scenario.calls.first_call[:-1]
        runs, until = (part.copy() for part in known.get(begin, nothing))
        nowhere = np.full(len(until), -1, dtype=np.int64)
        note_arrivals(fleet.static, max(begin, 0), fleet.group, scenario.apps.home, nowhere, nowhere, runs, until)
        known[fleet.group] = runs, until
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
