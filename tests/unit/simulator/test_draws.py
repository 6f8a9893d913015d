"""Draws keyed by names: shares, order of the alternatives, alternatives that come and go."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.draws import choose, named_seed

NAMES = ("iad", "fra", "lhr", "nrt")
SHARES = np.array([0.5, 0.3, 0.2, 0.0])
IDS = np.arange(20_000, dtype=np.int64) * 7919


def test_shares_are_hit_within_three_sigma() -> None:
    chosen = choose(3, IDS, 20, NAMES, SHARES)
    for k, share in enumerate(SHARES):
        sigma = np.sqrt(len(IDS) * share * (1 - share))
        assert abs((chosen == k).sum() - len(IDS) * share) <= 3 * sigma


@pytest.mark.parametrize("order", [(3, 2, 1, 0), (1, 3, 0, 2)])
def test_the_order_of_the_alternatives_moves_no_choice(order: tuple[int, ...]) -> None:
    first = np.array(NAMES)[choose(3, IDS, 20, NAMES, SHARES)]
    names = tuple(NAMES[k] for k in order)
    assert (np.array(names)[choose(3, IDS, 20, names, SHARES[list(order)])] == first).all()


def test_a_new_alternative_changes_only_what_it_wins() -> None:
    before = choose(3, IDS, 20, NAMES[:2], SHARES[:2])
    after = choose(3, IDS, 20, NAMES[:3], SHARES[:3])
    assert (after[after != 2] == before[after != 2]).all()
    assert (after == 2).any()


def test_shares_may_differ_between_ids() -> None:
    shares = np.where(np.arange(len(IDS))[:, None] % 2 == 0, [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5])
    chosen = choose(3, IDS, 20, NAMES, shares)
    assert set(chosen[::2]) == {0}
    assert set(chosen[1::2]) == {2, 3}


def test_seed_stream_and_name_all_matter() -> None:
    base = choose(3, IDS, 20, NAMES, SHARES)
    assert (choose(4, IDS, 20, NAMES, SHARES) != base).mean() > 0.5
    assert (choose(3, IDS, 21, NAMES, SHARES) != base).mean() > 0.5
    assert len({named_seed(seed, name) for seed in range(50) for name in NAMES}) == 200
