"""The entries with and without options: the same bits, and a plain run compiles little."""

import json
from unittest import mock

import numpy as np
import pytest

from fastbp.backends import kernel_arguments, numba_backend
from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.recipe.optimizers import Optimizer
from fastbp.recipe.step_options import StepOptions
from steps import F32_F32, F32_U8, bits, draw_images, draw_network, forced, output, python

MOST_PARTS = 72
"""Functions that a plain run may compile: 69 now, 17 of them for lists of hidden units and panels."""

COUNT = """
import json
from fastbp_kernels.linking import Entry
names, compile_extra = [], Entry.compile_extra
def counted(self, function):
    names.append(function.__name__)
    return compile_extra(self, function)
Entry.compile_extra = counted
from test_cache import train
train()
print(json.dumps(names))
"""
OPTIONAL = {
    "activate",
    "apply_rule",
    "distort",
    "drop_inputs",
    "drop_outputs",
    "losses_of_targets",
    "normalize_layer",
    "read_coefficients",
    "update_parameters",
    "weighted_cross_entropy",
}


def draw(pair):
    rng = np.random.default_rng(11)
    network = draw_network(rng, (67, 100, 17, 10), *pair)
    return network, draw_images(rng, (61, 67), pair[1], 0.4), rng.integers(0, 10, 61)


def results(pair, threads):
    """Trained parameters, figures, evaluation and logits of the entry that is chosen."""
    network, images, labels = draw(pair)
    backend = NumbaBackend(threads)
    figures = backend.train_steps(network, images, labels, Batches(np.arange(61), 13, np.full(5, 0.1)))
    loss = np.array(backend.evaluate(network, images, labels))
    found = bits(network.parameters, *figures, loss, backend.logits(network, images))
    backend.close()
    return found


@pytest.mark.parametrize("pair", [F32_U8, F32_F32], ids="-".join)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("listed", [True, False], ids=["lists", "rows"])
def test_the_entry_with_options_gives_the_bits_of_the_plain_one(pair, threads, listed):
    with forced(listed):
        plain = results(pair, threads)
        with (
            mock.patch.object(kernel_arguments, "takes_options", return_value=True) as asked,
            mock.patch.object(numba_backend, "takes_options", return_value=True),
        ):
            assert results(pair, threads) == plain
    assert asked.called


def test_inference_uses_the_entry_that_training_has_loaded(monkeypatch):
    network, images, labels = draw(F32_U8)
    monkeypatch.setattr(numba_backend, "_WARM", set())
    backend = NumbaBackend(1)
    options = StepOptions(optimizer=Optimizer(network, "adamw"))
    backend.train_steps(network, images, labels, Batches(np.arange(61), 61, np.full(1, 0.1)), options)
    backend.evaluate(network, images, labels)
    assert {(network.dtype, images.dtype, False, True)} == numba_backend._WARM
    numba_backend._WARM.clear()
    backend.evaluate(network, images, labels)
    assert {(network.dtype, images.dtype, False, False)} == numba_backend._WARM
    backend.close()


def test_a_plain_run_compiles_none_of_the_options(tmp_path):
    names = json.loads(output(python(COUNT, FASTBP_CACHE_DIR=str(tmp_path))))
    assert "run_batches" in names
    assert not OPTIONAL & set(names)
    assert len(names) <= MOST_PARTS
