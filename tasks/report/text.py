"""Numbers, intervals, tags and tables as text (HTML, CSV, LaTeX). Not here: figures (plot.py), the page (page.py)."""

from __future__ import annotations

import csv
import html
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

MINUS = "\u2212"
SHOWN_ROWS = 200  # a folded table longer than this shows every k-th row; its CSV has all
SIGNIFICANT = 3
WIDE_SPAN = 1000.0  # a column whose positive values span more than this gives each value its own three digits
VERDICTS = {"✓": "good", "✕": "bad", "≈": "unsure", "–": "none"}
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        key: of the row.
        head: shown in the head; empty: the key with spaces.
        unit: second line of the head.
        kind: text, number, or verdict (the sign a value starts with gives its colour).
        decimals: of every number; None: three significant digits of the largest.
    """

    key: str
    head: str = ""
    unit: str = ""
    kind: Literal["text", "number", "verdict"] = "text"
    decimals: int | None = None

    @property
    def title(self) -> str:
        """What the head shows."""
        return self.head or self.key.replace("_", " ")


def num(value: float, decimals: int | None = None, *, sign: bool = False) -> str:
    """Format a number: commas, a true minus, three significant digits unless `decimals` is given; whole numbers stay whole."""
    if decimals is None:
        decimals = 0 if isinstance(value, int) or float(value).is_integer() else decimals_of([value])
    text = f"{value:{'+' if sign else ''},.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")  # no "minus nought"
    return text.replace("-", MINUS)


def interval(low: float, high: float, decimals: int | None = None, *, sign: bool = False) -> str:
    """Format an interval, `[−3.1, 6.0]`; both ends with the decimals of the larger."""
    places = decimals_of([low, high]) if decimals is None else decimals
    return f"[{num(low, places, sign=sign)}, {num(high, places, sign=sign)}]"


def decimals_of(values: Sequence[float]) -> int:
    """Decimals that give the largest of `values` three significant digits (0 to 6)."""
    largest = max((abs(v) for v in values), default=0.0)
    if largest == 0 or all(float(v).is_integer() for v in values):
        return 0
    return min(6, max(0, SIGNIFICANT - 1 - math.floor(math.log10(largest))))


def seconds(value: float) -> str:
    """Format a time by magnitude: µs, ms, s, min or h."""
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms"), (120.0, 1.0, "s"), (7200.0, 1 / 60, "min")):
        if value < limit:
            return f"{num(float(f'{value * factor:.3g}'))} {unit}"
    return f"{num(float(f'{value / 3600:.3g}'))} h"


def percent(share: float) -> str:
    """Format a share of 1 as `34 %`, with enough digits below 10 %."""
    value = 100 * share
    if value in (0, 100):
        return f"{value:.0f} %"
    return f"{num(value, 0 if value >= 10 else 1 if value >= 1 else 2 if value >= 0.1 else 3)} %"


def tag(name: str) -> str:
    """HTML of a tag: `twin`, `real`, `own`, `measured`, or `sampled: what`.

    Raises:
        ValueError: any other name.
    """
    kind = name.split(":")[0]
    if kind not in ("twin", "real", "own", "measured", "sampled"):
        raise ValueError(f"unknown tag '{name}': known are twin, real, own, measured, sampled: what")
    return f'<span class="tag {kind}">{html.escape(name.replace(":", ""))}</span>'


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """Columns of a figure's table: every key of the first row, numbers where every value is one."""

    def numeric(key: str) -> bool:
        values = [r[key] for r in rows if r[key] is not None]
        return bool(values) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)

    return [Column(key, kind="number" if numeric(key) else "text") for key in rows[0]]


def html_table(columns: Sequence[Column], rows: Sequence[Row], best: Sequence[int] = ()) -> str:
    """HTML of a table; `best` are the rows in bold. More than `SHOWN_ROWS` rows are thinned evenly, and said to be."""
    step = math.ceil(len(rows) / SHOWN_ROWS)
    places = {c.key: _places(c, rows) for c in columns}
    heads = "".join(f'<th scope="col"{_css(c)}>{html.escape(c.title)}{_unit(c)}</th>' for c in columns)
    body = "".join(
        f"<tr{' class=best' if i in best else ''}>"
        + "".join(f"<td{_css(c)}>{_cell(c, r.get(c.key), places[c.key])}</td>" for c in columns)
        + "</tr>"
        for i, r in enumerate(rows)
        if i % step == 0
    )
    thinned = f"<p class=question>One row in {num(step)} of {num(len(rows))}; the CSV has all.</p>" if step > 1 else ""
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>{thinned}'


def csv_text(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """CSV of a table, floats as their shortest exact text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([c.key for c in columns])
    writer.writerows([["" if r.get(c.key) is None else r.get(c.key) for c in columns] for r in rows])
    return out.getvalue()


def latex_text(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """LaTeX `tabular` of a table, no package needed."""
    places = {c.key: _places(c, rows) for c in columns}
    form = "".join("r" if c.kind == "number" else "l" for c in columns)
    lines = [" & ".join(_latex(f"{c.title} ({c.unit})" if c.unit else c.title) for c in columns) + r" \\ \hline"]
    lines += [" & ".join(_latex(_plain(c, r.get(c.key), places[c.key])) for c in columns) + r" \\" for r in rows]
    return f"\\begin{{tabular}}{{{form}}}\n" + "\n".join(lines) + "\n\\end{tabular}\n"


def _places(column: Column, rows: Sequence[Row]) -> int | None:
    if column.kind != "number" or column.decimals is not None:
        return column.decimals
    values = [float(r[column.key]) for r in rows if r.get(column.key) is not None]
    small = [abs(v) for v in values if v]
    if small and max(small) / min(small) > WIDE_SPAN and not all(v.is_integer() for v in values):
        return None
    return decimals_of(values)


def _plain(column: Column, value: Any, places: int | None) -> str:
    if value is None:
        return ""
    if column.kind == "number":
        return num(value, places)
    return "yes" if value is True else "no" if value is False else str(value)


def _cell(column: Column, value: Any, places: int | None) -> str:
    text = html.escape(_plain(column, value, places))
    if column.kind == "verdict" and text:
        return f'<span class="verdict {VERDICTS.get(text[0], "none")}">{text}</span>'
    return text


def _css(column: Column) -> str:
    return " class=number" if column.kind == "number" else ""


def _unit(column: Column) -> str:
    return f"<small>{html.escape(column.unit)}</small>" if column.unit else ""


def _latex(text: str) -> str:
    for plain, escaped in (
        ("\\", r"\textbackslash "),
        ("&", r"\&"),
        ("%", r"\%"),
        ("_", r"\_"),
        ("#", r"\#"),
        ("$", r"\$"),
        (MINUS, "$-$"),
    ):
        text = text.replace(plain, escaped)
    return text
