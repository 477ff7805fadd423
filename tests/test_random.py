"""Draws depend on (seed, stream, epoch) and on nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp.errors import ConfigError
from fastbp.random import Stream, check_seed, generator, shuffle, shuffle_blocks, shuffles, split

seeds = st.integers(0, 2**63 - 1)
thorough = settings(derandomize=True, deadline=None, max_examples=60)


def test_generator_is_the_documented_one():
    expected = np.random.Generator(np.random.Philox(np.random.SeedSequence([7, 0, 2, 3]))).permutation(100)
    assert (shuffle(7, 3, 100) == expected).all()
    assert (Stream.WEIGHTS, Stream.SPLIT, Stream.SHUFFLE) == (0, 1, 2)


def test_draws_are_those_of_earlier_versions():
    # Written down, so that it shows if a version of NumPy or of ours no longer repeats an old run.
    assert shuffle(0, 0, 10).tolist() == [0, 5, 8, 1, 3, 4, 6, 7, 9, 2]
    assert [rows.tolist() for rows in split(0, 10, 0.3)] == [[1, 2, 3, 4, 5, 7, 9], [0, 6, 8]]


def test_no_two_arguments_draw_alike():
    keys = [
        (seed, stream, epoch)
        for seed in (0, 1, 2, 2**32, 2**32 + 1, 2**63 - 1)
        for stream in Stream
        for epoch in range(4)
    ]
    assert len({generator(*key).bytes(16) for key in keys}) == len(keys)
    assert len({generator(*key).bytes(16) for key in keys * 2}) == len(keys)


def test_global_state_is_neither_read_nor_written():
    np.random.seed(1)  # noqa: NPY002
    before, first = np.random.get_state()[1].tolist(), shuffle(5, 1, 50)  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    assert (shuffle(5, 1, 50) == first).all()
    np.random.seed(1)  # noqa: NPY002
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@thorough
@given(seeds, st.integers(0, 1000), st.integers(0, 300))
def test_shuffle_is_a_permutation(seed, epoch, n):
    order = shuffle(seed, epoch, n)
    assert order.dtype == np.int64
    assert (np.sort(order) == np.arange(n)).all()
    assert (shuffle(seed, epoch, n) == order).all()


@thorough
@given(seeds, st.one_of(st.integers(0, 1000), st.integers(2**32 - 9, 2**32 + 9)), st.integers(0, 300))
def test_shuffles_of_several_epochs_are_those_of_each(seed, first, n):
    # The oracle is NumPy's own SeedSequence, with a generator made anew for each epoch.
    for count in (1, 2, 5):
        orders = shuffles(seed, first, count, n)
        assert orders.dtype == np.int64
        expected = []
        for epoch in range(first, first + count):
            entropy = np.random.SeedSequence([seed % 2**32, seed >> 32, 2, epoch])
            expected.append(np.random.Generator(np.random.Philox(entropy)).permutation(n))
        assert (orders == np.reshape(expected, (count, n))).all()


@thorough
@given(seeds, st.integers(1, 300), st.floats(0, 1, exclude_max=True))
def test_split_shares_out_every_row_once(seed, n, fraction):
    count = round(n * fraction)
    if count == n:
        with pytest.raises(ConfigError, match="none to train on"):
            split(seed, n, fraction)
        return
    train, validation = split(seed, n, fraction)
    assert train.dtype == validation.dtype == np.int64
    assert (len(train), len(validation)) == (n - count, count)
    assert (np.diff(train) > 0).all()
    assert (np.diff(validation) > 0).all()
    assert sorted([*train, *validation]) == list(range(n))


def test_split_differs_by_seed_and_takes_rows_from_everywhere():
    first, second = split(1, 1000, 0.1)[1], split(2, 1000, 0.1)[1]
    assert len(first) == len(second) == 100
    assert (first != second).any()
    for validation in (first, second):
        assert 350 < validation.mean() < 650


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5, float("nan"), float("inf")])
def test_split_refuses_a_fraction_out_of_range(fraction):
    with pytest.raises(ConfigError, match="validation fraction is"):
        split(0, 10, fraction)


@pytest.mark.parametrize(("n", "fraction"), [(0, 0.0), (0, 0.5), (1, 0.9), (3, 0.9)])
def test_split_keeps_a_row_to_train_on(n, fraction):
    with pytest.raises(ConfigError, match=f"of {n} samples leaves none to train on"):
        split(0, n, fraction)


def test_seeds_end_where_they_should():
    assert check_seed(np.int64(2**63 - 1)) == 2**63 - 1
    assert type(check_seed(np.uint8(3))) is int
    for seed in (-1, 2**63, 1.0, "1", None):
        with pytest.raises(ConfigError, match="seed is"):
            check_seed(seed)
        with pytest.raises(ConfigError, match="seed is"):
            generator(seed, 0, 0)


@thorough
@given(seeds, st.integers(0, 1000), st.integers(0, 300), st.integers(1, 20), st.integers(1, 9))
def test_a_shuffle_in_two_levels_is_a_permutation_of_its_own(seed, epoch, n, block, blocks):
    order = shuffle_blocks(seed, epoch, n, block, blocks * block)
    assert order.dtype == np.int64
    assert (np.sort(order) == np.arange(n)).all()
    assert (shuffle_blocks(seed, epoch, n, block, blocks * block) == order).all()


def test_a_shuffle_in_two_levels_stays_in_few_blocks_and_mixes_them():
    order = shuffle_blocks(3, 1, 12_000, 10, 200)
    for first in range(0, 12_000, 200):
        window = order[first : first + 200]
        assert len(set((window // 10).tolist())) == 20
        assert (np.diff(window) == 1).sum() < 15  # in blocks that are not shuffled: 180
    assert (shuffle_blocks(3, 2, 12_000, 10, 200) != order).any()
    assert (shuffle_blocks(4, 1, 12_000, 10, 200) != order).any()
    starts = order[::200] // 10
    assert abs(np.corrcoef(starts, np.arange(60))[0, 1]) < 0.5  # blocks are in random order
    assert shuffle_blocks(0, 0, 10, 3, 6).tolist() == [9, 4, 1, 0, 2, 3, 8, 6, 5, 7]
