"""Our simulation kernels against SimFaaS 0.2.2 as published: the same calls, processor time of one thread. Not here: correctness proofs.

Three sides: the bare warm pool on five lists of one pool each; the full model with every app alone at its placement, and with the whole
fleet coupled, both on the twin's 14 days. Against the last two SimFaaS gets the first calls of the fleet's most called functions, one
pool after another, without network, prices, carbon or shared capacity, which it does not have.

SimFaaS simulates one pool, so the lists are of one pool. Only its simulation loop is timed; of ours, the whole call of the kernel with
its checks and results, compiled before. The loop gets its arrivals and service times replayed from the list, which is cheaper than
the random draws it would make itself. Sides take turns, medians over the rounds are compared.

SimFaaS takes the idle instance that was *created* last, we take the one that became *free* last, as platforms do with a last-in
first-out stack. So cold starts are compared with SimFaaS under our rule (its `schedule_warm_instance` replaced), where they must be
equal; its own rule, which is the one timed, is shown beside them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simfaas.FunctionInstance import FunctionInstance
from simfaas.ServerlessSimulator import ServerlessSimulator
from simfaas.SimProcess import SimProcess

from core.units import US_PER_S
from simulator.checks.warm_pool import simulate_pool
from simulator.fleet import Fleet
from simulator.scenario import Scenario
from simulator.twin.azure2021 import generate_azure2021
from simulator.twin.fleets import twin_scenario

Int64 = NDArray[np.int64]
MIN_TIMED_S = 0.3  # a side is repeated within a round until it has run this long


@dataclass(frozen=True)
class CallList:
    """Calls of one pool: arrivals (ascending), service times when warm, what a cold start adds [n], and one keep-alive."""

    arrival_us: Int64
    duration_us: Int64
    cold_us: Int64
    keep_alive_us: int


def call_lists(calls: int) -> dict[str, CallList]:
    """Five kinds of traffic of one function, each of `calls` calls."""
    rng = np.random.Generator(np.random.PCG64(1))

    def poisson(per_s: float, service_s: float, keep_alive_s: int, cold_share: float = 0.0) -> CallList:
        arrival_us = np.rint(np.cumsum(rng.exponential(US_PER_S / per_s, calls))).astype(np.int64)
        unit = rng.exponential(US_PER_S, calls) * service_s
        return CallList(arrival_us, np.rint(unit).astype(np.int64), np.rint(cold_share * unit).astype(np.int64), keep_alive_s * US_PER_S)

    minutes = np.arange(calls) * 60 * US_PER_S
    jitter = np.rint(rng.normal(30, 1.5, calls) * US_PER_S).astype(np.int64)
    twin = generate_azure2021(1)
    mine = np.flatnonzero(twin.function == np.bincount(twin.function).argmax())[:calls]
    nothing = np.zeros(calls, dtype=np.int64)
    return {
        "example of SimFaaS: 0.9/s of 1.991 s, keep-alive 600 s": poisson(0.9, 1.991, 600, cold_share=0.253 / 1.991),
        "rare: 3/h of 1 s, keep-alive 600 s": poisson(3 / 3600, 1.0, 600),
        "dense: 5/s of 1 s, keep-alive 10 s": poisson(5.0, 1.0, 10),
        "timer: once a minute, 0.4 s, keep-alive 61 s": CallList(
            np.sort(minutes + jitter), np.full(calls, 400_000), nothing, 61 * US_PER_S
        ),
        "busiest function of the twin, keep-alive 600 s": CallList(
            twin.arrival_us[mine], twin.duration_us[mine], nothing[: len(mine)], 600 * US_PER_S
        ),
    }


class Replay(SimProcess):
    """A process that gives the values of a list in turn."""

    def __init__(self, values: Int64) -> None:
        super().__init__()
        self.generate_trace = iter(values.astype(np.float64).tolist()).__next__


class ReplayService(SimProcess):
    """Service times of a list, one a call, whether it is warm or cold; `extra` is added to a cold one."""

    def __init__(self, turn: SimProcess, extra: SimProcess, is_cold: bool) -> None:
        super().__init__()
        self.turn, self.extra, self.is_cold = turn, extra, is_cold

    def generate_trace(self) -> float:
        """The next value."""
        added = self.extra.generate_trace()
        return self.turn.generate_trace() + (added if self.is_cold else 0.0)


class NewestIdle(ServerlessSimulator):
    """SimFaaS with our rule: the idle instance that became free last, of equal ones any (they expire together)."""

    def schedule_warm_instance(self, t: float) -> FunctionInstance:
        """The instance that serves the call at `t`."""
        return max((s for s in self.servers if s.is_ready()), key=lambda s: s.next_departure)


def simfaas(calls: CallList, simulator: type[ServerlessSimulator] = ServerlessSimulator) -> tuple[float, ServerlessSimulator]:
    """Replay the calls; return the processor seconds of the loop and the simulator with its counts.

    Times are whole microseconds in float64, so they are exact and ties are ties.
    """
    gaps = Replay(np.append(np.diff(calls.arrival_us, prepend=0), [10**17, 10**17]))  # it asks for the next arrival in advance
    turn = Replay(calls.duration_us)
    if calls.cold_us.any():
        extra = Replay(calls.cold_us)
        warm, cold = ReplayService(turn, extra, False), ReplayService(turn, extra, True)
    else:
        warm = cold = turn
    run = simulator(
        arrival_process=gaps,
        warm_service_process=warm,
        cold_service_process=cold,
        expiration_threshold=float(calls.keep_alive_us),
        max_time=float(calls.arrival_us[-1]) + 0.5,
        maximum_concurrency=10**9,
    )
    started = time.process_time()
    run.generate_trace()
    return time.process_time() - started, run


def pool_of(calls: CallList) -> int:
    """Our cold starts."""
    result = simulate_pool(calls.arrival_us, calls.duration_us, 0, keep_alive_us=calls.keep_alive_us, cold_us=calls.cold_us)
    return result.cold_starts


def warm_pool(lists: dict[str, CallList]) -> tuple[int, Callable[[], object]]:
    """The bare warm pool on the same lists."""
    return sum(len(c.arrival_us) for c in lists.values()), lambda: [pool_of(c) for c in lists.values()]


def one_placement(_: dict[str, CallList]) -> tuple[int, Callable[[], object]]:
    """The full model, every app alone at home."""
    scenario = fleet_scenario()
    return len(scenario.calls.arrival_us), lambda: Fleet(scenario, scenario.apps.home, luck_seed=1, is_coupled=False).replay_alone()


def coupled_fleet(_: dict[str, CallList]) -> tuple[int, Callable[[], object]]:
    """The full model, the whole fleet at home, capacity shared and settled every 15 s."""
    scenario = fleet_scenario()
    return len(scenario.calls.arrival_us), lambda: Fleet(scenario, scenario.apps.home, luck_seed=1).finish()


@cache
def fleet_scenario() -> Scenario:
    """The twin's 14 days in the calm world."""
    return twin_scenario()


