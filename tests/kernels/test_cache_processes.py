"""Processes that share a cache: compiling at once, killed while writing, out of space, removing entries."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from fastbp_kernels import cache
from small_kernels import call, files, start
from steps import output

AT_ONCE = """
import pathlib, time
from small.entry import scaled, compiled_count
print("ready", flush=True)
while not pathlib.Path({go!r}).exists():
    time.sleep(0.001)
print(scaled(2.0), scaled(2), scaled(2j))
"""


def test_four_processes_that_compile_at_once_are_all_right(small):
    """All wait, with everything imported, for one file to appear."""
    go = small / "go"
    processes = [start(small, AT_ONCE.format(go=str(go))) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    go.touch()
    assert [output(process, timeout=60) for process in processes] == ["7.0 7 (1+6j)"] * 4
    assert len(files(small)) == 3, "each entry once, and nothing temporary"
    assert all(path.suffix == ".bin" for path in files(small))
    assert call(
        small, "from small.entry import *; print(scaled(2.0), scaled(2), scaled(2j), compiled_count())"
    ) == ("7.0 7 (1+6j) 0")


KILLED = """
import os, signal
from small.entry import scaled
write = os.fdopen
class Half:
    def __init__(self, file):
        self.file = file
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
    def write(self, content):
        self.file.write(content[:len(content) * {share} // 100])
        self.file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
os.fdopen = lambda handle, mode: Half(write(handle, mode))
scaled(2.0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
@pytest.mark.parametrize("share", [50, 100])
def test_a_process_killed_while_it_writes_leaves_nothing_that_is_read(small, share):
    process = start(small, KILLED.format(share=share))
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    (left,) = files(small)
    assert left.suffix == ".tmp"
    assert call(small) == "7.0 1"
    assert call(small) == "7.0 0"
    assert len(files(small)) == 2, "it may be another process's that still writes"
    os.utime(left, (time.time() - 2 * cache.STALE,) * 2)
    assert call(small, "from small.entry import *; print(scaled(2))") == "7"
    assert {path.suffix for path in files(small)} == {".bin"}


def mounted(folder, size):
    """Mount a small file system in memory; False where that is not permitted."""
    folder.mkdir(mode=0o700)
    options = f"size={size},mode=0700"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_full_disk_costs_only_the_compilation(small):
    if not mounted(small / "cache", "64k"):
        pytest.skip("mounting is not permitted")
    try:
        filler = small / "cache" / "filler"
        with open(filler, "wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        assert call(small) == "7.0 1"
        os.truncate(filler, filler.stat().st_size - 4096)  # room for part of an entry
        assert call(small) == "7.0 1"
        assert files(small) == [filler], "nothing of the entry is left"
        filler.unlink()
        assert call(small) == "7.0 1"
        assert call(small) == "7.0 0"
    finally:
        subprocess.run(["umount", str(small / "cache")], check=True, timeout=20)


def test_processes_may_clear_and_trim_while_others_read_and_write(tmp_path):
    """Whoever reads gets a whole entry or none; whoever writes fails at most as on a full disk."""
    names = [f"kernels-{number:020x}" for number in range(12)]
    content = bytes(range(256)) * 400
    ends, faults = time.monotonic() + 1.5, []

    def work(number):
        try:
            while time.monotonic() < ends:
                name = names[number % len(names)]
                number += 5
                try:
                    cache.write_entry(tmp_path, name, "one", content)
                    found = cache.read_entry(tmp_path, name, "one")
                except OSError:
                    continue
                assert found == content
                if number % 7 == 0:
                    cache.clear(tmp_path)
        except BaseException as error:
            faults.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=30)
        assert not worker.is_alive()
    assert not faults
    cache.write_entry(tmp_path, names[0], "one", content)
    assert len(cache.versions(tmp_path)) <= cache.MOST_VERSIONS
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".bin"}
