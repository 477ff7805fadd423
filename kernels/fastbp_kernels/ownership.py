"""Whether anybody else could change what lies in a folder.

A file of compiled code is code: who may write to it may do all that its reader may. So
a folder of such files must belong to this user, who alone may write to it, and no other
user may replace a folder on the way to it. The administrator may do everything anyway.
On Windows nothing is checked: there, the folders of a profile are its user's own.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

__all__ = ["CacheError", "is_own", "own_folder"]

MOST_LINKS = 40
"""Symbolic links on the way to a folder; the kernel of Linux follows as many."""
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_CHECKED = os.name == "posix"


class CacheError(ValueError):
    """Another user could have this process run code."""


def own_folder(folder: Path, *inner: str, make: bool = False) -> Path:
    """Return a folder without links, when it is certain that it is this user's own.

    Each step is taken from a folder that nobody else can change, so nothing that was
    checked can be swapped before it is used.

    Parameters
    ----------
    folder : Path
        Folder that must be the user's own.
    *inner : str
        Name of a folder inside it, which must be the user's own too.
    make : bool
        Make what does not exist, for this user alone.

    Raises
    ------
    CacheError
        It belongs to another user, or others may write to it or replace it.
    OSError
        It does not exist, or cannot be reached or made.
    """
    if not _CHECKED:
        here = folder.joinpath(*inner)
        if make:
            here.mkdir(mode=0o700, parents=True, exist_ok=True)
        return here
    here = _walk(folder, make)
    _refuse_unless_own(here)
    for name in inner:
        _status(here / name, make)
        here /= name
        _refuse_unless_own(here)
    return here


def is_own(found: os.stat_result) -> bool:
    """Return whether an open file is a regular one that only this user may write to."""
    return stat.S_ISREG(found.st_mode) and not (_CHECKED and _fault(found))


def _walk(folder: Path, make: bool) -> Path:
    """Follow a path from the root on; see `own_folder`."""
    path = folder if folder.is_absolute() else Path.cwd() / folder
    here, rest, links = Path("/"), list(reversed(path.parts[1:])), 0
    # In a container, the number of the root's owner may be another than 0.
    owners = {0, os.geteuid(), os.lstat(here).st_uid}
    while rest:
        part = rest.pop()
        if part == "..":
            here = here.parent
            continue
        found = _status(here / part, make)
        _refuse_if_replaceable(here / part, found, owners)
        if not stat.S_ISLNK(found.st_mode):
            here /= part
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(folder))
        target = Path(os.readlink(here / part))
        rest += reversed(target.parts)
        if target.is_absolute():
            here = Path(rest.pop())
    return here


def _status(path: Path, make: bool) -> os.stat_result:
    """Return the status of a path itself, and make a folder there if there is none."""
    try:
        return os.lstat(path)
    except FileNotFoundError:
        if not make:
            raise
        with suppress(FileExistsError):  # another process was faster
            path.mkdir(mode=0o700)
        return os.lstat(path)


def _refuse_if_replaceable(path: Path, found: os.stat_result, owners: set[int]) -> None:
    """Raise CacheError if others could replace what is in a folder, or where a link
    leads.
    """
    if found.st_uid not in owners:
        raise _refusal(path, found, _belongs(found))
    # In a sticky folder, such as /tmp, others cannot rename what is not theirs.
    if stat.S_ISLNK(found.st_mode) or found.st_mode & stat.S_ISVTX:
        return
    shared = found.st_mode & _WRITABLE_BY_OTHERS
    if shared and (shared != stat.S_IWGRP or not _is_private_group(path, found.st_gid)):
        raise _refusal(path, found, _is_shared(found))


def _refuse_unless_own(folder: Path) -> None:
    """Raise CacheError if a folder is not this user's, or others may write to it."""
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if fault := _fault(found):
        raise _refusal(folder, found, fault)


def _fault(found: os.stat_result) -> str:
    """Return what lets others decide what a file or folder holds, or nothing."""
    if found.st_uid != os.geteuid():
        return _belongs(found)
    return _is_shared(found) if found.st_mode & _WRITABLE_BY_OTHERS else ""


def _belongs(found: os.stat_result) -> str:
    return f"belongs to {_name(found.st_uid)}, and you are {_name(os.geteuid())}"


def _is_shared(found: os.stat_result) -> str:
    return f"other users may write to it (mode {stat.S_IMODE(found.st_mode):04o})"


def _refusal(path: Path, found: os.stat_result, fault: str) -> CacheError:
    # Of an own folder, what others put there is refused after this too, as theirs.
    first = "take it from others with chmod go-w, or " if found.st_uid == os.geteuid() else ""
    return CacheError(
        f"{path}: {fault}; expected a folder of compiled kernels that only you can change, because they are "
        f"code; {first}set FASTBP_CACHE_DIR to a new folder of your own"
    )


def _name(number: int) -> str:
    import pwd

    try:
        return f"user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"user {number}"


def _is_private_group(path: Path, number: int) -> bool:
    """Return whether a group has this user as its only member.

    Many systems give each user such a group, and have it write to the user's folders.
    """
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(number)
        # With an access list, the group's mode is the limit of what others may do.
        lists = os.listxattr(path) if hasattr(os, "listxattr") else []
    except (KeyError, OSError):
        return False
    members = {*group.gr_mem, *(other.pw_name for other in pwd.getpwall() if other.pw_gid == number)}
    return number != 0 and members == {user.pw_name} and "system.posix_acl_access" not in lists
