"""Small files that claim much, files that are mostly nothing, and text that parsers choke on."""

import gzip
import io
import os
import struct
import zipfile
import zlib

import numpy as np
import polars as pl
import pytest
from PIL import Image

from fastbp.data.dataset import load_parts, load_training
from fastbp.data.rows import load_rows
from fastbp.data.tables.dialect import are_pixel_names, is_number
from fastbp.data.tables.text import _row_end
from fastbp.digits.photos import read_digit
from fastbp.errors import ConfigError, DataError
from fastbp.recipe.distortions import read_variants
from fastbp.recipe.settings import read_settings
from fastbp.runs.comparison import read_figures
from fastbp.studies.plan import read_study
from fastbp.studies.robustness import HEAD, LEVELS, SINGLES, read_measured

TEN_GB = 10 << 30


def refusal(read, *arguments, kind=DataError):
    with pytest.raises(kind) as caught:
        read(*arguments)
    text = str(caught.value)
    assert text.isprintable(), text
    assert len(text) < 1800
    return text


def test_packed_idx_that_claims_gigabytes(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 10_000_000, 32, 32) + os.urandom(1 << 17)))
    assert "found 10,240,000,000 bytes claimed by" in refusal(load_parts, path)


@pytest.mark.parametrize("kind", ["npz", "npy.gz"])
def test_packed_arrays_that_claim_gigabytes(tmp_path, kind):
    text = "{'descr': '|u1', 'fortran_order': False, 'shape': (10000000, 1024), }\n"
    array = b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() + os.urandom(1 << 17)
    path = tmp_path / f"x.{kind}"
    if kind == "npz":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", array)
    else:
        path.write_bytes(gzip.compress(array))
    assert "found 10,240,000,000 bytes claimed by" in refusal(load_parts, path)


def test_well_packed_arrays_are_read(tmp_path):
    """Images of much paper are packed to a hundredth."""
    with open(tmp_path / "x.npz", "wb") as file:
        np.savez_compressed(file, x=np.zeros((1000, 784)), y=np.arange(1000) % 3)
    assert load_training(tmp_path / "x.npz")[0].images.shape == (1000, 784)


def test_packed_pixels_without_end(tmp_path):
    (tmp_path / "x.csv").write_bytes(gzip.compress(b"1,2,3\n" * 8_000_000, 1))
    assert "unpacks to more than" in refusal(load_training, tmp_path / "x.csv")


def test_names_in_a_zip_are_not_paths(tmp_path):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "x.npz", "w") as archive:
        for name in ("../../evil.npy", str(tmp_path / "evil.npy"), "x.npy"):
            stream = io.BytesIO()
            np.save(stream, np.eye(3, dtype=np.uint8))
            archive.writestr(name, stream.getvalue())
    assert len(load_parts(folder / "x.npz")["train"].images) == 3
    assert not (tmp_path / "evil.npy").exists()


@pytest.mark.parametrize(
    ("start", "says"),
    [(b"label,p1\n1,2\n" * 99, "found"), (b"colour,y\nred,1\nblue,2\n" * 40, "found a zero byte")],
)
def test_sparse_text_is_not_read_to_its_end(tmp_path, start, says):
    path = tmp_path / "x.csv"
    path.write_bytes(start)
    try:
        os.truncate(path, TEN_GB)
    except OSError as error:
        pytest.skip(f"no sparse file can be made here: {error}")
    assert says in refusal(load_training, path)


@pytest.mark.parametrize("read", [read_settings, read_study, lambda path: read_variants(str(path))])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = " + "[" * 3000 + "]" * 3000, "not a TOML file"),
        ("x = " + "[" * 30 + "]" * 30, "nested more than"),
        ("x = " + "9" * 5000, "not a TOML file"),
        ("x = 0x" + "f" * 5000, "more than 64 bits"),
        ("a." * 20000 + "b = 1", "a key has more than"),
        ("[" + "a." * 20000 + "b]", "a key has more than"),
        ("x = {" + "a." * 20000 + "b = 1}", "a key has more than"),
        ('"\\u001b[2J\\u202e" = 1', r"\x1b[2J\u202e"),
        ("x" * 20000 + " = 1", " ... "),
        ("seed = '" + "x" * 20000 + "'", " ... "),
        ("# \udcff", "not a TOML file"),
        ("x = 1\ry = 2", "not a TOML file"),
        ("#" * (1 << 19), "larger than 262,144 bytes"),
    ],
)
def test_toml_that_parsers_choke_on(tmp_path, read, text, says):
    path = tmp_path / "x.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    found = refusal(read, path, kind=ConfigError)
    assert found.startswith(str(path))
    if says != " ... " or len(found) > 900:  # keys that are expected may be all that is said
        assert says in found or "expected [[variants]]" in found


