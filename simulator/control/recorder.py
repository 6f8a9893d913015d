"""Keeps the records of a run: what was decided at each barrier, why, what else was weighed. Not here: what a record is (decision.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.control.decision import Record, reasons

if TYPE_CHECKING:
    from simulator.control.decision import Decision, Policy
    from simulator.control.view import View


class Recorder:
    """The records of one run, one for each decision about placements.

    A decision about clouds becomes part of the record at the same barrier: a strategic tick asks the tactical part, too.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._clouds: dict[str, Any] = {}

    def note(self, view: View, policy: Policy, order: Decision, *, is_first: bool) -> None:
        """Note what a part ordered at a barrier.

        Args:
            view: what the part saw.
            policy: the part; it offers the estimates.
            order: its answer, checked.
            is_first: the run begins here.
        """
        if order.cloud is not None:
            estimates, unit = policy.estimates(view) or (None, "")
            self._clouds = {"cloud": order.cloud.copy(), "cloud_estimates": estimates, "cloud_unit": unit}
        if order.placement is not None:
            estimates, unit = policy.estimates(view) or (None, "")
            why = reasons(view.placement, view.target, order.placement, is_first=is_first)
            self.records.append(Record(view.step, order.placement.copy(), why, estimates, unit, **self._clouds))
            self._clouds = {}
