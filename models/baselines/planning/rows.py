"""What all calls of the past would have cost anywhere, as a table that is read many times. Not here: replaying (simulator/control)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simulator.control.counterfactual import REPLAY_SEED, ReplayTable, replay_table
from simulator.control.view import CARBON_NANOUSD, OBJECTIVE_NANOUSD, REPLAYED_CALLS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.control.spans import Span
    from simulator.scenario import Scenario

Int32 = NDArray[np.int32]
Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ReplayRows:
    """Replays of whole tactical intervals, one row for each interval and app with calls, sorted. N rows, P placements.

    Args:
        interval: int32 [N], of the scenario.
        app: int32 [N].
        calls: int32 [N].
        usd: float32 [N, P], objective without carbon.
        carbon_usd: float32 [N, P].
    """

    interval: Int32
    app: Int32
    calls: Int32
    usd: Float32
    carbon_usd: Float32

    def before(self, interval: int) -> ReplayRows:
        """The rows of the intervals before one."""
        end = int(np.searchsorted(self.interval, interval))
        return ReplayRows(self.interval[:end], self.app[:end], self.calls[:end], self.usd[:end], self.carbon_usd[:end])

    def of_apps(self, is_wanted: NDArray[np.bool_]) -> ReplayRows:
        """The rows of some apps, bool [A]."""
        kept = is_wanted[self.app]
        return ReplayRows(self.interval[kept], self.app[kept], self.calls[kept], self.usd[kept], self.carbon_usd[kept])


def replay_rows(scenario: Scenario, spans: tuple[Span, ...], luck_seed: int = REPLAY_SEED) -> ReplayRows:
    """Return the rows of one span after the other; each begins with empty pools."""
    return rows_of(replay_table(scenario, span, luck_seed) for span in spans)


def rows_of(tables: Iterable[ReplayTable]) -> ReplayRows:
    """Return the rows of the tables of one span after the other."""
    parts = []
    for table in tables:
        k, a = np.nonzero(table.values[:, 0, :, REPLAYED_CALLS])
        values = table.values[k, :, a] / 1e9
        parts.append(
            (
                (k + table.first_interval).astype(np.int32),
                a.astype(np.int32),
                table.values[k, 0, a, REPLAYED_CALLS].astype(np.int32),
                values[:, :, OBJECTIVE_NANOUSD].astype(np.float32),
                values[:, :, CARBON_NANOUSD].astype(np.float32),
            )
        )
    return ReplayRows(*(np.concatenate(column) for column in zip(*parts, strict=True)))
