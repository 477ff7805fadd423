"""Data in memory by name, as scikit-learn and Hugging Face lay them out, as images and
labels.

scikit-learn's ``Bunch`` has ``images`` or ``data``, and ``target``; a data set of
Hugging Face the columns ``image`` or ``img``, and ``label``. Either may come as parts,
``{"train": ..., "test": ...}``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .masks import refuse_masked

__all__ = ["arrays_of", "has_table", "parts_of"]

IMAGES = ("images", "image", "img", "pixel_values", "data")
LABELS = ("labels", "label", "target")


def _has_columns(data: Any) -> bool:
    """Say whether data are columns, or parts, that can be looked up by name."""
    return hasattr(data, "__getitem__") and (hasattr(data, "keys") or hasattr(data, "column_names"))


def has_table(data: Any) -> bool:
    """Return whether data are columns of single values, none of them called images."""
    names = _names(data)
    return bool(names) and not any(name in IMAGES or np.ndim(data[name]) != 1 for name in names)


def parts_of(data: Any) -> dict[str, Any]:
    """Return the parts of data by name: those they have, or all of them as ``"train"``.

    DataError if they are nothing that has names.
    """
    if not _has_columns(data):
        raise DataError(
            f"data are a {type(data).__name__}; expected a name or path, (images, labels), or columns by name"
        )
    names = _names(data)
    if "train" in names and _has_columns(data["train"]):
        return {name: data[name] for name in ("train", "test") if name in names}
    if "train" in names and not set(names) & set(IMAGES):
        raise DataError(
            f"the train part of data is a {type(data['train']).__name__}; expected columns by name, "
            'as in {"train": {"images": X, "labels": y}}'
        )
    return {"train": data}


def arrays_of(data: Any) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return images, (N, ...), and labels, (N,), or None for none.

    Raises
    ------
    DataError : there is no column of a name that stands for images, or the images are
        of several sizes
    """
    names = _names(data)
    images = next((name for name in IMAGES if name in names), None)
    labels = next((name for name in LABELS if name in names), None)
    if images is None:
        found = ", ".join(map(str, names)) or "nothing"
        raise DataError(f"data have {found}; expected images under one of: {', '.join(IMAGES)}")
    return _images(data[images], images), None if labels is None else _labels(data[labels])


def _names(data: Any) -> list[Any]:
    # What a data set of Hugging Face names by ``column_names`` is a dict by part in a
    # set of parts.
    return list(data.keys() if hasattr(data, "keys") else data.column_names)


def _images(values: Any, name: str) -> NDArray[Any]:
    if isinstance(values, np.ndarray) or hasattr(values, "dtype") or hasattr(values, "to_numpy"):
        refuse_masked("images", values)
        return np.asarray(values)
    try:
        images = list(values)
        refuse_masked("images", images)
        # One by one: they may be pictures of Pillow, which NumPy does not take as a
        # list.
        return np.stack([np.asarray(image) for image in images])
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: {error}; expected images of one size") from None


def _labels(values: Any) -> NDArray[Any]:
    given = values if hasattr(values, "dtype") else list(values)
    refuse_masked("labels", given)
    found = np.asarray(given)
    if found.dtype.kind in "OUS":  # numbers as text, as openml.org has MNIST's
        try:
            return found.astype(np.float64)
        except ValueError:
            pass
    return found
