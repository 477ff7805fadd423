"""A digit that is not the same when it is turned or mirrored."""

import numpy as np


def seven(height=120, width=90):
    """Grey levels of a 7 in black on white: not the same turned or mirrored."""
    grey = np.full((height, width), 255, np.uint8)
    grey[20:30, 20:70] = 0
    for y in range(30, 100):
        x = 65 - (y - 30) // 2
        grey[y, x - 6 : x + 6] = 0
    return grey
