"""PNG images, a folder for each class: ``LABEL/*.png``, or ``train/LABEL/*.png`` and ``test/LABEL/*.png``.

Pixels are grey levels; colour becomes its luma (ITU-R BT.601). Needs Pillow, the extra ``images``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..parts import MAX_CLASSES, Images, Part
from ..source import printable, reading

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["decode", "find_folder"]

PARTS = ("train", "test")
GREY_OR_COLOUR = {"1", "L", "LA", "P", "PA", "RGB", "RGBA"}  # of 8 bits or fewer


def find_folder(folder: Path) -> dict[str, Part]:
    """Parts of a folder of classes; none if there are no PNG images in its subfolders.

    Names of classes that are whole numbers are the labels. If any is a word, labels count the names in
    alphabetical order, those of both parts together.
    """
    classes = {key: _classes(folder / key) for key in PARTS}
    if not any(classes.values()):
        classes = {"train": _classes(folder)}
    names = sorted({name for found in classes.values() for name in found})
    number_of = _numbers(names, folder)
    return {key: _part(folder, found, number_of) for key, found in classes.items() if found}


def _classes(folder: Path) -> dict[str, list[Path]]:
    """Name of each class -> its images, both in order; hidden files are left out."""
    with reading(folder):
        if not folder.is_dir():
            return {}
        found = {}
        for entry in sorted(folder.iterdir()):
            if entry.is_dir() and not entry.name.startswith("."):
                images = sorted(
                    x for x in entry.iterdir() if x.suffix.lower() == ".png" and not x.name.startswith(".")
                )
                if images:
                    found[entry.name] = images
        return found


def _numbers(names: Sequence[str], folder: Path) -> dict[str, int]:
    if not all(name.isascii() and name.isdigit() for name in names):
        return {name: number for number, name in enumerate(names)}
    numbers = {name: int(name) for name in names}
    for name, number in numbers.items():
        if number >= MAX_CLASSES:
            raise DataError(
                f"{printable(folder / name)}: found label {name}, expected a whole number from 0 to "
                f"{MAX_CLASSES - 1}, or words for all classes"
            )
    return numbers


def _part(folder: Path, classes: dict[str, list[Path]], number_of: dict[str, int]) -> Part:
    paths = [path for images in classes.values() for path in images]
    labels = np.repeat(
        [number_of[name] for name in classes], [len(images) for images in classes.values()]
    ).astype(np.int64)
    return Part(
        origin=printable(folder),
        images=partial(_read, paths),
        labels_origin=printable(folder),
        labels=lambda: labels,
    )


def _read(paths: Sequence[Path]) -> tuple[Images, tuple[int, ...]]:
    values = decode([partial(_open, path) for path in paths], lambda i: printable(paths[i]))
    return values.reshape(len(values), -1), values.shape[1:]


def _open(path: Path) -> IO[bytes]:
    return path.open("rb")


def decode(sources: Sequence[Callable[[], IO[bytes]]], place: Callable[[int], str]) -> NDArray[np.uint8]:
    """Decode images of one size to grey levels, (N, height, width).

    Parameters
    ----------
    sources : each opens a stream of one encoded image; N >= 1
    place : names the i-th of them, for messages

    Raises
    ------
    DataError
        There is no Pillow; or an image is damaged, of another size than the first, transparent, or of more
        than 8 bits.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError("images need Pillow: pip install 'fastbp[images]'") from error
    values = np.empty((len(sources), 0, 0), np.uint8)
    for i, source in enumerate(sources):
        try:
            with source() as stream, Image.open(stream) as image:
                shape = (image.height, image.width)
                if i == 0:
                    _check_size(shape, place(i))
                    values = np.empty((len(sources), *shape), np.uint8)
                if shape != values.shape[1:]:
                    raise DataError(
                        f"{place(i)}: found {shape[0]}x{shape[1]} pixels, expected "
                        f"{values.shape[1]}x{values.shape[2]} as in {place(0)}"
                    )
                values[i] = _grey(image, place(i))
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or printable(error)[:200]
            raise DataError(f"{place(i)}: damaged, or not an image: {reason}") from error
    return values


def _check_size(shape: tuple[int, int], place: str) -> None:
    if shape[0] * shape[1] > 1 << 24:
        raise DataError(f"{place}: found {shape[0]}x{shape[1]} pixels, expected 2**24 at most")


def _grey(image: Image.Image, place: str) -> NDArray[np.uint8]:
    if image.mode not in GREY_OR_COLOUR:
        raise DataError(f"{place}: found the mode {image.mode}, expected 8 bits, grey or colour")
    if "A" in image.mode or "transparency" in image.info:
        opacity = np.asarray(image.convert("RGBA"))[..., 3]
        if opacity.min() < 255:
            raise DataError(f"{place}: is transparent; expected an image on a background")
    return np.asarray(image.convert("L"), np.uint8)