def fleet_lists(calls_each: int) -> dict[str, CallList]:
    """The first calls of the 20 most called functions of the fleet, with a keep-alive of 600 s."""
    c, apps = fleet_scenario().calls, fleet_scenario().apps
    owner = np.repeat(np.arange(len(apps.app_ids)), np.diff(c.first_call))
    name = apps.first_function[owner] + c.function
    lists = {}
    for rank, function in enumerate(np.argsort(-np.bincount(name), kind="stable")[:20]):
        mine = np.flatnonzero(name == function)[:calls_each]
        lists[f"fleet {rank}"] = CallList(c.arrival_us[mine], c.duration_us[mine], np.zeros(len(mine), np.int64), 600 * US_PER_S)
    return lists


# Our sides: name, what prepares it (returns the number of calls and what runs them), and how many times SimFaaS it must reach.
SIDES: dict[str, tuple[Callable[[dict[str, CallList]], tuple[int, Callable[[], object]]], float]] = {
    "warm_pool": (warm_pool, 400.0),
    "one_placement": (one_placement, 150.0),
    "coupled_fleet": (coupled_fleet, 80.0),
}
FLEET_SIDES = ("one_placement", "coupled_fleet")


def seconds_of(run: Callable[[], object]) -> float:
    """Processor seconds of one run, the mean over as many as fill `MIN_TIMED_S`."""
    started, times = time.process_time(), 0
    while (spent := time.process_time() - started) < MIN_TIMED_S or times == 0:
        run()
        times += 1
    return spent / times


