"""Words for what was found, chosen by the interval, never by hope: headings, verdicts, refusals. Not here: numbers (models/statistics.py).

Lower is better: an effect is the difference subject minus reference in % of home of the same scenario, below zero where the subject is
cheaper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tasks.core.terms import SMALL_GAP
from tasks.report.text import num

EQUAL_WITHIN = 0.5  # % of home: an interval inside +- this says "equals"
ENOUGH_SCENARIOS = 10  # the profile `report` has as many; below, a heading says how few there are
NO_RATIO = "no ratio: the gap is under 1 % of home"
TIMES = "\u00d7"
LONGEST = 90  # characters of a heading
Word = Literal["better", "worse", "equal", "unclear"]


@dataclass(frozen=True)
class Effect:
    """A difference in % of home with its interval, which is missing below three scenarios.

    Args:
        value: subject minus reference.
        low: of the interval, None without one.
        high: of the interval.
        seeds: of the design.
        scenarios: of the design.
    """

    value: float
    low: float | None
    high: float | None
    seeds: int
    scenarios: int

    @classmethod
    def of(cls, found: dict[str, Any], seeds: int, factor: float = 100.0) -> Effect:
        """From an interval of reports/world/landscape.json, whose shares are of 1."""
        low, high = (None if found[key] is None else factor * found[key] for key in ("low", "high"))
        return cls(factor * found["value"], low, high, seeds, found["n"])

    @property
    def word(self) -> Word:
        """What the interval says; without one, what the value says (the heading then says how small the design is)."""
        low, high = (self.value if end is None else end for end in (self.low, self.high))
        if low >= -EQUAL_WITHIN and high <= EQUAL_WITHIN:
            return "equal"
        if low <= 0 <= high:
            return "unclear"
        return "better" if high < 0 else "worse"

    @property
    def few(self) -> str:
        """What a heading of a small design ends with, else ""."""
        return too_few(self.seeds, self.scenarios)


def too_few(seeds: int, scenarios: int) -> str:
    """` (n = 3 x 6: too few for a verdict)` for a small design, "" for a large one."""
    if scenarios >= ENOUGH_SCENARIOS:
        return ""
    return f" (n = {seeds} {TIMES} {scenarios}: too few for a verdict)"


def heading(subject: str, reference: str, effect: Effect, lowered: str = "") -> str:
    """What a comparison found, and whether the design is too small for a verdict; arguments as of `finding`."""
    return finding(subject, reference, effect, lowered) + effect.few


def finding(subject: str, reference: str, effect: Effect, lowered: str = "") -> str:
    """What a comparison found, alone.

    Args:
        subject: the arm in question, as the sentence starts.
        reference: what it is compared with.
        effect: subject minus reference.
        lowered: what the subject lowers, the reference itself if empty.
    """
    size = f"{num(abs(effect.value), 1)} % of home"
    said = {
        "better": f"{subject} lowers {lowered or reference} by {size}",
        "unclear": f"{subject} is not told apart from {reference}",
        "equal": f"{subject} equals {reference}",
        "worse": f"{subject} loses to {reference} by {size}",
    }
    return said[effect.word]


def fitting(few: str, *said: str) -> str:
    """The first of some findings, longest first, that fits in a heading together with what a small design adds; else the last."""
    return next((s + few for s in said if len(s + few) <= LONGEST), said[-1] + few)


def told(effect: Effect) -> str:
    """Sign and word of a difference for a table's cell: lower, higher, equal, not told apart, too few."""
    if effect.few:
        return "\u2013 too few"
    return {"better": "✓ lower", "worse": "✕ higher", "equal": "≈ equal", "unclear": "≈ not told apart"}[effect.word]


def verdict(effect: Effect, claimed: float | None = None) -> str:
    """Sign and words of a claim that the subject lowers its reference.

    Args:
        effect: subject minus reference.
        claimed: the size that was claimed, in the same unit and positive; None if the claim has no size.
    """
    if effect.low is None or effect.high is None or effect.few:
        return "\u2013 not testable"
    if effect.low <= 0 <= effect.high:
        return "≈ not shown"
    if effect.low > 0:
        return "✕ refuted"
    return "✓ holds, smaller" if claimed is not None and -claimed < effect.low else "✓ holds"


def ratio(share: float | None, gap_of_home: float) -> str:
    """Share of a gap as `38 %`, or the words that refuse it.

    Args:
        share: of 1; None where none was formed.
        gap_of_home: the denominator, in % of home.
    """
    return NO_RATIO if share is None or gap_of_home < 100 * SMALL_GAP else f"{num(100 * share, 0)} %"
