"""The split in time lies on whole decision intervals and never overlaps."""

from __future__ import annotations

import pytest

from tasks.data.split import split_steps

SHARES = (0.70, 0.15, 0.15)


def test_fourteen_days_are_the_documented_steps() -> None:
    assert split_steps(80_640, SHARES) == (1000, 56_000, 68_000, 80_000)


def test_shorter_spans_use_smaller_units() -> None:
    assert split_steps(20_000, SHARES) == (1000, 14_000, 17_000, 20_000)
    assert split_steps(19_999, SHARES)[0] == 100
    assert split_steps(1_999, SHARES) == (1, 1_399, 1_699, 1_999)


@pytest.mark.parametrize("span", [0, 1, 2, 431, 1_999, 2_000, 17_280, 19_999, 20_000, 80_640, 161_280])
def test_parts_are_ordered_and_inside_the_span(span: int) -> None:
    unit, train, valid, test = split_steps(span, SHARES)
    assert 0 <= train <= valid <= test <= span
    assert train % unit == valid % unit == test % unit == 0
    assert span - test < unit
