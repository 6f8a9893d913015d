"""What the calls of the past would have cost anywhere: every app alone at each placement. Not here: choosing from it (models/).

A replay runs the whole fleet at one placement, uncoupled: an app sees all of a placement's capacity. It compares placements; it
understates what happens when many apps choose the same one. `Replays` goes along with a run, with a luck of its own; `placement_fields`
replays a span at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import ParameterError, TrineError
from simulator.control.spans import Span, span_steps
from simulator.control.view import CARBON_NANOUSD, OBJECTIVE_NANOUSD, REPLAYED_CALLS
from simulator.fleet import Field, Fleet
from simulator.objective import COMPONENTS, components_usd, objective_usd

if TYPE_CHECKING:
    from simulator.parameters import Objective
    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
REPLAY_SEED = 12  # luck of replays beside a run; the judge has 1, tuning 11


@dataclass(frozen=True, eq=False)
class ReplayTable:
    """Replays of tactical intervals, computed before.

    Args:
        first_interval: of the scenario, the first row.
        values: int64 [K, P, A, 3], see `View.replayed`.
        total: int64 [P, A, len(Field)], sums over the whole span.
    """

    first_interval: int
    values: Int64
    total: Int64


class Replays:
    """Uncoupled fleets at all placements, advanced beside a run. They begin empty at the start of the span that the run lies in.

    Args:
        scenario: the world.
        step: a barrier; rows are asked for from there on.
        luck_seed: of the replays.
    """

    def __init__(self, scenario: Scenario, step: int, luck_seed: int = REPLAY_SEED) -> None:
        train, valid, _ = scenario.split_steps
        begin = max(edge for edge in (0, train, valid) if edge <= step)
        if begin % scenario.world.tactical_steps:
            raise _inside(begin, scenario.world.tactical_steps)
        self.scenario, self.next_interval = scenario, begin // scenario.world.tactical_steps
        apps, width = len(scenario.apps.app_ids), scenario.steps * scenario.world.step_us
        self.fleets = [
            Fleet(scenario, np.full(apps, p, dtype=np.int64), luck_seed=luck_seed, start_step=begin, bucket_us=width, is_coupled=False)
            for p in range(len(scenario.tables.zones))
        ]
        self.known = [fleet.out[:, 0].copy() for fleet in self.fleets]

    def interval(self) -> Int64:
        """Advance one tactical interval and return its sums, int64 [P, A, 3]: see `View.replayed`."""
        self.next_interval += 1
        rows = np.empty((len(self.fleets), len(self.scenario.apps.app_ids), 3), dtype=np.int64)
        for p, fleet in enumerate(self.fleets):
            fleet.advance(self.next_interval * self.scenario.world.tactical_steps)
            now = fleet.out[:, 0]
            rows[p] = _replayed(now - self.known[p], self.scenario.objective)
            np.copyto(self.known[p], now)
        return rows


def _replayed(fields: Int64, objective: Objective) -> Int64:
    """What `View.replayed` says of sums of calls (int64 [..., len(Field)]), int64 [..., 3]."""
    parts = components_usd(fields, objective)
    rows = np.empty((*fields.shape[:-1], 3), dtype=np.int64)
    rows[..., OBJECTIVE_NANOUSD] = np.rint(np.sum([parts[name] for name in COMPONENTS if name != "carbon"], axis=0) * 1e9)
    of_calls = (fields[..., Field.CARBON_NG] - fields[..., Field.IDLE_CARBON_NG]) / 1e12 * objective.carbon_usd_per_kg
    rows[..., CARBON_NANOUSD] = np.rint(of_calls * 1e9)
    rows[..., REPLAYED_CALLS] = fields[..., Field.CALLS]
    return rows


class ReplaySource:
    """Where the replays of a run come from: a table that was made before, or fleets beside the run; both give the same bytes.

    Args:
        scenario: the world.
        begin: step where the run begins.
        table: of the span; None: they are computed.
        luck_seed: of replays that are computed.
    """

    def __init__(self, scenario: Scenario, begin: int, table: ReplayTable | None, luck_seed: int) -> None:
        self.scenario, self.begin, self.table, self.luck_seed = scenario, begin, table, luck_seed
        self.next_interval = begin // scenario.world.tactical_steps
        self._beside: Replays | None = None

    def ended(self, step: int) -> Int64 | None:
        """Return the sum over the tactical intervals that ended since the last call by barrier `step`, int64 [P, A, 3]; None: none did.

        Raises:
            TrineError: the table does not hold one of them.
        """
        total = None
        while (self.next_interval + 1) * self.scenario.world.tactical_steps <= step:
            rows = self._rows(self.next_interval)
            total = rows.copy() if total is None else total + rows
            self.next_interval += 1
        return total

    def _rows(self, interval: int) -> Int64:
        if self.table is not None:
            row = interval - self.table.first_interval
            if not 0 <= row < len(self.table.values):
                what = f"the table of replays has no interval {interval}"
                raise TrineError(what, where=f"scenario {self.scenario.id}", how="make the table of the span that is run")
            return self.table.values[row]
        self._beside = self._beside or Replays(self.scenario, self.begin, self.luck_seed)
        while self._beside.next_interval < interval:  # a run that begins inside a span: its replays began with the span
            self._beside.interval()
        return self._beside.interval()


def replay_table(scenario: Scenario, span: Span, luck_seed: int = REPLAY_SEED) -> ReplayTable:
    """Return the replays of all whole tactical intervals of a span; with them a run computes none, and sees the same numbers.

    Raises:
        ParameterError: the span does not begin at a tactical barrier, or it is several spans.
    """
    begin, end = span_steps(scenario, span)
    first, steps = begin // scenario.world.tactical_steps, scenario.world.tactical_steps
    if span == "all":
        raise ParameterError("'all' is three spans", where="replay_table: span", how="make one table each of train, valid, test")
    values = np.empty(((end - begin) // steps, len(scenario.tables.zones), len(scenario.apps.app_ids), 3), dtype=np.int64)
    total = np.empty((*values.shape[1:3], len(Field)), dtype=np.int64)
    for p in range(values.shape[1]):
        fields = placement_fields(scenario, luck_seed, span, p)
        total[p] = fields.sum(axis=1)
        values[:, p] = _replayed(fields[:, : len(values)], scenario.objective).swapaxes(0, 1)
    return ReplayTable(first, values, total)


def placement_fields(scenario: Scenario, seed: int, span: Span, placement: int, *, is_fresh: bool = False) -> Int64:
    """Return the sums of all apps at one placement, int64 [A, intervals of the span, len(Field)].

    Args:
        scenario: the world.
        seed: of the luck.
        span: which part; pools are empty at its start.
        placement: where all apps run.
        is_fresh: pools are empty at the start of every tactical interval, as for an app that has just moved in.

    Idle periods that begin after the span count in its last interval.

    Raises:
        ParameterError: the span begins inside a tactical interval, so that decisions would not fall on its intervals.
    """
    begin, end = span_steps(scenario, span)
    steps = scenario.world.tactical_steps
    if begin % steps:
        raise _inside(begin, steps)
    fleet = Fleet(
        scenario,
        np.full(len(scenario.apps.app_ids), placement, dtype=np.int64),
        luck_seed=seed,
        start_step=begin,
        end_step=end,
        bucket_us=scenario.world.tactical_us,
        is_coupled=False,
    )
    fleet.replay_alone(steps if is_fresh else 0)
    last = -(-end // steps)
    fields = fleet.out[:, begin // steps : last]
    fields[:, -1] += fleet.out[:, last:].sum(axis=1)
    return fields


def still_fields(scenario: Scenario, seed: int, span: Span, placement: Int64, only: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """Return the `Field` sums of apps that stay where they are over a span, coupled, int64 [A, len(Field)].

    Apps of one placement share its capacity and nothing with those of another: with all apps of some placements as `only`, their rows are
    those of the whole fleet.

    Args:
        scenario: the world.
        seed: of the luck.
        span: which part; pools are empty at its start.
        placement: int64 [A].
        only: bool [A], apps whose calls come; the rows of the others are 0.
    """
    begin, end = span_steps(scenario, span)
    bucket_us = scenario.world.tactical_us
    fleet = Fleet(scenario, placement, luck_seed=seed, start_step=begin, end_step=end, bucket_us=bucket_us, only=only)
    fleet.finish()
    return np.asarray(fleet.out.sum(axis=1))


def sized_fields(scenario: Scenario, seed: int, span: Span, memory_mb: Int64, constants: Int64) -> NDArray[np.int64]:
    """Return the `Field` sums of every app alone at home with another memory size over a span, int64 [A, len(Field)].

    Args:
        scenario: the world.
        seed: of the luck.
        span: which part; pools are empty at its start.
        memory_mb: int64 [A].
        constants: int64 [A, R, kernel.CONSTANTS], what a call costs with these sizes.
    """
    begin, end = span_steps(scenario, span)
    fleet = Fleet(scenario, scenario.apps.home, luck_seed=seed, start_step=begin, end_step=end, is_coupled=False)
    fleet.set_constants(memory_mb, constants)
    fleet.replay_alone()
    return np.asarray(fleet.out.sum(axis=1))


def objective_table(scenario: Scenario, seed: int, span: Span, *, is_fresh: bool = False) -> NDArray[np.float64]:
    """Return the objective J, USD, float64 [P, A, intervals of the span]; see `placement_fields`."""
    tables = [
        objective_usd(placement_fields(scenario, seed, span, p, is_fresh=is_fresh), scenario.objective)
        for p in range(len(scenario.tables.zones))
    ]
    return np.stack(tables)


def _inside(step: int, tactical_steps: int) -> ParameterError:
    return ParameterError(
        f"the span begins at step {step}, inside an interval",
        where="params.yaml: scenario.split_steps",
        how=f"use multiples of world.tactical_steps ({tactical_steps})",
    )
