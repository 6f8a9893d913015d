"""One scenario of the twin, three days at a fifth of the rate, and a way to build it again with something changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from simulator.parameters import World
from simulator.rng import normal, text_id
from simulator.scenario import Scenario
from simulator.twin import azure2021 as twin_calls
from simulator.twin.azure2021 import generate_azure2021
from simulator.twin.fleets import REFERENCE, twin_cells, twin_scenario
from simulator.workload import Invocations
from tests.worlds.families import FAMILIES

SEED, DAYS, RATE = 1, 3, 0.2
SPLITS = (12_000, 14_000, 16_000)
BuildTwin = Callable[..., Scenario]


@pytest.fixture(scope="session")
def build_twin() -> BuildTwin:
    """Build the scenario; `folder`: other reference tables, `shuffled`: the trace in another order, `until_us`: only calls before it."""
    trace, cells = generate_azure2021(SEED, days=DAYS, rate=RATE), twin_cells(SEED)

    def build(
        *, folder: Path = REFERENCE, family: str = "calm", world: World | None = None, shuffled: int = 0, until_us: int | None = None
    ) -> Scenario:
        return twin_scenario(
            family,
            SEED,
            changes=FAMILIES[family],
            days=DAYS,
            split_steps=SPLITS,
            world=world,
            carbon_month=1,
            reference=folder,
            trace=_invocations(trace, shuffled, until_us),
            cells=cells,
        )

    return build


@pytest.fixture(scope="session")
def twin(build_twin: BuildTwin) -> Scenario:
    """The scenario as it is."""
    return build_twin()


def _invocations(trace: twin_calls.Calls, shuffled: int, until_us: int | None) -> Invocations:
    """The twin's calls before `until_us`; with `shuffled` apps, functions and calls come in an order sampled from it."""

    def turned(names: Sequence[str], index: np.ndarray) -> tuple[list[str], np.ndarray]:
        order = np.random.default_rng(shuffled).permutation(len(names)) if shuffled else np.arange(len(names))
        return [names[i] for i in order], np.argsort(order)[index]

    app_ids, app = turned(trace.app_ids, trace.app)
    function_ids, function = turned(trace.function_ids, trace.function)
    memory = 154 * np.exp(0.45 * normal(SEED, np.array([text_id(name) for name in app_ids]), 10))
    order = np.random.default_rng(shuffled).permutation(len(app)) if shuffled else np.arange(len(app))
    order = order if until_us is None else order[trace.arrival_us[order] < until_us]
    arrays = (app[order], function[order], trace.arrival_us[order], trace.duration_us[order])
    return Invocations(app_ids, function_ids, *arrays, memory.astype(np.int64))
