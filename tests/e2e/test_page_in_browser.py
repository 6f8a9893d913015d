"""The page in a real headless browser: no network, no errors, no text over text, both themes, keyboard. Not here: numbers, print."""

from __future__ import annotations

import csv
import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.browser import Tab, browser

WIDTHS = (1280, 1000, 820, 600, 420)
FIRST_FIGURE_MS = 2000
PAGE_BYTES, FIGURE_BYTES = 8_000_000, 200_000
# Faults of text in the plots: [figure, text, other text or side, px]. Turned text may overlap: its box is too large.
TEXT_FAULTS = r"""(() => {
  const faults = [];
  const turned = (node, end) => {
    for (; node && node !== end; node = node.parentNode) {
      const found = /rotate\((-?[\d.]+)/.exec((node.getAttribute && node.getAttribute('transform')) || '');
      if (found && Math.abs(Number(found[1])) > 0.5) return true;
    }
    return false;
  };
  for (const plot of document.querySelectorAll('.plot')) {
    const frame = plot.closest('figure').getBoundingClientRect(), own = plot.getBoundingClientRect();
    const texts = [...plot.querySelectorAll('svg text')].filter((t) => t.textContent.trim() && t.getBoundingClientRect().width > 0)
      .map((t) => ({ box: t.getBoundingClientRect(), text: t.textContent, turned: turned(t, plot) }));
    texts.forEach(({ box, text, turned }, i) => {
      const out = Math.max(frame.left - box.left, box.right - frame.right, own.top - box.top, box.bottom - own.bottom);
      if (out > 2) faults.push([plot.dataset.figure, text, 'leaves the figure', Math.round(out)]);
      for (const other of turned ? [] : texts.slice(i + 1).filter((o) => !o.turned)) {
        const across = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const down = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (across > 1.5 && down > 3.5) faults.push([plot.dataset.figure, text, other.text, Math.round(across)]);
      }
    });
  }
  return faults;
})()"""


