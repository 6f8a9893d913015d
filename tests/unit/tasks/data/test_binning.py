"""The kernels against hand-computed cases and a slow pure-Python implementation, value by value."""

from __future__ import annotations

import itertools
import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data.binning import bin_calls, lagged, rolling

STEP = 10
Call = tuple[int, int, int, int]  # app, function, arrival, duration


def binned(calls: list[Call], span: int) -> list[dict[str, Any]]:
    """Rows of the kernel; -1 and NaN as None."""
    table = np.array(sorted(calls, key=lambda c: (c[0], c[2], c[1], c[3])), dtype=np.int64).reshape(-1, 4)
    out = bin_calls(*(np.ascontiguousarray(table[:, k]) for k in range(4)), STEP, span)
    rows = [{k: v[i].item() for k, v in out.items()} for i in range(len(out["step"]))]
    nulls = ("duration_p50_us", "duration_p95_us")
    return [{k: None if (k in nulls and v == -1) or v != v else v for k, v in row.items()} for row in rows]


def slow(calls: list[Call], span: int) -> list[dict[str, Any]]:
    """The definition of every column, looking at every call for every step."""
    rows = []
    for app in sorted({c[0] for c in calls}):
        mine = [c for c in calls if c[0] == app]
        arrivals = sorted(c[2] for c in mine)
        for step in range(span):
            low, high = step * STEP, (step + 1) * STEP
            came = [c for c in mine if low <= c[2] < high]
            alive = [c for c in mine if c[2] < high and c[2] + c[3] > low and c[3] > 0]
            if not came and not alive:
                continue
            ended = sorted([c[3] for c in alive if low < c[2] + c[3] <= high] + [0 for c in came if c[3] == 0])
            moments = [low, *(c[2] for c in came)]
            gaps = [b - a for a, b in itertools.pairwise(arrivals) if low <= b < high]
            mean = statistics.fmean(gaps) if gaps else None
            rank = lambda share, ended=ended: ended[math.ceil(share * len(ended) / 100) - 1] if ended else None  # noqa: E731
            rows.append(
                {
                    "app_id": app,
                    "step": step,
                    "calls": len(came),
                    "functions": len({c[1] for c in came}),
                    "busy_us": sum(min(c[2] + c[3], high) - max(c[2], low) for c in alive),
                    "concurrency_max": max(sum(c[2] <= t < c[2] + c[3] for c in alive) for t in moments),
                    "duration_p50_us": rank(50),
                    "duration_p95_us": rank(95),
                    "since_last_call_us": high - max(a for a in arrivals if a < high),
                    "gap_mean_us": mean,
                    "gap_cv": statistics.pstdev(gaps) / mean if mean and len(gaps) > 1 else None,
                }
            )
    return rows


CALLS = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4), st.integers(0, 99), st.integers(0, 45)), max_size=70)


@settings(max_examples=150, deadline=None)
@given(CALLS, st.integers(1, 14))
def test_equals_the_slow_implementation(calls: list[Call], span: int) -> None:
    found, wanted = binned(calls, span), slow(calls, span)
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert {k: v for k, v in a.items() if k != "gap_cv"} == {k: v for k, v in b.items() if k != "gap_cv"}
        assert (a["gap_cv"] is None) == (b["gap_cv"] is None)
        assert a["gap_cv"] is None or a["gap_cv"] == pytest.approx(b["gap_cv"], rel=1e-12, abs=1e-12)


def test_a_call_over_three_steps_by_hand() -> None:
    rows = binned([(7, 0, 5, 20)], 4)
    assert [(r["step"], r["calls"], r["busy_us"], r["concurrency_max"], r["duration_p50_us"]) for r in rows] == [
        (0, 1, 5, 1, None),
        (1, 0, 10, 1, None),
        (2, 0, 5, 1, 20),
    ]


def test_a_call_that_ends_on_the_border_leaves_no_row_behind() -> None:
    (row,) = binned([(7, 0, 5, 5)], 4)
    assert (row["step"], row["busy_us"], row["duration_p95_us"]) == (0, 5, 5)


def test_one_step_with_more_calls_than_the_first_buffer_holds() -> None:
    (row,) = binned([(1, k % 3, 0, 1 + k % 7) for k in range(700)], 3)
    assert (row["calls"], row["functions"], row["concurrency_max"], row["duration_p50_us"], row["duration_p95_us"]) == (700, 3, 700, 4, 7)


@pytest.mark.parametrize("at", [17, 40, 63])
def test_the_future_does_not_move_the_past(at: int) -> None:
    rng = np.random.default_rng(at)
    calls = [(int(a), int(f), int(t), int(d)) for a, f, t, d in rng.integers([1, 0, 0, 0], [4, 5, 99, 60], size=(80, 4))]
    cut = at // STEP * STEP
    later = [(a, f, t, d) if t + d <= cut else (a, f, t, max(cut - t + 1, 99 - d)) for a, f, t, d in calls if t < cut]
    later += [(a, f, 99 - (t - cut) // 2, 3) for a, f, t, _ in calls if t >= cut]
    before = [r for r in binned(calls, 10) if r["step"] < cut // STEP]
    assert before == [r for r in binned(later, 10) if r["step"] < cut // STEP]
    assert binned(calls, 10) != binned(later, 10)


ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40), st.integers(0, 9)), max_size=60, unique_by=lambda r: r[:2])


@settings(max_examples=150, deadline=None)
@given(ROWS, st.integers(1, 15))
def test_windows_and_lags_equal_the_dense_axis(rows: list[tuple[int, int, int]], width: int) -> None:
    app, step, value = np.array(sorted(rows), dtype=np.int64).reshape(-1, 3).T.copy()
    dense = {(a, s): v for a, s, v in rows}
    window = [[dense.get((a, s), 0) for s in range(max(0, t - width + 1), t + 1)] for a, t, _ in sorted(rows)]
    total, highest = rolling(app, step, value, width)
    assert total.tolist() == [sum(w) for w in window]
    assert highest.tolist() == [max(w) for w in window]
    assert lagged(app, step, value, width).tolist() == [dense.get((a, t - width), 0) for a, t, _ in sorted(rows)]
