"""The search by halving: who goes on, what is chosen, and that its file says nothing about time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tasks.learning.learning_settings import Round
from tasks.learning.search import Float64, Point, Trials, choose, grid_of, halving, rounds_line, write_search
from tasks.learning.training_files import SEARCH_COLUMNS, Tuned

SPECIFIED: Point = {"lr": 2.0, "clip": 1.0}
ROUNDS = [Round(transitions=8, seeds=(1,), keep=2), Round(transitions=16, seeds=(1, 2), keep=1)]


def play(busy_s: float = 0.0) -> tuple[list[Point], list[Trials]]:
    """A search in which the score of a point is the distance of its `lr` from 1; the specified one is off the grid."""
    grid = grid_of({"lr": [1.0, 1.5, 4.0], "clip": [0.5]}, SPECIFIED)

    def trial(points: Sequence[Point], seeds: Sequence[int], _transitions: int, _name: str) -> Float64:
        until = time.process_time() + busy_s
        while time.process_time() < until:
            pass
        return np.array([[abs(point["lr"] - 1.0) + 0.01 * seed for seed in seeds] for point in points])

    return grid, halving(grid, SPECIFIED, ROUNDS, trial)


def test_the_better_points_and_the_specified_one_go_on() -> None:
    grid, played = play()
    assert len(grid) == 4
    assert [one.numbers for one in played] == [[0, 1, 2, 3], [0, 3]]
    chosen = Tuned.model_validate(choose("tactical", "ppo_specified", grid, SPECIFIED, played))
    assert (chosen.parameters, chosen.is_specified) == ({"lr": 1.0, "clip": 0.5}, False)
    assert chosen.budget_transitions == 4 * 8 + 2 * 2 * 16


def test_equal_searches_are_equal_bytes_however_long_they_took(tmp_path: Path) -> None:
    texts, lines = [], []
    for name, busy_s in (("quick", 0.0), ("slow", 0.6)):
        grid, played = play(busy_s)
        tuned = Tuned.model_validate(choose("tactical", "ppo_specified", grid, SPECIFIED, played))
        write_search(tmp_path / name, tuned, grid, played)
        texts.append((tmp_path / name).read_text(encoding="utf-8"))
        lines.append(rounds_line(played))
    assert texts[0] == texts[1]
    assert texts[0].splitlines()[0] == ",".join(SEARCH_COLUMNS)
    assert lines == ["2 rounds (0, 0 s of processor)", "2 rounds (1, 1 s of processor)"]


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_the_specified_point_stays_unless_beaten_by_more_than_the_spread(noise: float) -> None:
    scores = np.array([[1.0 - noise, 1.0 + noise], [2.0, 2.0]])
    grid: list[Point] = [{"lr": 1.0, "clip": 0.5}, SPECIFIED]
    played = [Trials([0, 1], scores, ROUNDS[1], 0.0)]
    assert choose("tactical", "ppo_specified", grid, SPECIFIED, played)["is_specified"] == (noise > 0)
