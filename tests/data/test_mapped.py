"""Data larger than memory: what is mapped, that networks are the same, and that resident size stays flat."""

import gc
import gzip
import json
import os
import struct
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import fastbp
from fastbp.data import mapped
from fastbp.data.dataset import load_test, load_training
from fastbp.data.formats import idx, npy
from fastbp.errors import DataError


def write_idx(folder, images, labels, packed=False):
    put, suffix = (gzip.compress, ".gz") if packed else (bytes, "")
    header = struct.pack(f">BBBB{images.ndim}I", 0, 0, 8, images.ndim, *images.shape)
    (folder / f"train-images-idx3-ubyte{suffix}").write_bytes(put(header + images.tobytes()))
    header = struct.pack(">BBBBI", 0, 0, 8, 1, len(labels))
    (folder / f"train-labels-idx1-ubyte{suffix}").write_bytes(put(header + labels.astype("u1").tobytes()))


def write_npy(folder, images, labels):
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(8)
    labels = np.arange(203) % 3
    images = rng.integers(0, 60, (203, 5, 7), np.uint8)
    images[:, 0, :3] += 120 * np.eye(3, dtype=np.uint8)[labels]
    return images, labels


@pytest.fixture
def small(monkeypatch):
    """Map files of any size, and give memory back after a handful of images."""
    for module in (mapped, idx, npy):
        monkeypatch.setattr(module, "MAPPED_FROM", 1)
    monkeypatch.setattr(mapped, "RESIDENT", 11)
    monkeypatch.setattr(mapped, "NEIGHBOURHOOD", 1)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", ["uint8", "float32", "float64", "idx"])
def test_mapped_arrays_are_those_of_the_file(tmp_path, arrays, kind):
    images, labels = arrays
    if kind == "idx":
        write_idx(tmp_path, images, labels)
    else:
        images = images.astype(kind)
        write_npy(tmp_path, images, labels)
    got, _ = load_training(tmp_path)
    assert mapped.is_mapped(got.images)
    assert not got.images.flags.writeable
    assert (got.images.dtype, got.shape, got.classes) == (images.dtype, (5, 7), 3)
    for _ in range(2):
        np.testing.assert_array_equal(got.images.reshape(-1, 5, 7), images)
        mapped.release(got.images)
    np.testing.assert_array_equal(got.labels, labels)


@pytest.mark.parametrize("kind", ["packed", "small", "other order", "other type"])
def test_what_is_read_into_memory(tmp_path, arrays, monkeypatch, kind):
    images, labels = arrays
    for module in (idx, npy):
        monkeypatch.setattr(module, "MAPPED_FROM", 1 << 28 if kind == "small" else 1)
    if kind in ("packed", "small"):
        write_idx(tmp_path, images, labels, packed=kind == "packed")
    else:
        write_npy(
            tmp_path, images.astype(">f4") if kind == "other type" else np.asfortranarray(images), labels
        )
    got, _ = load_training(tmp_path)
    assert not mapped.is_mapped(got.images)
    np.testing.assert_array_equal(got.images.reshape(-1, 5, 7), images)
    mapped.release(got.images)  # does nothing


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_training_gives_the_same_bits(tmp_path, arrays, backend):
    write_idx(tmp_path, *arrays)
    settings = {"hidden": (8,), "epochs": 2, "batch_size": 16, "backend": backend, "seed": 4}
    from_file = fastbp.train(str(tmp_path), **settings)
    from_memory = fastbp.train(arrays, **settings)
    assert from_file.network.parameters.tobytes() == from_memory.network.parameters.tobytes()
    assert [x.train_loss for x in from_file.history] == [x.train_loss for x in from_memory.history]
    # Validation adds up in smaller parts.
    for ours, theirs in zip(from_file.history, from_memory.history, strict=True):
        assert ours.validation_loss == pytest.approx(theirs.validation_loss, rel=1e-6)
    tested = fastbp.test(from_file.network, str(tmp_path), backend=backend)
    assert len(tested.predicted) == 203
    expected = fastbp.test(from_file.network, arrays, backend=backend)
    np.testing.assert_allclose(tested.probabilities, expected.probabilities, rtol=1e-5)


