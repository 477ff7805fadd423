"""The confusion matrix as an SVG element of a page, in the colours of its mode."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["MATRIX_STYLE", "MOST_CLASSES", "matrix_svg"]

MOST_CLASSES = 20  # with more, counts are not readable on a narrow screen
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
.matrix { max-width: 34rem; } .matrix text { text-anchor: middle; }
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


def matrix_svg(matrix: NDArray[np.int64]) -> str:
    """Return an SVG element: true classes in rows, predicted classes in columns.

    Parameters
    ----------
    matrix : (C, C) array of int64
        Confusion matrix of at most `MOST_CLASSES` classes.
    """
    classes = len(matrix)
    most = max(int((matrix - np.diag(matrix.diagonal())).max()), 10)  # few stay pale
    size = LABELS + CELL * classes
    parts = [
        f'<text x="{LABELS + CELL * classes / 2:g}" y="12">predicted class</text>',
        f'<text transform="translate(11 {LABELS + CELL * classes / 2:g}) rotate(-90)">true class</text>',
    ]
    for number in range(classes):
        middle = LABELS + CELL * (number + 0.5)
        parts.append(f'<text x="{middle:g}" y="{LABELS - 6}">{number}</text>')
        parts.append(f'<text x="{LABELS - 9}" y="{middle + 4:g}">{number}</text>')
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            level = round(math.log(count) / math.log(most) * (len(LIGHT) - 1))
            kinds = ("right", "right-text") if row == column else (f"m{level}", f"t{level}")
            parts.append(_cell(row, column, int(count), kinds))
    return (
        f'<svg class="matrix" viewBox="0 0 {size} {size}" role="img" aria-label="Confusion matrix">\n'
        + "\n".join(parts)
        + "\n</svg>"
    )


def _cell(row: int, column: int, count: int, kinds: tuple[str, str]) -> str:
    x, y = LABELS + CELL * column, LABELS + CELL * row
    return (
        f'<rect class="{kinds[0]}" x="{x}" y="{y}" width="{CELL}" height="{CELL}"/>'
        f'<text class="{kinds[1]}" x="{x + CELL / 2:g}" y="{y + CELL / 2 + 4:g}">{count}</text>'
    )
