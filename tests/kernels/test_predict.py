"""Predictions: the bits of training's forward pass, on any thread, from the current parameters."""

import gc
import threading
import time
import weakref
from unittest import mock

import numpy as np
import pytest

import fastbp
import fastbp_kernels
from fastbp.backends import predictor as module
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.backends.predictor import predictor_of
from fastbp.errors import ConfigError, DataError, WeightsError
from fastbp.network import Network
from forward import check_same_bits, training_logits
from steps import F32_F32, F32_U8, F64_F64, SHAPES, bits, draw_images, draw_network, name_of

ROWS = (1, 2, 3, 4, 5, 8, 63, 64, 65, 130)


def drawn(sizes, pair=F32_F32, rows=7, density=1.0, seed=0):
    rng = np.random.default_rng([seed, rows, *sizes])
    return draw_network(rng, sizes, *pair), draw_images(rng, (rows, sizes[0]), pair[1], density)


def reference_logits(network, images):
    """In float64, by NumPy."""
    values = images.astype(np.float64) * network.input_scale
    for number, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        values = values @ weight.astype(np.float64) + bias
        if number < len(network.weights) - 1:
            values = np.maximum(values, 0)
    return values


# --------------------------------------------------------------------------------------- bits


@pytest.mark.parametrize("pair", [F32_U8, F32_F32, F64_F64], ids=name_of)
@pytest.mark.parametrize("sizes", sorted({shape for shape, _ in SHAPES}), ids=name_of)
def test_logits_have_the_bits_of_training(sizes, pair):
    for rows in ROWS:
        for density in (0.1, 0.5, 1.0):
            check_same_bits(*drawn(sizes, pair, rows, density))


@pytest.mark.parametrize("scale", [1.0, 0.3])
@pytest.mark.parametrize("activation", ["tanh", "logistic", "gelu", "identity", "leaky-relu"])
def test_logits_have_the_bits_of_training_for_other_activations(activation, scale):
    for rows in (1, 3, 4, 66):
        network, images = drawn((65, 100, 33, 10), rows=rows)
        network.activation, network.input_scale = activation, scale
        check_same_bits(network, images)


def test_logits_are_those_of_the_network():
    """Against NumPy, so that the test of the bits does not compare two equal mistakes."""
    for rows in (1, 2, 5, 70):
        network, images = drawn((784, 100, 100, 10), rows=rows)
        found = predictor_of(network).predict(images, network.input_scale).logits
        np.testing.assert_allclose(found, reference_logits(network, images), rtol=0, atol=2e-5)


@pytest.mark.parametrize("pair", [F32_U8, F32_F32], ids=name_of)
def test_the_number_of_threads_changes_no_bit(pair):
    network, images = drawn((784, 100, 100, 10), pair, rows=333)
    found = [predictor_of(network).predict(images, 0.3, threads, checks=True) for threads in (1, 2, 3, 8)]
    assert len({tuple(bits(one.logits, one.answers)) for one in found}) == 1


def test_threads_that_come_too_late_change_nothing():
    network, images = drawn((784, 100, 100, 10), rows=333)
    alone = predictor_of(network).predict(images, 1.0, 1)
    offered = []
    with mock.patch.object(module._TEAM, "offer", lambda call, _: offered.append(call)):
        found = predictor_of(network).predict(images, 1.0, 3)
    assert offered
    before = bits(found.logits, found.answers)
    offered[0]()
    assert bits(found.logits, found.answers) == before == bits(alone.logits, alone.answers)


def test_threads_that_come_share_the_rows():
    """The caller waits for turns that others have taken."""
    network, images = drawn((784, 100, 100, 10), rows=333)
    alone = predictor_of(network).predict(images, 1.0, 1)
    with mock.patch.object(module._TEAM, "offer", lambda call, _: call()):
        found = predictor_of(network).predict(images, 1.0, 2)
    assert bits(found.logits, found.answers) == bits(alone.logits, alone.answers)


