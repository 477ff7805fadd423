"""PNG images in a folder for each class: ``LABEL/*.png``.

With parts, the folders are ``train/LABEL/*.png`` and ``test/LABEL/*.png``.

Pixels are grey levels; colour becomes its luma (ITU-R BT.601). Pillow decodes
them.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..parts import MAX_CLASSES, Images, Part
from ..source import check_regular, most_memory, printable, reading

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["check_claim", "decode", "find_folder"]

PARTS = ("train", "test")
MOST_PIXELS = 1 << 24  # of an image
PIXEL_BYTES = {"1": 2, "L": 1, "RGB": 4, "RGBA": 4}  # in Pillow's memory; others are converted
GREY_OR_COLOUR = {"1", "L", "LA", "P", "PA", "RGB", "RGBA"}  # of 8 bits or fewer


def find_folder(folder: Path) -> dict[str, Part]:
    """Find the parts in a folder of classes; empty without PNG images in subfolders.

    If all class names are whole numbers, these are the labels. Otherwise labels number
    the names of both parts in alphabetical order.
    """
    classes = {key: _classes(folder / key) for key in PARTS}
    if not any(classes.values()):
        classes = {"train": _classes(folder)}
    names = sorted({name for found in classes.values() for name in found})
    number_of = _numbers(names, folder)
    return {key: _part(folder, found, number_of) for key, found in classes.items() if found}


def _classes(folder: Path) -> dict[str, list[Path]]:
    """Map each class name to its images, both sorted, without hidden files."""
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
                f"{MAX_CLASSES - 1}, or class names that are not numbers"
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
    check_regular(path)
    return path.open("rb")


def decode(sources: Sequence[Callable[[], IO[bytes]]], place: Callable[[int], str]) -> NDArray[np.uint8]:
    """Decode images of equal size to grey levels, (N, height, width).

    Parameters
    ----------
    sources
        Functions that open a stream of one encoded image each; at least one.
    place
        Describes the i-th image, for error messages.

    Raises
    ------
    DataError
        An image is damaged, transparent, too large, of another size than the first, or
        has more than 8 bits.
    """
    from PIL import Image, UnidentifiedImageError

    values = np.empty((len(sources), 0, 0), np.uint8)
    with warnings.catch_warnings():
        # Pillow only warns if a header claims far too many pixels.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for i, source in enumerate(sources):
            try:
                with source() as stream, Image.open(stream) as image:
                    shape = (image.height, image.width)
                    if i == 0:
                        _check_size(shape, place(i))
                        check_claim(image, stream, place(i), copies=6)
                        values = np.empty((len(sources), *shape), np.uint8)
                    if shape != values.shape[1:]:
                        raise DataError(
                            f"{place(i)}: found {shape[0]}x{shape[1]} pixels, expected "
                            f"{values.shape[1]}x{values.shape[2]} as in {place(0)}"
                        )
                    values[i] = _grey(image, place(i))
            except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
                raise DataError(
                    f"{place(i)}: found a huge image, expected {MOST_PIXELS:,} pixels at most"
                ) from error
            except UnidentifiedImageError as error:
                raise DataError(f"{place(i)}: not a readable image; expected a PNG image") from error
            except (DataError, MemoryError):
                raise
            except Exception as error:  # damage raises nearly anything
                reason = (error.strerror if isinstance(error, OSError) else None) or printable(error)[:200]
                raise DataError(f"{place(i)}: not a readable image: {reason}") from error
    return values


def check_claim(image: Image.Image, stream: IO[bytes], place: str, copies: int = 1) -> None:
    """Raise DataError if an image claims far more pixels than its file is worth.

    A file of some kilobytes may hold gigabytes of one colour. ``copies`` tells how
    often the pixels are in memory at once.
    """
    at = stream.tell()
    size = stream.seek(0, io.SEEK_END)
    stream.seek(at)
    pixel = PIXEL_BYTES.get(image.mode, 8)
    if copies * pixel * image.width * image.height > most_memory(size):
        raise DataError(
            f"{place}: found {image.height}x{image.width} pixels in {size:,} bytes, expected an image that "
            "is not blank"
        )


def _check_size(shape: tuple[int, int], place: str) -> None:
    if shape[0] * shape[1] > MOST_PIXELS:
        raise DataError(f"{place}: found {shape[0]}x{shape[1]} pixels, expected {MOST_PIXELS:,} at most")


def _grey(image: Image.Image, place: str) -> NDArray[np.uint8]:
    if image.mode not in GREY_OR_COLOUR:
        raise DataError(f"{place}: found the mode {image.mode}, expected 8 bits, grey or colour")
    if "A" in image.mode or "transparency" in image.info:
        opacity = np.asarray(image.convert("RGBA"))[..., 3]
        if opacity.min() < 255:
            raise DataError(f"{place}: found transparent pixels, expected an image with a background")
    return np.asarray(image.convert("L"), np.uint8)
