"""The window and its split in time: where it begins, where train, valid and test end. Not here: who may look at which part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.errors import ParameterError, RawDataError
from tasks.core.records import read_record
from tasks.data.ingest_outputs import ingest_report
from tasks.data.ingest_record import IngestReport

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

STRATEGIC_STEPS, TACTICAL_STEPS = 1000, 100
MIN_UNITS = 20
SHOWN_DAYS = 20  # that a message lists


def split_steps(span_steps: int, shares: tuple[float, float, float]) -> tuple[int, int, int, int]:
    """Return (unit, train end, valid end, test end) in steps from 0; what follows the test is run-out.

    The ends are whole strategic intervals (1,000 steps) where the span has 20 of them, else whole tactical ones (100), else steps:
    14 days of 15 s give 56,000 / 68,000 / 80,000 of 80,640.

    Args:
        span_steps: steps of the window.
        shares: of train, valid and test; they sum to 1.
    """
    unit = next((u for u in (STRATEGIC_STEPS, TACTICAL_STEPS) if span_steps >= MIN_UNITS * u), 1)
    units = span_steps // unit
    train, valid = round(units * shares[0]), round(units * (shares[0] + shares[1]))
    return unit, train * unit, valid * unit, units * unit


def first_day(params: Params) -> int:
    """Return the first day of the window, counted from the start of the trace."""
    return max(params.as_of_day - params.window_days, 0)


def no_calls(what: str, days: Sequence[int]) -> RawDataError:
    """Return the error of a span without calls.

    Args:
        what: is empty.
        days: that have calls, ascending.
    """
    listed = ", ".join(map(str, days[:SHOWN_DAYS])) + (", ..." if len(days) > SHOWN_DAYS else "")
    latest = f"set as_of_day to {days[-1] + 1} (or latest) and window_days to at most {days[-1] + 1 - days[0]}" if days else "add files"
    return RawDataError(what, where="params.yaml: as_of_day, window_days", how=f"days with calls: {listed or 'none'}; {latest}")


def with_found_days(params: Params, paths: Paths, source: str) -> Params:
    """Return the parameters with `as_of_day: latest` and `window_days` as the days that a source of calls was found to have.

    Args:
        params: of a stage that declares `as_of_day` and `window_days`.
        paths: of the working tree.
        source: of the calls; `scan` has looked at its days.

    Raises:
        ParameterError: the source has no days of calls.
    """
    if params.until_day is not None:
        return params
    found = read_record(ingest_report(paths, source), IngestReport).days
    if found is None:
        how = f"switch {source} on (traces.{source}.from), or set as_of_day to a number"
        raise ParameterError(f"as_of_day is latest, but {source} has no day with calls", where="params.yaml: as_of_day", how=how)
    return params.changed({"as_of_day": found.until, "window_days": min(params.window_days, found.until - found.first)})
