"""The Python API, and what it refuses before anything runs."""

import json
import math
import signal
import subprocess
import sys

import numpy as np
import pytest

import clusters
import fastbp
from fastbp.callbacks import Callback
from fastbp.data.dataset import Dataset
from fastbp.errors import ConfigError, DataError, DivergenceError, WeightsError

QUICK = {"hidden": (6,), "epochs": 2, "batch_size": 8, "backend": "numpy"}


@pytest.fixture(scope="module")
def result():
    return fastbp.train(clusters.dataset(), hidden=(16,), epochs=20, batch_size=8, backend="numpy")


def test_import_is_light():
    code = (
        "import sys, fastbp; heavy = {'numpy', 'numba', 'polars', 'rich', 'typer'} & set(sys.modules); "
        "assert not heavy, heavy; fastbp.Settings; assert 'numba' not in sys.modules; "
        "fastbp.train; assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_every_public_name_is_there():
    for name in fastbp.__all__:
        assert getattr(fastbp, name) is not None
        assert name in dir(fastbp)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        fastbp.trian  # noqa: B018


def test_train_test_save_load_predict(tmp_path):
    path = clusters.write_npz(tmp_path / "data.npz")
    result = fastbp.train(path, hidden=(16,), epochs=10, batch_size=8)
    assert result.status == "completed"
    assert len(result.history) == 10
    assert result.test_accuracy > 0.9
    folder = result.save(tmp_path / "run")
    network = fastbp.load(folder)
    np.testing.assert_array_equal(network.parameters, result.network.parameters)
    for weights in (network, folder, folder / "weights.safetensors"):
        evaluation = fastbp.test(weights, path)
        assert evaluation.accuracy == result.test_accuracy
        assert evaluation.loss == pytest.approx(result.test_loss, rel=1e-5)
    assert evaluation.matrix.sum() == 60
    assert np.mean(evaluation.predicted == evaluation.labels) == evaluation.accuracy
    images, labels = clusters.arrays(60, seed=1)
    probabilities = fastbp.predict(network, images, backend="numpy")
    assert probabilities.shape == (60, 4)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), evaluation.predicted)
    np.testing.assert_array_equal(probabilities.max(axis=1), evaluation.confidence)
    loss = -np.log(probabilities[np.arange(60), labels]).mean()
    assert loss == pytest.approx(evaluation.loss, rel=1e-9)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int16, np.float16])
def test_arrays_of_many_kinds_are_taken(dtype):
    images, labels = clusters.arrays(60, dtype=np.uint8 if dtype == np.int16 else dtype)
    result = fastbp.train((images.astype(dtype).reshape(60, 4, 5), labels.astype(np.int32)), **QUICK)
    is_byte = np.issubdtype(dtype, np.integer)
    assert result.network.sizes == (20, 6, 4)
    assert result.network.input_scale == (1 / 255 if is_byte else 1.0)
    assert result.settings.data == "arrays"
    assert result.test_accuracy is None


def test_lists_and_strided_arrays_are_taken():
    images, labels = clusters.arrays(60)
    expected = fastbp.train((images, labels), **QUICK).network.parameters
    for given in ((images.tolist(), labels.tolist()), (np.asfortranarray(images), np.repeat(labels, 2)[::2])):
        np.testing.assert_array_equal(fastbp.train(given, **QUICK).network.parameters, expected)


def test_seed_decides_everything():
    data = clusters.dataset()
    first, again, other = (fastbp.train(data, seed=seed, **QUICK).network.parameters for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_float64_arithmetic():
    result = fastbp.train(clusters.dataset(), dtype="float64", **QUICK)
    assert result.network.parameters.dtype == np.float64


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((np.zeros((3, 4), np.uint8),), "a tuple of 1"),
        ((np.zeros(4, np.uint8), [0, 1, 0, 1]), r"images have shape \(4,\)"),
        ((np.zeros((0, 4), np.uint8), []), r"images have shape \(0, 4\)"),
        ((np.zeros((3, 0), np.uint8), [0, 1, 0]), r"images have shape \(3, 0\)"),
        ((np.array([[0.0, 1.0], [0.5, math.nan]]), [0, 1]), "sample 1, pixel 1.*nan"),
        ((np.array([[0.0, 1.0], [math.inf, 0.0]]), [0, 1]), "sample 1, pixel 0.*inf"),
        ((np.array([["a", "b"]]), [0]), "dtype"),
        ((np.full((3, 2, 2), 256), [0, 1, 0]), "sample 0, pixel 0.*256"),
        ((np.zeros((2, 4), np.uint8), [0, 1, 1]), "labels"),
        ((np.zeros((2, 4), np.uint8), ["a", None]), "sample 1: found no value"),
        ((np.zeros((2, 4), np.uint8), ["a", "a"]), "all 'a'"),
        ((np.zeros((2, 4), np.uint8), [0.5, math.nan]), "sample 1: found nan"),
        ("no/such/file", "no/such/file"),
    ],
)
def test_bad_data_are_refused(data, message):
    with pytest.raises(DataError, match=message) as caught:
        fastbp.train(data, **QUICK)
    assert "\n" not in str(caught.value)


