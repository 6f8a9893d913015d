"""The fleet at home, the baseline of every reward: one reactive run of a scenario. Not here: policies, the judge, the environments.

Home is the placement where each app lives without a policy. The whole fleet is run there once, coupled; what it costs in each tactical
interval does not depend on what a policy does later, so one array serves all arms.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import ParameterError
from simulator.control.decision import NEVER_STEPS, Decision, PolicyBase
from simulator.control.loop import Loop, finished
from simulator.objective import objective_usd

if TYPE_CHECKING:
    from simulator.control.view import View
    from simulator.fleet import Fleet
    from simulator.scenario import Scenario

Float64 = NDArray[np.float64]
HOME_SEED = 1  # luck of the stored run
RECORD_FILE = "operational.npy"
HOME_FILE = "home.npy"  # in the folder of a scenario; the run with HOME_SEED


class Stay(PolicyBase):
    """Every app stays where it is: at home. An absent part of a policy means the same."""

    name, period_steps = "home", NEVER_STEPS

    def decide(self, view: View) -> Decision:
        """Order nothing."""
        return Decision()


def home_objective(scenario: Scenario, seed: int = HOME_SEED) -> Float64:
    """Run the whole fleet at home and return its objective, USD, float64 [A, tactical intervals of the scenario].

    Args:
        scenario: the world; its run-out is included.
        seed: of the luck.

    Raises:
        ConservationError: a call was lost or counted twice.
    """
    return objective_usd(_run_home(scenario, seed).out, scenario.objective)


def _run_home(scenario: Scenario, seed: int, *, has_groups: bool = False) -> Fleet:
    """The finished fleet at home, from the start to the end of the scenario, its run-out included."""
    buckets = scenario.world.tactical_us
    return finished(Loop(scenario, Stay(), seed, begin=0, end=scenario.steps, bucket_us=buckets, has_groups=has_groups))


def record_home(scenario: Scenario, folder: Path) -> None:
    """Run the fleet at home once and write what learners need of it into the scenario's folder.

    `home.npy`: see `home_objective`. `operational.npy`: int64 [G, 4], of each group of calls (one app in one step): calls that waited,
    us waited, us busy, and the running time that was asked for, us; the recorded inputs of the operational layer. Steps without
    calls have no row.

    Raises:
        ConservationError: a call was lost or counted twice.
    """
    fleet = _run_home(scenario, HOME_SEED, has_groups=True)
    np.save(folder / HOME_FILE, objective_usd(fleet.out, scenario.objective), allow_pickle=False)
    calls = scenario.calls
    until = np.concatenate([[0], np.cumsum(calls.duration_us)])
    asked_us = until[calls.group_first + calls.group_calls] - until[calls.group_first]
    np.save(folder / RECORD_FILE, np.column_stack([fleet.recorded, asked_us]), allow_pickle=False)


def stored_home(folder: Path | str, scenario: Scenario, seed: int = HOME_SEED) -> Float64:
    """Return the array of `HOME_FILE` in the scenario's folder if it is there and `seed` is its seed, else run the fleet.

    Raises:
        ParameterError: the file is of another scenario.
    """
    file = Path(folder) / HOME_FILE
    if seed != HOME_SEED or not file.is_file():
        return home_objective(scenario, seed)
    home_usd: Float64 = np.load(file, allow_pickle=False)
    shape = (len(scenario.apps.app_ids), -(-scenario.steps // scenario.world.tactical_steps))
    if home_usd.shape != shape:
        raise ParameterError(f"shape {home_usd.shape} instead of {shape}", where=str(file), how="build the scenario again")
    return home_usd
