"""What a user says of the columns of a table; what is not said is inferred."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MISSING", "TARGET_NAMES", "TASKS", "TableOptions"]

TARGET_NAMES = ("label", "target", "class", "y")
"""Names of a column that is the target if nobody says which one is."""
MISSING = ("error", "mean", "drop")
TASKS = ("auto", "classification", "regression")


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """Choices for the columns of a table.

    Attributes
    ----------
    target
        Target columns; none for the column with a name in `TARGET_NAMES`.
    drop
        Columns that are not used.
    one_hot
        Columns that are words, with an input for each value, whatever they look like.
    numeric
        Columns that are numbers, whatever they look like.
    missing
        What becomes of missing values: ``"error"``; ``"mean"`` puts the mean of the
        numbers, or the most frequent word; ``"drop"`` leaves out the row.
    task
        ``"classification"``, ``"regression"``, or ``"auto"``.
    """

    target: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    one_hot: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    missing: str = "error"
    task: str = "auto"
