"""Which steps the spans of a scenario are. Not here: what happens in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from core.errors import ParameterError
from simulator.scenario import UNTIL

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
    needed = "test" if span == "all" else span
    if UNTIL.index(needed) > UNTIL.index(scenario.until):
        what = f"the scenario was loaded, or stored, until the end of '{scenario.until}'"
        how = "only evaluation loads one whole: load_scenario(path); a training fleet has its train span only"
        raise ParameterError(what, where=f"{scenario.id}: span '{span}'", how=how)
    return begin, end