def test_dataset_with_a_hole_or_without_labels_is_refused():
    images, labels = clusters.arrays(30, dtype=np.float32)
    images[7, 3] = np.nan
    with pytest.raises(DataError, match="nan"):
        fastbp.train(Dataset(images, labels, (20,), 4, "holey"), **QUICK)
    with pytest.raises(DataError, match="has no labels"):
        fastbp.train(Dataset(np.zeros((3, 4), np.uint8), None, (4,), 0, "bare"), **QUICK)


@pytest.mark.parametrize(
    "setting",
    [
        {"epochs": -1},
        {"batch_size": 0},
        {"learning_rate": -1},
        {"hidden": "x"},
        {"seed": -1},
        {"dtype": "f2"},
    ],
)
def test_bad_settings_are_refused_before_the_data_are_read(setting):
    with pytest.raises(ConfigError, match=f"^{next(iter(setting))} is "):
        fastbp.train("no/such/file", **setting)


def test_validation_that_leaves_nothing_is_refused():
    with pytest.raises(ConfigError, match="leaves none to train on"):
        fastbp.train(clusters.dataset(1), validation=0.9, **QUICK)


def test_divergence_raises_and_carries_the_result():
    with pytest.raises(DivergenceError, match="training diverged in epoch 1") as caught:
        fastbp.train(clusters.dataset(), learning_rate=1e30, **QUICK)
    result = caught.value.result
    assert isinstance(caught.value, fastbp.TrainingDivergedError)
    assert result.status == "diverged"
    assert result.network.is_finite()


def test_ctrl_c_raises_and_carries_the_result(tmp_path):
    class Press(Callback):
        def on_epoch_end(self, record):
            if record.epoch == 2:
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as caught:
        fastbp.train(clusters.write_npz(tmp_path / "d.npz"), callbacks=[Press()], **{**QUICK, "epochs": 9})
    assert isinstance(caught.value, fastbp.TrainingInterruptedError)
    assert len(caught.value.result.history) == 2
    assert caught.value.result.test_accuracy is None  # there are test data, but Ctrl-C wants an end


def test_callbacks_hear_of_compiling_first():
    heard = []

    class Listen(Callback):
        def on_compile_start(self):
            heard.append("start")

        def on_compile_end(self, seconds):
            heard.append(seconds)

        def on_chunk(self, _chunk):
            heard.append("chunk")

    fastbp.train(clusters.dataset(), callbacks=[Listen()], **QUICK)
    assert heard[:3] == ["start", 0.0, "chunk"]


# Testing and predicting on what does not fit


def test_images_of_another_size_are_refused(result):
    with pytest.raises(WeightsError, match="images have 21 pixels, but the network takes 20"):
        fastbp.predict(result.network, np.zeros((2, 21), np.uint8))
    with pytest.raises(WeightsError, match="clusters: images have 21 pixels"):
        fastbp.test(result.network, clusters.dataset(pixels=21))


def test_labels_that_the_network_has_not_are_refused(result):
    with pytest.raises(WeightsError, match="has label 4, but the network has classes 0 to 3"):
        fastbp.test(result.network, clusters.dataset(classes=5))


def test_fewer_classes_will_do(result):
    evaluation = fastbp.test(result.network, clusters.dataset(classes=2))
    assert evaluation.matrix.shape == (4, 4)


def test_images_of_another_kind_are_refused(result):
    floats, _ = clusters.arrays(9, dtype=np.float32)
    with pytest.raises(DataError, match=r"floats up to .*, but the network was trained on 0\.\.255"):
        fastbp.predict(result.network, floats)
    scaled = fastbp.predict(result.network, floats * 255)
    bytes_ = fastbp.predict(result.network, clusters.arrays(9)[0])
    np.testing.assert_allclose(scaled, bytes_, atol=1e-5)
    fastbp.predict(result.network, np.zeros((1, 20)))  # black in either range

    on_floats = fastbp.train(clusters.dataset(dtype=np.float32), **QUICK).network
    with pytest.raises(DataError, match="images are bytes, but the network was trained on floats"):
        fastbp.predict(on_floats, np.zeros((1, 20), np.uint8))


def test_a_row_of_another_length_is_not_taken_for_an_image(result):
    with pytest.raises(DataError, match=r"images have shape \(19,\)"):
        fastbp.predict(result.network, np.zeros(19, np.uint8))


