"""Every number of the page equals sums over indices to 1e-12, and every gradient its differences."""

import base64
import re

import numpy as np
import pytest

from one_step import FORMULAS, close, one_step

RATE = 0.1
EVERYTHING = """
const { example } = explained;
const plain = (arrays) => arrays.map((array) => {
  const bytes = new Uint8Array(Float64Array.from(array).buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
});
return {
  inputs: plain(example.pass.inputs), sums: plain(example.pass.sums), d_z: plain(example.gradient.dSums),
  d_weights: plain(example.gradient.layers.map((layer) => layer.weights)),
  d_biases: plain(example.gradient.layers.map((layer) => layer.biases)),
  p: plain([example.labels.flatMap((_, sample) => [...example.probabilities(sample)])]),
  losses: plain([example.losses]),
  ends: plain([[example.loss, example.after(arguments[0]).loss]]),
  shown: [document.querySelector(".large").dataset.value, explained.update.table.dataset.after].map(Number),
  logits: Array.from(document.querySelectorAll("#logits .row"), (row) => Number(row.dataset.value)),
  difference: explained.difference,
};
"""
CASES = [
    ((784, 24, 10), "relu", 1),
    ((784, 10), "relu", 1),
    ((49, 12, 11, 9, 4), "tanh", 5),
    ((49, 12, 3), "leaky-relu", 64),
    ((30, 8, 5), "logistic", 3),
    ((30, 8, 7, 5), "gelu", 3),
    ((30, 8, 5), "silu", 2),
    ((30, 8, 5), "identity", 2),
    ((12, 1, 2), "relu", 7),
]


def doubles(texts):
    return [np.frombuffer(base64.b64decode(text), "<f8") for text in texts]


def check_everything(page, network, x, labels):
    right = one_step(network.weights, network.biases, x, labels, network.activation, RATE)
    found = page.run(EVERYTHING, RATE)
    for name in ("inputs", "sums", "d_z", "d_weights", "d_biases"):
        for mine, theirs in zip(doubles(found[name]), right[name], strict=True):
            close(mine, theirs)
    for name in ("p", "losses"):
        close(doubles(found[name])[0], right[name])
    ends = [right["loss"], right["after"]]
    close(doubles(found["ends"])[0], ends)
    close(found["shown"], ends)
    close(found["logits"], right["sums"][-1][0])
    assert 0 <= found["difference"] < 1e-12
    return right


@pytest.mark.parametrize(("sizes", "activation", "count"), CASES)
def test_every_number(page, explain, networks, sizes, activation, count):
    network, samples = networks(sizes, activation, count)
    shown = explain(network, samples)
    check_everything(page, shown, samples.x, samples.labels)


def test_every_activation_is_among_the_cases():
    assert {activation for _, activation, _ in CASES} == set(FORMULAS)


def test_another_label(page, explain, networks):
    network, samples = networks((49, 12, 11, 4), "tanh", 3)
    shown = explain(network, samples)
    labels = samples.labels.copy()
    labels[0] = (labels[0] + 1) % 4
    page.run(
        "const select = document.getElementById('label'); select.value = arguments[0];"
        "select.dispatchEvent(new Event('change'))",
        str(labels[0]),
    )
    right = check_everything(page, shown, samples.x, labels)
    assert right["loss"] != pytest.approx(
        one_step(shown.weights, shown.biases, samples.x, samples.labels, "tanh", 1)["loss"]
    )


def test_wide_layers_and_float16(page, explain, networks):
    network, samples = networks((784, 800, 800, 10), "relu", 1)
    shown = explain(network, samples)
    assert page.path.stat().st_size < 4_000_000
    assert "rounded to float16" in page.find("#note").text
    assert (shown.weights[0] == network.weights[0].astype(np.float16)).all()
    check_everything(page, shown, samples.x, samples.labels)


@pytest.mark.parametrize("rate", [1e-3, 0.1, 3.0, 50.0])
def test_the_curve_is_the_loss_after_an_update(page, explain, networks, rate):
    network, samples = networks((49, 12, 4), "tanh", 6)
    shown = explain(network, samples)
    page.driver.execute_async_script(
        "const done = arguments[0]; const wait = () => explained.update.curve.points.length < 61 ?"
        "setTimeout(wait, 5) : done(); wait()"
    )
    power, loss = page.run(
        "return explained.update.curve.points.reduce((a, b) =>"
        "Math.abs(b[0] - arguments[0]) < Math.abs(a[0] - arguments[0]) ? b : a)",
        np.log10(rate),
    )
    right = one_step(shown.weights, shown.biases, samples.x, samples.labels, "tanh", 10**power)
    close(loss, right["after"])


@pytest.mark.parametrize(("sizes", "activation", "count"), CASES)
def test_gradients_are_slopes(page, explain, networks, sizes, activation, count):
    explain(*networks(sizes, activation, count))
    before = page.run("return Array.from(explained.example.network.parameters)")
    found = page.run(
        """
        const found = [];
        explained.example.network.layers.forEach(({ fanIn, fanOut }, layer) => {
          for (let i = 0; i < 60; i++) {
            const row = i % 6 === 0 ? null : (i * 37) % fanIn;
            found.push(explained.proof.differences.of(layer, row, (i * 7) % fanOut));
          }
        });
        return found.map(({ derivative, slope, digits, kinks }) => [derivative, slope, digits ?? 99, kinks]);
        """
    )
    plain = [row for row in found if row[3] == 0]
    largest = max(abs(derivative) for derivative, *_ in plain)
    assert len(plain) > 0.9 * len(found)
    assert largest > 1e-3
    for derivative, slope, digits, _ in plain:
        assert abs(derivative - slope) <= 1e-8 * largest
        if abs(derivative) > 1e-3 * largest:
            assert digits >= 6
    assert page.run("return Array.from(explained.example.network.parameters)") == before


