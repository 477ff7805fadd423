"""What the page measures of a network, breaks in it, and exports of it."""

import base64
import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

import fastbp
from fastbp import cli
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.callbacks import EpochRecord
from fastbp.network import Network
from fastbp.recipe.plateau import PlateauRate
from fastbp.reference import general_step
from fastbp.reference.activations import ACTIVATIONS
from fastbp.reference.losses import OUTPUTS
from trained_here import choices_of, filled, floats

LEARNER = """
const [choices, steps] = arguments;
const learner = new Learner(IMAGES, choices);
while (learner.trainer.updates < steps) learner.work();
learner.validate();
while (learner.isBusy) learner.work();
const { network } = learner.trainer;
"""


def network_of(data, choices, parameters):
    sizes = (784, *choices["hidden"], len(data["classes"]))
    return filled(Network(sizes, activation=choices["activation"], input_scale=1 / 255), floats(parameters))


@pytest.mark.parametrize(
    "given", [{}, {"activation": "gelu", "hidden": []}, {"dropout": 0.4, "augment": "affine"}]
)
def test_state(engine, digits, data, given):
    choices = choices_of(data, **given)
    script = """
      const state = learner.state(5, IMAGES.image(3));
      state.weights.values = packed(state.weights.values);
      return [state, packed(network.parameters), Array.from(state.drawn)];
    """
    state, parameters, drawn = engine.run(LEARNER + script, choices, 9)
    made = network_of(data, choices, parameters)
    held_out = np.arange(digits.train_count, len(digits.labels))
    loss, accuracy = NumpyBackend().evaluate(made, digits.images, digits.labels, held_out)
    assert state["validation"] == {"loss": pytest.approx(loss, rel=1e-5), "accuracy": pytest.approx(accuracy)}
    probabilities = made.predict(digits.images[held_out])
    predicted = probabilities.argmax(axis=1)
    wrong = held_out[predicted != digits.labels[held_out]]
    assert sorted(each["row"] for each in state["wrong"]) == wrong.tolist()
    assert state["wrongCount"] == len(wrong)
    sureness = [each["probability"] for each in state["wrong"]]
    assert sureness == sorted(sureness, reverse=True)
    for each in state["wrong"]:
        place = each["row"] - held_out[0]
        assert each["label"] == digits.labels[each["row"]] != each["predicted"]
        assert each["predicted"] == predicted[place]
        assert each["probability"] == pytest.approx(probabilities[place].max(), rel=1e-4)
    np.testing.assert_allclose(drawn, made.predict(digits.images[3])[0], atol=1e-5)
    assert (state["updates"], state["samples"], state["epochs"]) == (9, 32 * 8 - 2 * 8 + 32, 2)
    assert state["epoch"] == state["samples"] / 120
    images = floats(state["weights"]["values"]).reshape(5, 784)
    np.testing.assert_array_equal(images, made.weights[0][:, :5].T)


def test_probe_of_every_layer(engine, digits, data):
    choices = choices_of(data)
    script = "return [learner.probe.layers(), packed(network.parameters), learner.probe.count];"
    layers, parameters, count = engine.run(LEARNER + script, choices, 5)
    made = network_of(data, choices, parameters)
    rows = np.arange(digits.train_count, digits.train_count + count)
    x = digits.images[rows].astype(np.float32) * np.float32(1 / 255)
    activations, slopes, logits = general_step.forward(made.weights, made.biases, x, ACTIVATIONS["relu"])
    _, d_logits = OUTPUTS["softmax"].losses(logits, digits.labels[rows], 0.0, None)
    weights, biases = general_step.backward(made.weights, activations, slopes, d_logits)
    signals = [*activations[1:], logits]
    assert len(layers) == 3
    for layer, signal, weight, bias in zip(layers, signals, weights, biases, strict=True):
        assert layer["gradientNorm"] == pytest.approx(np.sqrt((weight**2).sum() + (bias**2).sum()), rel=1e-4)
        found = layer["activations"]
        counts, _ = np.histogram(signal, 30, (found["low"], found["high"]))
        assert np.abs(np.array(found["counts"]) - counts).sum() <= 4  # roundings at the edges
        assert found["high"] >= np.abs(signal).max() > found["high"] / 2
    for layer, signal in zip(layers[:2], signals[:2], strict=True):
        assert layer["off"] == pytest.approx(np.mean(signal == 0), abs=0.001)
        assert layer["dead"] == pytest.approx(np.mean((signal == 0).all(axis=0)))
    assert (layers[2]["off"], layers[2]["dead"]) == (0, 0)
    last = layers[2]["gradients"]
    logs = np.log10(np.abs(d_logits[d_logits != 0]) * count)
    assert np.abs(np.array(last["counts"]) - np.histogram(logs.clip(-12, 3), 30, (-12, 3))[0]).sum() <= 4
    assert sum(layers[0]["gradients"]["counts"]) < count * 24  # zeros are left out


