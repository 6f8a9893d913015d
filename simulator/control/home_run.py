"""The recorded run of the fleet at home: its objective, and what every app did in every step. Not here: the run itself (baseline.py).

It is stored in a scenario's folder: `home.json` describes the arrays, `home.npy` is the objective, `run.*.npy` the steps. Most steps of an
app are empty, so only those in which something happened have a row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ScenarioError
from simulator.arrays import REBUILD, damaged, load_array, load_record, read_json, save_array, save_record, sha256, write_json
from simulator.control.view import STEP_MEMORY_MB, STEP_UP, STEP_VCPU_US, STEP_WAIT_US
from simulator.kernel import STEP_FIELDS
from simulator.scenario import DESCRIPTION, FORMAT

if TYPE_CHECKING:
    from simulator.fleet import Fleet
    from simulator.scenario import Scenario

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
HOME_DESCRIPTION = "home.json"
HOME_FILE = "home.npy"
COUNTS = STEP_MEMORY_MB + 1  # the first columns of `View.steps`


@dataclass(frozen=True, eq=False)
class HomeRun:
    """What every app did at home in every step. R rows, N calls of the scenario; columns as in `View.steps`.

    Args:
        step, app: int32 [R], sorted; a step of an app without a row had nothing but as many instances up as in the app's row before.
        counts: int32 [R, 7], the first columns.
        wait_us, vcpu_us: int64 [R], the last two.
        nothing_idle: bool [N], whether a call found no idle instance.
        first_call: int64 [A + 1], where an app's calls begin in `nothing_idle`.
    """

    step: NDArray[np.int32]
    app: NDArray[np.int32]
    counts: NDArray[np.int32]
    wait_us: Int64
    vcpu_us: Int64
    nothing_idle: NDArray[np.bool_]
    first_call: Int64

    @classmethod
    def of(cls, fleet: Fleet) -> HomeRun:
        """The record of a finished fleet with `has_rows`."""
        rows = fleet.rows
        counts = rows[:, 2 : 2 + COUNTS].astype(np.int32)
        wait_us, vcpu_us = rows[:, 2 + STEP_WAIT_US].copy(), rows[:, 2 + STEP_VCPU_US].copy()
        step, app = rows[:, 0].astype(np.int32), rows[:, 1].astype(np.int32)
        return cls(step, app, counts, wait_us, vcpu_us, fleet.nothing_idle.copy(), fleet.scenario.calls.first_call)

    def window(self, begin: int, end: int) -> Int64:
        """Return all columns of the steps [begin, end), int64 [end - begin, A, 9]."""
        apps = len(self.first_call) - 1
        low, high = np.searchsorted(self.step, (begin, end))
        found = np.zeros((end - begin, apps, STEP_FIELDS), dtype=np.int64)
        at = self.step[low:high] - begin, self.app[low:high]
        found[(*at, slice(0, COUNTS))] = self.counts[low:high]
        found[(*at, STEP_WAIT_US)], found[(*at, STEP_VCPU_US)] = self.wait_us[low:high], self.vcpu_us[low:high]
        if end > begin:
            self._carry(found[:, :, STEP_UP], at, low)
        return found

    def _carry(self, up: Int64, at: tuple[NDArray[Any], NDArray[Any]], low: int) -> None:
        """Fill in the instances up where an app has no row, from its row before; `up`: int64 [steps, A]."""
        known = np.full(up.shape, -1, dtype=np.int64)
        known[at] = at[0]
        known = np.maximum.accumulate(known, axis=0)
        before = np.zeros(up.shape[1], dtype=np.int64)
        before[self.app[:low]] = self.counts[:low, STEP_UP]  # of several rows of an app the last one counts
        carried = up[known, np.arange(up.shape[1])]
        up[:] = np.where(known >= 0, carried, before)

    def until(self, scenario: Scenario) -> HomeRun:
        """The record without what comes after the last span of a scenario that was loaded until then."""
        first = scenario.calls.first_call
        end = scenario.split_steps[("train", "valid", "test").index(scenario.until)] if scenario.until != "test" else scenario.steps
        rows = int(np.searchsorted(self.step, end))
        kept = np.concatenate([np.arange(a, a + n) for a, n in zip(self.first_call, np.diff(first), strict=False)]).astype(np.int64)
        short = {name: getattr(self, name)[:rows] for name in ("step", "app", "counts", "wait_us", "vcpu_us")}
        return replace(self, **short, nothing_idle=self.nothing_idle[kept], first_call=first)


def save_home(objective: Float64, run: HomeRun, folder: Path) -> None:
    """Write the objective at home (float64 [A, tactical intervals]) and the record of the run into a scenario's folder."""
    described = {
        "format": FORMAT,
        "scenario_sha256": sha256(folder / DESCRIPTION),
        "objective": save_array(objective, folder / HOME_FILE),
        "run": save_record(run, folder, "run."),
    }
    write_json(folder / HOME_DESCRIPTION, described)


def load_home_objective(folder: Path | str) -> Float64 | None:
    """Return the objective at home, USD, float64 [A, tactical intervals]; None: the folder has none.

    Raises:
        ScenarioError: a file is missing, damaged, or of another scenario.
    """
    at = Path(folder)
    if not (at / HOME_DESCRIPTION).is_file() and not (at / HOME_FILE).is_file():
        return None
    found: Float64 = load_array(_described(at)["objective"], at / HOME_FILE)
    return found


def load_home_run(folder: Path | str, scenario: Scenario) -> HomeRun:
    """Return the record of the run at home in a scenario's folder, to the end of the span that the scenario was loaded until.

    Raises:
        ScenarioError: a file is missing, damaged, or of another scenario.
    """
    at = Path(folder)
    return load_record(HomeRun, _described(at)["run"], at, "run.").until(scenario)


def _described(folder: Path) -> Any:
    found = read_json(folder / HOME_DESCRIPTION) if (folder / HOME_DESCRIPTION).is_file() else {}
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        what = (
            f"the run at home has format {found.get('format')}, this version reads format {FORMAT}" if found else "there is no run at home"
        )
        raise ScenarioError(what, where=str(folder / HOME_DESCRIPTION), how=REBUILD)
    if found["scenario_sha256"] != sha256(folder / DESCRIPTION):
        raise damaged(folder / HOME_DESCRIPTION, "the run at home is of another scenario")
    return found
