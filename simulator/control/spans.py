"""Which steps the spans of a scenario are. Not here: what happens in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from core.errors import ParameterError

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Span = Literal["train", "valid", "test", "all"]


def span_steps(scenario: Scenario, span: Span) -> tuple[int, int]:
    """First step and end of a span; decisions and calls lie inside, what is in flight at the end still counts.

    Raises:
        ParameterError: the scenario was loaded only until the end of an earlier span.
    """
    train, valid, test = scenario.split_steps
    begin, end = {"train": (0, train), "valid": (train, valid), "test": (valid, test), "all": (0, test)}[span]
    if scenario.until != "test" and span in ("test", "all"):
        what = f"the scenario was loaded until the end of '{scenario.until}'"
        raise ParameterError(what, where=f"{scenario.id}: span '{span}'", how="only evaluation loads it whole: load_scenario(path)")
    return begin, end