def test_training_figures_fade(engine):
    script = """
      const recent = new Recent();
      const means = [recent.means];
      for (const seen of arguments[0]) {
        recent.add(seen);
        means.push(recent.means);
      }
      return means;
    """
    seen = [{"count": 500, "loss": 2.0, "right": 100}, {"count": 500, "loss": 1.0, "right": 300}]
    seen += [{"count": 10000, "loss": 0.5, "right": 9000}]
    none, first, second, last = engine.run(script, seen)
    assert none == {"loss": None, "accuracy": None}
    assert first == {"loss": pytest.approx(2.0), "accuracy": pytest.approx(0.2)}
    assert 1 < second["loss"] < 1.5
    assert last["loss"] == pytest.approx(0.5, abs=1e-4)
    assert last["accuracy"] == pytest.approx(0.9, abs=1e-4)


def test_points_of_the_curve(engine, data):
    script = "return learner.state(0, null).curve;"
    points = engine.run(LEARNER + script, choices_of(data, batchSize=5, epochs=9), 48)
    epochs = [point["epoch"] for point in points]
    assert epochs == pytest.approx([eighth / 8 for eighth in range(17)])
    validated = [point["epoch"] for point in points if point["validationLoss"] is not None]
    assert validated == [0, 0.125, 0.25, 0.5, 1, 2]
    assert points[0]["loss"] is None
    assert all(point["loss"] > 0 and 0 <= point["accuracy"] <= 1 for point in points[1:])
    assert [point["updates"] for point in points[:4]] == [0, 3, 6, 9]
    seconds = [point["seconds"] for point in points]
    assert seconds == sorted(seconds)


def test_plateaus_follow_the_validation_loss(engine, data):
    script = """
      const [choices] = arguments;
      const learner = new Learner(IMAGES, choices);
      const rates = [];
      let epochs = 0;
      while (!learner.isOver) {
        learner.work();
        if (learner.isBusy || learner.trainer.epochs === epochs) continue;
        epochs = learner.trainer.epochs;
        rates.push(learner.trainer.learningRate);
      }
      const ends = ({ validationLoss, epoch }) => validationLoss !== null && epoch >= 1;
      const losses = learner.curve.filter(ends);
      return [rates, losses.map(({ validationLoss }) => validationLoss), learner.trainer.ended];
    """
    choices = choices_of(data, schedule="plateau", epochs=60, learningRate=0.4, batchSize=60)
    rates, losses, ended = engine.run(script, choices)
    theirs, expected = PlateauRate("plateau", 0.4, 0), []
    for epoch, loss in enumerate(losses, start=1):
        theirs.observe(EpochRecord(epoch, math.nan, math.nan, loss, math.nan, 0.4, 1.0, 0.0))
        expected.append(theirs.rate)
    assert rates == pytest.approx(expected)
    assert rates[-1] < 0.4
    assert ended in ("epochs", "plateau")


TROUBLE = {
    "nothing": ({}, []),
    "zeros": ({"initialization": "zeros"}, ["All units of layer 1 are 0", "The gradient of layer 1 is 0"]),
    "a rate that kills": ({"learningRate": 60}, ["units of layer 1 are 0"]),
    "too small a rate": ({"learningRate": 1e-9}, ["the loss is not below that of a guess, 2.30"]),
}


@pytest.mark.parametrize("case", TROUBLE)
def test_a_network_that_learns_nothing_says_so(engine, data, case):
    given, sentences = TROUBLE[case]
    script = "return learner.state(0, null).trouble;"
    choices = choices_of(data, **{"hidden": [24], "epochs": 30, "learningRate": 0.3, **given})
    found = engine.run(LEARNER + script, choices, 60)
    assert bool(found) == bool(sentences)
    for sentence in sentences:
        assert any(sentence in line for line in found), found


BREAK = """
const [choices, order] = arguments;
const learner = new Learner(IMAGES, choices);
for (let step = 0; step < 5; step++) learner.trainer.step();
const { network } = learner.trainer;
const before = packed(network.parameters);
let text = null;
try {
  learner.break(order);
} catch (error) {
  text = error.message;
}
const after = packed(network.parameters);
while (learner.isBusy) learner.work();
const layers = learner.probe.layers();
for (let step = 0; step < 15; step++) learner.trainer.step();
return { before, after, text, layers, later: learner.probe.layers(), breaks: learner.breaks };
"""


def broken(engine, data, **order):
    choices = choices_of(data, epochs=20, learningRate=0.1)
    found = engine.run(BREAK, choices, order)
    assert found["text"] is None
    before, after = (network_of(data, choices, found[name]) for name in ("before", "after"))
    return before, after, found


def changed(before, after):
    """Names of the arrays that a break has changed."""
    pairs = zip(before.named_arrays(), after.named_arrays(), strict=True)
    return [name for (name, one), (_, other) in pairs if (one != other).any()]


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_break_biases_and_layers(engine, data, layer):
    before, after, _ = broken(engine, data, what="biases", layer=layer)
    assert changed(before, after) == [f"layers.{layer}.bias"]
    assert not after.biases[layer].any()
    before, after, _ = broken(engine, data, what="layer", layer=layer)
    assert changed(before, after) == [f"layers.{layer}.weight", f"layers.{layer}.bias"]
    assert not after.biases[layer].any()
    assert not after.weights[layer].any()


