"""CSV: every dialect, and what is said about rows that are not right."""

import gzip
import io
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastbp.data.dataset import Dataset, load_test, load_training
from fastbp.data.formats import csv as delimited
from fastbp.errors import DataError

LABELS = np.array([3, 0, 7, 1])
PIXELS = np.random.default_rng(21).integers(0, 256, (4, 9), np.uint8)
PIXELS[0, :3] = 0, 9, 255


def rows(*columns, header=None, newline="\n"):
    lines = [",".join(map(str, row)) for row in np.column_stack(columns).tolist()]
    return newline.join([header] * bool(header) + lines) + newline


def names(*parts):
    return ",".join(parts)


PLAIN = [f"pixel{i}" for i in range(9)]
GRID = [f"{i}x{j}" for i in (1, 2, 3) for j in (1, 2, 3)]

LABELLED = {
    "pixel names": rows(LABELS, PIXELS, header=names("label", *PLAIN)),
    "grid names": rows(LABELS, PIXELS, header=names("label", *GRID)),
    "no header": rows(LABELS, PIXELS),
    "quoted header": rows(LABELS, PIXELS, header=names(*(f'"{name}"' for name in ["label", *PLAIN]))),
    "capitals": rows(LABELS, PIXELS, header=names("Label", *PLAIN)),
    "class": rows(LABELS, PIXELS, header=names("class", *PLAIN)),
    "numbers as names": rows(LABELS, PIXELS, header=names("label", *map(str, range(9)))),
    "label last": rows(PIXELS, LABELS, header=names(*PLAIN, "class")),
    "label in the middle": rows(
        PIXELS[:, :4],
        LABELS,
        PIXELS[:, 4:],
        header=names("p1", "p2", "p3", "p4", "label", "p5", "p6", "p7", "p8", "p9"),
    ),
    "CRLF": rows(LABELS, PIXELS, header=names("label", *PLAIN), newline="\r\n"),
    "CRLF, no header": rows(LABELS, PIXELS, newline="\r\n"),
    "BOM": "\ufeff" + rows(LABELS, PIXELS, header=names("label", *PLAIN)),
    "BOM, no header": "\ufeff" + rows(LABELS, PIXELS),
    "BOM, quotes": '\ufeff"label",' + rows(LABELS, PIXELS, header=names(*PLAIN)),
    "no newline at the end": rows(LABELS, PIXELS).rstrip(),
    "blank lines at the end": rows(LABELS, PIXELS) + "\n\r\n \n\n",
    "blank lines before": "\n \n" + rows(LABELS, PIXELS, header=names("label", *PLAIN)),
    "blank lines between": rows(LABELS, PIXELS, newline="\n\n"),
    "spaces": rows(LABELS, PIXELS, header=names("label", *PLAIN)).replace(",", " , "),
    "quoted numbers": '"' + rows(LABELS, PIXELS).strip().replace(",", '","').replace("\n", '"\n"') + '"\n',
    "whole floats": rows(LABELS.astype(float), PIXELS.astype(float)),
    "exponents": "\n".join(",".join(f"{v:.18e}" for v in row) for row in np.column_stack([LABELS, PIXELS])),
    "leading zeros": rows(LABELS, PIXELS).replace("255", "000255"),
}


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("text", LABELLED.values(), ids=LABELLED)
def test_dialects_with_labels(tmp_path, text, pack):
    path = tmp_path / "digits.csv"
    path.write_bytes(gzip.compress(text.encode()) if pack else text.encode())
    train, test = load_training(path)
    assert test is None
    for got in (train, load_test(str(path))):
        assert got.images.dtype == np.uint8
        assert got.images.flags.c_contiguous
        assert got.images.flags.writeable
        np.testing.assert_array_equal(got.images, PIXELS)
        assert got.labels.dtype == np.int64
        np.testing.assert_array_equal(got.labels, LABELS)
        assert (got.shape, got.classes, got.name) == ((3, 3), 8, "digits.csv")


