"""Sections are found by a scan: a new file is a new section, in its place, and helpers are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.report import sections
from tasks.report.report import found_sections
from tests.worlds.page_inputs import build, write_inputs

NEW = '''"""Section: a test."""

ORDER, TITLE, NAV, QUESTION = 55, "A new section", "New", "Is it found?"


def add(page):
    """HTML of the section."""
    return "<p>found by a scan</p>"
'''


def test_every_section_says_its_place_and_no_two_share_one() -> None:
    found = found_sections()
    orders = [section.ORDER for _, section in found]
    assert orders == sorted(set(orders))
    assert found[0][0] == "answer"
    for name, section in found:
        assert callable(section.add), name
        assert section.NAV, name
        assert bool(section.TITLE) == bool(section.QUESTION), name
    assert {name for name, _ in found} == {file.stem for file in Path(sections.__path__[0]).glob("*.py")} - {"__init__"}


def test_a_new_file_is_a_new_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "a_new_section.py").write_text(NEW, encoding="utf-8")
    monkeypatch.setattr(sections, "__path__", [*sections.__path__, str(folder)])
    write_inputs(tmp_path)
    text = build(tmp_path).read_text(encoding="utf-8")
    places = [text.index(f'<section id="{name}"') for name in ("cells", "a_new_section", "forecasts")]
    assert places == sorted(places)
    assert '<a href="#a_new_section">New</a>' in text
    assert "found by a scan" in text
