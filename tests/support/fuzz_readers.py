"""Every reader of fastbp as the fuzzers call it, and independent readers to compare with."""

import ast
import csv
import io
import json
import math
import struct
import tomllib
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import fuzz_mutate as mutate
import fuzz_seeds as seeds

TEXT = (b"\n", b"\r\n", b",", b'"', b"\x00", b"\xff", b"\xef\xbb\xbf", b";", b"\t", b"nan", b"inf", b"1e999")
TOML = (
    b"=",
    b"[",
    b"]",
    b"[[",
    b'"',
    b"'",
    b"{",
    b"}",
    b"\n",
    b"nan",
    b"true",
    b'"""',
    b"\\u0000",
    b"1979-05-27",
)
NPY = (
    b"True",
    b"'<f8'",
    b"'|O'",
    b"'>i4'",
    b"(",
    b")",
    b",",
    b"18446744073709551616",
    b"-1",
    b"'<M8[s]'",
    b"2L",
)


@dataclass(frozen=True)
class Reader:
    """One reader: where its file lies, what lies beside it, how it is called."""

    name: str
    file: str
    seeds: Callable[[], list[bytes]]
    read: Callable[[Path], Any]
    wrong: Callable[[bytes, Any], str] = lambda _data, _found: ""
    inner: Callable[..., bytes] | None = None  # changes what is packed in the file
    beside: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    tokens: tuple[bytes, ...] = ()

    def prepare(self, folder):
        """Write what lies beside the file, and return the path of the file."""
        for name, content in {**self.beside, self.file: lambda: b""}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content())
        return folder / self.file

    def change(self, rng, given):
        """Return one more input, made of one that is given."""
        data = given[int(len(given) * rng.random() ** 2)]  # the first ones are whole
        if self.inner and rng.random() < 0.5:
            try:
                return self.inner(rng, data, given, self.tokens)
            except (zlib.error, OSError, EOFError, zipfile.BadZipFile, struct.error, ValueError, IndexError,
                    NotImplementedError, RuntimeError):  # fmt: skip
                pass  # it is damaged already
        return mutate.mutated(rng, data, given, self.tokens)


def gunzipped(data):
    """Return what a file of gzip members holds."""
    found = b""
    while data.strip(b"\0"):
        member = zlib.decompressobj(31)
        data = data[:3] + bytes([data[3] & 31]) + data[4:]  # Python ignores the reserved flags
        found += member.decompress(data)
        assert member.eof, "gzip ends early"
        data = member.unused_data
    return found


def idx_values(data):
    """Read IDX, as its page describes it."""
    if data[:2] == b"\x1f\x8b":
        data = gunzipped(data)
    assert data[:2] == b"\0\0", "magic"
    kind = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}[data[2]]
    sizes = struct.unpack(f">{data[3]}I", data[4 : 4 + 4 * data[3]])
    values = np.frombuffer(data[4 + 4 * data[3] :], kind)
    assert len(values) == math.prod(sizes), "length"
    return values.reshape(sizes)


def npy_values(data):
    """Read npy, as NEP 1 describes it."""
    if data[:2] == b"\x1f\x8b":
        data = gunzipped(data)
    assert data[:6] == b"\x93NUMPY", "magic"
    start, form = {1: (10, "<H"), 2: (12, "<I"), 3: (12, "<I")}[data[6]]
    (length,) = struct.unpack(form, data[8:start])
    text = data[start : start + length].decode("latin1")
    try:
        header = ast.literal_eval(text.strip())
    except SyntaxError:  # Python 2 wrote 3L
        header = ast.literal_eval(text.strip().replace("L", ""))
    dtype = np.dtype(header["descr"])
    assert dtype.kind in "uif", "kind"
    values = np.frombuffer(data[start + length :], dtype)
    assert len(values) == math.prod(header["shape"]), "length"
    return values.reshape(header["shape"], order="F" if header["fortran_order"] else "C")


def differs(values, images):
    """Return what is wrong with images that were read of values; empty if nothing is."""
    flat = np.asarray(values).reshape(len(images), -1)
    if images.dtype == np.float32:
        flat = flat.astype(np.float32)  # whole numbers beyond 255 are learnt from as such
    if not np.isfinite(images).all() or not np.array_equal(flat, images):
        return "other values than the file has"
    return ""


