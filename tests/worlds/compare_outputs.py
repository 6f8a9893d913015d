"""Compare every output of every stage of two checkouts, value by value: python -m tests.worlds.compare_outputs OLD NEW [--map MAP].

The outputs are those of each checkout's dvc.yaml. Parquet is compared column by column, arrays bit by bit, JSON leaf by leaf, CSV and LaTeX
cell by cell, and of the page the numbers that its figures plot; the rest of the page and the head of a LaTeX table are text. Types count:
1, 1.0 and true differ. Names may change only as the map says (class `Map`); everything else is a difference and the exit status is 1.
It is no benchmark and asks nothing of the code, so it is here and not in bench/.

Not here: which names changed and why (docs/decisions), and whether the values are right.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict

MOST_LINES = 6  # shown per file
Fields = dict[str, Any]
Reasons = dict[str, str]
SCRIPT = re.compile(r'<script type="application/json" id="([^"]+)-figure">(.*?)</script>', re.DOTALL)


class Names(BaseModel):
    """Changed names. `*` matches any text within one part of a name, and a name also means everything below it.

    A renamed name keeps its values; all other entries give the reason.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    renamed: dict[str, str] = {}
    removed: Reasons = {}
    added: Reasons = {}
    ignored: Reasons = {}


class FieldNames(Names):
    """Changed names in the files that match `files` (by their new path): dotted paths of JSON, columns of tables.

    `values` renames values of text: {field: {old: new}}, by the new name of the field.
    """

    files: str
    values: dict[str, dict[str, str]] = {}


