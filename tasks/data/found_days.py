"""The days that raw files of calls cover, for `as_of_day: latest`. Not here: the window of a stage (split.py), staging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.units import DAY_US, HOUR_US
from tasks.data.ingest_settings import IngestSettings

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.params import Params
    from tasks.core.paths import Paths


def found_days(params: Params, paths: Paths, source: str, folder: Path, files: Sequence[Mapping[str, Any]]) -> dict[str, int] | None:
    """Return the first day with a call and the first day that is not complete any more; None for a source without calls of its own.

    A day is complete if calls follow on a later day, or if the silence up to its end is no longer than another one within the trace (or an
    hour). Where no day is complete, what there is has to do.

    Args:
        params: limits of a plausible row.
        paths: of the working tree.
        source: its name.
        folder: of the raw files.
        files: their entries in the manifest.
    """
    if source == "azure2019":  # a file is a whole day
        days = sorted({day for file in files if (day := file["first_day"]) is not None})
        return {"first": days[0], "until": days[-1] + 1} if days else None
    if source != "azure2021" or not files:
        return None
    from tasks.core.database import connect, literal, load_sql

    settings = params.section("ingest", IngestSettings)
    listed = "[" + ", ".join(literal(folder / file["name"]) for file in files) + "]"
    text = load_sql("azure2021/days.sql").format(files=listed, most_s=settings.max_duration_s, days=settings.max_arrival_day)
    with connect(paths) as con:
        rows = con.execute(text).fetchall()
    if not rows:
        return None
    last, _, last_us, silence_us = rows[-1]
    is_complete = (last + 1) * DAY_US - last_us <= max(silence_us, HOUR_US)
    first = int(rows[0][0])
    return {"first": first, "until": max(int(last) + is_complete, first + 1)}
