"""Logits as the forward pass of a training step leaves them, beside those of predictions."""

import numpy as np

from fastbp.backends.kernel_arguments import Buffers, inference_run, takes_options
from fastbp.backends.predictor import predictor_of
from fastbp.recipe.step_options import PLAIN
from steps import bits


def training_logits(network, images, *, listed):
    """The last layer's sums in the buffers of the compiled step, where the loss would find them."""
    with_options = takes_options(network, PLAIN)
    run = inference_run(network, images, None, None, len(images), with_options=with_options)
    run = type(run)(run.shape._replace(listed=listed), *list(vars(run).values())[1:])
    buffers = Buffers()
    run.calls(buffers, 1, 0, 1)[0]()
    space = buffers.worker(run.shape, 0, 1).space
    at, row = space.output_at[-1], network.layout[-1, 2]
    sums = space.gradients[at : at + len(images) * row].reshape(len(images), row)
    return np.ascontiguousarray(sums[:, : network.classes])


def check_same_bits(network, images):
    """Predictions have the bits of training's forward pass, by lists and by whole rows."""
    found = predictor_of(network).predict(images, network.input_scale).logits
    for listed in (False, True):
        assert bits(found) == bits(training_logits(network, images, listed=listed)), (network, len(images))
