"""Checks the orders of a decision and gives them to the fleet. Not here: who decides (loop.py), what an order does (the kernel).

A wrong answer stops the run and is never repaired: a policy repaired by the judge is not the policy that was trained.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import TrineError
from simulator import kernel
from simulator.control.decision import Decision
from simulator.places.constants import app_constants
from simulator.places.rounding import vcpus
from simulator.workload import MEMORY_SIZES_MB

if TYPE_CHECKING:
    from simulator.control.view import Facts
    from simulator.fleet import Fleet

Int64 = NDArray[np.int64]
MEMORY_CLASSES = 3  # the configured size and the next larger ones


def memory_classes(facts: Facts) -> tuple[Int64, Int64]:
    """Return sizes of the memory classes, MB, int64 [A, classes], and the factor on durations, thousandths, int64 [A, C, classes].

    A duration is (1 - b) + b * vcpu at the configured size / vcpu, b the share of it that scales with vCPU. Beyond the largest size, the
    largest.
    """
    apps = facts.apps
    ladder = np.array(MEMORY_SIZES_MB)
    at = np.searchsorted(ladder, apps.memory_mb)[:, None] + np.arange(MEMORY_CLASSES)
    sizes = np.maximum(ladder[np.minimum(at, len(ladder) - 1)], apps.memory_mb[:, None])
    vcpu = vcpus(facts.tables, sizes).swapaxes(1, 2)
    scaling = apps.vcpu_bound_permille[:, None, None] / 1000
    return sizes, np.rint(1000 * ((1 - scaling) + scaling * vcpu[:, :, :1] / vcpu)).astype(np.int64)


def memory_constants(facts: Facts) -> tuple[Int64, Int64]:
    """Sizes of the memory classes, int64 [A, classes], and what a call costs with each, int64 [classes, A, R, kernel.CONSTANTS]."""
    sizes, factor = memory_classes(facts)
    found = np.stack([app_constants(facts, sizes[:, m]) for m in range(MEMORY_CLASSES)])
    found[..., kernel.DURATION_FACTOR] = factor[:, facts.tables.cloud_of_region].transpose(2, 0, 1)
    return sizes, found


class Orders:
    """The orders that are in force in one run.

    Args:
        facts: of the scenario.
        fleet: that carries them out.
    """

    def __init__(self, facts: Facts, fleet: Fleet) -> None:
        self.facts, self.fleet = facts, fleet
        apps, first = facts.apps, facts.apps.first_function
        self.app_of_function = np.repeat(np.arange(len(apps.app_ids)), np.diff(first))
        self.is_first_function = np.arange(first[-1]) == first[self.app_of_function]
        self.floors: Int64 = np.zeros(first[-1], dtype=np.int64)
        self.memory_class: Int64 = np.zeros(len(apps.app_ids), dtype=np.int64)
        self._given = self.floors
        self._constants: tuple[Int64, Int64] | None = None  # of the memory classes, once one is ordered

    def checked(self, answer: Decision, where: str, *, is_first: bool, first: Int64 | None) -> Decision:
        """Return the answer with arrays of int64.

        Args:
            answer: of one part.
            where: arm and step, for the error.
            is_first: the run begins here, so that a placement is in force at once.
            first: int64 [A], first placements that a part above has just ordered.

        Raises:
            TrineError: it is no decision, or an order has the wrong type or shape, is out of range or forbidden; the app is named.
        """
        if not isinstance(answer, Decision):
            raise TrineError(f"it answered {type(answer).__name__}", where=where, how="return a Decision")
        apps = len(self.facts.apps.app_ids)
        found: dict[str, Int64] = {}
        if answer.cloud is not None:
            found["cloud"] = self._whole("cloud", answer.cloud, apps, len(self.facts.tables.clouds), where)
            self._forbid(~self.facts.may_use[np.arange(apps), found["cloud"]], found["cloud"], self.facts.tables.clouds, where)
        if answer.placement is not None:
            wanted = self._whole("placement", answer.placement, apps, len(self.facts.tables.zones), where)
            is_forbidden = ~self.facts.is_allowed[np.arange(apps), wanted] & (wanted != self.fleet.placement)
            self._forbid(is_forbidden, wanted, self.facts.tables.zones, where)
            found["placement"] = wanted
        if answer.memory_class is not None:
            found["memory_class"] = self._whole("memory_class", answer.memory_class, apps, MEMORY_CLASSES, where)
        if answer.floors is not None:
            in_force = found.get("placement", first) if is_first else None
            floors = self._whole("floors", answer.floors, len(self.floors), None, where)
            wrong = np.flatnonzero((floors > 0) & self.beyond_the_first(self.fleet.placement if in_force is None else in_force))
            if len(wrong):
                app, function = self._app_at("floors", int(wrong[0])), self.facts.apps.function_ids[int(wrong[0])]
                what = f"{app} keeps one pool there, its function '{function}' has none of its own"
                raise TrineError(what, where=where, how="give the app's floor to its first function")
            found["floors"] = floors
        return replace(answer, **found)

    def give(self, orders: Decision, *, is_first: bool) -> None:
        """Carry out the orders of a barrier: moves first, then memory, then floors."""
        if orders.placement is not None:
            (self.fleet.place if is_first else self.fleet.move)(orders.placement)
        if orders.memory_class is not None and (orders.memory_class != self.memory_class).any():
            self.memory_class = orders.memory_class.copy()
            self._constants = self._constants or memory_constants(self.facts)
            sizes, constants = self._constants
            apps = np.arange(len(self.memory_class))
            self.fleet.set_constants(sizes[apps, self.memory_class], constants[self.memory_class, apps])
        if orders.floors is not None:
            self.floors = orders.floors.copy()
        self.follow()

    def follow(self) -> None:
        """Let floors follow the apps that have switched: where a cloud keeps one pool per app, they are summed into its first."""
        if not self.floors.any() and not self._given.any():
            return
        one_pool = self.facts.keeps_one_pool[self.fleet.placement][self.app_of_function]
        total = np.zeros(len(self.memory_class), dtype=np.int64)
        np.add.at(total, self.app_of_function, self.floors)
        wanted = np.where(one_pool, np.where(self.is_first_function, total[self.app_of_function], 0), self.floors)
        if (wanted != self._given).any():
            self.fleet.set_floors(wanted)
            self._given = wanted

    def beyond_the_first(self, placement: Int64) -> NDArray[np.bool_]:
        """Functions without a pool of their own: their app keeps one at its placement (int64 [A]) and they are not first; bool [Q]."""
        return self.facts.keeps_one_pool[placement][self.app_of_function] & ~self.is_first_function

    def _whole(self, name: str, value: Any, size: int, end: int | None, where: str) -> Int64:
        """Return the order `name` as int64 [size], values 0 .. end - 1 (None: any from 0 on)."""
        try:
            array = np.asarray(value)
        except ValueError:  # lists of different lengths
            array = np.array(None)
        if array.dtype.kind not in "iu" or array.shape != (size,):
            what = f"{name} is {array.dtype} of shape {array.shape}"
            if array.dtype.kind == "f" and array.shape == (size,) and np.isnan(array).any():
                what = f"{name} of {self._app_at(name, int(np.isnan(array).argmax()))} is NaN"
            raise TrineError(what, where=where, how=f"return whole numbers, int64 [{size}]")
        wrong = (array < 0) | (array >= (np.iinfo(np.int64).max if end is None else end))
        if wrong.any():
            i = int(wrong.argmax())
            how = "use 0 or more" if end is None else f"use 0..{end - 1}"
            raise TrineError(f"{name} of {self._app_at(name, i)} is {array[i]}", where=where, how=how)
        return array.astype(np.int64)

    def _forbid(self, is_forbidden: NDArray[np.bool_], wanted: Int64, names: tuple[str, ...], where: str) -> None:
        if is_forbidden.any():
            app = int(is_forbidden.argmax())
            how = "choose among facts.is_allowed[app]"
            raise TrineError(f"{self._app(app)} may not run at {names[int(wanted[app])]}", where=where, how=how)

    def _app_at(self, name: str, index: int) -> str:
        return self._app(int(self.app_of_function[index]) if name == "floors" else index)

    def _app(self, app: int) -> str:
        return f"app {app} ('{self.facts.apps.app_ids[app]}')"
