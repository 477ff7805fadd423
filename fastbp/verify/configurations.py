"""The configurations of ``fastbp verify --all``: each option alone, and all together.

They are derived from what is declared elsewhere. Registries are iterated: activation
functions, update rules, schedules, initialisations, stopping criteria, presets and
parts of distortions, outputs. A setting that changes weights needs a value in `VALUES`;
one that no configuration changes is reported as unchecked, and so fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.tables.options import TableOptions
from ..network import FloatArray
from ..recipe.distortions import PRESETS, Distortion, Variant, make_distortion
from ..recipe.initializers import SCHEMES
from ..recipe.optimizers import OPTIMIZERS
from ..recipe.schedules import SCHEDULES
from ..recipe.settings import Settings, declarations
from ..recipe.stopping import CRITERIA
from ..reference.activations import ACTIVATIONS
from ..reference.losses import OUTPUTS
from .problem import Problem

__all__ = ["Configuration", "configurations", "unchecked"]

SAMPLES, SIDE, CLASSES = 210, 12, 10
BASE = Settings(
    data="made up",
    hidden=(24, 17),
    batch_size=16,
    epochs=2,
    learning_rate=0.1,
    schedule="constant",
    validation=0.2,
    seed=1,
    threads=1,
)
"""Plain SGD and ReLU: eleven steps an epoch, the last of a smaller batch."""
GENTLE = 0.01
"""Learning rate at which every update rule learns."""

VALUES: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {
        "hidden": ((), (5, 6, 7, 8), (70, 33)),
        "batch_size": (1, 10**6),
        "warmup": (0.7,),
        "l2": (0.05,),
        "weight_decay": (0.05,),
        "clip_value": (0.002,),
        "clip_norm": (0.1,),
        "max_norm": (0.8,),
        "ema": (0.9,),
        "dropout": (0.3,),
        "input_dropout": (0.2,),
        "batch_norm": (True,),
        "label_smoothing": (0.1,),
        "hard_mining": (0.7,),
        "class_weight": ("balanced", "0,1,2,3,1,1,1,1,0.5,1"),
        "validation": (0.0,),
        "seed": (2**40 + 3,),
        "threads": (2,),
    }
)
"""Values of settings that have no registry, each of which makes a configuration."""

SCHEDULE_TEXTS = {"plateau": "plateau:0.5,1,10"}  # falls after every epoch
CRITERION_TEXTS = {
    "early": "early:1",
    "plateau": "plateau:10,2",
    "patience": "patience:1",
    "time": "time:1e-9",  # ends after the first epoch, whatever the clock says
}
VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "zoom": Variant(zoom=(0.7, 1.3)),
        "stretch": Variant(stretch=0.3),
        "rotation": Variant(rotation=40),
        "rotation_of_1_and_7": Variant(rotation=40, rotation_of_1_and_7=5),
        "shift": Variant(shift=2),
        "shear": Variant(shear=0.4),
        "alpha": Variant(alpha=20),
        "sigma": Variant(alpha=20, sigma=2),
        "blur": Variant(blur=(0.3, 1.5)),
        "noise": Variant(noise=30),
        "squares": Variant(squares=3),
        "square": Variant(squares=3, square=2),
    }
)
"""Each part of a distortion alone."""
SAME_ON_BOTH = frozenset(
    {"data", "test", "backend", "dtype", *(field.name for field in fields(TableOptions))}
)
"""Settings that every configuration covers: its own data, both backends, both types."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Configuration:
    """A named problem of ``fastbp verify --all``."""

    name: str
    problem: Problem


def configurations() -> list[Configuration]:
    """Return the fixed list, in the order in which it is reported."""
    digits = _Digits()
    return [
        Configuration(name=name, problem=problem)
        for name, problem in (
            *_of_registries(digits),
            *_of_values(digits),
            *_of_distortions(digits),
            *_of_outputs(digits),
            *_of_inputs(digits),
            *_of_everything(digits),
        )
    ]


def unchecked(chosen: Iterable[Configuration]) -> list[str]:
    """Return the settings that change weights, and distortions, that nothing checks."""
    chosen, plain = list(chosen), Settings()
    missing = []
    for name, declared in declarations().items():
        if name in SAME_ON_BOTH or not declared.changes_weights:
            continue
        values = [getattr(one.problem.settings, name) for one in chosen]
        if all(value == getattr(plain, name) for value in values):
            missing.append(f"setting {name}")
    return missing + [f"distortion {field.name}" for field in fields(Variant) if field.name not in VARIANTS]


