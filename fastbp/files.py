"""Reading and writing files; a written file replaces the old one as a whole."""

from __future__ import annotations

import errno
import json
import os
import secrets
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO

from .errors import ConfigError, FastbpError, one_line, printable

__all__ = [
    "TEMPORARY",
    "is_held",
    "locked",
    "naming",
    "read_text",
    "read_toml",
    "replace_file",
    "tensors_file",
    "writing",
]

TEMPORARY = ".fastbp-*.tmp"
"""Names of files that are being written; a killed process leaves them."""
MOST_TEXT = 1 << 26  # bytes
MOST_TOML = 1 << 18
MOST_PARTS = 64  # of a dotted key: Python's parser takes the square of their number
MOST_NESTED = 16
LARGEST_WHOLE = 1 << 63  # TOML's whole numbers have 64 bits
PATIENCE = 5  # tries to lock a folder


def read_text(path: Path, most: int = MOST_TEXT) -> str:
    """Read a text file, as UTF-8.

    Raises
    ------
    OSError
        The file cannot be read, has more than ``most`` bytes, or is not a regular file:
        a pipe may block for ever.
    """
    return _content(path, most).decode().replace("\r\n", "\n").replace("\r", "\n")


def _content(path: Path, most: int) -> bytes:
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "not a regular file")
    with open(path, "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {most:,} bytes")
    return content


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file whose values can be shown in a message: no deep nesting.

    Raises
    ------
    ConfigError
        The file cannot be read, or is not TOML.
    """
    name = printable(path)
    try:
        text = _content(path, MOST_TOML).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: not a TOML file ({error}); expected text in UTF-8") from error
    except OSError as error:
        raise ConfigError(
            f"{name}: cannot be read ({error.strerror or error}); expected a TOML file"
        ) from error
    try:
        _check_keys(text)
        values = tomllib.loads(text)
        _check_values(values, 0)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name}: not a TOML file ({one_line(error)})") from error
    return values


def _check_keys(text: str) -> None:
    """Raise ValueError for a dotted key of very many parts; dots in values count."""
    for line in text.splitlines():
        *keys, last = line.split("=")
        keys += [last] if last.lstrip().startswith("[") and not keys else []
        if any(key.count(".") > MOST_PARTS for key in keys):
            raise ValueError(f"a key has more than {MOST_PARTS} parts")


def _check_values(value: Any, depth: int) -> None:
    if depth > MOST_NESTED:
        raise ValueError(f"values are nested more than {MOST_NESTED} deep")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check_values(inner, depth + 1)
    elif isinstance(value, int) and not -LARGEST_WHOLE <= value < LARGEST_WHOLE:
        raise ValueError("a whole number has more than 64 bits")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in a `ConfigError`, and quote what it holds in one short line."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{printable(path)}: {one_line(error)}") from error


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


def tensors_file(tensors: Mapping[str, Any], metadata: Mapping[str, str]) -> bytes:
    """Return a safetensors file; equal content has equal bytes.

    The library writes metadata in an order that differs from process to process.

    Parameters
    ----------
    tensors
        C-contiguous arrays by name.
    metadata
        Texts by name.
    """
    from safetensors.numpy import save

    content: bytes = save(dict(tensors), dict(metadata))
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text + content[start:]


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
def locked(folder: Path, *, waits: bool = False) -> Iterator[None]:
    """Lock a folder against other processes of fastbp.

    The lock ends with the process. There is none without ``fcntl`` (Windows), and on
    file systems without locks.

    Parameters
    ----------
    folder
        An existing folder.
    waits
        Whether to wait until nobody else holds it.

    Raises
    ------
    ConfigError
        Another process holds the lock.
    OSError
        The folder cannot be opened.
    """
    try:
        import fcntl
    except ImportError:  # pragma: no cover
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        for left in repeat(1) if waits else reversed(range(PATIENCE)):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if not left:
                    raise ConfigError(
                        f"{folder}: another process uses this folder; wait for it, or choose another --out"
                    ) from error
                time.sleep(0.02)  # who only looks, as `is_held` does, is done by then
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                    raise
                break
            else:
                break
        yield
    finally:
        os.close(descriptor)


def is_held(folder: Path) -> bool:
    """Return whether a process holds the lock of a folder; False if that is unknown."""
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
