"""Labels for runs that are shown together: the settings in which they differ."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..recipe.checks import format_hidden
from ..recipe.settings import Settings

__all__ = ["labels_of"]

_SHORT = {"batch_size": "batch", "learning_rate": "rate", "validation": "validation part"}
# The number of threads does not change the weights.
_WITHOUT_EFFECT = ("threads",)


def labels_of(settings: Sequence[Settings], skip: Collection[str] = ()) -> list[str]:
    """Return labels of the differing settings, such as ``"batch 8, init he"``.

    Parameters
    ----------
    settings
        Settings of the runs.
    skip
        Names of settings to leave out.

    Returns
    -------
    list of str
        A label for each run; empty if nothing differs.
    """
    values = [asdict(entry) for entry in settings]
    names = [name for name in values[0] if name not in (*skip, *_WITHOUT_EFFECT)] if values else []
    differing = [name for name in names if any(entry[name] != values[0][name] for entry in values)]
    return [", ".join(_describe(name, entry[name]) for name in differing) for entry in values]


def _describe(name: str, value: Any) -> str:
    match name:
        case "epochs":
            return f"{value} epochs"
        case "data":
            return f"data {Path(value).name}"
        case "hidden":
            return f"hidden {format_hidden(value)}"
        case "stop":
            return f"stop {' or '.join(value)}" if value else "no stop"
        case "restore_best":
            return "best weights" if value else "last weights"
    return (
        f"{_SHORT.get(name, name)} {value:g}"
        if isinstance(value, float)
        else f"{_SHORT.get(name, name)} {value}"
    )
