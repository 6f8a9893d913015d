"""How the coupled world's cost grows: more apps, more days, idle apps. Run it: `python -m bench.world_scale`. The peer is a straight line.

The twin's 14 days are laid out several times: copies of the apps side by side (with capacity to match) and copies of the days one after
another, so that the rate per app stays. Cost is processor time per call of one thread; memory is the peak of a process of its own, over
that of one that builds the smallest case.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from simulator.fleet import Fleet
from simulator.scenario import Scenario
from simulator.twin.fleets import twin_scenario
from simulator.workload import Calls

ROOT = Path(__file__).resolve().parent.parent
# name: copies of the apps, copies of the days, idle apps for each app with calls
CASES = {"2M": (1, 1, 0), "2M and idle apps": (1, 1, 9), "20M by apps": (10, 1, 0), "20M by days": (1, 10, 0), "200M": (10, 10, 0)}
BOUND, MEMORY_BOUND = 0.15, 64.0
MIN_TIMED_S = 2.0  # of a round: one run of the smallest case takes a sixth of a second, and a neighbour on the machine shows in it


def laid_out(base: Scenario, apps: int, days: int, idle: int) -> Scenario:
    """Return `base` with its apps copied side by side and its days one after another; `idle` apps without calls for each app."""
    c, a, n = base.calls, len(base.apps.app_ids), len(base.calls.arrival_us)
    span_us = base.steps * base.world.step_us
    per_app = np.diff(c.first_call)
    copies = [np.repeat(np.arange(a), days)] * apps  # by app, then by day
    first = np.concatenate([[0], np.cumsum(np.concatenate([np.tile(per_app * days, apps), np.zeros(idle * a, np.int64)]))])
    total = n * apps * days
    arrays = {name: np.empty(total, getattr(c, name).dtype) for name in CALL_FIELDS}
    at = 0
    for _ in copies:
        for app in range(a):
            part = slice(c.first_call[app], c.first_call[app + 1])
            for day in range(days):
                to = slice(at, at + per_app[app])
                for name, out in arrays.items():
                    out[to] = getattr(c, name)[part]
                arrays["arrival_us"][to] += day * span_us
                at += int(per_app[app])
    step = np.concatenate([c.group_step + day * base.steps for day in range(days) for _ in range(apps)]).astype(np.int32)
    app = np.concatenate([c.group_app + copy * a for _ in range(days) for copy in range(apps)]).astype(np.int32)
    inside = c.group_first - c.first_call[c.group_app]
    begin = [first[c.group_app + copy * a] + per_app[c.group_app] * day + inside for day in range(days) for copy in range(apps)]
    order = np.lexsort((app, step))
    groups = (step[order], app[order], np.concatenate(begin)[order], np.tile(c.group_calls, apps * days)[order])
    calls = Calls(first.astype(np.int64), *(arrays[name] for name in CALL_FIELDS), *groups)
    return dataclasses.replace(
        base,
        steps=base.steps * days,
        split_steps=(1, 2, base.steps * days),
        calls=calls,
        apps=_copied_apps(base, apps + idle),
        conditions=dataclasses.replace(
            base.conditions,
            utilisation_ppm=np.tile(base.conditions.utilisation_ppm, days),
            capacity=np.tile(base.conditions.capacity * apps, days),
            slowdown_permille=np.tile(base.conditions.slowdown_permille, days),
            carbon_mg_per_kwh=np.tile(base.conditions.carbon_mg_per_kwh, days),
        ),
        is_allowed=np.tile(base.is_allowed, (apps + idle, 1)),
    )


CALL_FIELDS = ("arrival_us", "duration_us", "function", "bytes_in", "bytes_out", "origin")


def _copied_apps(base: Scenario, copies: int) -> object:
    a = base.apps
    functions = np.diff(a.first_function)
    columns = ("memory_mb", "package", "payload", "home", "data_region", "state_bytes", "vcpu_bound_permille", "is_global")
    return dataclasses.replace(
        a,
        app_ids=tuple(f"{copy:03d} {app}" for copy in range(copies) for app in a.app_ids),
        function_ids=tuple(f"{copy:03d} {name}" for copy in range(copies) for name in a.function_ids),
        id_base=np.concatenate([a.id_base ^ np.uint64(copy << 52) for copy in range(copies)]),
        first_function=np.concatenate([[0], np.cumsum(np.tile(functions, copies))]),
        **{name: np.tile(getattr(a, name), copies) for name in columns},
    )


def measure(case: str) -> dict[str, float]:
    """Build one case, run it to the end until that took `MIN_TIMED_S`, and return calls, median processor seconds, the peak of memory."""
    scenario = laid_out(twin_scenario(), *CASES[case])
    Fleet(twin_scenario(days=2, rate=0.01), twin_scenario(days=2, rate=0.01).apps.home, luck_seed=1).finish()  # compiles
    seconds: list[float] = []
    while sum(seconds) < MIN_TIMED_S:
        fleet = Fleet(scenario, scenario.apps.home, luck_seed=1)
        started = time.process_time()
        fleet.finish()
        seconds.append(time.process_time() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"calls": len(scenario.calls.arrival_us), "seconds": statistics.median(seconds), "peak_bytes": peak}


def main() -> None:
    """Run every case in turn, each in a process of its own, and print one line of JSON last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--case", choices=list(CASES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(options.case)))
        return
    runs: dict[str, list[dict[str, float]]] = {case: [] for case in options.cases}
    for number in range(options.rounds):
        for case, found in runs.items():
            command = [sys.executable, "-m", "bench.world_scale", "--case", case]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
            print(f"round {number + 1} {case}: {found[-1]}", file=sys.stderr, flush=True)
    cost = {case: statistics.median(r["seconds"] / r["calls"] for r in found) * 1e9 for case, found in runs.items()}
    small, large = options.cases[0], options.cases[-1]
    peak = {case: statistics.median(r["peak_bytes"] for r in found) for case, found in runs.items()}
    calls = {case: found[0]["calls"] for case, found in runs.items()}
    bytes_per_call = (peak[large] - peak[small]) / (calls[large] - calls[small]) if calls[large] > calls[small] else float("nan")
    verdict = {
        "name": "world_scale",
        "ours": round(cost[large], 2),
        "peer": round(cost[small], 2),
        "ratio": round(cost[large] / cost[small], 3),
        "unit": "ns of processor time per call, largest against smallest case",
        "rounds": options.rounds,
        "ns_per_call": {case: round(value, 2) for case, value in cost.items()},
        "is_linear": all(abs(value / cost[small] - 1) <= BOUND for value in cost.values()),
        "bytes_per_call": round(bytes_per_call, 1),
        "is_lean": bytes_per_call <= MEMORY_BOUND,
    }
    print(json.dumps(verdict))


if __name__ == "__main__":
    main()
