"""Images and labels from a name, a folder or a file.

The content of a file decides its format; its name decides only where the content does
not. See `load_training` and `load_test`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import DataError
from ..schema import Schema
from . import builtin
from .formats import csv, idx, npy, npz, parquet, png
from .mapped import MAPPED_FROM
from .parts import Labels, Part
from .samples import Dataset, kind_of
from .source import GZIP_MAGIC, IDX_NAME, IMAGE_SUFFIXES, TEXT_CONTROLS, open_source, printable, reading
from .tables.load import holds_table, load_table, load_with
from .tables.options import TableOptions

__all__ = ["Dataset", "has_test_part", "load_parts", "load_test", "load_training"]

FORMATS = "IDX, CSV, npz, npy, Parquet or Arrow"
PLAIN = TableOptions()
IMAGE_MAGICS = (b"\x89PNG", b"\xff\xd8", b"GIF8", b"BM", b"RIFF")


def load_training(
    spec: str | Path, options: TableOptions = PLAIN, test: str | Path | None = None
) -> tuple[Dataset, Dataset | None]:
    """Load the training part of a data set, and its test part if that has labels.

    Parameters
    ----------
    spec
        A name, a folder or a file:

        - the name ``"mnist"``;
        - a folder of IDX files named like those of MNIST, of npy files named like the
          arrays of an npz, or of PNG images (`fastbp.data.formats.png`);
        - a file of IDX or npy images, with the labels file next to it;
        - a CSV file of pixels (`fastbp.data.formats.csv`);
        - a Parquet or Arrow file of images (`fastbp.data.formats.parquet`);
        - a table, CSV, TSV, Parquet or Arrow (`fastbp.data.tables`);
        - an npz file with the arrays ``x_train, y_train, x_test, y_test``, or
          ``images, labels``, or ``x, y``, or ``X, y``.

        Files may be gzip. The images of large, uncompressed IDX and npy files are
        mapped into memory, read-only.
    options
        What is said of the columns of a table. Anything said makes a file of columns a
        table.
    test
        Data to test on, instead of those that ``spec`` may have.

    Returns
    -------
    train : Dataset
        The training part, labelled.
    test : Dataset or None
        The test part, labelled, with images of the same shape and dtype.

    Raises
    ------
    DataError
        Data are missing, damaged or not labelled.
    """
    if holds_table(spec, options):
        return load_table(Path(spec), options, None if test is None else Path(test))
    if test is not None:
        whole, _ = load_training(spec)
        return whole, _checked_test(load_test(test), whole)
    name, parts = _find(spec)
    if "train" not in parts:
        raise DataError(f"{parts['test'].origin}: found only a test part, expected training images too")
    labels = _read_labels(parts)
    classes = _count_classes(labels.values())
    # Images are read first: a labels file given by mistake is then reported as such.
    train = _build(name, parts["train"], labels.get("train"), classes)
    if train.labels is None:
        part = parts["train"]
        raise DataError(f"{part.origin}: found no labels, expected them for training; {part.unlabelled}")
    if "test" not in labels:
        return train, None
    return train, _checked_test(
        _build(name, parts["test"], labels["test"], classes), train, parts["test"].origin
    )


def _checked_test(test: Dataset, train: Dataset, origin: str = "") -> Dataset:
    """Return the test part; DataError unless its images are like those of training."""
    if test.shape != train.shape or test.images.dtype != train.images.dtype:
        raise DataError(
            f"{origin or test.name}: found test images {test.shape} of {test.images.dtype}, "
            f"expected {train.shape} of {train.images.dtype} as in training"
        )
    if test.labels is not None and test.labels.max() >= train.classes:
        raise DataError(
            f"{origin or test.name}: found label {test.labels.max()}, expected 0..{train.classes - 1} as in "
            "training"
        )
    return test


def load_test(spec: str | Path, schema: Schema | None = None) -> Dataset:
    """Load the test part of a data set, or all data if there is no test part.

    Parameters
    ----------
    spec
        As for `load_training`.
    schema
        Of the network to test: the columns of a table become its inputs by name.

    Returns
    -------
    Dataset
        The data, with or without labels. The number of classes counts the labels of the
        training part too.

    Raises
    ------
    DataError
        Data are missing or damaged.
    """
    if schema is not None and schema.features and holds_table(spec, TableOptions(target=schema.targets)):
        return load_with(Path(spec), schema)
    if holds_table(spec, PLAIN):
        return load_table(Path(spec), PLAIN)[0]
    name, parts = _find(spec)
    labels = _read_labels(parts)
    key = "test" if "test" in parts else "train"
    return _build(name, parts[key], labels.get(key), _count_classes(labels.values()))


def has_test_part(spec: str | Path) -> bool:
    """Return whether a data set has a test part; DataError if there is no data set."""
    return not holds_table(spec, PLAIN) and "test" in _find(spec)[1]


def load_parts(spec: str | Path, options: TableOptions = PLAIN) -> dict[str, Dataset]:
    """Load all parts of a data set, with or without labels.

    Parameters
    ----------
    spec, options
        As for `load_training`.

    Returns
    -------
    dict
        The parts under ``"train"`` and ``"test"``, in this order. Data without parts
        are under ``"train"``. The number of classes counts the labels of both parts.

    Raises
    ------
    DataError
        Data are missing or damaged.
    """
    if holds_table(spec, options):
        return {"train": load_table(Path(spec), options)[0]}
    name, parts = _find(spec)
    labels = _read_labels(parts)
    classes = _count_classes(labels.values())
    keys = (key for key in ("train", "test") if key in parts)
    return {key: _build(name, parts[key], labels.get(key), classes) for key in keys}


def _find(spec: str | Path) -> tuple[str, dict[str, Part]]:
    """Return the name of a data set, and its parts under "train" and "test"."""
    path = Path(spec)
    with reading(path):
        exists = path.exists()
        if str(spec) in builtin.NAMES and (isinstance(spec, str) or not exists):
            return str(spec), idx.find_folder(builtin.folder(str(spec)))
        if not exists or not str(spec):
            known = ", ".join(builtin.NAMES)
            shown = printable(spec) or "''"
            hint = "; a run on arrays does not store them, choose --data" if str(spec) == "arrays" else ""
            raise DataError(f"{shown}: found no such file or folder, expected one or a name ({known}){hint}")
        name = printable(path.resolve().name)
        return name, _find_folder(path) if path.is_dir() else _find_file(path)


def _find_folder(path: Path) -> dict[str, Part]:
    if parts := npy.find_folder(path) or idx.find_folder(path) or png.find_folder(path):
        return parts
    raise DataError(
        f"{printable(path)}: found no images in this folder, expected IDX, npy or PNG files named like "
        "train-images-idx3-ubyte.gz, images.npy or 7/digit.png"
    )


def _find_file(path: Path) -> dict[str, Part]:
    with open_source(path) as source:
        head = bytes(source.read(512))
    name = printable(path)
    if path.suffix.lower() in IMAGE_SUFFIXES and not head.startswith(IMAGE_MAGICS):
        raise DataError(f"{name}: is named like an image, but holds none; expected {FORMATS}")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise DataError(
            f"{name}: found a single image, expected a folder of PNG images, LABEL/*.png, or {FORMATS}; "
            "fastbp predict classifies images"
        )
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return npz.find_file(path)
    if head.startswith(b"\x00\x00") or IDX_NAME.fullmatch(path.name):
        return idx.find_file(path)
    if not head:
        raise DataError(f"{name}: found an empty file, expected {FORMATS}")
    if head.startswith(npy.MAGIC):
        return npy.find_file(path)
    if head.startswith(tuple(parquet.MAGICS)):
        return parquet.find_file(path)
    if head.startswith(GZIP_MAGIC):
        raise DataError(f"{name}: found gzip inside gzip at byte 0 (unpacked), expected gzip only once")
    if any(byte < 32 and byte not in TEXT_CONTROLS for byte in head):
        raise DataError(f"{name}: found {head[:8].hex(' ')} at byte 0, expected {FORMATS}")
    if path.suffix.lower() in (".npy", ".npz"):
        raise DataError(f"{name}: is named like an array, but holds text; expected {FORMATS}")
    return csv.find_file(path)


def _read_labels(parts: dict[str, Part]) -> dict[str, Labels]:
    return {key: part.labels() for key, part in parts.items() if part.labels is not None}


def _build(name: str, part: Part, labels: Labels | None, classes: int) -> Dataset:
    images, shape = part.images()
    if labels is not None and len(labels) != len(images):
        raise DataError(
            f"{part.labels_origin}: found {len(labels)} labels, expected {len(images)}, "
            f"one for each image of {part.origin}"
        )
    # A table is standardised in memory, where data that stay on the disk may not fit.
    kind = "images" if images.nbytes >= MAPPED_FROM else kind_of(images, shape)
    return Dataset(images, labels, shape, 0 if labels is None else classes, name, kind=kind)


def _count_classes(labels: Iterable[Labels]) -> int:
    return max([2, *(int(values.max()) + 1 for values in labels)])
