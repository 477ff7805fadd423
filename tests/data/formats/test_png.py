"""Folders of PNG images: labels, grey levels, and what is said about images that do not fit."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fastbp.data.dataset import load_parts, load_training
from fastbp.errors import DataError


def save(folder, name, values, mode=None):
    folder.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(values, np.uint8))
    (image.convert(mode) if mode else image).save(folder / name)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def fill(root, rng, classes, n=3, shape=(4, 5)):
    """Images by class, n each, and the array that is expected."""
    expected = []
    for name in classes:
        for i in range(n):
            expected.append(rng.integers(0, 256, shape, np.uint8))
            save(root / name, f"{i}.png", expected[-1])
    return np.array(expected)


def message(folder):
    with pytest.raises(DataError) as caught:
        load_training(folder)
    text = str(caught.value)
    assert text.isprintable(), text
    return text


@pytest.mark.parametrize(
    ("classes", "labels"),
    [(["0", "1", "7"], [0, 1, 7]), (["02", "10", "3"], [2, 10, 3]), (["cat", "dog", "emu"], [0, 1, 2])],
)
def test_labels_from_names(tmp_path, rng, classes, labels):
    images = fill(tmp_path, rng, classes)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / classes[0] / "notes.txt").write_text("not an image")
    (tmp_path / classes[0] / "._0.png").write_text("what macOS leaves behind")
    got, test = load_training(tmp_path)
    assert test is None
    assert (got.shape, got.classes, got.images.dtype) == ((4, 5), max(labels) + 1, np.uint8)
    np.testing.assert_array_equal(got.images.reshape(-1, 4, 5), images)
    np.testing.assert_array_equal(got.labels, np.repeat(labels, 3))


def test_both_parts_number_words_alike(tmp_path, rng):
    fill(tmp_path / "train", rng, ["cat", "emu"])
    images = fill(tmp_path / "test", rng, ["dog", "emu"], n=2)
    parts = load_parts(tmp_path)
    np.testing.assert_array_equal(parts["train"].labels, [0, 0, 0, 2, 2, 2])
    np.testing.assert_array_equal(parts["test"].labels, [1, 1, 2, 2])
    np.testing.assert_array_equal(parts["test"].images.reshape(-1, 4, 5), images)


def test_grey_levels_of_every_kind(tmp_path):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    save(tmp_path / "0", "a.png", grey)
    save(tmp_path / "0", "b.png", grey, "RGB")
    save(tmp_path / "0", "c.png", grey, "LA")
    save(tmp_path / "0", "d.png", grey, "P")
    save(tmp_path / "0", "e.PNG", grey, "1")
    colour = np.zeros((16, 16, 3), np.uint8)
    colour[..., 1] = 200
    save(tmp_path / "1", "f.png", colour)
    images = load_training(tmp_path)[0].images.reshape(-1, 16, 16)
    for image in images[:4]:
        np.testing.assert_array_equal(image, grey)
    assert set(np.unique(images[4])) == {0, 255}
    assert (images[5] == round(0.587 * 200)).all()  # ITU-R BT.601's weight of green


def test_images_that_do_not_fit(tmp_path, rng):
    fill(tmp_path, rng, ["0", "1"])
    save(tmp_path / "1", "x.png", np.zeros((5, 4)))
    assert "1/x.png: found 5x4 pixels, expected 4x5" in message(tmp_path)
    (tmp_path / "1" / "x.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    assert "1/x.png: not a readable image" in message(tmp_path)
    save(tmp_path / "1", "x.png", np.zeros((4, 5, 4)))
    assert "1/x.png: found transparent pixels" in message(tmp_path)
    Image.fromarray(np.zeros((4, 5), np.uint16)).save(tmp_path / "1" / "x.png")
    assert "1/x.png: found the mode I;16" in message(tmp_path)


def test_labels_out_of_range(tmp_path, rng):
    fill(tmp_path, rng, ["0", "99999"], n=1)
    assert "found label 99999" in message(tmp_path)


def test_a_folder_of_nothing(tmp_path):
    (tmp_path / "0").mkdir()
    assert "found no images in this folder" in message(tmp_path)


@pytest.mark.parametrize("side", [10_000, 30_000])  # Pillow warns of the one, and raises at the other
def test_a_header_that_claims_a_huge_image(tmp_path, side):
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0), b"IDAT" + zlib.compress(b"")]
    framed = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(framed))
    found = message(tmp_path)
    assert "0/x.png: found a huge image, expected 16,777,216 pixels at most" in found


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_among_the_images_does_not_block(tmp_path, rng):
    fill(tmp_path, rng, ["0"], n=1)
    os.mkfifo(tmp_path / "0" / "a.png")
    assert "0/a.png: is not a regular file" in message(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"just text", "is named like an image, but holds none"),
        (b"\x89PNG\r\n\x1a\n", "found a single image"),
    ],
)
def test_a_single_image_is_no_data_set(tmp_path, content, says):
    (tmp_path / "fake.png").write_bytes(content)
    assert f"fake.png: {says}" in message(tmp_path / "fake.png")