def test_lists_of_numbers_are_no_long_keys(tmp_path):
    numbers = ", ".join(["0.5"] * 300)
    path = tmp_path / "x.toml"
    path.write_text(f"hidden = [{numbers}]\nseed = 1\n")
    assert "hidden" in refusal(read_settings, path, kind=ConfigError)  # not whole numbers
    path.write_text("drop = [\n'a.b.c',\n" + "".join(f"'x{i}',\n" for i in range(300)) + "]\n")
    assert len(read_settings(path)["drop"]) == 301


def test_results_with_very_long_numbers(tmp_path):
    (tmp_path / "result.json").write_text('{"status": "completed", "train_loss": ' + "9" * 400 + "}")
    assert "train_loss is 999" in refusal(read_figures, tmp_path, kind=ConfigError)


def test_measurements_with_an_empty_line(tmp_path):
    names = [*HEAD, *SINGLES, *LEVELS]
    for line in ("", "k,a,1,1", "k," * 400):
        (tmp_path / "robustness.csv").write_text(f"{','.join(names)}\n{line}\n")
        assert "a line has" in refusal(read_measured, tmp_path, kind=ConfigError)


def test_npy_of_an_unknown_version(tmp_path):
    np.save(tmp_path / "images.npy", np.eye(3, dtype=np.uint8))
    data = bytearray((tmp_path / "images.npy").read_bytes())
    data[6:12] = bytes([9, 0]) + struct.pack("<I", struct.unpack("<H", data[8:10])[0])
    (tmp_path / "images.npy").write_bytes(data)
    assert "found version 9.0" in refusal(load_parts, tmp_path / "images.npy")


def test_an_image_whose_colour_profile_is_empty(tmp_path):
    """Pillow raises IndexError."""
    stream = io.BytesIO()
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(stream, "png")
    data = stream.getvalue()
    profile = struct.pack(">I", 0) + b"iCCP" + struct.pack(">I", zlib.crc32(b"iCCP"))
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "a.png").write_bytes(data[:-12] + profile)
    assert "not a readable image" in refusal(load_parts, tmp_path)


@pytest.mark.parametrize(("mode", "side"), [("L", 9000), ("RGBA", 5000), ("P", 4000)])
def test_blank_images_of_very_many_pixels(tmp_path, mode, side):
    Image.new(mode, (side, side)).save(tmp_path / "x.png")
    assert "an image that is not blank" in refusal(read_digit, tmp_path / "x.png")
    if side < 4097:  # larger ones are refused for that
        (tmp_path / "0").mkdir()
        (tmp_path / "x.png").rename(tmp_path / "0" / "x.png")
        assert "an image that is not blank" in refusal(load_parts, tmp_path)


@pytest.mark.parametrize("line", [b"1" + b",2" * 70_000, b"label" + b",p1" * 70_000])
def test_very_many_columns_are_refused_by_the_first_line(tmp_path, line):
    (tmp_path / "x.csv").write_bytes(line + b"\n" + line)
    assert "found 70,001 columns, expected 65,537 at most" in refusal(load_training, tmp_path / "x.csv")


def test_a_table_of_very_many_columns(tmp_path):
    pl.DataFrame(np.zeros((2, 20_002)), schema=[f"c{i}x" for i in range(20_002)]).write_ipc(tmp_path / "x")
    from fastbp.data.tables.options import TableOptions

    assert "has 20,002 columns" in refusal(load_training, tmp_path / "x", TableOptions(target=("c0x",)))


def test_long_fields_are_looked_at_once():
    """Each of these took the square of its length: hours."""
    assert not is_number("1" * 1_000_000 + "x")
    assert not are_pixel_names(("1" * 1_000_000 + "x", "b"))
    assert is_number("12.") and is_number("-.5e-3") and is_number("12") and not is_number(".")  # noqa: PT018
    assert _row_end(b'"' + b"1\n" * 4_000_000) == 0


@pytest.mark.parametrize(
    "text", ['a\nb"\nc\n', 'a\n"b"\nc', '"a\nb\n', '"a\nb"\nc"\n', 'x\n"a""\n"\n"', "\n", ""]
)
def test_the_end_of_the_last_whole_row(text):
    ends = [i + 1 for i, c in enumerate(text) if c == "\n" and text[: i + 1].count('"') % 2 == 0]
    assert _row_end(text.encode()) == max(ends, default=0)


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_text_that_is_named_like_an_array(tmp_path, name):
    (tmp_path / name).write_bytes(b"4")
    for read in (load_parts, load_rows):
        assert "is named like an array, but holds text" in refusal(read, tmp_path / name)
