"""Files to begin with, of every format that fastbp reads: whole ones, rare ones, hostile ones."""

import gzip
import io
import json
import os
import pickle
import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np

RNG = np.random.default_rng(15)
IMAGES = RNG.integers(0, 256, (6, 4, 5), np.uint8)
LABELS = np.array([0, 2, 1, 1, 0, 2])
PLANTED = os.path.join(tempfile.gettempdir(), "fastbp-fuzz-was-run")


class Planted:
    """An object whose pickle writes a file when it is read."""

    def __reduce__(self):
        return open, (PLANTED, "w")


def idx(values, code=8):
    sizes = np.shape(values)
    kind = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}[code]
    return struct.pack(f">HBB{len(sizes)}I", 0, code, len(sizes), *sizes) + np.asarray(values, kind).tobytes()


def npy(values, **options):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(values), **options)
    return stream.getvalue()


def npy_header(text, values=b"", version=1):
    raw = text.encode()
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + struct.pack("<H" if version == 1 else "<I", len(raw))
        + raw
        + values
    )


def npz(kind=zipfile.ZIP_STORED, **arrays):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, values in arrays.items():
            archive.writestr(f"{name}.npy", values if isinstance(values, bytes) else npy(values))
    return stream.getvalue()


def idx_seeds():
    largest = (1 << 32) - 1
    plain = [idx(IMAGES), idx(IMAGES.reshape(6, 20) / 255, 13), idx(IMAGES.astype(int) // 2, 11)]
    plain += [idx(IMAGES[:, :, :, None]), idx(np.ones((3, 2)), 14), idx(np.ones((3, 2)), 9), idx(IMAGES, 12)]
    plain += [struct.pack(">HBB3I", 0, 8, 3, largest, largest, largest) + bytes(40)]
    plain += [struct.pack(">HBB32I", 0, 14, 32, *[largest] * 32), struct.pack(">HBBI", 0, 8, 1, largest)]
    return [*plain, gzip.compress(plain[0], 1), gzip.compress(plain[1], 1)]


def idx_label_seeds():
    table = np.zeros((6, 8), int)
    table[:, 0] = LABELS
    plain = [idx(LABELS), idx(LABELS, 12), idx(LABELS, 13), idx(table, 12), idx(LABELS, 14), idx(LABELS, 9)]
    return [*plain, gzip.compress(plain[0], 1)]


def npy_seeds():
    plain = [npy(IMAGES), npy(IMAGES / 255), npy(np.asfortranarray(IMAGES.astype(">i4"))), npy(LABELS)]
    plain += [npy(IMAGES, version=(2, 0)), npy(IMAGES.astype("f2")), npy(IMAGES > 9), npy(np.float64(3))]
    plain += [npy(np.array([Planted()], object), allow_pickle=True), pickle.dumps(Planted())]
    shapes = (
        "(True, 2)",
        "(2, 3L)",
        f"({1 << 63}, 2)",
        f"({1 << 32}, {1 << 32})",
        "(-1, 6)",
        "(2, 3.0)",
        "[2, 3]",
    )
    for shape in shapes:
        plain.append(
            npy_header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n", bytes(6))
        )
    plain.append(npy_header("(" * 5000 + ")" * 5000))
    plain.append(npy_header("{'descr': [('a', '<u2', " + "(" * 90 + "2,)" + ")" * 89 + ")]}", version=2))
    plain.append(npy_header("{'descr': '|V" + "9" * 30 + "', 'fortran_order': False, 'shape': (1, 1)}"))
    return [*plain, gzip.compress(plain[0], 1)]


def npz_seeds():
    deflated = zipfile.ZIP_DEFLATED
    whole = [npz(images=IMAGES, labels=LABELS), npz(deflated, x=IMAGES / 255, y=LABELS[:, None])]
    whole += [
        npz(x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:2], y_test=LABELS[:2]),
        npz(X=IMAGES, y=LABELS),
    ]
    whole += [npz(x=npy(np.array([[Planted()]], object), allow_pickle=True), y=LABELS), npz()]
    return [*whole, npz(zipfile.ZIP_LZMA, x=IMAGES, y=LABELS)]


def csv_seeds():
    pixels = IMAGES.reshape(6, 20)
    rows = "".join(f"{label},{','.join(map(str, row))}\n" for label, row in zip(LABELS, pixels, strict=True))
    names = ",".join(["label", *(f"pixel{i}" for i in range(20))])
    table = "sepal,colour,when,kind\n" + "".join(
        f"{i / 7:.3f},{'red' if i % 2 else 'blue'},2024-0{1 + i % 9}-11,{'ab'[i % 2]}\n" for i in range(9)
    )
    texts = [
        rows,
        f"{names}\n{rows}",
        table,
        table.replace(",", ";").replace(".", ","),
        table.replace(",", "\t"),
    ]
    texts += ['a,"b ""q"" c",y\n1,"x\ny",0\n2,z,1\n', "\ufeffx,y\n1,0\n2,1\n", "x,y\r\n1,?\r\n,1\r\n3,0\r\n"]
    texts += [
        "x,y\n" + "1e999,0\n-inf,1\n0x10,1\n1_0,0\n",
        "a,a\n1,2\n",
        "x,y\n1,2,3\n",
        "1" * 5000 + ",2\n1,2\n",
    ]
    plain = [text.encode() for text in texts]
    return [*plain, b"x,y\n\xff\xfe,1\n2,0\n", b"x,y\n1\x00,1\n2,0\n", gzip.compress(plain[1], 1)]


def frames():
    import polars as pl

    n, values = len(LABELS), list(range(len(LABELS)))
    struct_of = [{"bytes": png_seeds()[0], "path": "x.png"}] * n
    kinds = (
        "Int8",
        "UInt64",
        "Int128",
        "Float32",
        "Float64",
        "Boolean",
        "Date",
        "Datetime",
        "Time",
        "Duration",
    )
    columns = {
        kind: pl.Series(values).cast(getattr(pl, kind), strict=False) for kind in kinds if hasattr(pl, kind)
    }
    columns |= {
        "text": ["a", "b", None, "d", "e", "f"],
        "category": pl.Series(["a", "b", "a", "b", "a", "c"], dtype=pl.Categorical),
        "bytes": [b"x"] * n,
        "list": [[1, 2]] * n,
        "array": pl.Series(IMAGES.reshape(n, 20)),
        "struct": [{"a": 1}] * n,
        "image": struct_of,
        "whole": [{"bytes": 3, "path": ""}] * n,
        "null": [None] * n,
        "decimal": pl.Series(values).cast(pl.Decimal(10, 2)),
    }
    yield pl.DataFrame({"label": LABELS, **{f"p{i}": IMAGES.reshape(n, 20)[:, i] for i in range(20)}})
    for name, column in columns.items():
        yield pl.DataFrame({"label": LABELS, name: column})
    yield pl.DataFrame({name: columns[name] for name in ("Float64", "text", "category", "Boolean", "Date")})


def parquet_seeds():
    files = []
    for frame in frames():
        for compression in ("zstd", "uncompressed"):
            stream = io.BytesIO()
            frame.write_parquet(stream, compression=compression)
            files.append(stream.getvalue())
    return files


def arrow_seeds():
    files = []
    for frame in frames():
        for write in (frame.write_ipc, frame.write_ipc_stream):
            stream = io.BytesIO()
            write(stream)
            files.append(stream.getvalue())
    return files


def png_seeds():
    from PIL import Image

    files = []
    for mode, options in (("L", {}), ("RGB", {}), ("P", {}), ("LA", {}), ("1", {}), ("L", {"bits": 4})):
        stream = io.BytesIO()
        Image.fromarray(IMAGES[0]).convert(mode).save(stream, "png", **options)
        files.append(stream.getvalue())
    stream = io.BytesIO()
    Image.fromarray(IMAGES[0].astype(np.uint16)).save(stream, "png")
    return [*files, stream.getvalue()]


def photo_seeds():
    from PIL import Image, ImageDraw

    page = Image.new("L", (60, 50), 255)
    ImageDraw.Draw(page).line([(30, 8), (28, 44)], fill=0, width=5)
    files = []
    for mode, kind in (
        ("L", "png"),
        ("RGBA", "png"),
        ("L", "jpeg"),
        ("RGB", "jpeg"),
        ("CMYK", "jpeg"),
        ("P", "png"),
    ):
        stream = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        page.convert(mode).save(stream, kind, exif=exif)
        files.append(stream.getvalue())
    return files


def weights_seeds():
    from safetensors.numpy import save

    from fastbp.network import Network
    from fastbp.schema import Feature, Schema

    layers = {}
    for at, (fan_in, fan_out) in enumerate(((4, 3), (3, 2))):
        layers[f"layers.{at}.weight"] = RNG.normal(size=(fan_in, fan_out)).astype("f4")
        layers[f"layers.{at}.bias"] = np.zeros(fan_out, "f4")
    schema = Schema(
        task="classification",
        outputs=("ja", "nein"),
        features=(Feature("a", "number"), Feature("b", "words", ("x", "y", "z"), "x")),
        targets=("y",),
    )
    assert len(schema.input_names) == Network((4, 3, 2)).inputs
    metadata = {
        "format": "fastbp",
        "sizes": "4,3,2",
        "classes": "2",
        "activation": "relu",
        "input_scale": "1.0",
    }
    whole = [save(layers), save(layers, metadata), save(layers, {**metadata, "schema": schema.to_json()})]
    whole.append(save({name: values.astype("f8") for name, values in layers.items()}, metadata))
    headers = [
        {"layers.0.weight": {"dtype": "F32", "shape": [1 << 32, 1 << 32], "data_offsets": [0, 1 << 63]}},
        {
            "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
            "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
        },
        {"a": {"dtype": "F32", "shape": [0, 2], "data_offsets": [0, 0]}},
    ]
    texts = [json.dumps(header).encode() for header in headers]
    whole += [struct.pack("<Q", len(text)) + text + bytes(12) for text in texts]
    return [*whole, struct.pack("<Q", 1 << 63) + b"{}"]


TOML_TRAPS = (
    "x = " + "[" * 3000 + "]" * 3000 + "\n",
    "x = " + "{a=" * 500 + "1" + "}" * 500 + "\n",
    "x = " + "9" * 5000 + "\n",
    "a." * 3000 + "b = 1\n",
    '"\\u001b[2J" = 1\n',
    "x = 1979-05-27T07:32:00Z\n",
    "x = 0001-01-01T00:00:00+23:59\n",
    "x = nan\n",
    "x = 0x7fffffffffffffffffff\n",
)


def settings_seeds():
    from fastbp.recipe.settings import Settings

    plain = Settings().to_toml()
    other = Settings(
        hidden=(3, 4), optimizer="adam", schedule="cosine", dropout=0.2, ema=0.9, seed=7
    ).to_toml()
    return [text.encode() for text in (plain, other, "hidden = [5]\nepochs = 2\n", *TOML_TRAPS)]


def study_seeds():
    text = """
title = "T"
seeds = 2
[settings]
epochs = 2
hidden = [5]
[[tables]]
title = "rates"
[[tables.cells]]
name = "a"
report = 0.9
report_epoch = 2
settings = { learning_rate = 0.1, augment = "none" }
[[tables.cells]]
name = "b"
report = [0.1, 0.2]
[[figures]]
kind = "curve"
x = "learning_rate"
tables = [1]
"""
    return [part.encode() for part in (text, *(text + trap for trap in TOML_TRAPS))]


def distortion_seeds():
    text = """
[[variants]]
rotation = 10.0
zoom = [0.9, 1.1]
shift = 2.0
[[variants]]
alpha = 30.0
sigma = 5.0
"""
    return [part.encode() for part in (text, "[[variants]]\n", *(text + trap for trap in TOML_TRAPS))]


def history_seeds():
    from fastbp.callbacks import EpochRecord
    from fastbp.runs.history import history_csv

    count = len(EpochRecord.__dataclass_fields__) - 1
    records = [EpochRecord(epoch, *[0.5 / epoch] * count) for epoch in (1, 2, 3)]
    text = history_csv(records)
    return [text.encode(), history_csv([]).encode(), text.replace("0.5", "").encode(), text[:-9].encode()]


def checkpoint_seeds():
    from fastbp.callbacks import EpochRecord
    from fastbp.recipe.settings import Settings
    from fastbp.runs.checkpoint import Checkpoint, Snapshot, State, write_checkpoint
    from fastbp.runs.history import History

    count = len(EpochRecord.__dataclass_fields__) - 1
    block = RNG.normal(size=40).astype("f4")
    steps = {"losses": np.array([0.5, 0.4]), "correct": np.array([3, 4])}
    none = {"losses": np.zeros(0), "correct": np.zeros(0, np.int64)}
    now = Snapshot(parameters=block, first=block, updates=2)
    seeds = []
    for start, of_epoch in ((now, steps), (None, none)):
        history = History([EpochRecord(1, *[0.5] * count)])
        state = State(
            now=now,
            start=start,
            best=block,
            **of_epoch,
            history=history,
            seconds=1.0,
            epoch_seconds=0.5,
            validation_seconds=0.1,
            setbacks=("went back",),
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x"
            whole = Checkpoint(state=state, settings=Settings(hidden=(3,)), data="ab", made_by={"numpy": "2"})
            write_checkpoint(path, whole)
            seeds.append(path.read_bytes())
    return seeds


def result_seeds():
    result = {
        "status": "completed",
        "message": "ok",
        "epochs_completed": 3,
        "train_loss": 0.5,
        "validation_accuracy": 0.75,
        "warnings": ["one"],
        "training_seconds": 1.5,
        "versions": {"numpy": "2"},
    }
    texts = [
        json.dumps(result),
        "{}",
        "[1]",
        "[" * 100000,
        '{"status": "completed", "epochs_completed": ' + "9" * 4000 + "}",
    ]
    texts += [
        '{"status": {"a": 1}}',
        '{"status": "completed", "train_loss": 1e999}',
        '{"status": "completed", "a": NaN}',
    ]
    return [text.encode() for text in texts]


def study_results_seeds():
    from fastbp.studies.results import _TYPES

    head = ",".join(_TYPES)
    values = {int: "3", float: "0.5", str: "a"}
    row = ",".join("{}" if name == "settings" else values.get(kind, "0.5") for name, kind in _TYPES.items())
    return [
        text.encode() for text in (f"{head}\n{row}\n{row}\n", f"{head}\n", f"{head}\n{'9' * 5000}{row}\n")
    ]


def study_robustness_seeds():
    from fastbp.studies.robustness import HEAD, LEVELS, SINGLES

    names = [*HEAD, *SINGLES, *LEVELS]
    row = ["k", "a", "1", "100", *["0.5"] * (len(names) - 4)]
    head = ",".join(names)
    return [
        f"{head}\n{','.join(row)}\n".encode(),
        f"{head}\n".encode(),
        f"{head}\nk,a,1\n".encode(),
        f"{head}\n\n".encode(),
    ]
