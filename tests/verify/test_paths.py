"""The verifier must pass a right path and reject wrong ones, each by the comparison that is there for it."""

import inspect
import json
import types
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import clusters
from fastbp.backends.base import make_backend
from fastbp.backends.batches import Batches, Figures
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.errors import ConfigError, DataError, DivergenceError
from fastbp.network import Network
from fastbp.recipe.settings import Settings
from fastbp.reference import step as reference
from fastbp.verify import steps
from fastbp.verify.paths import problem_of, verify_paths
from fastbp.verify.report import GradientCheck, RunCheck, WindowCheck

SETTINGS = Settings(hidden=(12, 9), batch_size=8, epochs=2, learning_rate=0.1, validation=0.0, seed=3)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return str(clusters.write_npz(tmp_path_factory.mktemp("data") / "data.npz", samples=205))


@pytest.fixture
def settings(data):
    return replace(SETTINGS, data=data)


# Right paths


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(
    ("hidden", "batch_size", "samples"),
    [((12, 9), 8, None), ((), 32, None), ((7,), 1, 30), ((5, 5, 5, 5), 10**6, None), ((3,), 7, 1)],
)
def test_right_paths_pass(settings, backend, dtype, hidden, batch_size, samples):
    settings = replace(settings, hidden=hidden, batch_size=batch_size, dtype=dtype)
    report = verify_paths(settings, samples, candidate=make_backend(backend))
    assert report.passed, report.failures()
    assert report.candidate == backend
    assert report.samples == (samples or 205)
    assert report.steps == 2 * -(-report.samples // batch_size)
    names = [name for name, _ in Network(report.sizes).named_arrays()]
    assert [check.name for check in report.float64] == [
        f"{name} in float64" for name in (*names, "loss", "predictions", "right answers", "history")
    ]
    after = [*(f"{name} after the run" for name in names), "loss in the run", "predictions after the run"]
    assert [check.name for check in report.float32] == (after if dtype == "float32" else [])
    batches = {check.batch for check in report.gradients}
    assert batches == (
        {min(batch_size, report.samples)} if batch_size in (1, 10**6, 7) else {batch_size, batch_size // 2}
    )
    # Bounds that nothing came near to would show nothing.
    assert max(check.reference_share for check in report.gradients) > 0.005


@pytest.mark.parametrize("seed", range(8))
def test_another_order_of_summation_passes(settings, seed):
    """A path that is right, and rounds differently: it sums the inputs of the first layer in reverse."""

    class Reversed(NumpyBackend):
        def train_steps(self, network, images, *arguments):
            turned = network.copy()
            turned.weights[0][...] = network.weights[0][::-1]
            figures = super().train_steps(turned, np.ascontiguousarray(images[:, ::-1]), *arguments)
            for target, source in zip(network.weights[1:], turned.weights[1:], strict=True):
                target[...] = source
            network.weights[0][...] = turned.weights[0][::-1]
            for target, source in zip(network.biases, turned.biases, strict=True):
                target[...] = source
            return Figures(*figures)

    settings = replace(settings, seed=seed, learning_rate=0.3)
    report = verify_paths(settings, candidate=Reversed())
    assert report.passed, report.failures()
    assert any(check.difference > 0 for check in report.float32)


def test_whole_mnist_for_an_epoch():
    settings = Settings(hidden=(30, 20), batch_size=100, epochs=1, validation=0.0)
    # On a busy machine, BLAS threads wait for each other twenty times as long as such small products take.
    with threadpool_limits(1, user_api="blas"):
        report = verify_paths(settings)
    assert report.passed, report.failures()
    assert report.samples == 60_000
    assert report.candidate_accuracy > 0.93
    assert abs(report.candidate_accuracy - report.reference_accuracy) < 0.01


# Wrong paths, made of the reference by one edit


def epochs_of(batches):
    """Batches of several epochs, epoch by epoch."""
    size = batches.epoch_samples or len(batches.order)
    count = -(-size // batches.size)
    return [
        Batches(
            batches.order[epoch * size : (epoch + 1) * size],
            batches.size,
            batches.rates[epoch * count : (epoch + 1) * count],
        )
        for epoch in range(len(batches.order) // size)
    ]


def edited(old, new):
    """A backend that runs the reference with one edit."""
    source = inspect.getsource(reference)
    assert source.count(old) == 1, f"{old!r} is there {source.count(old)} times"
    module = types.ModuleType("edited_reference")
    exec(compile(source.replace(old, new), module.__name__, "exec"), module.__dict__)

    class Edited(NumpyBackend):
        def train_steps(self, network, images, labels, batches, _options=None):
            parts = [self.train_epoch(network, images, labels, part) for part in epochs_of(batches)]
            return Figures(*map(np.concatenate, zip(*parts, strict=True)))

        def train_epoch(self, network, images, labels, batches):
            with np.errstate(over="ignore", invalid="ignore"):
                figures = module.train_steps(
                    network.weights,
                    network.biases,
                    images,
                    labels,
                    batches.order,
                    batches.size,
                    batches.rates,
                    network.input_scale,
                )
            return Figures(*figures)

    return Edited()


GRADIENT_MUTANTS = {
    "sign of a hidden gradient": ("(d_z @ weights[layer].T) *", "-(d_z @ weights[layer].T) *"),
    "sign of the update": ("parameter -= ", "parameter += "),
    "no mask of ReLU": (" * (a > 0)", ""),
    "mask of the wrong side": ("(a > 0)", "(a <= 0)"),
    "no bias in hidden layers": ("activations[-1] @ weight + bias", "activations[-1] @ weight"),
    "no bias in the last layer": (" @ weights[-1] + biases[-1]", " @ weights[-1]"),
    "no bias gradient": ("d_z.sum(axis=0)", "0 * d_z.sum(axis=0)"),
    "bias gradient is a mean again": ("d_z.sum(axis=0)", "d_z.mean(axis=0)"),
    "sum, not mean": ("d_logits /= len(labels)", "d_logits /= 1"),
    "mean of one less": ("d_logits /= len(labels)", "d_logits /= len(labels) - 1"),
    "no label": ("d_logits[samples, labels] -= 1", "pass"),
    "last sample left out": ("return batch", "batch[-1] = 0; return batch"),
    "input scale off by 1/1000": ("dtype.type(input_scale)", "dtype.type(input_scale * 1.001)"),
    "inputs in half precision": ("return batch", "return batch.astype('f2').astype(dtype)"),
    "weight updated before it is used": (
        "d_biases.append",
        "weights[layer][...] -= 0.01 * d_weights[-1]; d_biases.append",
    ),
}


@pytest.mark.parametrize("mutant", GRADIENT_MUTANTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_wrong_gradients_are_rejected(settings, mutant, dtype):
    report = verify_paths(replace(settings, dtype=dtype), candidate=edited(*GRADIENT_MUTANTS[mutant]))
    assert not report.passed
    assert any(failure.startswith("gradient of") for failure in report.failures())
    assert all(check.reference_share <= 1 for check in report.gradients)


def test_mean_over_the_nominal_batch_is_rejected_by_the_smaller_batch(settings):
    report = verify_paths(settings, candidate=edited("d_logits /= len(labels)", "d_logits /= 8"))
    failed = [check for check in report.gradients if not check.passed]
    assert {check.batch for check in failed} == {4}
    assert len(failed) == 6


class Frozen(NumpyBackend):
    """Takes all gradients of a call at the weights it began with."""

    def train_steps(self, network, images, labels, batches, *options):
        start, total = network.copy(), np.zeros_like(network.parameters)
        size, figures = batches.size, []
        for step in range(len(batches.rates)):
            scratch = start.copy()
            rows, one = batches.order[step * size : (step + 1) * size], slice(step, step + 1)
            part = Batches(rows, size, batches.rates[one])
            figures.append(super().train_steps(scratch, images, labels, part, *options))
            total += scratch.parameters - start.parameters
        network.parameters += total
        return Figures(*map(np.concatenate, zip(*figures, strict=True)))


class Unscheduled(NumpyBackend):
    """Gives all updates of a call the rate of its last one."""

    def train_steps(self, network, images, labels, batches, *options):
        rates = np.where(batches.rates == 0, 0, batches.rates[-1])
        return super().train_steps(network, images, labels, replace(batches, rates=rates), *options)


class WrongLoss(NumpyBackend):
    """Trains well, and reports losses that are off by one in a thousand."""

    def train_steps(self, *arguments):
        losses, correct = super().train_steps(*arguments)
        return Figures(losses * 1.001, correct)


class Clipping(NumpyBackend):
    """Right at first, wrong once weights have grown: it keeps them below a limit."""

    def train_steps(self, network, *arguments):
        figures = super().train_steps(network, *arguments)
        if np.abs(network.parameters).max() < 1e6:  # let the gradients' check pass
            np.clip(network.parameters, -1.0, 1.0, out=network.parameters)
        return figures


@pytest.mark.parametrize("mutant", [Frozen, Unscheduled, WrongLoss, Clipping])
def test_faults_beyond_one_gradient_are_rejected_by_windows(settings, mutant):
    report = verify_paths(settings, candidate=mutant())
    assert all(check.passed for check in report.gradients)
    assert not report.windows_passed
    assert report.windows_outside[1] == 0
    assert "windows" in report.failures()


class LongCallsOnly(NumpyBackend):
    """Right for up to 10 steps at once; longer calls do not update."""

    def train_steps(self, network, images, labels, batches, *options):
        if len(batches.rates) > 10:
            batches = replace(batches, rates=0 * batches.rates)
        return super().train_steps(network, images, labels, batches, *options)


def test_faults_between_windows_are_rejected_by_the_whole_run(settings, monkeypatch):
    monkeypatch.setattr(steps, "WINDOWS", 2)
    monkeypatch.setattr(steps, "WINDOW_FLOP", 0)  # 4 windows, far apart
    report = verify_paths(replace(settings, epochs=4), candidate=LongCallsOnly())
    assert all(check.passed for check in report.gradients)
    assert report.windows_passed
    assert not report.passed
    assert "loss in the run" in report.failures()
    assert "layers.0.weight after the run" in report.failures()


def test_wrong_predictions_are_rejected(settings):
    class Turned(NumpyBackend):
        """Trains well, and takes one class for another when asked."""

        def logits(self, network, images):
            return super().logits(network, images)[:, ::-1]

    report = verify_paths(replace(settings, epochs=9), candidate=Turned())
    assert report.failures() == ["predictions in float64", "predictions after the run"]


def test_rounding_that_the_twin_does_not_show_is_allowed_for(settings, tmp_path):
    """On black images only biases learn, which the twin shares with the textbook: it ends where that does."""
    labels = np.random.default_rng(0).integers(0, 4, size=300)
    np.savez(tmp_path / "black.npz", images=np.zeros((300, 5), np.uint8), labels=labels)
    settings = replace(settings, data=str(tmp_path / "black.npz"), hidden=())
    report = verify_paths(settings, candidate=edited("d_z.sum(axis=0)", "d_z[::-1].cumsum(axis=0)[-1]"))
    assert report.passed, report.failures()
    assert report.float32[1].difference > 0


# Details


def test_large_batches_and_layers_get_shorter_windows(settings, monkeypatch):
    monkeypatch.setattr(steps, "SWITCH_BUDGET", 21 * 8 * 3)
    assert {window.steps for window in verify_paths(settings, candidate=NumpyBackend()).windows} <= {1, 2, 3}
    monkeypatch.setattr(steps, "SWITCH_BUDGET", 1)
    report = verify_paths(settings, candidate=NumpyBackend())
    assert {window.steps for window in report.windows} == {1}
    assert report.passed


def test_only_windows_of_one_step_allow_for_a_switched_relu(settings):
    problem, wrong = problem_of(settings), edited("(a > 0)", "(a >= 0)")
    both = steps.StepComparison(problem, problem.start("float32"), wrong, NumpyBackend())
    start = both.start.copy()
    start.weights[0][...] = 0  # every ReLU of the first layer is on the verge
    assert both.check_window(start, 0, 1).candidate_share <= 1
    assert both.check_window(start, 0, 2).candidate_share > 100


def test_report_is_json(settings):
    report = verify_paths(settings, candidate=NumpyBackend())
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["passed"] is True
    assert len(values["gradients"]) == 12
    assert (len(values["float64"]), len(values["float32"])) == (10, 8)
    assert values["windows_outside"] == {"candidate": 0, "reference": 0}
    assert values["settings"]["seed"] == 3
    assert values["candidate_accuracy"] == values["reference_accuracy"] > 0.25


def test_announces_what_it_does(settings):
    heard = []
    verify_paths(settings, candidate=NumpyBackend(), announce=heard.append)
    assert heard[0] == "training both paths in float64; the first time, kernels are compiled"
    assert len(heard) == len(set(heard)) == 4


@pytest.mark.parametrize(
    ("changes", "samples", "error", "message"),
    [
        ({"epochs": 0}, None, ConfigError, "epochs is 0"),
        ({}, 0, ConfigError, "samples is 0"),
        ({"data": "no/such"}, None, DataError, "no/such"),
        ({"learning_rate": 1e30}, None, DivergenceError, "textbook path diverges"),
    ],
)
def test_what_cannot_be_compared_is_refused(settings, changes, samples, error, message):
    with pytest.raises(error, match=message):
        verify_paths(replace(settings, **changes), samples, candidate=NumpyBackend())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_outside_of_any_bound(settings, value):
    class Poisoned(NumpyBackend):
        def train_steps(self, network, *arguments):
            figures = super().train_steps(network, *arguments)
            network.biases[0][0] = value
            return Figures(*figures)

    report = verify_paths(settings, candidate=Poisoned())
    assert [check.candidate_share for check in report.gradients if check.name == "layers.0.bias"] == [
        np.inf
    ] * 2
    assert report.windows_outside == (len(report.windows), 0)
    assert json.dumps(report.to_dict(), allow_nan=False)


def test_verdicts_reject_what_is_no_number():
    nan = float("nan")
    assert not GradientCheck("w", 1, 1.0, nan, 1.0, nan, 0.5).passed
    assert not GradientCheck("w", 1, 1.0, 0.0, 1.0, 0.5, 1.5).passed
    assert not RunCheck("w", 1.0, nan, 1.0).passed
    assert RunCheck("w", 1.0, 0.0, 0.0).share == 0
    assert RunCheck("w", 1.0, 1.0, 0.0).share == float("inf")


def test_windows_that_are_no_number_count_as_outside(settings):
    report = verify_paths(settings, candidate=NumpyBackend())
    windows = tuple(WindowCheck(i, 1, 0.0, float("nan"), 0.1) for i in range(4))
    assert replace(report, windows=windows).windows_outside == (4, 0)
    assert not replace(report, windows=windows).passed
    within = WindowCheck(5, 1, 0.0, 0.9, 0.1)
    assert replace(report, windows=(*windows[:1], *[within] * 3)).windows_passed
    assert not replace(report, windows=(*windows[:2], *[within] * 4)).windows_passed
