"""Robustness: what is left of a network's accuracy under distortions, and when digits are drawn anew.

``curves.py`` distorts level by level, ``skeleton.py`` and ``hand.py`` draw digits anew on a large canvas,
``measure.py`` holds networks against all of it.
"""

from __future__ import annotations

from .curves import CURVES, Curve
from .measure import Robustness, check_images, measure_robustness

__all__ = ["CURVES", "Curve", "Robustness", "check_images", "measure_robustness"]
