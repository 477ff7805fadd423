"""Numbers as people read them: accuracies, losses, durations, values of settings."""

from __future__ import annotations

import math
from typing import Any

from ..data.source import printable
from .names import short_name

__all__ = ["duration", "figure", "format_loss", "format_value", "percent", "speed"]

NAME = 60  # columns of each of several names
LARGE_LOSS = 1e4  # four decimals say nothing from here on


def percent(share: float) -> str:
    """Write 0.98415 as ``98.42 %``."""
    return f"{100 * share:.2f} %"


def format_loss(loss: float) -> str:
    """Write a loss with four decimals; a diverging one in short, such as ``2.2e25``."""
    if abs(loss) < LARGE_LOSS or not math.isfinite(loss):
        return f"{loss:.4f}"
    digits, exponent = f"{loss:.1e}".split("e")
    return f"{digits}e{int(exponent)}"


def figure(value: float) -> str:
    """Write a quantity with four digits."""
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:.4g}"


def speed(samples: int, seconds: float) -> str:
    """Write samples per second."""
    return f"{samples / max(seconds, 1e-9):,.0f}"


def duration(seconds: float) -> str:
    """Write seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_value(name: str, value: Any) -> str:
    """Write a setting or a figure of ``result.json``; None and empty text are empty."""
    match value:
        case None | "":
            return ""
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{short_name(str(key), NAME)} {entry}" for key, entry in value.items())
        case list() | tuple():
            return ",".join(short_name(str(entry), NAME) for entry in value) or "none"
        case float() if name.endswith("_accuracy"):
            return percent(value)
        case float() if name.endswith("_loss"):
            return format_loss(value)
        case float() if name.endswith("_seconds"):
            return f"{value:.2f}"
        case float():
            return f"{value:,.0f}" if value >= 1000 else f"{value:g}"
        case int() if name != "seed":
            return f"{value:,}"
    return printable(value)
