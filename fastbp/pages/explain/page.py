"""The page of one step of backpropagation: the network, the samples, and what the
reference path computed, which the page computes again.
"""

from __future__ import annotations

import base64
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.source import printable
from ...network import Network
from ...terminal.names import short_names
from ..document import Page
from ..weights import Packed, Shown, accuracy_of, pack
from .numbers import RATE, StepNumbers
from .samples import Samples, image_classifier

__all__ = ["HALF_FROM", "explain_page", "explained_network", "pack_explained", "plain_numbers"]

HALF_FROM = 2_500_000
"""Bytes of float32 weights above which the page has float16: 4 MB are its limit."""
LONGEST = 24
"""Characters of the name of a class in the page."""
CHECKED = 20_000
"""Numbers of z, a and d_z in the page, at most: of the first samples, of one at least.
"""

PAGE = Page(
    folder="explain",
    title="One step of backpropagation",
    scripts=(
        "special.js",
        "functions.js",
        "encoding.js",
        "network.js",
        "step.js",
        "views/canvas.js",
        "words.js",
        "example.js",
        "formulas.js",
        "cells.js",
        "bars.js",
        "forward_view.js",
        "backward_view.js",
        "curve.js",
        "update_view.js",
        "differences.js",
        "proof.js",
        "hundred.js",
        "lesson.js",
        "walk.js",
        "page.js",
    ),
    styles=("base.css", "views.css"),
)


def explained_network(run: Path) -> tuple[Network, Packed]:
    """Read a network that classifies images, and prepare it for the page.

    Returns
    -------
    network
        The network as the run has it.
    packed
        The network as the page has it, see `pack_explained`.

    Raises
    ------
    WeightsError
        The weights are missing or damaged, the outputs are not softmax, or the inputs
        are columns of a table.
    """
    network = image_classifier(run)
    return network, pack_explained(Shown(printable(run), network, "", accuracy_of(run)))


def pack_explained(shown: Shown) -> Packed:
    """Prepare a network for the page, with weights that keep it below 4 MB.

    The weights are float32, or float16 for a network of more than 625,000. What the
    page says is about the rounded weights, which are those of `Packed.network`.

    Raises
    ------
    WeightsError
        A float64 weight is too large for float32.
    """
    (packed,) = pack([shown], limit=4 * shown.network.parameter_count)
    notes = [packed.note] if packed.note else []
    if shown.network.dtype == np.float64:
        notes.append("The run's weights are float64; here they are rounded to float32.")
    if 4 * packed.network.parameter_count > HALF_FROM:
        half = packed.network.copy()
        with np.errstate(over="ignore"):
            half.parameters[...] = packed.network.parameters.astype(np.float16)
        if half.is_finite():
            notes.append("Here the run's weights are rounded to float16, so that the page stays small.")
            packed = replace(packed, network=half, type="float16", accuracy=None)
    return replace(packed, note=" ".join(notes))


def explain_page(packed: Packed, samples: Samples, numbers: StepNumbers) -> str:
    """Return the page: one HTML file, which loads nothing else.

    Parameters
    ----------
    packed
        Network from `pack_explained`.
    samples
        The digit or mini-batch.
    numbers
        What `step_numbers` made of both.

    Raises
    ------
    ConfigError
        The activation has no JavaScript expression in its entry.
    """
    return PAGE.html(
        {
            "network": {**packed.to_dict(), "activationName": packed.network.activation},
            "classes": short_names(packed.network.output_names, LONGEST),
            "title": samples.title,
            "names": list(samples.names),
            "images": _encoded(samples.images),
            "imageType": samples.images.dtype.name,
            "scale": samples.scale,
            "labels": samples.labels.tolist(),
            "shape": samples.shape,
            "rate": RATE,
            "reference": _reference(numbers),
        }
    )


def plain_numbers(packed: Packed, samples: Samples, numbers: StepNumbers) -> dict[str, Any]:
    """Return every number of the step as plain values for JSON; a loss that is not
    finite is None.
    """
    network = packed.network
    return {
        "network": {
            "name": packed.name,
            "sizes": list(network.sizes),
            "activation": network.activation,
            "classes": list(network.output_names),
            "weights": packed.type,
            "note": packed.note,
        },
        "samples": {
            "title": samples.title,
            "names": list(samples.names),
            "labels": samples.labels.tolist(),
            "shape": samples.shape,
        },
        "layers": numbers.layers(),
        "p": numbers.p.tolist(),
        "losses": numbers.losses.tolist(),
        "loss": numbers.loss,
        "update": {"rate": RATE, "loss": _finite(numbers.loss_after)},
        "line": [{"rate": rate, "loss": _finite(loss)} for rate, loss in numbers.line],
    }


def _reference(numbers: StepNumbers) -> dict[str, Any]:
    """Return what the page compares its own numbers with."""
    width = sum(2 * z.shape[1] + d_z.shape[1] for z, d_z in zip(numbers.z, numbers.d_z, strict=True))
    count = max(1, min(len(numbers.losses), CHECKED // width))
    return {
        "samples": count,
        "sums": [_encoded(z[:count]) for z in numbers.z],
        "outputs": [_encoded(a[:count]) for a in numbers.a[1:]],
        "dSums": [_encoded(d_z[:count]) for d_z in numbers.d_z],
        "dBiases": [_encoded(d_bias) for d_bias in numbers.d_biases],
        "probabilities": _encoded(numbers.p),
        "losses": _encoded(numbers.losses),
        "ends": _encoded(np.array([numbers.loss, numbers.loss_after])),
    }


def _encoded(array: NDArray[Any]) -> str:
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return base64.b64encode(plain.tobytes()).decode()


def _finite(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None
