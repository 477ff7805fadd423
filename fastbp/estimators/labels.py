"""Classes of labels, found in one pass, and labels as numbers of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["class_numbers", "with_classes"]

WIDEST = 2**16
"""Largest range of integer labels that is counted instead of sorted."""


def with_classes(labels: Any) -> Any:
    """Return a view of labels that carries their classes, where these are found fast.

    scikit-learn looks for the classes in each of its checks, seven times a fit. It
    takes them from here instead: its ``attach_unique`` uses the same metadata. A
    version that does not know the metadata looks for itself.

    Parameters
    ----------
    labels : array of shape (N,) or (N, C)
        Labels of any kind; not to be changed while the view is in use.

    Returns
    -------
    array
        The same labels; a view with classes if they are (N,) integers or strings.
    """
    classes = _classes_of(labels)
    if classes is None:
        return labels
    return labels.view(np.dtype(labels.dtype, metadata={"unique": classes}))


def class_numbers(labels: Any, classes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the position of each label in ``classes``, (N,), int64.

    Parameters
    ----------
    labels : array of shape (N,)
        Labels, each one of the classes.
    classes : array of shape (C,)
        Sorted.
    """
    if _is_counted(classes):
        first = int(classes[0])
        positions = np.zeros(int(classes[-1]) - first + 1, np.int64)
        positions[classes.astype(np.int64) - first] = np.arange(len(classes))
        places = labels.astype(np.int64)
        if first:
            places -= first
        found: NDArray[np.int64] = positions[places]
        return found
    if labels.dtype == object:
        numbers = {label: number for number, label in enumerate(classes.tolist())}
        return np.fromiter((numbers[label] for label in labels.tolist()), np.int64, len(labels))
    return np.asarray(np.searchsorted(classes, labels), np.int64)


def _classes_of(labels: Any) -> NDArray[Any] | None:
    """Return the sorted classes; None if scikit-learn should look for them."""
    if not isinstance(labels, np.ndarray) or labels.ndim != 1 or not len(labels):
        return None
    if _is_counted(labels):
        first = int(labels.min())
        counts = np.bincount(labels.astype(np.int64) - first)
        return (np.flatnonzero(counts) + first).astype(labels.dtype)
    if labels.dtype == object:
        members = labels.tolist()
        if set(map(type, members)) != {str}:
            return None
        return np.array(sorted(set(members)), object)
    return np.unique(labels) if labels.dtype.kind in "iuU" else None


def _is_counted(labels: NDArray[Any]) -> bool:
    """Return whether labels are integers of a small range, all within int64."""
    if labels.dtype.kind not in "iu":
        return False
    largest = int(labels.max())
    return largest < 2**63 and largest - int(labels.min()) < WIDEST
