"""Arrays that do not fit together end in an error that says how, and leave no crash or nonsense behind."""

import numpy as np
import pytest

import clusters
import fastbp
from fastbp.errors import ConfigError, DataError

IMAGES, LABELS = clusters.arrays(120)
PART = {"data": IMAGES, "target": LABELS}
QUICK = {"hidden": (5,), "epochs": 1, "backend": "numpy"}


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES[:9], np.full(9, 60000), r"the test part has label 60000; expected 0\.\.3"),
        (IMAGES[:9], np.full(9, 4), r"the test part has label 4; expected 0\.\.3"),
        (IMAGES[:9, :7], LABELS[:9], "the test part has 7 pixels an image; expected 20"),
        (np.repeat(IMAGES[:9], 2, axis=1), LABELS[:9], "the test part has 40 pixels an image; expected 20"),
        (IMAGES[:9] / 255, LABELS[:9], "the test part has pixels of float64, the training part of uint8"),
    ],
)
def test_a_test_part_that_does_not_fit_is_refused(images, labels, message):
    with pytest.raises(DataError, match=message):
        fastbp.train({"train": PART, "test": {"data": images, "target": labels}}, **QUICK)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (
            IMAGES,
            LABELS[:100],
            r"labels have shape \(100,\); expected \(120,\), one for each of the 120 images",
        ),
        (np.ma.masked_array(IMAGES, IMAGES > 200), LABELS, "images are a masked array with"),
        (IMAGES, np.ma.masked_array(LABELS, LABELS == 1), "labels are a masked array with"),
    ],
)
def test_arrays_that_are_not_whole_are_refused(images, labels, message):
    with pytest.raises(DataError, match=message):
        fastbp.train((images, labels), **QUICK)


def test_masked_columns_are_refused_too():
    masked = np.ma.masked_array(IMAGES, IMAGES > 200)
    with pytest.raises(DataError, match="masked array"):
        fastbp.train({"data": masked, "target": LABELS}, **QUICK)


def test_a_mask_that_hides_nothing_is_no_reason_to_refuse():
    assert fastbp.train((np.ma.masked_array(IMAGES), LABELS), **QUICK).status == "completed"


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_data_set_is_checked_again_where_it_is_used(backend):
    data = fastbp.Dataset(IMAGES, LABELS.copy(), (20,), 4, "changed")
    data.labels[:] = 60000
    with pytest.raises(DataError, match="60000"):
        fastbp.train(data, **{**QUICK, "backend": backend})


class Vandal(fastbp.Callback):
    """Changes the caller's labels while the run uses them."""

    def __init__(self, labels):
        self.labels = labels

    def on_epoch_end(self, _record):
        self.labels[:] = 60000


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_labels_changed_while_training_change_nothing(backend):
    labels = LABELS.copy()
    quick = {**QUICK, "epochs": 3, "backend": backend}
    expected = fastbp.train((IMAGES, LABELS), **quick)
    result = fastbp.train((IMAGES, labels), callbacks=[Vandal(labels)], **quick)
    np.testing.assert_array_equal(result.network.parameters, expected.network.parameters)


@pytest.mark.parametrize("callbacks", [[print], fastbp.Callback(), [fastbp.Callback], 5])
def test_callbacks_of_another_kind_are_refused(callbacks):
    with pytest.raises(ConfigError, match=r"^callbacks "):
        fastbp.train((IMAGES, LABELS), callbacks=callbacks, **QUICK)


def test_predict_takes_a_run_folder_and_a_single_image(tmp_path):
    result = fastbp.train((IMAGES.reshape(-1, 4, 5), LABELS), **QUICK)
    result.save(tmp_path / "run")
    expected = fastbp.predict(result.network, IMAGES[:1])
    for image in (IMAGES[0], IMAGES[0].reshape(4, 5), IMAGES[:1].reshape(1, 4, 5)):
        np.testing.assert_array_equal(fastbp.predict(tmp_path / "run", image), expected)


def test_masked_weights_and_lists_of_masked_images_are_refused():
    with pytest.raises(DataError, match="sample_weight is a masked array"):
        fastbp.train((IMAGES, LABELS), sample_weight=np.ma.masked_array(np.ones(120), LABELS == 1), **QUICK)
    masked = [np.ma.masked_array(image, image > 200) for image in IMAGES]
    with pytest.raises(DataError, match="images are a masked array"):
        fastbp.train({"images": masked, "label": LABELS}, **QUICK)


def test_test_labels_changed_while_training_change_nothing():
    test_labels = LABELS[:20].copy()
    data = {"train": PART, "test": {"data": IMAGES[:20], "target": test_labels}}
    expected = fastbp.train(data, **QUICK)
    result = fastbp.train(data, callbacks=[Vandal(test_labels)], **QUICK)
    assert result.test_loss == expected.test_loss


@pytest.mark.parametrize("weight", [1e38, 1e308, 1e-46, 1e-320])
def test_weights_that_float32_cannot_hold_are_refused(weight):
    with pytest.raises(DataError, match="divide them by their mean"):
        fastbp.train((IMAGES, LABELS), sample_weight=np.full(120, weight), **QUICK)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", ["activation", "output"])
def test_names_replaced_in_a_network_are_refused(name, backend):
    network = fastbp.train((IMAGES, LABELS), **QUICK).network
    setattr(network, name, "nope")
    with pytest.raises(fastbp.WeightsError, match=r"'nope'.*expected activation to be one of: relu"):
        fastbp.predict(network, IMAGES, backend=backend)
