"""What a run's data, history and network show of trouble, one line each.

A check is a function of `Evidence` that returns a line, what was found and what to do,
or None. To add one, add it to `CHECKS_OF_DATA` or `CHECKS_OF_RUN`. Checks look at a
thousand samples at most, so that their cost does not count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from ..recipe.settings import Settings
from ..reference.activations import ACTIVATIONS
from ..reference.losses import OUTPUTS, mean
from ..runs.result import Training
from .samples import Samples

__all__ = [
    "CHECKS_OF_DATA",
    "CHECKS_OF_RUN",
    "LEAST_UPDATES",
    "Evidence",
    "huge_values",
    "nothing_learnt",
    "trouble_of_data",
    "trouble_of_run",
]

MOST_ROWS = 1000
MOST_VALUES = 1 << 20  # of inputs, so that large images do not cost memory
LARGE_INPUT = 10.0
DEAD_SHARE = 0.5  # of a layer's units
GAP, GAP_SAMPLES = 0.2, 30  # between accuracies; validation samples that such a gap needs
CLEARLY = 0.99  # of a loss that chance may reach
FEW_UPDATES = 10  # fewer are a try, not a training
LEAST_UPDATES = 100  # before a loss has to be clearly better
LEAST_LOSS = 0.01  # of guessing: below, there is hardly anything to learn
HUGE = 1e4  # of a weight, or of an output: where float32 has steps of 0.001; sane runs stay below 200
NAMED = 5  # classes in a line


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What checks look at: arrays as the training step takes them.

    Attributes
    ----------
    samples : rows, inputs and targets
    settings : those of the run
    network : before or after training
    training : course of the run; None before it
    is_standardized : whether the inputs are columns of a table, standardised
    updates : mini-batches of the training; 0 before it
    """

    samples: Samples
    settings: Settings
    network: Network
    training: Training | None = None
    is_standardized: bool = False
    updates: int = 0

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """Classes of the rows to train on; None if targets are others."""
        if self.network.output != "softmax":
            return None
        targets: NDArray[Any] = self.samples.targets
        return targets[self.samples.rows]

    @property
    def counts(self) -> NDArray[np.int64] | None:
        """Samples of each class to train on; None without classes."""
        labels = self.labels
        return None if labels is None else np.bincount(labels, minlength=self.network.classes)

    def rows(self) -> NDArray[np.int64]:
        """Return up to a thousand training rows, from all over: data may be sorted."""
        most = max(1, min(MOST_ROWS, MOST_VALUES // self.samples.images.shape[1]))
        rows = self.samples.rows
        return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)]

    def inputs(self) -> NDArray[np.float64]:
        """Return the inputs of `rows`, scaled: (n, D)."""
        return self.samples.images[self.rows()].astype(np.float64) * self.network.input_scale

    def layers(self) -> list[NDArray[Any]]:
        """Return what each layer makes of `inputs`; the last one's are logits."""
        found: list[NDArray[Any]] = []
        value: NDArray[Any] = self.inputs()
        activate = ACTIVATIONS[self.network.activation].value
        last = len(self.network.weights) - 1
        for layer, (weights, biases) in enumerate(
            zip(self.network.weights, self.network.biases, strict=True)
        ):
            value = value @ weights.astype(np.float64) + biases
            value = value if layer == last else activate(value)
            found.append(value)
        return found


def large_inputs(evidence: Evidence) -> str | None:
    """Inputs far from 0..1 that nothing scales."""
    if evidence.is_standardized or evidence.samples.images.dtype == np.uint8:
        return None
    largest = float(np.abs(evidence.inputs()).max())
    if largest <= LARGE_INPUT:
        return None
    return (
        f"inputs reach {largest:.4g} and are not scaled: divide them so that they lie in 0..1, or "
        "standardise them"
    )


def missing_classes(evidence: Evidence) -> str | None:
    """Classes without a sample to train on, and labels that count from 1."""
    counts = evidence.counts
    if counts is None or (counts > 0).all():
        return None
    missing = np.flatnonzero(counts == 0).tolist()
    if missing == [0] and len(counts) > 2:
        return (
            f"labels run from 1 to {len(counts) - 1}, and class 0 has no samples: subtract 1 from the labels "
            "if they count from 1"
        )
    named = ", ".join(map(str, missing[:NAMED])) + (", ..." if len(missing) > NAMED else "")
    return (
        f"{len(missing)} of {len(counts)} classes have no samples to train on ({named}): they will never be "
        "predicted; add samples, or leave these classes out"
    )


def nothing_learnt(evidence: Evidence) -> str | None:
    """A network that answers its training samples no better than one answer for all."""
    settings, samples = evidence.settings, evidence.samples
    if evidence.updates < FEW_UPDATES or samples.weights is not None or settings.class_weight != "none":
        return None
    rows = evidence.rows()
    guessing = _loss_of_guessing(evidence, rows)
    with np.errstate(all="ignore"):
        targets: Any = samples.targets[rows]
        loss = mean(OUTPUTS[evidence.network.output].losses(evidence.layers()[-1], targets, 0.0, None)[0])
    is_short = evidence.updates < LEAST_UPDATES
    if guessing < LEAST_LOSS or loss < guessing * (1.0 if is_short else CLEARLY):
        return None
    told = (
        "guessing by the class frequencies" if evidence.labels is not None else "one answer for all samples"
    )
    rate = f"try a learning rate other than {settings.learning_rate:g}; fastbp find-rate suggests one"
    if is_short and loss < 2 * guessing:
        rate = f"{evidence.updates} mini-batches may be too few; try more epochs, or another learning rate"
    return (
        f"the training loss, {loss:.4g} at the end, is not {'' if is_short else 'clearly '}below "
        f"{guessing:.4g}, that of {told}: {rate}"
    )


