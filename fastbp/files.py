"""Reading and writing files; a written file replaces the old one as a whole."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import ConfigError, FastbpError

__all__ = ["TEMPORARY", "locked", "read_text", "replace_file", "writing"]

TEMPORARY = ".fastbp-*.tmp"
"""Names of files that are being written; a killed process leaves them."""


def read_text(path: Path) -> str:
    """Read a text file, as UTF-8.

    Raises
    ------
    OSError
        The file cannot be read, or is not a regular file: a pipe may block for ever.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "not a regular file")
    return path.read_text(encoding="utf-8")


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a file under a temporary name, sync it to the disk, then rename it.

    Links are followed. Other than regular files, such as ``/dev/stdout`` or a pipe, are
    written to directly.

    Parameters
    ----------
    path
        File to write.
    content
        Text, written as UTF-8, or bytes.

    Raises
    ------
    FastbpError
        The file cannot be written. An existing file is unchanged.
    """
    payload = content.encode() if isinstance(content, str) else content
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(payload)
        else:
            _replace(Path(os.path.realpath(path)), payload)
    except OSError as error:
        raise FastbpError(f"{path}: cannot be written ({error.strerror or error})") from error


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Open a stream whose file appears at ``path`` when the block ends without
    exception.

    Several files in one block (or an ``ExitStack``) appear together: none is renamed
    before all are written. This is for content too large for memory; see also
    `replace_file`.

    Raises
    ------
    FastbpError
        The file cannot be written. An existing file is unchanged.
    """
    try:
        with _renamed(Path(os.path.realpath(path))) as file:
            yield file
    except OSError as error:
        raise FastbpError(f"{path}: cannot be written ({error.strerror or error})") from error


def _replace(path: Path, payload: bytes) -> None:
    with _renamed(path) as file:
        file.write(payload)


@contextmanager
def _renamed(path: Path) -> Iterator[BinaryIO]:
    temporary = path.with_name(TEMPORARY.replace("*", secrets.token_hex(8)))
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Have the new name survive a power cut, where the system can."""
    with suppress(OSError):  # Windows opens no folders; some file systems sync none
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder against other processes of fastbp.

    The lock ends with the process. Without ``fcntl`` (Windows) there is no lock.

    Raises
    ------
    ConfigError
        Another process holds the lock.
    """
    try:
        import fcntl
    except ImportError:  # pragma: no cover
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ConfigError(
            f"{folder}: another process uses this folder; wait for it, or choose another --out"
        ) from error
    finally:
        os.close(descriptor)
