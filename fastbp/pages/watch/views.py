"""What a page shows of a network in training: weights, gradients, wrong answers.

To add a view, add a class with a name, its share of the training time, and `look`, and
name it in `views_of`. A view looks at a few samples, which it copies when it is first
asked, and returns plain values for JSON; arrays are base64 of their bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from ...data.mapped import release
from ...data.samples import Dataset
from ...network import Network
from ...recipe.batch_norm import EPSILON
from ...reference.activations import ACTIVATIONS
from ...reference.batch_norm import Normalized
from ...reference.general_step import backward, forward
from ...reference.losses import OUTPUTS
from ...reference.step import gather
from ...training.samples import Samples
from ...training.trainer import Trainer

__all__ = ["Gradients", "Mistakes", "View", "Weights", "picture_shape", "views_of"]

MOST_UNITS = 64
MOST_PIXELS = 1 << 14  # of an image that is shown
SHOWN_VALUES = 1 << 16  # of all images that are shown together
PROBE = 64  # samples whose gradient is shown
ASKED = 1000  # samples among which wrong answers are looked for
MOST_VALUES = 1 << 20  # of inputs that a view keeps
MOST_MISTAKES = 40


class View(Protocol):
    """One of the things that a page shows.

    Attributes
    ----------
    name : of the fact that is told
    share : of the training time that looking may take
    """

    name: str
    share: float

    def look(self, network: Network | None = None) -> dict[str, Any]:
        """Return what is to be seen of the network in training, or of ``network``."""
        ...


def views_of(trainer: Trainer, data: Dataset) -> list[View]:
    """Return the views that suit the data; their shares are 1 % together."""
    views: list[View] = [Gradients(trainer)]
    shape = data.shape
    if data.kind == "images" and picture_shape(shape) is not None:
        views.append(Weights(trainer, shape))
        if trainer.network.output == "softmax":
            views.append(Mistakes(trainer, shape))
    return views


def picture_shape(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Return height and width of images that can be shown; None for other inputs."""
    if len(shape) not in (2, 3) or shape[0] * shape[1] > MOST_PIXELS:
        return None
    return shape[0], shape[1]


