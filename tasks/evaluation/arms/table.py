"""What the tables of arms have in common. Not here: any arm (one table per group beside this module)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from core.errors import ParameterError


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One row.

    Args:
        name: in every table and file.
        label: on the page.
        ink: colour of the style sheet.
        order: place in the tables, counted over a group; gaps are for later arms.
        is_causal: whether it knows nothing of the future.
        layer: that it is an arm of (strategic, tactical, operational); empty: of none.
        is_weighed: whether it is a point of the sweep of the objective's weights.
    """

    name: str
    label: str
    ink: str = "home"
    order: int
    is_causal: bool = True
    layer: str = ""
    is_weighed: bool = False


Row = TypeVar("Row", bound=Arm)


def ordered(*rows: Row) -> tuple[Row, ...]:
    """Return a table in the order of its rows' places.

    Raises:
        ParameterError: two rows have the same name or place.
    """
    for column in ("name", "order"):
        values = [getattr(row, column) for row in rows]
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise ParameterError(f"two arms have the {column} {twice[0]!r}", where="tasks/evaluation/arms", how="change one of them")
    return tuple(sorted(rows, key=lambda row: row.order))


def arm_named(rows: Sequence[Row], name: str) -> Row:
    """Return the row of that name.

    Raises:
        ParameterError: the table has no such arm.
    """
    found = next((row for row in rows if row.name == name), None)
    if found is None:
        known = ", ".join(row.name for row in rows)
        raise ParameterError(f"unknown arm '{name}'", where="tasks/evaluation/arms", how=f"add a row for it, or use one of: {known}")
    return found


def described(rows: Sequence[Arm]) -> list[dict[str, Any]]:
    """Return what the evaluation's JSON says of the arms, in the order of the table."""
    columns = ("name", "label", "ink", "is_causal", "layer", "is_weighed")
    return [{column: getattr(row, column) for column in columns} for row in rows]