UNLABELLED = {
    "pixel names": rows(PIXELS, header=names(*PLAIN)),
    "grid names": rows(PIXELS, header=names(*GRID)),
    "no header": rows(PIXELS),
    "no header, spaces": rows(PIXELS).replace(",", " , "),
    "BOM": "\ufeff" + rows(PIXELS),
}


@pytest.mark.parametrize("text", UNLABELLED.values(), ids=UNLABELLED)
def test_dialects_without_labels(tmp_path, text):
    (tmp_path / "x").write_text(text, encoding="utf-8")
    got = load_test(tmp_path / "x")
    assert got.images.dtype == np.uint8
    np.testing.assert_array_equal(got.images, PIXELS)
    assert got.labels is None
    assert (got.shape, got.classes) == ((3, 3), 0)
    text = message(load_training, tmp_path / "x")
    assert "no labels" in text
    assert "9 columns" in text


@pytest.mark.parametrize(
    ("columns", "labelled"),
    [(1, False), (2, True), (3, True), (4, False), (5, True), (784, False), (785, True)],
)
def test_without_a_header_a_square_number_of_columns_is_all_pixels(tmp_path, columns, labelled):
    (tmp_path / "x").write_text(rows(np.ones((2, columns), int)))
    got = load_test(tmp_path / "x")
    assert (got.labels is not None) == labelled
    assert got.images.shape == (2, columns - labelled)


@pytest.mark.parametrize(
    ("header", "shape"),
    [
        ("label,p1,p2,p3,p4,p5,p6", (6,)),
        ("label,p1,p2,p3,p4,p5,2x3", (2, 3)),
        ("label,p1,p2,p3,p4,p5,3x2", (3, 2)),
        ("label,p1,p2,p3,p4,p5,3x3", (6,)),
        ("label,p1,p2,p3,p4", (2, 2)),
        ("p1,p2,p3,p4,label", (2, 2)),
    ],
)
def test_shape_of_an_image(tmp_path, header, shape):
    (tmp_path / "x").write_text(f"{header}\n" + ",".join("0" * len(header.split(","))))
    assert load_test(tmp_path / "x").shape == shape


def test_labels_up_to_the_limit(tmp_path):
    (tmp_path / "x").write_text("label,p1\n65534,1\n0,2\n")
    assert load_training(tmp_path / "x")[0].classes == 65535


def test_polars_is_imported_when_a_csv_file_is_read_and_not_before():
    code = "import sys, fastbp.data.dataset; sys.exit('polars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ordinary_rows_take_the_fast_way(tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("read row by row")

    monkeypatch.setattr(delimited, "_parse_rows", refuse)
    for name in ("pixel names", "no header", "CRLF", "BOM", "blank lines at the end", "label in the middle"):
        (tmp_path / "x").write_bytes(LABELLED[name].encode())
        np.testing.assert_array_equal(load_test(tmp_path / "x").images, PIXELS)


def message(call, *args):
    with pytest.raises(DataError) as caught:
        call(*args)
    text = str(caught.value)
    assert text.isprintable(), text  # one line
    assert "found" in text or "damaged" in text
    return text


