"""What the declaration of one setting says about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .checks import Check

__all__ = ["DATA", "GROUPS", "LEARNING", "MACHINE", "NETWORK", "TRAINING", "Setting", "setting"]

DATA, NETWORK, TRAINING, LEARNING, MACHINE = "Data", "Network", "Training", "Learning", "Machine"
GROUPS = (DATA, NETWORK, TRAINING, LEARNING, MACHINE)
"""Headings under which the command line and the guide show the settings, in this order.
"""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting, as everything that shows or reads settings sees it.

    Attributes
    ----------
    check : turns a given value into the one that is kept, or raises ConfigError; see
        `fastbp.recipe.checks`
    help : sentences for the command line and the guide
    group : one of `GROUPS`
    metavar : how the value is written on the command line, empty for a switch; a
        function where it depends on a registry
    since : first version of fastbp that has it
    changes_weights : whether another value may lead to other weights. ``fastbp verify``
        has to cover such a setting, and studies know their runs by it
    keyed_at_default : whether a study's key of a run names the setting even at its
        default. Only the settings that were there when the first results were kept do;
        a later one must leave their keys alone
    """

    check: Check
    help: str
    group: str
    metavar: str | Callable[[], str] = ""
    since: str = "0.1.0"
    changes_weights: bool = True
    keyed_at_default: bool = False

    @property
    def form(self) -> str:
        """How the value is written on the command line; empty for a switch."""
        return self.metavar if isinstance(self.metavar, str) else self.metavar()


def setting(default: Any, **declaration: Any) -> Any:
    """Declare a field of `fastbp.Settings`: its default, and the attributes of
    `Setting` by name.
    """
    return field(default=default, metadata={"setting": Setting(**declaration)})
