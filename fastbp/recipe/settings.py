"""Everything that decides a training run: checked once, read from and written to TOML."""

from __future__ import annotations

import difflib
import math
import operator
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ..errors import ConfigError
from ..random import check_seed
from ..reference.activations import ACTIVATIONS
from . import optimizers, sample_weights, schedules
from .distortions import PRESETS
from .initializers import SCHEMES
from .stopping import canonical, needs_validation

__all__ = ["BACKENDS", "DTYPES", "Settings", "format_hidden", "parse_hidden", "read_settings"]

BACKENDS = ("numba", "numpy")
DTYPES = ("float32", "float64")
MAX_THREADS = 1024


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to train, and how. The defaults are the recipe for MNIST that the README states.

    Attributes
    ----------
    data : a name (``"mnist"``), a folder, or a file, as `fastbp.data.dataset.load_training` takes it
    hidden : units of each hidden layer, each >= 1; ``()`` trains a softmax regression. Text (``"100,100"``,
        ``"none"``) is understood too.
    batch_size : samples of a mini-batch, >= 1; one larger than the data makes one batch of all
    epochs : >= 0; 0 evaluates the untrained network
    learning_rate : of the first update, finite, > 0
    schedule : how the rate goes on; texts as in `fastbp.recipe.schedules.learning_rates`
    warmup : epochs, or a part of one, in which the rate rises to ``learning_rate`` first; finite, >= 0
    activation : of hidden layers, a name in `fastbp.reference.activations.ACTIVATIONS`
    optimizer : the update rule, a name in `fastbp.recipe.optimizers.OPTIMIZERS` with its numbers. Rates around 0.4
        suit plain SGD; momentum goes with a tenth of that, rmsprop and adamw with 0.001
    l2 : penalty on the weights, ``l2 / 2 * sum(w**2)``, >= 0. It and the next ones are off at 0; their order
        is said in `fastbp.recipe.optimizers.Optimizer`
    weight_decay : decoupled: part of each weight that an update at rate 1 would take away, >= 0
    clip_value, clip_norm : limit of each element of the gradient, of the norm of all of it; > 0
    max_norm : limit of the norm of the weights that go into a unit, > 0
    ema : decay of the running mean of the parameters, which is then what is validated and kept; below 1
    dropout, input_dropout : part of the hidden units, and of the inputs, that each training step leaves out,
        >= 0 and below 1, rounded to multiples of 1 / 65536
    batch_norm : normalise the sums of hidden units over each mini-batch while training, of 2 samples or
        more; the network that is kept needs it no more
    label_smoothing : part of each label's probability that training spreads over all classes, below 1
    class_weight : what training multiplies the loss of each class's samples by; texts as in
        `fastbp.recipe.sample_weights.canonical`
    init : how weights start, a name in `fastbp.recipe.initializers.SCHEMES`
    validation : part of the training samples that is kept back, 0 <= validation < 1
    stop : criteria that end the run before its last epoch, the first to be met does; texts as in
        `fastbp.recipe.stopping.canonical`. A schedule that falls with the updates is cut short by them. The schedule
        ``plateau`` may end a run too.
    restore_best : keep the weights of the epoch with the lowest validation loss, not those of the last
    augment : what happens to training images, each epoch anew: ``"none"``, a preset or a TOML file, as
        `fastbp.recipe.distortions.read_variants` takes it
    seed : of every random draw, 0 <= seed < 2**63
    backend : ``"numba"`` or ``"numpy"``
    threads : 1 to 1024, or ``"auto"``
    dtype : of the arithmetic, ``"float32"`` or ``"float64"``

    Raises
    ------
    ConfigError : a value is out of its range; the message begins with its name
    """

    data: str = "mnist"
    hidden: tuple[int, ...] = (256, 256)
    batch_size: int = 32
    epochs: int = 14
    learning_rate: float = 0.4
    schedule: str = "linear"
    warmup: float = 0.0
    activation: str = "relu"
    optimizer: str = "sgd"
    l2: float = 0.0
    weight_decay: float = 0.0
    clip_value: float = 0.0
    clip_norm: float = 0.0
    max_norm: float = 0.0
    ema: float = 0.0
    dropout: float = 0.0
    input_dropout: float = 0.0
    batch_norm: bool = False
    label_smoothing: float = 0.0
    class_weight: str = "none"
    init: str = "he"
    validation: float = 0.1
    stop: tuple[str, ...] = ()
    restore_best: bool = False
    augment: str = "none"
    seed: int = 0
    backend: str = "numba"
    threads: int | Literal["auto"] = "auto"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        checked = {
            "data": _text("data", self.data),
            "hidden": parse_hidden(self.hidden),
            "batch_size": _whole("batch_size", self.batch_size, 1),
            "epochs": _whole("epochs", self.epochs, 0),
            "learning_rate": _rate("learning_rate", self.learning_rate),
            "schedule": schedules.canonical(self.schedule),
            "warmup": _amount("warmup", self.warmup),
            "activation": _choice("activation", self.activation, ACTIVATIONS),
            "optimizer": optimizers.canonical(self.optimizer),
            "l2": _amount("l2", self.l2),
            "weight_decay": _amount("weight_decay", self.weight_decay),
            "clip_value": _amount("clip_value", self.clip_value),
            "clip_norm": _amount("clip_norm", self.clip_norm),
            "max_norm": _amount("max_norm", self.max_norm),
            "ema": _share("ema", self.ema),
            "dropout": _share("dropout", self.dropout),
            "input_dropout": _share("input_dropout", self.input_dropout),
            "batch_norm": _switch("batch_norm", self.batch_norm),
            "label_smoothing": _share("label_smoothing", self.label_smoothing),
            "class_weight": sample_weights.canonical(self.class_weight),
            "init": _choice("init", self.init, SCHEMES),
            "validation": _fraction("validation", self.validation),
            "stop": _stop(self.stop),
            "restore_best": _switch("restore_best", self.restore_best),
            "augment": _augment(self.augment),
            "seed": check_seed(_whole("seed", self.seed, 0)),
            "backend": _choice("backend", self.backend, BACKENDS),
            "threads": _threads(self.threads),
            "dtype": _choice("dtype", self.dtype, DTYPES),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.batch_norm and self.batch_size == 1:
            raise ConfigError(
                "batch_norm normalises over each mini-batch, and batch_size is 1; expected 2 or more, as one "
                "sample has no variance"
            )
        if self.validation == 0:
            for spec in self.stop:
                if needs_validation(spec):
                    raise ConfigError(f"stop is {spec!r}, which needs validation data; validation is 0")
            if self.restore_best:
                raise ConfigError("restore_best needs validation data; validation is 0")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Settings:
        """Make settings of a mapping that may lack some; ConfigError for a key that is none."""
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"expected one of: {', '.join(known)}"
                raise ConfigError(f"{key} is not a setting; {hint}")
        return cls(**values)

    def to_toml(self) -> str:
        """Return the settings as a TOML file that `read_settings` and ``fastbp train --config`` read back."""
        import tomli_w

        return tomli_w.dumps(asdict(self))


def read_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a TOML file of settings, and check its keys and values.

    Returns
    -------
    the settings that the file has, and no others: what it lacks may come from elsewhere

    Raises
    ------
    ConfigError : the file is missing or not TOML, or has a key that is not known or a value out of range
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror or error}); expected a TOML file"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file ({' '.join(str(error).split())})") from error
    try:
        settings = asdict(Settings.from_mapping(values))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return {key: settings[key] for key in values}


def parse_hidden(hidden: str | int | Iterable[int]) -> tuple[int, ...]:
    """Read hidden layers from ``"100,100"``, ``"none"``, a number, or numbers; ConfigError otherwise."""
    expected = "expected units of each layer, such as 100,100, each 1 or more, or none"
    given: Iterable[Any]
    if isinstance(hidden, str):
        given = () if hidden.strip().lower() == "none" else hidden.split(",")
    else:
        given = hidden if isinstance(hidden, Iterable) else (hidden,)
    units = []
    for layer in given:
        try:
            unit = int(layer) if isinstance(layer, str) else operator.index(layer)
        except (TypeError, ValueError):
            unit = 0
        if unit < 1 or isinstance(layer, bool):
            raise ConfigError(f"hidden is {hidden!r}; {expected}")
        units.append(unit)
    return tuple(units)


def format_hidden(hidden: Iterable[int], separator: str = ",") -> str:
    """Return the text that `parse_hidden` reads, with another separator if need be."""
    return separator.join(map(str, hidden)) or "none"


def _text(name: str, value: Any) -> str:
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    # What has no UTF-8, such as a path of undecodable bytes, could not be written into config.toml.
    if not isinstance(text, str) or not text or not _is_utf8(text):
        raise ConfigError(
            f"{name} is {value!r}; expected the name of a data set, a folder or a file, in UTF-8"
        )
    return text


def _augment(value: Any) -> str:
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str) or not text or not _is_utf8(text):
        raise ConfigError(
            f"augment is {value!r}; expected one of: none, {', '.join(PRESETS)}; or a .toml file"
        )
    return text


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole(name: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    # The kernels count in int64.
    if not least <= number < 2**63 or isinstance(value, bool):
        raise ConfigError(f"{name} is {value!r}; expected a whole number, {least} or more")
    return number


def _number(value: Any) -> float:
    """Return the number as a float, NaN for what is no number."""
    if isinstance(value, bool | str):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _rate(name: str, value: Any) -> float:
    number = _number(value)
    if not (math.isfinite(number) and number > 0):
        raise ConfigError(f"{name} is {value!r}; expected a finite number above 0")
    return number


def _amount(name: str, value: Any) -> float:
    number = _number(value)
    if not (math.isfinite(number) and number >= 0):
        raise ConfigError(f"{name} is {value!r}; expected a finite number, 0 or more")
    return number


def _share(name: str, value: Any) -> float:
    number = _number(value)
    if not 0 <= number < 1:
        raise ConfigError(f"{name} is {value!r}; expected a number from 0 to below 1")
    return number


def _fraction(name: str, value: Any) -> float:
    number = _number(value)
    if not 0 <= number < 1:
        raise ConfigError(f"{name} is {value!r}; expected a part of the training data, 0 <= {name} < 1")
    return number


def _choice(name: str, value: Any, choices: Iterable[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise ConfigError(f"{name} is {value!r}; expected one of: {', '.join(choices)}")
    return value


def _stop(value: Any) -> tuple[str, ...]:
    specs = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else value
    return tuple(canonical(spec) for spec in specs)


def _switch(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{name} is {value!r}; expected true or false")
    return value


def _threads(value: Any) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    try:
        number = int(value) if isinstance(value, str) else operator.index(value)
    except (TypeError, ValueError):
        number = 0
    if not 1 <= number <= MAX_THREADS or isinstance(value, bool):
        raise ConfigError(f"threads is {value!r}; expected 1 to {MAX_THREADS}, or auto")
    return number
