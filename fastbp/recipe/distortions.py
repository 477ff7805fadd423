"""What may happen to an image while a network learns from it: variants, presets, and
files of one's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..files import naming, read_toml
from ..random import Stream, generator

__all__ = ["PRESETS", "RADIUS", "Distortion", "Variant", "make_distortion", "read_variants"]

RADIUS = 15  # pixels, of the Gaussian that smooths elastic fields
NONE = "none"


def _number(name: str, value: Any, low: float, high: float) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    if not good or not math.isfinite(value):
        raise ConfigError(f"{name} is {value!r}; expected a number from {low:g} to {high:g}")
    return float(value)


def _count(name: str, value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{name} is {value!r}; expected a whole number from {low} to {high}")
    return value


def _range(name: str, value: Any, low: float, high: float) -> tuple[float, float]:
    ends = value if isinstance(value, tuple) else ()
    if len(ends) != 2:
        raise ConfigError(f"{name} is {value!r}; expected two numbers, lowest and highest")
    first, last = (_number(name, end, low, high) for end in ends)
    if first > last:
        raise ConfigError(f"{name} is {list(value)!r}; expected the lowest first")
    return first, last


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Ranges from which one image's distortion is drawn. All at their defaults: the
    image stays as it is.

    Ranges with two ends are uniform between them, others go as far to both sides.
    Affine parts and the elastic field make one bilinear resampling; then come blur,
    noise and squares.
    """

    zoom: tuple[float, float] = (1.0, 1.0)  # 0.1 to 10; above 1 enlarges
    stretch: float = 0.0  # 0 to 0.9; each axis is scaled by 1 - stretch .. 1 + stretch besides
    rotation: float = 0.0  # degrees, 0 to 180
    rotation_of_1_and_7: float | None = None  # they become each other; None: as all
    shift: float = 0.0  # pixels, along each axis
    shear: float = 0.0  # pixels along a row for each pixel across, 0 to 2
    alpha: float = 0.0  # pixels: what a displacement of 1 stands for before it is smoothed
    sigma: float = 4.0  # pixels, 0.5 to 7.5: how smooth the elastic field is
    blur: tuple[float, float] = (0.0, 0.0)  # pixels, 0 to 2: standard deviation of a Gaussian
    noise: float = 0.0  # grey levels, standard deviation
    squares: int = 0  # black ones, 0 to 64
    square: int = 4  # their side in pixels

    def __post_init__(self) -> None:
        values: dict[str, Any] = {
            "zoom": _range("zoom", self.zoom, 0.1, 10),
            "stretch": _number("stretch", self.stretch, 0, 0.9),
            "rotation": _number("rotation", self.rotation, 0, 180),
            "shift": _number("shift", self.shift, 0, 1e4),
            "shear": _number("shear", self.shear, 0, 2),
            "alpha": _number("alpha", self.alpha, 0, 1e4),
            "sigma": _number("sigma", self.sigma, 0.5, 7.5),
            "blur": _range("blur", self.blur, 0, 2),
            "noise": _number("noise", self.noise, 0, 255),
            "squares": _count("squares", self.squares, 0, 64),
            "square": _count("square", self.square, 1, 10_000),
        }
        if self.rotation_of_1_and_7 is not None:
            values["rotation_of_1_and_7"] = _number("rotation_of_1_and_7", self.rotation_of_1_and_7, 0, 180)
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def row(self) -> list[float]:
        """Return the numbers in the order in which kernels and reference read them."""
        narrow = self.rotation if self.rotation_of_1_and_7 is None else self.rotation_of_1_and_7
        return [
            *self.zoom,
            self.stretch,
            self.rotation,
            narrow,
            self.shift,
            self.shear,
            self.alpha,
            *self.blur,
            self.noise,
            self.squares,
            self.square,
        ]

    def taps(self) -> NDArray[np.float32]:
        """Return half of the elastic field's Gaussian, middle first, (RADIUS + 1,); it
        adds up to 1.
        """
        distance = np.arange(RADIUS + 1)
        half = np.where(distance <= 3 * self.sigma, np.exp(-0.5 * (distance / self.sigma) ** 2), 0)
        return np.asarray(half / (half[0] + 2 * half[1:].sum()), dtype=np.float32)


