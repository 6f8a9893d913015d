"""The tables of arms. Not here: the rules, judging them."""

from __future__ import annotations

import pytest

from core.errors import ParameterError
from tasks.evaluation.arms import baselines, bound
from tasks.evaluation.arms.table import Arm, arm_named, described, ordered
from tasks.evaluation.arms.tuned import TUNED

TABLES = {"baselines": baselines.ARMS, "bound": bound.ARMS}


@pytest.mark.parametrize("group", TABLES)
def test_an_unknown_arm_is_an_error(group: str) -> None:
    first = TABLES[group][0]
    assert arm_named(TABLES[group], first.name) is first
    with pytest.raises(ParameterError, match=r"unknown arm 'homee'(.|\n)*use one of: "):
        arm_named(TABLES[group], "homee")


def test_names_and_places_differ() -> None:
    for column, twice in (("name", Arm(name="a", label="", order=2)), ("order", Arm(name="b", label="", order=1))):
        with pytest.raises(ParameterError, match=f"the {column}"):
            ordered(Arm(name="a", label="", order=1), twice)
    names = [arm.name for table in TABLES.values() for arm in table]
    assert len(names) == len(set(names))


def test_the_json_has_name_label_ink_and_whether_it_is_causal_in_the_order_of_the_tables() -> None:
    assert [arm["name"] for table in TABLES.values() for arm in described(table)] == [
        *("random", "home", "greedy_locality", "greedy_cold_start", "greedy_objective", "greedy_hysteresis", "best_static"),
        *(
            "coordinated_static",
            "persistence",
            "fr24_heuristic",
            "chen25_two_tier",
            "follow_the_leader",
            "planner",
            "planner_response",
            "planner_price",
            "rush_head",
        ),
        *("hindsight", "optimistic_bound"),
    ]
    first = {"name": "hindsight", "label": "Hindsight (coupled)", "ink": "hindsight", "is_causal": False, "layer": "", "is_weighed": False}
    assert described(bound.ARMS)[0] == first
    assert all(arm.is_causal for arm in baselines.ARMS)


def test_every_tuned_rule_is_an_arm_with_a_grid_as_long_as_the_others() -> None:
    assert {rule.name for rule in TUNED} <= {arm.name for arm in baselines.ARMS}
    assert len({len(rule.grid) for rule in TUNED}) == 1
