"""Runs both sides of a comparison in processes of their own and prints the verdict. Not here: what is compared.

Each side is a command line. Sides take turns (ours, peers, ours, ...), so that a slow minute of the machine hits all of them;
medians over the rounds are compared. Peak memory is the kernel's figure for the process (VmHWM, by wait4);
it never falls below the peak of the parent, so the measuring process must stay small itself.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

THREADS = "2"
# Whatever library a side uses, it gets two threads.
LIMITS = dict.fromkeys(
    (
        "TRINE_THREADS",
        "POLARS_MAX_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "ARROW_NUM_THREADS",
    ),
    THREADS,
)


@dataclass(frozen=True)
class Measurement:
    """One run of one side: wall seconds, processor seconds, peak resident bytes, its standard output."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def measure(command: list[str], environment: dict[str, str] | None = None) -> Measurement:
    """Run a command to its end.

    Args:
        command: the program and its arguments.
        environment: variables to add.

    Raises:
        SystemExit: the command failed; its output is shown.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | LIMITS | (environment or {})
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{output}")
    return Measurement(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, output)


def compare(
    name: str,
    ours: list[str],
    peers: dict[str, list[str]],
    rounds: int,
    unit: str,
    rate: Callable[[float], float] = lambda seconds: seconds,
    environment: dict[str, str] | None = None,
    check: Callable[[dict[str, str]], None] | None = None,
) -> dict[str, Any]:
    """Measure our side and the peers in turn, print each run and, as the last line, the JSON of the verdict.

    Args:
        name: of the comparison.
        ours: our command.
        peers: commands by name; the fastest (by median) is the one to beat.
        rounds: at least 3.
        unit: of `ours` and `peer`, what `rate` returns.
        rate: turns median seconds into the figure shown (default: the seconds).
        environment: variables for both sides.
        check: gets the last output of each side by name ("ours" and the peers) and raises where their results differ.

    Returns:
        name, ours, peer, ratio (peer seconds / our seconds: above 1, we are faster), unit, rounds; also `best_peer`, `seconds`,
        `cpu_seconds` and `peak_mb` by side and `memory_ratio` (our peak / the smallest of the peers').
    """
    sides = {"ours": ours} | peers
    runs: dict[str, list[Measurement]] = {side: [] for side in sides}
    for round_number in range(1, rounds + 1):
        for side, command in sides.items():
            run = measure(command, environment)
            runs[side].append(run)
            print(
                f"round {round_number} {side}: {run.seconds:.2f} s ({run.cpu_seconds:.2f} s of processor), {run.peak_bytes / 1e6:,.0f} MB",
                file=sys.stderr,
                flush=True,
            )
    if check is not None:
        check({side: found[-1].output for side, found in runs.items()})
    seconds = {side: statistics.median(r.seconds for r in found) for side, found in runs.items()}
    peak = {side: statistics.median(r.peak_bytes for r in found) / 1e6 for side, found in runs.items()}
    best = min(peers, key=lambda side: seconds[side])
    verdict = {
        "name": name,
        "ours": round(rate(seconds["ours"]), 3),
        "peer": round(rate(seconds[best]), 3),
        "ratio": round(seconds[best] / seconds["ours"], 3),
        "unit": unit,
        "rounds": rounds,
        "best_peer": best,
        "seconds": {side: round(value, 2) for side, value in seconds.items()},
        "cpu_seconds": {side: round(statistics.median(r.cpu_seconds for r in found), 2) for side, found in runs.items()},
        "peak_mb": {side: round(value) for side, value in peak.items()},
        "memory_ratio": round(peak["ours"] / min(peak[side] for side in peers), 3),
    }
    print(json.dumps(verdict))
    return verdict