class Map(BaseModel):
    """What may differ: names of files, by their path in the checkout, and names of fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: Names = Names()
    fields: tuple[FieldNames, ...] = ()


def matches(pattern: str, name: str, separator: str) -> re.Match[str] | None:
    """The match of a name with a pattern; its last group is what lies below the pattern."""
    inner = re.escape(pattern).replace(r"\*", f"([^{separator}]*)")
    return re.fullmatch(f"{inner}((?:{re.escape(separator)}.*)?)", name, re.DOTALL)


def renamed(names: dict[str, str], name: str, separator: str) -> str:
    """The new name; where no pattern matches, the name as it is."""
    for pattern, new in names.items():
        if match := matches(pattern, name, separator):
            parts = iter(match.groups())
            return re.sub(r"\*", lambda _, parts=parts: next(parts), new) + match.groups()[-1]
    return name


def listed(names: Reasons, name: str, separator: str) -> bool:
    """Whether one of the patterns matches the name."""
    return any(matches(pattern, name, separator) for pattern in names)


def outputs(root: Path) -> Iterator[str]:
    """The paths of the outputs in dvc.yaml, one for each item of a foreach stage.

    Raises:
        ValueError: a path holds a variable other than `item` and `key`.
    """
    stages = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for stage in stages.values():
        items = stage.get("foreach", [None])
        body = stage.get("do", stage)
        for out in chain(body.get("outs", ()), body.get("metrics", ()), body.get("plots", ())):
            path = out if isinstance(out, str) else next(iter(out))
            for item in items:
                found = path.replace("${item}", str(item)).replace("${key}", str(item))
                if "${" in found:
                    raise ValueError(f"{root / 'dvc.yaml'}: the output {path} holds a variable that is not known here")
                yield found


def files_of(root: Path) -> tuple[set[str], list[str]]:
    """The files of all outputs, and a line for each output that does not exist."""
    files: set[str] = set()
    missing = []
    for out in outputs(root):
        path = root / out
        if path.is_dir():
            files |= {file.relative_to(root).as_posix() for file in path.rglob("*") if file.is_file()}
        elif path.is_file():
            files.add(out)
        else:
            missing.append(f"{out}: not built in {root}")
    return files, missing


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of every leaf of a JSON value; an empty list or object is a leaf."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [leaf for key, part in parts for leaf in leaves(part, f"{path}.{key}" if path else str(key))]
    return iter(below or [(path, value)])


def read_json(file: Path) -> Fields:
    return dict(leaves(json.loads(file.read_text(encoding="utf-8"))))


def read_csv(file: Path) -> Fields:
    """The cells of every column as text."""
    with file.open(encoding="utf-8", newline="") as handle:
        head, *rows = csv.reader(handle)
    if len(set(head)) < len(head) or any(len(row) != len(head) for row in rows):
        raise ValueError(f"{file}: a column is listed twice, or a row has more or fewer cells than the head")
    return {name: [row[i] for row in rows] for i, name in enumerate(head)}


def read_parquet(file: Path) -> Fields:
    return {column.name: column for column in pl.read_parquet(file, hive_partitioning=False)}


def read_npy(file: Path) -> Fields:
    return {"array": np.load(file, allow_pickle=False)}


def read_tex(file: Path) -> Fields:
    """The cells of the body, as `row.column`."""
    body = file.read_text(encoding="utf-8").split(r"\hline", 1)[-1]
    return {f"{i}.{j}": cell.strip() for i, line in enumerate(body.splitlines()) for j, cell in enumerate(line.split(" & "))}


def read_page(file: Path) -> Fields:
    """The plotted numbers of every figure, by its element; layout and words are text."""
    found = {}
    for identity, text in SCRIPT.findall(file.read_text(encoding="utf-8")):
        for path, value in leaves(json.loads(text.replace("<\\/", "</"))):
            if "data" in path.split(".") and isinstance(value, int | float):
                found[f"{identity}.{path}"] = value
    if not found:
        raise ValueError(f"{file}: no figure found on the page")
    return found


READERS: dict[str, Callable[[Path], Fields]] = {
    ".json": read_json,
    ".csv": read_csv,
    ".parquet": read_parquet,
    ".npy": read_npy,
    ".tex": read_tex,
    ".html": read_page,
}


def difference(old: Any, new: Any) -> str | None:
    """How two values of a field differ: scalars, lists of text, columns or arrays."""
    kinds = [value.dtype if isinstance(value, pl.Series | np.ndarray) else type(value) for value in (old, new)]
    if kinds[0] != kinds[1]:
        return f"{getattr(kinds[0], '__name__', kinds[0])} is now {getattr(kinds[1], '__name__', kinds[1])}"
    if not isinstance(old, pl.Series | np.ndarray | list):
        return None if old == new or (old != old and new != new) else f"{old!r} is now {new!r}"
    shapes = [getattr(value, "shape", (len(value),)) for value in (old, new)]
    if shapes[0] != shapes[1]:
        return f"shape {shapes[0]} is now {shapes[1]}"
    rows = np.flatnonzero(_unequal(old, new))
    if not len(rows):
        return None
    first = [value.reshape(-1)[rows[0]] if isinstance(value, np.ndarray) else value[int(rows[0])] for value in (old, new)]
    return f"{len(rows)} of {np.prod(shapes[0])} values, the first in place {rows[0]}: {first[0]!r} is now {first[1]!r}"


def _unequal(old: Any, new: Any) -> np.ndarray:
    """Where two sequences of one kind and shape differ, flat; missing values are equal, and arrays are compared bit by bit."""
    if isinstance(old, pl.Series):
        return old.ne_missing(new).to_numpy()
    if isinstance(old, list):
        return np.array([a != b for a, b in zip(old, new, strict=True)], dtype=bool)
    bits = [np.ascontiguousarray(array).reshape(-1, 1).view(np.uint8) for array in (old, new)]
    return (bits[0] != bits[1]).any(axis=1)


def translate(value: Any, table: dict[str, str]) -> Any:
    """A text, a list of texts or a column of text with its values renamed."""
    if isinstance(value, pl.Series):
        return value.replace(table)
    return [table.get(cell, cell) for cell in value] if isinstance(value, list) else table.get(value, value)


def compare_fields(old: Fields, new: Fields, rules: list[FieldNames]) -> Iterator[str]:
    """One line for each difference between the fields of two files."""
    for rule in rules:
        old = {renamed(rule.renamed, name, "."): value for name, value in old.items()}
        for name, table in rule.values.items():
            old = {key: translate(value, table) if matches(name, key, ".") else value for key, value in old.items()}
    for name in [*old, *(name for name in new if name not in old)]:
        if any(listed(rule.ignored, name, ".") for rule in rules):
            continue
        if name not in new:
            if not any(listed(rule.removed, name, ".") for rule in rules):
                yield f"{name}: removed"
        elif name not in old:
            if not any(listed(rule.added, name, ".") for rule in rules):
                yield f"{name}: added"
        elif text := difference(old[name], new[name]):
            yield f"{name}: {text}"


def compare(old: Path, new: Path, names: Map) -> tuple[dict[str, list[str]], dict[str, int]]:
    """The differences by file, and counts: files, of these equal byte by byte, fields compared.

    Args:
        old: root of a checkout with its outputs.
        new: root of another.
        names: what may differ.

    Raises:
        ValueError: a file is of a kind that cannot be compared.
    """
    (before, missing), (after, also_missing) = files_of(old), files_of(new)
    found: dict[str, list[str]] = {line: [] for line in missing + also_missing}
    partner = {renamed(names.files.renamed, file, "/"): file for file in before}
    counts = {"files": 0, "equal byte by byte": 0, "fields compared": 0}
    for file in sorted(partner.keys() | after):
        if listed(names.files.ignored, file, "/"):
            continue
        if file not in after:
            found |= {} if listed(names.files.removed, file, "/") else {f"{file}: removed": []}
        elif file not in partner:
            found |= {} if listed(names.files.added, file, "/") else {f"{file}: added": []}
        else:
            counts["files"] += 1
            one, other = old / partner[file], new / file
            if one.read_bytes() == other.read_bytes():
                counts["equal byte by byte"] += 1
                continue
            if other.suffix not in READERS:
                raise ValueError(f"{file}: files of this kind cannot be compared; kinds: {', '.join(READERS)}")
            fields = [READERS[other.suffix](path) for path in (one, other)]
            counts["fields compared"] += len(fields[1])
            lines = list(compare_fields(*fields, [rule for rule in names.fields if matches(rule.files, file, "/")]))
            if lines:
                found[file] = lines
    return found, counts


def main(arguments: list[str]) -> int:
    """Print every difference; 1 if there is one."""
    parser = argparse.ArgumentParser(description="Compare every output of every stage of two checkouts, value by value.")
    parser.add_argument("old", type=Path, help="root of the checkout before the change")
    parser.add_argument("new", type=Path, help="root of the checkout after it")
    parser.add_argument("--map", type=Path, help="YAML with the names that changed")
    given = parser.parse_args(arguments)
    names = Map.model_validate(yaml.safe_load(given.map.read_text(encoding="utf-8"))) if given.map else Map()
    found, counts = compare(given.old, given.new, names)
    for file, lines in found.items():
        print(file)
        for line in lines[:MOST_LINES]:
            print(f"  {line}")
        if len(lines) > MOST_LINES:
            print(f"  and {len(lines) - MOST_LINES} more")
    print(", ".join(f"{number} {what}" for what, number in counts.items()) + f"; {len(found)} files or outputs differ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