def huge_values(evidence: Evidence) -> str | None:
    """Weights or outputs so large that steps of float32 are coarser than updates."""
    if not evidence.updates:
        return None
    with np.errstate(all="ignore"):
        outputs = float(np.abs(evidence.layers()[-1]).max())
    weights = float(np.abs(evidence.network.parameters).max())
    if weights <= HUGE and outputs <= HUGE:
        return None
    return (
        f"weights reach {weights:.3g}, and outputs {outputs:.3g}: training has run away; try a learning rate "
        f"below {evidence.settings.learning_rate:g}, and inputs in 0..1 or standardised"
    )


def nothing_carries_over(evidence: Evidence) -> str | None:
    """A validation loss that never was below that of an answer without any inputs."""
    samples, training = evidence.samples, evidence.training
    held = samples.validation_rows
    if training is None or not training.history or len(held) < GAP_SAMPLES:
        return None
    if evidence.updates < LEAST_UPDATES or evidence.network.output == "logistic":
        return None
    guessing = _loss_of_guessing(evidence, held)
    best = min(record.validation_loss for record in training.history)
    if best < CLEARLY * guessing:
        return None
    return (
        f"the validation loss, {best:.4g} at best, never fell clearly below {guessing:.4g}, that of one "
        "answer for all samples: the inputs may not tell the targets; check them, or try another "
        "--learning-rate"
    )


def _loss_of_guessing(evidence: Evidence, rows: NDArray[np.int64]) -> float:
    """Return the loss on rows of the classes' or labels' shares, or of the mean."""
    targets: NDArray[Any] = evidence.samples.targets
    counts = evidence.counts
    if counts is not None:
        share = (counts + 1) / (counts.sum() + len(counts))  # a class without samples is not impossible
        return float(-np.log(share[targets[rows]]).mean())
    mean = targets[evidence.samples.rows].mean(axis=0, dtype=np.float64)
    if evidence.network.output == "identity":
        away = targets[rows] - mean
        return float((away * away).sum(axis=1).mean() / 2)
    right = np.clip(np.where(targets[rows] > 0.5, mean, 1 - mean), 1e-12, 1)
    return float(-np.log(right).sum(axis=1).mean())


def dead_units(evidence: Evidence) -> str | None:
    """Units of a ReLU layer that are 0 for all samples that were looked at."""
    if evidence.network.activation != "relu":
        return None
    for number, layer in enumerate(evidence.layers()[:-1], start=1):
        dead = int((layer <= 0).all(axis=0).sum())
        if dead > DEAD_SHARE * layer.shape[1]:
            return (
                f"{dead} of {layer.shape[1]} units of hidden layer {number} are 0 for every sample: try a "
                "lower learning rate, or --activation leaky-relu"
            )
    return None


def one_class(evidence: Evidence) -> str | None:
    """A network that answers the same whatever it is shown."""
    counts = evidence.counts
    if counts is None or (counts > 0).sum() < 2 or not (evidence.training and evidence.training.history):
        return None
    predicted = evidence.layers()[-1].argmax(axis=1)
    if len(predicted) < 2 or (predicted != predicted[0]).any():
        return None
    return (
        f"the network predicts class {predicted[0]} for each of {len(predicted):,} training samples: try a "
        "lower learning rate, or --class-weight balanced"
    )


def overfitting(evidence: Evidence) -> str | None:
    """Training accuracy far above that of validation, at the epoch that is kept."""
    training, held = evidence.training, len(evidence.samples.validation_rows)
    if training is None or not training.history or held < GAP_SAMPLES:
        return None
    kept = training.history[(training.restored_epoch or len(training.history)) - 1]
    if not kept.train_accuracy - kept.validation_accuracy > GAP:  # NaN for regression
        return None
    return (
        f"overfitting: training accuracy {100 * kept.train_accuracy:.1f} %, validation accuracy "
        f"{100 * kept.validation_accuracy:.1f} %; try more data, --dropout, --weight-decay or --augment, and "
        "check the labels"
    )


CHECKS_OF_DATA: tuple[Callable[[Evidence], str | None], ...] = (large_inputs, missing_classes)
"""Checks before training."""

CHECKS_OF_RUN: tuple[Callable[[Evidence], str | None], ...] = (
    huge_values,
    nothing_learnt,
    nothing_carries_over,
    one_class,
    dead_units,
    overfitting,
)
"""Checks after training."""


def trouble_of_data(evidence: Evidence) -> tuple[str, ...]:
    """Return what is wrong with the data, a line for each finding."""
    return tuple(line for check in CHECKS_OF_DATA if (line := check(evidence)) is not None)


def trouble_of_run(evidence: Evidence, training: Training) -> tuple[str, ...]:
    """Return what went wrong in a run that has ended, a line for each finding."""
    updates = math.ceil(training.samples / evidence.settings.batch_size) if training.history else 0
    evidence = replace(evidence, training=training, updates=updates)
    return tuple(line for check in CHECKS_OF_RUN if (line := check(evidence)) is not None)
