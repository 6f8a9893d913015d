"""What a call costs at home, on the twin and on arrivals sampled as the first implementation of the world drew them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.parameters import Objective, Slo, World
from simulator.places.tables import load_tables
from simulator.twin.azure2021 import published_calls
from simulator.twin.fleets import twin_scenario
from tasks.core import params
from tasks.world.calibrate import Settings
from tasks.world.calibration_world import home_checks, per_call, run_at_home, twin_at_home
from tasks.world.scenario_settings import ScenarioSettings
from tasks.world.twin_calls import with_comparable_apps
from tests.worlds.specified_arrivals import specified_invocations


@pytest.mark.slow
@pytest.mark.parametrize("arrivals", ["twin", "specified"])
def test_golden_aggregates_hold(arrivals: str, repository: Path, proof: Any) -> None:
    """Each figure within its tolerance on average over the seeds, and on the default twin alone; durations and bursts move other seeds."""
    settings = params.load(repository / "params.yaml")
    wanted = settings.section("calibrate", Settings)
    luck, split_steps = wanted.luck_seed, settings.section("scenario", ScenarioSettings).split_steps
    world, slo, objective = (settings.section(name, kind) for name, kind in (("world", World), ("slo", Slo), ("objective", Objective)))
    if arrivals == "twin":
        found = [twin_at_home((settings, world, slo, objective, seed, luck)) for seed in wanted.home_seeds]
    else:
        tables = load_tables(repository / "data" / "reference", world)
        traces = {}
        for seed in wanted.home_seeds:
            trace = specified_invocations(seed)
            calls = dict(zip(trace.app_ids, published_calls(seed, len(trace.app_ids)).values(), strict=True))
            traces[seed] = with_comparable_apps(trace, calls, seed, tables, world, settings)
        scenarios = (twin_scenario(seed=seed, trace=trace, split_steps=split_steps) for seed, trace in traces.items())
        found = [per_call(run_at_home(scenario, luck)) for scenario in scenarios]
    assert len(found) == 4
    figures = {what: [float(f"{of[what]:.4g}") for of in found] for what in found[0]}
    proof(figure=figures, bound="mean over the seeds (twin: and the default seed alone) within the tolerance of the golden aggregates")
    twins = dict(zip(wanted.home_seeds, found, strict=True))
    default = {settings.seed: twins[settings.seed]}
    for worlds in [twins, default] if arrivals == "twin" else [twins]:
        checks = home_checks(worlds, is_full_size=True)
        assert len(checks) == 8
        assert [check for check in checks if not check.low <= check.found <= check.high] == []
