"""A search by successive halving, scored on the valid spans. Not here: what a point trains (tune_tactical.py, tune_strategic.py).

Every point of the grid trains briefly, all points as one batch; the better ones train again, longer and with more seeds, until the last
round decides. The specified point takes part in every round, and stays unless it is beaten by more than the spread between the repeats.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.learning.training_files import SEARCH_COLUMNS, Tuned, write_rows

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.learning.learning_settings import Round

Float64 = NDArray[np.float64]
Point = Mapping[str, float]
Trial = Callable[[Sequence[Point], Sequence[int], int, str], Float64]


@dataclass(frozen=True)
class Trials:
    """A round as it was played: points by their number in the grid, scores float64 [points, seeds], processor time."""

    numbers: list[int]
    scores: Float64
    round: Round
    seconds: float


def grid_of(axes: Mapping[str, Sequence[float]], specified: Point) -> list[Point]:
    """All points of a grid by the values of its axes, and the specified one if it is none of them."""
    points: list[Point] = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    return points if specified in points else [*points, specified]


def halving(grid: Sequence[Point], specified: Point, rounds: Sequence[Round], trial: Trial) -> list[Trials]:
    """Play all rounds.

    Args:
        grid: all points, the specified one among them.
        specified: always goes on.
        rounds: of the search.
        trial: trains (points, seeds, transitions, name of the round) and returns scores float64 [points, seeds], lower is better.
    """
    left, played = list(range(len(grid))), []
    for number, settings in enumerate(rounds):
        started = time.process_time()
        scores = trial([grid[k] for k in left], settings.seeds, settings.transitions, f"round-{number + 1}")
        played.append(Trials(left, scores, settings, time.process_time() - started))
        order = [left[k] for k in np.argsort(scores.mean(axis=1), kind="stable")]
        kept = order[: settings.keep]
        own = list(grid).index(specified)
        left = sorted(kept if own in kept else [*kept[:-1], own])
    return played


def choose(layer: str, arm: str, grid: Sequence[Point], specified: Point, played: Sequence[Trials]) -> dict[str, Any]:
    """Return the record `Tuned` of a search."""
    last = played[-1]
    means, own = last.scores.mean(axis=1), last.numbers.index(list(grid).index(specified))
    best = int(means.argmin())
    spread = max(_spread(last.scores[best]), _spread(last.scores[own]))
    is_specified = not means[own] - means[best] > spread
    chosen = own if is_specified else best
    return {
        "layer": layer,
        "arm": arm,
        "parameters": dict(grid[last.numbers[chosen]]),
        "specified": dict(specified),
        "is_specified": bool(last.numbers[chosen] == list(grid).index(specified)),
        "score": round(float(means[chosen]), 6),
        "specified_score": round(float(means[own]), 6),
        "spread": round(spread, 6),
        "points": len(grid),
        "budget_transitions": sum(one.scores.size * one.round.transitions for one in played),
    }


def write_search(file: Path, tuned: Tuned, grid: Sequence[Point], played: Sequence[Trials]) -> None:
    """Write every point with the scores of its last round; `transitions` among its parameters says how long it trained in it."""
    rows = []
    for number, point in enumerate(grid):
        last = [one for one in played if number in one.numbers][-1]
        scores = last.scores[last.numbers.index(number)]
        parameters = json.dumps({**point, "transitions": last.round.transitions}, sort_keys=True)
        error = f"{_spread(scores) / len(scores) ** 0.5:.6f}" if len(scores) > 1 else ""
        for seed, score in zip(last.round.seeds, scores.tolist(), strict=True):
            is_chosen = dict(point) == tuned.parameters
            rows.append((tuned.layer, tuned.arm, number, parameters, seed, f"{score:.6f}", error, is_chosen))
    write_rows(file, SEARCH_COLUMNS, rows)


def rounds_line(played: Sequence[Trials]) -> str:
    """`3 rounds (12, 9, 14 s of processor)`: for the summary line, since no file that DVC hashes may hold a time (decision 017)."""
    return f"{len(played)} rounds ({', '.join(f'{one.seconds:.0f}' for one in played)} s of processor)"


def _spread(scores: Float64) -> float:
    """Standard deviation between the repeats of a point; with one repeat 0."""
    return float(scores.std(ddof=1)) if len(scores) > 1 else 0.0
