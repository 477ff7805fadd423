"""The playground's trainer in a browser, and the same steps by the reference path."""

import base64

import numpy as np

from fastbp.backends.batches import Batches
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.network import Network
from fastbp.recipe.dropout import make_dropout
from fastbp.recipe.optimizers import Optimizer
from fastbp.recipe.schedules import learning_rates
from fastbp.recipe.step_options import StepOptions

BOUND = 1e-5

STEPS = """
const [choices, count] = arguments;
const trainer = new Trainer(IMAGES, choices);
const start = packed(trainer.network.parameters);
const steps = [];
for (let number = 0; number < count && trainer.ended === null; number++) {
  const [rate, first] = [trainer.learningRate, (number % trainer.steps) * trainer.batchSize];
  const seen = trainer.step();
  if (seen === null) break;
  const rows = Array.from(trainer.order.slice(first, first + seen.count));
  const images = trainer.distorted && packed(trainer.distorted.slice(0, rows.length * IMAGES.pixels));
  const keys = { keys: trainer.dropKeys.map(hexOf), distortKey: hexOf(trainer.distortKey) };
  steps.push({ ...seen, ...keys, rate, rows, images });
}
const { network, updates, ended } = trainer;
return { start, steps, end: packed(network.parameters), updates, ended };
"""


def floats(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


def filled(network, values):
    """A network with parameters as the page lays them out, without padding."""
    for _, array in network.named_arrays():
        array[...] = values[: array.size].reshape(array.shape)
        values = values[array.size :]
    assert values.size == 0
    return network


def plain(network):
    return np.concatenate([array.ravel() for _, array in network.named_arrays()])


def choices_of(data, **given):
    """The page's first choices, made small and plain, and what a test chooses.

    The rate is one at which losses fall: where they rise, roundings grow with them.
    """
    return {
        **data["choices"],
        "hidden": [24, 16],
        "augment": "none",
        "epochs": 4,
        "learningRate": 0.05,
        **given,
    }


def reference_steps(digits, choices, found):
    """Losses, right ones and parameters after the steps that the page made, by the reference path."""
    sizes = (digits.images.shape[1], *choices["hidden"], len(digits.classes))
    network = filled(
        Network(sizes, activation=choices["activation"], input_scale=1 / 255), floats(found["start"])
    )
    rule = f"momentum:{choices['momentum']}" if choices["momentum"] else "sgd"
    optimizer = Optimizer(network, rule, l2=choices["l2"])
    dropout = make_dropout(0, choices["dropout"], len(sizes) - 1)
    total = choices["epochs"] * -(-digits.train_count // min(choices["batchSize"], digits.train_count))
    losses, right = [], []
    for number, step in enumerate(found["steps"]):
        images, rows = digits.images.copy(), np.array(step["rows"])
        if step["images"]:
            images[rows] = np.frombuffer(base64.b64decode(step["images"]), np.uint8).reshape(len(rows), -1)
        keys = np.array([int(key, 16) for key in step["keys"]], np.uint64)
        options = StepOptions(
            optimizer=None if optimizer.is_plain else optimizer,
            dropout=dropout and type(dropout)(dropout.thresholds, keys),
        )
        rates = learning_rates(choices["schedule"], choices["learningRate"], number, 1, total)
        made = NumpyBackend().train_steps(
            network, images, digits.labels, Batches(rows, len(rows), rates), options
        )
        losses.append(made.losses[0])
        right.append(int(made.correct[0]))
        np.testing.assert_allclose(step["rate"], rates[0], rtol=1e-14)
    return losses, right, plain(network)


def assert_equal_steps(digits, choices, found, count=10):
    """Ten steps of the page are the reference path's, to `BOUND`."""
    assert found["updates"] == count
    losses, right, end = reference_steps(digits, choices, found)
    np.testing.assert_allclose([step["loss"] for step in found["steps"]], losses, rtol=BOUND, atol=BOUND)
    assert [step["right"] for step in found["steps"]] == right
    mine = floats(found["end"])
    np.testing.assert_allclose(mine, end, rtol=BOUND, atol=BOUND * max(1, float(np.abs(end).max())))
    return mine
