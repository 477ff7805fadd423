"""Random draws as pure functions of (seed, stream, epoch): no draw depends on what was
drawn before it.
"""

from __future__ import annotations

import operator
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from .errors import ConfigError

__all__ = [
    "Stream",
    "check_seed",
    "generator",
    "shuffle",
    "shuffle_blocks",
    "shuffles",
    "split",
]

WORD = 2**32
# Constants of NumPy's SeedSequence, after O'Neill's seed_seq.
FIRST_FACTOR, FACTOR = 0x43B0D7E5, 0x931E8875
FIRST_OUT, OUT = 0x8B51F9DD, 0x58F38DED
LEFT, RIGHT = 0xCA01F9DD, 0x4973F715
POOL = 4


class Stream(IntEnum):
    """What a draw is for; draws for one purpose never disturb those for another."""

    WEIGHTS = 0  # epoch = layer
    SPLIT = 1  # epoch = 0 for validation, 1 for the test part of `fastbp.data.tools.split`
    SHUFFLE = 2
    DISTORT = 3
    MEASURE = 4  # epoch = what is measured
    DROPOUT = 5
    IMPORTANCE = 6  # epoch = the column


def check_seed(seed: int) -> int:
    """Return the seed as an ``int``; ConfigError unless 0 <= seed < 2**63."""
    try:
        checked = operator.index(seed)
    except TypeError:
        checked = -1
    if not 0 <= checked < 2**63:
        raise ConfigError(f"seed is {seed!r}; expected a whole number from 0 to 2**63 - 1")
    return checked


def generator(seed: int, stream: int, epoch: int) -> np.random.Generator:
    """Return a fresh generator that depends on its three arguments alone.

    Parameters
    ----------
    seed : 0 <= seed < 2**63
    stream : one of `Stream`
    epoch : >= 0; the layer, for weights

    Raises
    ------
    ConfigError : the seed is out of range
    """
    # Two words of 32 bits for the seed, whatever its size: else a large seed could draw
    # like another stream of a small one.
    high, low = divmod(check_seed(seed), 2**32)
    entropy = [low, high, int(stream), int(epoch)]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))


def shuffle(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """Return a permutation of 0..n-1, (n,): the order in which an epoch visits its
    samples.
    """
    return generator(seed, Stream.SHUFFLE, epoch).permutation(n).astype(np.int64, copy=False)


def shuffles(seed: int, first: int, count: int, n: int) -> NDArray[np.int64]:
    """Return `shuffle` of ``count`` epochs in a row, (count, n), in less time.

    One generator is set to the state of each epoch's; to make one takes longer than to
    shuffle a few hundred rows.
    """
    orders = np.empty((count, n), np.int64)
    if count == 1 or first + count > WORD:
        for number in range(count):
            orders[number] = shuffle(seed, first + number, n)
        return orders
    source = np.random.Philox(key=0)
    draw, fresh = np.random.Generator(source), source.state
    every = np.arange(n, dtype=np.int64)
    for order, key in zip(orders, _keys(seed, Stream.SHUFFLE, first, count), strict=True):
        fresh["state"]["key"] = key
        source.state = fresh
        order[:] = every
        draw.shuffle(order)
    return orders


def shuffle_blocks(seed: int, epoch: int, n: int, block: int, window: int) -> NDArray[np.int64]:
    """Return a permutation of 0..n-1, (n,), that reads few places at a time.

    Blocks of ``block`` consecutive numbers come in random order. Then each ``window``
    numbers in a row, of many blocks, are shuffled among themselves.
    """
    draw = generator(seed, Stream.SHUFFLE, epoch)
    starts = draw.permutation(-(-n // block)) * block
    order = (starts[:, None] + np.arange(block)).ravel().astype(np.int64, copy=False)
    order = order[order < n]
    for first in range(0, n, window):
        draw.shuffle(order[first : first + window])
    return order


def _keys(seed: int, stream: int, first: int, count: int) -> NDArray[np.uint64]:
    """Return the keys of the generators of ``count`` epochs, (count, 2).

    They are ``SeedSequence([low, high, stream, epoch]).generate_state(2, uint64)`` for
    all epochs at once.
    """
    high, low = divmod(check_seed(seed), WORD)
    epochs = np.arange(first, first + count, dtype=np.uint64)
    constant = FIRST_FACTOR

    def hashed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
        nonlocal constant
        value = value ^ np.uint64(constant)
        constant = constant * FACTOR % WORD
        value = value * np.uint64(constant) % np.uint64(WORD)
        return value ^ (value >> np.uint64(16))

    words = [np.full(count, word, np.uint64) for word in (low, high, stream)]
    pool = [hashed(word) for word in [*words, epochs]]
    for source in range(POOL):
        for target in range(POOL):
            if source != target:
                mixed = pool[target] * np.uint64(LEFT) - hashed(pool[source]) * np.uint64(RIGHT)
                mixed = mixed % np.uint64(WORD)
                pool[target] = mixed ^ (mixed >> np.uint64(16))
    constant, outputs = FIRST_OUT, []
    for word in pool:
        value = word ^ np.uint64(constant)
        constant = constant * OUT % WORD
        value = value * np.uint64(constant) % np.uint64(WORD)
        outputs.append(value ^ (value >> np.uint64(16)))
    low_words, high_words = np.stack(outputs[::2]), np.stack(outputs[1::2])
    return np.ascontiguousarray((low_words | high_words << np.uint64(32)).T)


def split(seed: int, n: int, fraction: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw the samples that are kept back for validation.

    Parameters
    ----------
    n : number of samples
    fraction : 0 <= fraction < 1 of them to keep back: ``round(n * fraction)`` samples,
        which may be none

    Returns
    -------
    train_rows, validation_rows : sorted, together every row once

    Raises
    ------
    ConfigError : the fraction is out of range, or leaves no sample to train on
    """
    if not 0 <= fraction < 1:
        raise ConfigError(f"validation fraction is {fraction!r}; expected 0 <= fraction < 1")
    count = round(n * fraction)
    if n - count < 1:
        raise ConfigError(
            f"validation fraction {fraction!r} of {n} samples leaves none to train on; expected one"
        )
    order = generator(seed, Stream.SPLIT, 0).permutation(n).astype(np.int64, copy=False)
    return np.sort(order[count:]), np.sort(order[:count])
