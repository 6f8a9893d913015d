"""Statistics of comparisons: intervals, paired tests, effect sizes. Not here: what is compared, words for it (the report).

The unit of replication is (training seed x scenario), crossed: arrays are [seeds, scenarios], tests run on scenario means, intervals
resample seeds and scenarios apart (two-way bootstrap). Calls are never the unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64 = NDArray[np.float64]
DRAWS = 10_000
BOOTSTRAP_SEED = 20_230_129


@dataclass(frozen=True)
class Interval:
    """An estimate and its confidence interval; `low` and `high` are NaN where fewer than 3 replicates exist."""

    value: float
    low: float
    high: float
    level: float
    replicates: int


@dataclass(frozen=True)
class PairedTest:
    """A paired comparison over scenarios: mean difference, its t interval, paired t and Wilcoxon p values (NaN below 3 scenarios)."""

    difference: Interval
    p_t: float
    p_wilcoxon: float


def matrix(values: ArrayLike) -> Float64:
    """Return values as float64 [seeds, scenarios]; one dimension is one seed.

    Raises:
        ValueError: more than two dimensions, no value, or a value that is not finite.
    """
    found = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if found.ndim != 2 or found.size == 0 or not np.isfinite(found).all():
        raise ValueError(f"need finite values [seeds, scenarios], got shape {np.shape(values)}")
    return found


def bootstrap_mean(values: ArrayLike, level: float = 0.95, draws: int = DRAWS) -> Interval:
    """Mean and percentile interval by resampling seeds and scenarios (Efron and Tibshirani 1993, chapter 13).

    Args:
        values: [seeds, scenarios].
        level: of confidence.
        draws: bootstrap samples.
    """
    x = matrix(values)
    means = _resampled_means(draws, x)[0] if x.shape[1] >= 3 else None
    return _interval(float(x.mean()), means, level, x.shape[1])


def ratio_of_means(numerator: ArrayLike, denominator: ArrayLike, level: float = 0.95, draws: int = DRAWS) -> Interval:
    """Ratio of two means over the same replicates, with a two-way bootstrap interval.

    Args:
        numerator: [seeds, scenarios].
        denominator: the same replicates.
        level: of confidence.
        draws: bootstrap samples; those with a denominator of 0 count as infinite.
    """
    x, y = matrix(numerator), matrix(denominator)
    if x.shape != y.shape:
        raise ValueError(f"shapes differ: {x.shape} and {y.shape}")
    ratios = None
    if x.shape[1] >= 3:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.divide(*_resampled_means(draws, x, y))
    with np.errstate(divide="ignore", invalid="ignore"):
        return _interval(float(np.divide(x.mean(), y.mean())), ratios, level, x.shape[1])


def paired(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> PairedTest:
    """Compare two arms on the same scenarios: a - b on scenario means.

    Args:
        a: [seeds, scenarios].
        b: the same scenarios; the number of seeds may differ.
        level: of the t interval.
    """
    from scipy import stats

    difference = matrix(a).mean(axis=0) - matrix(b).mean(axis=0)
    n = len(difference)
    mean = float(difference.mean())
    if n < 3:
        return PairedTest(Interval(mean, np.nan, np.nan, level, n), np.nan, np.nan)
    half = float(stats.t.ppf((1 + level) / 2, n - 1) * difference.std(ddof=1) / np.sqrt(n))
    if not difference.any():
        return PairedTest(Interval(mean, mean, mean, level, n), 1.0, 1.0)
    constant = bool(np.ptp(difference) == 0)
    p_t = 0.0 if constant else float(stats.ttest_1samp(difference, 0.0).pvalue)
    return PairedTest(Interval(mean, mean - half, mean + half, level, n), p_t, float(stats.wilcoxon(difference).pvalue))


def mann_whitney(a: ArrayLike, b: ArrayLike) -> tuple[float, float]:
    """Return (U of a, two-sided p) on scenario means (Mann and Whitney 1947)."""
    from scipy import stats

    found = stats.mannwhitneyu(matrix(a).mean(axis=0), matrix(b).mean(axis=0), alternative="two-sided")
    return float(found.statistic), float(found.pvalue)


def cohens_d(a: ArrayLike, b: ArrayLike) -> float:
    """Difference of the means over the pooled standard deviation, on scenario means (Cohen 1988); NaN without spread."""
    x, y = matrix(a).mean(axis=0), matrix(b).mean(axis=0)
    if len(x) + len(y) < 3:
        return float("nan")
    pooled = ((len(x) - 1) * _variance(x) + (len(y) - 1) * _variance(y)) / (len(x) + len(y) - 2)
    return float((x.mean() - y.mean()) / np.sqrt(pooled)) if pooled > 0 else float("nan")


def cliffs_delta(a: ArrayLike, b: ArrayLike) -> float:
    """P(a > b) - P(a < b) over all pairs of scenario means (Cliff 1993), in [-1, 1]."""
    x, y = matrix(a).mean(axis=0), matrix(b).mean(axis=0)
    return float(np.sign(x[:, None] - y[None, :]).mean())


def interquartile_mean(values: ArrayLike, level: float = 0.95, draws: int = DRAWS) -> Interval:
    """Mean of the middle half of all runs; interval by resampling seeds inside each scenario (Agarwal et al., NeurIPS 2021)."""
    x = matrix(values)
    rng = np.random.Generator(np.random.PCG64(BOOTSTRAP_SEED))
    sampled = None
    if x.shape[0] >= 3:
        rows = rng.integers(0, x.shape[0], (draws, *x.shape))
        sampled = np.array([_iqm(np.take_along_axis(x, r, axis=0)) for r in rows])
    return _interval(_iqm(x), sampled, level, x.shape[0])


def probability_of_improvement(a: ArrayLike, b: ArrayLike) -> float:
    """Mean over scenarios of P(a run of a is below a run of b), ties one half (Agarwal et al., NeurIPS 2021); lower is better."""
    x, y = matrix(a), matrix(b)
    below = (x[:, None, :] < y[None, :, :]) + 0.5 * (x[:, None, :] == y[None, :, :])
    return float(below.mean())


def holm(p_values: ArrayLike) -> Float64:
    """Return p values adjusted for multiple tests by Holm (1979), in the order given; NaN stays NaN and does not count."""
    p = np.asarray(p_values, dtype=np.float64)
    out = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return out


def histogram_quantiles(counts: NDArray[np.integer], edges: ArrayLike, quantiles: ArrayLike) -> Float64:
    """Return quantiles of binned values, geometric inside a bin.

    Args:
        counts: [..., bins], of values <= edges[0], (edges[0], edges[1]], ..., > edges[-1].
        edges: [bins - 1], ascending, positive.
        quantiles: [q], in (0, 1).

    Returns:
        float64 [..., q]; NaN where nothing was counted; the last bin, which is open, gives its lower edge.
    """
    e, q = np.asarray(edges, dtype=np.float64), np.asarray(quantiles, dtype=np.float64)
    c = np.asarray(counts, dtype=np.float64)
    low, high = np.concatenate([[e[0] / 2], e]), np.concatenate([e, [e[-1]]])
    cumulative = np.cumsum(c, axis=-1)
    total = cumulative[..., -1:]
    target = q * total
    index = (cumulative[..., None, :] < target[..., :, None]).sum(axis=-1)
    index = np.minimum(index, len(e))
    before = np.take_along_axis(np.concatenate([np.zeros_like(total), cumulative], axis=-1), index, axis=-1)
    inside = np.take_along_axis(c, index, axis=-1)
    share = np.divide(target - before, inside, out=np.zeros_like(before), where=inside > 0)
    found = low[index] * (high[index] / low[index]) ** np.clip(share, 0.0, 1.0)
    return np.where(total > 0, found, np.nan)


def _resampled_means(draws: int, *values: Float64) -> list[Float64]:
    """Means of matrices [seeds, scenarios] of one shape over rows and columns sampled anew, the same for all: float64 [draws] each."""
    rng = np.random.Generator(np.random.PCG64(BOOTSTRAP_SEED))
    times = []  # how often a row, a column is sampled
    for size in values[0].shape:
        sampled = rng.integers(0, size, (draws, size))
        times.append((sampled[:, :, None] == np.arange(size)).sum(axis=1).astype(np.float64))
    rows, columns = times
    return [((rows @ x) * columns).sum(axis=1) / x.size for x in values]


def _interval(value: float, sampled: Float64 | None, level: float, replicates: int) -> Interval:
    if sampled is None:
        return Interval(value, np.nan, np.nan, level, replicates)
    low, high = np.quantile(sampled, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), level, replicates)


def _variance(x: Float64) -> float:
    return float(x.var(ddof=1)) if len(x) > 1 else 0.0


def _iqm(x: Float64) -> float:
    """Mean of the values between the quartiles; the two that straddle a quartile count in part."""
    ordered = np.sort(x, axis=None)
    cut = len(ordered) / 4
    weight = np.clip(np.minimum(np.arange(1, len(ordered) + 1) - cut, len(ordered) - cut - np.arange(len(ordered))), 0.0, 1.0)
    return float((ordered * weight).sum() / weight.sum())
