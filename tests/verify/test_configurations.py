"""``fastbp verify --all`` must cover whatever changes weights, pass right paths, and reject wrong ones."""

from dataclasses import fields, replace

import numpy as np
import pytest

from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.recipe.distortions import PRESETS, Variant
from fastbp.recipe.initializers import SCHEMES
from fastbp.recipe.optimizers import OPTIMIZERS
from fastbp.recipe.schedules import SCHEDULES
from fastbp.recipe.settings import Settings, declarations
from fastbp.recipe.step_options import PLAIN, StepOptions
from fastbp.recipe.stopping import CRITERIA
from fastbp.reference.activations import ACTIVATIONS
from fastbp.reference.losses import OUTPUTS
from fastbp.verify import configurations as module
from fastbp.verify.configurations import BASE, SAME_ON_BOTH, VARIANTS, configurations, unchecked
from fastbp.verify.paths import verify_all
from fastbp.verify.report import FIXED_BOUND


@pytest.fixture(scope="module")
def every():
    return configurations()


def named(every, *names):
    found = [one for one in every if one.name in names]
    assert len(found) == len(names)
    return found


def changed(one):
    """Settings of a configuration that are not those of plain SGD."""
    return {
        field.name
        for field in fields(Settings)
        if getattr(one.problem.settings, field.name) != getattr(BASE, field.name)
    }


# What is covered


def test_every_setting_that_changes_weights_is_checked(every):
    assert unchecked(every) == []
    assert len({one.name for one in every}) == len(every)


CHANGING = {name for name, declared in declarations().items() if declared.changes_weights}


@pytest.mark.parametrize("name", sorted(CHANGING - SAME_ON_BOTH))
def test_a_setting_at_its_default_everywhere_is_reported(every, name):
    default = getattr(Settings(), name)
    left = [one for one in every if getattr(one.problem.settings, name) == default]
    assert f"setting {name}" in unchecked(left)


def test_a_setting_that_is_new_is_reported(every, monkeypatch):
    without = [replace(one, problem=replace(one.problem, settings=Settings())) for one in every]
    declared = declarations()["seed"]
    monkeypatch.setattr(module, "declarations", lambda: {"seed": declared})
    assert "setting seed" in unchecked(without)
    unimportant = replace(declared, changes_weights=False)
    monkeypatch.setattr(module, "declarations", lambda: {"seed": unimportant})
    assert unchecked(without) == []


def test_a_part_of_a_distortion_that_is_new_is_reported(every, monkeypatch):
    monkeypatch.setattr(module, "VARIANTS", {k: v for k, v in VARIANTS.items() if k != "shear"})
    assert unchecked(every) == ["distortion shear"]


def test_registries_are_iterated(every):
    settings = [one.problem.settings for one in every]
    assert {one.activation for one in settings} == set(ACTIVATIONS)
    assert {one.optimizer for one in settings} == set(OPTIMIZERS)
    assert {one.schedule.partition(":")[0] for one in settings} == set(SCHEDULES)
    assert {one.init for one in settings} == set(SCHEMES)
    assert {spec.partition(":")[0] for one in settings for spec in one.stop} == set(CRITERIA)
    assert {one.augment for one in settings} == {"none", *PRESETS}
    assert {one.problem.output for one in every} == set(OUTPUTS)
    for field in fields(Variant):
        assert getattr(VARIANTS[field.name], field.name) != field.default


def test_each_option_has_a_configuration_of_its_own(every):
    alone = {next(iter(changed(one))) for one in every if len(changed(one)) == 1}
    # A rate that suits the rule, and the epochs that a schedule or a criterion needs, go with it.
    paired = {
        "optimizer",
        "schedule",
        "stop",
        "restore_best",
        "on_divergence",
        "augment",
        "epochs",
        "learning_rate",
    }
    assert alone | paired | SAME_ON_BOTH == {field.name for field in fields(Settings)}


# Verdicts


