"""What policies cost on the valid spans of the judged scenarios. Not here: the test span, the policies.

A cost is in per cent of home and winsorised: of every app, an interval counts at most as much as the 99th percentile of its intervals
in the same run, because a single rush can be half of a scenario's cost and would decide alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simulator.control.baseline import Stay
from simulator.control.loop import run as play
from simulator.objective import objective_usd
from simulator.scenario import load_scenario
from tasks.core.records import read_record
from tasks.world.scenario_outputs import scenario_folder
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from simulator.control.decision import Policy
    from simulator.scenario import Scenario
    from simulator.workload import Calls
    from tasks.core.paths import Paths

WINSORISED_AT = 0.99


class ValidSpan:
    """One judged scenario until the end of its valid span.

    Args:
        scenario: loaded until 'valid'.
        luck_seed: of cold starts and keep-alives.
    """

    def __init__(self, scenario: Scenario, luck_seed: int) -> None:
        self.scenario, self.luck_seed = scenario, luck_seed
        self.home_usd = self._usd(Stay())

    def pct_of_home(self, policy: Policy) -> float:
        """What a policy costs, % of home."""
        return round(100 * self._usd(policy) / self.home_usd, 6)

    def _usd(self, policy: Policy) -> float:
        fleet = play(self.scenario, policy, self.luck_seed, "valid", bucket_us=self.scenario.world.tactical_us)
        return winsorised(objective_usd(fleet.out, self.scenario.objective))


def valid_families(paths: Paths, families: Sequence[str] = (), most: int | None = None) -> dict[str, str]:
    """Families of the first scenarios of each (no families: of all; None: all scenarios), by name."""
    found: dict[str, str] = {}
    for row in read_record(scenario_folder(paths) / "scenarios.json", ScenarioList).scenarios:
        if (not families or row.family in families) and (most is None or list(found.values()).count(row.family) < most):
            found[row.id] = row.family
    return found


def valid_scenarios(paths: Paths, names: Iterable[str]) -> dict[str, Scenario]:
    """These scenarios until the end of their valid spans, by name. Those of one seed share their calls, most of what they hold."""
    found: dict[str, Scenario] = {}
    calls: dict[int, Calls] = {}
    for name in names:
        scenario = load_scenario(scenario_folder(paths) / name, until="valid")
        found[name] = replace(scenario, calls=calls.setdefault(scenario.seed, scenario.calls))
    return found


def mean_over_families(pct: Mapping[str, float], family_of: Mapping[str, str]) -> float:
    """Mean over families of the means over their scenarios."""
    families = sorted({family_of[name] for name in pct})
    means = [np.mean([value for name, value in pct.items() if family_of[name] == family]) for family in families]
    return round(float(np.mean(means)), 6)


def winsorised(usd: NDArray[np.float64]) -> float:
    """Sum of the cost of apps in intervals, float64 [A, K], each at most the 99th percentile of the app's intervals with a cost."""
    return float(sum(np.minimum(own, np.quantile(own[own > 0], WINSORISED_AT)).sum() for own in usd if (own > 0).any()))
