"""Inputs that were not made from the same things are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.errors import DamagedFileError
from tasks.core.files import read_json, write_json
from tasks.core.lineage import KEY, MadeFrom, made_from, stamp_of, stamp_outputs, without_stamp


def made(root: Path, name: str, value: Any, *inputs: str, profile: str = "quick", until: int | None = None) -> None:
    """A stage that reads `inputs` and writes one file."""
    found = made_from(root, inputs, profile if not inputs else None, until)
    write_json(root / name, value)
    stamp_outputs(root, [name], found)


def chain(root: Path, profile: str = "quick", world: int = 1) -> None:
    made(root, "world/list.json", {"seed": world}, profile=profile)
    made(root, "rules.json", {"margin": 2}, "world")
    made(root, "judged.json", {"cost": 3}, "world", "rules.json")


def test_every_file_says_what_it_was_made_from_as_far_back_as_there_are_files(tmp_path: Path) -> None:
    chain(tmp_path)
    stamp = stamp_of(tmp_path / "judged.json")
    assert stamp["profile"] == "quick"
    assert sorted(stamp["inputs"]) == ["rules.json", "world/list.json"]
    assert without_stamp(read_json(tmp_path / "judged.json")) == {"cost": 3}


def test_equal_content_has_an_equal_stamp(tmp_path: Path) -> None:
    chain(tmp_path / "a")
    chain(tmp_path / "b")
    assert (tmp_path / "a" / "judged.json").read_bytes() == (tmp_path / "b" / "judged.json").read_bytes()
    before = (tmp_path / "a" / "judged.json").stat().st_mtime_ns
    stamp_outputs(tmp_path / "a", ["judged.json"], made_from(tmp_path / "a", ["world", "rules.json"], None, None))
    assert (tmp_path / "a" / "judged.json").stat().st_mtime_ns == before


def test_two_profiles_are_refused_and_both_files_named(tmp_path: Path) -> None:
    chain(tmp_path)
    made(tmp_path, "other.json", {}, profile="sample")
    with pytest.raises(DamagedFileError, match=r"other\.json is of profile sample, judged\.json of profile quick"):
        made_from(tmp_path, ["judged.json", "other.json"], None, None)
    with pytest.raises(DamagedFileError, match=r"judged\.json is of profile quick, params\.yaml of profile sample"):
        made_from(tmp_path, ["judged.json"], "sample", None)


def test_files_made_from_two_worlds_are_refused(tmp_path: Path) -> None:
    chain(tmp_path)
    old = (tmp_path / "judged.json").read_bytes()
    chain(tmp_path, world=2)
    made_from(tmp_path, ["judged.json", "rules.json", "world"], None, None)
    (tmp_path / "judged.json").write_bytes(old)
    with pytest.raises(DamagedFileError, match=r"rules\.json and judged\.json were not made from the same world/list\.json"):
        made_from(tmp_path, ["judged.json", "rules.json"], None, None)
    with pytest.raises(DamagedFileError, match=r"world and judged\.json were not made from the same world/list\.json"):
        made_from(tmp_path, ["judged.json", "world"], None, None)


def test_a_file_without_a_stamp_among_stamped_ones_is_refused(tmp_path: Path) -> None:
    chain(tmp_path)
    write_json(tmp_path / "rules.json", {"margin": 2})
    with pytest.raises(DamagedFileError, match=r"rules\.json does not say what it was made from, judged\.json does"):
        made_from(tmp_path, ["judged.json", "rules.json"], None, None)


def test_a_tree_without_stamps_is_taken_as_it_is(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {})
    assert made_from(tmp_path, ["a.json", "missing.json", "table.parquet"], None, None).stamp()["profile"] == ""


def test_a_later_day_of_a_trace_does_not_change_what_earlier_days_gave(tmp_path: Path) -> None:
    def staged(days: int) -> None:
        write_json(tmp_path / "staged" / "state.json", {"days": {str(d): {"files": {"calls": f"{d}"}} for d in range(days)}})
        stamp_outputs(tmp_path, ["staged"], MadeFrom("quick"))

    staged(14)
    first, whole = (made_from(tmp_path, ["staged"], None, day).stamp() for day in (14, None))
    staged(15)
    assert made_from(tmp_path, ["staged"], None, 14).stamp() == first
    assert made_from(tmp_path, ["staged"], None, None).stamp() != whole
    assert list(first["inputs"]) == ["staged before day 14"]


def test_verdicts_and_raw_files_are_no_inputs_and_lists_carry_no_stamp(tmp_path: Path) -> None:
    made(tmp_path, "data/raw/a/manifest.json", {"files": []})
    made(tmp_path, "verdict.json", {"judged": "abc", "success": True}, "data/raw/a/manifest.json")
    made(tmp_path, "rows.json", [1, 2], "verdict.json")
    assert stamp_of(tmp_path / "verdict.json") == {"profile": "quick", "inputs": {}}
    assert read_json(tmp_path / "rows.json") == [1, 2]
    assert stamp_of(tmp_path / "rows.json") == stamp_of(tmp_path / "missing.json") == {}
    assert KEY not in without_stamp({KEY: 1, "a": 2})


def test_a_list_beside_stamped_files_is_no_fault(tmp_path: Path) -> None:
    chain(tmp_path)
    write_json(tmp_path / "world" / "history.json", [{"update": 1}])
    assert "world/history.json" in made_from(tmp_path, ["world", "rules.json"], None, None).inputs
