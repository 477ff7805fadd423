"""Metrics by hand, by definition, and at their edges."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp.errors import DataError
from fastbp.evaluation.metrics import (
    calibration,
    classification_report,
    confusion_matrix,
    ensemble_log_loss,
    log_loss_from_logits,
    top_accuracy,
)

thorough = settings(derandomize=True, deadline=None, max_examples=60)
pairs = st.integers(2, 6).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        st.lists(st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), max_size=40),
    )
)


def test_rows_are_true_classes_and_columns_predicted_ones():
    matrix = confusion_matrix([0, 0, 0, 1, 2], [0, 1, 1, 1, 0], 4)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == [[1, 2, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_scores_by_hand():
    report = classification_report(np.array([[1, 2, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]))
    zero, one, two, three = report.classes
    assert (zero.label, zero.precision, zero.recall, zero.support) == (0, 1 / 2, 1 / 3, 3)
    assert zero.f1 == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))
    assert (one.label, one.precision, one.recall, one.f1, one.support) == (1, 1 / 3, 1.0, 0.5, 1)
    assert (two.precision, two.recall, two.f1, two.support) == (0, 0, 0, 1)  # never predicted
    assert (three.precision, three.recall, three.f1, three.support) == (0, 0, 0, 0)  # no samples either
    assert (report.accuracy, report.samples) == (2 / 5, 5)
    assert report.macro_precision == pytest.approx((1 / 2 + 1 / 3) / 4)
    assert report.macro_recall == pytest.approx((1 / 3 + 1) / 4)
    assert report.macro_f1 == pytest.approx((2 / 5 + 1 / 2) / 4)


@thorough
@given(pairs)
def test_matrix_and_scores_by_definition(problem):
    classes, both = problem
    labels, predicted = [y for y, _ in both], [p for _, p in both]
    matrix = confusion_matrix(np.array(labels, dtype=np.uint8), np.array(predicted, dtype=np.int32), classes)
    assert matrix.tolist() == [[both.count((y, p)) for p in range(classes)] for y in range(classes)]
    report = classification_report(matrix)
    assert report.accuracy == (sum(y == p for y, p in both) / len(both) if both else 0)
    for scores in report.classes:
        hits = both.count((scores.label, scores.label))
        found, support = predicted.count(scores.label), labels.count(scores.label)
        precision, recall = hits / found if found else 0, hits / support if support else 0
        assert (scores.precision, scores.recall, scores.support) == (precision, recall, support)
        mean = 2 * precision * recall / (precision + recall) if hits else 0
        assert scores.f1 == pytest.approx(mean)
    assert report.macro_f1 == pytest.approx(sum(scores.f1 for scores in report.classes) / classes)


def test_many_classes_do_not_wrap_around_in_small_integers():
    labels = np.arange(200, dtype=np.uint8)
    assert (confusion_matrix(labels, labels, 200) == np.eye(200)).all()


def test_to_dict_is_plain_json():
    report = classification_report(confusion_matrix([0, 1, 1], [0, 1, 0], 2))
    text = json.loads(json.dumps(report.to_dict()))
    assert text["samples"] == 3
    assert text["accuracy"] == 2 / 3
    assert text["classes"][1] == {
        "label": 1,
        "precision": 1.0,
        "recall": 0.5,
        "f1": 2 / 3,
        "support": 2,
        "name": "1",
    }
    means = {"macro_precision", "macro_recall", "macro_f1", "weighted_f1", "balanced_accuracy"}
    assert set(text) == {"classes", "accuracy", "samples"} | means


@pytest.mark.parametrize(
    ("labels", "predicted", "message"),
    [
        ([0, 3], [0, 1], "sample 1: label is 3; expected 0 to 2"),
        ([0, 1], [-1, 1], "sample 0: prediction is -1; expected 0 to 2"),
        ([0, 1], [0], "2 labels and 1 predictions"),
        ([0.5, 1], [0, 1], "type float64"),
        ([[0, 1]], [0, 1], r"shape \(1, 2\)"),
    ],
)
def test_confusion_matrix_refuses(labels, predicted, message):
    with pytest.raises(DataError, match=message):
        confusion_matrix(labels, predicted, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss(dtype):
    assert log_loss_from_logits(np.zeros((4, 10), dtype=dtype), [0, 3, 9, 9]) == pytest.approx(math.log(10))
    logits = np.array([[1, 2, 3], [0, -1, 1]], dtype=dtype)
    expected = np.mean([math.log(sum(math.exp(v) for v in row)) - row[1] for row in logits.tolist()])
    assert log_loss_from_logits(logits, [1, 1]) == pytest.approx(
        expected, rel=1e-15
    )  # float64 for float32 too
    big = np.array([[1e30, 1e30, -1e30]], dtype=dtype)
    assert log_loss_from_logits(big, [0]) == pytest.approx(math.log(2))
    assert log_loss_from_logits(big, [2]) == pytest.approx(2e30, rel=1e-6)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.zeros((0, 3)), [], "at least one sample"),
        (np.zeros(3), [0, 1, 2], r"shape \(3,\)"),
        (np.zeros((2, 3)), [0], "2 rows of logits and 1 labels"),
        (np.zeros((2, 3)), [0, 3], "sample 1: label is 3"),
    ],
)
def test_log_loss_refuses(logits, labels, message):
    with pytest.raises(DataError, match=message):
        log_loss_from_logits(logits, labels)


def test_calibration_by_hand():
    # Two bins: 0..0.5 holds 0.5 itself, and 0.5..1.
    found = calibration([0.2, 0.5, 0.6, 0.8, 1.0], [False, True, True, False, True], bins=2)
    assert found.edges.tolist() == [0, 0.5, 1]
    assert found.counts.tolist() == [2, 3]
    assert found.accuracy == pytest.approx([1 / 2, 2 / 3])
    assert found.confidence == pytest.approx([0.35, 0.8])
    assert found.ece == pytest.approx(2 / 5 * abs(0.5 - 0.35) + 3 / 5 * abs(2 / 3 - 0.8))


def test_calibration_at_the_edges_of_bins():
    found = calibration([0.0, 1 / 3, 2 / 3, 1.0], [False, True, True, True], bins=3)
    assert found.counts.tolist() == [2, 1, 1]
    assert calibration([1.0], [True]).ece == 0
    assert calibration([1.0 + 1e-12], [False]).ece == pytest.approx(1)
    empty = calibration([0.99], [True])
    assert len(empty.counts) == 15
    assert np.isnan(empty.accuracy[:-1]).all()


@thorough
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60), st.integers(1, 15))
def test_calibration_by_definition(samples, bins):
    found = calibration([c for c, _ in samples], [r for _, r in samples], bins)
    error = 0.0
    for place in range(bins):
        low, high = found.edges[place], found.edges[place + 1]
        inside = [(c, r) for c, r in samples if low < c <= high or (place == 0 and c == 0)]
        assert found.counts[place] == len(inside)
        if inside:
            right = sum(r for _, r in inside) / len(inside)
            error += len(inside) / len(samples) * abs(right - sum(c for c, _ in inside) / len(inside))
    assert found.ece == pytest.approx(error, abs=1e-12)


@pytest.mark.parametrize(
    ("confidence", "correct", "bins"),
    [
        ([], [], 15),
        ([0.5], [True, False], 15),
        ([0.5], [True], 0),
        ([1.1], [True], 15),
        ([math.nan], [True], 5),
    ],
)
def test_calibration_refuses(confidence, correct, bins):
    with pytest.raises(DataError, match="expected"):
        calibration(confidence, correct, bins)


def test_top_accuracy_by_hand():
    scores = [[3, 2, 1], [3, 2, 1], [3, 2, 1], [1, 1, 1], [1, 1, 1]]
    labels = [0, 1, 2, 1, 2]  # of equal scores the lower class counts as higher
    assert top_accuracy(scores, labels, 1) == 1 / 5
    assert top_accuracy(scores, labels, 2) == 3 / 5
    assert top_accuracy(scores, labels, 3) == 1
    assert top_accuracy(scores, labels, 9) == 1
    with pytest.raises(DataError, match="label is 3"):
        top_accuracy(scores, [0, 1, 2, 1, 3], 2)


def test_top_one_is_what_argmax_says():
    rng = np.random.default_rng(8)
    scores, labels = rng.integers(0, 4, (200, 5)), rng.integers(0, 5, 200)  # with many ties
    assert top_accuracy(scores, labels, 1) == np.mean(scores.argmax(axis=1) == labels)


def test_loss_of_an_ensemble():
    # Probabilities 0.8 and 0.2 of class 0: their mean is 0.5.
    one, other = [[math.log(4), 0.0]], [[0.0, math.log(4)]]
    assert ensemble_log_loss([one, other], [0]) == pytest.approx(math.log(2))
    assert ensemble_log_loss([one], [0]) == pytest.approx(-math.log(0.8))
    # One is sure and wrong: exp(-2000) is 0, the mean is 1/2 all the same.
    assert ensemble_log_loss([[[2000.0, 0.0]], [[0.0, 2000.0]]], [0]) == pytest.approx(math.log(2))
    # Both are: no probability of 0.
    assert ensemble_log_loss([[[0.0, 2000.0]]] * 2, [0]) == pytest.approx(2000)
