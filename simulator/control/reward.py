"""The reward of a decision: the objective at home less its own, in units of the app. Not here: the run at home (baseline.py).

Home minus the unclipped sum of rewards x scale is the objective that the judge finds, to the nano-dollar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simulator.parameters import Section

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Float64 = NDArray[np.float64]


class Reward(Section):
    """Scale and clip of the learners' rewards; section `reward` of params.yaml."""

    clip: float = Field(default=10, gt=0, description="largest reward of an interval, and least")
    min_scale_usd: float = Field(default=1.0e-6, gt=0, description="floor of an app's scale")
    min_train_calls: int = Field(default=20, ge=0, description="an app with fewer train calls is not learned from")


def reward(now_usd: Float64, home_usd: Float64, scale_usd: Float64) -> Float64:
    """Return (home - now) / scale, not clipped, float64 [A].

    Args:
        now_usd: float64 [A], objective of an interval under the policy.
        home_usd: float64 [A], of the same interval at home.
        scale_usd: float64 [A], see `reward_scale`.
    """
    return (home_usd - now_usd) / scale_usd


def reward_scale(scenario: Scenario, home_usd: Float64, interval_steps: int, min_scale_usd: float) -> Float64:
    """Return the scale of the rewards, USD, float64 [A]: the mean objective at home of the train intervals that have calls.

    Args:
        scenario: its train span and calls.
        home_usd: float64 [A, tactical intervals].
        interval_steps: length of an interval, a multiple or a part of the tactical one; with parts, everything is divided by the parts
            that have calls.
        min_scale_usd: floor of the scale, which apps without such calls get.
    """
    train, calls = scenario.split_steps[0], scenario.calls
    tactical = scenario.world.tactical_steps
    is_train = calls.group_step < train
    has_calls = np.zeros((len(home_usd), -(-train // interval_steps)), dtype=np.bool_)
    has_calls[calls.group_app[is_train], calls.group_step[is_train] // interval_steps] = True
    home = home_usd[:, : -(-train // tactical)]
    if interval_steps >= tactical:
        edges = np.arange(0, home.shape[1], interval_steps // tactical)
        total = (np.add.reduceat(home, edges, axis=1) * has_calls).sum(axis=1)
    else:
        total = home.sum(axis=1)
    return np.maximum(total / np.maximum(has_calls.sum(axis=1), 1), min_scale_usd)


def eligible(scenario: Scenario, min_train_calls: int) -> NDArray[np.bool_]:
    """Return which apps have enough train calls to learn from, bool [A]."""
    calls = scenario.calls
    is_train = calls.group_step < scenario.split_steps[0]
    count = np.bincount(calls.group_app[is_train], calls.group_calls[is_train], minlength=len(scenario.apps.app_ids))
    found: NDArray[np.bool_] = count >= min_train_calls
    return found
