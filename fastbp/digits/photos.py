"""Image files to digits: a drawing, a scan, or a photograph of paper. Pillow, an extra, reads them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..data.source import printable, reading
from ..errors import DataError, FastbpError
from .preprocess import normalize, remove_paper

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["read_digit", "read_grey"]

LONGEST = 1000
"""Pixels of the long side to which larger pictures are reduced."""
PAPER = 200
"""Grey level out of 255 that paper of a picture gets if it was taken in too little light."""
CONTRAST = 24
"""Grey levels out of 255: ink that differs less from white paper is taken to lie on black paper."""
FORMATS = ("PNG", "JPEG")


def read_digit(path: Path) -> NDArray[np.uint8]:
    """Return the digit of a picture as MNIST has its digits, (28, 28), ink bright.

    Raises
    ------
    DataError : the file is missing, damaged, too large or no picture, or there is no ink in it
    FastbpError : there is no Pillow
    """
    grey = read_grey(path)
    try:
        return normalize(remove_paper(_exposed(grey)))
    except DataError as error:
        raise DataError(f"{printable(path)}: {error}; expected a digit on a plain background") from error


def read_grey(path: Path) -> NDArray[np.float64]:
    """Return grey levels of a picture, (height, width), 0..255, upright, the long side at most `LONGEST`.

    What is transparent is paper.

    Raises
    ------
    DataError, FastbpError : as of `read_digit`, but for the ink
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise FastbpError("pictures need Pillow: pip install 'fastbp[images]'") from error
    with reading(path):
        if not path.is_file():
            _refuse(path, "is a folder" if path.is_dir() else "is no file" if path.exists() else "not found")
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which do not matter here
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            try:
                with Image.open(file, formats=FORMATS) as image:
                    return _grey(image)
            except MemoryError:
                raise
            except UnidentifiedImageError:
                _refuse(path, "is no picture, or a damaged one")
            except (Image.DecompressionBombWarning, Image.DecompressionBombError):
                _refuse(path, f"has more than {Image.MAX_IMAGE_PIXELS:,} pixels")
            except Exception as error:  # Pillow raises nearly anything at a damaged file
                _refuse(path, f"is damaged ({printable(error)})")


def _exposed(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the paper of a dim photograph, or the grey ground of a drawing, the level that paper should have.

    Whether ink is dark or light is told by the grey level of the frame, and in a dim room all is dark. The
    ground of a drawing, a frame of one level, becomes white, or black under light ink. A photograph keeps
    what is lighter than the mean of its paper: it tells how light falls.
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


def _grey(image: Image) -> NDArray[np.float64]:
    from PIL import ImageOps

    image.draft(None, (LONGEST, LONGEST))  # JPEG: decode a large photograph at a half, a quarter, an eighth
    upright = _reducible(ImageOps.exif_transpose(image))
    reduced = upright.reduce(-(-max(upright.size) // LONGEST))
    if reduced.mode == "RGBA":
        reduced = _on_paper(reduced)
    grey = reduced if reduced.mode == "F" else reduced.convert("L")
    return np.asarray(grey, dtype=np.float64)


def _reducible(image: Image) -> Image:
    """Return the picture with values that can be averaged: no palette, no integers of 16 bits."""
    from PIL import Image

    if image.mode.startswith("I"):
        return Image.fromarray(np.asarray(image, dtype=np.float32) / 257)  # 65535 becomes 255
    if "A" in image.getbands() or "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _on_paper(image: Image) -> Image:
    """Lay a picture on white paper, or on black paper if nothing shows on white."""
    from PIL import Image

    white, black = (
        Image.alpha_composite(Image.new("RGBA", image.size, paper), image).convert("L")
        for paper in ("white", "black")
    )
    return white if np.ptp(np.asarray(white)) >= CONTRAST else black
