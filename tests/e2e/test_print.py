"""The page on paper: A4 in the light theme, no blank page, no figure cut by a page, no text lost."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from pypdf import PdfReader

from tests.e2e.browser import Tab

PAPER = (688, 1016)  # A4 less 14 mm on each side, CSS pixels
A4_PT = (595, 842)
MOST_PAGES = 20
FULL = 200  # characters of a page that is not blank
LONG_TABLE = 20  # open rows from which a table may go on over the next page
PRINTING = """[...document.querySelectorAll('figure')].map((f) => [f.id, f.getBoundingClientRect().height, getComputedStyle(f).breakInside,
  f.querySelectorAll(':scope > .scroll tr').length, Math.max(...[...f.querySelectorAll('.main-svg, table')]
  .map((s) => s.getBoundingClientRect().right)) - f.getBoundingClientRect().right])"""
# Words in sight, figure by figure: [id, kind of figure, words of its text, words in its plot].
WORDS = """[...document.querySelectorAll('figure')].map((f) => [f.id, f.querySelector('.provenance b').textContent,
  f.classList.contains('long'), f.innerText + ' ' + [...f.querySelectorAll('.plot svg text')].map((t) => t.textContent).join(' ')])"""
REST = (
    "[...document.querySelectorAll('.origin, h1, h2, h2 + .question, .design, .tile, .limits, footer')].map((n) => n.innerText).join(' ')"
)


def letters(text: str) -> str:
    """A text without spaces, ligatures resolved, in lower case (tags are capitals on the page)."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).lower()


@pytest.fixture
def printing(tab: Tab, page_file: Path) -> Iterator[Tab]:
    """The page open in the dark theme, in the state in which it is printed; given back as it was."""
    tab.theme("dark")
    tab.width(*PAPER)
    tab.open(page_file)
    tab.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    tab.value("document.documentElement.style.scrollbarWidth = 'none'")  # paper has none
    tab.value("dispatchEvent(new Event('beforeprint'))")
    yield tab
    tab.value("dispatchEvent(new Event('afterprint'))")
    tab.call("Emulation.setEmulatedMedia", media="", features=[])


def test_every_figure_fits_on_a_page(printing: Tab) -> None:
    """Light theme; every figure and short table is lower than a page, may not be broken and lies inside the paper."""
    assert printing.value("document.documentElement.dataset.theme") == "light"
    for identity, height, broken, rows, beyond in printing.value(PRINTING):
        assert rows > LONG_TABLE or (height < PAPER[1] and broken == "avoid"), (identity, height, broken)
        assert beyond <= 2, identity
    assert printing.value("[...new Set([...document.querySelectorAll('tr')].map((r) => getComputedStyle(r).breakInside))]") == ["avoid"]


@pytest.mark.slow
def test_the_pdf_is_whole(printing: Tab, page_file: Path) -> None:
    """Few pages, none of them blank; each figure is on one page with all its words; nothing else is lost; no heading ends a page."""
    figures, rest = printing.value(WORDS), printing.value(REST)
    headings = [letters(h) for h in printing.value("[...document.querySelectorAll('h2, h2 + .question')].map((n) => n.innerText)")]
    printing.value("dispatchEvent(new Event('afterprint'))")
    printing.call("Emulation.setEmulatedMedia", media="", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    printing.width(1280)
    printing.open(page_file)
    pdf = PdfReader(io.BytesIO(printing.printed()))
    assert 1 <= len(pdf.pages) <= MOST_PAGES
    assert {tuple(round(float(v)) for v in page.mediabox[2:]) for page in pdf.pages} == {A4_PT}
    texts = [letters(page.extract_text()) for page in pdf.pages]
    assert [len(text) for text in texts if len(text) < FULL] == []
    everything = "".join(texts)
    assert [word for word in rest.split() if letters(word) not in everything] == []
    for identity, number, long, words in figures:
        pages = [text for text in texts if letters(number + " ·") in text]
        assert len(pages) == 1, identity
        seen = everything if long else pages[0]
        assert [word for word in words.split() if letters(word) not in seen] == [], identity
    assert [h for h in headings if any(text.endswith(h) for text in texts)] == []


def test_paper_is_light(printing: Tab) -> None:
    """Printed from the dark theme, no page is painted in its ground."""
    printing.value("dispatchEvent(new Event('afterprint'))")
    printing.call("Emulation.setEmulatedMedia", media="", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    ground = re.findall(r"\d+", printing.value("getComputedStyle(document.body).backgroundColor"))[:3]
    painted = " ".join(f"{int(part) / 255:.4f}".lstrip("0") + r"\d*" for part in ground).replace(".", r"\.") + " rg"
    pdf = PdfReader(io.BytesIO(printing.printed()))
    assert [i for i, page in enumerate(pdf.pages) if re.search(painted.encode(), page.get_contents().get_data())] == []
