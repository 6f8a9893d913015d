"""Words for what was found, chosen by the interval, never by hope: headings, verdicts, refusals. Not here: numbers (models/statistics.py).

Lower is better: an effect is the difference subject minus other in % of home of the same scenario, below zero where the subject costs less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tasks.core.terms import SMALL_GAP
from tasks.report.text import num

if TYPE_CHECKING:
    from tasks.evaluation.landscape_record import Interval

EQUAL_WITHIN = 0.5  # % of home: an interval inside +- this says "equals"
ENOUGH_SCENARIOS = 10  # the profile `report` has as many; below, a section says how few there are
NO_RATIO = "no ratio: the gap is under 1 % of home"
TIMES = "\u00d7"
LONGEST = 90  # characters of a heading
Word = Literal["better", "worse", "equal", "unclear"]


@dataclass(frozen=True)
class Effect:
    """A difference in % of home with its interval, which is missing below three scenarios.

    Args:
        value: subject minus other.
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
    def of(cls, found: Interval, seeds: int, factor: float = 100.0) -> Effect:
        """From an interval of reports/world/landscape.json, whose shares are of 1."""
        low, high = (None if end is None else factor * end for end in (found.low, found.high))
        return cls(factor * found.mean, low, high, seeds, found.n)

    @property
    def word(self) -> Word:
        """What the interval says; without one, what the value says (the section then says how small the design is)."""
        low, high = (self.value if end is None else end for end in (self.low, self.high))
        if low >= -EQUAL_WITHIN and high <= EQUAL_WITHIN:
            return "equal"
        if low <= 0 <= high:
            return "unclear"
        return "better" if high < 0 else "worse"

    @property
    def is_small(self) -> bool:
        """Whether the design is too small for a verdict."""
        return self.scenarios < ENOUGH_SCENARIOS


def too_few(seeds: int, scenarios: int) -> str:
    """HTML that a section of a small design says once: `n = 3 x 6 (seeds x scenarios): too few for a verdict`; "" for a large one."""
    if scenarios >= ENOUGH_SCENARIOS:
        return ""
    return f'<p class="design">n = {seeds} {TIMES} {scenarios} (seeds {TIMES} scenarios): too few for a verdict.</p>'


def finding(subject: str, other: str, effect: Effect) -> str:
    """What a comparison found, as a sentence without its full stop.

    Args:
        subject: the arm in question, as it is named within a sentence.
        other: what it is compared with.
        effect: subject minus other.
    """
    size = f"{num(abs(effect.value), 1)} % of home"
    said = {
        "better": f"{subject} costs {size} less than {other}",
        "unclear": f"no detectable difference between {subject} and {other}",
        "equal": f"{subject} costs the same as {other}",
        "worse": f"{subject} costs {size} more than {other}",
    }[effect.word]
    return said[0].upper() + said[1:]


def in_sentence(label: str) -> str:
    """The label of an arm as it stands within a sentence: `home`, `planner with response`, but `DQN`."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


def fitting(*said: str) -> str:
    """The first of some findings, longest first, that fits in a heading; else the last."""
    return next((s for s in said if len(s) <= LONGEST), said[-1])


def told(effect: Effect) -> str:
    """Sign and word of a difference for a table's cell: lower, higher, equal, no difference, too few."""
    if effect.is_small:
        return "\u2013 too few"
    return {"better": "✓ lower", "worse": "✕ higher", "equal": "≈ equal", "unclear": "≈ no difference"}[effect.word]


def verdict(effect: Effect, claimed: float | None = None) -> str:
    """Sign and words of a claim that the subject costs less than the other.

    Args:
        effect: subject minus other.
        claimed: the size that was claimed, in the same unit and positive; None if the claim has no size.
    """
    if effect.low is None or effect.high is None or effect.is_small:
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
