"""What is chosen for those who choose nothing: measured defaults by the kind of data.

Learning rates are declared with the update rules, in `fastbp.recipe.optimizers`; here
are the settings that suit images, and tables, better than the plain ones of `Settings`.
``docs/rates.md`` has the measurements; ``bench/rates.py`` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from .checks import format_hidden, plain
from .optimizers import automatic_rate
from .settings import Settings

__all__ = ["IMAGES", "KINDS", "TABLE", "Kind", "explain", "settings_for"]

Kind: TypeAlias = Literal["images", "table"]
"""``"images"``: pixels, bytes or floats in 0..1. ``"table"``: columns of mean 0 and
standard deviation 1, with classes or values of that scale as targets.
"""

IMAGES: Mapping[str, Any] = MappingProxyType({"hidden": (256, 128), "batch_norm": True, "epochs": 6})
"""Settings for images: a third of the time of 14 epochs of a network without batch
normalisation, and better. From the frontier of plain training in ``docs/records``;
without what helps on MNIST alone, or makes losses harder to read.
"""

FEWEST = 12
"""Samples of a mini-batch from which on images are normalised by default.

Means over fewer samples are noisy. MNIST in %, two seeds, with and without: 98.5 and
98.3 at a batch size of 32, 98.3 and 98.2 at 12, 98.2 and 98.3 at 8, 97.7 and 98.3 at 6,
96.1 and 98.2 at 4.
"""

TABLE: Mapping[str, Any] = MappingProxyType(
    {
        "optimizer": "adamw",
        "hidden": (100,),
        "init": "xavier",
        "batch_size": 32,
        "epochs": 100,
        "schedule": "cosine",
        "stop": ("patience:20",),
        "restore_best": True,
        "weight_decay": 0.03,
    }
)
"""Settings for tables: the defaults of training on columns of numbers and names.

Xavier's weights, which are smaller where there are few columns, matter most: with He's,
the first layer stays almost as it was drawn.
"""

KINDS: Mapping[Kind, Mapping[str, Any]] = MappingProxyType({"images": IMAGES, "table": TABLE})
"""For each kind of data, what differs from the defaults of `Settings`."""

_WORDS: Mapping[Kind, str] = {"images": "images", "table": "tables"}


def settings_for(kind: Kind, given: Mapping[str, Any]) -> Settings:
    """Return what was given, else the recipe for this kind of data, else the defaults.

    Parameters
    ----------
    kind
        Of the data.
    given
        Settings by name. A learning rate of ``"auto"``, or none, is that of the update
        rule for this kind of data; so is ``"find"``, until a range test has found one.

    Raises
    ------
    ConfigError
        A setting is unknown or out of its range, or two contradict each other.
    """
    given = {name: plain(name, value) for name, value in given.items()}
    values = {"learning_rate": "auto", **_recipe(kind, given), **given}
    if values["learning_rate"] not in ("auto", "find"):
        return Settings.from_mapping(values)
    settings = Settings.from_mapping({**values, "learning_rate": "auto"})
    rate = automatic_rate(settings.optimizer, kind, settings.batch_size, settings.normalizes)
    return replace(settings, learning_rate=rate)


def explain(kind: Kind, given: Mapping[str, Any]) -> str | None:
    """Return one line that says what `settings_for` chose and why; None if nothing.

    A learning rate is always said; the rest of a recipe only for tables, as those for
    images are the defaults that the help shows.
    """
    chosen = settings_for(kind, given)
    recipe = _recipe(kind, given)
    words = []
    if given.get("learning_rate", "auto") == "auto":
        words.append(f"learning rate {chosen.learning_rate:g}, auto for {_rule(chosen)} on {_WORDS[kind]}")
    told = recipe if kind == "table" else ()
    texts = {name: _text(name, getattr(chosen, name)) for name in told if name not in given}
    if texts:
        words.append(f"recipe for {_WORDS[kind]}: {', '.join(texts.values())}")
    return "; ".join(words) or None


def _rule(settings: Settings) -> str:
    """Return the update rule, and the batch size where it is not the usual one."""
    usual = settings.batch_size == Settings().batch_size
    return settings.optimizer + ("" if usual else f" and batch size {settings.batch_size}")


def _recipe(kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe, without what does not go with what is given."""
    recipe = dict(KINDS[kind])
    if given.get("optimizer", recipe.get("optimizer")) != recipe.get("optimizer"):
        # An update subtracts rate * decay * weight, and other rules have other rates.
        recipe.pop("weight_decay", None)
    size = given.get("batch_size")
    if isinstance(size, int) and size < FEWEST:
        recipe.pop("batch_norm", None)
    if given.get("validation") == 0:
        for name in ("stop", "restore_best"):
            recipe.pop(name, None)
    return recipe


def _text(name: str, value: Any) -> str:
    """Return how the command line would be given a setting: ``--batch-size 32``."""
    flag = f"--{name.replace('_', '-')}"
    if value is True:
        return flag
    if name == "hidden":
        return f"{flag} {format_hidden(value)}"
    if isinstance(value, tuple):
        return " ".join(f"{flag} {entry}" for entry in value)
    return f"{flag} {value}"
