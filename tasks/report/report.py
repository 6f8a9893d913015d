"""Stage `report`: the page, its tables and the headline numbers, from reports/eda and reports/validation. Not here: any computing."""

from __future__ import annotations

import html
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tasks.data.traces import all_traces
from tasks.data.verdict import require_success
from tasks.report.page import Page, num, tag

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

# Modules of tasks/sections in the order of the page. Each has render(page) -> HTML, "" if it has nothing to say, and TITLE, NAV, QUESTION.
SECTIONS = ("first", "data", "rhythm", "cells", "google2011", "forecasts", "world", "places", "landscape", "quality")


def run(params: Params, paths: Paths) -> str:
    """Build reports/index.html, reports/metrics.json and reports/tables/.

    Returns:
        The one-line summary.

    Raises:
        GateError: a source that is on has no successful verdict on the data that is staged now.
    """
    for source, trace in sorted(all_traces(params).items()):
        if trace.origin != "off":
            require_success(paths, source)
    page = Page(params, paths)
    links, parts = [], []
    for name in SECTIONS:
        section: Any = import_module(f"tasks.report.sections.{name}")
        content = section.render(page)
        if not content:
            continue
        links.append(f'<a href="#{name}">{html.escape(section.NAV)}</a>')
        parts.append(f'<section id="{name}" aria-label="{html.escape(section.NAV)}">{_head(section)}{content}</section>')
    size = page.write("Trine report", _bar(page, links), "".join(parts) + _footer(page))
    return f"{len(page.tables)} figures and tables, {len(page.metrics)} metrics, {num(size)} bytes"


def _head(section: Any) -> str:
    if not section.TITLE:
        return ""
    return f'<h2>{html.escape(section.TITLE)}</h2><p class="question">{html.escape(section.QUESTION)}</p>'


def _bar(page: Page, links: list[str]) -> str:
    origins = sorted({page.origin_tag(t.origin) for t in all_traces(page.params).values() if t.origin != "off"}, reverse=True)
    return (
        f'<header class="bar"><div class="column"><b>Trine</b>{"".join(map(tag, origins))}<nav aria-label="Sections">{"".join(links)}</nav>'
        '<button id="theme" type="button">Theme: system</button></div></header>'
    )


def _footer(page: Page) -> str:
    return f"<footer>Trine · profile {html.escape(page.params.profile)} · data {page.fingerprint} · rebuild with: dvc repro report</footer>"
