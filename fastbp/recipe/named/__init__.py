"""Recipes: settings that were searched for, by name, and the figures they reached.

A recipe is a file of settings in this folder, like a run's ``config.toml``. Its figures
are in ``figures.json``, which ``python bench/records.py`` writes: nothing is typed by
hand. To add a recipe, add a file, and run that script with its name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ...errors import ConfigError, did_you_mean
from ..defaults import KINDS
from ..settings import Settings, read_settings

__all__ = ["FIGURES", "Figures", "available", "figures", "path_of", "settings_of"]

_FOLDER = Path(__file__).parent
FIGURES = _FOLDER / "figures.json"


@dataclass(frozen=True, slots=True)
class Figures:
    """What a recipe reached, one value for each random seed.

    Attributes
    ----------
    accuracies : of the test part, shares
    seconds : of training, without compiling and testing
    cpu : on which it was
    threads : that it could use
    date : when, ISO 8601
    """

    accuracies: tuple[float, ...]
    seconds: tuple[float, ...]
    cpu: str
    threads: int
    date: str

    @property
    def accuracy(self) -> float:
        """Mean over the random seeds."""
        return fmean(self.accuracies)

    @property
    def deviation(self) -> float:
        """Standard deviation between random seeds; 0 for one."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0


def available() -> dict[str, Path]:
    """Return the files of all recipes, by name."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.toml"), key=lambda path: path.stem)}


def path_of(name: str) -> Path:
    """Return the file of a recipe; ConfigError if there is none of this name."""
    found = available()
    if name not in found:
        hint = did_you_mean(name, found) or f"; expected one of: {', '.join(found)}"
        raise ConfigError(f"{name} is not a recipe{hint}")
    return found[name]


def settings_of(name: str) -> dict[str, Any]:
    """Return the settings of a recipe, for any data; ConfigError without such a recipe.

    What its file does not say, and what has other defaults for tables or images, is as
    plain as when the recipe was measured.
    """
    plain = Settings()
    usual = {setting: getattr(plain, setting) for kind in KINDS.values() for setting in kind}
    return {**usual, **read_settings(path_of(name))}


def figures() -> dict[str, Figures]:
    """Return the figures of the recipes that were measured, by name."""
    kept: dict[str, dict[str, Any]] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return {
        name: Figures(
            tuple(entry["accuracies"]), tuple(entry["seconds"]), entry["cpu"], entry["threads"], entry["date"]
        )
        for name, entry in kept.items()
    }
