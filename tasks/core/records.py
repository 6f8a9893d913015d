"""JSON files between stages as typed, frozen records: what a stage writes is checked on the way out and again on the way in.

A record type lies in a module beside the stage that writes its file (`tasks/world/calibration_record.py`), so that consumers import the
record and never the stage. Not here: any record type.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import DamagedFileError
from tasks.core.files import read_json, write_json
from tasks.core.lineage import without_stamp

Number = int | float  # keeps a whole number whole, so that it is shown and written as it was
SHOWN_FAULTS = 5  # of a damaged file, in its message


class Record(BaseModel):
    """A JSON object with known keys: a missing key, an unexpected key and a value of another type are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

    written_by: ClassVar[str] = ""  # the stage that writes the file; set by the record of a whole file

    def row(self) -> dict[str, Any]:
        """The record as a plain dict with the keys of the file in their order there, e.g. as the row of a table."""
        return dict(sorted(self.model_dump(by_alias=True, exclude_unset=True).items()))


R = TypeVar("R", bound=Record)


def read_record(path: Path, kind: type[R]) -> R:
    """Read a JSON file as a record.

    Raises:
        DamagedFileError: it is not JSON, or its keys or types are not those of the record.
        FileNotFoundError: it is missing.
    """
    return checked(read_json(path), kind, path)


def checked(value: Any, kind: type[R], path: Path) -> R:
    """Return the record that a JSON value holds.

    Args:
        value: as `json.loads` returns it; what the file was made from (lineage.py) is no part of the record.
        kind: of the record.
        path: of the file, for the message.

    Raises:
        DamagedFileError: keys or types are not those of the record.
    """
    try:
        return kind.model_validate(_tuples(without_stamp(value)))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors()]
        more = [f"and {len(faults) - SHOWN_FAULTS} more"] if len(faults) > SHOWN_FAULTS else []
        what = f"it is not what the stage {kind.written_by} writes: {'; '.join([*faults[:SHOWN_FAULTS], *more])}"
        raise DamagedFileError(what, where=str(path), how=f"write it again: dvc repro --force {kind.written_by}") from None


def write_record(path: Path, kind: type[Record], value: Mapping[str, Any]) -> None:
    """Write a JSON file that `read_record` accepts.

    Raises:
        DamagedFileError: keys or types are not those of the record; nothing is written.
    """
    checked(value, kind, path)
    write_json(path, value)


def _tuples(value: Any) -> Any:
    """Lists as tuples, which a frozen record holds."""
    if isinstance(value, Mapping):
        return {key: _tuples(v) for key, v in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
