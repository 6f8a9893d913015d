"""Transitions per CPU second of our learners, ten seeds as one batch, against one Stable-Baselines3 training. Not here: what is learned.

Both sides have one thread, the same world on the same fleet (`trine/Tactical-v0`, `trine/Strategic-v0` on a fleet of the twin), the same
network and the same constants (PPO: minibatch 64, 10 epochs; DQN: an update with 64 for every 4 transitions, plain targets, which are all
that the peer has). Sides, each in a process of its own, in turns:

| side | fleet | what it is |
|---|---|---|
| `ours`, `peer` | whole, 119 apps | ours decides for all apps that learn, the peer's PPO for 8 (8 x 32 a batch), its DQN for all |
| `peer_wide` | whole | the peer's PPO for all apps that learn, in batches of 32 steps of each |
| `ours_double` | whole | our DQN as it is trained: Double DQN asks one network more |
| `ours_small`, `peer_small` | 8 apps | the cheapest world that fills eight sub-environments |

Process time, after a warm-up, of collecting and learning; peak memory of the whole process. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from typing import Any

from bench.harness import measure

SEEDS = list(range(1, 11))
SIDES = {
    "ppo": ("ours", "peer", "peer_wide", "ours_small", "peer_small"),
    "dqn": ("ours", "peer", "ours_double", "ours_small", "peer_small"),
}
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


def ours(learner: str, side: str, seconds: float) -> dict[str, float]:
    """Transitions per CPU second of all seeds together, and the share of it that collecting takes."""
    from models.strategic.dqn import DqnSettings, DqnTraining, QNetwork
    from models.tactical.ppo import ActorCritic, PpoSettings, PpoTraining
    from models.training import History, device_of

    found: Any = worlds(learner, side.endswith("_small"), len(SEEDS))
    options: dict[str, Any] = {"score": None, "device": device_of("cpu"), "transitions": 10**9}
    history = History("bench", learner, SEEDS)
    if learner == "ppo":
        training: Any = PpoTraining(
            [PpoSettings()] * len(SEEDS), found, SEEDS, lambda r, d: ActorCritic(7, 24, r, d), history, stretch=96, **options
        )
    else:
        settings = DqnSettings(warm_up=256, is_double=side == "ours_double")
        training = DqnTraining([settings] * len(SEEDS), found, SEEDS, lambda r, d: QNetwork(20, 3, r, d), history, stretch=14, **options)
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


def peer(learner: str, side: str, seconds: float) -> dict[str, float]:
    """Transitions per CPU second of one training."""
    import torch

    from bench.sb3_peer import peer_dqn, peer_ppo

    torch.set_num_threads(1)
    is_all = learner == "dqn" or side == "peer_wide"
    world = worlds(learner, side.endswith("_small"), 1, most=None if is_all else 8)[0]
    model: Any = (peer_ppo if learner == "ppo" else peer_dqn)(world, 1)
    model.learn(512)
    done, started = 0, time.process_time()
    while time.process_time() - started < seconds:
        before = model.num_timesteps
        model.learn(2048, reset_num_timesteps=False)
        done += model.num_timesteps - before
    return {"rate": done / (time.process_time() - started)}


def verdict(learner: str, runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Medians over the rounds by side, and how many times the peer's transitions ours are."""

    def median(name: str) -> dict[str, float]:
        return {side: statistics.median(run[name] for run in found) for side, found in runs.items() if name in found[0]}

    rate, share = median("rate"), median("rollout_share")
    found = {"ratio": rate["ours"] / rate["peer"], "ratio_small": rate["ours_small"] / rate["peer_small"], "bound": BOUNDS[learner]}
    if learner == "ppo":
        found["ratio_wide"] = rate["ours"] / rate["peer_wide"]
    else:
        found["ratio_double"] = rate["ours_double"] / rate["peer"]
    each = [
        run["ours"] / run["peer"]
        for run in ({s: r["rate"] for s, r in zip(runs, row, strict=True)} for row in zip(*runs.values(), strict=True))
    ]
    return {
        **{side: round(value) for side, value in rate.items()},
        **{name: round(value, 2) for name, value in found.items()},
        "ratio_of_rounds": [round(value, 2) for value in each],
        "rollout_share": {side: round(value, 3) for side, value in share.items()},
        "peak_mb": {side: round(value) for side, value in median("peak_mb").items()},
    }


def main() -> None:
    """Measure in turns and print one line of JSON last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--learners", nargs="+", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--side", nargs=2, default=None, help="measure one side here: learner, side")
    options = parser.parse_args()
    if options.side:
        learner, side = options.side
        print(json.dumps((peer if side.startswith("peer") else ours)(learner, side, options.seconds)))
        return
    runs: dict[str, dict[str, list[dict[str, float]]]] = {name: {side: [] for side in SIDES[name]} for name in options.learners}
    for number in range(1, options.rounds + 1):
        for learner, sides in runs.items():
            for side, found in sides.items():
                command = [sys.executable, "-m", "bench.rl_throughput", "--seconds", str(options.seconds), "--side", learner, side]
                run = measure(command, THREADS)
                found.append(json.loads(run.output.splitlines()[-1]) | {"peak_mb": run.peak_bytes / 1e6})
                print(f"round {number} {learner} {side}: {found[-1]}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    verdicts = {learner: verdict(learner, sides) for learner, sides in runs.items()}
    first = verdicts[options.learners[0]]
    head = {"name": "rl_throughput", "ours": first["ours"], "peer": first["peer"], "ratio": first["ratio"], "rounds": options.rounds}
    print(json.dumps(head | {"unit": "transitions per CPU second", **verdicts}))


if __name__ == "__main__":
    main()
