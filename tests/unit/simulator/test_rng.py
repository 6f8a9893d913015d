"""The random numbers of the world: known values, uniformity, independence of order."""

import numpy as np
from scipy import stats

from simulator import rng


def test_known_words_of_the_worked_example() -> None:
    one = np.array([12345])
    assert int(rng.hash_u64(11, one, 1)[0]) == 11543766937028402152
    assert int(rng.hash_u64(11, one, 2)[0]) == 3091104965042195924


def test_many_seeds_are_mixed_like_one() -> None:
    seeds = np.array([0, 7, 2**32 - 1, 2**63 + 5], dtype=np.uint64)
    assert rng.mixed_seeds(seeds, 3).tolist() == [int(rng.mixed_seed(int(seed), 3)) for seed in seeds]


def test_order_and_batch_do_not_matter() -> None:
    ids = np.arange(1000)
    whole = rng.uniform(3, ids, 5)
    assert np.array_equal(whole[::-1], rng.uniform(3, ids[::-1], 5))
    assert whole[17] == rng.uniform(3, np.array([17]), 5)[0]


def test_streams_and_seeds_differ() -> None:
    ids = np.arange(4000)
    assert abs(np.corrcoef(rng.uniform(1, ids, 1), rng.uniform(1, ids, 2))[0, 1]) < 0.05
    assert abs(np.corrcoef(rng.uniform(1, ids, 1), rng.uniform(2, ids, 1))[0, 1]) < 0.05


def test_draws_follow_their_distributions() -> None:
    ids = np.arange(20_000)
    assert stats.kstest(rng.uniform(7, ids, 1), "uniform").pvalue > 0.001
    assert stats.kstest(rng.normal(7, ids, 1), "norm").pvalue > 0.001


def test_normal_quantile_against_scipy() -> None:
    p = np.concatenate([np.logspace(-12, -2, 50), np.linspace(0.02, 0.98, 99), 1 - np.logspace(-10, -2, 50)])
    assert np.allclose(rng.normal_quantile(p), stats.norm.ppf(p), rtol=2e-8, atol=2e-9)
