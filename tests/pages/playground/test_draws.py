"""The page's draws: hashes bit for bit the reference path's; its own generator and initial weights."""

import math
import re

import numpy as np
import pytest

from fastbp.network import Network
from fastbp.random import Stream
from fastbp.recipe.dropout import make_dropout
from fastbp.recipe.initializers import SCHEMES, initialize
from fastbp.reference import distortions
from fastbp.reference.dropout import kept
from trained_here import floats

KEYS = [0, 1, 2**32 - 1, 2**32, 0x9E3779B97F4A7C15, 2**63, 2**64 - 1, 0x0123456789ABCDEF]


def halves(key):
    return {"high": key >> 32, "low": key % 2**32}


def test_hash_bit_for_bit(engine):
    script = """
      const [key, numbers] = arguments;
      return numbers.map((number) => {
        draw(key.high, key.low, number);
        const hex = hexOf({ high: WORD[0], low: WORD[1] });
        return [hex, [0, 1, 2, 3].map(quarter), uniformDraw(key.high, key.low, number)];
      });
    """
    numbers = [0, 1, 2, 3, 255, 256, 65535, 65536, (1 << 20) + 391, (1 << 21) + 783, 2**31, 2**32 - 2]
    for key in KEYS:
        for number, (word, parts, uniform) in zip(
            numbers, engine.run(script, halves(key), numbers), strict=True
        ):
            theirs = int(distortions.draws(key, number, 1)[0])
            assert int(word, 16) == theirs
            assert parts == distortions.parts(key, number, 1)[0].tolist()
            assert uniform == distortions.uniform(key, number)


def test_sample_state_is_the_references(engine):
    script = """
      draw(arguments[0].high, arguments[0].low, arguments[1]);
      return hexOf({ high: WORD[0], low: WORD[1] });
    """
    for key in KEYS:
        for sample in (0, 7, 9999):
            assert int(engine.run(script, halves(key), sample), 16) == distortions.sample_state(key, sample)


@pytest.mark.parametrize("inputs", [1, 3, 4, 30, 64])
def test_dropout_masks_bit_for_bit(engine, inputs):
    script = """
      const [key, samples, inputs, threshold] = arguments;
      const factors = new Float32Array(samples.length * inputs);
      fillFactors(factors, key, samples, samples.length, inputs, threshold);
      return Array.from(factors);
    """
    samples = np.array([0, 5, 7999, 3])
    drawn = distortions.parts(distortions.sample_state(7, 5), 0, 1)[0, 0]  # kept at this threshold itself
    cases = zip([7, *KEYS], [int(drawn), 1, 100, 6554, 16384, 32768, 58982, 65000, 65535], strict=True)
    for key, threshold in cases:
        mask = kept(key, samples, inputs, threshold)
        factor = np.float32(65536 / (65536 - threshold))
        found = engine.run(script, halves(key), samples.tolist(), inputs, threshold)
        np.testing.assert_array_equal(np.array(found).reshape(4, inputs), mask * factor)


def test_dropout_is_rounded_as_by_fastbp(engine):
    shares = [0, 1e-6, 0.1, 0.25, 0.5, 1.5 / 65536, 2.5 / 65536, 0.999999, 1 - 1e-12]
    made = [make_dropout(0, share, 2) for share in shares]
    expected = [0 if dropout is None else int(dropout.thresholds[1]) for dropout in made]
    assert engine.run("return arguments[0].map(dropThreshold)", shares) == expected


def drawn(engine, method, count, *about):
    script = f"""
      const random = new Random(...arguments[0]);
      return packed(Float32Array.from({{ length: {count} }}, () => random.{method}()));
    """
    return floats(engine.run(script, list(about)))


def test_uniform_and_normal_numbers(engine):
    uniform = drawn(engine, "uniform", 40000, 3, 0, 0)
    assert uniform.min() >= 0
    assert uniform.max() <= 1
    assert abs(uniform.mean() - 0.5) < 5 * math.sqrt(1 / 12 / 40000)
    assert np.bincount((uniform * 10).astype(int).clip(max=9)).min() > 3700
    normal = drawn(engine, "normal", 40000, 3, 0, 0)
    assert abs(normal.mean()) < 5 / 200
    assert abs(normal.std() - 1) < 5 / math.sqrt(2 * 40000)
    assert abs(np.mean(np.abs(normal) < 1) - 0.6827) < 0.012
    assert abs(np.corrcoef(normal[:-1], normal[1:])[0, 1]) < 0.025


