"""Transitions per CPU second of our learners, ten seeds as one batch, against one Stable-Baselines3 training. Not here: what is learned.

Both sides have one thread, the same world on the same fleet (`trine/Tactical-v0`, `trine/Strategic-v0` on a fleet of the twin), the same
network and the same constants (PPO: 8 x 32 transitions a batch, minibatch 64, 10 epochs; DQN: an update with 64 for every 4 transitions).
There are two fleets: the whole one of 119 apps, which training uses, and a small one of eight apps, the cheapest world that fills eight
sub-environments. On the whole fleet, the peer's PPO decides for eight of the apps, as its batch of 8 x 32 demands, its DQN for all that
learn; ours decides for all, and learns from eight at a time. Sides take turns, each in a process of its own; process time, after a
warm-up, of collecting and learning. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

SEEDS = list(range(1, 11))
SIDES = ("ours", "peer", "ours_small", "peer_small")
LEARNERS = ("ppo", "dqn")
BOUNDS = {"ppo": 3.0, "dqn": 4.0}
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
SPLITS = (56_000, 68_000, 80_000)


def worlds(learner: str, small: bool, count: int, most: int | None = None) -> list[Any]:
    """Worlds of one twin: eight apps, or those apps of 119 that learn, at most `most` of them."""
    import numpy as np

    from models.worlds import FleetWorld
    from simulator.control.reward import Reward
    from simulator.envs.episodes import Stage
    from simulator.envs.strategic import StrategicEpisodes
    from simulator.envs.tactical import TacticalEpisodes
    from simulator.twin.fleets import twin_scenario

    reward = Reward(min_train_calls=0 if small else 20)
    stage = Stage.of(twin_scenario(apps=8 if small else 119, split_steps=SPLITS), 1, reward)
    assert not small or np.all(stage.is_eligible)
    kind, intervals = (TacticalEpisodes, 96) if learner == "ppo" else (StrategicEpisodes, 14)
    options = {"span": "train", "intervals": intervals, "luck_seed": 1, "reward": reward}
    return [FleetWorld([stage], kind, multiple=8, most=most, **options) for _ in range(count)]


def ours(learner: str, small: bool, seconds: float) -> dict[str, float]:
    """Transitions per CPU second of all seeds together, and the share of it that collecting takes."""
    from models.strategic.dqn import DqnSettings, DqnTraining, QNetwork
    from models.tactical.ppo import ActorCritic, PpoSettings, PpoTraining
    from models.training import History, device_of

    found: Any = worlds(learner, small, len(SEEDS))
    options: dict[str, Any] = {"score": None, "device": device_of("cpu"), "transitions": 10**9}
    history = History("bench", learner, SEEDS)
    if learner == "ppo":
        training: Any = PpoTraining(
            [PpoSettings()] * len(SEEDS), found, SEEDS, lambda r, d: ActorCritic(7, 24, r, d), history, stretch=96, **options
        )
    else:
        training = DqnTraining(
            [DqnSettings(warm_up=256)] * len(SEEDS), found, SEEDS, lambda r, d: QNetwork(20, 3, r, d), history, stretch=14, **options
        )
    spent = {"collect": 0.0}
    collect = training.collect

    def timed() -> Any:
        """Collecting, measured; PPO's is a generator, DQN's a call."""
        if learner == "dqn":
            started = time.process_time()
            batch = collect()
            spent["collect"] += time.process_time() - started
            return batch
        return timed_rollouts()

    def timed_rollouts() -> Any:
        rollouts = collect()
        while True:
            started = time.process_time()
            batch = next(rollouts, None)
            spent["collect"] += time.process_time() - started
            if batch is None:
                return
            yield batch

    training.collect = timed
    training.unit()
    spent["collect"], done, started = 0.0, 0, time.process_time()
    while time.process_time() - started < seconds:
        training.unit()
        done += training.per_unit * len(SEEDS)
    whole = time.process_time() - started
    return {"rate": done / whole, "rollout_share": spent["collect"] / whole}


def peer(learner: str, small: bool, seconds: float) -> dict[str, float]:
    """Transitions per CPU second of one training."""
    import torch

    from bench.sb3_peer import peer_dqn, peer_ppo

    torch.set_num_threads(1)
    world = worlds(learner, small, 1, most=8 if learner == "ppo" else None)[0]
    model: Any = (peer_ppo if learner == "ppo" else peer_dqn)(world, 1)
    model.learn(512)
    done, started = 0, time.process_time()
    while time.process_time() - started < seconds:
        before = model.num_timesteps
        model.learn(2048, reset_num_timesteps=False)
        done += model.num_timesteps - before
    return {"rate": done / (time.process_time() - started)}


def main() -> None:
    """Measure in turns and print one line of JSON last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--learners", nargs="+", default=list(LEARNERS), choices=list(LEARNERS))
    parser.add_argument("--side", nargs=2, default=None, help="measure one side here: learner, side")
    options = parser.parse_args()
    if options.side:
        learner, side = options.side
        found = (peer if side.startswith("peer") else ours)(learner, side.endswith("_small"), options.seconds)
        print(json.dumps(found))
        return
    runs: dict[str, dict[str, list[dict[str, float]]]] = {name: {side: [] for side in SIDES} for name in options.learners}
    for number in range(1, options.rounds + 1):
        for learner, sides in runs.items():
            for side in sides:
                command = [sys.executable, "-m", "bench.rl_throughput", "--seconds", str(options.seconds), "--side", learner, side]
                done = subprocess.run(command, env=os.environ | THREADS, check=True, capture_output=True, text=True)
                runs[learner][side].append(json.loads(done.stdout.splitlines()[-1]))
                print(f"round {number} {learner} {side}: {runs[learner][side][-1]}", file=sys.stderr, flush=True)
    rates = {name: {side: statistics.median(r["rate"] for r in found) for side, found in sides.items()} for name, sides in runs.items()}
    verdicts = {
        learner: {
            **{side: round(rate[side]) for side in SIDES},
            "ratio": round(rate["ours"] / rate["peer"], 2),
            "ratio_small": round(rate["ours_small"] / rate["peer_small"], 2),
            "bound": BOUNDS[learner],
            "rollout_share": round(statistics.median(r["rollout_share"] for r in runs[learner]["ours"]), 3),
        }
        for learner, rate in rates.items()
    }
    first = verdicts[options.learners[0]]
    head = {"name": "rl_throughput", "ours": first["ours"], "peer": first["peer"], "ratio": first["ratio"], "rounds": options.rounds}
    print(json.dumps(head | {"unit": "transitions per CPU second", **verdicts}))


if __name__ == "__main__":
    main()
