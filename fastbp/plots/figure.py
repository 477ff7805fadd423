"""A figure that notebooks show without pyplot, which keeps figures in a global list."""

from __future__ import annotations

import io
import warnings
from typing import Any

from matplotlib.figure import Figure

__all__ = ["NotebookFigure"]

DPI = 110


class NotebookFigure(Figure):
    """A figure that is an image in a notebook."""

    def savefig(self, *given: Any, **options: Any) -> None:
        """Write the figure; signs that the font does not have are boxes."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            super().savefig(*given, **options)

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=DPI)
        return stream.getvalue()
