"""Every number of the page is in reports/page_numbers.json or in a CSV that the page links."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.browser import Tab
from tests.e2e.page_numbers import numbers, without_origin

PLANTED = {
    "headline": "document.querySelector('h1').textContent = 'Five of 118 apps'",
    "tile": "document.querySelector('.tile .value').firstChild.data = '12,345,678'",
    "limit": "document.querySelector('.limits li').textContent = 'It costs 98.7 % more.'",
    "heading": "document.querySelector('#durations h3').textContent = 'Half end within 29 ms'",
    "provenance": "document.querySelector('#gaps .provenance > span:not(.tag)').append(' 4,321 gaps')",
    "alt": "document.querySelector('.plot').setAttribute('aria-label', 'The busiest hour has 123,456 calls')",
    "cell": "document.querySelector('#rows td.number').textContent = '66,817'",
    "row": "document.querySelector('#rows tbody tr').remove()",
    "stray": "document.querySelector('main').append('77')",
    "label": "Plotly.relayout(document.querySelector('#triggers .plot'), {'annotations[0].text': '43.21 %'}).then(() => true)",
    "point": "Plotly.restyle(document.querySelector('#hours .plot'), {y: [[...Array(23).fill(1.2345), 1]]}).then(() => true)",
}


def test_numbers_in_text() -> None:
    """Numbers are read with their unit and decimals; names, years and numbers of figures are none."""
    assert list(numbers("Figure 3 · azure2021 in 2021 · p95 \u22121,234.50 s, 8.6 % at 22:00, 81k a day")) == [
        ("\u22121,234.50", -1234.5, 2, ""),
        ("8.6", 8.6, 1, "%"),
        ("22", 22.0, 0, ""),
        ("81", 81.0, 0, "k"),
    ]


@pytest.mark.parametrize("width", [1280, 420])
def test_every_number_has_an_origin(tab: Tab, page_file: Path, width: int) -> None:
    """Text, labels, tables and points, in the wide and in the narrow layout."""
    tab.width(width)
    tab.open(page_file)
    count, faults = without_origin(tab, page_file.parent)
    assert faults == []
    assert count > 5000


@pytest.mark.parametrize("where", PLANTED)
def test_an_invented_number_is_found(tab: Tab, page_file: Path, where: str) -> None:
    """One number that no file holds is reported, wherever it is."""
    tab.width(1280)
    tab.open(page_file)
    tab.value(PLANTED[where])
    assert without_origin(tab, page_file.parent)[1] != []
