"""A damaged gzip file is refused with the line and byte that can be reached. Not here: other faults of raw files (tests/stages)."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from core.errors import RawDataError
from tasks.data.raw_files import raw_lines

RNG = random.Random(3)
LINES = [f"{RNG.random()},{RNG.random()}\n".encode() for _ in range(3000)]
FIRST, SECOND = gzip.compress(b"".join(LINES[:2000]), mtime=0), gzip.compress(b"".join(LINES[2000:]), mtime=0)


def reached(path: Path) -> tuple[int, int]:
    """Line and byte of the refusal."""
    with pytest.raises(RawDataError, match="cut off or damaged") as caught:
        list(raw_lines(path, "a.csv.gz"))
    words = caught.value.where.replace(",", "").split()
    assert words[:3] == ["a.csv.gz", "after", "line"]
    assert words[6:] == ["of", f"{path.stat().st_size})"]
    return int(words[3]), int(words[5])


def test_a_file_that_is_cut_off_is_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "a.csv.gz"
    file.write_bytes((FIRST + SECOND)[:-200])
    line, byte = reached(file)
    assert byte == len(FIRST) + len(SECOND) - 200
    assert 2900 < line < 3000
    file.write_bytes(FIRST[: len(FIRST) // 2])
    assert 900 < reached(file)[0] < 1100


def test_damage_in_a_later_member_is_found_where_it_is(tmp_path: Path) -> None:
    file, at = tmp_path / "a.csv.gz", len(FIRST) + 4
    file.write_bytes(FIRST + SECOND[:2] + b"\xff\xff" + SECOND[4:])
    line, byte = reached(file)
    assert line == 2000
    assert len(FIRST) <= byte <= at
    file.write_bytes(b"plain text\n")
    assert reached(file)[0] == 0
