"""What learned policies do in one scenario: where apps are by hour and over time, and what the response looks like. Not here: costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.units import DAY_US, HOUR_US
from models.baselines.planning.response import KNOTS
from simulator.control.decision import Reason
from simulator.control.loop import Loop, finished
from simulator.control.spans import span_steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.baselines.planning.learned import Learned
    from simulator.control.decision import Policy
    from simulator.scenario import Scenario

FIVE = 5
HOURS = 24


def shown_policies(scenario: Scenario, arms: Mapping[str, Policy], learned: Learned, seed: int) -> dict[str, Any]:
    """Return the content of `ShownPolicies`.

    Args:
        scenario: the world.
        arms: policies by name, each good for one run.
        learned: of the scenario's past.
        seed: of the luck.
    """
    worth = learned.response_usd.max(axis=1) * learned.calls
    apps = (-worth).argsort(kind="stable")[:FIVE].tolist()
    responses = [
        {
            "app_id": scenario.apps.app_ids[a],
            "calls_per_interval": round(float(learned.calls[a]), 6),
            "usd": [round(float(usd), 6) for usd in 1e6 * learned.response_usd[a]],
        }
        for a in apps
    ]
    return {
        "scenario": scenario.id,
        "regions": list(scenario.tables.regions),
        "clouds": list(scenario.tables.clouds),
        "arms": {name: _shown(scenario, policy, seed) for name, policy in arms.items()},
        "knots": KNOTS.tolist(),
        "responses": responses,
    }


def _shown(scenario: Scenario, policy: Policy, seed: int) -> dict[str, Any]:
    begin, end = span_steps(scenario, "test")
    loop = Loop(scenario, policy, seed, begin=begin, end=end, has_record=True)
    finished(loop)
    t, step_us, apps = scenario.tables, scenario.world.step_us, len(scenario.apps.app_ids)
    cloud = t.cloud_of_region[t.region_of_placement]
    by_region, decisions = np.zeros((len(t.regions), HOURS)), np.zeros(HOURS)
    by_cloud, moves, hours = [], [], []
    for record in loop.records or []:
        now_us = record.step * step_us
        hour = int(now_us % DAY_US // HOUR_US)
        by_region[:, hour] += np.bincount(t.region_of_placement[record.placement], minlength=len(t.regions)) / apps
        decisions[hour] += 1
        by_cloud.append((np.bincount(cloud[record.placement], minlength=len(t.clouds)) / apps).round(6).tolist())
        moves.append(int((record.reason == Reason.MOVE).sum()))
        hours.append(round(now_us / HOUR_US, 3))
    return {
        "by_region": (by_region / np.maximum(decisions, 1)).round(6).tolist(),
        "by_cloud": by_cloud,
        "moves": moves,
        "hours": hours,
    }
