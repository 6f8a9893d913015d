"""How good networks are on the valid spans of the judged scenarios: the score of searches and of checkpoints. Not here: the test span."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from models.training import VALIDATION, Tensors
from simulator.control.view import Facts
from tasks.learning.valid_spans import ValidSpan, mean_over_families, valid_families, valid_scenarios
from tasks.world.scenario_outputs import scenario_folder

if TYPE_CHECKING:
    from simulator.control.decision import Policy
    from tasks.core.paths import Paths

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
        self.families = valid_families(paths, families, most)
        self.folders = [scenario_folder(paths) / name for name in self.families]
        self._spans = {name: ValidSpan(scenario, luck_seed) for name, scenario in valid_scenarios(paths, self.families).items()}

    def pct_of_home(self, policy_of: Callable[[Facts], Policy]) -> dict[str, float]:
        """What a policy costs on every valid span, winsorised, in per cent of home, by scenario."""
        return {name: span.pct_of_home(policy_of(Facts.of(span.scenario))) for name, span in self._spans.items()}

    def by_family(self, pct: Mapping[str, float]) -> dict[str, float]:
        """Means of a value by scenario over the scenarios of each family."""
        names = sorted(set(self.families.values()))
        return {family: float(np.mean([pct[name] for name, of in self.families.items() if of == family])) for family in names}

    def score(self, policy_of: PolicyOf) -> Callable[[Sequence[Tensors]], dict[str, list[float]]]:
        """What a training asks for: the mean over families of each seed, and the value of each scenario."""

        def scores(networks: Sequence[Tensors]) -> dict[str, list[float]]:
            found = [self.pct_of_home(lambda facts, own=tensors: policy_of(own, facts)) for tensors in networks]  # type: ignore[misc]
            means = [mean_over_families(one, self.families) for one in found]
            return {VALIDATION: means} | {f"validation/{name}": [one[name] for one in found] for name in self.families}

        return scores