def compare_cold_starts(lists: dict[str, CallList]) -> dict[str, dict[str, int]]:
    """Assert equal cold starts on every list; return them with those of SimFaaS under its own rule."""
    found = {}
    for name, calls in lists.items():
        own_rule, our_rule = (simfaas(calls, simulator)[1] for simulator in (ServerlessSimulator, NewestIdle))
        ours = pool_of(calls)
        assert own_rule.total_req_count == our_rule.total_req_count == len(calls.arrival_us), f"{name}: SimFaaS did not serve every call"
        assert our_rule.total_cold_count == ours, f"{name}: {ours} cold starts and {our_rule.total_cold_count} in SimFaaS"
        found[name] = {"calls": len(calls.arrival_us), "cold_starts": ours, "cold_starts_own_rule": own_rule.total_cold_count}
        print(f"{name}: {found[name]}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Check, measure in turns, and print one line of JSON last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=200_000, help="calls of each list")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    lists = call_lists(options.calls)
    cold_starts = compare_cold_starts(lists)  # compiles the pool, too
    prepared = {side: prepare(lists) for side, (prepare, _) in SIDES.items()}
    for _, run in prepared.values():
        run()
    peer: dict[str, list[float]] = {name: [] for name in lists}
    by_list: dict[str, list[float]] = {name: [] for name in lists}
    sides: dict[str, list[float]] = {side: [] for side in SIDES}
    fleet = fleet_lists(max(1, options.calls // 40))
    fleet_calls = sum(len(c.arrival_us) for c in fleet.values())
    fleet_peer: list[float] = []
    for number in range(options.rounds):
        for name, calls in lists.items():
            peer[name].append(simfaas(calls)[0])
            by_list[name].append(seconds_of(lambda calls=calls: pool_of(calls)))
        fleet_peer.append(sum(simfaas(calls)[0] for calls in fleet.values()))
        for side, (_, run) in prepared.items():
            sides[side].append(seconds_of(run))
        spent = {side: f"{seconds[-1] * 1e3:.2f} ms" for side, seconds in sides.items()}
        print(f"round {number + 1}: SimFaaS {sum(s[-1] for s in peer.values()):.2f} s, {spent}", file=sys.stderr, flush=True)
    side_calls = {side: calls for side, (calls, _) in prepared.items()}
    fleet_rate = fleet_calls / statistics.median(fleet_peer)
    print(json.dumps(verdict(cold_starts, peer, by_list, sides, side_calls, fleet_rate, options.rounds)))


def verdict(
    cold_starts: dict[str, dict[str, int]],
    peer: dict[str, list[float]],
    by_list: dict[str, list[float]],
    sides: dict[str, list[float]],
    side_calls: dict[str, int],
    fleet_rate: float,
    rounds: int,
) -> dict[str, Any]:
    """Rates from the medians over the rounds: all lists together for the headline, each list of the bare pool beside it."""
    total = sum(row["calls"] for row in cold_starts.values())
    peer_rate = total / statistics.median(sum(seconds) for seconds in zip(*peer.values(), strict=True))
    rates = {side: side_calls[side] / statistics.median(seconds) for side, seconds in sides.items()}
    lists = {}
    for name, row in cold_starts.items():
        theirs, ours = row["calls"] / statistics.median(peer[name]), row["calls"] / statistics.median(by_list[name])
        lists[name] = row | {"ours": round(ours), "peer": round(theirs), "ratio": round(ours / theirs, 1)}
    return {
        "name": "world_simfaas",
        "ours": round(rates["warm_pool"]),
        "peer": round(peer_rate),
        "ratio": round(rates["warm_pool"] / peer_rate, 1),
        "unit": "calls per second of processor time",
        "rounds": rounds,
        "sides": {
            side: {
                "ours": round(rate),
                "peer": round(fleet_rate if side in FLEET_SIDES else peer_rate),
                "ratio": round(rate / (fleet_rate if side in FLEET_SIDES else peer_rate), 1),
                "needed": SIDES[side][1],
            }
            for side, rate in rates.items()
        },
        "lists": lists,
    }


if __name__ == "__main__":
    main()