class _Digits:
    """Made-up images of ten classes, mostly zero as those of drawn digits."""

    def __init__(self) -> None:
        rng = np.random.default_rng(5)
        strokes = np.zeros((CLASSES, SIDE, SIDE))
        strokes[:, 2:-2, 2:-2] = rng.random((CLASSES, SIDE - 4, SIDE - 4)) < 0.4
        labels = rng.permutation(np.arange(SAMPLES) % CLASSES)
        kept = rng.random((SAMPLES, SIDE, SIDE)) < 0.8
        pixels = strokes[labels] * kept * rng.integers(40, 256, (SAMPLES, SIDE, SIDE))
        self.labels: NDArray[np.int64] = labels.astype(np.int64)
        self.images: NDArray[np.uint8] = pixels.reshape(SAMPLES, -1).astype(np.uint8)
        self.dense: NDArray[np.uint8] = (255 - self.images // 2).astype(np.uint8)
        self.weights: NDArray[np.float64] = np.linspace(0.2, 2, SAMPLES)

    def problem(self, settings: Settings = BASE, **more: Any) -> Problem:
        """Return a problem of classes, or another one by its fields."""
        given = {
            "images": self.images,
            "targets": self.labels,
            "outputs": CLASSES,
            "test_images": more.get("images", self.images)[:50],
            "test_labels": self.labels[:50],
            **more,
        }
        return Problem(settings=settings, **given)

    def targets(self, output: str) -> NDArray[np.float64]:
        """Return targets (N, 3): labels of which any number apply, or values."""
        asked: NDArray[np.float64] = self.labels[:, None] * np.array([1.0, 2.0, 3.0])
        values = np.sin(asked)
        return values if output == "identity" else (values > 0).astype(np.float64)


Named = Iterator[tuple[str, Problem]]


def _of_registries(digits: _Digits) -> Named:
    for name in ACTIVATIONS:
        yield f"activation {name}", digits.problem(replace(BASE, activation=name))
    for name in OPTIMIZERS:
        yield (
            f"optimizer {name}",
            digits.problem(replace(BASE, optimizer=name, learning_rate=GENTLE)),
        )
    for name in SCHEDULES:
        text = SCHEDULE_TEXTS.get(name, name)
        yield f"schedule {text}", digits.problem(replace(BASE, schedule=text, epochs=3))
    for name in SCHEMES:
        # Weights that are all positive make logits of hundreds.
        rate = GENTLE**2 if name == "uniform" else BASE.learning_rate
        yield f"init {name}", digits.problem(replace(BASE, init=name, learning_rate=rate))
    for name in CRITERIA:
        text = CRITERION_TEXTS.get(name, name)
        yield f"stop {text}", digits.problem(replace(BASE, stop=(text,), epochs=4))
    yield (
        "restore_best",
        digits.problem(replace(BASE, restore_best=True, learning_rate=2.0, epochs=4)),
    )
    yield "on_divergence rollback", digits.problem(replace(BASE, on_divergence="rollback", epochs=3))


def _of_values(digits: _Digits) -> Named:
    for name, values in VALUES.items():
        for value in values:
            yield f"{name} {_text(value)}", digits.problem(replace(BASE, **{name: value}))


def _of_distortions(digits: _Digits) -> Named:
    for name, variants in PRESETS.items():
        settings = replace(BASE, augment=name, epochs=1)
        yield f"augment {name}", digits.problem(settings, distortion=_distortion(variants))
    for name, variant in VARIANTS.items():
        settings = replace(BASE, epochs=1)
        yield f"distortion {name}", digits.problem(settings, distortion=_distortion([variant]))


def _of_outputs(digits: _Digits) -> Named:
    """As the estimators train: classes, several labels, values, sample weights."""
    for name in OUTPUTS:
        given: dict[str, Any] = {}
        if name != "softmax":
            given = {"output": name, "targets": digits.targets(name), "outputs": 3}
            yield f"output {name}", digits.problem(**given)
            one = {**given, "targets": given["targets"][:, :1].copy(), "outputs": 1}
            yield f"output {name}, one unit", digits.problem(**one)
            smooth = replace(BASE, label_smoothing=0.1)
            yield f"output {name}, label_smoothing 0.1", digits.problem(smooth, **given)
        yield (
            f"output {name}, sample weights",
            digits.problem(sample_weights=digits.weights, **given),
        )


def _of_inputs(digits: _Digits) -> Named:
    yield "dense images", digits.problem(images=digits.dense)
    floats: FloatArray = digits.images / 255 - 0.1
    yield "inputs of floats", digits.problem(images=floats)
    adam = replace(BASE, optimizer="adamw", learning_rate=GENTLE, l2=1e-4, activation="tanh")
    yield "inputs of floats, adamw, l2, tanh", digits.problem(adam, images=floats)


def _of_everything(digits: _Digits) -> Named:
    """Each update rule with every option at once."""
    for name in OPTIMIZERS:
        settings = replace(
            BASE,
            optimizer=name,
            learning_rate=GENTLE,
            schedule="cosine",
            warmup=0.5,
            activation="gelu",
            init="xavier",
            l2=0.01,
            weight_decay=0.02,
            clip_value=0.01,
            clip_norm=0.2,
            max_norm=1.0,
            ema=0.9,
            dropout=0.2,
            input_dropout=0.1,
            batch_norm=True,
            label_smoothing=0.1,
            hard_mining=0.7,
            class_weight="balanced",
            restore_best=True,
            augment="affine",
            threads=2,
        )
        given = {
            "distortion": _distortion(PRESETS["affine"]),
            "sample_weights": digits.weights,
        }
        yield f"everything, {name}", digits.problem(settings, **given)


def _distortion(variants: Iterable[Variant]) -> Distortion:
    return make_distortion(variants, (SIDE, SIDE))


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
