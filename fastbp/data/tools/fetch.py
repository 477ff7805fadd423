"""Download a public data set from the first mirror that has it, and verify it.

An interrupted download is resumed.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ...errors import ConfigError, DataError, FastbpError, did_you_mean
from ..source import printable
from .catalog import CATALOG, Source
from .emnist import unpack, unpacked

__all__ = ["download"]

CHUNK = 1 << 16
TIMEOUT = 30.0  # seconds without an answer
LARGEST = 1 << 30  # bytes of a file: twice the largest one, EMNIST's archive


class _BrokenError(Exception):
    """A mirror did not deliver the file; the message says why."""


def download(
    name: str, folder: Path | None = None, *, force: bool = False, announce: Callable[[str], None] = print
) -> list[Path]:
    """Download the files of a data set. Existing, correct files are kept.

    Parameters
    ----------
    name
        A name in `fastbp.data.tools.catalog.CATALOG`.
    folder
        Folder for the files; it is created if it does not exist. By default a folder
        with the name of the data set. The archive of EMNIST, which holds all splits,
        goes to ``emnist``, and each split to a subfolder.
    force
        Replace existing files with other contents.
    announce
        Called with a line of text for each download.

    Returns
    -------
    list of Path
        The files. Their folder is what ``--data`` takes.

    Raises
    ------
    ConfigError
        There is no such data set, or a file with other contents exists.
    DataError
        No mirror delivers a file, or an archive is damaged. A partial download is kept
        and resumed by the next call.
    FastbpError
        A file cannot be written.
    """
    if name not in CATALOG:
        raise ConfigError(
            f"{printable(name)}: unknown data set; expected one of: {', '.join(CATALOG)}"
            f"{did_you_mean(name, CATALOG)}"
        )
    source = CATALOG[name]
    folder = Path(source.folder or name) if folder is None else folder
    if source.split and not force and (paths := unpacked(folder / source.split, source.split)):
        return paths  # the archive may have been deleted
    was_there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [_complete(folder / file, name, source, announce, force=force) for file in source.files]
        if source.split:
            announce(f"{printable(folder / source.split)}: unpacking {source.split}")
            return unpack(paths[0], folder / source.split, source.split, force=force)
    except DataError:
        if not was_there:
            with suppress(OSError):  # not empty: a partial download to resume
                folder.rmdir()
        raise
    except OSError as error:
        raise FastbpError(f"{printable(folder)}: cannot be written ({error.strerror or error})") from error
    return paths


def _complete(path: Path, name: str, source: Source, announce: Callable[[str], None], *, force: bool) -> Path:
    """Download a file unless it exists and is correct."""
    checksum = source.files[path.name]
    is_correct = path.exists() and _sha256(path) == checksum
    if path.exists() and not is_correct and not force:
        raise ConfigError(
            f"{printable(path)}: already exists and is not a file of {name}; choose another --out, or "
            "use --force"
        )
    if not is_correct:
        _fetch(path, checksum, [mirror + path.name for mirror in source.mirrors], announce)
    return path


def _fetch(path: Path, checksum: str, addresses: list[str], announce: Callable[[str], None]) -> None:
    partial = path.with_name(f".{path.name}.part")
    reasons = []
    for address in addresses:
        announce(f"{printable(path)}: downloading {address}")
        resumed = partial.exists()
        try:
            _receive(address, partial)
            if resumed and _sha256(partial) != checksum:
                partial.unlink()  # the part from before may be wrong
                _receive(address, partial)
            if _sha256(partial) != checksum:
                partial.unlink()
                raise _BrokenError("the SHA-256 is not the published one")
        except _BrokenError as error:
            reasons.append(f"{address}: {error}")
            continue
        os.replace(partial, path)
        return
    raise DataError(f"{printable(path)}: no mirror delivered it ({'; '.join(reasons)}); try again later")


def _receive(address: str, partial: Path) -> None:
    """Resume a partial file, or start again if the server cannot resume."""
    start = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(address)
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            if response.status == 206 and response.headers["Content-Range"].startswith(f"bytes {start}-"):
                mode = "ab"
            else:
                mode, start = "wb", 0
            length = response.headers["Content-Length"]
            _store(response, partial, mode, start, None if length is None else start + int(length))
    except urllib.error.HTTPError as error:
        if error.code == 416 and start:  # no bytes are left: complete, or wrong
            return
        raise _BrokenError(f"answers {error.code} {printable(error.reason)}") from error
    except urllib.error.URLError as error:
        raise _BrokenError(f"cannot be reached ({printable(error.reason)})") from error
    except (http.client.HTTPException, ConnectionError, TimeoutError, ValueError, AttributeError) as error:
        raise _BrokenError(f"broke off ({printable(error) or type(error).__name__})") from error


def _store(
    response: http.client.HTTPResponse, partial: Path, mode: str, start: int, total: int | None
) -> None:
    size = start
    with open(partial, mode) as file:
        while chunk := response.read(CHUNK):
            file.write(chunk)
            size += len(chunk)
            if size > LARGEST:
                raise _BrokenError(f"sends more than {LARGEST} bytes")
    if total is not None and size < total:
        raise _BrokenError(f"broke off after {size} of {total} bytes")


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
