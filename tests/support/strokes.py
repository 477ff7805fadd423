"""Digits as a hand would draw them: strokes of points (x, y) in a unit square, y down."""

import numpy as np


def arc(x, y, width, height, start, end, count=14):
    """Points of an ellipse; angles in degrees, 0 to the right, 90 down."""
    angles = np.radians(np.linspace(start, end, count))
    return [(x + width * float(np.cos(a)), y + height * float(np.sin(a))) for a in angles]


DIGITS = {
    0: [arc(0.5, 0.5, 0.32, 0.47, -90, 270, 24)],
    1: [[(0.5, 0.02), (0.48, 0.5), (0.46, 0.98)]],
    2: [[*arc(0.5, 0.28, 0.32, 0.26, 190, 390), (0.5, 0.7), (0.15, 0.97), (0.5, 0.95), (0.9, 0.96)]],
    3: [[*arc(0.45, 0.26, 0.3, 0.24, 200, 440), *arc(0.45, 0.74, 0.36, 0.25, -85, 150)]],
    4: [[(0.3, 0.03), (0.2, 0.5), (0.55, 0.52), (0.88, 0.5)], [(0.72, 0.05), (0.68, 0.5), (0.66, 0.98)]],
    5: [[(0.3, 0.04), (0.26, 0.42), *arc(0.45, 0.68, 0.36, 0.28, -110, 140)], [(0.3, 0.04), (0.85, 0.03)]],
    6: [[(0.66, 0.02), (0.4, 0.25), (0.24, 0.6), *arc(0.5, 0.72, 0.26, 0.24, 180, -170, 18)]],
    7: [[(0.12, 0.08), (0.5, 0.07), (0.88, 0.06), (0.66, 0.45), (0.48, 0.98)]],
    8: [[*arc(0.5, 0.26, 0.25, 0.23, 60, -240, 14), *arc(0.5, 0.74, 0.3, 0.24, -120, 250, 18)]],
    9: [[*arc(0.46, 0.28, 0.28, 0.25, 0, -345, 18), (0.74, 0.3), (0.7, 0.62), (0.62, 0.98)]],
}


def placed(strokes, x, y, size):
    """The strokes in a box of ``size`` of the board's side, its corner at (x, y), both of 0 to 1."""
    return [[(x + size * px, y + size * py) for px, py in stroke] for stroke in strokes]
