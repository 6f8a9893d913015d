"""Decisions per second of the environments, world included, by processor time of one thread. Not here: correctness, learners.

All apps of one fleet (14 days, 119 apps, capacity shared) are decided for at random, episode after episode. There is no peer that does
the same, so the headline is compared with a target set beforehand: 50,000 tactical decisions per second. The other environments, and
a single app alone, are shown beside it. What was compiled and prepared at the start is not timed; what a reset costs is.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Any

import gymnasium

import simulator.envs  # noqa: F401  (registers the environments)
from simulator.twin.fleets import twin_scenario

BOUND_PER_S = 50_000
SPLITS = (56_000, 68_000, 80_000)
MIN_TIMED_S = 1.0
KINDS = ("Tactical", "TacticalCandidates", "Strategic", "Autoscale")


def decisions_per_s(env: Any, actions: list[Any], decisions: int) -> float:
    """Step with the actions in turn until a second has been spent, resets included."""
    spent, steps, started = 0.0, 0, time.process_time()
    while spent < MIN_TIMED_S:
        for action in actions:
            if env.step(action)[3] is True:
                env.reset()
        steps += len(actions)
        spent = time.process_time() - started
    return steps * decisions / spent


def main() -> None:
    """Prepare, measure in turns, and print one line of JSON last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--intervals", type=int, default=0, help="decisions in an episode; 0: the train span, for Autoscale a day")
    options = parser.parse_args()
    scenario, sides = twin_scenario(split_steps=SPLITS), {}
    for kind in KINDS:
        intervals = options.intervals or (5760 if kind == "Autoscale" else None)
        name = f"trine/{kind}-v0"
        fleet = gymnasium.make_vec(name, scenario=scenario, intervals=intervals, vectorization_mode="vector_entry_point")
        alone = gymnasium.make(name, scenario=scenario, intervals=intervals)
        for side, env, decisions in ((kind, fleet, fleet.num_envs), (f"{kind}, one app alone", alone, 1)):
            env.action_space.seed(1)
            actions = [env.action_space.sample() for _ in range(50)]
            env.reset(seed=1)
            decisions_per_s(env, actions, decisions)
            sides[side] = (env, actions, decisions)
    found: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(options.rounds):
        for side, (env, actions, decisions) in sides.items():
            found[side].append(decisions_per_s(env, actions, decisions))
        shown = {side: round(rates[-1]) for side, rates in found.items()}
        print(f"round {number + 1}: decisions/s {shown}", file=sys.stderr, flush=True)
    rates = {side: round(statistics.median(values)) for side, values in found.items()}
    ours = rates["Tactical"]
    verdict = {
        "name": "world_envs",
        "ours": ours,
        "peer": BOUND_PER_S,
        "ratio": round(ours / BOUND_PER_S, 2),
        "unit": "tactical decisions per CPU second; the peer is a target, not a program",
        "rounds": options.rounds,
        "all": rates,
        "lowest": {side: round(min(values)) for side, values in found.items()},
    }
    print(json.dumps(verdict))


if __name__ == "__main__":
    main()
