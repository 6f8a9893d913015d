"""What a call costs at home, on arrivals drawn as the first implementation of the world drew them. Not here: the twin (calibration.csv)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.twin_scenario import twin_scenario
from tasks import params
from tasks.calibration_world import home_checks, home_run
from tasks.scenario import with_steady_apps
from tests.specified_arrivals import specified_invocations

SEEDS = (1, 2, 3, 4)


@pytest.mark.slow
def test_aggregates_of_the_first_implementation_hold_on_its_arrivals(repository: Path, proof: Any) -> None:
    """Each figure within its tolerance on average over the seeds: memory, callers and durations of a few large apps move single ones."""
    settings = params.load(repository / "params.yaml")
    found = []
    for seed in SEEDS:
        trace = with_steady_apps(specified_invocations(seed), settings)
        scenario = twin_scenario(seed=seed, trace=trace, split_steps=settings.scenario.split_steps)
        found.append({check.what: check for check in home_checks(home_run(scenario, luck_seed=1), is_full_size=True)})
    figures = {what: [float(f"{of[what].found:.4g}") for of in found] for what in found[0]}
    proof(figure=figures, bound="mean over the seeds within the tolerance of the golden aggregates")
    for what, check in found[0].items():
        assert check.low <= np.mean(figures[what]) <= check.high, (what, figures[what])
