"""What the columns of a table are taken for, and what is said of those that are left out."""

import numpy as np
import polars as pl
import pytest

from fastbp import DataError
from fastbp.data.dataset import load_training
from fastbp.data.tables import text as text_module
from fastbp.data.tables.dialect import is_number
from fastbp.data.tables.infer import infer
from fastbp.data.tables.load import dataset_of
from fastbp.data.tables.options import TableOptions
from fastbp.data.tables.table import read_table, table_of

ROWS = 6
FLOATS, WHOLE = [0.5, 1.5, -2.0, 3.25, 4.0, 7.0], [3, 1, 3, 1, 3, 3]
WORDS, CLASSES = ["red", "blue", "red", "green", "red", "blue"], ["no", "yes", "no", "no", "yes", "yes"]


def inferred(columns, **options):
    return infer(table_of(columns), TableOptions(**options))


def test_kinds_of_features():
    found = inferred({"f": FLOATS, "w": WHOLE, "b": [True, False] * 3, "c": WORDS, "y": CLASSES})
    assert [(f.name, f.kind, f.values) for f in found.schema.features] == [
        ("f", "number", ()),
        ("w", "number", ()),
        ("b", "boolean", ()),
        ("c", "words", ("blue", "green", "red")),
    ]
    assert found.schema.input_names == ("f", "w", "b", "c=blue", "c=green", "c=red")
    assert (found.schema.task, found.schema.outputs, found.notes) == ("classification", ("no", "yes"), ())


@pytest.mark.parametrize("name", ["label", "Target", "CLASS", "y"])
def test_the_target_by_its_name(name):
    assert inferred({"f": FLOATS, name: CLASSES}).schema.targets == (name,)


@pytest.mark.parametrize(
    ("target", "task", "outputs"),
    [
        (CLASSES, "classification", ("no", "yes")),
        ([2, 10, 2, 10, 2, 10], "classification", ("2", "10")),
        ([True, False] * 3, "classification", ("false", "true")),
        (FLOATS, "regression", ("y",)),
    ],
)
def test_the_task_by_the_target(target, task, outputs):
    schema = inferred({"f": FLOATS, "y": target}).schema
    assert (schema.task, schema.outputs) == (task, outputs)


def test_the_task_as_the_user_says():
    assert inferred({"f": FLOATS, "y": WHOLE}, task="regression").schema.task == "regression"
    assert inferred({"f": WHOLE, "y": [0.5, 1, 0.5, 1, 0.5, 1]}, task="classification").schema.outputs == (
        "0.5",
        "1",
    )


def test_many_whole_numbers_are_a_quantity_and_that_is_said():
    values = np.arange(300) * 7
    found = inferred({"f": np.sin(values), "y": values})
    assert found.schema.task == "regression"
    assert "--task classification" in found.notes[-1]


def test_several_targets():
    both = inferred({"f": FLOATS, "a": [0, 1] * 3, "b": [True, False] * 3}, target=("a", "b")).schema
    assert (both.task, both.outputs, both.output) == ("labels", ("a", "b"), "logistic")
    values = inferred({"f": WHOLE, "a": [0, 1] * 3, "b": FLOATS}, target=("a", "b")).schema
    assert (values.task, values.output) == ("regression", "identity")


@pytest.mark.parametrize(
    ("column", "options", "note"),
    [
        ({"id": [7, 9, 8, 20, 3, 1]}, {"numeric": ("id",)}, "as an ID has"),
        ({"row": [3, 4, 5, 6, 7, 8]}, {"numeric": ("row",)}, "as an ID has"),
        ({"name": list("abcdef")}, {"one_hot": ("name",)}, "as an ID has"),
        ({"k": [4] * 6}, {"numeric": ("k",)}, "same in every row"),
        ({"k": ["x"] * 6}, {"one_hot": ("k",)}, "same in every row"),
        ({"k": [None] * 6}, {}, "no values"),
    ],
)
def test_columns_of_no_use_are_left_out_and_named(column, options, note):
    [name] = column
    found = inferred({**column, "f": FLOATS, "y": CLASSES})
    assert [feature.name for feature in found.schema.features] == ["f"]
    assert repr(name) in found.notes[0]
    assert note in found.notes[0]
    if options:
        kept = inferred({**column, "f": FLOATS, "y": CLASSES}, **options)
        assert [feature.name for feature in kept.schema.features] == [name, "f"]
        assert kept.notes == ()
    assert inferred({**column, "f": FLOATS, "y": CLASSES}, drop=(name,)).notes == ()


