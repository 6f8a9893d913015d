"""The planner's costs under other weights of the objective, and the SLO as a constraint. Not here: the planner, judging.

A constraint on the share of calls that miss is a price on misses, its Lagrange multiplier: the smallest one on a ladder under which the
policy keeps to the limit on the valid span. Prices enter the cost curves (warm calls) and the carbon; what cold starts and bursts add
(levels, response) keeps its price.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from models.baselines.planning.curve import cost_curve
from simulator.control.loop import run
from simulator.fleet import Field

if TYPE_CHECKING:
    from models.baselines.planning.learned import Learned
    from simulator.control.decision import Policy
    from simulator.scenario import Scenario

LADDER = (1.0, 2.0, 4.0, 8.0, 16.0)  # multiples of the price of a miss


def reweighed(
    learned: Learned, scenario: Scenario, end_step: int, *, carbon: float = 1.0, misses: float = 1.0, latency: float = 1.0
) -> Learned:
    """Return what was learned with other prices.

    Args:
        learned: from everything before `end_step`.
        scenario: the world; only calls before `end_step` are read.
        end_step: a tactical barrier.
        carbon: factor on the weight of carbon.
        misses: factor on the price of a miss.
        latency: factor on the value of excess latency.
    """
    calls, weights = scenario.calls, scenario.objective
    is_before = np.concatenate([[0], np.cumsum(calls.arrival_us < end_step * scenario.world.step_us)])
    until = calls.first_call[:-1] + np.diff(is_before[calls.first_call])
    changed = weights.model_copy(update={"miss_usd": weights.miss_usd * misses, "latency_usd_per_s": weights.latency_usd_per_s * latency})
    curve = cost_curve(replace(scenario, objective=changed), until) if (misses, latency) != (1.0, 1.0) else learned.curve_usd
    return replace(learned, curve_usd=curve, carbon_usd=learned.carbon_usd * carbon)


def multiplier(
    scenario: Scenario, learned: Learned, policy_of: Callable[[Learned], Policy], limit: float, luck_seed: int
) -> tuple[float, float]:
    """Return the smallest multiplier of the ladder under which at most a share `limit` of calls misses on the valid span, and that share.

    Args:
        scenario: loaded until 'valid'.
        learned: from everything before the valid span.
        policy_of: makes the policy of a run.
        limit: share of calls that may miss; where no multiplier is enough, the largest is returned.
        luck_seed: of the valid span.
    """
    share = 1.0
    for found in LADDER:
        priced = reweighed(learned, scenario, scenario.split_steps[0], misses=found)
        total = run(scenario, policy_of(priced), luck_seed, "valid").out.sum(axis=(0, 1))
        share = float(total[Field.MISSES] / max(total[Field.CALLS], 1))
        if share <= limit:
            return found, share
    return LADDER[-1], share
