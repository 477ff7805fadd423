"""The defaults of options."""

from __future__ import annotations

from ..recipe.settings import Settings, format_hidden

__all__ = ["HIDDEN", "RECIPE"]

RECIPE = Settings()
HIDDEN = format_hidden(RECIPE.hidden)