@pytest.mark.usefixtures("small")
def test_blocks_are_all_rows_in_order(tmp_path, arrays):
    write_idx(tmp_path, *arrays)
    images = load_test(tmp_path).images
    assert mapped.samples_at_once(images) == 1  # 35 bytes each, of 11 allowed
    assert [len(part) for part in mapped.blocks(images[:4])] == [1, 1, 1, 1]
    np.testing.assert_array_equal(np.concatenate(list(mapped.blocks(images))), images)
    [whole] = mapped.blocks(arrays[0])
    assert whole.shape == arrays[0].shape


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_floats_that_are_not_finite(tmp_path, arrays, monkeypatch, value):
    monkeypatch.setattr("fastbp.data.parts.PIXELS_AT_ONCE", 100)
    images = arrays[0].astype(np.float32)
    images[150, 2, 3] = value
    write_npy(tmp_path, images, arrays[1])
    with pytest.raises(DataError, match=r"images\.npy: row 150 \(from 0\), pixel 17: found pixel"):
        load_training(tmp_path)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("kind", ["idx", "npy"])
def test_a_file_of_another_length(tmp_path, arrays, change, kind):
    (write_idx if kind == "idx" else write_npy)(tmp_path, *arrays)
    path = tmp_path / ("train-images-idx3-ubyte" if kind == "idx" else "images.npy")
    os.truncate(path, path.stat().st_size + change)
    with pytest.raises(DataError, match="expected"):
        load_training(tmp_path)


LARGE = 3 << 30  # bytes of images
LOOK = """
    import json, sys
    import numpy as np
    import fastbp
    from fastbp.data import mapped
    from fastbp.data.dataset import Dataset, load_training

    def peak():
        [line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024

    small = Dataset(np.zeros((64, 16384), np.uint8), np.arange(64) % 4, (128, 128), 4, "small")
    fastbp.train(small, hidden=(), epochs=1)  # what Python and the kernels need themselves
    start = peak()
    data, _ = load_training(sys.argv[1])
    loaded = peak()
    for part in mapped.blocks(data.images):
        assert not part[:, ::8192].any()
    looked = peak()
    mapped.RESIDENT = 1 << 25
    few = Dataset(data.images[-12000:], data.labels[-12000:], data.shape, 4, "few")
    fastbp.train(few, hidden=(), epochs=1, batch_size=128, validation=0.1)
    print(json.dumps([start, loaded - start, looked - start, peak() - looked, len(data.images)]))
"""


@pytest.mark.skipif(
    not os.path.exists("/proc/self/status"), reason="the peak of resident size is not told here"
)
def test_resident_size_stays_flat(tmp_path):
    count = LARGE >> 14
    images = tmp_path / "train-images-idx3-ubyte"
    images.write_bytes(struct.pack(">BBBBIII", 0, 0, 8, 3, count, 128, 128))
    try:
        os.truncate(images, 16 + LARGE)
    except OSError as error:
        pytest.skip(f"no file of {LARGE} bytes can be made here: {error}")
    if images.stat().st_blocks * 512 > LARGE // 2:
        pytest.skip("the file system knows no sparse files")
    labels = np.arange(count, dtype=np.uint8) % 4
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(
        struct.pack(">BBBBI", 0, 0, 8, 1, count) + labels.tobytes()
    )
    code = textwrap.dedent(LOOK)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    _, loaded, looked, trained, found = json.loads(done.stdout)
    assert found == count
    # Labels take 8 bytes a sample, so 2 MB here; the rest does not grow with the file.
    assert loaded < 32 << 20
    assert looked < mapped.RESIDENT + (64 << 20)
    assert trained < 96 << 20  # 12,000 images are 187 MB


@pytest.mark.usefixtures("small")
@pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="counts the files of this process as Linux does"
)
def test_a_mapping_that_is_gone_leaves_no_file_and_no_watch(tmp_path, arrays, monkeypatch):
    write_npy(tmp_path, *arrays)
    watched, closed = [], []

    class Noted:
        is_cut = False

        def __init__(self, *span):
            watched.append(span)

        def close(self):
            closed.append(self)

    monkeypatch.setattr(mapped, "watch_memory", Noted)
    load_training(tmp_path)
    before, opened = len(os.listdir("/proc/self/fd")), len(watched)
    for _ in range(5):
        load_training(tmp_path)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(watched) == len(closed) == 6 * opened


def test_a_large_array_of_a_caller_is_not_copied(tmp_path, arrays, monkeypatch):
    np.save(tmp_path / "images.npy", arrays[0])
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    monkeypatch.setattr(mapped, "MAPPED_FROM", images.nbytes)
    assert mapped.watched(images) is images
    monkeypatch.setattr(mapped, "MAPPED_FROM", images.nbytes + 1)
    assert not np.shares_memory(mapped.watched(images), images)
