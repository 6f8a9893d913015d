"""Every number that an open page shows, and where it comes from. Not here: the browser (browser.py), what else a page must satisfy.

A number has an origin if it is there, rounded as shown and in the unit shown: one of running text in reports/page_numbers.json (or it is
the number of rows of its table), one in a plot in the CSV of the figure or in the headline numbers, a cell of a table in the same row and
column of the CSV, a point of a plot in the CSV (as it is, or as per cent). Digits in names count where the CSV has no such name.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.e2e.browser import Tab

SHOWN_ROWS = 200  # a longer table shows every k-th row
DIGITS = 5  # significant digits of a number in a plot
MINUS = "\u2212"
NUMBER = re.compile(rf"(?<![\w.]){MINUS}?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?(?=[kM]?(?!\w))")
UNITS = {"%": (100, 1), "µs": (1e6, 1), "ms": (1e3, 1), "min": (1 / 60, 1), "h": (1 / 3600, 1), "k": (1e-3,), "M": (1e-6,)}
# What is no finding: taken out of a text before its numbers are looked up.
CONSTANTS = {
    r"\b(?:Figure|Table) \d+\b": "counts the figures of the page",
    r"\bdata [0-9a-f]{7}\b": "fingerprint of the inputs",
    r"\b(?:19|20)\d\d\b": "year (a count from 1,000 on has a comma)",
    r"\b0 ms\b": "a duration that is zero by name",
    r"\bline at 1\b|\b1 = |: 1 is the ": "yardstick of a measure, by its definition",
    r"\(the axis starts at [\d.]+\)": "an axis, as its ticks",
    r"\bOne row in \d+\b": "thinning of a long table",
    r"(?<=\d\d):00\b": "minutes of a full hour",
}
SCALE_ENDS = ("0", "1", f"{MINUS}1")  # of the colours of a map, in its key
BLOCKS = (
    "h1, h2, h3, p, li, summary, footer, button, nav a, .bar b, .ask, .value, .small, .origin span, .key span, .provenance > span, .skip"
)
SHOWN = r"""((blocks) => {
  const own = (node) => (node.closest ? node : node.parentElement).closest('figure')?.id ?? null;
  const joined = (node) => [...function* walk(n) {
    if (n.nodeType === 3) yield n.data.trim(); else for (const c of n.childNodes) yield* walk(c);
  }(node)].filter(Boolean).join(' ');
  const outside = 'script, style, table, code, a[href^=tables], .plot';
  const parts = [...document.querySelectorAll(blocks)].filter((b) => !b.closest(outside) && !b.parentElement.closest(blocks));
  const texts = parts.map((b) => [own(b), joined(b), !!b.closest('.key')]);
  const all = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const stray = [];
  while (all.nextNode()) {
    const node = all.currentNode;
    if (/\d/.test(node.data) && !node.parentElement.closest(outside) && !parts.some((b) => b.contains(node))) stray.push(node.data);
  }
  const labels = [...document.querySelectorAll('[aria-label]')].map((b) => [own(b), b.getAttribute('aria-label'), false]);
  const inside = [...document.querySelectorAll('.plot svg text')].filter((t) => !t.closest('g[class*=tick]'))
    .map((t) => [own(t), t.textContent]);
  const tables = [...document.querySelectorAll('table')].map((t) => [own(t), [...t.tBodies[0].rows].map(
    (r) => [...r.cells].map((c) => c.textContent))]);
  const places = (axis) => axis.showgrid === false && (axis.showticklabels === false || axis.ticktext?.every((t) => /^[a-z]/i.test(t)));
  // A row of a plot without numbers on its axis is a place, not a number.
  const plots = [...document.querySelectorAll('.plot')].flatMap((p) => p.data.map((trace) => {
    const axes = { x: trace.xaxis ?? 'x', y: trace.yaxis ?? 'y' };
    const kept = {};
    for (const key of ['x', 'y', 'z', 'customdata']) {
      const axis = axes[key] && p.layout[axes[key].replace(key, key + 'axis')];
      if (trace[key] !== undefined && !(axis && places(axis))) kept[key] = trace[key];
    }
    return [own(p), kept];
  }));
  return { title: document.title, texts: [...texts, ...labels], inside, stray, tables, plots };
})"""


def without_origin(tab: Tab, reports: Path) -> tuple[int, list[str]]:
    """How many numbers the open page shows, and those that no file next to it holds.

    Args:
        tab: with the page open and plotted.
        reports: folder of the page, with page_numbers.json and tables/.
    """
    page = tab.value(f"{SHOWN}({json.dumps(BLOCKS)})")
    headline = json.loads((reports / "page_numbers.json").read_text(encoding="utf-8"))
    general = sorted({n for value in headline.values() for n in _of_value(value)})
    files = {f.stem: _csv(f) for f in (reports / "tables").glob("*.csv")}
    named = {None: general} | {name: general + _in_texts(rows) for name, rows in files.items()}
    own = {name: _in_cells(rows) for name, rows in files.items()}
    faults, count = [f"not in a known block: {text}" for text in page["stray"]], 0
    said = [(figure, text, named[figure]) for figure, text, key in page["texts"] if not (key and text in SCALE_ENDS)]
    for figure, text, pool in said + [(figure, text, own[figure] + general) for figure, text in page["inside"]]:
        for shown, value, places, unit in numbers(text):
            count += 1
            if not _has(pool, value, places, UNITS.get(unit, (1,))):
                faults.append(f"{figure}: {shown}{unit and ' ' + unit} in '{text}'")
    for figure, shown_rows in page["tables"]:
        cells, found = _table_faults(figure, shown_rows, files[figure][1:])
        count, faults = count + cells, faults + found
    for figure, trace in page["plots"]:
        known = {_short(f * n) for n in own[figure] for f in (1, 100)}
        for key, values in trace.items():
            points = list(_flat(values))
            count += len(points)
            faults += [f"{figure}: point {key} = {p}" for p in points if _short(p) not in known]
    return count, faults


def numbers(text: str) -> Iterator[tuple[str, float, int, str]]:
    """(as shown, value, decimals, unit) of each number in a text that is not one of the CONSTANTS; digits in names do not count."""
    for pattern in CONSTANTS:
        text = re.sub(pattern, " ", text)
    for hit in NUMBER.finditer(text):
        shown = hit.group()
        unit = re.match(r"[\s\u00a0]?(%|µs|ms|min|h|k|M)(?!\w)", text[hit.end() :])
        plain = shown.replace(",", "").replace(MINUS, "-")
        yield shown, float(plain), len(plain.partition(".")[2]), unit.group(1) if unit else ""


def _csv(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines))


def _in_texts(rows: list[list[str]]) -> list[float]:
    """Numbers in the names of a CSV, and its number of rows."""
    return sorted({float(len(rows) - 1), *(n for row in rows[1:] for cell in row if _float(cell) is None for n in _of_value(cell))})


def _in_cells(rows: list[list[str]]) -> list[float]:
    """Numbers of a CSV, also those in its names."""
    return sorted({n for row in rows[1:] for cell in row for n in _of_value(cell)})


def _of_value(value: Any) -> Iterable[float]:
    if isinstance(value, str):
        exact = _float(value)
        return [v for _, v, _, _ in numbers(value)] if exact is None else [exact]
    return [float(value)] if isinstance(value, int | float) else []


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _has(pool: Iterable[float], value: float, places: int, factors: Iterable[float]) -> bool:
    reach = 0.5 * 10.0**-places * (1 + 1e-9) + 1e-12
    return any(abs(v * f - value) <= reach for f in factors for v in pool)


def _table_faults(figure: str, shown: list[list[str]], kept: list[list[str]]) -> tuple[int, list[str]]:
    """Cells with a number, and those that differ from their cell of the CSV."""
    step = max(1, math.ceil(len(kept) / SHOWN_ROWS))
    if len(shown) != len(kept[::step]):
        return 0, [f"{figure}: {len(shown)} rows shown of {len(kept)}"]
    count, faults = 0, []
    for cells, row in zip(shown, kept[::step], strict=True):
        for cell, exact in zip(cells, row, strict=True):
            value, number = _float(exact), _float(cell.replace(",", "").replace(MINUS, "-"))
            count += number is not None
            if value is None or number is None:
                same = cell == exact or (cell, exact) in (("yes", "True"), ("no", "False"))
            else:
                same = _has([value], number, len(cell.partition(".")[2]), (1,))
            if not same:
                faults.append(f"{figure}: cell '{cell}' is '{exact}' in the CSV")
    return count, faults


def _flat(values: Any) -> Iterator[float]:
    if isinstance(values, list):
        for value in values:
            yield from _flat(value)
    elif isinstance(values, dict):
        raise ValueError("a plot has its numbers in binary form")
    elif isinstance(values, int | float) and not isinstance(values, bool):
        yield float(values)


def _short(value: float) -> str:
    return f"{value + 0.0:.{DIGITS}g}"