HEADER = "label,p1,p2,p3,p4\n"
GOOD = "5,0,1,2,255\n"
BAD = {
    "short row": (HEADER + GOOD + "5,0,1,2\n", ["line 3", "4 columns", "expected 5"]),
    "short row at the end": (HEADER + GOOD * 50 + "5,0", ["line 52", "2 columns", "expected 5"]),
    "long row": (HEADER + GOOD + "5,0,1,2,3,4\n" + GOOD, ["line 3", "6 columns", "expected 5"]),
    "short header": ("label,p1\n" + GOOD, ["line 2", "5 columns", "expected 2"]),
    "long header": ("label,p1,p2,p3,p4,p5\n" + GOOD, ["line 2", "5 columns", "expected 6"]),
    "short row without a header": (GOOD * 3 + "5\n", ["line 4", "1 columns", "expected 5"]),
    "after blank lines": ("\n\n" + HEADER + "\n" + GOOD + "\n5,0\n", ["line 7", "2 columns"]),
    "after CRLF": ((HEADER + GOOD).replace("\n", "\r\n") + "5,0\r\n", ["line 3", "2 columns"]),
    "word": (
        HEADER + GOOD + "5,0,one,2,3\n",
        ["line 3, column 3", "'one'", "a pixel, a whole number from 0 to 255"],
    ),
    "word without a header": ("5,0,one,2,3\n" + GOOD, ["no column named", "column_3"]),
    "word as label": (HEADER + "five,0,1,2,3\n", ["line 2, column 1", "'five'", "a label", "65534"]),
    "word as label without a header": ("five,0,1,2,3\n" + GOOD, ["no column named", "column_1"]),
    "missing field": (HEADER + GOOD + "5,0,,2,3\n", ["line 3, column 3", "''"]),
    "missing fields": (HEADER + GOOD + ",,,,\n", ["line 3, column 1", "''"]),
    "missing label": (HEADER + GOOD + ",0,1,2,3\n", ["line 3, column 1", "''", "a label"]),
    "comma at the end": (GOOD.replace("\n", ",\n"), ["no column named", "column_6"]),
    "256": (HEADER + GOOD + "5,0,1,2,256\n", ["line 3, column 5", "'256'", "0 to 255"]),
    "a large number": (HEADER + "5,0,1,2,1" + "0" * 400, ["line 2, column 5", "'1000"]),
    "negative": (HEADER + GOOD + "5,-1,1,2,3\n", ["line 3, column 2", "'-1'"]),
    "fraction": (HEADER + GOOD + "5,0.5,1,2,3\n", ["line 3, column 2", "'0.5'", "whole"]),
    "nan": (HEADER + GOOD + "5,nan,1,2,3\n", ["line 3, column 2", "'nan'"]),
    "inf": (HEADER + GOOD + "5,inf,1,2,3\n", ["line 3, column 2", "'inf'"]),
    "underscore": (HEADER + GOOD + "5,1_0,1,2,3\n", ["line 3, column 2", "'1_0'"]),
    "negative label": (HEADER + GOOD + "-1,0,1,2,3\n", ["line 3, column 1", "'-1'", "a label"]),
    "large label": (HEADER + GOOD + "65535,0,1,2,3\n", ["line 3, column 1", "'65535'", "0 to 65534"]),
    "larger label": (HEADER + GOOD + "9999999999,0,1,2,3\n", ["line 3, column 1", "'9999999999'"]),
    "fractional label": (HEADER + GOOD + "1.5,0,1,2,3\n", ["line 3, column 1", "'1.5'"]),
    "bad label behind": ("p1,p2,label\n1,2,3\n1,2,-3\n", ["line 3, column 3", "'-3'", "a label"]),
    "bad pixel before the label": ("p1,p2,label\n1,2,3\n1,x,3\n", ["line 3, column 2", "'x'", "a pixel"]),
    "half a line": (HEADER + GOOD + "5,0,1\rx,2,3\n", ["line 3, column 3", r"'1\rx'"]),
    "not UTF-8": (HEADER.encode() + b"5,0,\xff\xfe,2,3\n", ["byte 22", "UTF-8"]),
    "only a header": (HEADER, ["header and no rows", "line 1"]),
    "only a header after blank lines": ("\n\n" + HEADER + "\n\n", ["header and no rows", "line 3"]),
    "only a label": ("label\n5\n", ["no pixel columns", "line 1"]),
    "two labels": ("label,class,p1\n1,1,1\n", ["2 label columns", "line 1"]),
    "blank": ("\n\n \n", ["empty file"]),
    "form feed": ("\f", ["empty file"]),
    "BOM alone": ("\ufeff", ["empty file"]),
    "empty": ("", ["empty file"]),
}


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize(("text", "says"), BAD.values(), ids=BAD)
def test_bad_rows(tmp_path, text, says, pack):
    path = tmp_path / "digits.csv"
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(data) if pack else data)
    text = message(load_test, path)
    for part in [str(path), *says]:
        assert part in text


