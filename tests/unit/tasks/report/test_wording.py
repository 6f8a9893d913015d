"""Words agree with the interval (tasks/report/wording.py)."""

from __future__ import annotations

import pytest

from tasks.evaluation.landscape_record import Interval
from tasks.report.wording import EQUAL_WITHIN, NO_RATIO, Effect, finding, fitting, ratio, told, too_few, verdict


def effect(value: float, low: float | None, high: float | None, seeds: int = 5, scenarios: int = 10) -> Effect:
    return Effect(value, low, high, seeds, scenarios)


@pytest.mark.parametrize(
    ("found", "words", "cell"),
    [
        (effect(-2.04, -3.0, -1.0), "The rule costs 2.0 % of home less than best static", "✓ lower"),
        (effect(2.0, 1.0, 3.0), "The rule costs 2.0 % of home more than best static", "✕ higher"),
        (effect(-0.4, -1.4, 0.6), "No detectable difference between the rule and best static", "≈ no difference"),
        (effect(0.0, -1.0, 1.0), "No detectable difference between the rule and best static", "≈ no difference"),
        (effect(-0.2, -0.5, 0.1), "The rule costs the same as best static", "≈ equal"),
        (effect(0.2, 0.1, 0.3), "The rule costs the same as best static", "≈ equal"),
        (effect(-0.4, -0.6, -0.2), "The rule costs 0.4 % of home less than best static", "✓ lower"),
        (effect(-2.0, -4.0, 0.0), "No detectable difference between the rule and best static", "≈ no difference"),
    ],
)
def test_a_heading_says_what_the_interval_says(found: Effect, words: str, cell: str) -> None:
    assert finding("the rule", "best static", found) == words
    assert told(found) == cell


def test_words_over_a_grid_of_intervals() -> None:
    """Recomputed from their definition: never better or worse while the interval holds zero, never equal beyond half a per cent."""
    ends = [x / 10 for x in range(-12, 13, 3)]
    for low in ends:
        for high in (x for x in ends if x >= low):
            said = finding("A", "B", effect((low + high) / 2, low, high))
            within = max(abs(low), abs(high)) <= EQUAL_WITHIN
            assert ("the same" in said) == within
            assert ("No detectable" in said) == (low <= 0 <= high and not within)
            assert ("less than" in said) == (high < 0 and not within)
            assert ("more than" in said) == (low > 0 and not within)


def test_a_small_design_says_so() -> None:
    assert too_few(3, 6) == '<p class="design">n = 3 \u00d7 6 (seeds \u00d7 scenarios): too few for a verdict.</p>'
    assert too_few(5, 10) == ""
    assert told(effect(-2.0, -3.0, -1.0, 3, 6)) == "\u2013 too few"
    assert "too few" not in finding("A", "B", effect(-2.0, None, None, 1, 2))


@pytest.mark.parametrize(
    ("found", "claimed", "words"),
    [
        (effect(-4.0, -5.0, -3.0), None, "✓ holds"),
        (effect(-4.0, -5.0, -3.0), 4.0, "✓ holds"),
        (effect(-4.0, -5.0, -3.0), 2.0, "✓ holds"),
        (effect(-4.0, -5.0, -3.0), 20.0, "✓ holds, smaller"),
        (effect(-1.0, -3.0, 1.0), 2.0, "≈ not shown"),
        (effect(4.0, 3.0, 5.0), 2.0, "✕ refuted"),
        (effect(-4.0, None, None, 1, 2), 2.0, "\u2013 not testable"),
        (effect(-4.0, -5.0, -3.0, 3, 6), 2.0, "\u2013 not testable"),
    ],
)
def test_verdicts(found: Effect, claimed: float | None, words: str) -> None:
    assert verdict(found, claimed) == words


def test_a_finding_is_shortened_before_it_is_too_long() -> None:
    assert fitting("a" * 91, "b" * 90, "c") == "b" * 90
    assert fitting("a" * 91, "c" * 92) == "c" * 92


def test_no_ratio_of_a_small_gap() -> None:
    assert ratio(0.38, 0.7) == NO_RATIO == "no ratio: the gap is under 1 % of home"
    assert ratio(None, 0.7) == NO_RATIO
    assert ratio(0.384, 1.0) == "38 %"
    assert ratio(-0.2, 5.0) == "\u221220 %"


def test_an_effect_of_the_landscape() -> None:
    found = Effect.of(Interval.model_validate({"value": -0.02, "low": None, "high": None, "n": 2}), seeds=1)
    assert (found.value, found.low, found.scenarios) == (-2.0, None, 2)
