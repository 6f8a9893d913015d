"""Trees as arrays answer as scikit-learn does; labels and floors of the event head are those of their definition."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from models.operational.boosting import Shape, Trees, entropy, fit_trees, log_loss, read_trees
from models.operational.events import COLUMNS, FAR_STEPS, Collector, EventFloors, EventRules, label
from models.operational.timers import Timers
from simulator.control.baseline import Stay
from simulator.control.features import pools
from simulator.control.loop import Loop, finished, run
from simulator.fleet import Field
from simulator.scenario import Scenario
from tests.worlds.operational_world import timer_world

SHAPE = Shape(trees=20, leaves=8, least_rows=5)


def rows(count: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(count, 4)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] * x[:, 2] > 0.5).astype(np.float64)


def test_trees_answer_as_the_estimator_does() -> None:
    x, y = rows()
    classifier = HistGradientBoostingClassifier(max_iter=30, early_stopping=False).fit(x, y)
    np.testing.assert_allclose(read_trees(classifier).probability(x), classifier.predict_proba(x)[:, 1], rtol=1e-9)
    regressor = HistGradientBoostingRegressor(max_iter=30, early_stopping=False).fit(x, x[:, 0] * 3)
    np.testing.assert_allclose(read_trees(regressor).raw(x), regressor.predict(x), rtol=1e-9, atol=1e-9)


def test_an_ensemble_survives_its_checkpoint() -> None:
    x, y = rows()
    found = fit_trees(x, y, np.ones(len(y)), "log_loss", SHAPE, seed=1)
    again = Trees.of(found.state())
    np.testing.assert_array_equal(found.raw(x), again.raw(x))
    assert log_loss(y, found.probability(x), np.ones(len(y))) < 0.6 * entropy(y, np.ones(len(y)))


def test_a_quantile_is_a_quantile() -> None:
    x, y = np.zeros((4000, 1), np.float32), np.arange(4000) / 4000
    found = fit_trees(x, y, np.ones(4000), "quantile", SHAPE, seed=1, level=0.75)
    assert found.raw(x[:1])[0] == pytest.approx(0.75, abs=0.02)
    assert entropy(np.zeros(3), np.ones(3)) == 0.0


@pytest.fixture(scope="module")
def world() -> Scenario:
    return timer_world(functions=2)


@pytest.fixture(scope="module")
def collected(world: Scenario) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    collector = Collector(3, 1.0, np.random.default_rng(1))
    finished(Loop(world, collector, 1, begin=1000, end=3000))
    return collector.rows()


def test_labels_are_those_of_their_definition(world: Scenario, collected: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    _, pool, step = collected
    flags = np.arange(len(world.calls.arrival_us)) % 3 > 0
    found = label(world, flags, pool, step)
    app = np.repeat(np.arange(3), np.diff(world.calls.first_call))
    own = world.apps.first_function[app] + np.where(app == 0, 0, world.calls.function)  # azure keeps one pool per app
    for i in range(0, len(pool), 97):
        at = world.calls.arrival_us[flags & (own == pool[i])] / 15e6
        near, far = ((at >= step[i] + b) & (at < step[i] + e) for b, e in ((0, 2), (1, FAR_STEPS)))
        assert found[i].tolist() == [near.any(), far.any()]
    assert found.any(axis=0).all()
    assert not found.all()


def test_rows_are_pools_that_may_be_dead(world: Scenario, collected: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    x, pool, _ = collected
    assert x.shape[1] == len(COLUMNS) == 16
    assert np.isfinite(x).all()
    assert (x[:, pools.EXPIRED] > 0.01).all()
    assert 1 not in pool  # the second function of the app on azure has no pool
    assert x[:, -2].max() > 0.9  # a timer that is due


def test_a_head_that_never_expects_anything_leaves_the_timers(world: Scenario) -> None:
    benefit = np.full((3, 3), 1e-3)
    nothing = (lambda x: np.zeros(len(x)), lambda x: np.zeros(len(x)))
    with_head = run(world, EventFloors(nothing, benefit, EventRules()), 1, "test")
    timers = run(world, Timers(benefit), 1, "test")
    assert with_head.out.tobytes() == timers.out.tobytes()
    alone = run(world, EventFloors(nothing, benefit, EventRules(timers=None)), 1, "test")
    assert alone.out.tobytes() == run(world, Stay(), 1, "test").out.tobytes()


def test_a_head_that_expects_everything_keeps_pools_warm_where_it_may(world: Scenario) -> None:
    benefit = np.full((3, 3), 1e-3)
    always = (lambda x: np.ones(len(x)), lambda x: np.ones(len(x)))
    fleet = run(world, EventFloors(always, benefit, EventRules(timers=None)), 1, "test")
    paid = fleet.out[:, :, Field.FLOOR_NANOUSD].sum(axis=1) / (15 * 1e-6 * 1e9)
    assert paid[0] > 0.9 * 2000
    assert paid[1] == pytest.approx(2 * 21, abs=2)  # once after each of 21 runs, for both functions: then the idle life is renewed
    assert paid[2] == 0  # billed in units: the head does not look there
    cheap = run(world, EventFloors(always, benefit * 1e-3, EventRules(timers=None)), 1, "test")
    assert cheap.out[:, :, Field.FLOOR_NANOUSD].sum() == 0
