"""Image files: every kind comes to the same digit, and a bad one to one line."""

import io
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from drawn_seven import seven
from fastbp.digits.photos import LONGEST, read_digit, read_grey
from fastbp.digits.preprocess import normalize
from fastbp.errors import DataError

ORIENTATION = 0x0112


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kinds():
    """The same picture in every mode of PNG, and those of JPEG."""
    grey = Image.fromarray(seven())
    rgb = grey.convert("RGB")
    clear = Image.new("RGBA", grey.size, (255, 0, 0, 0))  # red where nobody sees it
    clear.paste((0, 0, 0, 255), mask=Image.fromarray(255 - seven()))
    marked = grey.convert("P")
    marked.putpalette([0, 0, 0] + [255, 255, 255] * 255)
    light = Image.new("LA", grey.size, (255, 0))
    light.putalpha(Image.fromarray(255 - seven()))
    yield "L.png", grey, {}
    yield "1.png", grey.convert("1"), {}
    yield "RGB.png", rgb, {}
    yield "RGBA.png", clear, {}
    yield "LA-white-ink.png", light, {}
    yield "P.png", rgb.convert("P"), {}
    yield "P-two.png", marked, {}
    yield "P-clear.png", marked, {"transparency": 255}
    yield "RGB-clear.png", rgb, {"transparency": (255, 255, 255)}
    yield "I16.png", Image.fromarray(seven().astype(np.uint16) * 257), {}
    yield "L.jpg", grey, {"quality": 100}
    yield "RGB.jpg", rgb, {"quality": 100}
    yield "CMYK.jpg", rgb.convert("CMYK"), {"quality": 100}


@pytest.mark.parametrize(
    ("name", "image", "options"), list(kinds()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_kind_of_file_gives_the_same_digit(here, name, image, options):
    image.save(name, **options)
    difference = np.abs(read_digit(here / name).astype(int) - normalize(seven()))
    assert difference.max() <= (0 if name.endswith("png") else 25)
    assert difference.mean() < 0.5


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_orientation(here, value, suffix):
    transpose = Image.Transpose
    method = {
        2: transpose.FLIP_LEFT_RIGHT,
        3: transpose.ROTATE_180,
        4: transpose.FLIP_TOP_BOTTOM,
        5: transpose.TRANSPOSE,
        6: transpose.ROTATE_90,
        7: transpose.TRANSVERSE,
        8: transpose.ROTATE_270,
    }.get(value)
    image = Image.fromarray(seven())
    exif = Image.Exif()
    exif[ORIENTATION] = value
    stored = image if method is None else image.transpose(method)
    stored.save(f"turned.{suffix}", exif=exif)
    grey = read_grey(here / f"turned.{suffix}")
    assert grey.shape == seven().shape
    assert np.abs(grey - seven()).mean() < 3


def test_grey_levels_of_16_bits(here):
    Image.fromarray(np.array([[0, 257, 128], [65535, 32768, 25700]], np.uint16)).save("deep.png")
    np.testing.assert_allclose(
        read_grey(here / "deep.png"), np.array([[0, 257, 128], [65535, 32768, 25700]]) / 257
    )


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_large_pictures_are_reduced(here, suffix, mode):
    mode = "RGB" if (mode, suffix) == ("RGBA", "jpg") else mode
    image = Image.fromarray(seven().repeat(31, axis=0).repeat(31, axis=1)).convert(mode)
    image.save(f"large.{suffix}")
    grey = read_grey(here / f"large.{suffix}")
    assert LONGEST / 2 < max(grey.shape) <= LONGEST
    assert grey.shape[0] / grey.shape[1] == pytest.approx(120 / 90, rel=0.01)
    difference = np.abs(read_digit(here / f"large.{suffix}").astype(int) - normalize(seven()))
    assert difference.max() < 40
    assert difference.mean() < 1


@pytest.mark.parametrize(
    ("paper", "ink"), [(110, 20), (60, 25), (140, 250), (127, 128), (200, 40), (40, 200)]
)
def test_dim_light_is_no_ink(here, paper, ink):
    grey = np.where(seven() == 0, ink, paper).astype(np.uint8)
    Image.fromarray(grey).save("dim.png")
    found = outcome(here / "dim.png")
    if abs(paper - ink) < 2:
        assert "no ink" in found
    else:
        np.testing.assert_array_equal(read_digit(here / "dim.png"), normalize(seven()))


def test_photograph_of_paper(here):
    rng = np.random.default_rng(2)
    height, width = 480, 360
    big = np.asarray(Image.fromarray(seven()).resize((width, height), Image.Resampling.BICUBIC)) / 255
    y, x = np.mgrid[:height, :width] / height
    light = 215 - 70 * x - 40 * y  # from one side
    photo = light * (0.35 + 0.65 * big) + rng.normal(scale=3, size=big.shape)
    Image.fromarray(photo.clip(0, 255).astype(np.uint8)).convert("RGB").save("photo.jpg", quality=85)
    difference = np.abs(read_digit(here / "photo.jpg").astype(int) - normalize(255 - 255 * (1 - big)))
    assert difference.mean() < 8
    assert difference.max() < 110


# What is refused


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, rows=b""):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def saved(suffix, **options):
    file = io.BytesIO()
    Image.fromarray(seven()).save(file, suffix, **options)
    return file.getvalue()


BAD = {
    "empty.png": (b"", "not a readable image"),
    "text.png": (b"seven\n", "not a readable image"),
    "gif.png": (saved("GIF"), "not a readable image"),
    "cut.png": (saved("PNG")[:-60], "damaged"),
    "cut.jpg": (saved("JPEG")[:900], "damaged"),
    "head.png": (saved("PNG")[:20], "damaged"),
    "bomb.png": (png(20000, 20000, bytes(1000)), "has more than 89,478,485 pixels"),
    "half-bomb.png": (png(10000, 10000, bytes(1000)), "has more than 89,478,485 pixels"),
    "sum.png": (saved("PNG").replace(b"IDAT", b"IDAT\x00"), "damaged"),
    "white.png": (png(9, 9, bytes([0, *[255] * 9]) * 9), "image has no ink"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_picture_is_one_line(here, name):
    content, found = BAD[name]
    (here / name).write_bytes(content)
    with pytest.raises(DataError, match=f"^{re.escape(str(here / name))}: {found}[^\n]*; expected [^\n]+$"):
        read_digit(here / name)


def outcome(path):
    """The digit's shape, or the error's text."""
    try:
        return read_digit(path).shape
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("suffix", ["PNG", "JPEG"])
def test_damage_anywhere_is_an_error_or_a_digit(here, suffix):
    rng = np.random.default_rng(7)
    whole = saved(suffix)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(len(whole), size=3):
            damaged[place] = rng.integers(256)
        (here / "x").write_bytes(bytes(damaged))
        found = outcome(here / "x")
        assert found == (28, 28) or (isinstance(found, str) and "\n" not in found)