class Weights:
    """Weights of the first units of the first layer, as images.

    Parameters
    ----------
    shape : of one image; colours are shown by their mean
    """

    name, share = "weights", 0.002

    def __init__(self, trainer: Trainer, shape: tuple[int, ...]) -> None:
        self._network, self._shape = trainer.network, shape
        self._most = max(1, min(MOST_UNITS, SHOWN_VALUES // (shape[0] * shape[1])))

    def look(self, network: Network | None = None) -> dict[str, Any]:
        """Return the weights as float16."""
        weights = (network or self._network).weights[0]
        images = _pictures(weights[:, : self._most].T, self._shape)
        with np.errstate(over="ignore", invalid="ignore"):
            values = _base64(images.astype("<f2"))
        height, width = self._shape[:2]
        return {
            "units": len(images),
            "of": weights.shape[1],
            "height": height,
            "width": width,
            "values": values,
        }


class Gradients:
    """Gradients of the mean loss over a few training samples, by layer.

    They are those of the reference path, without dropout and distortions, which draw
    anew for each mini-batch.
    """

    name, share = "gradients", 0.004

    def __init__(self, trainer: Trainer) -> None:
        self._samples, self._network = trainer.samples, trainer.network
        self._smoothing = trainer.settings.label_smoothing
        self._is_normalized = trainer.settings.batch_norm

    @cached_property
    def _libraries(self) -> ThreadpoolController:
        return ThreadpoolController()

    @cached_property
    def _probe(self) -> tuple[NDArray[Any], Any]:
        """Inputs and targets of the samples."""
        rows, images = _copied(self._samples, self._samples.rows, PROBE)
        x = gather(images, np.arange(len(rows)), self._network.input_scale, self._network.dtype)
        return x, self._samples.targets[rows]

    def look(self, network: Network | None = None) -> dict[str, Any]:
        """Return norm, histogram and zeros of each layer's gradient by its weights."""
        network = network or self._network
        x, targets = self._probe
        normalized: list[Normalized] | None = [] if self._is_normalized else None
        # OpenBLAS' threads would spin beside those that train.
        with (
            np.errstate(all="ignore"),
            self._libraries.limit(limits=1, user_api="blas"),
        ):
            activations, slopes, logits = forward(
                network.weights,
                network.biases,
                x,
                ACTIVATIONS[network.activation],
                normalized=normalized,
                epsilon=EPSILON,
            )
            _, d_logits = OUTPUTS[network.output].losses(logits, targets, self._smoothing, None)
            d_weights, _ = backward(network.weights, activations, slopes, d_logits, normalized)
            layers = [_sizes(values) for values in d_weights]
        if network.activation == "relu":
            for layer, hidden in zip(layers, activations[1:], strict=False):
                layer["silent"] = float((hidden == 0).all(axis=0).mean())
        return {"samples": len(x), "layers": layers}


def _sizes(values: NDArray[Any]) -> dict[str, Any]:
    """Return norm and histogram of the values of an array; a bin for each power of 2.

    ``counts[i]`` values have a size from ``2**(low + i)`` to ``2**(low + i + 1)``.
    Zeros, and what is not finite, do not count.
    """
    norm = float(np.linalg.norm(values))
    sizes = values[(values != 0) & np.isfinite(values)]
    # The exponent is part of the number: no logarithm has to be taken.
    _, exponents = np.frexp(sizes)
    low = int(exponents.min()) - 1 if sizes.size else 0
    return {
        "norm": norm if np.isfinite(norm) else None,
        "low": low,
        "counts": np.bincount(exponents - (low + 1)).tolist() if sizes.size else [],
        "zeros": float(1 - np.count_nonzero(values) / values.size),
    }


class Mistakes:
    """Validation samples that the network takes for another class, surest first.

    Without validation samples they are training samples.

    Parameters
    ----------
    trainer : whose backend predicts
    shape : of one image; colours are shown by their mean
    """

    name, share = "mistakes", 0.004

    def __init__(self, trainer: Trainer, shape: tuple[int, ...]) -> None:
        self._trainer, self._shape = trainer, shape
        self._most = min(MOST_MISTAKES, SHOWN_VALUES // (shape[0] * shape[1]))

    @cached_property
    def _probe(self) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Rows of the samples, and their images."""
        samples = self._trainer.samples
        rows = samples.validation_rows if len(samples.validation_rows) else samples.rows
        return _copied(samples, rows, ASKED)

    def look(self, network: Network | None = None) -> dict[str, Any]:
        """Return how many are wrong, and the images on which the network is surest."""
        samples, (rows, images) = self._trainer.samples, self._probe
        network = network or self._trainer.validated
        with np.errstate(all="ignore"):
            logits: Any = self._trainer.backend.logits(network, images)
            probabilities = OUTPUTS[network.output].answer(logits.astype(np.float64))
        predicted = probabilities.argmax(axis=1)
        surest = np.nan_to_num(probabilities.max(axis=1))
        labels: Any = samples.targets[rows]
        wrong = np.flatnonzero(predicted != labels)
        shown = wrong[np.argsort(-surest[wrong], kind="stable")][: self._most]
        return {
            "part": "validation" if len(samples.validation_rows) else "training",
            "asked": len(rows),
            "wrong": len(wrong),
            "rows": rows[shown].tolist(),
            "labels": labels[shown].tolist(),
            "predicted": predicted[shown].tolist(),
            "probabilities": np.round(surest[shown], 6).tolist(),
            "images": _base64(self._grey(images[shown])),
        }

    @cached_property
    def _limits(self) -> tuple[float, float]:
        """The values that are shown as black and white."""
        _, images = self._probe
        return (0.0, 255.0) if images.dtype == np.uint8 else (float(images.min()), float(images.max()))

    def _grey(self, images: NDArray[Any]) -> NDArray[np.uint8]:
        low, high = self._limits
        pictures = _pictures(images.astype(np.float64), self._shape)
        return np.clip(np.rint((pictures - low) * (255 / ((high - low) or 1.0))), 0, 255).astype(np.uint8)


def _copied(samples: Samples, rows: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return up to ``count`` of the rows, evenly spread, and a copy of their inputs."""
    count = min(count, len(rows), max(1, MOST_VALUES // samples.images.shape[1]))
    rows = rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)]
    images = np.ascontiguousarray(samples.images[rows])
    release(samples.images)
    return rows, images


def _pictures(rows: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    """Return rows as pictures in one colour: (n, height width)."""
    if len(shape) == 2:
        return rows
    return np.asarray(rows.reshape(len(rows), shape[0] * shape[1], shape[2]).mean(axis=2))


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")