def test_threads_of_python_predict_with_one_network_at_once():
    network, images = drawn((784, 100, 100, 10), rows=240)
    expected = predictor_of(network).predict(images, 1.0, 1).logits
    wrong = []

    def work(first):
        for turn in range(60):
            start = (first + 7 * turn) % 200
            found = predictor_of(network).predict(images[start : start + 1 + turn % 9], 1.0)
            if bits(found.logits) != bits(expected[start : start + 1 + turn % 9]):
                wrong.append(start)

    threads = [threading.Thread(target=work, args=(31 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# -------------------------------------------------------------------------------- the network


@pytest.mark.parametrize("rows", [1, 6])
def test_predictions_are_those_of_the_current_parameters(rows):
    network, images = drawn((20, 12, 3), rows=rows)
    network.input_scale = 1.0
    before = network.predict(images)
    for change in (
        lambda: network.weights[0].__imul__(1.5),
        lambda: network.biases[1].__iadd__([0.0, 1.0, -1.0]),
        lambda: network.parameters.__imul__(0.5),
        lambda: setattr(network, "input_scale", 2.0),
        lambda: setattr(network, "activation", "tanh"),
        lambda: setattr(network, "output", "identity"),
    ):
        change()
        after = network.predict(images)
        assert not np.array_equal(before, after)
        np.testing.assert_array_equal(after, network.copy().predict(images))
        before = after


def test_predictions_follow_training():
    network, images = drawn((20, 12, 3), rows=40)
    network.predict(images)
    labels, backend = np.arange(40) % 3, NumbaBackend(1)
    from fastbp.backends.batches import Batches

    backend.train_steps(network, images, labels, Batches(np.arange(40), 8, np.full(5, 0.5)))
    backend.close()
    np.testing.assert_array_equal(network.predict(images), network.copy().predict(images))


def test_replaced_parameters_are_refused():
    network, images = drawn((20, 12, 3))
    network.predict(images)
    network.parameters = network.parameters.copy()
    with pytest.raises(WeightsError, match="replaced"):
        network.predict(images)


def test_an_activation_without_a_kernel_is_refused():
    network, _ = drawn((20, 12, 3))
    predictor_of(network)
    with mock.patch.dict("fastbp.backends.kernel_arguments.ACTIVATIONS", clear=True):
        network.activation = "tanh"
        with pytest.raises(ConfigError, match="tanh has no compiled kernel"):
            predictor_of(network)


def test_networks_are_freed_with_their_predictors():
    network, images = drawn((20, 12, 3))
    network.predict(images)
    gone = weakref.ref(network)
    gc.disable()
    try:
        del network
        assert gone() is None
    finally:
        gc.enable()


def test_copies_have_predictors_of_their_own():
    network, images = drawn((20, 12, 3))
    network.predict(images)
    other = network.copy()
    other.weights[0][...] = 0
    assert not np.array_equal(other.predict(images), network.predict(images))


# --------------------------------------------------------------------------------- the inputs


def with_one(images, value, row, column):
    changed = images.copy()
    changed[row, column] = value
    return changed


@pytest.mark.parametrize("pair", [F32_F32, F64_F64], ids=name_of)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_inputs_that_are_not_finite_are_found(value, pair):
    network, images = drawn((65, 7, 3), pair, rows=130)
    predictor = predictor_of(network)
    assert predictor.predict(images, 1.0, checks=True).is_finite
    for row, column in ((0, 0), (77, 31), (129, 64)):
        assert not predictor.predict(with_one(images, value, row, column), 1.0, checks=True).is_finite
    network, images = drawn((784, 100, 100, 10), pair, rows=300)
    assert not predictor_of(network).predict(with_one(images, value, 299, 783), 1.0, 3, checks=True).is_finite


def test_the_largest_finite_floats_are_finite():
    for pair in (F32_F32, F64_F64):
        network, images = drawn((65, 7, 3), pair)
        images[...] = -np.finfo(pair[1]).max
        assert predictor_of(network).predict(images, 1.0, checks=True).is_finite


@pytest.mark.parametrize(
    ("values", "is_fraction"),
    [((0, 0), False), ((0, 1e-30), True), ((-5, 1), True), ((0, 1.0000001), False), ((-2, -1), False)],
)
def test_fractions_are_told_from_pixels(values, is_fraction):
    for pair in (F32_F32, F64_F64):
        network = drawn((65, 7, 3), pair)[0]
        images = np.full((9, 65), values[0], pair[1])
        images[8, 64] = values[1]
        assert predictor_of(network).predict(images, 1.0, checks=True).is_fraction is is_fraction


def test_arrays_in_any_layout_give_the_same():
    network, images = drawn((20, 12, 3), rows=6)
    expected = network.predict(images)
    frozen = images.copy()
    frozen.flags.writeable = False
    unaligned = np.frombuffer(b"x" + images.tobytes(), np.uint8)[1:].view(np.float32).reshape(6, 20)
    for given in (frozen, np.asfortranarray(images), np.repeat(images, 2, axis=0)[::2], unaligned):
        np.testing.assert_array_equal(network.predict(given), expected)
    np.testing.assert_array_equal(network.predict(images.reshape(6, 4, 5)), expected)
    np.testing.assert_array_equal(network.predict(images[2]), expected[2:3])
    np.testing.assert_array_equal(network.predict(images[2].reshape(4, 5)), expected[2:3])


def test_inputs_that_do_not_fit_are_refused():
    predictor = predictor_of(drawn((20, 12, 3))[0])
    for wrong in (np.zeros((2, 19), np.float32), np.zeros(20, np.float32), np.zeros((2, 20), np.int64)):
        with pytest.raises(DataError, match=r"expected shape \(N, 20\)"):
            predictor.predict(wrong, 1.0)


def test_no_rows_have_no_answers():
    found = predictor_of(drawn((20, 12, 3))[0]).predict(np.zeros((0, 20), np.float32), 1.0)
    assert found.logits.shape == found.answers.shape == (0, 3)


# -------------------------------------------------------------------------------- the answers


@pytest.mark.parametrize("outputs", [1, 2, 8, 9, 33])
@pytest.mark.parametrize("output", ["softmax", "logistic", "identity"])
def test_answers_are_what_logits_stand_for(output, outputs):
    if output == "softmax" and outputs == 1:
        pytest.skip("a softmax of one class is 1")
    network = Network((4, outputs), output=output)
    rng = np.random.default_rng(outputs)
    network.weights[0][...] = rng.normal(size=(4, outputs)) * 20
    images = rng.normal(size=(50, 4)).astype(np.float32)
    found = predictor_of(network).predict(images, 1.0)
    z = found.logits.astype(np.longdouble)
    if output == "softmax":
        powers = np.exp(z - z.max(axis=1, keepdims=True))
        exact = powers / powers.sum(axis=1, keepdims=True)
    else:
        exact = 1 / (1 + np.exp(-z)) if output == "logistic" else z
    np.testing.assert_allclose(found.answers, exact.astype(np.float64), rtol=2e-15, atol=0)


def test_answers_of_huge_logits_are_finite():
    network = Network((1, 3))
    network.weights[0][0] = [3e38, -3e38, 1.0]
    found = predictor_of(network).predict(np.ones((5, 1), np.float32), 1.0).answers
    np.testing.assert_array_equal(found, [[1, 0, 0]] * 5)


def test_evaluation_and_prediction_agree_in_every_bit():
    network, images = drawn((784, 100, 10), F32_U8, rows=130, density=0.3)
    network.input_scale = 1 / 255
    labels = np.arange(130) % 10
    tested = fastbp.test(network, (images, labels), backend="numba")
    assert bits(tested.probabilities) == bits(fastbp.predict(network, images))
    single = [network.predict(image)[0] for image in images]
    assert bits(np.array(single)) == bits(tested.probabilities)
    logits = training_logits(network, images, listed=False)
    assert (tested.predicted == logits.argmax(axis=1)).all()


@pytest.mark.parametrize("threads", [0, -1])
def test_fewer_threads_than_one_are_one(threads):
    network, images = drawn((784, 300, 10), rows=300)
    one = predictor_of(network).predict(images, 1.0, 1).logits
    assert bits(predictor_of(network).predict(images, 1.0, threads).logits) == bits(one)


def test_an_integer_scale_is_that_of_a_float():
    network, images = drawn((20, 12, 3))
    expected = network.predict(images)
    compiled = fastbp_kernels.compiled_count()
    network.input_scale = 1
    found = network.predict(images)
    assert fastbp_kernels.compiled_count() == compiled, "an integer compiled the kernel again"
    assert bits(found) != bits(expected)


def test_float64_inputs_of_a_float32_network_have_the_same_bits_everywhere():
    network, images = drawn((90, 40, 3), F32_F32, rows=200, density=0.7)
    network.input_scale, images = 0.3, images.astype(np.float64) * 1.1
    predictor = predictor_of(network)
    whole = predictor.predict(images, 0.3, 1).logits
    for threads in (2, 3):
        assert bits(predictor.predict(images, 0.3, threads).logits) == bits(whole)
    rows = [predictor.predict(images[i : i + 1], 0.3, 1).logits for i in range(20)]
    assert bits(np.concatenate(rows)) == bits(whole[:20])


def test_a_team_keeps_nothing_of_what_it_has_worked_on():
    network, images = drawn((784, 300, 10), rows=600)
    network.predict(images)
    gone = weakref.ref(predictor_of(network))
    del network
    for _ in range(200):  # the threads of the team end their turns meanwhile
        if gone() is None:
            break
        time.sleep(0.01)
    assert gone() is None


def test_a_prediction_needs_no_second_thread():
    network, images = drawn((784, 300, 10), rows=600)
    expected = predictor_of(network).predict(images, 1.0, 1).logits
    with (
        mock.patch.object(module, "_TEAM", fastbp_kernels.Team(3)),
        mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")),
    ):
        found = predictor_of(network).predict(images, 1.0, 3).logits
    assert bits(found) == bits(expected)
