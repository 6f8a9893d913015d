"""How long a world is and where its spans end if params.yaml leaves it to the trace; that every span has calls. Not here: building it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.errors import RawDataError
from core.units import DAY_S, DAY_US
from simulator.parameters import World
from tasks.data.split import split_steps, with_found_days
from tasks.world.scenario_settings import BY_SHARE, FOUND, ScenarioSettings

if TYPE_CHECKING:
    from simulator.scenario import Scenario
    from tasks.core.params import Params
    from tasks.core.paths import Paths

PARTS = ("train", "valid", "test")
SHOWN_DAYS = 20  # that a message lists


def with_found_span(params: Params, paths: Paths) -> Params:
    """Return the parameters with `scenario.days`, `scenario.split_steps` and `as_of_day` as numbers.

    `days: found` means all days of the window that the trace has; without `split_steps`, the shares of `scenario.split` say where the
    spans end, in whole intervals and before the end, so that the last calls can finish.

    Raises:
        ParameterError: the trace has no day with calls.
    """
    settings = params.section("scenario", ScenarioSettings)
    if settings.calls == "staged":
        params = with_found_days(params, paths, settings.source)
    days = params.window_days if settings.days == FOUND else settings.days
    ends = settings.split_steps
    if ends == BY_SHARE:
        ends = ends_of(days * DAY_S // params.section("world", World).step_s, settings.split)
    return params.changed({"scenario.days": days, "scenario.split_steps": list(ends)})


def ends_of(steps: int, shares: tuple[float, float, float]) -> tuple[int, int, int]:
    """Return where train, valid and test of a world of some steps end; at least one interval is left for the last calls."""
    unit, train, valid, test = split_steps(steps, shares)
    if test == steps:
        unit, train, valid, test = split_steps(steps - unit, shares)
    return train, valid, test


def require_calls(scenario: Scenario, first_day: int) -> None:
    """Refuse a world in which a span has no call: nothing could be learned or judged there.

    Args:
        scenario: with calls and spans.
        first_day: of the world, as a day of the trace.

    Raises:
        RawDataError: the span, the days with calls, and what to set.
    """
    ends_us = np.array(scenario.split_steps) * scenario.world.step_us
    arrival_us = np.sort(scenario.calls.arrival_us)
    reached = np.searchsorted(arrival_us, ends_us, side="left")
    counts = np.diff(reached, prepend=0)
    if counts.all():
        return
    k = int(np.flatnonzero(counts == 0)[0])
    begin_us, end_us = (0, *ends_us)[k], ends_us[k]
    days = np.unique(arrival_us // DAY_US) + first_day
    listed = ", ".join(map(str, days[:SHOWN_DAYS].tolist())) + (", ..." if len(days) > SHOWN_DAYS else "") if len(days) else "no day"
    span = f"days {first_day + begin_us / DAY_US:.2f} to {first_day + end_us / DAY_US:.2f}"
    what = f"the {PARTS[k]} span of the world {scenario.id} has no call ({span}); calls were found on day {listed}"
    how = (
        f"set as_of_day to {int(days[-1]) + 1 if len(days) else 1} and scenario.days to the days that are there with fitting "
        "scenario.split_steps; or use profile own, which finds the days and splits them by share"
    )
    raise RawDataError(what, where="params.yaml: as_of_day, scenario.days, scenario.split_steps", how=how)