def test_whole_numbers_that_differ_are_kept_but_named():
    found = inferred({"salary": [700, 900, 100, 350, 420, 80], "f": FLOATS, "y": CLASSES})
    assert [feature.name for feature in found.schema.features] == ["salary", "f"]
    assert "--drop salary" in found.notes[0]


def test_too_many_words():
    words = [f"w{number % 150}" for number in range(300)]
    columns = {"w": words, "f": np.arange(300.0) ** 2, "y": CLASSES * 50}
    assert "150 different words" in inferred(columns).notes[0]
    assert inferred(columns, one_hot=("w",)).schema.features[0].inputs == 150


def test_whole_numbers_as_categories():
    [feature, _] = inferred(
        {"w": [10, 9, 10, 9, 10, 9], "f": FLOATS, "y": CLASSES}, one_hot=("w",)
    ).schema.features
    assert feature.values == ("9", "10")


@pytest.mark.parametrize(
    ("columns", "options", "says"),
    [
        ({"f": FLOATS, "g": CLASSES}, {}, "no column named label, target, class or y.*--target.*f, g"),
        ({"f": FLOATS, "y": CLASSES, "label": CLASSES}, {}, r"2 columns \(y, label\)"),
        ({"f": FLOATS, "y": CLASSES}, {"target": ("why",)}, "no column 'why', which target names"),
        ({"f": FLOATS, "colour": WORDS, "y": CLASSES}, {"drop": ("color",)}, "did you mean colour"),
        ({"f": FLOATS, "y": ["a"] * 6}, {}, "only 'a'; expected two classes"),
        ({"f": [1.0] * 6, "y": CLASSES}, {}, "no column to learn from beside y"),
        ({"f": FLOATS, "y": [1.5] * 6}, {}, "1.5 in every row"),
        (
            {"f": ["1", "2", "x", "4", "5", "6"], "y": CLASSES},
            {"numeric": ("f",)},
            "found 'x', expected numbers",
        ),
        ({"f": [1, 2, 3, 4, 5, float("inf")], "y": CLASSES}, {}, "to inf; expected numbers within"),
        ({"f": [[1]] * 6, "y": CLASSES}, {}, "--drop f"),
        ({"f": FLOATS, "a": WORDS, "y": CLASSES}, {"target": ("a", "y")}, "'a' holds words"),
        ({"f": FLOATS, "y": WORDS}, {"task": "regression"}, "not numbers; expected numbers for regression"),
    ],
)
def test_mistakes_are_named(columns, options, says):
    with pytest.raises(DataError, match=says):
        dataset_of(table_of(columns), TableOptions(**options), "x")


@pytest.mark.parametrize("hole", [None, float("nan")])
def test_missing_values(hole):
    columns = {"f": [0.5, 1.5, hole, 3.5, hole, 2.0], "c": ["u", "u", "v", None, "v", "u"], "y": CLASSES}
    with pytest.raises(
        DataError, match=r"column 'f': 2 values are missing, the first in row 3.*--missing mean"
    ):
        inferred(columns)
    filled = dataset_of(table_of(columns), TableOptions(missing="mean"), "x")
    np.testing.assert_allclose(filled.images[:, 0], [0.5, 1.5, 1.875, 3.5, 1.875, 2.0])
    np.testing.assert_array_equal(filled.images[:, 1], [1, 1, 0, 1, 0, 1])  # u, the most frequent
    dropped = dataset_of(table_of(columns), TableOptions(missing="drop"), "x")
    np.testing.assert_allclose(dropped.images[:, 0], [0.5, 1.5, 2.0])
    np.testing.assert_array_equal(dropped.labels, [0, 1, 1])
    assert dropped.notes[-1] == "3 of 6 rows have a missing value, so they are left out"


def test_rows_are_not_dropped_for_columns_that_are_left_out():
    holes = [None, "a", None, None, "b", None]
    columns = {"f": FLOATS, "k": ["x"] * 5 + [None], "rare": [None] * 6, "y": CLASSES}
    found = inferred({**columns, "z": holes}, missing="drop", drop=("z",))
    assert (found.rows, [feature.name for feature in found.schema.features]) == (5, ["f"])


