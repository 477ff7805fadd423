"""The page on which a network trains: its scripts, and the data that they find."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ...data.arrays import BYTE_SCALE, byte_scale
from ...data.source import printable
from ...digits.preprocess import SIDE
from ...errors import WeightsError
from ...network import Network
from ...recipe.checks import format_hidden
from ...recipe.distortions import PRESETS, make_distortion
from ...recipe.initializers import SCHEMES
from ...recipe.schedules import SCHEDULES
from ...recipe.settings import Settings
from ...reference.activations import ACTIVATIONS
from ...runs.folder import load_classifier, read_run_settings
from ..document import FUNCTIONS, Page
from ..weights import Shown, pack
from .digits import PlaygroundDigits

__all__ = [
    "CHOICES",
    "PAGE",
    "WORKER",
    "Start",
    "may_have_seen",
    "playground_page",
    "read_start",
    "trained_settings",
]

WORKER = (
    "special.js",
    FUNCTIONS,
    "encoding.js",
    "network.js",
    "step.js",
    "hash.js",
    "random.js",
    "initialize.js",
    "schedules.js",
    "dropout.js",
    "distort.js",
    "images.js",
    "choices.js",
    "trainer.js",
    "measure.js",
    "breaking.js",
    "safetensors.js",
    "learner.js",
    "session.js",
    "worker.js",
)

PAGE = Page(
    folder="playground",
    title="Playground",
    scripts=(
        "special.js",
        FUNCTIONS,
        "encoding.js",
        "network.js",
        "normalize.js",
        "board.js",
        "views/canvas.js",
        "views/curves.js",
        "views/tiles.js",
        "views/histogram.js",
        "views/digits.js",
        "images.js",
        "settings.js",
        "link.js",
        "form.js",
        "command.js",
        "training.js",
        "weights_file.js",
        "controls.js",
        "charts.js",
        "insides.js",
        "mistakes.js",
        "drawn.js",
        "trouble.js",
        "break.js",
        "lessons.js",
        "lesson.js",
        "overflow.js",
        "page.js",
    ),
    worker=WORKER,
    styles=("base.css", "views.css", "board.css"),
)

CHOICES: dict[str, Any] = {
    "hidden": [64],
    "activation": "relu",
    "initialization": "he",
    "batchSize": 32,
    "learningRate": 0.3,
    "schedule": "linear",
    "epochs": 20,
    "momentum": 0,
    "l2": 0,
    "dropout": 0,
    "augment": "affine",
    "seed": 1,
}
"""Choices of the page at first."""

GOING_ON = 0.05
"""Learning rate at first for a network that has been trained, for mini-batches of 32 or
more; of smaller ones it is smaller in proportion.
"""

LARGEST_BATCH = 128
"""Largest mini-batch taken over from a run: any network here can step with it."""

LIMITS = {"layers": 8, "units": 1000, "epochs": 1000}
"""Largest choices: hidden layers, their units, and epochs."""


@dataclass(frozen=True)
class Start:
    """A network whose weights training may start from, and its name on the page."""

    name: str
    network: Network


def read_start(path: str | os.PathLike[str]) -> Start:
    """Read a network from a run folder or a weights file.

    Raises
    ------
    WeightsError
        The weights are missing or damaged, or do not classify images.
    """
    name, network = printable(os.fspath(path)), load_classifier(path)
    if network.schema is not None and network.schema.features:
        raise WeightsError(f"{name}: takes rows of a table; expected a network for images")
    return Start(name, network)


def trained_settings(run: str | os.PathLike[str]) -> Settings:
    """Return the settings of a run; for a weights file, those of a run on the default
    data that held nothing out.
    """
    found = read_run_settings(run)
    return Settings.from_mapping(found or {"validation": 0.0})


def may_have_seen(run: str | os.PathLike[str], source: str) -> bool:
    """Return whether a run may have been trained on data.

    What a weights file was trained on, nobody has written down.
    """
    data = read_run_settings(run).get("data", Settings().data)
    if not read_run_settings(run) or source == data:
        return True
    try:
        return os.path.samefile(source, data)
    except OSError:  # one of them is a name, or is not there
        return False


def playground_page(
    digits: PlaygroundDigits, start: Start | None = None, trained: Settings | None = None
) -> str:
    """Return the page: one HTML file with the images, which loads nothing else.

    Parameters
    ----------
    digits
        Images from `playground_digits`.
    start
        Network whose weights are those at first; none: weights are drawn.
    trained
        Settings that it was trained with.

    Raises
    ------
    WeightsError
        The network does not take these images or has other classes.
    """
    return PAGE.html(playground_data(digits, start, trained))


def playground_data(
    digits: PlaygroundDigits, start: Start | None = None, trained: Settings | None = None
) -> dict[str, Any]:
    """Return what the page's scripts find."""
    choices = {**CHOICES, "batchSize": min(CHOICES["batchSize"], digits.train_count)}
    if digits.shape != (SIDE, SIDE):
        choices["augment"] = "none"  # the presets are made for digits of this size
    if start is not None:
        _check_fit(start, digits)
        choices |= _going_on(start.network, digits, trained or Settings())
    return {
        **digits.to_dict(),
        "version": _version(),
        "scale": BYTE_SCALE if start is None else byte_scale(start.network.input_scale),
        "augment": _presets(digits.shape),
        "start": None if start is None else _packed(start, digits),
        "choices": choices,
        "limits": LIMITS,
        "names": {
            "activation": list(ACTIVATIONS),
            "initialization": list(SCHEMES),
            "schedule": list(SCHEDULES),
            "augment": ["none", *_presets(digits.shape)],
        },
    }