def test_long_fields_are_cut_in_the_message(tmp_path):
    (tmp_path / "x").write_text("1,2,3\n1,2," + "x" * 10_000)
    assert len(message(load_test, tmp_path / "x")) < 300


@pytest.mark.parametrize("cut", [0.5, 0.99])
def test_cut_gzip(tmp_path, cut):
    data = gzip.compress(rows(PIXELS).encode() * 500)
    (tmp_path / "x.csv.gz").write_bytes(data[: int(cut * len(data))])
    text = message(load_test, tmp_path / "x.csv.gz")
    assert "ended before" in text
    assert "byte " in text


def both_ways(body, columns, label):
    layout = delimited.Layout(columns, label, (columns,), False)
    fast = delimited._parse_fast(body, layout)
    try:
        slow = delimited._parse_rows("x", 1, body, layout)
    except DataError:
        slow = None
    return fast, slow


FIELD = st.one_of(
    st.integers(-2, 300).map(str),
    st.sampled_from(
        ["", " ", " 7", "7 ", "+7", "-0", "1.0", "1e1", '"7"', '"', "007", "x", "\r", "1_0", "\x00", "٣"]
    ),
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    table=st.lists(st.lists(FIELD, min_size=2, max_size=3), min_size=1, max_size=4),
    label=st.sampled_from([None, 0, 1]),
    newline=st.sampled_from(["\n", "\r\n", "\n\n"]),
)
@example(table=[["1", "2"], ["3"]], label=0, newline="\n")
@example(table=[["0", "\r"], ["0", "0"]], label=None, newline="\n")
def test_the_fast_way_takes_nothing_that_the_slow_way_reads_otherwise(table, label, newline):
    body = newline.join(map(",".join, table)).encode()
    if not body.strip():
        return
    fast, slow = both_ways(body, len(table[0]), label)
    if fast is not None:
        assert slow is not None
        np.testing.assert_array_equal(fast[0], slow[0])
        np.testing.assert_array_equal(fast[1], slow[1])


@settings(max_examples=100, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 20), columns=st.integers(2, 30))
def test_both_ways_read_the_same(seed, n, columns):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, (n, columns))
    fast, slow = both_ways(rows(values).encode(), columns, 0)
    np.testing.assert_array_equal(fast[0], values[:, 1:])
    np.testing.assert_array_equal(fast[1], values[:, 0])
    np.testing.assert_array_equal(slow[0], values[:, 1:])
    np.testing.assert_array_equal(slow[1], values[:, 0])


@pytest.mark.parametrize("pack", [False, True])
@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    data=st.one_of(
        st.binary(max_size=60),
        st.text('0123456789,.-\n\r" \fx\u00e9', max_size=60).map(str.encode),
        st.text("01,\n", max_size=30).map(lambda text: b"label,p1\n" + text.encode()),
    )
)
@example(data=b"\x0b")
@example(data=b"\f,\n1")
def test_random_bytes_give_data_or_a_data_error(tmp_path_factory, pack, data):
    path = tmp_path_factory.getbasetemp() / "random.csv"
    path.write_bytes(gzip.compress(data) if pack else data)
    try:
        got = load_test(path)
    except DataError as error:
        text = str(error)
    else:
        assert isinstance(got, Dataset)
        return
    assert text.isprintable(), text


def test_many_rows(tmp_path):
    values = np.random.default_rng(22).integers(0, 256, (3_000, 101))
    buffer = io.StringIO()
    np.savetxt(buffer, values, "%d", ",")
    (tmp_path / "x.csv").write_text(buffer.getvalue() + "0,1\n")
    assert "line 3001: found 2 columns" in message(load_test, tmp_path / "x.csv")
    (tmp_path / "x.csv").write_text(buffer.getvalue())
    got = load_training(tmp_path / "x.csv")[0]
    np.testing.assert_array_equal(got.images, values[:, 1:])
    np.testing.assert_array_equal(got.labels, values[:, 0])