def test_the_compiled_path_passes(every):
    heard = []
    reports = verify_all(every, announce=heard.append)
    assert [report.failures for report in reports if not report.passed] == []
    assert heard == [one.name for one in every]
    for report in reports:
        checks = report.verification.float64
        assert {check.kind for check in checks} == {"fixed"}
        assert all(check.bound == FIXED_BOUND * check.size for check in checks)
        assert report.verification.closest32 is not None
    kinds = {report.verification.closest32.kind for report in reports}
    assert kinds == {"rounding", "sensitivity"}


def test_what_no_configuration_checks_has_not_passed(every):
    *reports, missing = verify_all(
        [one for one in every if one.problem.settings.ema == 0][:1], lambda _: NumpyBackend()
    )[:3]
    assert reports[0].passed
    assert not missing.passed
    assert missing.failures == ["no configuration checks it"]
    assert missing.to_dict()["passed"] is False


def test_a_configuration_that_diverges_has_not_passed(every):
    (one,) = named(every, "activation relu")
    settings = replace(one.problem.settings, learning_rate=1e300)
    one = replace(one, problem=replace(one.problem, settings=settings))
    report = verify_all([one], lambda _: NumpyBackend())[0]
    assert not report.passed
    assert "the textbook path diverges" in report.failures[0]


OPTIONS = {
    "optimizer": "l2 0.05",
    "dropout": "dropout 0.3",
    "batch_norm": "batch_norm True",
    "label_smoothing": "label_smoothing 0.1",
    "sample_weights": "class_weight balanced",
    "sample_losses": "hard_mining 0.7",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_a_path_that_ignores_an_option_is_rejected(every, option):
    class Ignoring(NumpyBackend):
        def train_steps(self, network, images, targets, batches, options=PLAIN):
            options = replace(options, **{option: getattr(PLAIN, option)})
            return super().train_steps(network, images, targets, batches, options)

    chosen = named(every, OPTIONS[option], "activation tanh")
    wrong, right = verify_all(chosen, lambda _: Ignoring())[:2][::-1]
    assert not wrong.passed
    assert right.passed


def test_every_option_of_a_step_is_ignored_above():
    assert {field.name for field in fields(StepOptions)} == {*OPTIONS, "distortion"}


class Shading(NumpyBackend):
    """Adds a grey level to some pixels of distorted images."""

    every, levels = 1, 1

    def train_steps(self, network, images, targets, batches, options=PLAIN):
        if options.distortion is not None:
            figures = super().train_steps(network, images, targets, batches, options)
            labels = np.asarray(targets)[batches.order]
            network.weights[0][:: self.every, labels] += self.levels
            return figures
        return super().train_steps(network, images, targets, batches, options)


@pytest.mark.parametrize(
    ("step", "levels", "failures"),
    [(200, 1, []), (8, 1, ["differing pixels"]), (200, 2, ["grey levels"])],
)
def test_images_may_differ_by_a_grey_level_in_a_pixel_of_a_hundred(every, step, levels, failures):
    class Shaded(Shading):
        every = step

    Shaded.levels = levels
    report = verify_all(named(every, "augment affine"), lambda _: Shaded())[0]
    assert report.failures == failures


def test_a_path_that_distorts_other_images_is_rejected(every):
    class Undistorted(NumpyBackend):
        def train_steps(self, network, images, targets, batches, options=PLAIN):
            options = replace(options, distortion=None)
            return super().train_steps(network, images, targets, batches, options)

    chosen = named(every, "augment elastic", "distortion noise", "distortion squares")
    reports = verify_all(chosen, lambda _: Undistorted())[: len(chosen)]
    assert not any(report.passed for report in reports)


def test_a_fault_in_float32_alone_is_rejected_by_sensitivity(every):
    class Narrow(NumpyBackend):
        """Keeps weights in half precision."""

        def train_steps(self, network, *arguments):
            figures = super().train_steps(network, *arguments)
            if network.dtype == np.float32:
                network.parameters[...] = network.parameters.astype(np.float16)
            return figures

    (report, *_) = verify_all(named(every, "activation tanh"), lambda _: Narrow())
    assert report.failures
    assert all(failure.endswith(" the run") for failure in report.failures)