def test_a_missing_target_is_named():
    with pytest.raises(
        DataError, match=r"column 'y': 1 values are missing, the first in row 2.*--missing drop"
    ):
        inferred({"f": FLOATS, "y": ["a", None, "b", "a", "b", "a"]})


def test_numbers_written_as_text():
    found = inferred(
        {"f": [" 1.5", "2 ", "NA", "4", "", "?"], "y": [" 3", "4 ", "3", "3", "4", "4"]}, missing="mean"
    )
    assert found.schema.features[0].kind == "number"
    assert found.schema.features[0].fill == pytest.approx(2.5)
    assert found.schema.outputs == ("3", "4")


DIALECTS = {
    "comma": "f,c,y\n0.5,red,no\n1.5,blue,yes\n",
    "semicolon and decimal comma": "f;c;y\n0,5;red;no\n1,5;blue;yes\n",
    "tabs": "f\tc\ty\n0.5\tred\tno\n1.5\tblue\tyes\n",
    "quotes": '"f","c","y"\n"0.5","red","no"\n"1.5","blue","yes"\n',
    "spaces": "f, c, y\n0.5, red, no\n1.5, blue, yes\n",
    "mark, CRLF, blank lines": "\ufefff,c,y\r\n0.5,red,no\r\n1.5,blue,yes\r\n\r\n",
    "blank lines before": "\n\nf,c,y\n0.5,red,no\n1.5,blue,yes",
}


@pytest.mark.parametrize("text", DIALECTS.values(), ids=DIALECTS)
def test_dialects(tmp_path, text):
    (tmp_path / "x.csv").write_text(text, newline="")
    table, _ = load_training(tmp_path / "x.csv", TableOptions(one_hot=("c",)))
    np.testing.assert_array_equal(table.images, [[0.5, 0, 1], [1.5, 1, 0]])
    assert (table.kind, table.schema.outputs, table.schema.features[1].values) == (
        "table",
        ("no", "yes"),
        ("blue", "red"),
    )


def test_without_a_header(tmp_path):
    (tmp_path / "x").write_text("5.1,3.5,setosa\n4.0,3.25,virginica\n6,3,setosa\n")
    with pytest.raises(DataError, match="one of: column_1, column_2, column_3"):
        load_training(tmp_path / "x")
    table, _ = load_training(tmp_path / "x", TableOptions(target=("column_3",)))
    assert (table.schema.outputs, table.images.shape) == (("setosa", "virginica"), (3, 2))


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow", "stream", "csv.gz"])
def test_formats_hold_the_same(tmp_path, suffix):
    frame = pl.DataFrame({"f": FLOATS, "c": WORDS, "y": CLASSES})
    path = tmp_path / f"x.{suffix}"
    match suffix:
        case "csv":
            frame.write_csv(path)
        case "csv.gz":
            import gzip

            path.write_bytes(gzip.compress(frame.write_csv().encode()))
        case "parquet":
            frame.write_parquet(path)
        case "arrow":
            frame.write_ipc(path)
        case "stream":
            frame.write_ipc_stream(path)
    table, _ = load_training(path)
    np.testing.assert_array_equal(table.images[:, 0], FLOATS)
    np.testing.assert_array_equal(table.images[:, 1:].argmax(axis=1), [2, 0, 2, 1, 2, 0])
    np.testing.assert_array_equal(table.labels, [0, 1, 0, 0, 1, 1])