def test_break_a_unit(engine, data):
    before, after, _ = broken(engine, data, what="unit", layer=1, unit=3)
    assert changed(before, after) == ["layers.1.weight", "layers.1.bias"]
    assert not after.weights[1][:, 3].any()
    assert after.biases[1][3] == 0
    others = np.arange(16) != 3
    np.testing.assert_array_equal(before.weights[1][:, others], after.weights[1][:, others])
    np.testing.assert_array_equal(before.biases[1][others], after.biases[1][others])


def test_add_noise_to_weights(engine, data):
    before, after, _ = broken(engine, data, what="noise", layer=0, amount=0.5)
    assert changed(before, after) == ["layers.0.weight"]
    noise = after.weights[0] - before.weights[0]
    assert noise.std() == pytest.approx(0.5 * before.weights[0].std(), rel=0.03)
    assert abs(np.corrcoef(noise.ravel(), before.weights[0].ravel())[0, 1]) < 0.03
    assert changed(*broken(engine, data, what="noise", layer=0, amount=0)[:2]) == []


@pytest.mark.parametrize(("layer", "amount", "count"), [(0, 0.5, 12), (1, 0.25, 4), (1, 1, 16)])
def test_kill_relus_for_good(engine, data, layer, amount, count):
    before, after, found = broken(engine, data, what="kill", layer=layer, amount=amount)
    assert changed(before, after) == [f"layers.{layer}.bias"]
    assert (before.biases[layer] != after.biases[layer]).sum() == count
    size = len(after.biases[layer])
    assert found["layers"][layer]["dead"] >= count / size
    assert found["later"][layer]["dead"] >= count / size


def test_kill_relus_behind_large_biases(engine, data):
    """How far a sum can come depends on the biases before it too."""
    script = """
      const learner = new Learner(IMAGES, arguments[0]);
      learner.trainer.network.layers[0].biases.fill(1e4);
      learner.break({ what: "kill", layer: 1, amount: 1 });
      return learner.probe.layers()[1].dead;
    """
    assert engine.run(script, choices_of(data)) == 1


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (
            {"what": "fire", "layer": 0},
            "break: fire is unknown; expected one of biases, layer, unit, noise, kill",
        ),
        ({"what": "biases", "layer": 3}, "layer: 3; expected a whole number from 0 to 2"),
        ({"what": "unit", "layer": 0, "unit": 24}, "unit: 24; expected a whole number from 0 to 23"),
        ({"what": "kill", "layer": 2, "amount": 0.5}, "the last layer has no ReLUs"),
        ({"what": "kill", "layer": 0, "amount": 2}, "amount: 2; expected 0 to 1"),
        ({"what": "noise", "layer": 0, "amount": "<b>"}, "amount: <b>; expected a number of at least 0"),
    ],
)
def test_what_cannot_be_broken(engine, data, order, text):
    found = engine.run(BREAK, choices_of(data), order)
    assert found["text"].startswith(text)
    assert found["before"] == found["after"]
    assert found["breaks"] == 0


@pytest.mark.parametrize("given", [{}, {"hidden": []}, {"activation": "leaky-relu", "hidden": [30, 20, 10]}])
def test_export_is_a_weights_file(engine, data, tmp_path, given):
    choices = choices_of(data, **given)
    script = """
      const bytes = safetensorsOf(network, choices.activation, IMAGES.version);
      return [packed(network.parameters), packed(new Uint8Array(bytes))];
    """
    parameters, content = engine.run(LEARNER + script, choices, 4)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(base64.b64decode(content))
    loaded, made = fastbp.load(path), network_of(data, choices, parameters)
    assert (loaded.sizes, loaded.activation, loaded.output) == (made.sizes, made.activation, "softmax")
    assert (loaded.input_scale, loaded.dtype) == (1 / 255, np.float32)
    np.testing.assert_array_equal(loaded.parameters, made.parameters)
    result = CliRunner().invoke(cli.app, ["test", str(path), "--json"])
    assert result.exit_code == 0, result.stderr
    assert 0.1 < json.loads(result.stdout)["accuracy"] < 1
    # It is the file that fastbp itself writes, except for the order of names in its header.
    made.save(tmp_path / "own.safetensors")
    assert _content(tmp_path / "own.safetensors") == _content(path)


def _content(path):
    from safetensors import safe_open
    from safetensors.numpy import load_file

    with safe_open(path, framework="np") as file:
        about = file.metadata()
    return about, {name: array.tobytes() for name, array in load_file(path).items()}


def test_weights_that_are_not_finite_are_not_exported(engine, data):
    script = """
      network.parameters[5] = NaN;
      try {
        safetensorsOf(network, "relu", "1");
      } catch (error) {
        return error.message;
      }
    """
    assert "infinite or not a number" in engine.run(LEARNER + script, choices_of(data), 0)
