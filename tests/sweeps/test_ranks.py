"""Ranks over several data sets, against the example of Demsar (2006) and against SciPy."""

import math

import numpy as np
import pytest

from fastbp.sweeps.ranks import (
    Ranks,
    Scores,
    critical_difference,
    f_tail,
    friedman,
    incomplete_beta,
    rank_variants,
    scores,
    studentized_range,
)
from fastbp.sweeps.summary import summarize
from swept import write_run, write_sets

# Table 6 of Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7 (2006): AUC of
# C4.5 with m, cf, both, on 14 data sets. Its ranks tell two values of the 13th set apart that are printed
# alike, 0.975.
AUC = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)
NAMES = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")
# Table 5a: two-tailed Nemenyi test, 2 to 10 classifiers.
Q05 = (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164)
Q10 = (1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920)


def table(values, labels=NAMES):
    return Scores(tuple(f"set {n}" for n in range(len(values))), labels, np.asarray(values, dtype=float))


def test_the_example_of_the_paper():
    found = rank_variants(table(AUC), higher_is_better=True)
    assert found.labels == ("C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5")
    assert [round(rank, 3) for rank in found.mean] == [1.964, 2.0, 2.893, 3.143]
    assert round(found.chi_squared, 2) == 9.28
    assert round(found.f, 2) == 3.69
    assert 0.01 < found.p < 0.05  # "the critical value of F(3, 39) for 0.05 is 2.85"
    assert f_tail(2.85, 3, 39) == pytest.approx(0.05, abs=4e-4)
    assert round(found.difference, 2) == 1.25
    assert round(critical_difference(4, 14, 0.10), 2) == 1.12
    assert found.groups() == [(0, 3)]  # "the difference between best and worst is smaller"
    assert found.left_out == ""


@pytest.mark.parametrize(("alpha", "quantiles"), [(0.05, Q05), (0.10, Q10)])
def test_quantiles_are_those_of_the_table(alpha, quantiles):
    for count, quantile in enumerate(quantiles, start=2):
        assert studentized_range(count, alpha) / math.sqrt(2) == pytest.approx(quantile, abs=1.1e-3)


def test_quantiles_and_tails_are_those_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    for count in (2, 7, 50, 300):
        expected = stats.studentized_range.ppf(0.95, count, math.inf)
        assert studentized_range(count, 0.05) == pytest.approx(expected, abs=1e-6)
    for f, above, below in [
        (3.69, 3, 39),
        (0.3, 5, 2),
        (50, 9, 300),
        (1, 1, 1),
        (1e-3, 4, 8),
        (2, 400, 4000),
    ]:
        assert f_tail(f, above, below) == pytest.approx(stats.f.sf(f, above, below), rel=1e-9)
    rng = np.random.default_rng(1)
    values = rng.normal(size=(9, 6))
    assert friedman(values)[1] == pytest.approx(stats.friedmanchisquare(*values.T).statistic)


def test_ends_of_the_distributions():
    assert f_tail(0, 3, 9) == 1.0
    assert f_tail(math.inf, 3, 9) == 0.0
    assert incomplete_beta(0.0, 2, 3) == 0.0
    assert incomplete_beta(1.0, 2, 3) == 1.0
    # In closed form: I_x(1, b) = 1 - (1 - x) ** b.
    assert incomplete_beta(0.3, 1, 4) == pytest.approx(1 - 0.7**4)


def test_less_may_be_better():
    up = rank_variants(table(AUC), higher_is_better=True)
    down = rank_variants(table(-AUC), higher_is_better=False)
    assert up == down


def test_data_sets_that_rank_alike_leave_no_chance():
    found = rank_variants(table([[1.0, 2.0, 3.0]] * 40, ("a", "b", "c")), higher_is_better=False)
    assert (found.f, found.p) == (math.inf, 0.0)
    assert found.mean == (1.0, 2.0, 3.0)
    assert found.groups() == []


def test_variants_that_are_equal_do_not_differ():
    found = rank_variants(table(np.ones((4, 3)), ("a", "b", "c")), higher_is_better=True)
    assert (found.chi_squared, found.p) == (0.0, 1.0)
    assert found.groups() == [(0, 2)]


def test_groups_are_the_largest_within_the_critical_difference():
    found = Ranks(("x",), tuple("abcdef"), (1.0, 1.2, 2.1, 2.2, 5.0, 6.5), 1.0, 1.0, 0.01, 1.1)
    assert found.groups() == [(0, 1), (1, 3)]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.ones((2, 4)), "on 3 data sets or more; there are 2"),
        (np.ones((5, 2)), "compares 3 variants or more; there are 2"),
        (np.ones((1, 1)), "on 3 data sets or more; there are 1"),
    ],
)
def test_too_few_are_not_compared(values, why):
    labels = tuple("abcd"[: values.shape[1]])
    assert why in rank_variants(table(values, labels), higher_is_better=True)


def test_what_lacks_results_is_left_out_and_named():
    values = np.hstack([AUC, np.full((14, 1), np.nan)])
    values[3, 1] = np.nan
    found = rank_variants(table(values, (*NAMES, "C4.5+x")), higher_is_better=True)
    assert len(found.data) == 13
    assert "set 3" not in found.data
    assert "C4.5+x" not in found.labels
    assert found.left_out == (
        "variants without results on half of the data sets: C4.5+x; "
        "data sets without results of all variants: set 3"
    )
    lacking = np.where(np.eye(4, dtype=bool), np.nan, 1.0)
    assert "without those that lack results" in rank_variants(table(lacking), higher_is_better=True)


def test_the_table_of_a_sweep_has_a_row_a_data_set(tmp_path):
    rows = {
        "/a.csv": {"relu": 0.9, "tanh": 0.8},
        "/b.csv": {"relu": 0.5},
        "/c.csv": {"tanh": 0.3, "relu": 0.2},
    }
    write_sets(tmp_path, rows)
    write_run(tmp_path, {"data": "/c.csv", "activation": "tanh"}, 1, 0.5)
    found = scores(summarize(tmp_path))
    place = {label: number for number, label in enumerate(found.labels)}
    assert found.data == ("a.csv", "b.csv", "c.csv")
    assert found.values[:, place["activation relu"]].tolist() == [0.9, 0.5, 0.2]
    tanh = found.values[:, place["activation tanh"]]
    assert np.isnan(tanh[1])
    assert tanh[[0, 2]] == pytest.approx([0.8, 0.4])


def test_a_variant_without_results_on_half_of_the_data_sets_is_left_out():
    values = np.array(AUC[:6])
    values[:3, 3] = np.nan
    found = rank_variants(Scores(tuple("abcdef"), tuple("wxyz"), values), higher_is_better=True)
    assert sorted(found.labels) == ["w", "x", "y"]
    assert len(found.data) == 6
