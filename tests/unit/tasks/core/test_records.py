"""JSON between stages: a damaged file is named with what is wrong and what to run, a record is frozen, whole numbers stay whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field, ValidationError

from core.errors import DamagedFileError
from tasks.core.records import SHOWN_FAULTS, Number, Record, read_record, write_record


class Part(Record):
    """A nested record."""

    value: Number
    low: Number | None


class Whole(Record):
    """A file."""

    written_by: ClassVar[str] = "compare"

    origin: str = Field(alias="from")
    parts: tuple[Part, ...]
    by_name: dict[str, Part]
    note: str = ""


GOOD: dict[str, Any] = {"from": "twin", "parts": [{"value": 2, "low": None}], "by_name": {"a": {"value": 0.5, "low": 1}}}


def test_a_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    write_record(file, Whole, GOOD)
    found = read_record(file, Whole)
    assert (found.origin, found.parts[0].value, found.by_name["a"].low) == ("twin", 2, 1)
    assert isinstance(found.parts[0].value, int)
    assert found.row() == GOOD | {"parts": ({"value": 2, "low": None},)}
    assert json.loads(file.read_text(encoding="utf-8")) == GOOD


def test_a_record_is_frozen(tmp_path: Path) -> None:
    write_record(tmp_path / "x.json", Whole, GOOD)
    found = read_record(tmp_path / "x.json", Whole)
    with pytest.raises(ValidationError, match="frozen"):
        found.parts[0].value = 3  # type: ignore[misc]
    assert isinstance(found.parts, tuple)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"from": None}, "from: "),
        ({"more": 1}, "more: Extra inputs"),
        ({"parts": [{"value": "2", "low": None}]}, "parts.0.value"),
        ({"parts": [{"value": 2}]}, "parts.0.low: Field required"),
        ({"by_name": {"a": {"value": True, "low": None}}}, "by_name.a.value"),
    ],
)
def test_a_fault_is_named_with_its_file_and_its_stage(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps(GOOD | change), encoding="utf-8")
    with pytest.raises(DamagedFileError) as caught:
        read_record(file, Whole)
    assert said in caught.value.what
    assert caught.value.where == str(file)
    assert "dvc repro --force compare" in caught.value.how


def test_many_faults_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps(GOOD | {"parts": [{}] * 10}), encoding="utf-8")
    with pytest.raises(DamagedFileError, match=f"and {20 - SHOWN_FAULTS} more"):
        read_record(file, Whole)


def test_a_stage_cannot_write_what_no_reader_accepts(tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match="from: Field required"):
        write_record(tmp_path / "x.json", Whole, {"parts": [], "by_name": {}})
    assert list(tmp_path.iterdir()) == []
