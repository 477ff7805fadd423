"""Nobody else's code is run from the cache: planted entries, foreign and shared folders, links, sudo.

Each planted entry is a real one, with its checksum, whose pickle makes a folder when it is loaded.
"""

import hashlib
import os
import pickle
import stat
import sys
import threading
from pathlib import Path

import pytest
from numba.core.registry import cpu_target

import small_kernels
from fastbp_kernels import cache, cache_folder, check_cache, compiled_count
from fastbp_kernels.jit import _KernelCache
from fastbp_kernels.ownership import CacheError, is_own, own_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes are those of POSIX")
as_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
SOMEONE = 54321
KERNEL, SIGNATURE = _KernelCache("test.planted"), "(int64,)"


class Planted:
    """Makes a folder when it is loaded."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "code-was-run"


@pytest.fixture
def base(tmp_path, monkeypatch):
    """Cache folder, inside of another folder."""
    folder = tmp_path / "outer" / "cache"
    monkeypatch.setenv("FASTBP_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def entry(base, marker):
    """A planted entry, which is this user's own as yet."""
    payload = pickle.dumps(Planted(marker))
    cache.write_entry(
        base, cache_folder().name, KERNEL._entry(SIGNATURE), hashlib.sha256(payload).digest() + payload
    )
    return cache_folder() / f"{KERNEL._entry(SIGNATURE)}.bin"


def load():
    return KERNEL.load_overload(SIGNATURE, cpu_target.target_context)


def is_refused(path, *parts):
    """Loading and checking both say which folder, and what is wrong with it."""
    for ask in (load, check_cache):
        with pytest.raises(CacheError) as raised:
            ask()
        text = str(raised.value)
        assert text.startswith(f"{path}: ")
        assert "\n" not in text
        assert "set FASTBP_CACHE_DIR" in text
        for part in parts:
            assert part in text
    return True


@pytest.mark.usefixtures("entry")
def test_an_own_entry_is_loaded(marker):
    """So the planted ones below would be, too."""
    load()
    assert marker.is_dir()


def test_what_is_made_is_this_users_alone(base):
    before = os.umask(0)
    try:
        cache.write_entry(base, "kernels-" + "0" * 20, "x", b"content")
    finally:
        os.umask(before)
    made = [base.parent, base, *base.rglob("*")]
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o700, 0o700, 0o700, 0o600]
    assert cache.read_entry(base, "kernels-" + "0" * 20, "x") == b"content"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_an_entry_that_others_may_write_to_is_not_loaded(entry, marker, mode):
    entry.chmod(mode)
    before = compiled_count()
    assert load() is None
    assert compiled_count() == before + 1
    assert not marker.exists()


@as_root
def test_an_entry_of_someone_else_is_not_loaded(entry, marker):
    os.chown(entry, SOMEONE, SOMEONE)
    assert load() is None
    assert not marker.exists()


def test_an_entry_that_is_a_link_or_a_pipe_is_not_loaded(entry, marker, tmp_path):
    elsewhere = entry.rename(tmp_path / "elsewhere")
    entry.symlink_to(elsewhere)
    assert load() is None
    entry.unlink()
    os.mkfifo(entry, 0o600)
    loading = threading.Thread(target=load, daemon=True)
    loading.start()
    loading.join(timeout=20)
    assert not loading.is_alive(), "it does not wait for a writer"
    assert not is_own(entry.stat())
    assert not marker.exists()


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777, 0o1777])
@pytest.mark.parametrize("inner", [False, True], ids=["folder", "version"])
@pytest.mark.usefixtures("entry")
def test_a_folder_that_others_may_write_to_is_refused(marker, base, mode, inner):
    folder = cache_folder() if inner else base
    folder.chmod(mode)
    assert is_refused(folder, "other users may write to it", f"mode {mode:04o}")
    assert not marker.exists()
    with pytest.raises(CacheError):
        KERNEL.save_overload(SIGNATURE, Compiled)


class Compiled:
    """What there is to save."""

    _reduce = staticmethod(tuple)


@as_root
@pytest.mark.parametrize("which", ["outer", "folder", "version"])
@pytest.mark.usefixtures("entry")
def test_a_folder_of_someone_else_is_refused(marker, base, which):
    folder = {"outer": base.parent, "folder": base, "version": cache_folder()}[which]
    os.chown(folder, SOMEONE, SOMEONE)
    assert is_refused(folder, f"belongs to user {SOMEONE}, and you are user root")
    assert not marker.exists()


@as_root
@pytest.mark.usefixtures("entry")
def test_a_folder_made_beforehand_by_someone_else_is_refused(marker, base):
    for path in [base, *base.rglob("*")]:
        os.chown(path, SOMEONE, SOMEONE)
    assert is_refused(base, f"belongs to user {SOMEONE}")
    assert not marker.exists()


