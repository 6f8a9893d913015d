"""Apps that arrive at a barrier: their past is gone, their later calls are what they were. Not here: what policies do for them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.baselines.planning.rows import replay_rows
from simulator.control.baseline import Stay
from simulator.control.counterfactual import replay_table
from simulator.control.loop import Loop, finished
from simulator.control.spans import span_steps
from simulator.newcomers import one_in, without_past
from simulator.scenario import Scenario
from simulator.twin.fleets import twin_scenario
from tests.worlds.families import FAMILIES


@pytest.fixture(scope="module")
def whole() -> Scenario:
    return twin_scenario("crunch", changes=FAMILIES["crunch"], days=1, apps=20, rate=0.5)


@pytest.fixture(scope="module")
def is_new(whole: Scenario) -> np.ndarray:
    return one_in(3, whole.apps.app_ids)


@pytest.fixture(scope="module")
def later(whole: Scenario, is_new: np.ndarray) -> Scenario:
    return without_past(whole, is_new, whole.split_steps[1])


def test_a_part_of_the_apps_is_new_whatever_their_order(whole: Scenario, is_new: np.ndarray) -> None:
    assert 0 < is_new.sum() < len(is_new)
    np.testing.assert_array_equal(one_in(3, whole.apps.app_ids[::-1]), is_new[::-1])
    assert one_in(1, whole.apps.app_ids).all()


def test_they_have_no_past(whole: Scenario, later: Scenario, is_new: np.ndarray) -> None:
    begin, end = span_steps(whole, "test")
    view = Loop(later, Stay(), 1, begin=begin, end=end).turn().view
    full = Loop(whole, Stay(), 1, begin=begin, end=end).turn().view
    known = view.past.until - view.past.first_call
    assert (known[is_new] == 0).all()
    np.testing.assert_array_equal(known[~is_new], (full.past.until - full.past.first_call)[~is_new])
    assert (known[~is_new] > 0).any()
    function = np.repeat(is_new, np.diff(whole.apps.first_function))
    assert (view.runs[function] == -1).all()
    np.testing.assert_array_equal(view.runs[~function], full.runs[~function])
    assert not np.isin(replay_rows(later, ("train", "valid")).app, np.flatnonzero(is_new)).any()


def test_what_comes_later_is_the_same_call_by_call(whole: Scenario, later: Scenario) -> None:
    begin, end = span_steps(whole, "test")
    one, other = (finished(Loop(world, Stay(), 1, begin=begin, end=end)) for world in (whole, later))
    np.testing.assert_array_equal(one.out, other.out)
    assert one.out.any()
    np.testing.assert_array_equal(replay_table(whole, "test").values, replay_table(later, "test").values)


def test_what_they_called_before_changes_nothing(whole: Scenario, later: Scenario, is_new: np.ndarray) -> None:
    """Other durations of the calls that are hidden leave the scenario without them as it is."""
    calls = whole.calls
    app = np.repeat(np.arange(len(is_new)), np.diff(calls.first_call))
    is_hidden = is_new[app] & (calls.arrival_us < whole.split_steps[1] * whole.world.step_us)
    assert is_hidden.any()
    other = dataclasses.replace(calls, duration_us=np.where(is_hidden, 7 * calls.duration_us + 1, calls.duration_us))
    found = without_past(dataclasses.replace(whole, calls=other), is_new, whole.split_steps[1])
    for field in dataclasses.fields(found.calls):
        np.testing.assert_array_equal(getattr(found.calls, field.name), getattr(later.calls, field.name))
