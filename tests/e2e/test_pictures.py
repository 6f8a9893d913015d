"""The pictures of the report in docs/pictures."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

MOST_BYTES = 1_000_000  # a picture in git
FULL_COLOUR = (2, 6)  # PNG colour types RGB and RGBA; 3 is a palette, which moves colours


@pytest.mark.parametrize(("name", "width"), [("light", 1280), ("dark", 1280), ("narrow", 420)])
def test_picture_is_full_colour_and_explained(repository: Path, name: str, width: int) -> None:
    """Each picture exists at its width in full colour, and the README says what it shows."""
    folder = repository / "docs" / "pictures"
    file = folder / f"report-{name}.png"
    assert file.is_file(), "take it: python -m tests.e2e.pictures"
    content = file.read_bytes()
    assert len(content) < MOST_BYTES
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    wide, high, depth, kind = struct.unpack(">IIBB", content[16:26])
    assert wide == width
    assert high > wide / 2
    assert depth == 8
    assert kind in FULL_COLOUR
    assert f"report-{name}.png): " in (folder / "README.md").read_text(encoding="utf-8")
