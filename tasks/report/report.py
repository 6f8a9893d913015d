"""Stage `report`: the page, its tables and the headline numbers, from what the other stages publish. Not here: computing, sections."""

from __future__ import annotations

import html
import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tasks.data.traces import all_traces
from tasks.data.verdict import require_success
from tasks.report import layer_pictures, sections
from tasks.report.page import FINGERPRINT, Page, num, tag

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths


def run(params: Params, paths: Paths) -> str:
    """Build reports/index.html, reports/page_numbers.json and reports/tables/.

    Returns:
        The one-line summary.

    Raises:
        GateError: a source that is on has no successful verdict on the data that is staged now.
    """
    page = Page(params, paths)
    for source, trace in sorted(all_traces(params).items()):
        if trace.origin != "off" and (source in page.origins() or " or off" not in trace.origin):
            require_success(paths, source)
    links, parts = [], []
    for name, section in found_sections():
        content = section.add(page)
        if not content:
            continue
        links.append(f'<a href="#{name}">{html.escape(section.NAV)}</a>')
        parts.append(f'<section id="{name}" aria-label="{html.escape(section.NAV)}">{_head(section)}{content}</section>')
    drawn = layer_pictures.draw(page, paths)
    size = page.write("Trine report", _bar(page, links), "".join(parts) + _footer(page))
    return f"{len(page.tables)} figures and tables, {len(page.numbers)} numbers, {num(size)} bytes, pictures of {len(drawn)} layers"


def found_sections() -> list[tuple[str, Any]]:
    """Name and module of every section, in the order of the page."""
    names = [module.name for module in pkgutil.iter_modules(sections.__path__)]
    modules = [(name, import_module(f"{sections.__name__}.{name}")) for name in names]
    return sorted(modules, key=lambda named: (named[1].ORDER, named[0]))


def _head(section: Any) -> str:
    if not section.TITLE:
        return ""
    return f'<h2>{html.escape(section.TITLE)}</h2><p class="question">{html.escape(section.QUESTION)}</p>'


def _bar(page: Page, links: list[str]) -> str:
    origins = sorted(set(page.origins().values()), reverse=True)
    return (
        f'<header class="bar"><div class="column"><b>Trine</b>{"".join(map(tag, origins))}<nav aria-label="Sections">{"".join(links)}</nav>'
        '<button id="theme" type="button">Theme: system</button></div></header>'
    )


def _footer(page: Page) -> str:
    return f"<footer>Trine · profile {html.escape(page.params.profile)} · data {FINGERPRINT} · rebuild with: dvc repro report</footer>"
