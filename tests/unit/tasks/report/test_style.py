"""The style sheet is the only place with colours, its dark blocks are equal, its contrasts hold."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import pytest

TEXT = ("ink", "ink-2", "ink-3", "link", "learned", "rule", "good", "bad", "unsure", "s4", "gcp-text")
MARKS = (
    *("aws", "azure", "gcp", "random", "home", "static", "rule", "learned", "hindsight", "bound"),
    *("execution", "egress", "latency", "sla", "carbon", "moves", "s3", "s4", "s5", *(f"m{i}" for i in range(8))),
)
# Bounds of the standard, compared unrounded; WCAG AA asks 4.5 of text and 3 of marks.
TEXT_ON_PAGE, TEXT_ON_PANEL, MARK_ON_PAGE = 5.3, 4.9, 3.1


@pytest.fixture(scope="module")
def sheet(repository: Path) -> str:
    """The style sheet as text."""
    return (repository / "tasks" / "report" / "style" / "page.css").read_text(encoding="utf-8")


def block(sheet: str, selector: str) -> dict[str, str]:
    """The variables of the first rule with exactly this selector."""
    found = re.search(re.escape(selector) + r"\s*\{([^{}]*)\}", sheet)
    assert found, selector
    return dict(re.findall(r"--([\w-]+):\s*([^;]+);", found.group(1)))


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2) of `#RRGGBB`."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio (WCAG 2.2), 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def themes(sheet: str) -> dict[str, dict[str, str]]:
    """All variables of both themes."""
    light = block(sheet, ":root")
    return {"light": light, "dark": light | block(sheet, ":root[data-theme=dark]")}


def test_contrast_formula() -> None:
    """Black on white is 21, a colour on itself 1, and a ratio is not rounded up to its limit."""
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#B8137A", "#B8137A") == 1
    assert contrast("#1B7A5E", "#FFFFFF") == pytest.approx(5.2605, abs=1e-4)


def test_dark_blocks_are_equal_and_complete(sheet: str) -> None:
    """The theme button and the system give the same dark page; every colour has a dark value."""
    by_system, by_button = block(sheet, ":root:not([data-theme=light])"), block(sheet, ":root[data-theme=dark]")
    assert by_system == by_button
    colours = {name for name, value in block(sheet, ":root").items() if value.startswith("#")}
    assert set(by_button) == colours
    assert set(TEXT) | set(MARKS) <= colours


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast(sheet: str, theme: str) -> None:
    """Running text and marks stand out from the page, text from the panel too."""
    values = themes(sheet)[theme]
    faults = [(n, "page") for n in TEXT if contrast(values[n], values["bg"]) < TEXT_ON_PAGE]
    faults += [(n, "panel") for n in TEXT if contrast(values[n], values["panel"]) < TEXT_ON_PANEL]
    faults += [(n, "mark") for n in MARKS if contrast(values[n], values["bg"]) < MARK_ON_PAGE]
    assert faults == []


def test_no_colour_outside_the_style_sheet(repository: Path) -> None:
    """Python, scripts and sections name colours by variable."""
    files = chain(
        *((repository / folder).rglob("*.py") for folder in ("tasks", "flows", "models")), [repository / "tasks/report/style/page.js"]
    )
    pattern = re.compile(r"""["'(:]\s*#(?:[0-9A-Fa-f]{3,4}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})\b|rgba?\((?!0,\s*0,\s*0,\s*0\))""")
    found = [
        f"{file.relative_to(repository)}: {hit.group()}" for file in files for hit in pattern.finditer(file.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_every_variable_used_exists(repository: Path, sheet: str) -> None:
    """No figure, key or rule names a colour that the style sheet does not have."""
    known = set(block(sheet, ":root"))
    local = {"c"}  # set on each mark of a key
    texts = [sheet, *(f.read_text(encoding="utf-8") for f in (repository / "tasks").rglob("*.py"))]
    used = {name for text in texts for name in re.findall(r"var\(--([\w-]+)\)", text)}
    assert used - local <= known