def test_names_of_pixels_make_images_and_others_a_table(tmp_path):
    (tmp_path / "a.csv").write_text("label,pixel0,pixel1\n1,0,255\n0,7,8\n")
    (tmp_path / "b.csv").write_text("label,age,rooms\n1,0,255\n0,7,8\n")
    assert load_training(tmp_path / "a.csv")[0].kind == "images"
    assert load_training(tmp_path / "b.csv")[0].kind == "table"
    options = TableOptions(numeric=("pixel0",))
    assert load_training(tmp_path / "a.csv", options)[0].kind == "table"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,a,y\n1,2,x\n", "column name 'a' twice"),
        ("a,y\n1,x\n2,x,3\n", "line 3: found 3 columns, expected 2"),
        ('a,y\n"1,x\n', "cannot be read as a table"),
        ("a,y\n", "no rows"),
        ("é,y\n1,x\n".encode("latin-1"), "not UTF-8"),
    ],
)
def test_broken_text(tmp_path, text, says):
    (tmp_path / "x.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=says) as caught:
        load_training(tmp_path / "x.csv")
    assert "\n" not in str(caught.value)


def test_types_that_change_late_in_a_file(tmp_path, monkeypatch):
    """Types are inferred from the beginning; where that fails, from all rows."""
    monkeypatch.setattr(text_module, "HEAD", 64)
    monkeypatch.setattr(text_module, "PART", 50)
    rows = [f"{row},{row % 3},{'ab'[row % 2]}" for row in range(40)]
    (tmp_path / "x.csv").write_text("\n".join(["f,c,y", *rows, "0.5,red,b", '7,"two\nlines",a']))
    table, _ = load_training(tmp_path / "x.csv")
    assert [feature.kind for feature in table.schema.features] == ["number", "words"]
    assert table.schema.features[1].values == ("0", "1", "2", "red", "two\nlines")
    np.testing.assert_array_equal(table.images[:, 0], [*range(40), 0.5, 7])
    np.testing.assert_array_equal(table.labels, [*[0, 1] * 20, 1, 0])


@pytest.mark.parametrize("text", ["a,y\n1,x\n2,z", "a\n5", "a"])
def test_short_files(tmp_path, text):
    (tmp_path / "x.csv").write_text(text)
    if text.count(",") < 3:
        with pytest.raises(DataError):
            load_training(tmp_path / "x.csv")
    else:
        assert load_training(tmp_path / "x.csv")[0].images.tolist() == [[1], [2]]
    if "\n" in text:
        assert read_table(tmp_path / "x.csv").frame.collect().height == text.count("\n")


def test_classes_keep_their_text():
    found = inferred({"f": FLOATS, "y": ["01", "1", "01", "1", "1", "01"]})
    assert found.schema.outputs == ("01", "1")


def test_dates_in_text_are_numbers_of_days(tmp_path):
    days = ["2024-01-01", "2024-01-03", "1969-12-31", "1970-01-01"]
    (tmp_path / "x.csv").write_text(
        "\n".join(["d,y", *(f"{day},{'ab'[i % 2]}" for i, day in enumerate(days))])
    )
    table, _ = load_training(tmp_path / "x.csv")
    assert [feature.kind for feature in table.schema.features] == ["number"]
    np.testing.assert_array_equal(table.images[:, 0], [19723, 19725, -1, 0])


def test_a_row_of_missing_values_is_a_row(tmp_path):
    (tmp_path / "x.csv").write_text("f,y\n1,a\n,\n3,b\n")
    with pytest.raises(DataError, match="row 2"):
        load_training(tmp_path / "x.csv")


def test_a_hostile_name_stays_on_one_line(tmp_path):
    name = "\x1b[31m<b>\n" + "x" * 500
    pl.DataFrame({name: [None, 1.0], "y": ["a", "b"]}).write_parquet(tmp_path / "x")
    with pytest.raises(DataError) as caught:
        load_training(tmp_path / "x")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_read_table_is_lazy(tmp_path):
    pl.DataFrame({"f": FLOATS}).write_parquet(tmp_path / "x")
    assert isinstance(read_table(tmp_path / "x").frame, pl.LazyFrame)


@pytest.mark.parametrize(("offset", "is_noted"), [(0, False), (2000, False), (1e9, True), (-1e9, True)])
def test_a_column_that_float32_hardly_tells_apart_is_noted(offset, is_noted):
    notes = inferred({"f": [offset + value for value in FLOATS], "y": CLASSES}).notes
    assert [("hardly tells apart" in note) for note in notes] == [True] * is_noted


def test_a_target_that_is_named_twice_is_one():
    found = inferred({"f": FLOATS, "v": FLOATS}, target=("v", "v")).schema
    assert (found.targets, found.outputs) == (("v",), ("v",))


@pytest.mark.parametrize("text", ["9\x1f", "\x1c9", "1_000", "9\u00a0", ""])
def test_what_float_would_not_read_is_no_number(text):
    assert not is_number(text)
