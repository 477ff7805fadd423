"""The study file: a lock that ends with its process, half lines, damage."""

import subprocess
import sys

import pytest

from fastbp.errors import ConfigError
from fastbp.sweeps.search.journal import Lock, check_journal, open_storage

pytest.importorskip("optuna")

ENTRY = b'{"op_code":0,"worker_id":"a","study_name":"x","directions":[1]}\n'


def test_whoever_holds_the_lock_may_take_it_again(tmp_path):
    lock = Lock(tmp_path / "study")
    with lock:
        with lock:
            assert not lock_is_free(tmp_path / "study")
        assert not lock_is_free(tmp_path / "study")
    assert lock_is_free(tmp_path / "study")


def lock_is_free(path):
    import fcntl

    with open(f"{path}.lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_the_lock_ends_with_its_process(tmp_path):
    script = (
        "import os, signal, sys; from pathlib import Path; from fastbp.sweeps.search.journal import Lock; "
        "Lock(Path(sys.argv[1])).acquire(); print('held', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", script, tmp_path / "study"], capture_output=True)
    assert ended.stdout == b"held\n"
    assert (tmp_path / "study.lock").exists()
    assert lock_is_free(tmp_path / "study")


@pytest.mark.parametrize("half", [b"{", b'{"op_code":4,"worker', b'{"op_code":4,"worker_id":"a","x":1}'])
def test_half_a_line_at_the_end_is_dropped(tmp_path, half):
    path = tmp_path / "study"
    path.write_bytes(ENTRY + half)
    check_journal(path)
    with Lock(path):
        assert path.read_bytes() == ENTRY
    path.write_bytes(ENTRY * 2000 + half)
    with Lock(path):
        assert path.read_bytes() == ENTRY * 2000
    assert open_storage(path, Lock(path)).get_all_studies()


@pytest.mark.parametrize("content", [b"precious", b"a,b\n1,2", b'{"seed": 3}', b"x" * 200_000])
def test_other_files_are_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "study"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="line 1 is damaged"):
        check_journal(path)
    with Lock(path):
        pass
    assert path.read_bytes() == content


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / "study"
    path.write_bytes(ENTRY + ENTRY[:20] + b"\n")
    with pytest.raises(ConfigError, match=r"study: line 2 is damaged \(.*\); restore it .* another --study"):
        check_journal(path)


@pytest.mark.parametrize(
    "line", [b'{"op_code":99}\n', b'{"op_code":5,"trial_id":7}\n', b'{"op_code":0,"worker_id":"a"}\n']
)
def test_entries_that_cannot_be_followed_are_damage_too(tmp_path, line):
    path = tmp_path / "study"
    path.write_bytes(ENTRY + line)
    check_journal(path)
    with pytest.raises(ConfigError, match="study: is damaged"):
        open_storage(path, Lock(path))


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be (written|locked)"):
        open_storage(tmp_path / "file" / "study", Lock(tmp_path / "file" / "study"))
    with pytest.raises(ConfigError, match="expected a study file"):
        check_journal(tmp_path)
