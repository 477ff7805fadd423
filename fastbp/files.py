"""Writing files so that a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import ConfigError, FastbpError

__all__ = ["locked", "replace_file", "writing"]


def replace_file(path: Path, content: str | bytes) -> None:
    """Write ``content`` (text as UTF-8) beside ``path``, force it to the disk, then rename it over ``path``.

    A link is followed. What is no regular file, such as ``/dev/stdout`` or a pipe, is written to as it is.

    Raises
    ------
    FastbpError : the file cannot be written; whatever was at ``path`` is unchanged
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
    """Give a stream to write to; its file appears at ``path`` when the block ends without an exception.

    Several of them in one block (or in an ``ExitStack``) appear together: none is renamed before all are
    written. For content that is better not held in memory; see `replace_file` for the rest.

    Raises
    ------
    FastbpError : the file cannot be written; whatever was at ``path`` is unchanged
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
    temporary = path.with_name(f".fastbp-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder that this one writes to again and again.

    The lock goes when its process does, however that ends. Without ``fcntl`` (Windows) there is none.

    Raises
    ------
    ConfigError : another process has it
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
            f"{folder}: another process is at work there; wait for it, or choose another --out"
        ) from error
    finally:
        os.close(descriptor)
