"""The section `evaluate` of params.yaml, which every stage `evaluate_<group>` reads. Not here: judging, settings of one group."""

from __future__ import annotations

from pydantic import Field

from simulator.parameters import Section, Seed


class EvaluateSettings(Section):
    """On what luck the arms are judged."""

    seeds: tuple[Seed, ...] = Field(min_length=1, description="of the luck; it is the same for every arm")
