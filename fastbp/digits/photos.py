"""Digits from image files: a drawing, a scan, or a photograph of paper."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..data.formats.png import check_claim
from ..data.source import printable, reading
from ..errors import DataError
from .preprocess import normalize, remove_paper

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["read_digit", "read_grey"]

LONGEST = 1000
"""Pixels of the longer side; larger images are reduced to it."""
PAPER = 200
"""Grey level, of 255, of the paper in a photograph that was too dark."""
CONTRAST = 24
"""Grey levels, of 255: ink closer to white paper is assumed to lie on black paper."""
FORMATS = ("PNG", "JPEG")


def read_digit(path: Path) -> NDArray[np.uint8]:
    """Read the digit in an image file, normalised like MNIST.

    Returns
    -------
    (28, 28) array of uint8
        The digit, bright on dark.

    Raises
    ------
    DataError
        The file is missing, too large or not a readable image, or it shows no ink.
    """
    grey = read_grey(path)
    try:
        return normalize(remove_paper(_exposed(grey)))
    except DataError as error:
        raise DataError(f"{printable(path)}: {error}; expected a digit on a plain background") from error


def read_grey(path: Path) -> NDArray[np.float64]:
    """Read the grey levels of an image file.

    Returns
    -------
    (height, width) array of float64
        Grey levels, 0 to 255, in the orientation of the EXIF data. The longer side has
        at most `LONGEST` pixels. Transparent pixels become paper.

    Raises
    ------
    DataError
        The file is missing, too large or not a readable image.
    """
    from PIL import Image, UnidentifiedImageError

    with reading(path):
        if not path.is_file():
            found = "is a folder" if path.is_dir() else "not a regular file" if path.exists() else "not found"
            _refuse(path, found)
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about unusual metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            try:
                with Image.open(file, formats=FORMATS) as image:
                    return _grey(image, file, printable(path))
            except (DataError, MemoryError):
                raise
            except UnidentifiedImageError:
                _refuse(path, "not a readable image")
            except (Image.DecompressionBombWarning, Image.DecompressionBombError):
                _refuse(path, f"has more than {Image.MAX_IMAGE_PIXELS:,} pixels")
            except Exception as error:  # damage raises nearly anything
                _refuse(path, f"damaged ({printable(error)})")


def _exposed(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correct the brightness of a dark photograph, or of the grey background of a
    drawing.

    `fastbp.digits.preprocess` tells dark from light ink by the grey level of the
    outermost pixels, which are dark in a dark room. If they all have one level the
    image is a drawing: its background becomes white, or black under light ink. A
    photograph keeps pixels lighter than its mean paper, which show the direction of the
    light.
    """
    frame = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(frame.mean())
    is_drawn = float(np.ptp(frame)) == 0
    has_dark_ink = paper - grey.min() > grey.max() - paper
    if not is_drawn and has_dark_ink == (paper > 127.5):
        return grey
    level = 255 if is_drawn else PAPER
    lightness = grey if has_dark_ink else 255 - grey
    scaled = np.minimum(lightness * (level / max(paper if has_dark_ink else 255 - paper, 1)), 255)
    return np.asarray(scaled if has_dark_ink else 255 - scaled)


def _refuse(path: Path, found: str) -> NoReturn:
    raise DataError(f"{printable(path)}: {found}; expected a PNG or JPEG file")


def _grey(image: Image, file: IO[bytes], place: str) -> NDArray[np.float64]:
    from PIL import ExifTags, ImageOps

    image.draft(None, (LONGEST, LONGEST))  # decode large JPEGs at reduced size
    is_turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    check_claim(image, file, place, copies=2 if is_turned else 1)
    upright = _reducible(ImageOps.exif_transpose(image) if is_turned else image)
    reduced = upright.reduce(-(-max(upright.size) // LONGEST))
    if reduced.mode == "RGBA":
        reduced = _on_paper(reduced)
    grey = reduced if reduced.mode == "F" else reduced.convert("L")
    return np.asarray(grey, dtype=np.float64)


def _reducible(image: Image) -> Image:
    """Convert an image to values that can be averaged: no palette, no integers."""
    from PIL import Image

    if image.mode.startswith("I"):
        return Image.fromarray(np.asarray(image, dtype=np.float32) / 257)  # to 0..255
    if "A" in image.getbands() or "transparency" in image.info:
        wanted = "RGBA"
    else:
        wanted = "L" if image.mode in ("1", "L") else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def _on_paper(image: Image) -> Image:
    """Lay an image on white paper, or on black paper if it is invisible on white."""
    from PIL import Image

    white, black = (
        Image.alpha_composite(Image.new("RGBA", image.size, paper), image).convert("L")
        for paper in ("white", "black")
    )
    return white if np.ptp(np.asarray(white)) >= CONTRAST else black
