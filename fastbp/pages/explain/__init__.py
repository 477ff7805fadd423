"""The page that walks through one step of backpropagation, ``fastbp explain``."""

from __future__ import annotations

from .numbers import StepNumbers, step_numbers
from .page import explain_page, explained_network, pack_explained, plain_numbers
from .samples import Samples, chosen_rows, image_file, wrong_row

__all__ = [
    "Samples",
    "StepNumbers",
    "chosen_rows",
    "explain_page",
    "explained_network",
    "image_file",
    "pack_explained",
    "plain_numbers",
    "step_numbers",
    "wrong_row",
]