@pytest.fixture(scope="module")
def dejavu_file(page_file: Path) -> Path:
    """The page with the widest font of its stack alone."""
    text, count = re.subn(r"--sans: [^;]*;", '--sans: "DejaVu Sans";', page_file.read_text(encoding="utf-8"))
    assert count == 1
    file = page_file.with_name("dejavu.html")
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_opens_offline_without_errors(tab: Tab, page_file: Path, width: int, theme: str) -> None:
    """No request, no console error, every figure plotted, no sideways scrolling."""
    tab.width(width)
    tab.theme(theme)
    tab.open(page_file)
    assert tab.requests == []
    assert tab.errors == []
    plots, plotted, scroll = tab.value(
        "[document.querySelectorAll('.plot').length, document.querySelectorAll('.plot .main-svg:first-of-type').length,"
        " document.documentElement.scrollWidth - innerWidth]"
    )
    assert plots > 0
    assert plotted >= plots
    assert scroll <= 0
    ground = tab.value("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 384) == (theme == "dark")


@pytest.mark.parametrize("font", ["stack", "DejaVu Sans"])
def test_no_text_over_text(tab: Tab, page_file: Path, dejavu_file: Path, font: str) -> None:
    """At five widths, the text boxes of one plot do not intersect and lie inside the figure."""
    tab.theme("light")
    tab.width(WIDTHS[0])
    tab.open(page_file if font == "stack" else dejavu_file)
    faults = {}
    for width in WIDTHS:
        tab.width(width)
        tab.settle()
        faults[width] = tab.value(TEXT_FAULTS)
        assert tab.value("document.documentElement.scrollWidth") <= width
    assert faults == {width: [] for width in WIDTHS}


def test_the_check_of_texts_sees_an_overlap(tab: Tab, page_file: Path) -> None:
    """Two labels moved onto each other are reported."""
    tab.width(1280)
    tab.open(page_file)
    tab.value("Plotly.relayout(document.querySelector('.plot'), {'annotations[0].y': 1, 'annotations[1].y': 1}).then(() => true)")
    assert [fault[0] for fault in tab.value(TEXT_FAULTS)] == ["ladder-figure"]


@pytest.mark.slow
@pytest.mark.usefixtures("has_browser")
def test_first_figure_is_there_in_time(page_file: Path, tmp_path: Path) -> None:
    """Figure 1 is plotted within two seconds of navigation, in a browser that has not seen the page before.

    Other work on the machine makes the clock run on while the page waits. So the best of three fresh browsers counts, by the clock or by
    the processor time of the page until all its figures are plotted, which is more than figure 1 needs.
    """
    times = []
    for attempt in range(3):
        with browser(tmp_path / str(attempt), watched=False) as fresh:
            fresh.width(1280)
            busy = fresh.busy_ms(page_file)
            first = int(fresh.value("document.documentElement.dataset.first"))
        times.append((first, round(busy)))
        assert first > 0
        assert busy > 0
        if min(times[-1]) < FIRST_FIGURE_MS:
            break
    assert min(map(min, times)) < FIRST_FIGURE_MS, f"(by the clock, busy) in ms: {times}"


def test_sizes(page_file: Path) -> None:
    """The page and each figure stay within their budgets."""
    text = page_file.read_text(encoding="utf-8")
    figures = re.findall(r'<script type="application/json" id="\w+-figure">(.*?)</script>', text, flags=re.S)
    assert len(text.encode()) < PAGE_BYTES
    assert len(figures) == text.count('class="plot"') > 0
    assert max(len(f.encode()) for f in figures) < FIGURE_BYTES


def test_theme_button_goes_round(tab: Tab, page_file: Path) -> None:
    """System, light, dark, system; the figures take the colours of the theme, and the choice survives a reload."""
    tab.theme("light")
    tab.width(1280)
    tab.open(page_file)
    tab.value("localStorage.clear()")
    ink = "document.querySelector('.plot')._fullLayout.font.color"
    light = tab.value(ink)
    tab.value("document.getElementById('theme').click(); document.getElementById('theme').click()")
    assert tab.value("document.getElementById('theme').textContent") == "Theme: dark"
    assert tab.value(ink) != light
    tab.open(page_file)
    assert tab.value("document.documentElement.dataset.theme") == "dark"
    tab.value("document.getElementById('theme').click()")
    assert tab.value("document.documentElement.dataset.theme ?? 'system'") == "system"
    assert tab.value(ink) == light
    tab.value("localStorage.clear()")


def test_landmarks_headings_and_keyboard(tab: Tab, page_file: Path) -> None:
    """Language, landmarks, headings without a skipped level; Tab starts at the skip link and shows a ring; all links lead somewhere."""
    tab.open(page_file)
    assert tab.value("document.documentElement.lang") == "en"
    for part in ("main", "header", "nav[aria-label]", "footer"):
        assert tab.value(f"document.querySelectorAll('{part}').length") == 1, part
    levels = tab.value("[...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1]))")
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels[1:]))
    for kind in ("rawKeyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert tab.value("document.activeElement.className") == "skip"
    assert tab.value("getComputedStyle(document.activeElement).outlineWidth") == "2px"
    dead = "[...document.querySelectorAll('a[href^=\"#\"]')].map((a) => a.hash.slice(1)).filter((id) => !document.getElementById(id))"
    assert tab.value(dead) == []


def test_origin_is_always_in_sight(tab: Tab, page_file: Path) -> None:
    """The bar with TWIN or REAL is in the window wherever the page is scrolled to, wide and narrow."""
    for width in (1280, 420):
        tab.width(width)
        tab.open(page_file)
        tab.value("scrollTo(0, document.documentElement.scrollHeight)")
        box = tab.value(
            "(() => { const b = document.querySelector('.bar .tag').getBoundingClientRect(); return [b.top, b.left, b.right]; })()"
        )
        assert box[0] >= 0
        assert box[1] >= 0
        assert box[2] <= width


def test_every_figure_and_table_says_where_it_comes_from(tab: Tab, page_file: Path) -> None:
    """Heading, alt text, tags, provenance, command, and the files it names."""
    tab.width(1280)
    tab.open(page_file)
    parts = tab.value(
        """[...document.querySelectorAll('figure')].map((f) => ({ id: f.id, heading: f.querySelector('h3').textContent,
        labelled: document.getElementById(f.getAttribute('aria-labelledby'))?.textContent, plot: !!f.querySelector('.plot'),
        role: f.querySelector('.plot')?.getAttribute('role'), alt: f.querySelector('.plot')?.getAttribute('aria-label'),
        tags: [...f.querySelectorAll('.provenance .tag')].map((t) => t.textContent),
        said: f.querySelector('.provenance > span:not(.tag)').textContent,
        command: f.querySelector('.provenance code').textContent,
        files: [...f.querySelectorAll('.provenance a')].map((a) => a.getAttribute('href')),
        numbers: f.querySelectorAll('table').length }))"""
    )
    numbered = {"Figure": 0, "Table": 0}
    for part in parts:
        kind = "Figure" if part["plot"] else "Table"
        numbered[kind] += 1
        assert part["said"].startswith(f"{kind} {numbered[kind]} · "), part["id"]
        assert part["heading"] == part["labelled"]
        assert 0 < len(part["heading"]) <= 90
        assert {"twin", "real"} & set(part["tags"]), part["id"]
        assert part["command"]
        assert part["numbers"] >= 1
        assert not part["plot"] or (part["role"] == "img" and len(part["alt"]) > 20)
        assert sorted(Path(f).suffix for f in part["files"]) == [".csv", ".tex"]
        for file in part["files"]:
            assert (page_file.parent / file).is_file(), file
        with (page_file.parent / f"tables/{part['id']}.csv").open(encoding="utf-8", newline="") as rows:
            assert sum(1 for _ in csv.reader(rows)) > 1
    assert numbered["Figure"] > 0
