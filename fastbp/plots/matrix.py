"""The confusion matrix as an SVG element of a page, in the colours of its mode."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from ..terminal.names import short_names
from .document import escape

__all__ = ["MATRIX_STYLE", "MOST_CLASSES", "matrix_svg"]

MOST_CLASSES = 20  # with more, counts are not readable on a narrow screen
LONGEST, LETTER = 16, 6.4  # characters of the name of a class, and the width of one
SCALE = 1.5  # pixels for a unit of the drawing, where there is room
CELL, LABELS = 30, 34  # sizes in the units of the drawing, whose text has 11
# Fill and text of few to many mistakes, on a log scale; of a light and of a dark page.
LIGHT = (
    ("#fff0e0", "#111"),
    ("#fdd9b4", "#111"),
    ("#fdae6b", "#111"),
    ("#e6550d", "#fff"),
    ("#8c2d04", "#fff"),
)
DARK = (
    ("#33241a", "#eee"),
    ("#5a3415", "#fff"),
    ("#8c4a10", "#fff"),
    ("#d4741c", "#111"),
    ("#ffb066", "#111"),
)
COLOURS = {"light": LIGHT, "dark": DARK}

MATRIX_STYLE = """
.matrix { max-width: min(34rem, 100%); height: auto; } .matrix text { text-anchor: middle; }
.matrix .up { text-anchor: start; } .matrix .end { text-anchor: end; }
.matrix .right { fill: #e4e4e4; } .matrix .right-text { font-weight: 700; font-size: 10px; }
@media (prefers-color-scheme: dark) { .matrix .right { fill: #3a3a3a; } }
""" + "".join(
    f"@media (prefers-color-scheme: {mode}) {{\n"
    + "".join(
        f".matrix .m{i} {{ fill: {fill}; }} .matrix .t{i} {{ fill: {text}; }}\n"
        for i, (fill, text) in enumerate(colours)
    )
    + "}\n"
    for mode, colours in COLOURS.items()
)


def matrix_svg(matrix: NDArray[np.int64], names: Sequence[str] | None = None) -> str:
    """Return an SVG element: true classes in rows, predicted classes in columns.

    Parameters
    ----------
    matrix : (C, C) array of int64
        Confusion matrix of at most `MOST_CLASSES` classes.
    names
        Names of the classes; numbers from 0 by default.
    """
    classes = len(matrix)
    labels = short_names(names or [str(number) for number in range(classes)], LONGEST)
    longest = max(map(cell_len, labels))
    edge = max(LABELS, round(20 + LETTER * longest))  # left of the cells, and above them
    most = max(int((matrix - np.diag(matrix.diagonal())).max()), 10)  # few stay pale
    size = edge + CELL * classes
    parts = [
        f'<text x="{edge + CELL * classes / 2:g}" y="12">predicted class</text>',
        f'<text transform="translate(11 {edge + CELL * classes / 2:g}) rotate(-90)">true class</text>',
    ]
    for number, label in enumerate(labels):
        middle, text = edge + CELL * (number + 0.5), escape(label)
        if longest <= 3:  # else upwards
            parts.append(f'<text x="{middle:g}" y="{edge - 6}">{text}</text>')
        else:
            place = f'transform="translate({middle + 4:g} {edge - 6}) rotate(-90)"'
            parts.append(f'<text class="up" {place}>{text}</text>')
        parts.append(f'<text class="end" x="{edge - 5}" y="{middle + 4:g}">{text}</text>')
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            level = round(math.log(count) / math.log(most) * (len(LIGHT) - 1))
            kinds = ("right", "right-text") if row == column else (f"m{level}", f"t{level}")
            parts.append(_cell(edge + CELL * column, edge + CELL * row, int(count), kinds))
    return (
        f'<svg class="matrix" width="{SCALE * size:g}" viewBox="0 0 {size} {size}" role="img" '
        'aria-label="Confusion matrix">\n' + "\n".join(parts) + "\n</svg>"
    )


def _cell(x: int, y: int, count: int, kinds: tuple[str, str]) -> str:
    return (
        f'<rect class="{kinds[0]}" x="{x}" y="{y}" width="{CELL}" height="{CELL}"/>'
        f'<text class="{kinds[1]}" x="{x + CELL / 2:g}" y="{y + CELL / 2 + 4:g}">{count}</text>'
    )
