"""What `drill_operational` writes to reports/operational/drift_timeline.json: one twin around its shifts. Not here: any computing."""

from __future__ import annotations

from typing import ClassVar

from tasks.core.records import Number, Record


class Series(Record):
    """One class of apps in one case: hourly means of its residuals, and when each detector gave an alarm, hours from the shift.

    `residual` is None where nothing was seen.
    """

    case: str
    signal: str
    app_class: str
    hours: tuple[Number, ...]
    residual: tuple[Number | None, ...]
    alarms: dict[str, tuple[Number, ...]]


class Done(Record):
    """One action that an alarm triggered, hours from the shift."""

    arm: str
    case: str
    detector: str
    reaction: str
    signal: str
    app_class: str
    hour: Number


class DriftTimeline(Record):
    """The first twin of the drill: its residuals and alarms, and the record of every action."""

    written_by: ClassVar[str] = "drill_operational"

    seed: int
    series: tuple[Series, ...]
    actions: tuple[Done, ...]
