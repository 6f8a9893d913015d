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
from simulator.control.home_run import HOME_FILE, HomeRun, load_home_objective, save_home
from simulator.control.loop import Loop, finished
from simulator.objective import objective_usd

if TYPE_CHECKING:
    from simulator.control.view import View
    from simulator.fleet import Fleet
    from simulator.scenario import Scenario

Float64 = NDArray[np.float64]
HOME_SEED = 1  # luck of the stored run


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


def _run_home(scenario: Scenario, seed: int, *, has_rows: bool = False) -> Fleet:
    """The finished fleet at home, from the start to the end of the scenario, its run-out included."""
    buckets = scenario.world.tactical_us
    return finished(Loop(scenario, Stay(), seed, begin=0, end=scenario.steps, bucket_us=buckets, has_rows=has_rows))


def record_home(scenario: Scenario, folder: Path) -> None:
    """Run the fleet at home once and write what learners need of it into the scenario's folder: its objective, and its steps.

    Raises:
        ConservationError: a call was lost or counted twice.
    """
    fleet = _run_home(scenario, HOME_SEED, has_rows=True)
    save_home(objective_usd(fleet.out, scenario.objective), HomeRun.of(fleet), folder)


def stored_home(folder: Path | str, scenario: Scenario, seed: int = HOME_SEED) -> Float64:
    """Return the objective stored in the scenario's folder if it is there and `seed` is its seed, else run the fleet.

    Raises:
        ScenarioError: what is stored is damaged, or of another scenario.
        ParameterError: the scenario is another one than that of the folder.
    """
    home_usd = load_home_objective(folder) if seed == HOME_SEED else None
    if home_usd is None:
        return home_objective(scenario, seed)
    shape = (len(scenario.apps.app_ids), -(-scenario.steps // scenario.world.tactical_steps))
    if home_usd.shape != shape:
        what = f"shape {home_usd.shape} instead of {shape}"
        raise ParameterError(what, where=str(Path(folder) / HOME_FILE), how="build the scenario again")
    return home_usd
