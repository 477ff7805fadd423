"""Robustness: accuracy of networks on distorted images and on redrawn digits.

``curves.py`` distorts images at several levels, ``skeleton.py`` and ``hand.py`` redraw
digits on a large canvas, ``measure.py`` measures the accuracy of networks.
"""

from __future__ import annotations

from .curves import CURVES, Curve
from .measure import Robustness, check_images, measure_robustness

__all__ = ["CURVES", "Curve", "Robustness", "check_images", "measure_robustness"]
