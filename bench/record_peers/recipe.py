"""A recipe's file, read for other libraries: all that it asks for, or a refusal."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastbp.network import Network
from fastbp.random import shuffle
from fastbp.recipe import named
from fastbp.recipe.defaults import settings_for
from fastbp.recipe.distortions import Variant, read_variants
from fastbp.recipe.hard_mining import HardMining, visits
from fastbp.recipe.initializers import initialize
from fastbp.recipe.schedules import learning_rates
from fastbp.recipe.settings import Settings, read_settings

__all__ = ["PIXEL", "Recipe", "RefusedError"]

PIXEL = 1 / 255
KNOWN = {
    "augment",
    "batch_norm",
    "batch_size",
    "dropout",
    "epochs",
    "hard_mining",
    "hidden",
    "init",
    "input_dropout",
    "label_smoothing",
    "learning_rate",
    "schedule",
    "seed",
    "stop",
    "validation",
    "warmup",
}
"""Settings that the peers follow; all others must be at their defaults."""
NOT_YET = ("blur", "noise", "squares")  # parts of a distortion


class RefusedError(Exception):
    """A recipe asks for something that the peers do not do; the message says what."""


@dataclass(frozen=True)
class Recipe:
    """What to train, as fastbp does it: initial weights, mini-batches, learning rates, distortions.

    Orders of samples and initial weights are those of fastbp, so that every library sees the same batches.
    Draws of distortions and dropout are each library's own.

    Attributes
    ----------
    settings : all of the run
    variants : distortions of which one is drawn for each image; none for images as they are
    """

    settings: Settings
    variants: tuple[Variant, ...]

    @classmethod
    def read(cls, name: str, epochs: int | None = None) -> Recipe:
        """Read a recipe of the package; ``epochs`` instead of its own, if given.

        Raises
        ------
        RefusedError : it has a setting that the peers do not know
        """
        settings = settings_for("images", read_settings(named.path_of(name)))
        return cls.of(settings if epochs is None else replace(settings, epochs=epochs))

    @classmethod
    def of(cls, settings: Settings) -> Recipe:
        """Check settings; see `read`."""
        defaults = settings_for("images", {})
        for field in fields(Settings):
            value: Any = getattr(settings, field.name)
            if field.name not in KNOWN and value != getattr(defaults, field.name):
                raise RefusedError(f"{field.name} is {value!r}, which the peers do not know")
        if settings.validation or settings.stop or settings.schedule.startswith("plateau"):
            raise RefusedError("the peers train all digits for all epochs: no validation, stop or plateau")
        variants = read_variants(settings.augment)
        plain = Variant()
        for variant in variants:
            for part in NOT_YET:
                if getattr(variant, part) != getattr(plain, part):
                    raise RefusedError(f"augment has {part}, which the peers do not know")
        return cls(settings, variants)

    def undistorted(self) -> Recipe:
        """Return the recipe without what is random: distortions and dropout."""
        calm = replace(self.settings, augment="none", dropout=0.0, input_dropout=0.0)
        return Recipe(calm, ())

    def network(self, seed: int, inputs: int, classes: int = 10) -> Network:
        """Return a network with the initial weights of a random seed."""
        network = Network((inputs, *self.settings.hidden, classes), input_scale=PIXEL)
        initialize(network, self.settings.init, seed)
        return network

    def order(self, seed: int, epoch: int, samples: int, mining: HardMining | None) -> NDArray[np.int64]:
        """Return the rows that an epoch, from 0, visits."""
        rows = shuffle(seed, epoch, samples)
        return rows if mining is None else mining.choose(rows, mining.losses)

    def rates(self, epoch: int, samples: int) -> NDArray[np.float64]:
        """Return the learning rates of an epoch's updates."""
        settings = self.settings
        steps = math.ceil(visits(settings.hard_mining, samples) / settings.batch_size)
        total, warmup = settings.epochs * steps, round(settings.warmup * steps)
        return learning_rates(settings.schedule, settings.learning_rate, epoch * steps, steps, total, warmup)

    @cached_property
    def ranges(self) -> NDArray[np.float32]:
        """What affine maps are drawn from, (V, 8): zoom's ends, stretch, rotation and that of 1 and 7 in
        degrees, shift, shear, and alpha of the elastic field.
        """
        return np.array([variant.row()[:8] for variant in self.variants], np.float32)

    @cached_property
    def is_elastic(self) -> bool:
        """Whether any variant has an elastic field."""
        return any(variant.alpha for variant in self.variants)

    def smoothing(self, pixels: int) -> NDArray[np.float32]:
        """Return the Gaussian of each variant's elastic field as a matrix of bands, (V, pixels, pixels).

        K n K^T smooths the columns and the rows of an image n, zeros outside.
        """
        apart = np.abs(np.subtract.outer(np.arange(pixels), np.arange(pixels)))
        taps = np.array([np.pad(variant.taps(), (0, pixels)) for variant in self.variants])
        return np.ascontiguousarray(taps[:, apart])