def test_draws_differ_by_seed_stream_and_epoch(engine):
    about = [
        (seed, stream, epoch) for seed in (0, 1, 2**32, 2**53 - 1) for stream in (0, 2) for epoch in (0, 1)
    ]
    first = [tuple(drawn(engine, "uniform", 4, *each)) for each in about]
    assert len(set(first)) == len(about)
    assert first[0] == tuple(drawn(engine, "uniform", 4, *about[0]))


def test_permutations(engine):
    script = "return Array.from(new Random(arguments[0], 2, 0).permutation(arguments[1]))"
    for count in (1, 2, 1000):
        found = engine.run(script, 5, count)
        assert sorted(found) == list(range(count))
    assert abs(np.corrcoef(found, range(1000))[0, 1]) < 0.12
    orders = [tuple(engine.run(script, seed, 3)) for seed in range(60)]
    assert len(set(orders)) == 6


def test_streams_are_pythons(engine):
    streams = engine.run("return STREAMS")
    known = {stream.name.lower(): int(stream) for stream in Stream}
    assert {name: number for name, number in streams.items() if name in known} == {
        name: known[name] for name in ("weights", "shuffle", "distort", "dropout")
    }
    assert streams["breaking"] not in known.values()


def test_every_scheme_is_there(engine):
    assert engine.run("return Object.keys(INITIALIZERS)") == list(SCHEMES)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("sizes", [(784, 60, 30, 10), (20, 90, 40, 3)])
def test_initial_weights_have_the_schemes_moments(engine, scheme, sizes):
    script = """
      const [sizes, scheme] = arguments;
      const network = new Network(sizes, "relu", new Float32Array(countOf(sizes)));
      network.layers.forEach(({ biases }) => biases.fill(7));
      initialize(network, scheme, 4);
      return network.layers.map(({ weights, biases }) => [packed(weights), Array.from(biases)]);
    """
    network = Network(sizes)
    initialize(network, scheme, seed=1)
    for theirs, (packed, biases) in zip(network.weights, engine.run(script, sizes, scheme), strict=True):
        mine = floats(packed).reshape(theirs.shape)
        assert set(biases) == {0}
        error = 6 / math.sqrt(theirs.size)  # of moments, in deviations
        assert abs(mine.mean() - theirs.mean()) <= error * theirs.std()
        assert mine.std() == pytest.approx(theirs.std(), rel=error)
        assert_same_kind(mine, theirs, scheme)


def assert_same_kind(mine, theirs, scheme):
    """Bounded, normal or orthogonal like the weights of Python's scheme."""
    if scheme == "orthogonal":
        short = mine.T if mine.shape[0] > mine.shape[1] else mine
        np.testing.assert_allclose(short @ short.T, 2 * np.eye(len(short)), atol=1e-5)
    elif re.search("uniform|zeros", scheme):
        assert mine.min() >= -np.abs(theirs).max() * 1.02 * (scheme != "uniform")
        assert mine.max() <= np.abs(theirs).max() * 1.02
        assert len(np.unique(mine)) > 0.99 * mine.size * (scheme != "zeros")
    else:
        kurtosis = [np.mean(((each - each.mean()) / each.std()) ** 4) for each in (mine, theirs)]
        assert kurtosis[0] == pytest.approx(3, abs=6 * math.sqrt(24 / mine.size) + 0.2)
        assert kurtosis[1] == pytest.approx(3, abs=6 * math.sqrt(24 / mine.size) + 0.2)


def test_layers_and_seeds_draw_differently(engine):
    script = """
      const network = new Network([30, 30, 30], "relu", new Float32Array(countOf([30, 30, 30])));
      initialize(network, "he", arguments[0]);
      return network.layers.map(({ weights }) => weights[0]);
    """
    found = [number for seed in (0, 1) for number in engine.run(script, seed)]
    assert len(set(found)) == 4
