"""What is recorded of every step is what the second simulator's calls say; a view shows the same rows, and recording changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import ScenarioError
from simulator.control.baseline import Stay, home_objective, record_home, stored_home
from simulator.control.decision import Decision
from simulator.control.home_run import HOME_DESCRIPTION, HOME_FILE, HomeRun, load_home_run
from simulator.control.loop import Loop
from simulator.control.view import STEP_CALLS, STEP_NOTHING_IDLE, View
from simulator.fleet import Field
from simulator.scenario import Scenario, cut, load_scenario, save
from tests.worlds import drawn_worlds, second_simulator
from tests.worlds.kernel_play import differences, play
from tests.worlds.steps_by_hand import steps_of


def test_steps_are_those_of_the_second_simulator() -> None:
    """In random worlds with moves, sizes, floors, outages and shared capacity, to the microsecond; and the flag of each call."""
    busy = 0
    for seed in range(60):
        world = drawn_worlds.draw_small_world(seed)
        fleet, outcome = play(world, has_rows=True), second_simulator.simulate(world.scenario, **world.run)
        assert differences(fleet, outcome) == [], f"small world {seed}"
        run = HomeRun.of(fleet)
        begin, end = world.run["start_step"], world.run["end_step"]
        wanted = steps_of(world.scenario, outcome)
        np.testing.assert_array_equal(run.window(begin, end), wanted[begin:end], err_msg=f"small world {seed}")
        middle = (begin + end) // 2
        np.testing.assert_array_equal(run.window(middle, end), wanted[middle:end], err_msg=f"small world {seed}")
        flags = np.zeros(len(run.nothing_idle), dtype=np.bool_)
        flags[[call.index for call in outcome.calls if not call.found_idle]] = True
        np.testing.assert_array_equal(run.nothing_idle, flags, err_msg=f"small world {seed}")
        busy += int((wanted[..., 6:] > 0).all(axis=2).sum())
    assert busy > 100, "steps with waits and running calls"


class Watching(Stay):
    """Stays, asked every few steps, and remembers the steps it saw."""

    name, needs_steps = "watching", True

    def __init__(self, period_steps: int) -> None:
        self.period_steps = period_steps
        self.seen: list[View] = []

    def decide(self, view: View) -> Decision:
        self.seen.append(view)
        return Decision()


@pytest.fixture(scope="module")
def stored(twin: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The twin's folder with its run at home."""
    folder = save(twin, tmp_path_factory.mktemp("stored"))
    record_home(twin, folder)
    return folder


@pytest.mark.parametrize("period_steps", [1, 5, 100])
def test_a_view_shows_the_rows_of_the_record(twin: Scenario, stored: Path, period_steps: int) -> None:
    """At home, with the luck of the record."""
    policy = Watching(period_steps)
    loop = Loop(twin, policy, 1, begin=0, end=3_000)
    while (turn := loop.turn()) is not None:
        loop.answer(turn.policy.decide(turn.view))
    rows = load_home_run(stored, twin).window(0, 3_000)
    assert rows[..., STEP_CALLS].sum() > 1_000
    for view in policy.seen:
        steps, known = view.steps, min(12, view.step)
        assert steps is not None
        np.testing.assert_array_equal(steps[12 - known :], rows[view.step - known : view.step], err_msg=f"step {view.step}")
        assert not steps[: 12 - known].any()


def test_the_record_adds_up_and_changes_nothing(twin: Scenario, stored: Path) -> None:
    run = load_home_run(stored, twin)
    np.testing.assert_array_equal(stored_home(stored, twin), home_objective(twin))
    loop = Loop(twin, Stay(), 1, begin=0, end=twin.steps)
    while (turn := loop.turn()) is not None:
        loop.answer(turn.policy.decide(turn.view))
    total = loop.finish().out.sum(axis=(0, 1))
    assert run.counts[:, :3].sum(axis=0).tolist() == [total[Field.CALLS], total[Field.WAITED], total[Field.REJECTED]]
    assert run.counts[:, STEP_NOTHING_IDLE].sum() == run.nothing_idle.sum()
    assert total[Field.COLD_STARTS] + total[Field.REJECTED] <= run.nothing_idle.sum()
    assert run.wait_us.sum() <= total[Field.WAIT_US]  # what is waited after the end of the scenario is in no step


@pytest.mark.parametrize("until", ["train", "valid"])
def test_a_scenario_until_a_span_has_the_record_until_then(twin: Scenario, stored: Path, until: str) -> None:
    """Equal to the first rows of the whole; no call and no step after the span."""
    whole, known = load_home_run(stored, twin), load_scenario(stored, until)  # type: ignore[arg-type]
    run, end = load_home_run(stored, known), twin.split_steps[("train", "valid").index(until)]
    assert run.step.max() < end
    np.testing.assert_array_equal(run.window(0, end), whole.window(0, end))
    assert len(run.nothing_idle) == len(known.calls.arrival_us) < len(twin.calls.arrival_us)
    owner = np.repeat(np.arange(len(twin.apps.app_ids)), np.diff(twin.calls.first_call))
    before = twin.calls.arrival_us < end * twin.world.step_us
    np.testing.assert_array_equal(run.nothing_idle, whole.nothing_idle[before])
    np.testing.assert_array_equal(np.bincount(owner[before], minlength=len(run.first_call) - 1), np.diff(run.first_call))
    assert cut(twin, until).steps == known.steps  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [HOME_FILE, "run.vcpu_us.npy", "run.nothing_idle.npy"])
def test_a_flipped_byte_is_an_error(twin: Scenario, name: str, tmp_path: Path) -> None:
    short = replace(twin, calls=cut(twin, "train").calls)
    folder = save(short, tmp_path)
    record_home(short, folder)
    file = folder / name
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)
    with pytest.raises(ScenarioError, match="its digest is not the one in the description"):
        stored_home(folder, short) if name == HOME_FILE else load_home_run(folder, short)


def test_a_run_at_home_of_another_scenario_or_format_is_an_error(twin: Scenario, stored: Path, tmp_path: Path) -> None:
    folder = save(twin, tmp_path)
    with pytest.raises(ScenarioError, match="there is no run at home"):
        load_home_run(folder, twin)
    np.testing.assert_array_equal(stored_home(folder, twin), stored_home(stored, twin))  # without one the fleet is run
    text = (stored / HOME_DESCRIPTION).read_text(encoding="utf-8")
    (folder / HOME_DESCRIPTION).write_text(text.replace('"format": 4', '"format": 3'), encoding="utf-8")
    with pytest.raises(ScenarioError, match="the run at home has format 3, this version reads format 4"):
        stored_home(folder, twin)
    other = save(replace(twin, family="outage", id="outage-1"), tmp_path)
    (other / HOME_DESCRIPTION).write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match="of another scenario"):
        load_home_run(other, twin)
