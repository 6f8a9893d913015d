"""The sections `traces.<source>` of params.yaml. Not here: finding the files (raw_files.py, scan.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from simulator.parameters import Section
from tasks.core.sources import SOURCES

if TYPE_CHECKING:
    from tasks.core.params import Params


class Trace(Section):
    """Where the files of one trace source come from, and the size of its twin."""

    origin: str = Field(alias="from", description="twin | path:<folder> | inbox | inbox or twin | inbox or off | off")
    days: int = Field(default=14, ge=1, le=366, description="days of the twin")
    apps: int = Field(default=119, ge=1, le=100_000, description="apps of the azure2021 twin")
    rate: float = Field(default=1.0, gt=0, le=1000, description="factor on the call rate of the azure2021 twin")

    @field_validator("origin")
    @classmethod
    def known_origin(cls, value: str) -> str:
        """Accept these origins only."""
        if value in ("twin", "inbox", "off", "inbox or twin", "inbox or off") or (value.startswith("path:") and len(value) > 5):
            return value
        raise ValueError(f"'{value}' is none of twin, path:<folder>, inbox, inbox or twin, inbox or off, off")


def trace_of(params: Params, source: str) -> Trace:
    """Return the section of one source."""
    return params.section(f"traces.{source}", Trace)


def all_traces(params: Params) -> dict[str, Trace]:
    """Return the section of every source, by name."""
    return {source: trace_of(params, source) for source in SOURCES}
