"""Words agree with the interval (tasks/report/wording.py)."""

from __future__ import annotations

import pytest

from tasks.report.wording import EQUAL_WITHIN, NO_RATIO, Effect, fitting, heading, ratio, told, too_few, verdict


def effect(value: float, low: float | None, high: float | None, seeds: int = 5, scenarios: int = 10) -> Effect:
    return Effect(value, low, high, seeds, scenarios)


@pytest.mark.parametrize(
    ("found", "words", "cell"),
    [
        (effect(-2.04, -3.0, -1.0), "The rule lowers best static by 2.0 % of home", "✓ lower"),
        (effect(2.0, 1.0, 3.0), "The rule loses to best static by 2.0 % of home", "✕ higher"),
        (effect(-0.4, -1.4, 0.6), "The rule is not told apart from best static", "≈ not told apart"),
        (effect(0.0, -1.0, 1.0), "The rule is not told apart from best static", "≈ not told apart"),
        (effect(-0.2, -0.5, 0.1), "The rule equals best static", "≈ equal"),
        (effect(0.2, 0.1, 0.3), "The rule equals best static", "≈ equal"),
        (effect(-0.4, -0.6, -0.2), "The rule lowers best static by 0.4 % of home", "✓ lower"),
        (effect(-2.0, -4.0, 0.0), "The rule is not told apart from best static", "≈ not told apart"),
    ],
)
def test_a_heading_says_what_the_interval_says(found: Effect, words: str, cell: str) -> None:
    assert heading("The rule", "best static", found) == words
    assert told(found) == cell


def test_words_over_a_grid_of_intervals() -> None:
    """Recomputed from their definition: never better or worse while the interval holds zero, never equal beyond half a per cent."""
    ends = [x / 10 for x in range(-12, 13, 3)]
    for low in ends:
        for high in (x for x in ends if x >= low):
            said = heading("A", "B", effect((low + high) / 2, low, high))
            within = max(abs(low), abs(high)) <= EQUAL_WITHIN
            assert ("equals" in said) == within
            assert ("not told apart" in said) == (low <= 0 <= high and not within)
            assert ("lowers" in said) == (high < 0 and not within)
            assert ("loses" in said) == (low > 0 and not within)


def test_a_small_design_says_so() -> None:
    assert heading("A", "B", effect(-2.0, -3.0, -1.0, 3, 6)) == "A lowers B by 2.0 % of home (n = 3 \u00d7 6: too few for a verdict)"
    assert heading("A", "B", effect(0.0, -1.0, 1.0, 3, 6)) == "A is not told apart from B (n = 3 \u00d7 6: too few for a verdict)"
    assert heading("A", "B", effect(-2.0, None, None, 1, 2)) == "A lowers B by 2.0 % of home (n = 1 \u00d7 2: too few for a verdict)"
    assert told(effect(-2.0, -3.0, -1.0, 3, 6)) == "\u2013 too few"
    assert too_few(5, 10) == ""


def test_what_is_lowered_can_have_a_name_of_its_own() -> None:
    assert heading("Best static", "home", effect(-12.0, -15.0, -9.0), "the bill at home") == (
        "Best static lowers the bill at home by 12.0 % of home"
    )


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
    assert fitting(" (n = 1)", "a" * 90, "a" * 80, "a") == "a" * 80 + " (n = 1)"
    assert fitting("", "a" * 90, "a") == "a" * 90


def test_no_ratio_of_a_small_gap() -> None:
    assert ratio(0.38, 0.7) == NO_RATIO == "no ratio: the gap is under 1 % of home"
    assert ratio(None, 0.7) == NO_RATIO
    assert ratio(0.384, 1.0) == "38 %"
    assert ratio(-0.2, 5.0) == "\u221220 %"


def test_an_effect_of_the_landscape() -> None:
    found = Effect.of({"value": -0.02, "low": None, "high": None, "n": 2}, seeds=1)
    assert (found.value, found.low, found.scenarios) == (-2.0, None, 2)