def test_probabilities_survive_huge_logits():
    network = fastbp.Network((2, 3))
    network.weights[0][...] = [[1e30, -1e30, 0], [0, 0, 0]]
    np.testing.assert_array_equal(fastbp.predict(network, [[1.0, 0.0]]), [[1, 0, 0]])


def test_without_labels_there_are_predictions_only(result):
    images, labels = clusters.arrays(40)
    bare = fastbp.test(result.network, Dataset(images, None, (20,), 0, "bare"))
    full = fastbp.test(result.network, Dataset(images, labels, (20,), 4, "full"))
    assert (bare.loss, bare.accuracy, bare.matrix, bare.report, bare.labels) == (None,) * 5
    np.testing.assert_array_equal(bare.predicted, full.predicted)
    assert bare.to_dict() == {
        "data": "bare",
        "samples": 40,
        "names": ["0", "1", "2", "3"],
        "predictions": full.predicted.tolist(),
    }
    assert full.to_dict()["accuracy"] == full.accuracy
    assert np.sum(full.to_dict()["confusion_matrix"]) == 40


def test_what_else_an_evaluation_knows():
    data = clusters.dataset(samples=211, seed=3)
    settings = {"hidden": (5,), "epochs": 1, "learning_rate": 0.05, "backend": "numpy"}
    evaluation = fastbp.test(fastbp.train(clusters.dataset(), **settings).network, data)
    assert evaluation.probabilities.shape == (211, 4)
    right = evaluation.predicted == data.labels
    second = np.argsort(evaluation.probabilities, axis=1)[:, -2]
    assert evaluation.top2 == np.mean(right | (second == data.labels))
    assert evaluation.calibration.counts.sum() == 211
    wrong = np.flatnonzero(~right)
    assert len(wrong), "choose other data: this network makes no mistake"
    mistakes = evaluation.mistakes(3)
    assert [m.row for m in mistakes] == sorted(wrong, key=lambda row: -evaluation.confidence[row])[:3]
    for mistake in mistakes:
        assert (mistake.label, mistake.predicted) == (
            data.labels[mistake.row],
            evaluation.predicted[mistake.row],
        )
        assert mistake.probability == evaluation.probabilities[mistake.row, mistake.label]
        assert mistake.confidence == evaluation.probabilities[mistake.row, mistake.predicted]
    assert json.dumps(evaluation.to_dict(), allow_nan=False)


def test_an_ensemble_is_the_mean_of_probabilities(result):
    data = clusters.dataset(samples=97, seed=5)
    settings = {"hidden": (9,), "epochs": 1, "backend": "numpy", "batch_size": 8}
    networks = [result.network, fastbp.train(clusters.dataset(), seed=6, **settings).network]
    evaluation = fastbp.test_ensemble(networks, data)
    mean = sum(fastbp.predict(network, data.images, backend="numpy") for network in networks) / 2
    np.testing.assert_allclose(evaluation.probabilities, mean, rtol=1e-12)
    assert (evaluation.predicted == mean.argmax(axis=1)).all()
    expected = -np.log(mean[np.arange(97), data.labels]).mean()
    assert evaluation.loss == pytest.approx(expected, rel=1e-9)
    alone = fastbp.test_ensemble([result.network], data)
    assert alone.loss == pytest.approx(fastbp.test(result.network, data).loss, rel=1e-12)


def test_an_ensemble_that_is_none_is_refused(result):
    with pytest.raises(fastbp.WeightsError, match="an ensemble of no networks"):
        fastbp.test_ensemble([], clusters.dataset())
    other = fastbp.train(clusters.dataset(classes=3), hidden=(5,), epochs=1, backend="numpy").network
    with pytest.raises(fastbp.WeightsError, match="an ensemble of 3 and 4 classes"):
        fastbp.test_ensemble([result.network, other], clusters.dataset())


def test_results_and_evaluations_are_shown_in_one_line():
    data = clusters.dataset(103)
    result = fastbp.train(data, hidden=(11, 7), epochs=2, validation=0.1, backend="numpy")
    accuracy = result.history[-1].validation_accuracy
    assert repr(result).startswith("Result(completed, 20-11-7-4, 2 epochs in ")
    assert repr(result).endswith(f" s, validation_accuracy={accuracy:.4f})")
    found = fastbp.test(result.network, data)
    figures = f"accuracy={found.accuracy:.4f}, loss={found.loss:.4g}"
    assert repr(found) == f"Evaluation({data.name}, 103 samples, 4 classes, {figures})"
    with pytest.raises(fastbp.WeightsError, match=r"network is a Result; .*: pass result\.network"):
        fastbp.test(result, data)
    with pytest.raises(fastbp.WeightsError, match=r"network is a Result; .*: pass result\.network"):
        fastbp.predict(result, data.images)