def _going_on(network: Network, digits: PlaygroundDigits, trained: Settings) -> dict[str, Any]:
    """Return choices with which a trained network goes on as it was trained, at a rate
    that does not undo what it has learnt.
    """
    batch = min(trained.batch_size, LARGEST_BATCH, digits.train_count)
    return {
        "hidden": list(network.sizes[1:-1]),
        "activation": network.activation,
        "initialization": "start",
        "batchSize": batch,
        "learningRate": round(GOING_ON * min(1, batch / CHOICES["batchSize"]), 6),
        "augment": trained.augment if trained.augment in _presets(digits.shape) else "none",
    }


def _check_fit(start: Start, digits: PlaygroundDigits) -> None:
    network, (height, width) = start.network, digits.shape
    if network.inputs != height * width:
        raise WeightsError(
            f"{start.name}: takes {network.inputs} inputs; expected {height * width}, as {digits.name} has "
            f"images of {height}x{width}"
        )
    hidden = network.sizes[1:-1]
    if len(hidden) > LIMITS["layers"] or max(hidden, default=0) > LIMITS["units"]:
        raise WeightsError(
            f"{start.name}: has hidden layers of {format_hidden(hidden)} units; expected at most "
            f"{LIMITS['layers']} of at most {LIMITS['units']}, which a page can train"
        )
    if network.classes != len(digits.classes):
        raise WeightsError(
            f"{start.name}: has {network.classes} classes; expected {len(digits.classes)}, as in "
            f"{digits.name}"
        )


def _packed(start: Start, digits: PlaygroundDigits) -> dict[str, Any]:
    """Return the network as ``encoding.js`` reads it: never rounded to float16."""
    (packed,) = pack([Shown(start.name, start.network, digits.name)], limit=sys.maxsize)
    return packed.to_dict()


def _presets(shape: tuple[int, int]) -> dict[str, Any]:
    """Return the distortions that images of a shape can have, as ``distort.js`` reads
    them.
    """
    found = {}
    for name, variants in PRESETS.items():
        if any(variant.squares and variant.square > min(shape) for variant in variants):
            continue
        distortion = make_distortion(variants, shape)
        found[name] = {"plan": distortion.plan.tolist(), "taps": distortion.taps.tolist()}
    return found


def _version() -> str:
    try:
        return version("fastbp")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "unknown"
