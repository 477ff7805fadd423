"""The pages' backpropagation in a real browser equals the reference path's."""

import numpy as np
import pytest

from fastbp.network import Network
from fastbp.pages.document import activation_functions
from fastbp.reference import general_step
from fastbp.reference.activations import ACTIVATIONS
from fastbp.reference.losses import OUTPUTS
from pages import shared_script

SHAPES = [((7, 3), 1), ((5, 1, 2), 3), ((31, 17, 13, 10), 5), ((784, 37, 10), 11)]
SCRIPTS = ("special.js", "encoding.js", "network.js", "step.js")

RUN = """
const [sizes, activation, type, images, labels, factors, parameters] = arguments;
const Floats = type === "float32" ? Float32Array : Float64Array;
const network = new Network(sizes, activation, Floats.from(parameters));
const count = labels.length;
const [pass, gradient] = [new Pass(network, count), new Gradient(network, count)];
const masks = factors && factors.map((factor) => factor && Floats.from(factor));
pass.inputs[0].set(images);
forward(network, pass, count, masks);
const loss = crossEntropy(pass.logits, labels, count, network.classes, gradient.dSums.at(-1));
backward(network, pass, gradient, count, masks);
const seen = { loss, sums: pass.sums.map((z) => Array.from(z)), block: Array.from(gradient.block) };
descend(network.parameters, gradient.block, 0.5);
return { ...seen, after: Array.from(network.parameters) };
"""


@pytest.fixture(scope="module")
def step(chromium):
    text = "\n".join(
        [shared_script("special.js"), activation_functions(), *map(shared_script, SCRIPTS[1:]), RUN]
    )

    def run(network, x, labels, factors=None):
        plain = np.concatenate([array.ravel() for _, array in network.named_arrays()])
        masks = factors and [factor if factor is None else factor.ravel().tolist() for factor in factors]
        arguments = (x.ravel().tolist(), labels.tolist(), masks, plain.tolist())
        return chromium.execute_script(
            text, network.sizes, network.activation, network.dtype.name, *arguments
        )

    return run


def expected(network, x, labels, factors=None):
    """Loss, sums of all layers, derivatives and parameters after a step, by the reference path."""
    activation = ACTIVATIONS[network.activation]
    activations, slopes, logits = general_step.forward(
        network.weights, network.biases, x, activation, factors
    )
    losses, d_logits = OUTPUTS["softmax"].losses(logits, labels, 0.0, None)
    weights, biases = general_step.backward(network.weights, activations, slopes, d_logits)
    gradient = [array.ravel() for pair in zip(weights, biases, strict=True) for array in pair]
    before = [array.ravel() for pair in zip(network.weights, network.biases, strict=True) for array in pair]
    sums = [a @ w + b for a, w, b in zip(activations, network.weights, network.biases, strict=True)]
    after = [old - network.dtype.type(0.5) * new for old, new in zip(before, gradient, strict=True)]
    return losses.mean(), sums, np.concatenate(gradient), np.concatenate(after)


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dropout", [False, True])
def test_step_is_the_reference_paths(step, activation, dtype, bound, dropout):
    rng = np.random.default_rng(len(activation))
    for sizes, count in SHAPES:
        network = Network(sizes, dtype=dtype, activation=activation)
        for _, array in network.named_arrays():
            array[...] = rng.normal(scale=1 / np.sqrt(sizes[0]), size=array.shape)
        x = (rng.random((count, sizes[0])) * (rng.random((count, sizes[0])) < 0.5)).astype(dtype)
        labels = rng.integers(sizes[-1], size=count)
        factors = None
        if dropout:
            factors = [
                (rng.random((count, size)) < 0.7).astype(dtype) / network.dtype.type(0.7)
                for size in sizes[:-1]
            ]
            factors[0] = None
        loss, sums, gradient, after = expected(network, x, labels, factors)
        found = step(network, x, labels, factors)
        assert found["loss"] == pytest.approx(loss, rel=bound)
        for mine, theirs in zip(found["sums"], sums, strict=True):
            np.testing.assert_allclose(np.array(mine).reshape(theirs.shape), theirs, rtol=bound, atol=bound)
        np.testing.assert_allclose(found["block"], gradient, rtol=bound, atol=bound)
        np.testing.assert_allclose(found["after"], after, rtol=bound, atol=bound)
        assert np.ptp(gradient) > 1e-3
