"""What several sections say in the same words: source, origin, span, day names. Not here: HTML and figures."""

from __future__ import annotations

import datetime as dt

from tasks.eda.records import Volumes
from tasks.report.page import Page
from tasks.report.text import num

# Day 0 of the Azure Functions 2021 trace: Sunday 31 January 2021 UTC (data/reference; trace documentation).
AZURE2021_DAY0 = dt.date(2021, 1, 31)
COMMAND = "dvc repro report"


def volumes(page: Page) -> Volumes | None:
    """Calls by day and hour, if there is at least one call."""
    found = page.read("reports/eda/volumes.json", Volumes)
    return found if found and found.days and found.total else None


def source_of(page: Page) -> tuple[str, str]:
    """Name and tag (twin, real or own) of the call source that the exploratory analysis read."""
    found = page.read("reports/eda/volumes.json", Volumes)
    if found:
        return found.source, page.origin_tag(found.origin)
    return next(iter(page.origins().items()), ("no source", "twin"))


def ink_of(page: Page) -> str:
    """Colour of a line of calls: `s3` for the twin, `ink` for the real trace."""
    return "s3" if source_of(page)[1] == "twin" else "ink"


def provenance(page: Page, *more: str, source: str = "", origin: str = "") -> str:
    """Source, seed if generated, and what else a figure rests on, e.g. `azure2021 · twin seed 1 · 119 apps`."""
    name, kind = (source, page.origin_tag(origin)) if source else source_of(page)
    seed = [f"twin seed {page.number('seed', page.params.seed)}"] if kind == "twin" else ["own trace" if kind == "own" else "real slice"]
    return " · ".join([name, *seed, *(m for m in more if m)])


def day_name(source: str, origin: str, day: int) -> str:
    """A calendar day where the trace has dates (`Sun 31 Jan`), else its number; of own traces with its weekday (day 0 is a Sunday)."""
    if origin == "own" and source == "azure2021":
        return f"day {day} ({AZURE2021_DAY0 + dt.timedelta(days=day):%a})"
    if source != "azure2021":
        return f"day {day}"
    date = AZURE2021_DAY0 + dt.timedelta(days=day)
    return f"{date:%a} {date.day} {date:%b}"


WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def share_of_apps(count: int, apps: int, share: str) -> str:
    """`Five of 119 apps make 72 % of all calls`."""
    word = (WORDS[count] if count < len(WORDS) else num(count)).capitalize()
    return f"{word} of {plural(apps, 'app')} {'makes' if count == 1 else 'make'} {share} of all calls"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 app`, `5 apps`."""
    return f"{num(count)} {one if count == 1 else many or one + 's'}"
