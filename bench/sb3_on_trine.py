"""Stable-Baselines3's PPO as a peer of ours: the same training fleets, network, constants and number of transitions. Not here: speed.

Three sides, each with the same number of training seeds, learn from fleets of the twin that are never judged (seeds 101 to 103, calm and
crunch): the peer in episodes of eight apps, as its batch of 8 x 32 demands; ours in the same episodes; and ours as the stage trains it,
in episodes of all apps of a fleet. Every 50 batches the greedy policy of each is validated, with the same masks, on the valid spans of the
twin seeds `--choosing`. Two networks of each side are then judged on the valid spans of the seeds `--judged`, in calm and crunch: the
last one, and the one of the best validation, which is what a stage keeps. Values are per cent of home, winsorised as in
tasks/learning/valid_spans.py.

Before that, both sides train with the same luck (sb3_same_luck.py): how far apart their parameters end, and what their networks cost.

The last line is JSON: both comparisons with values of every seed, what an app earned an episode in the second half of the training, and
differences from the peer with a two-way bootstrap interval over training seeds and scenarios. The peer knows no masks while it trains: a
masked action means to stay.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.sb3_peer import Annealed, Validated, greedy, peer_ppo
from bench.sb3_same_luck import Unmasked, train_with_same_luck
from models.statistics import bootstrap_mean
from models.tactical.ppo import ActorCritic, PPOAgent, PpoSettings, PpoTraining
from models.training import VALIDATION, History, device_of
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
from tasks.learning.valid_spans import winsorised

FAMILIES = {"calm": Family(), "crunch": Family(quota_per_placement=40)}
SPLITS = (56_000, 68_000, 80_000)
LUCK, STRETCH = 11, 96
KEPT = ("last", "best")
Float64 = NDArray[np.float64]


class Spans:
    """Valid spans of calm and crunch of some twin seeds.

    Args:
        seeds: of the twins.
    """

    def __init__(self, seeds: list[int]) -> None:
        self.scenarios = [
            twin_scenario(family, seed, changes=own, split_steps=SPLITS) for seed in seeds for family, own in FAMILIES.items()
        ]
        self.home = [self._usd(scenario, Stay()) for scenario in self.scenarios]

    def pct_of_home(self, act: Any) -> list[float]:
        """What a policy costs on every span, winsorised, % of home; `act` chooses by observations and masks."""
        found = []
        for scenario, own in zip(self.scenarios, self.home, strict=True):
            facts = Facts.of(scenario)
            acting = Acting("peer", tactical, tactical.start(facts), act, period_steps=scenario.world.tactical_steps)
            found.append(100 * self._usd(scenario, Composite("peer", tactical=acting)) / own)
        return found

    def _usd(self, scenario: Any, policy: Any) -> float:
        return winsorised(
            objective_usd(play(scenario, policy, LUCK, "valid", bucket_us=scenario.world.tactical_us).out, scenario.objective)
        )


def ours(worlds: list[FleetWorld], seeds: list[int], transitions: int, choosing: Spans, judged: Spans) -> dict[str, Any]:
    """Train all seeds as one batch; values float64 [seeds, scenarios] of the last and the best networks, and what they earned."""
    history = History("tactical", "ppo_specified", seeds)
    training = PpoTraining(
        [PpoSettings()] * len(seeds),
        worlds,
        seeds,
        lambda random, device: ActorCritic(7, 24, random, device),
        history,
        transitions=transitions,
        stretch=STRETCH,
        score=lambda networks: {VALIDATION: [float(np.mean(choosing.pct_of_home(PPOAgent(one).act))) for one in networks]},
        device=device_of("cpu"),
    )
    for progress in training.run():
        print(f"ours, {worlds[0].envs} apps, {progress.done}/{progress.total}", file=sys.stderr, flush=True)
    count = range(len(seeds))
    networks = {"last": [training.network.tensors(s) for s in count], "best": [training.tensors(s) for s in count]}
    rows = [row for row in history.rows() if row["metric"] == "charts/episodic_return"]
    late = [row for row in rows if 2 * row["transitions"] > training.units * training.per_unit]
    earned = [np.mean([row["value"] for row in late if row["seed"] == seed]) for seed in seeds]
    values = {kept: np.array([judged.pct_of_home(PPOAgent(one).act) for one in found]) for kept, found in networks.items()}
    return values | {"earned": np.array(earned), "transitions": training.units * training.per_unit}


def peer(worlds: list[FleetWorld], seeds: list[int], transitions: int, choosing: Spans, judged: Spans) -> dict[str, Any]:
    """The same of the peer, one training after another."""
    values: dict[str, list[list[float]]] = {kept: [] for kept in KEPT}
    earned: list[float] = []
    for world, seed in zip(worlds, seeds, strict=True):
        model = peer_ppo(world, seed)
        act = partial(greedy, model)
        validated = Validated(PpoSettings().validate_every, lambda own=act: float(np.mean(choosing.pct_of_home(own))))
        model.learn(transitions, callback=[Annealed(PpoSettings().entropy_end), validated])
        values["last"].append(judged.pct_of_home(act))
        model.policy.load_state_dict(validated.kept)
        values["best"].append(judged.pct_of_home(act))
        earned.append(float(np.mean(validated.earned[len(validated.earned) // 2 :])))
        last, best = (np.mean(values[kept][-1]) for kept in KEPT)
        print(f"peer, seed {seed}: {last:.2f} and {best:.2f} % of home", file=sys.stderr, flush=True)
    found: dict[str, Any] = {kept: np.array(each) for kept, each in values.items()}
    return found | {"earned": np.array(earned), "transitions": model.num_timesteps}


def same_luck(worlds: list[Unmasked], transitions: int, judged: Spans) -> dict[str, Any]:
    """What both sides cost after the same luck, and how far apart their parameters are."""
    ours, theirs, apart = train_with_same_luck(worlds, transitions)
    values = np.array([judged.pct_of_home(PPOAgent(own).act) for own in ours])
    for model in theirs:
        model.policy.float()  # as it is used
    peers = np.array([judged.pct_of_home(partial(greedy, model)) for model in theirs])
    gap = bootstrap_mean(values - peers)
    found = {"transitions": theirs[0].num_timesteps, "parameters_apart": apart, "mean": round(float(values.mean()), 3)}
    return found | {"by_seed": values.mean(axis=1).round(3).tolist(), "difference": gap.value, "low": gap.low, "high": gap.high}


def main() -> None:
    """Train all sides, judge, and print one line of JSON last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--transitions", type=int, default=92_000)
    parser.add_argument("--choosing", type=int, nargs="+", default=[1, 2], help="twin seeds whose valid spans choose checkpoints")
    parser.add_argument("--judged", type=int, nargs="+", default=[3, 4], help="twin seeds whose valid spans judge")
    options = parser.parse_args()
    seeds, reward, started = list(range(1, options.seeds + 1)), Reward(), time.process_time()
    made = [twin_scenario(family, seed, changes=own, split_steps=SPLITS) for seed in (101, 102, 103) for family, own in FAMILIES.items()]
    stages = [Stage.of(scenario, 1, reward) for scenario in made]
    span = {"span": "train", "intervals": STRETCH, "luck_seed": 1, "reward": reward}
    spans = Spans(options.choosing), Spans(options.judged)

    def worlds(most: int | None, kind: type[FleetWorld] = FleetWorld) -> list[Any]:
        return [kind(stages, TacticalEpisodes, most=most, multiple=8, **span) for _ in seeds]

    paired = same_luck(worlds(8, Unmasked), options.transitions, spans[1])
    print(f"with the same luck: {paired}", file=sys.stderr, flush=True)
    sides = {
        "peer": peer(worlds(8), seeds, options.transitions, *spans),
        "ours_same_episodes": ours(worlds(8), seeds, options.transitions, *spans),
        "ours": ours(worlds(None), seeds, options.transitions, *spans),
    }
    report: dict[str, Any] = {"name": "sb3_on_trine", "unit": "% of home on valid spans, lower is better"}
    report["same_luck"] = paired
    for side, found in sides.items():
        earned, error = found["earned"], found["earned"].std(ddof=1) / np.sqrt(len(seeds))
        row: dict[str, Any] = {
            "transitions": found["transitions"],
            "earned": {"mean": round(float(earned.mean()), 2), "standard_error": round(float(error), 2)},
        }
        for kept in KEPT:
            row[kept] = {"mean": round(float(found[kept].mean()), 3), "by_seed": [round(float(own), 3) for own in found[kept].mean(axis=1)]}
            if side != "peer":
                gap = bootstrap_mean(found[kept] - sides["peer"][kept])
                row[kept] |= {"difference": round(gap.value, 3), "low": round(gap.low, 3), "high": round(gap.high, 3)}
        report[side] = row
    size = {"scenarios": [scenario.id for scenario in spans[1].scenarios], "cpu_s": round(time.process_time() - started)}
    print(json.dumps(report | size))


if __name__ == "__main__":
    main()
