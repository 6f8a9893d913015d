"""Rows of the reference tables, with errors that name file, line and remedy. Not here: what the rows mean (simulator/places/tables.py)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from core.errors import TrineError


class TableError(TrineError):
    """A reference table lacks a row or holds a value that cannot be correct."""


RESTORE = "restore it from git, or rebuild it with python -m tasks.world.reference_tables"


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Args:
        file, line: where it is.
        values: text by column.
    """

    file: str
    line: int
    values: dict[str, str]

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.file}, line {self.line}"

    def text(self, column: str) -> str:
        """Return a text that must not be empty."""
        if not self.values[column]:
            raise TableError(f"{column} is empty", where=self.where, how=f"fill in {column} or remove the row")
        return self.values[column]

    def exact(self, column: str, *, at_least: int = 0) -> Fraction:
        """Return a number without rounding."""
        text = self.text(column)
        try:
            value = Fraction(text)
        except (ValueError, ZeroDivisionError):
            raise TableError(f"{column} is not a number: {text!r}", where=self.where, how="write a plain decimal number") from None
        if value < at_least:
            raise TableError(f"{column} is {text}, less than {at_least}", where=self.where, how="correct the value")
        return value

    def number(self, column: str, *, at_least: int = 0) -> float:
        """Return a number as the nearest float."""
        return float(self.exact(column, at_least=at_least))

    def whole(self, column: str) -> int:
        """Return a whole number that is not negative."""
        value = self.exact(column)
        if value.denominator != 1:
            raise TableError(f"{column} is not a whole number: {self.values[column]!r}", where=self.where, how="write an integer")
        return int(value)

    def one_of(self, column: str, known: tuple[str, ...], file: str) -> int:
        """Return the position of a name that another table must define."""
        name = self.text(column)
        if name not in known:
            how = f"add {name} to {file} or remove the row; known are {', '.join(known) or 'none'}"
            raise TableError(f"unknown {column} {name!r}", where=self.where, how=how)
        return known.index(name)


def read_rows(folder: Path, name: str, columns: tuple[str, ...], key: tuple[str, ...]) -> list[Row]:
    """Return the rows of a table in the order of the file.

    Args:
        folder: where the table lies.
        name: its file name.
        columns: those that must exist (others are kept too).
        key: columns that together occur once.

    Raises:
        TableError: the file or a column is missing, a row is cut short or too long, a key occurs twice, or the file is no CSV.
    """
    path = folder / name
    if not path.is_file():
        raise TableError(f"{name} is missing", where=str(path), how=RESTORE)
    try:
        rows = list(_checked(path, columns, key))
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"the table cannot be read: {error}", where=str(path), how="save it as CSV with commas, in UTF-8") from error
    if not rows:
        raise TableError(f"{name} has no rows", where=str(path), how=RESTORE)
    return rows


def _checked(path: Path, columns: tuple[str, ...], key: tuple[str, ...]) -> Iterator[Row]:
    """Yield the rows, each complete and with a key of its own."""
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle, strict=True)
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise TableError(f"{path.name} has no column {', '.join(missing)}", where=str(path), how="restore the header of the table")
        seen: dict[tuple[str, ...], Row] = {}
        for values in reader:
            row = Row(str(path), reader.line_num, {column: (text or "").strip() for column, text in values.items() if column})
            if None in values or None in values.values():
                how = "quote a field that holds a comma"
                raise TableError("the row has more or fewer fields than the header", where=row.where, how=how)
            name = tuple(row.text(column) for column in key)
            if name in seen:
                how = f"remove this row or the one in line {seen[name].line}"
                raise TableError(f"{' '.join(name)} occurs twice", where=row.where, how=how)
            seen[name] = row
            yield row
