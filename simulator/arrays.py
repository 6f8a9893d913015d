"""Records of arrays in a folder: one .npy file an array, described by shape, type and digest. Not here: what the records mean."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.errors import ScenarioError

Record = TypeVar("Record")
REBUILD = "build it again: dvc repro --force scenario"


def save_record(record: Any, folder: Path, prefix: str) -> dict[str, Any]:
    """Write the arrays of a dataclass and return its description: texts and numbers as they are, arrays as shape, type and digest."""
    return {field.name: _save_value(getattr(record, field.name), folder / f"{prefix}{field.name}") for field in fields(record)}


def _save_value(value: Any, stem: Path) -> Any:
    if isinstance(value, np.ndarray):
        return save_array(value, stem.with_name(f"{stem.name}.npy"))
    if isinstance(value, tuple):
        return [_save_value(item, stem.with_name(f"{stem.name}.{i}")) for i, item in enumerate(value)]
    return value


def save_array(array: NDArray[Any], file: Path) -> dict[str, Any]:
    """Write an array, little-endian, and return its shape, type and digest."""
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    np.save(file, plain, allow_pickle=False)
    return {"dtype": plain.dtype.str, "shape": list(plain.shape), "sha256": sha256(file)}


def load_record(kind: type[Record], described: dict[str, Any], folder: Path, prefix: str) -> Record:
    """Read what `save_record` wrote; every array is checked against its digest.

    Raises:
        ScenarioError: a file is missing or damaged.
    """
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: _load_value(described[name], folder / f"{prefix}{name}") for name in names})


def _load_value(entry: Any, stem: Path) -> Any:
    if isinstance(entry, dict):
        return load_array(entry, stem.with_name(f"{stem.name}.npy"))
    if isinstance(entry, list):
        return tuple(_load_value(item, stem.with_name(f"{stem.name}.{i}")) for i, item in enumerate(entry))
    return entry


def load_array(entry: dict[str, Any], file: Path) -> NDArray[Any]:
    """Read an array that is described by `entry`.

    Raises:
        ScenarioError: the file is missing, or its digest is another one.
    """
    try:
        if sha256(file) != entry["sha256"]:
            raise damaged(file, "its digest is not the one in the description")
        return np.load(file, allow_pickle=False)
    except FileNotFoundError:
        raise damaged(file, "the file is missing") from None


def sha256(file: Path) -> str:
    """Return the digest of a file."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_json(file: Path, value: Any) -> None:
    """Write a description, keys sorted."""
    file.write_text(json.dumps(value, sort_keys=True, indent=1, allow_nan=False) + "\n", encoding="utf-8", newline="\n")


def read_json(file: Path) -> Any:
    """Read a description.

    Raises:
        ScenarioError: there is none, or it is not JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ScenarioError("there is no scenario", where=str(file.parent), how="run: dvc repro scenario") from None
    except (OSError, ValueError) as error:
        raise damaged(file, str(error)) from error


def damaged(file: Path, what: str) -> ScenarioError:
    """Return the error that says what is wrong with a scenario's file, and how to build it again."""
    return ScenarioError(f"the scenario is damaged: {what}", where=str(file), how=REBUILD)
