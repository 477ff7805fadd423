"""Settings that name files, so that a run can be repeated from another folder."""

from __future__ import annotations

import os
from dataclasses import replace

from ..data.builtin import NAMES
from .settings import Settings

__all__ = ["absolute_paths"]


def absolute_paths(settings: Settings) -> Settings:
    """Return settings with absolute paths."""
    changed = {
        name: os.path.abspath(getattr(settings, name))
        for name in ("data", "test")
        if getattr(settings, name) and getattr(settings, name) not in NAMES
    }
    if settings.augment.endswith(".toml"):
        changed["augment"] = os.path.abspath(settings.augment)
    return replace(settings, **changed)
