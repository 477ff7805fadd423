"""Compiled kernels on the disk: where they are, how they are kept, how many stay.

An entry holds pickles, which are executed when they are loaded. So only what this user
alone can change is read: see ownership.py.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .ownership import is_own, own_folder

__all__ = ["Version", "clear", "read_entry", "user_folder", "versions", "write_entry"]

MOST_VERSIONS = 8
MOST_BYTES = 256 << 20
"""What the versions in a cache may take together; those last used stay."""
STALE = 3600.0
"""Seconds after which a temporary file no longer has a writer."""
_ENTRY, _TEMPORARY = ".bin", ".tmp"
_VERSION = re.compile(r"kernels-[0-9a-f]{20}")


class Version(NamedTuple):
    """The kernels of one version of fastbp, Numba and Python, for one kind of CPU."""

    folder: Path
    entries: int
    size: int
    """Bytes."""
    used: float
    """When an entry was last read or written, in seconds since 1970."""


def user_folder() -> Path | None:
    """Return the folder of all versions; None if this user has no home to keep it in.

    The environment variable ``FASTBP_CACHE_DIR`` moves it.
    """
    if chosen := os.environ.get("FASTBP_CACHE_DIR"):
        return Path(chosen)
    with suppress(RuntimeError):  # neither HOME nor an entry in the list of users
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA", "~\\AppData\\Local")).expanduser() / "fastbp" / "Cache"
        if sys.platform == "darwin":
            return Path("~/Library/Caches/fastbp").expanduser()
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "fastbp"
    return None


def read_entry(folder: Path, version: str, name: str) -> bytes | None:
    """Return the content of an entry; None if others could have written it.

    Parameters
    ----------
    folder : Path
        Folder of all versions.
    version, name : str
        Name of the version's folder, and of the entry in it.

    Raises
    ------
    CacheError
        Others could have written to the folder, or replaced it.
    OSError
        There is no such entry, or it cannot be read.
    """
    inner = own_folder(folder, version)
    # What is opened must be a file: no link, and no pipe that never ends.
    flags = [getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")]
    with open(os.open(inner / (name + _ENTRY), os.O_RDONLY | sum(flags)), "rb") as file:
        # Asked of what is open: by now the name may stand for another file.
        content = file.read() if is_own(os.fstat(file.fileno())) else None
    with suppress(OSError):
        os.utime(inner)
    return content


def write_entry(folder: Path, version: str, name: str, content: bytes) -> None:
    """Write an entry, which appears whole, and make room for it; see `read_entry`.

    Raises
    ------
    CacheError
        Others could have written to the folder, or replaced it.
    OSError
        It cannot be written. Nothing is left of it.
    """
    inner = own_folder(folder, version, make=True)
    handle, temporary = tempfile.mkstemp(dir=inner, prefix=name, suffix=_TEMPORARY)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, inner / (name + _ENTRY))
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _trim(folder, version)


def versions(folder: Path) -> list[Version]:
    """Return the versions in a folder, the last used one first.

    Raises
    ------
    CacheError
        Others could have written to the folder, or replaced it.
    """
    found = []
    with suppress(OSError):  # there is none yet
        for inner in own_folder(folder).iterdir():
            with suppress(OSError):  # another process removes it
                if _VERSION.fullmatch(inner.name) and inner.is_dir() and not inner.is_symlink():
                    sizes = {file.name: file.stat().st_size for file in inner.iterdir()}
                    entries = sum(name.endswith(_ENTRY) for name in sizes)
                    found.append(Version(inner, entries, sum(sizes.values()), inner.stat().st_mtime))
    return sorted(found, key=lambda version: version.used, reverse=True)


def clear(folder: Path) -> list[Version]:
    """Remove all versions, and return those that are gone.

    Processes that run keep what they have loaded, and compile again what they have not.

    Raises
    ------
    CacheError
        Others could have written to the folder, or replaced it.
    """
    found = versions(folder)
    for version in found:
        _remove(version)
    return [version for version in found if not version.folder.exists()]


def _trim(folder: Path, current: str) -> None:
    """Remove versions that were not used for longest, and what writers left behind."""
    count, size = 0, 0
    for version in versions(folder):
        count, size = count + 1, size + version.size
        if version.folder.name == current or (count <= MOST_VERSIONS and size <= MOST_BYTES):
            _remove(version, _TEMPORARY, time.time() - STALE)
        else:
            _remove(version)


def _remove(version: Version, suffix: str = "", before: float = float("inf")) -> None:
    """Remove files of a version last written before a time, and its folder if empty."""
    with suppress(OSError):  # another process removes the folder, or adds to it
        for file in version.folder.iterdir():
            with suppress(OSError):  # another process reads or removes it
                if file.name.endswith(suffix) and file.stat().st_mtime < before:
                    file.unlink()
        if not suffix:
            version.folder.rmdir()
