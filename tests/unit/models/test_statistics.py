from __future__ import annotations

import numpy as np
import pytest

from models import statistics as st


def test_holm_by_hand() -> None:
    assert st.holm([0.01, 0.04, 0.03, np.nan]).tolist()[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert np.isnan(st.holm([0.01, np.nan])[1])
    assert st.holm([0.6, 0.7]).tolist() == [1.0, 1.0]


def test_paired_by_hand() -> None:
    found = st.paired([[3.0, 5.0, 7.0]], [[1.0, 2.0, 3.0]])  # differences 2, 3, 4
    assert found.difference.value == 3.0
    assert found.difference.low == pytest.approx(3.0 - 4.302653 / np.sqrt(3), rel=1e-6)
    assert found.p_t == pytest.approx(0.0351, abs=1e-3)
    assert found.p_wilcoxon == pytest.approx(0.25)


def test_paired_pairs_by_scenario_not_by_order_of_size() -> None:
    a, b = np.array([[1.0, 10.0, 100.0]]), np.array([[0.0, 9.0, 99.0]])
    assert st.paired(a, b).difference.high - st.paired(a, b).difference.low == pytest.approx(0.0)
    assert st.paired(a, b[:, ::-1]).difference.high > 50


def test_no_difference_is_no_effect() -> None:
    x = [[1.0, 2.0, 3.0, 4.0]]
    found = st.paired(x, x)
    assert (found.difference.low, found.difference.high, found.p_t, found.p_wilcoxon) == (0.0, 0.0, 1.0, 1.0)
    assert st.cliffs_delta(x, x) == 0.0
    assert st.probability_of_improvement(x, x) == 0.5


def test_effect_sizes_by_hand() -> None:
    assert st.cohens_d([[1.0, 2.0, 3.0]], [[2.0, 3.0, 4.0]]) == pytest.approx(-1.0)
    assert st.cliffs_delta([[1.0, 2.0]], [[2.0, 3.0]]) == pytest.approx(-0.75)
    assert st.mann_whitney([[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]) == pytest.approx((0.0, 0.1))
    assert st.probability_of_improvement([[1.0, 5.0], [2.0, 6.0]], [[1.5, 7.0]]) == pytest.approx(0.75)


def test_interquartile_mean_by_hand() -> None:
    assert st.interquartile_mean([[1.0, 2.0, 3.0, 100.0]]).value == 2.5
    assert st.interquartile_mean(np.arange(6.0)).value == pytest.approx(2.5)


def test_resampled_means_are_means_of_sampled_rows_and_columns() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(5, 1, (3, 4)), rng.normal(9, 2, (3, 4))
    again = np.random.Generator(np.random.PCG64(st.BOOTSTRAP_SEED))
    rows, columns = again.integers(0, 3, (200, 3)), again.integers(0, 4, (200, 4))
    for value, found in zip((x, y), st._resampled_means(200, x, y), strict=True):
        assert found == pytest.approx([value[np.ix_(r, c)].mean() for r, c in zip(rows, columns, strict=True)])


def test_bootstrap_covers_and_grows_with_the_level() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        found = st.bootstrap_mean(rng.normal(5.0, 2.0, (1, 25)), draws=400)
        hits += found.low <= 5.0 <= found.high
    assert 175 <= hits <= 198  # 95 % nominal, a little less for 25 replicates
    x = rng.normal(0, 1, (3, 12))
    narrow, wide = st.bootstrap_mean(x, 0.8), st.bootstrap_mean(x, 0.99)
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_seeds_are_not_scenarios() -> None:
    """Ten seeds on three scenarios leave the spread of three scenarios, not of thirty runs."""
    scenario_effect = np.array([0.0, 5.0, 10.0])
    crossed = st.bootstrap_mean(np.tile(scenario_effect, (10, 1)))
    assert crossed.high - crossed.low > 6.0


def test_ratio_of_means_is_not_the_mean_of_ratios() -> None:
    found = st.ratio_of_means([[1.0, 1.0, 4.0]], [[1.0, 2.0, 9.0]])
    assert found.value == pytest.approx(0.5)
    assert found.low <= 0.5 <= found.high
    assert np.isnan(st.ratio_of_means([[1.0, 2.0]], [[2.0, 2.0]]).low)


@pytest.mark.parametrize("bad", [[], [[1.0, np.nan]], np.zeros((2, 2, 2))])
def test_bad_values_are_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="need finite values"):
        st.bootstrap_mean(bad)  # type: ignore[arg-type]


def test_histogram_quantiles_come_within_a_bin() -> None:
    edges = np.rint(1000.0 * 2.0 ** (np.arange(73) / 4)).astype(np.int64)
    values = np.random.default_rng(3).lognormal(12.0, 1.5, 50_000)
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    found = st.histogram_quantiles(counts, edges, [0.5, 0.95, 0.99])
    assert found == pytest.approx(np.quantile(values, [0.5, 0.95, 0.99]), rel=0.06)
    assert np.isnan(st.histogram_quantiles(np.zeros((2, len(edges) + 1), int), edges, [0.5])).all()
