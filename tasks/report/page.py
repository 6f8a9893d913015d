"""The page under construction: what sections read, and what they add (figures, tables, tiles, metrics). Not here: any section's content."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tasks.core.files import write_json, write_text_atomic
from tasks.core.sources import SOURCES
from tasks.data.ingest_record import IngestReport
from tasks.report.plot import annotation, serialised, template
from tasks.report.reading import Inputs
from tasks.report.report_outputs import page_file, page_numbers_file, tables_folder
from tasks.report.text import Column, Row, columns_of, csv_text, html_table, interval, latex_text, num, tag

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from tasks.core.params import Params
    from tasks.core.paths import Paths
    from tasks.core.records import Record

__all__ = ["Column", "Page", "annotation", "interval", "num", "tag"]

HEADING_LIMIT = 90
FIGURE_LIMIT = 200_000  # bytes of one figure's JSON
NARROW_BELOW = 640  # px of column under which a figure takes its narrow layout
LONG_FROM = 20  # a table from this many open rows on may be broken between two pages
FINGERPRINT = "@fingerprint@"  # a placeholder in the parts of a page until everything is read
R = TypeVar("R", bound="Record")
STYLE = Path(__file__).parent / "style"


class Page:
    """Collects the parts of reports/index.html and the numbers behind them; sections read their inputs through it.

    Args:
        params: all parameters.
        paths: of the working tree.
    """

    def __init__(self, params: Params, paths: Paths) -> None:
        self.params = params
        self.numbers: dict[str, Any] = {}
        self.tables: dict[str, tuple[Sequence[Column], Sequence[Row]]] = {}
        self.inputs = Inputs(paths.root)
        self._paths = paths
        self._specs: dict[str, str] = {}
        self._counts = {"Figure": 0, "Table": 0}

    def read(self, relative: str, kind: type[R]) -> R | None:
        """A JSON file of the pipeline as a record, e.g. `reports/eda/volumes.json`; None if it is missing or has no answer."""
        return self.inputs.record(relative, kind)

    def read_json(self, relative: str) -> dict[str, Any]:
        """Content of a JSON file of data/reference, {} if the file is missing."""
        return self.inputs.mapping(relative)

    def read_list(self, relative: str) -> list[dict[str, Any]]:
        """Rows of a JSON list, e.g. of a training history, [] if the file is missing."""
        return self.inputs.listed(relative)

    def read_csv(self, relative: str) -> list[dict[str, str]]:
        """Rows of a CSV file, [] if the file is missing."""
        return self.inputs.rows(relative)

    def number(self, key: str, value: Any) -> Any:
        """Keep a headline number for reports/page_numbers.json and return it.

        Raises:
            ValueError: the key holds another value already.
        """
        if key in self.numbers and self.numbers[key] != value:
            raise ValueError(f"number {key} is {self.numbers[key]!r} already, not {value!r}")
        self.numbers[key] = value
        return value

    def is_twin(self, origin: str) -> bool:
        """Whether data of this `from` is generated."""
        return origin == "twin"

    def origin_tag(self, origin: str) -> str:
        """`twin`, `real` (the public traces) or `own` for the origin that a stage states, or for a `from` of params.yaml."""
        return {"inbox": "own", "own": "own", "twin": "twin"}.get(origin, "real")

    def origins(self) -> dict[str, str]:
        """The tag of every source that is staged and not off, by the report of its ingest."""
        found = {source: self.read(f"data/staged/{source}/ingest.json", IngestReport) for source in SOURCES}
        return {source: self.origin_tag(counts.origin) for source, counts in found.items() if counts and counts.origin != "off"}

    def tile(self, question: str, value: str, unit: str, small: str, *, is_learned: bool = False) -> str:
        """HTML of a tile of the first screen: question, number with its unit, denominator in small print, colour if it is learned."""
        _complete("tile", question=question, value=value, small=small)
        mark, kind = f"<i>{html.escape(unit)}</i>" if unit else "", " learned" if is_learned else ""
        return (
            f'<div class="tile{kind}"><div class="ask">{html.escape(question)}</div><div class="value">{html.escape(value)}{mark}</div>'
            f'<div class="small">{html.escape(small)}</div></div>'
        )

    def figure(
        self,
        identity: str,
        *,
        heading: str,
        sentence: str,
        wide: Figure,
        narrow: Figure,
        key: str,
        alt: str,
        tags: Sequence[str],
        provenance: str,
        command: str,
        data: Sequence[Row],
        below: int = NARROW_BELOW,
    ) -> str:
        """HTML of a figure with everything the standard asks for; its numbers go to reports/tables/<id>.csv and .tex.

        Args:
            identity: of the element and of the files; letters, digits, `_`.
            heading: what was found, at most 90 characters.
            sentence: how to read the figure.
            wide: layout with a fixed height.
            narrow: layout for columns under `below` px.
            key: HTML above the plot; an empty string where every mark is named in place.
            alt: the finding, for those who do not see the plot.
            tags: twin or real first, then measured and/or `sampled: what`.
            provenance: source, seed, rows, span.
            command: that rebuilds the numbers.
            data: the numbers, one mapping per row.
            below: px.

        Raises:
            ValueError: something is missing or too long, or the identity is taken.
        """
        self._check(identity, heading, sentence=sentence, alt=alt, tags=tags, provenance=provenance, command=command, data=data)
        if wide is None or narrow is None or key is None:
            raise ValueError(f"figure {identity}: needs wide, narrow and key")
        spec = serialised(wide, narrow)
        if len(spec.encode()) > FIGURE_LIMIT:
            raise ValueError(f"figure {identity}: {len(spec.encode())} bytes of JSON, at most {FIGURE_LIMIT}; thin its lines")
        self._specs[identity] = spec
        columns = columns_of(data)
        self.tables[identity] = (columns, data)
        keys = f'<div class="key">{key}</div>' if key else "<div></div>"
        heights = f'data-below="{below}" data-wide="{wide.layout.height}" data-narrow="{narrow.layout.height}"'
        plot = f'<div class="plot" data-figure="{identity}-figure" {heights} role="img" aria-label="{html.escape(alt)}"></div>'
        foot = self._foot("Figure", identity, tags, provenance, command, html_table(columns, data))
        return f'<figure id="{identity}" aria-labelledby="{identity}-t">{_caption(identity, heading, sentence)}{keys}{plot}{foot}</figure>'

    def table(
        self,
        identity: str,
        *,
        heading: str,
        sentence: str,
        columns: Sequence[Column],
        rows: Sequence[Row],
        tags: Sequence[str],
        provenance: str,
        command: str,
        best: Sequence[int] = (),
        folded: bool = False,
    ) -> str:
        """HTML of a table with heading and provenance; its numbers go to reports/tables/<id>.csv and .tex.

        Rows in `best` are bold; a `folded` table is closed at first.

        Raises:
            ValueError: something is missing or too long, or the identity is taken.
        """
        self._check(identity, heading, sentence=sentence, columns=columns, data=rows, tags=tags, provenance=provenance, command=command)
        self.tables[identity] = (columns, rows)
        body = html_table(columns, rows, best)
        if folded:
            body = f"<details><summary>Show all {num(len(rows))} rows</summary>{body}</details>"
        foot = self._foot("Table", identity, tags, provenance, command, "")
        caption = _caption(identity, heading, sentence)
        kind = ' class="long"' if len(rows) >= LONG_FROM and not folded else ""
        return f'<figure id="{identity}"{kind} aria-labelledby="{identity}-t">{caption}{body}{foot}</figure>'

    def write(self, title: str, bar: str, body: str) -> int:
        """Write index.html, page_numbers.json and tables/ and return the bytes of the page; tables of an earlier page are removed."""
        from plotly.offline import get_plotlyjs

        specs = "".join(_script(f"{name}-figure", spec) for name, spec in self._specs.items())
        style, script = (style_text(name) for name in ("page.css", "page.js"))
        head = (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f'<title>{html.escape(title)}</title><link rel="icon" href="data:,"><style>{style}</style></head>'
        )
        text = (
            f'{head}<body><a class="skip" href="#main">Skip to the answer</a>{bar}<main id="main" class="column">{body}</main>'
            f"{specs}{_script('template', serialised_template())}<script>{get_plotlyjs()}</script><script>{script}</script></body></html>\n"
        )
        text = text.replace(FINGERPRINT, self.inputs.fingerprint)
        write_text_atomic(page_file(self._paths), text)
        write_json(page_numbers_file(self._paths), self.numbers)
        self._write_tables()
        return len(text.encode())

    def _write_tables(self) -> None:
        folder = tables_folder(self._paths)
        folder.mkdir(parents=True, exist_ok=True)
        wanted = {f"{name}{end}" for name in self.tables for end in (".csv", ".tex")}
        for old in folder.iterdir():
            if old.is_file() and old.name not in wanted:
                old.unlink()
        for name, (columns, rows) in self.tables.items():
            write_text_atomic(folder / f"{name}.csv", csv_text(columns, rows))
            write_text_atomic(folder / f"{name}.tex", latex_text(columns, rows))

    def _check(self, identity: str, heading: str, **needed: Any) -> None:
        if not identity.isidentifier():
            raise ValueError(f"'{identity}' is no identity: letters, digits and _ only")
        if identity in self.tables:
            raise ValueError(f"{identity} is on the page already")
        _complete(identity, heading=heading, **needed)
        if len(heading) > HEADING_LIMIT:
            raise ValueError(f"{identity}: the heading has {len(heading)} characters, at most {HEADING_LIMIT}: {heading}")

    def _foot(self, kind: str, identity: str, tags: Sequence[str], provenance: str, command: str, numbers: str) -> str:
        self._counts[kind] += 1
        said = f"{html.escape(provenance)} · profile {html.escape(self.params.profile)} · data {FINGERPRINT}"
        files = f'<a href="tables/{identity}.csv">tables/{identity}.csv</a> · <a href="tables/{identity}.tex">.tex</a>'
        return (
            f'<div class="provenance">{"".join(map(tag, tags))}<span><b>{kind} {self._counts[kind]}</b> · {said}</span>'
            f"<details><summary>Numbers and command</summary><code>{html.escape(command)}</code>{files}{numbers}</details></div>"
        )


def style_text(name: str) -> str:
    """A file of the page's style: page.css or page.js."""
    return (STYLE / name).read_text(encoding="utf-8")


def serialised_template() -> str:
    """JSON of the page's Plotly template."""
    return json.dumps(template(), separators=(",", ":"), sort_keys=True)


def pair(*figures: str) -> str:
    """Two figures side by side on wide pages; parts that are left out are empty strings, and one alone takes the whole column."""
    present = [f for f in figures if f]
    return f'<div class="pair">{"".join(present)}</div>' if len(present) > 1 else "".join(present)


def _caption(identity: str, heading: str, sentence: str) -> str:
    return f'<figcaption><h3 id="{identity}-t">{html.escape(heading)}</h3><p>{html.escape(sentence)}</p></figcaption>'


def _script(identity: str, content: str) -> str:
    return f'<script type="application/json" id="{identity}">{content.replace("</", "<" + chr(92) + "/")}</script>'


def _complete(name: str, **needed: Any) -> None:
    missing = sorted(k for k, v in needed.items() if v is None or len(v) == 0)
    if missing:
        raise ValueError(f"{name}: missing {', '.join(missing)}")
