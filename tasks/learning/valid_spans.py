"""What policies cost on the valid spans of the judged scenarios. Not here: the test span, the policies.

In per cent of home and winsorised, as networks are scored (validation.py); here a policy may need what is known of its scenario's past.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.control.baseline import Stay
from simulator.control.loop import run as play
from simulator.objective import objective_usd
from simulator.scenario import load_scenario
from tasks.core.records import read_record
from tasks.learning.validation import winsorised
from tasks.world.scenario_outputs import scenario_folder
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.control.decision import Policy
    from simulator.scenario import Scenario
    from tasks.core.paths import Paths


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


def valid_families(paths: Paths, families: Sequence[str], most: int) -> dict[str, str]:
    """Families of the first scenarios of each (no families: of all), by name."""
    found: dict[str, str] = {}
    for row in read_record(scenario_folder(paths) / "scenarios.json", ScenarioList).scenarios:
        if (not families or row.family in families) and list(found.values()).count(row.family) < most:
            found[row.id] = row.family
    return found


def valid_scenarios(paths: Paths, families: Sequence[str], most: int) -> dict[str, Scenario]:
    """These scenarios until the end of their valid spans, by name."""
    names = valid_families(paths, families, most)
    return {name: load_scenario(scenario_folder(paths) / name, until="valid") for name in names}


def mean_over_families(pct: Mapping[str, float], family_of: Mapping[str, str]) -> float:
    """Mean over families of the means over their scenarios."""
    families = sorted({family_of[name] for name in pct})
    means = [np.mean([value for name, value in pct.items() if family_of[name] == family]) for family in families]
    return round(float(np.mean(means)), 6)
