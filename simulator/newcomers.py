"""A scenario in which some apps have no past: they arrive at a barrier. Not here: who they are, policies for them (models/baselines)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simulator import rng
from simulator.scenario import some

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Bool = NDArray[np.bool_]


def one_in(count: int, app_ids: tuple[str, ...]) -> Bool:
    """Return one in `count` of the apps, by a hash of their ids, bool [A]."""
    return np.array([rng.text_id(app) % count == 0 for app in app_ids])


def without_past(scenario: Scenario, is_new: Bool, step: int) -> Scenario:
    """Return the scenario without the calls that some apps (bool [A]) made before a step.

    Their later calls keep their ids and with them their luck, so that runs from that step on can be compared with those of the whole
    scenario call by call.
    """
    calls, apps = scenario.calls, scenario.apps
    app = np.repeat(np.arange(len(is_new)), np.diff(calls.first_call))
    is_kept = ~is_new[app] | (calls.arrival_us >= step * scenario.world.step_us)
    kept = some(calls, is_kept, ~is_new[calls.group_app] | (calls.group_step >= step))
    left_out = np.diff(calls.first_call) - np.diff(kept.first_call)
    return replace(scenario, calls=kept, apps=replace(apps, id_base=apps.id_base + left_out.astype(np.uint64)))
