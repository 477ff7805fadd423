"""The cache of compiled kernels: stale, damaged, unwritable; and other packages' caches are left alone."""

import hashlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import fastbp_kernels
from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp_kernels import cache_folder
from small_kernels import EDITED, INNER, call, files
from steps import F32_U8, bits, draw_images, draw_network, output, python


def test_a_second_process_compiles_nothing(small):
    assert call(small) == "7.0 1"
    assert call(small) == "7.0 0"
    assert len(files(small)) == 1


def test_an_edit_of_any_file_is_seen(small):
    assert call(small) == "7.0 1"
    (small / "small" / "inner.py").write_text(EDITED)
    assert call(small) == "9.0 1"
    (small / "small" / "more.py").write_text("# A new file may change what others do.\n")
    assert call(small) == "9.0 1"
    (small / "small" / "more.py").unlink()
    (small / "small" / "inner.py").write_text(INNER)
    assert call(small) == "7.0 0", "the entry of the first run still stands"


def test_an_edit_while_a_process_runs_does_not_mislead_the_next(small):
    # The running process has the old function in memory: its machine code must not pass for the new one's.
    edit = f"import pathlib; pathlib.Path({str(small / 'small' / 'inner.py')!r}).write_text({EDITED!r})"
    assert call(small, f"from small.entry import *; {edit}; print(scaled(2.0))") == "7.0"
    assert call(small) == "9.0 1"


def test_the_vectors_width_is_part_of_the_key(small):
    assert call(small) == "7.0 1"
    assert call(small, FASTBP_SIMD_BITS="128") == "7.0 1"
    assert call(small, FASTBP_SIMD_BITS="128") == "7.0 0"


def with_a_bit_flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGES = [
    lambda _: b"",
    lambda content: content[:10],
    lambda content: content[: len(content) // 2],
    lambda content: content[:-1],
    lambda content: bytes(range(256)) * (len(content) // 256),
    lambda content: content + b"more",
    with_a_bit_flipped,
]


def test_damaged_entries_are_compiled_again_and_whole_again(small):
    # Each type has an entry of its own, and each entry gets another kind of damage.
    values = "2, 2.0, 2j, True, np.float32(2), np.int32(2), np.uint8(2)"
    code = f"import numpy as np; from small.entry import *; print(*map(scaled, ({values})), compiled_count())"
    right = "7 7.0 (1+6j) 4 7.0 7 7"
    assert call(small, code) == f"{right} 7"
    entries = files(small)
    assert len(entries) == len(DAMAGES) == 7
    damaged = []
    for entry, damage in zip(entries, DAMAGES, strict=True):
        content = damage(entry.read_bytes())
        assert content != entry.read_bytes()
        entry.write_bytes(content)
        damaged.append(content)
        os.link(entry, small / entry.name)
    assert call(small, code) == f"{right} 7"
    assert files(small) == entries
    for entry, content in zip(entries, damaged, strict=True):
        assert entry.read_bytes() != content
        # Replaced, not written into: another process may be reading.
        assert (small / entry.name).read_bytes() == content
    assert call(small, code) == f"{right} 0"


def test_a_folder_that_cannot_be_written_costs_only_the_compilation(small):
    # A path under a file is impossible for root too, whom permissions do not stop.
    (small / "file").write_text("")
    for _ in range(2):
        assert call(small, FASTBP_CACHE_DIR=str(small / "file" / "cache")) == "7.0 1"
    home = {"FASTBP_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": str(small / "file")}
    if sys.platform != "win32":
        assert call(small, **home) == "7.0 1"


def test_an_entry_that_cannot_be_replaced_costs_only_the_compilation(small):
    assert call(small) == "7.0 1"
    (entry,) = files(small)
    entry.unlink()
    entry.mkdir()
    assert call(small) == "7.0 1"
    assert not files(small), "nothing temporary is left"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the XDG folders are those of Linux")
def test_the_cache_lives_where_it_is_told_to(small):
    code = "from small.entry import *; print(cache_folder().parent)"
    assert call(small, code) == str(small / "cache")
    xdg = {"FASTBP_CACHE_DIR": "", "XDG_CACHE_HOME": str(small / "xdg")}
    assert call(small, code, **xdg) == str(small / "xdg" / "fastbp")
    home = {"FASTBP_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": str(small / "home")}
    assert call(small, code, **home) == str(small / "home" / ".cache" / "fastbp")


PLAIN = """
import numba

@numba.njit(cache=True)
def plain(x):
    return x + 1
"""


def test_other_packages_caches_are_left_alone(small):
    for name in ("before", "after"):
        (small / f"{name}.py").write_text(PLAIN)
    kernels = Path(fastbp_kernels.__file__).parents[1]
    code = f"""
import sys, numba
setting = numba.config.CACHE_DIR
from before import plain as one
assert one(1) == 2
sys.path.append({str(kernels)!r})
import fastbp_kernels
from small.entry import scaled
assert scaled(2.0) == 7.0
from after import plain as two
assert two(1) == 2
assert numba.config.CACHE_DIR == setting
for function in (one, two):
    assert sum(function.stats.cache_misses.values()) == 1
    print(function.stats.cache_path)
"""
    out = call(small, code, NUMBA_CACHE_DIR="")
    assert out.splitlines() == [str(small / "__pycache__")] * 2
    assert len(list((small / "__pycache__").glob("*.nbi"))) == 2
    assert len(files(small)) == 1


TRAIN = """
import sys
from test_cache import train
backend, found = train()
sys.stdout.write(f"{found} {backend.compiled_now}")
"""


def train():
    """A few steps of the real kernels."""
    rng = np.random.default_rng(0)
    network, images = draw_network(rng, (67, 17, 10), *F32_U8), draw_images(rng, (50, 67), "uint8", 0.3)
    backend = NumbaBackend(1)
    backend.warm_up(network, images)
    labels, batches = rng.integers(0, 10, 50), Batches(np.arange(50), 8, np.full(7, 0.1))
    figures = backend.train_steps(network, images, labels, batches)
    return backend, hash_of(bits(network.parameters, *figures))


def hash_of(parts):
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_kernels_from_the_cache_give_the_bits_of_those_just_compiled():
    _, here = train()
    if not cache_folder().is_dir():
        pytest.skip("nowhere to keep compiled kernels")
    assert output(python(TRAIN)) == f"{here} False"


def test_nothing_is_compiled_on_import():
    code = "import fastbp_kernels, sys; sys.stdout.write(str(fastbp_kernels.compiled_count()))"
    assert output(python(code)) == "0"
