"""A learning-rate range test in the terminal: a line of bars, and the suggestion."""

from __future__ import annotations

import numpy as np
from rich.console import Console

from ..training.rate_test import RateTest
from .lines import print_line

__all__ = ["print_rate_test"]

BARS = "▁▂▃▄▅▆▇█"
COLUMNS = 48


def print_rate_test(console: Console, test: RateTest) -> None:
    """Print the loss over the learning rate as bars, and the suggested rate."""
    print_line(console, f"loss {_bars(test)} learning rates {test.rates[0]:g} to {test.rates[-1]:.2g}")
    print_line(
        console,
        f"suggestion: --learning-rate {test.suggestion:g} (steepest fall at {test.steepest:.2g}, lowest loss "
        f"at {test.lowest:.2g}; {test.seconds:.1f} s)",
    )


def _bars(test: RateTest) -> str:
    """Return a bar for each group of rates; the highest is the loss at the start."""
    groups = np.array_split(test.losses, min(COLUMNS, len(test.losses)))
    low, high = float(test.losses.min()), float(test.losses[0])
    heights = [(float(group.mean()) - low) / (high - low) for group in groups]
    return "".join(BARS[round(min(1.0, max(0.0, height)) * (len(BARS) - 1))] for height in heights)
