"""How good networks are on the valid spans of the judged scenarios: the score of searches and of checkpoints. Not here: the test span.

A score is a cost in per cent of home, winsorised: of every app, an interval counts at most as much as the 99th percentile of its intervals
in the same run, because a single rush can be half of a scenario's cost and would decide alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.training import VALIDATION, Tensors
from simulator.control.baseline import Stay
from simulator.control.loop import run as play
from simulator.control.view import Facts
from simulator.objective import objective_usd
from simulator.scenario import load_scenario
from tasks.core.records import read_record
from tasks.world.scenario_outputs import scenario_folder
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.control.decision import Policy
    from simulator.scenario import Scenario
    from tasks.core.paths import Paths

Float64 = NDArray[np.float64]
WINSORISED_AT = 0.99
PolicyOf = Callable[[Tensors, Facts], "Policy"]


class Validation:
    """The judged scenarios until the end of their valid spans.

    Args:
        paths: of the working tree.
        luck_seed: of cold starts and keep-alives.
        families: those that count; empty: all.
        most: scenarios of a family, the first ones; None: all.
    """

    def __init__(self, paths: Paths, luck_seed: int, *, families: Sequence[str] = (), most: int | None = None) -> None:
        self.luck_seed, self.families, self.folders = luck_seed, dict[str, str](), list["Path"]()
        self._scenarios: dict[str, Scenario] = {}
        for row in read_record(scenario_folder(paths) / "scenarios.json", ScenarioList).scenarios:
            is_wanted = not families or row.family in families
            if is_wanted and (most is None or list(self.families.values()).count(row.family) < most):
                self.folders.append(scenario_folder(paths) / row.id)
                self._scenarios[row.id] = load_scenario(self.folders[-1], until="valid")
                self.families[row.id] = row.family
        self._home = {name: self._usd(scenario, Stay()) for name, scenario in self._scenarios.items()}

    def pct_of_home(self, policy_of: Callable[[Facts], Policy]) -> dict[str, float]:
        """What a policy costs on every valid span, winsorised, in per cent of home, by scenario."""
        return {
            name: 100 * self._usd(scenario, policy_of(Facts.of(scenario))) / self._home[name] for name, scenario in self._scenarios.items()
        }

    def by_family(self, pct: Mapping[str, float]) -> dict[str, float]:
        """Means of a value by scenario over the scenarios of each family."""
        names = sorted(set(self.families.values()))
        return {family: float(np.mean([pct[name] for name, of in self.families.items() if of == family])) for family in names}

    def score(self, policy_of: PolicyOf) -> Callable[[Sequence[Tensors]], dict[str, list[float]]]:
        """What a training asks for: the mean over families of each seed, and the value of each scenario."""

        def scores(networks: Sequence[Tensors]) -> dict[str, list[float]]:
            found = [self.pct_of_home(lambda facts, own=tensors: policy_of(own, facts)) for tensors in networks]  # type: ignore[misc]
            means = [float(np.mean(list(self.by_family(one).values()))) for one in found]
            return {VALIDATION: means} | {f"validation/{name}": [one[name] for one in found] for name in self.families}

        return scores

    def _usd(self, scenario: Scenario, policy: Policy) -> float:
        fleet = play(scenario, policy, self.luck_seed, "valid", bucket_us=scenario.world.tactical_us)
        return winsorised(objective_usd(fleet.out, scenario.objective))


def winsorised(usd: Float64) -> float:
    """Sum of the cost of apps in intervals, float64 [A, K], each at most the 99th percentile of the app's intervals with a cost."""
    return float(sum(np.minimum(own, np.quantile(own[own > 0], WINSORISED_AT)).sum() for own in usd if (own > 0).any()))
