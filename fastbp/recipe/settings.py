"""Everything that decides a training run, declared once, setting by setting.

The fields of `Settings` are the declarations. Everything else is derived from them: the
options of the command line, TOML files, the keywords of `fastbp.train`, the keys of
studies, the table in ``docs/guide/settings.md``, and the list of what ``fastbp verify``
has to cover.

To add a setting, add a field here. Three more lines elsewhere are asked for by tests
that name what is missing: its keyword for editors (``keywords.py`` beside this file),
the regenerated table (``python docs/settings_table.py``), and a configuration in
`fastbp.verify` if it changes weights.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from ..data.tables.options import MISSING, TASKS, TableOptions
from ..errors import ConfigError, did_you_mean
from ..files import naming, read_toml
from ..reference.activations import ACTIVATIONS
from ..reference.activations import ALIASES as ACTIVATION_ALIASES
from . import divergence, optimizers, sample_weights, schedules, stopping
from .checks import (
    Amount,
    Choice,
    Fraction,
    Layers,
    Names,
    Parsed,
    PathOrName,
    PathOrNothing,
    Rate,
    Several,
    Switch,
    Threads,
    Whole,
    plain,
)
from .distortions import PRESETS
from .initializers import ALIASES as SCHEME_ALIASES
from .initializers import SCHEMES
from .plateau import falls_on_plateaus
from .setting import DATA, LEARNING, MACHINE, NETWORK, TRAINING, Setting, setting
from .specs import forms

__all__ = ["BACKENDS", "DTYPES", "Settings", "declarations", "read_settings"]

BACKENDS = ("numba", "numpy")
DTYPES = ("float32", "float64")


def _names(registry: Any) -> Any:
    """Return a function that writes the names of a registry as alternatives."""
    return lambda: "|".join(registry)


@dataclass(frozen=True, kw_only=True, repr=False)
class Settings:
    """The settings of a training run. The defaults are plain; those of ``fastbp train``
    depend on the kind of data, see `fastbp.recipe.defaults`.

    ``docs/guide/settings.md`` has a table of all settings with their ranges, and
    ``fastbp train --help`` shows the same text.

    Raises
    ------
    ConfigError
        A value is out of its range, or two settings contradict each other. The message
        begins with the name of the setting.
    """

    data: str = setting(
        "mnist",
        check=PathOrName("the name of a data set, a folder or a file, in UTF-8"),
        help="Training data: a name (mnist), a folder of IDX, npy or PNG files, or a file: IDX, CSV, TSV, "
        "npz, "
        "npy, Parquet, Arrow. Tables have columns of numbers and words.",
        group=DATA,
        metavar="NAME|PATH",
        keyed_at_default=True,
    )
    test: str = setting(
        "",
        check=PathOrNothing("a file or folder like the training data, or nothing"),
        help="Data to test on after training: a file like --data. Otherwise the test part of --data, if it "
        "has "
        "one.",
        group=DATA,
        metavar="PATH",
        changes_weights=False,
    )
    target: tuple[str, ...] = setting(
        (),
        check=Names(),
        help="Tables: column to predict; several times for several. By default the column named label, "
        "target, "
        "class or y.",
        group=DATA,
        metavar="COLUMN",
    )
    drop: tuple[str, ...] = setting(
        (), check=Names(), help="Tables: column to leave out.", group=DATA, metavar="COLUMN"
    )
    one_hot: tuple[str, ...] = setting(
        (),
        check=Names(),
        help="Tables: column whose values are categories, each with an input of its own.",
        group=DATA,
        metavar="COLUMN",
    )
    numeric: tuple[str, ...] = setting(
        (), check=Names(), help="Tables: column that holds numbers.", group=DATA, metavar="COLUMN"
    )
    missing: str = setting(
        "error",
        check=Choice(MISSING),
        help="Tables: what becomes of missing values. mean puts the column's mean or most frequent word, "
        "drop "
        "leaves out the row.",
        group=DATA,
        metavar=_names(MISSING),
    )
    task: str = setting(
        "auto",
        check=Choice(TASKS),
        help="Tables: what to learn. auto is classification for a target of words or whole numbers, "
        "regression "
        "for floats.",
        group=DATA,
        metavar=_names(TASKS),
    )
    validation: float = setting(
        0.1,
        check=Fraction("a part of the training data, 0 <= validation < 1"),
        help="Fraction of the training data held out for validation, 0 to below 1.",
        group=DATA,
        metavar="FRACTION",
        keyed_at_default=True,
    )
    hidden: tuple[int, ...] = setting(
        (256, 256),
        check=Layers(),
        help="Number of units of each hidden layer; none trains a softmax regression.",
        group=NETWORK,
        metavar="N,N,...|none",
        keyed_at_default=True,
    )
    activation: str = setting(
        "relu",
        check=Choice(ACTIVATIONS, ACTIVATION_ALIASES),
        help="Activation function of the hidden layers. sigmoid is another name of logistic.",
        group=NETWORK,
        metavar=_names(ACTIVATIONS),
    )
    init: str = setting(
        "he",
        check=Choice(SCHEMES, SCHEME_ALIASES),
        help="Weight initialisation. kaiming and glorot are other names of he and xavier.",
        group=NETWORK,
        metavar=_names(SCHEMES),
        keyed_at_default=True,
    )
    epochs: int = setting(
        14,
        check=Whole(0),
        help="Number of passes over the training data; 0 evaluates the untrained network.",
        group=TRAINING,
        metavar="N",
        keyed_at_default=True,
    )
    batch_size: int = setting(
        32,
        check=Whole(1),
        help="Number of samples of a mini-batch. A size above that of the data trains on all "
        "samples at once.",
        group=TRAINING,
        metavar="N",
        keyed_at_default=True,
    )
    learning_rate: float = setting(
        "auto",
        check=Rate(),
        help="Initial learning rate. auto takes a measured one for the update rule and the kind of data, "
        "such as 1 for sgd on images with batch normalisation. find takes that of a range test, see "
        "fastbp find-rate.",
        group=TRAINING,
        metavar="RATE|auto|find",
        keyed_at_default=True,
    )
    schedule: str = setting(
        "linear",
        check=Parsed(schedules.canonical, lambda: forms(schedules.SCHEDULES)),
        help="Learning-rate schedule, applied at every update; linear falls to zero. plateau multiplies the "
        "rate by FACTOR (0.2) when PATIENCE (2) epochs have not lowered the loss by TOL (0.0001) - the "
        "validation loss if there is one - and ends the run when the rate would fall below LEAST (1e-6).",
        group=TRAINING,
        metavar=lambda: "|".join(forms(schedules.SCHEDULES)),
        keyed_at_default=True,
    )
    warmup: float = setting(
        0.0,
        check=Amount(),
        help="Number of epochs, which may be a fraction, in which the learning rate first rises from near "
        "zero.",
        group=TRAINING,
        metavar="EPOCHS",
    )
    stop: tuple[str, ...] = setting(
        (),
        check=Several(Parsed(stopping.canonical, lambda: forms(stopping.CRITERIA))),
        help="Early stopping. Give it several times to combine criteria: the first that is met ends the run. "
        "Works best with --schedule constant, because a falling schedule is cut short.",
        group=TRAINING,
        metavar=lambda: "|".join(forms(stopping.CRITERIA)),
        keyed_at_default=True,
    )
    restore_best: bool = setting(
        False,
        check=Switch(),
        help="Keep the weights of the epoch with the lowest validation loss instead of the last ones.",
        group=TRAINING,
        keyed_at_default=True,
    )
    on_divergence: str = setting(
        "stop",
        check=Parsed(divergence.canonical, lambda: forms(divergence.RESPONSES)),
        help="What to do when the loss is no longer finite: stop, with the weights from before the epoch, or "
        "go back to them and go on with FACTOR (0.5) times the learning rate, up to TRIES (3) times.",
        group=TRAINING,
        metavar=lambda: "|".join(forms(divergence.RESPONSES)),
    )
    augment: str = setting(
        "none",
        check=PathOrName(f"one of: none, {', '.join(PRESETS)}; or a .toml file"),
        help=f"Data augmentation: distort the training images anew in each epoch. none, "
        f"{', '.join(PRESETS)}, or a TOML file; see fastbp augment.",
        group=TRAINING,
        metavar="PRESET|FILE.toml",
    )
    seed: int = setting(
        0,
        check=Whole(0),
        help="Random seed of weights, split, shuffles, dropout and distortions.",
        group=TRAINING,
        metavar="N",
        keyed_at_default=True,
    )
    optimizer: str = setting(
        "sgd",
        check=Parsed(optimizers.canonical, lambda: forms(optimizers.OPTIMIZERS)),
        help="Update rule. adam is adamw with --weight-decay 0, the default.",
        group=LEARNING,
        metavar=lambda: "|".join(forms(optimizers.OPTIMIZERS)),
    )
    l2: float = setting(
        0.0,
        check=Amount(),
        help="L2 penalty: adds L2 times each weight to its gradient. Biases are not penalised.",
        group=LEARNING,
        metavar="L2",
    )
    weight_decay: float = setting(
        0.0,
        check=Amount(),
        help="Decoupled weight decay: each update subtracts learning rate * DECAY * weight.",
        group=LEARNING,
        metavar="DECAY",
    )
    clip_value: float = setting(
        0.0,
        check=Amount(),
        help="Gradient clipping: largest absolute value of each element; 0 for no limit.",
        group=LEARNING,
        metavar="VALUE",
    )
    clip_norm: float = setting(
        0.0,
        check=Amount(),
        help="Gradient clipping: largest norm of the whole gradient; 0 for no limit.",
        group=LEARNING,
        metavar="NORM",
    )
    max_norm: float = setting(
        0.0,
        check=Amount(),
        help="Largest norm of the weights into each unit; 0 for no limit.",
        group=LEARNING,
        metavar="NORM",
    )
    ema: float = setting(
        0.0,
        check=Fraction(),
        help="Decay of the exponential moving average of the weights, such as 0.999, which is then validated "
        "and kept; 0 for none.",
        group=LEARNING,
        metavar="DECAY",
    )
    dropout: float = setting(
        0.0,
        check=Fraction(),
        help="Dropout rate of the hidden layers, rounded to a multiple of 1/65536.",
        group=LEARNING,
        metavar="RATE",
    )
    input_dropout: float = setting(
        0.0,
        check=Fraction(),
        help="Dropout rate of the inputs, rounded to a multiple of 1/65536.",
        group=LEARNING,
        metavar="RATE",
    )
    batch_norm: bool = setting(
        False,
        check=Switch(),
        help="Batch normalisation of the hidden layers while training. It is folded into the weights of "
        "the network that is kept.",
        group=LEARNING,
    )
    label_smoothing: float = setting(
        0.0,
        check=Fraction(),
        help="Label smoothing: fraction of each label's probability spread over all classes.",
        group=LEARNING,
        metavar="FRACTION",
    )
    hard_mining: float = setting(
        0.0,
        check=Fraction("0, or a number from 0.01 to below 1", least=0.01),
        help="Hard example mining: fraction of the training samples that an epoch visits, two thirds of them "
        "those with the highest losses when last visited; 0 for all samples.",
        group=LEARNING,
        metavar="FRACTION",
    )
    class_weight: str = setting(
        "none",
        check=Parsed(sample_weights.canonical, lambda: ("none", "balanced", "W,W,...")),
        help="Class weights: factor of the loss of each class's samples. balanced makes all "
        "classes count the same.",
        group=LEARNING,
        metavar="none|balanced|W,W,...",
    )
    backend: str = setting(
        "numba",
        check=Choice(BACKENDS, {"np": "numpy"}),
        help="Compiled kernels (numba), or the reference path in plain NumPy.",
        group=MACHINE,
        metavar=_names(BACKENDS),
        keyed_at_default=True,
    )
    threads: int | Literal["auto"] = setting(
        "auto",
        check=Threads(),
        help="Number of threads. The numba backend gives the same bits for any number; with numpy it is that "
        "of the BLAS library.",
        group=MACHINE,
        metavar="N|auto",
        changes_weights=False,
    )
    dtype: str = setting(
        "float32",
        check=Choice(DTYPES),
        help="Floating-point type of weights and arithmetic.",
        group=MACHINE,
        metavar=_names(DTYPES),
        keyed_at_default=True,
    )

    def __post_init__(self) -> None:
        for name, declared in declarations(type(self)).items():
            object.__setattr__(self, name, declared.check(name, plain(name, getattr(self, name))))
        rate: object = self.learning_rate
        if rate == "find":
            raise ConfigError(
                "learning_rate is 'find', which needs data; expected a number or auto here, or fastbp train"
            )
        if rate == "auto":  # always a number from here on; `defaults` puts in that for tables
            rate = optimizers.automatic_rate(self.optimizer, "images", self.batch_size, self.normalizes)
            object.__setattr__(self, "learning_rate", rate)
        if self.batch_norm and self.batch_size == 1:
            raise ConfigError(
                "batch_norm normalises over each mini-batch, and batch_size is 1; expected 2 or more, as one "
                "sample has no variance"
            )
        if self.hard_mining and self.validation == 0 and falls_on_plateaus(self.schedule):
            raise ConfigError(
                "schedule plateau would follow the training loss, which rises when hard_mining begins; "
                "expected another schedule, or a validation split"
            )
        if self.validation == 0:
            for spec in self.stop:
                if stopping.needs_validation(spec):
                    raise ConfigError(f"stop is {spec!r}, which needs validation data; validation is 0")
            if self.restore_best:
                raise ConfigError("restore_best needs validation data; validation is 0")

    @property
    def normalizes(self) -> bool:
        """Whether hidden layers are normalised over mini-batches; there may be none."""
        return self.batch_norm and bool(self.hidden)

    def __repr__(self) -> str:
        """Return the settings that differ from their defaults."""
        values = [(field.name, getattr(self, field.name), field.default) for field in fields(self)]
        given = [f"{name}={value!r}" for name, value, default in values if value != default]
        return f"{type(self).__name__}({', '.join(given)})"

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Settings:
        """Return settings from a mapping; those that it lacks have their defaults.

        Raises
        ------
        ConfigError
            A key is not a setting, or a value is out of its range.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(f"settings are {values!r}; expected a mapping of names to values")
        _refuse_unknown(values, declarations(cls))
        return cls(**values)

    @property
    def table(self) -> TableOptions:
        """What the settings say of the columns of a table."""
        return TableOptions(
            target=self.target,
            drop=self.drop,
            one_hot=self.one_hot,
            numeric=self.numeric,
            missing=self.missing,
            task=self.task,
        )

    def to_toml(self) -> str:
        """Return the settings as TOML, which ``fastbp train --config`` reads."""
        import tomli_w

        return tomli_w.dumps(asdict(self))


def declarations(settings: type[Settings] = Settings) -> Mapping[str, Setting]:
    """Return the declaration of each setting by name, in the order of the help."""
    return MappingProxyType({field.name: field.metadata["setting"] for field in fields(settings)})


def read_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a TOML file of settings, and check each key and value.

    Whether the settings fit together is for `Settings` to check, once those from
    elsewhere have joined.

    Returns
    -------
    the settings that the file has, and no others: what it lacks may come from elsewhere

    Raises
    ------
    ConfigError : the file is missing or not TOML, or has an unknown key or a value out
        of range
    """
    path = Path(path)
    values = read_toml(path)
    known = declarations()
    with naming(path):
        _refuse_unknown(values, known)
        return {name: known[name].check(name, value) for name, value in values.items()}


def _refuse_unknown(names: Iterable[str], known: Mapping[str, Setting]) -> None:
    for name in names:
        if not isinstance(name, str) or name not in known:
            hint = did_you_mean(name, known) or f"; expected one of: {', '.join(known)}"
            raise ConfigError(f"{name} is not a setting{hint}")