@pytest.mark.usefixtures("entry")
def test_a_folder_that_others_could_replace_is_refused(marker, base):
    base.parent.chmod(0o777)
    assert is_refused(base.parent, "mode 0777")
    base.parent.chmod(0o1777)  # as /tmp: nobody renames what is not theirs
    check_cache()
    assert not marker.exists()


@pytest.mark.usefixtures("entry")
def test_only_an_own_folder_is_to_be_taken_from_others(base, monkeypatch):
    base.chmod(0o777)
    assert is_refused(base, "; take it from others with chmod go-w, or set FASTBP_CACHE_DIR to a new folder")
    base.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: SOMEONE)
    with pytest.raises(CacheError, match="are code; set FASTBP_CACHE_DIR to a new folder"):
        check_cache()


def test_nothing_is_made_where_others_could_replace_it(base):
    base.parent.mkdir()
    base.parent.chmod(0o777)
    with pytest.raises(CacheError):
        cache.write_entry(base, "kernels-" + "0" * 20, "x", b"")
    assert not list(base.parent.iterdir())


@as_root
@pytest.mark.usefixtures("entry")
def test_links_lead_to_the_folder_if_nobody_else_can_turn_them(base, tmp_path, monkeypatch):
    link, onwards = tmp_path / "link", tmp_path / "onwards"
    link.symlink_to(Path("onwards", "..", "cache"))  # beside what it leads to
    onwards.symlink_to(base)
    monkeypatch.setenv("FASTBP_CACHE_DIR", str(link))
    assert own_folder(link) == base
    check_cache()
    os.chown(onwards, SOMEONE, SOMEONE, follow_symlinks=False)
    assert is_refused(onwards, f"belongs to user {SOMEONE}")
    onwards.unlink()
    onwards.symlink_to(link)
    with pytest.raises(OSError, match="symbolic links"):
        own_folder(link)


@pytest.mark.usefixtures("entry")
def test_a_link_does_not_hide_who_may_write_to_what_it_leads_to(marker, base, tmp_path, monkeypatch):
    link = tmp_path / "link"
    link.symlink_to(base)
    monkeypatch.setenv("FASTBP_CACHE_DIR", str(link))
    base.chmod(0o777)
    assert is_refused(base, "mode 0777")
    base.chmod(0o700)
    base.parent.chmod(0o777)
    assert is_refused(base.parent, "mode 0777")
    assert not marker.exists()


@pytest.mark.usefixtures("entry")
def test_a_group_of_one_may_write_to_a_folder_on_the_way(base, monkeypatch):
    """Systems with a group for each user make folders writable by it."""
    import grp
    import pwd

    base.parent.chmod(0o770)
    assert is_refused(base.parent, "mode 0770") or os.geteuid() != 0
    user, status = pwd.getpwuid(os.geteuid()), base.parent.stat()
    group = [user.pw_name, "x", 700, []]
    monkeypatch.setattr(pwd, "getpwall", lambda: [user])
    monkeypatch.setattr(grp, "getgrgid", lambda _: grp.struct_group(group))
    status = os.stat_result([*status[:5], 700, *status[6:]])
    lstat = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: status if Path(path) == base.parent else lstat(path))
    group[3] = [user.pw_name]
    check_cache()
    group[3] = [user.pw_name, "someone"]
    assert is_refused(base.parent, "mode 0770")


@as_root
@pytest.mark.usefixtures("entry")
def test_under_sudo_the_cache_of_the_other_user_is_refused(marker, base, tmp_path, monkeypatch):
    """HOME may still be the other's, who could have written any entry."""
    home = tmp_path / "home"
    (home / ".cache").mkdir(parents=True)
    base.rename(home / ".cache" / "fastbp")
    for path in [home, *home.rglob("*")]:
        os.chown(path, SOMEONE, SOMEONE)
    monkeypatch.setenv("FASTBP_CACHE_DIR", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(home))
    if sys.platform == "linux":
        assert is_refused(home, f"belongs to user {SOMEONE}, and you are user root")
    assert not marker.exists()


NO_HOME = f"""
import os, sys
from small.entry import *
scaled(2)
del os.environ["FASTBP_CACHE_DIR"], os.environ["HOME"]
os.environ.pop("XDG_CACHE_HOME", None)
os.setuid({SOMEONE})
print(scaled(2.0), scaled(2j), compiled_count(), cache_folder())
"""


@as_root
@pytest.mark.skipif(sys.platform == "darwin", reason="there, setuid leaves a home folder")
def test_without_a_home_kernels_are_compiled_and_a_word_is_said(small):
    process = small_kernels.start(small, NO_HOME)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out.strip()) == (0, "7.0 (1+6j) 3 None"), err
    assert err == (
        "compiled kernels are not kept, because you have no home folder; set FASTBP_CACHE_DIR to a folder of "
        "your own, and they need not be compiled by each process\n"
    )
