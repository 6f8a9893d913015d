"""What a policy answers, and what a policy is. Not here: what it sees (view.py), who asks it (loop.py), ways to decide (models/).

class Stay(PolicyBase):
    name = "stay"

    def decide(self, view):
        return Decision(placement=view.placement)
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import TrineError

if TYPE_CHECKING:
    from simulator.control.view import View

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Scope = Literal["cloud", "all"]
Role = Literal["strategic", "tactical", "operational", "all"]
NEVER_STEPS = 1 << 40  # a period longer than any span


@dataclass(frozen=True, eq=False)
class Decision:
    """What is ordered at a barrier, for A apps and Q functions; None: as before.

    Args:
        placement: int64 [A], wanted placement; the first one of a run is free, a later one that differs is a move.
        floors: int64 [Q], warm instances of each function, 0 or more; where a cloud keeps one pool per app, only the app's first function
            may have any.
        memory_class: int64 [A], 0 the configured size, 1 and 2 the next larger ones.
        cloud: int64 [A], the order of a strategic part to the tactical one below it; nobody else may give it.
    """

    placement: Int64 | None = None
    floors: Int64 | None = None
    memory_class: Int64 | None = None
    cloud: Int64 | None = None


class Policy(Protocol):
    """A policy. It is good for one run: what it remembers belongs to that run.

    Attributes:
        name: of the arm in every table.
        period_steps: how often the loop asks; 1 for anything that sets floors.
        needs_replays: it reads `view.replayed`.
        needs_steps: it reads `view.steps`.
        scope: as a tactical part, whether it chooses inside `view.cloud` or among all placements (then there is no strategic part).
    """

    name: str
    period_steps: int
    needs_replays: bool
    needs_steps: bool
    scope: Scope

    def decide(self, view: View) -> Decision:
        """Return what to order at the barrier of the view."""

    def estimates(self, view: View) -> tuple[Float64, str] | None:
        """Return the estimates behind the answer, float64 [A, n] and their unit, NaN where an alternative is masked; None: it has none."""


class PolicyBase:
    """Defaults of a `Policy`: asked every 100 steps, needs neither replays nor steps, chooses among all placements."""

    name: str
    period_steps: int = 100
    needs_replays: bool = False
    needs_steps: bool = False
    scope: Scope = "all"

    def estimates(self, view: View) -> tuple[Float64, str] | None:
        """No estimates unless a policy says otherwise."""
        return None


class Composite(PolicyBase):
    """Three parts on clocks of their own, one policy; a part that is absent is its identity: home, the least estimate, reactive.

    The loop asks the parts that are due, in the order strategic, tactical, operational. All of them see the barrier as it was before any
    acted, except that `cloud` and `target` show what the layer above has just ordered. A strategic tick asks the tactical part, too.

    Args:
        name: of the arm.
        strategic: answers `Decision(cloud=...)`.
        tactical: answers `Decision(placement=...)`; under a strategic part it has the scope 'cloud'.
        operational: answers floors and memory, at the placement that is in force.

    Raises:
        TrineError: a strategic part above a tactical one that chooses among all placements, or no part at all.
    """

    def __init__(
        self, name: str, *, strategic: Policy | None = None, tactical: Policy | None = None, operational: Policy | None = None
    ) -> None:
        where = f"policy '{name}'"
        if strategic is not None and tactical is not None and tactical.scope == "all":
            raise TrineError("its tactical part chooses among all placements", where=where, how="leave out the strategic part")
        if strategic is not None and tactical is None:
            from simulator.control.features.estimate import LeastEstimate

            tactical = LeastEstimate()
        self.name = name
        found: tuple[tuple[Role, Policy | None], ...] = (("strategic", strategic), ("tactical", tactical), ("operational", operational))
        self.parts: tuple[tuple[Role, Policy], ...] = tuple((role, part) for role, part in found if part is not None)
        if not self.parts:
            raise TrineError("it has no part", where=where, how="pass a strategic, a tactical or an operational policy")
        self.period_steps = min(part.period_steps for _, part in self.parts)

    def decide(self, view: View) -> Decision:
        """Ask every part at one barrier and return their orders as one."""
        orders = Decision()
        for role, part in self.parts:
            orders = merged(orders, part.decide(view.below(orders)), role)
        return orders


def parts_of(policy: Policy) -> tuple[tuple[Role, Policy], ...]:
    """Return the parts of a policy in the order in which they decide; most policies are one part that may order anything."""
    return policy.parts if isinstance(policy, Composite) else (("all", policy),)


# What a part may order.
_ORDERS: dict[Role, tuple[str, ...]] = {
    "strategic": ("cloud",),
    "tactical": ("placement",),
    "operational": ("floors", "memory_class"),
    "all": ("placement", "floors", "memory_class"),
}


def merged(above: Decision, answer: Decision, role: Role) -> Decision:
    """Return the orders of the layers above together with those of one part.

    Raises:
        TrineError: the answer orders what is another layer's.
    """
    given = {field.name: value for field in fields(answer) if (value := getattr(answer, field.name)) is not None}
    others = sorted(set(given) - set(_ORDERS[role]))
    if others:
        raise TrineError(f"the {role} part orders {', '.join(others)}", where="decide", how=f"it may order {', '.join(_ORDERS[role])}")
    return replace(above, **given)


class Reason(IntEnum):
    """Why an app is where a decision record says."""

    FIRST = 0  # the free first placement of the run
    STAY = 1
    MOVE = 2
    UNDER_WAY = 3  # its copy was ordered before and goes on
    RETURN = 4  # a copy under way is given up


@dataclass(frozen=True, eq=False)
class Record:
    """One decision about placements. A apps, n alternatives.

    Args:
        step: of the view.
        placement: int64 [A], chosen.
        reason: int8 [A], see `Reason`.
        estimates: float64 [A, n] of the alternatives that the policy weighed, NaN: masked; None: it offers none.
        unit: of the estimates, e.g. 'USD of the coming interval'.
        cloud: int64 [A], what a strategic part ordered at the same barrier; None: none was due.
        cloud_estimates: float64 [A, C] of the clouds, and `cloud_unit`, theirs; likewise.
    """

    step: int
    placement: Int64
    reason: NDArray[np.int8]
    estimates: Float64 | None
    unit: str
    cloud: Int64 | None = None
    cloud_estimates: Float64 | None = None
    cloud_unit: str = ""


def reasons(before: Int64, target: Int64, wanted: Int64, *, is_first: bool) -> NDArray[np.int8]:
    """Return the reason of each app's order, int8 [A]; int64 [A] each: placement, copy under way (-1: none), order."""
    found = np.where(wanted != before, Reason.MOVE, np.where(target >= 0, Reason.RETURN, Reason.STAY))
    found = np.where((wanted == target) & (wanted != before), Reason.UNDER_WAY, found)
    return np.where(is_first, Reason.FIRST, found).astype(np.int8)
