"""The same seed gives the same bits, whatever else differs; and what is not promised stays close.

docs/reliability.md lists what the promise does not cover.
"""

import os
from pathlib import Path

import numpy as np
import pytest

import fastbp
from determined import IMAGES, LABELS, PLAIN, hash_of, hashes
from steps import output, python

HERE = """
import logging
logging.disable()  # that so short a run learns little is no news
import determined
print(*determined.hashes(threads=2))
"""
FORKED = """
import logging
logging.disable()  # that so short a run learns little is no news
import os
import sys
import warnings
import determined
warnings.simplefilter("ignore")  # newer Pythons warn of forks beside other threads
determined.hashes(threads=2)
reading, writing = os.pipe()
process = os.fork()
if not process:
    os.write(writing, " ".join(determined.hashes(threads=2)).encode())
    os._exit(0)
os.waitpid(process, 0)
print(os.read(reading, 1000).decode())
"""
COLD = """
import logging
logging.disable()  # that so short a run learns little is no news
import determined
print(determined.hash_of(determined.PLAIN))
"""
PARAMETERS = """
import logging
logging.disable()  # that so short a run learns little is no news
import sys
import determined
import fastbp
result = fastbp.train((determined.IMAGES, determined.LABELS), **determined.PLAIN)
sys.stdout.write(result.network.parameters.tobytes().hex())
"""


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    """A process that compiles anew, started first because that takes long."""
    process = python(COLD, FASTBP_CACHE_DIR=str(tmp_path_factory.mktemp("cold")))
    yield process
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def expected(cold):  # noqa: ARG001 - so that it compiles meanwhile
    return hashes()


def test_runs_differ_if_the_seed_does(expected):
    assert not set(expected) & set(hashes(seed=2))


@pytest.mark.parametrize("threads", [2, 3, 4, 5, 6, 7, 8, "auto"])
def test_threads_do_not_matter(threads, expected):
    assert hashes(threads=threads) == expected


def test_a_run_repeated_is_the_same(expected):
    assert hashes() == expected


@pytest.mark.parametrize("seed", ["1", "random"])
def test_the_hashes_of_python_and_the_folder_do_not_matter(seed, expected, tmp_path):
    code = f"import os; os.chdir({str(tmp_path)!r})" + HERE
    assert output(python(code, PYTHONHASHSEED=seed)).split() == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_trains_the_same(expected):
    assert output(python(FORKED)).split() == expected


def test_a_cold_cache_does_not_matter(cold, expected):
    assert output(cold) == expected[0]


def spaced(array):
    """The same numbers, each with others beside it."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "spaced": spaced,
    "backwards": lambda x: np.ascontiguousarray(x[..., ::-1])[..., ::-1],
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "lists": lambda x: x.tolist(),
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_order_in_memory_does_not_matter(layout, dtype):
    images = IMAGES.astype(dtype) if dtype == "uint8" else (IMAGES / np.float32(255)).astype(dtype)
    given = hash_of(PLAIN, LAYOUTS[layout](images), LAYOUTS[layout](LABELS))
    assert given == hash_of(PLAIN, images, LABELS)


# ------------------------------------------------------------------------------ not promised


def trained(**changes):
    return fastbp.train((IMAGES, LABELS), **PLAIN | changes).network.parameters


def close(found, expected):
    """Whether parameters agree as well as two epochs in float32 leave them."""
    return np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)


def test_another_width_of_vectors_gives_close_weights():
    other = output(python(PARAMETERS, FASTBP_SIMD_BITS="256", FASTBP_SIMD_REGISTERS="16"))
    assert close(np.frombuffer(bytes.fromhex(other), np.float32), trained())


def test_the_other_backend_gives_close_weights():
    assert close(trained(backend="numpy"), trained())


def test_the_other_type_gives_close_weights():
    wide = fastbp.train((IMAGES, LABELS), **PLAIN, dtype="float64").network
    narrow = fastbp.train((IMAGES, LABELS), **PLAIN).network
    assert all(close(a, b) for a, b in zip(narrow.weights, wide.weights, strict=True))


def test_what_is_not_promised_is_written_down():
    page = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
    if not page.is_file():
        pytest.skip("the pages are not beside the tests")
    said = page.read_text(encoding="utf-8").partition("## Not promised")[2]
    for word in ("width of vectors", "versions", "backend", "dtype"):
        assert word in said
