"""Several versions' kernels do not pile up: the last used stay, and what killed writers left goes."""

import os
import time

import pytest

from fastbp_kernels import cache


def version(number):
    return f"kernels-{number:020x}"


def fill(base, count, size=10):
    """Versions 0 to count - 1, each with two entries and last used an hour after the one before."""
    for number in range(count):
        for name in ("one", "two"):
            cache.write_entry(base, version(number), name, bytes(size))
        os.utime(base / version(number), times(count - number))


def times(hours_ago):
    return (time.time() - 3600 * hours_ago,) * 2


def names(base):
    return sorted(path.name for path in base.iterdir())


def test_the_versions_used_last_are_kept(tmp_path):
    fill(tmp_path, 8)
    cache.read_entry(tmp_path, version(0), "one")
    for number in (8, 9):
        cache.write_entry(tmp_path, version(number), "one", b"")
    assert names(tmp_path) == [version(number) for number in (0, 3, 4, 5, 6, 7, 8, 9)]


def test_the_bytes_of_all_versions_are_bounded(tmp_path, monkeypatch):
    fill(tmp_path, 4)
    monkeypatch.setattr(cache, "MOST_BYTES", 45)
    cache.write_entry(tmp_path, version(4), "one", bytes(10))
    assert names(tmp_path) == [version(3), version(4)]
    cache.write_entry(tmp_path, version(5), "one", bytes(100))
    assert names(tmp_path) == [version(5)], "what was just written stays, however large"


def test_only_versions_are_removed(tmp_path):
    theirs = ["kernels", "kernels-5.15", version(0)[:-1], version(0) + "0", version(0).upper(), "notes.txt"]
    for name in theirs:
        (tmp_path / name).mkdir()
        (tmp_path / name / "precious.bin").touch()
        os.utime(tmp_path / name, times(1e4))
    outside = tmp_path / "outside"
    cache.write_entry(outside, version(1), "one", b"")
    (tmp_path / version(1)).symlink_to(outside / version(1))
    for number in range(2, 14):
        cache.write_entry(tmp_path, version(number), "one", b"")
    assert len(cache.clear(tmp_path)) == 8
    assert names(tmp_path) == sorted([*theirs, "outside", version(1)])
    assert (outside / version(1) / "one.bin").is_file()
    assert all((tmp_path / name / "precious.bin").is_file() for name in theirs)


def test_temporary_files_go_once_their_writer_must_be_dead(tmp_path):
    fill(tmp_path, 2)
    for number in (0, 1):
        for name, hours in (("old", 1.1), ("young", 0.9)):
            file = tmp_path / version(number) / f"one{name}.tmp"
            file.touch()
            os.utime(file, times(hours))
    cache.write_entry(tmp_path, version(1), "three", b"")
    assert [path.name for path in sorted(tmp_path.rglob("*.tmp"))] == ["oneyoung.tmp"] * 2
    assert len(list(tmp_path.rglob("*.bin"))) == 5


def test_a_version_that_vanishes_while_it_is_looked_at_is_nobodys_trouble(tmp_path, monkeypatch):
    fill(tmp_path, 3)
    found = cache.versions(tmp_path)
    assert [(v.folder.name, v.entries, v.size) for v in found] == [(version(n), 2, 20) for n in (2, 1, 0)]
    cache.clear(tmp_path)
    monkeypatch.setattr(cache, "versions", lambda _: found)
    assert cache.clear(tmp_path) == found
    cache.write_entry(tmp_path, version(0), "one", b"again")
    assert cache.read_entry(tmp_path, version(0), "one") == b"again"


def test_a_folder_that_does_not_exist_has_no_versions(tmp_path):
    assert cache.versions(tmp_path / "none") == cache.clear(tmp_path / "none") == []
    with pytest.raises(FileNotFoundError):
        cache.read_entry(tmp_path / "none", version(0), "one")
    assert not names(tmp_path)
