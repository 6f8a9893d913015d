"""What `evaluate_learned` writes to reports/tactical/policy.json: what policies do in one scenario. Not here: any computing."""

from __future__ import annotations

from typing import ClassVar

from tasks.core.records import Number, Record


class ShownPolicy(Record):
    """One arm: share of the apps in each region by hour of the day, in each cloud by decision, and moves by decision.

    `by_region` is [regions][24], `by_cloud` is [decisions][clouds], `moves` and `hours` (since the start of the trace) are [decisions].
    """

    by_region: tuple[tuple[Number, ...], ...]
    by_cloud: tuple[tuple[Number, ...], ...]
    moves: tuple[int, ...]
    hours: tuple[Number, ...]


class ShownResponse(Record):
    """The response of an app: what a million calls cost beyond their level at each utilisation of the knots, USD."""

    app_id: str
    calls_per_interval: Number
    usd: tuple[Number, ...]


class ShownPolicies(Record):
    """The test span of one scenario: arms by name, and the five apps whose response is worth most."""

    written_by: ClassVar[str] = "evaluate_learned"

    scenario: str
    regions: tuple[str, ...]
    clouds: tuple[str, ...]
    arms: dict[str, ShownPolicy]
    knots: tuple[Number, ...]
    responses: tuple[ShownResponse, ...]
