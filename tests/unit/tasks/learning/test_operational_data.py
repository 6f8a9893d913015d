"""What networks learn from does not depend on the order in which a trace names its apps."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.operational.events import COLUMNS
from models.operational.lstm import LSTMPredictor, LSTMTraining, Settings
from simulator.scenario import cut, save
from simulator.twin.azure2021 import generate_azure2021
from simulator.twin.fleets import twin_scenario
from simulator.workload import Invocations
from tasks.learning.operational_data import RecordedFleet, in_order, read_fleet, rows_of, windows_of
from tasks.world.scenario import finish

SIZE: dict[str, Any] = {"days": 3, "split_steps": (12_000, 14_000, 16_000)}
APPS = 24


def fleet_of(trace: Invocations, folder: Path) -> RecordedFleet:
    scenario = cut(twin_scenario("calm", 1, apps=APPS, trace=trace, **SIZE), "train")
    written = save(scenario, folder)
    finish(scenario, written)
    return read_fleet(written)


@pytest.fixture(scope="module")
def fleets(tmp_path_factory: pytest.TempPathFactory) -> tuple[RecordedFleet, RecordedFleet]:
    """One trace, as it is and with its apps in another order."""
    twin = generate_azure2021(1, 3, APPS, 0.2)
    memory = np.arange(APPS) * 16 + 100
    trace = Invocations(twin.app_ids, twin.function_ids, twin.app, twin.function, twin.arrival_us, twin.duration_us, memory)
    order = np.random.default_rng(1).permutation(APPS)
    place = np.argsort(order)
    other = dataclasses.replace(
        trace, app_ids=tuple(trace.app_ids[i] for i in order), app=place[trace.app], memory_mb=memory[order]
    )  # fmt: skip
    assert list(other.app_ids) != list(trace.app_ids)
    root = tmp_path_factory.mktemp("orders")
    return fleet_of(trace, root / "one"), fleet_of(other, root / "other")


def test_scales_statistics_and_benefits_are_the_same(fleets: tuple[RecordedFleet, RecordedFleet]) -> None:
    one, other = (fleet.known for fleet in fleets)
    for name in ("scale", "benefit_usd", "memory_class"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.inputs.low, other.inputs.low)
    np.testing.assert_array_equal(one.inputs.high, other.inputs.high)
    assert one.inputs.high.max() > 0


def test_windows_targets_and_pools_are_the_same(fleets: tuple[RecordedFleet, RecordedFleet]) -> None:
    one, other = (windows_of(fleet, 800, is_valid=False)[1] for fleet in fleets)
    for name in ("window", "target", "weight", "extra"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    seen, also = (rows_of(fleet, 40, 2000) for fleet in fleets)
    for name in ("x", "window", "event", "weight"):
        np.testing.assert_array_equal(getattr(seen, name), getattr(also, name))
    assert seen.event.any()


def test_windows_of_several_fleets_are_in_order_of_time(fleets: tuple[RecordedFleet, RecordedFleet]) -> None:
    parts = [windows_of(fleet, 400, is_valid=False) for fleet in fleets]
    found = in_order(parts)
    order = np.argsort(np.concatenate([step for step, _ in parts]), kind="stable")
    np.testing.assert_array_equal(found.window, np.concatenate([own.window for _, own in parts])[order])


def test_pools_with_a_clock_are_no_rows(fleets: tuple[RecordedFleet, RecordedFleet]) -> None:
    """The timers decide for them; what a head would learn from them it could not use."""
    seen = rows_of(fleets[0], 40, 2000)
    assert seen.x[:, COLUMNS.index("timer_near")].max() == 0
    assert len(seen.x) > 500


def test_trained_weights_and_predictions_are_the_same(fleets: tuple[RecordedFleet, RecordedFleet]) -> None:
    made = []
    for fleet in fleets:
        train, valid = (windows_of(fleet, 400, is_valid=is_valid)[1] for is_valid in (False, True))
        train, valid = (dataclasses.replace(part, extra=part.extra[:, :0]) for part in (train, valid))
        training = LSTMTraining(Settings(epochs=1), 1, train, valid, "arm")
        list(training.run())
        made.append(LSTMPredictor(training.best).predict(valid.window))
    np.testing.assert_array_equal(*made)
    assert made[0].std() > 0