def test_a_kink_within_the_step_is_told(page, explain, networks):
    network, samples = networks((49, 3, 4), "relu", 1)
    inputs = samples.x[0]
    # The unit's sum is 0 to rounding: the loss has a slope on either side, and none at w.
    network.biases[0][1] = 0
    network.biases[0][1] = -(inputs @ network.weights[0].astype(np.float64)[:, 1])
    explain(network, samples)
    kinks = page.run("return explained.proof.differences.of(0, null, 1).kinks")
    assert kinks == 1
    page.run("explained.chooseWeight(0, null, 1)")
    assert "A kink lies within the step (1 of the sums change sign)" in page.find("#proof .verdict").text
    assert page.run("return explained.proof.differences.of(0, null, 0).kinks") == 0


@pytest.mark.parametrize("surer", [20, 28, 45])
def test_a_sure_sample(page, explain, networks, surer):
    """1 - p is down to 1e-19, and every digit of the loss and of the gradients is there all the same."""
    network, samples = networks((49, 12, 4), "tanh", 1)
    network.biases[-1][samples.labels[0]] += surer
    shown = explain(network, samples)
    right = check_everything(page, shown, samples.x, samples.labels)
    assert 0 < right["loss"] < 1e-7
    for unit in range(4):
        found = page.run("return explained.proof.differences.of(1, 2, arguments[0])", unit)
        assert found["digits"] >= 6
    told = page.find("#checked").text
    assert re.search("differ by at most [0-9.]+e\N{MINUS SIGN}1[3-9] |equal to the", told)


def test_the_losses_of_a_proof_are_those_of_its_step(page, explain, networks):
    network, samples = networks((49, 6, 4), "tanh", 3)
    shown = explain(network, samples)
    row, unit = 2, 1
    found = page.run("return explained.proof.differences.of(1, arguments[0], arguments[1])", row, unit)
    assert abs(found["derivative"]) > 1e-4
    for loss, sign in zip(found["losses"], (-1, 1), strict=True):
        weights = [weight.astype(np.float64) for weight in shown.weights]
        weights[1][row, unit] += sign * found["h"]
        right = one_step(weights, shown.biases, samples.x, samples.labels, "tanh", 1)["loss"]
        assert loss == pytest.approx(right, rel=1e-13, abs=0)


def test_the_step_of_a_proof_suits_the_weight_and_its_input(page, explain, networks):
    network, samples = networks((49, 6, 4), "relu", 1)
    network.weights[0][:, 0], network.biases[0][0] = 0, 64  # the unit puts out 64
    network.weights[0][5, 3] = 1000
    explain(network, samples)
    steps = [(1, 0, 1), (0, 5, 3), (0, 5, 2)]
    found = [page.run("return explained.proof.differences.of(...arguments[0]).h", place) for place in steps]
    assert found == [2**-23, 2**-7, 2**-17]


def test_digits_that_agree_are_whole_ones(page, explain, networks):
    explain(*networks((49, 6, 4)))
    pairs = [(1, 1.00011), (1, 1.00009), (-2, -2), (1, -1), (1e-3, 1.5e-3)]
    assert page.run("return arguments[0].map(([a, b]) => agreement(a, b))", pairs) == [3, 4, 15, 0, 0]


def test_words_about_a_hundred(page, explain, networks):
    """Rows are named W[row, unit]; where the loss has a kink, digits that differ are no fault."""
    explain(*networks((49, 6, 4)))
    script = """
      const common = { number: 0, row: 7, unit: 2, derivative: 1, slope: 1, digits: 9, kinks: 0 };
      const kinked = { ...common, row: null, slope: 3, digits: 0, kinks: 1 };
      const zero = { ...common, derivative: 0, slope: 0, digits: Infinity };
      const found = [common, kinked, zero];
      return [summaryOf(found), ...Array.from(tableOf(found).rows, ({ cells }) => cells[0].textContent)];
    """
    summary, *names = page.run(script)
    assert names == ["parameter", "W1[7, 2]", "b1[2]", "W1[7, 2]"]
    assert summary == (
        "1 of 3 different parameters: gradients of up to 1 and slopes differ by at most 0. Half agree to "
        "9 digits or more. The worst, W1[7, 2], to 9 digits: its gradient is 1. 1 is exactly 0 both ways. "
        "1 has a kink within the step."
    )


@pytest.mark.parametrize(("sizes", "activation", "count"), [*CASES, ((5, 2), "relu", 1)])
def test_a_hundred_are_different_and_not_zero(page, explain, networks, sizes, activation, count):
    """Zeros are drawn only where fewer than a hundred gradients are not 0, and nothing twice."""
    explain(*networks(sizes, activation, count))
    drawn, layers = page.run(
        "const { layers } = explained.example.gradient; return [drawParameters(layers, 100),"
        "layers.map(({ weights, biases }) => [weights, biases].map((array) => Array.from(array)))]"
    )
    values = []
    for number, row, unit in drawn:
        weights, biases = layers[number]
        fan_out = sizes[number + 1]
        assert 0 <= unit < fan_out
        values.append(biases[unit] if row is None else weights[row * fan_out + unit])
    total = [value for layer in layers for array in layer for value in array]
    assert len({tuple(place) for place in drawn}) == len(drawn) == min(100, len(total))
    nonzero = np.count_nonzero(total)
    assert np.count_nonzero(values) == min(100, nonzero)
    assert {number for number, _, _ in drawn} == set(range(len(layers)))
    zeros = len(total) - nonzero
    told = page.find("#random").text
    assert (f"{zeros:,} of {len(total):,} gradients (" if zeros else "None of the ") in told