# As strong as they can be without cutting digits off at the border: more than 2 % of
# the ink is lost by less than one image in fifty, more than 5 % by less than one in two
# hundred.
PRESETS: Mapping[str, tuple[Variant, ...]] = MappingProxyType(
    {
        # The report's: the image and four copies of it. It says what they are, not how
        # strong. Five epochs here show as many images as one of its.
        "report": (
            Variant(),
            Variant(zoom=(0.85, 1.15)),
            Variant(rotation=15),
            Variant(blur=(0.5, 1.0)),
            Variant(squares=3, square=4),
        ),
        # 20 degrees and not the usual 15: more of what is drawn by hand is read, and no
        # less of MNIST.
        "affine": (
            Variant(
                zoom=(0.8, 1.05), stretch=0.1, rotation=20, rotation_of_1_and_7=15, shift=1.5, shear=0.15
            ),
        ),
        # Weaker, for runs of few epochs: found for the recipes, see docs/records.
        "mild": (Variant(zoom=(0.9, 1.05), stretch=0.07, rotation=12, shift=1.0, shear=0.1),),
        # Affine and elastic at once, for runs of some tens of epochs; see there.
        "mixed": (
            Variant(zoom=(0.85, 1.05), stretch=0.1, rotation=15, shift=1.3, shear=0.12, alpha=24, sigma=5),
        ),
        # Simard, Steinkraus & Platt, "Best practices for convolutional neural networks
        # applied to visual document analysis", ICDAR 2003: sigma 4, alpha 34.
        "elastic": (Variant(alpha=34, sigma=4),),
        # Ciresan, Meier, Gambardella & Schmidhuber, "Deep, big, simple neural nets for
        # handwritten digit recognition", Neural Computation 22 (2010): sigma 5 to 6,
        # alpha 36 to 38, axes scaled by up to 15 to 20 %, rotation up to 15 degrees,
        # 7.5 for 1 and 7. The mildest of these.
        "ciresan": (Variant(alpha=36, sigma=6, stretch=0.15, rotation=15, rotation_of_1_and_7=7.5),),
    }
)


@dataclass(frozen=True, kw_only=True)
class Distortion:
    """What happens to images of one shape in one epoch."""

    plan: NDArray[np.float64]  # (V, 13): `Variant.row` of each
    taps: NDArray[np.float32]  # (V, RADIUS + 1)
    shape: tuple[int, int]
    key: int  # 0 <= key < 2**64, of seed and epoch

    def at(self, seed: int, epoch: int) -> Distortion:
        """Return what happens in an epoch, from 0: as pure a function of both as the
        order of samples.
        """
        key = int(generator(seed, Stream.DISTORT, epoch).integers(2**64, dtype=np.uint64))
        return replace(self, key=key)


def make_distortion(variants: Iterable[Variant], shape: tuple[int, int]) -> Distortion:
    """Put variants into the arrays that kernels read; ConfigError if a square is larger
    than the image.
    """
    chosen = tuple(variants)
    for variant in chosen:
        if variant.squares and variant.square > min(shape):
            raise ConfigError(
                f"squares of {variant.square} pixels do not fit into images of {shape[0]}x{shape[1]}"
            )
    return Distortion(
        plan=np.array([variant.row() for variant in chosen], dtype=np.float64),
        taps=np.array([variant.taps() for variant in chosen]),
        shape=shape,
        key=0,
    )


def read_variants(spec: str) -> tuple[Variant, ...]:
    """Return a preset's variants, or those of a TOML file; none for ``"none"``.

    Raises
    ------
    ConfigError : there is no such preset, or the file is not one of distortions
    """
    if spec == NONE:
        return ()
    if spec in PRESETS:
        return PRESETS[spec]
    path = Path(spec)
    if path.suffix != ".toml":
        names = ", ".join((NONE, *PRESETS))
        raise ConfigError(f"augment is {spec!r}; expected one of: {names}; or a .toml file")
    values = read_toml(path)
    entries = values.get("variants")
    if set(values) != {"variants"} or not isinstance(entries, list) or not entries:
        raise ConfigError(f"{path}: expected [[variants]] tables, and nothing else")
    with naming(path):
        return tuple(_variant(number, entry) for number, entry in enumerate(entries, start=1))


def _variant(number: int, values: Any) -> Variant:
    names = [field.name for field in fields(Variant)]
    if not isinstance(values, dict):
        raise ConfigError(f"variant {number} is {values!r}; expected a table")
    for name in values:
        if name not in names:
            raise ConfigError(f"{name} of variant {number} is unknown; expected one of: {', '.join(names)}")
    try:
        given: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
        return Variant(**given)
    except ConfigError as error:
        raise ConfigError(f"variant {number}: {error}") from error