def by(parse, pick=lambda found: found):
    """Compare what was read with what an independent reader finds in the file."""

    def wrong(data, found):
        return differs(parse(data), pick(found))

    return wrong


def npz_images(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        key = next(key for key in ("x_train", "images", "x", "X") if key in names)
        return npy_values(archive.read(f"{key}.npy" if f"{key}.npy" in archive.namelist() else key))


def wrong_csv(data, found):
    """Compare the pixels of an image file with what the csv module finds."""
    train = found[0]
    if train.schema is not None:
        finite = np.isfinite(train.images).all() and len(train.images) == len(train.targets)
        return "" if finite else "inputs that are not finite, or other numbers of rows and targets"
    text = (
        (gunzipped(data) if data[:2] == b"\x1f\x8b" else data).decode("latin1").removeprefix("\xef\xbb\xbf")
    )
    rows = [
        [part.strip().strip('"') for part in line.split(",")] for line in text.split("\n") if line.strip()
    ]
    names = [name.casefold() for name in rows[0]]
    label = next((at for at, name in enumerate(names) if name in ("label", "class")), 0)
    numbers = [row for row in rows if all(map(is_number, row))]
    if len(rows) - len(numbers) > 1 or (len(numbers) < len(rows) and rows[0] in numbers):
        return "a row that does not hold numbers only"
    values = np.array([[float(value) for value in row] for row in numbers])
    if not np.array_equal(values[:, label], train.labels):
        return "other labels than the file has"
    return differs(np.delete(values, label, 1), train.images)


def is_number(text):
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def wrong_weights(data, network):
    """Compare weights with the bytes at the offsets that the header tells."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    spans = sorted(entry["data_offsets"] for entry in header.values())
    ends = [0, *(end for _, end in spans)]
    if [start for start, _ in spans] != ends[:-1] or ends[-1] != len(data) - 8 - length:
        return "tensors that overlap, or leave gaps"
    for name, array in network.named_arrays():
        entry = header[name]
        start, end = (8 + length + at for at in entry["data_offsets"])
        values = np.frombuffer(data[start:end], {"F32": "<f4", "F64": "<f8"}[entry["dtype"]])
        if not np.array_equal(values.reshape(entry["shape"]), array) or not np.isfinite(array).all():
            return f"other values of {name} than the file has"
    return ""


def wrong_settings(data, found):
    """Compare settings with the values that stand in the file."""
    values = tomllib.loads(data.decode())
    for name, value in values.items():
        kept = getattr(found, name)
        if isinstance(kept, bool) != isinstance(value, bool) or (
            isinstance(kept, str) and not isinstance(value, str)
        ):
            return f"{name} of another type"
        if isinstance(value, int | float) and isinstance(kept, int | float) and kept != value:
            return f"another {name}"
    return ""


def wrong_history(data, history):
    """Compare a history with the numbers that stand in the file."""
    lines = data.decode()
    lines = lines[: lines.rfind("\n") + 1]  # without a result, the last line may be cut
    rows = list(csv.reader(io.StringIO(lines, newline="")))[1:]
    if len(rows) != len(history) or [record.epoch for record in history] != list(range(1, len(rows) + 1)):
        return "other epochs than the file has"
    return ""


def idx_part(path):
    from fastbp.data.dataset import load_parts

    return load_parts(path)["train"].images


def idx_labels(path):
    from fastbp.data.dataset import load_training

    return load_training(path.parent / "train-images-idx3-ubyte")[0].labels[:, None]


def label_column(data):
    values = idx_values(data)
    return values[:, 0] if values.ndim == 2 else values


def rows(path):
    from fastbp.data.rows import load_rows

    return load_rows(path)


def training(path):
    from fastbp.data.dataset import load_training

    return load_training(path)


def training_folder(path):
    from fastbp.data.dataset import load_training

    return load_training(path.parent.parent)


def photo(path):
    from fastbp.digits.photos import read_digit

    return read_digit(path)


def weights(path):
    from fastbp.network import Network

    return Network.load(path)


def settings(path):
    from fastbp.recipe.settings import Settings, read_settings

    return Settings(**read_settings(path))


def study(path):
    from fastbp.studies.plan import read_study

    return read_study(str(path))


def distortions(path):
    from fastbp.recipe.distortions import read_variants

    return read_variants(str(path))


def history(path):
    from fastbp.runs.history import read_history

    return read_history(path.parent)


def checkpoint(path):
    from fastbp.runs.checkpoint import read_checkpoint

    return read_checkpoint(path)


def wrong_checkpoint(data, found):
    """Compare the blocks with the bytes that the file has."""
    from safetensors.numpy import load

    arrays = load(data)
    same = np.array_equal(arrays["now.parameters"], found.state.now.parameters, equal_nan=True)
    return "" if same and len(found.state.history) == len(arrays.get("history", ())) else "other blocks"


def run(path):
    from fastbp.runs.comparison import compare_runs
    from fastbp.runs.description import describe_network
    from fastbp.runs.listing import list_runs

    list_runs(path.parent.parent).to_csv()
    describe_network(path.parent).to_dict()
    return compare_runs([path.parent]).to_csv()


def study_results(path):
    from fastbp.studies.results import read_results

    return read_results(path.parent)


def study_robustness(path):
    from fastbp.studies.robustness import read_measured

    return read_measured(path.parent)


def wrong_photo(_data, digit):
    fits = digit.shape == (28, 28) and digit.dtype == np.uint8 and digit.max() > 0
    return "" if fits else "no digit of 28x28"


def wrong_frame(_data, found):
    """There is no second reader of Parquet here: look at what training would see."""
    train = found[0]
    finite = np.isfinite(train.images).all() and len(train.images) == len(train.targets)
    return "" if finite else "inputs that are not finite, or other numbers of rows and targets"


RUN = {
    "runs/a/weights.safetensors": lambda: seeds.weights_seeds()[1],
    "runs/a/config.toml": lambda: seeds.settings_seeds()[0],
    "runs/a/history.csv": lambda: seeds.history_seeds()[0],
}
READERS = (
    Reader(
        "IDX images", "train-images-idx3-ubyte", seeds.idx_seeds, idx_part, by(idx_values), mutate.in_gzip
    ),
    Reader(
        "IDX labels",
        "train-labels-idx1-ubyte",
        seeds.idx_label_seeds,
        idx_labels,
        by(label_column),
        mutate.in_gzip,
        {"train-images-idx3-ubyte": lambda: seeds.idx_seeds()[0]},
    ),
    Reader("npy", "x.npy", seeds.npy_seeds, rows, by(npy_values), mutate.in_gzip, tokens=NPY),
    Reader(
        "npz",
        "x.npz",
        seeds.npz_seeds,
        training,
        by(npz_images, lambda x: x[0].images),
        mutate.in_zip,
        tokens=NPY,
    ),
    Reader("CSV", "x.csv", seeds.csv_seeds, training, wrong_csv, mutate.in_gzip, tokens=TEXT),
    Reader("Parquet", "x.parquet", seeds.parquet_seeds, training, wrong_frame),
    Reader("Arrow", "x.arrow", seeds.arrow_seeds, training, wrong_frame),
    Reader(
        "PNG folder",
        "0/a.png",
        seeds.png_seeds,
        training_folder,
        wrong_frame,
        mutate.in_png,
        {"1/b.png": lambda: seeds.png_seeds()[0]},
    ),
    Reader("photos", "x.png", seeds.photo_seeds, photo, wrong_photo, mutate.in_png),
    Reader("weights", "x.safetensors", seeds.weights_seeds, weights, wrong_weights, mutate.in_safetensors),
    Reader(
        "checkpoint",
        "checkpoint.safetensors",
        seeds.checkpoint_seeds,
        checkpoint,
        wrong_checkpoint,
        mutate.in_checkpoint,
        tokens=TOML,
    ),
    Reader("settings", "x.toml", seeds.settings_seeds, settings, wrong_settings, tokens=TOML),
    Reader("study", "x.toml", seeds.study_seeds, study, tokens=TOML),
    Reader("distortions", "x.toml", seeds.distortion_seeds, distortions, tokens=TOML),
    Reader("history", "history.csv", seeds.history_seeds, history, wrong_history, tokens=TEXT),
    Reader("run folder", "runs/a/result.json", seeds.result_seeds, run, beside=RUN, tokens=TOML),
    Reader("study results", "results.csv", seeds.study_results_seeds, study_results, tokens=TEXT),
    Reader("study robustness", "robustness.csv", seeds.study_robustness_seeds, study_robustness, tokens=TEXT),
)
