"""Stable-Baselines3's PPO as a peer of ours: the same training fleets, network, constants and number of transitions. Not here: speed.

Both sides train on fleets of the twin that are never judged (seeds 101 to 103, calm and crunch), with the same number of seeds, and the
last network of each is judged greedily, with the same masks, on the valid spans of calm and crunch of the seeds named: per cent of home,
winsorised as in tasks/learning/validation.py. The last line is JSON: every seed's value, and the difference of the means with a two-way
bootstrap interval over training seeds and scenarios. The peer knows no masks while it trains: a masked action means to stay.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import numpy as np

from bench.sb3_peer import greedy, peer_ppo
from models.statistics import bootstrap_mean
from models.tactical.ppo import ActorCritic, PPOAgent, PpoSettings, PpoTraining
from models.training import History, device_of
from models.worlds import FleetWorld
from simulator.control.acting import Acting
from simulator.control.baseline import Stay
from simulator.control.decision import Composite
from simulator.control.features import tactical
from simulator.control.loop import run as play
from simulator.control.reward import Reward
from simulator.control.view import Facts
from simulator.envs.episodes import Stage
from simulator.envs.tactical import TacticalEpisodes
from simulator.objective import objective_usd
from simulator.parameters import Family
from simulator.twin.fleets import twin_scenario
from tasks.learning.validation import winsorised

FAMILIES = {"calm": Family(), "crunch": Family(quota_per_placement=40)}
SPLITS = (56_000, 68_000, 80_000)
LUCK, STRETCH = 11, 96


def usd(scenario: Any, policy: Any) -> float:
    """Winsorised cost of a policy on the valid span."""
    fleet = play(scenario, policy, LUCK, "valid", bucket_us=scenario.world.tactical_us)
    return winsorised(objective_usd(fleet.out, scenario.objective))


def judged(act: Any, scenarios: list[Any], home: list[float]) -> list[float]:
    """Per cent of home on every valid span."""
    found = []
    for scenario, own in zip(scenarios, home, strict=True):
        facts = Facts.of(scenario)
        acting = Acting("peer", tactical, tactical.start(facts), act, period_steps=scenario.world.tactical_steps)
        found.append(100 * usd(scenario, Composite("peer", tactical=acting)) / own)
    return found


def main() -> None:
    """Train both sides, judge, and print one line of JSON last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--transitions", type=int, default=92_000)
    parser.add_argument("--judged", type=int, nargs="+", default=[1, 2], help="twin seeds of the valid spans")
    options = parser.parse_args()
    seeds, reward, started = list(range(1, options.seeds + 1)), Reward(), time.process_time()
    made = [
        twin_scenario(family, seed, changes=changes, split_steps=SPLITS) for seed in (101, 102, 103) for family, changes in FAMILIES.items()
    ]
    stages = [Stage.of(scenario, 1, reward) for scenario in made]
    span = {"span": "train", "intervals": STRETCH, "luck_seed": 1, "reward": reward}
    scenarios = [
        twin_scenario(family, seed, changes=changes, split_steps=SPLITS) for seed in options.judged for family, changes in FAMILIES.items()
    ]
    home = [usd(scenario, Stay()) for scenario in scenarios]
    training = PpoTraining(
        [PpoSettings()] * len(seeds),
        [FleetWorld(stages, TacticalEpisodes, multiple=8, **span) for _ in seeds],
        seeds,
        lambda random, device: ActorCritic(7, 24, random, device),
        History("tactical", "ppo_specified", seeds),
        transitions=options.transitions,
        stretch=STRETCH,
        score=None,
        device=device_of("cpu"),
    )
    for progress in training.run():
        print(f"ours {progress.done}/{progress.total}", file=sys.stderr, flush=True)
    ours = [judged(PPOAgent(training.tensors(s)).act, scenarios, home) for s in range(len(seeds))]
    transitions, theirs = training.units * training.per_unit, []
    for seed in seeds:
        model = peer_ppo(FleetWorld(stages, TacticalEpisodes, most=8, multiple=8, **span), seed)
        model.learn(transitions)
        theirs.append(judged(lambda observed, mask, own=model: greedy(own, observed, mask), scenarios, home))
        print(f"peer seed {seed}: {np.mean(theirs[-1]):.2f} % of home", file=sys.stderr, flush=True)
    difference = bootstrap_mean(np.array(ours) - np.array(theirs))
    head = {"name": "sb3_on_trine", "ours": round(float(np.mean(ours)), 3), "peer": round(float(np.mean(theirs)), 3)}
    head |= {"ratio": round(float(np.mean(theirs) / np.mean(ours)), 4), "unit": "% of home on valid spans, lower is better"}
    interval = {"difference": round(difference.value, 3), "low": round(difference.low, 3), "high": round(difference.high, 3)}
    by_seed = {side: [round(float(np.mean(one)), 3) for one in found] for side, found in (("ours", ours), ("peer", theirs))}
    size = {"transitions": transitions, "scenarios": [scenario.id for scenario in scenarios]}
    print(json.dumps(head | interval | {"by_seed": by_seed, "cpu_s": round(time.process_time() - started)} | size))


if __name__ == "__main__":
    main()
