"""Files that are cut short while they are mapped: a message, where SIGBUS would end the process."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bus errors are handled on Linux only")

START = """
    import os, sys
    import numpy as np
    import fastbp
    from fastbp.data import mapped
    from fastbp.data.formats import idx

    folder, kind = sys.argv[1:]
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (4000, 64), np.uint8), np.arange(4000) % 3
    path = os.path.join(folder, "x")
    images.tofile(path)
    cut = lambda: os.truncate(path, 64 * 1000 + 5)
    mapping = np.memmap(path, np.uint8, "r", shape=images.shape)

    class Cut(fastbp.Callback):
        def on_epoch_end(self, record):
            cut()
"""
CASES = {
    "train": """
        mapped.MAPPED_FROM = 1  # the array is too large to be copied
        fastbp.train((mapping, labels), hidden=(8,), epochs=3, validation=0, callbacks=[Cut()], backend=kind)
    """,
    "from a file": """
        idx.MAPPED_FROM = mapped.MAPPED_FROM = 1
        path = os.path.join(folder, "train-images-idx3-ubyte")
        with open(path, "wb") as file:
            file.write(b"\\0\\0\\x08\\3" + np.array([4000, 8, 8], ">u4").tobytes() + images.tobytes())
        with open(os.path.join(folder, "train-labels-idx1-ubyte"), "wb") as file:
            file.write(b"\\0\\0\\x08\\1" + np.array([4000], ">u4").tobytes() + labels.astype("u1").tobytes())
        fastbp.train(folder, hidden=(8,), epochs=3, callbacks=[Cut()], backend=kind)
    """,
    "small": """
        fastbp.train((mapping, labels), hidden=(8,), epochs=3, callbacks=[Cut()], backend=kind)
        cut()
        fastbp.train((mapping, labels), hidden=(8,), epochs=1, backend=kind)
    """,
    "predict": """
        network = fastbp.Network((64, 3), input_scale=1 / 255)
        mapped.MAPPED_FROM = 1
        cut()
        fastbp.predict(network, mapping, backend=kind)
    """,
    "fit": """
        values = np.memmap(path, np.float32, "r+", shape=(4000, 16))
        values[:] = images[:, :16]
        fastbp.MLPClassifier((8,), max_iter=1).fit(values, labels)
        cut()
        fastbp.MLPClassifier((8,), max_iter=1).fit(values, labels)
    """,
}


def run(folder, code, *arguments):
    code = textwrap.dedent(START) + textwrap.dedent(code)
    command = [sys.executable, "-c", code, str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    ("case", "backend"),
    [
        ("train", "numba"),
        ("train", "numpy"),
        ("from a file", "numba"),
        ("small", "numpy"),
        ("predict", "numba"),
        ("fit", "numba"),
    ],
)
def test_a_mapped_file_that_is_cut_short(tmp_path, case, backend):
    done = run(tmp_path, CASES[case], backend)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1, done.stderr  # the exception of a script, not a signal
    assert "was cut short while it was in use; expected the file to stay whole" in last
    assert last.startswith("fastbp.errors.DataError") or case == "fit"


def test_other_bus_errors_end_the_process_as_before(tmp_path):
    other = """
        from fastbp_kernels.faults import Span
        span = Span(4096, 4096)
        cut()
        print(mapping.sum())
    """
    assert run(tmp_path, other, "").returncode == -7


def test_a_library_that_aborts_names_the_file(tmp_path):
    abort = """
        from fastbp.data.faults import speaking_at_abort
        with speaking_at_abort("first"):
            pass
        with speaking_at_abort("x.parquet"):
            with speaking_at_abort("inner"):
                pass
            if kind == "abort":
                os.abort()
            cut()
            mapping.sum()
    """
    for kind in ("abort", "bus"):
        done = run(tmp_path, abort, kind)
        assert done.returncode == 2
        assert done.stderr == (
            "fastbp: error: x.parquet: damaged, or cut short while it was read; expected a whole Parquet or "
            "Arrow file\n"
        )


@pytest.mark.parametrize("kind", ["write_parquet", "write_ipc"])
def test_an_abort_while_a_table_is_read_names_it(tmp_path, kind):
    """As Polars does where a damaged file claims more than can be allocated."""
    abort = """
        import polars as pl
        from fastbp.data.dataset import load_training
        getattr(pl.DataFrame({"a": [0.5, 1.5, 2.5], "y": [0, 1, 0]}), kind)(path + ".table")
        pl.LazyFrame.slice = lambda *_arguments, **_options: os.abort()
        load_training(path + ".table")
    """
    done = run(tmp_path, abort, kind)
    assert done.returncode == 2
    assert done.stderr.startswith(f"fastbp: error: {tmp_path / 'x.table'}: damaged, or cut short")


def test_what_is_not_cut_is_read_as_it_is(tmp_path):
    from fastbp.data import mapped

    path = tmp_path / "x.npy"
    np.save(path, np.arange(5000.0))
    array = np.load(path, mmap_mode="r")
    copy = mapped.watched(array)
    np.testing.assert_array_equal(copy, np.arange(5000.0))
    assert not np.shares_memory(copy, array)
    mapped.release(array)
