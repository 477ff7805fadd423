"""The settings as keywords, for editors and type checkers.

Type checkers read sources only, so names and types stand here once more; a test holds
them to the declarations in `fastbp.recipe.settings`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

__all__ = ["SettingKeywords"]


class SettingKeywords(TypedDict, total=False):
    """Keywords of `fastbp.train` besides its data; `fastbp.Settings` says what they
    mean.
    """

    test: str
    target: str | Sequence[str]
    drop: str | Sequence[str]
    one_hot: str | Sequence[str]
    numeric: str | Sequence[str]
    missing: str
    task: str
    validation: float
    hidden: str | int | Sequence[int]
    activation: str
    init: str
    epochs: int
    batch_size: int
    learning_rate: float | Literal["auto", "find"]
    schedule: str
    warmup: float
    stop: str | Sequence[str]
    restore_best: bool
    on_divergence: str
    augment: str
    seed: int
    optimizer: str
    l2: float
    weight_decay: float
    clip_value: float
    clip_norm: float
    max_norm: float
    ema: float
    dropout: float
    input_dropout: float
    batch_norm: bool
    label_smoothing: float
    hard_mining: float
    class_weight: str
    backend: str
    threads: int | Literal["auto"]
    dtype: str
