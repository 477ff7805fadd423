"""Fetch a public data set: from the first mirror that has it, going on where a fetch broke off, checked."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ...errors import ConfigError, DataError, FastbpError
from ..source import printable
from .catalog import CATALOG
from .emnist import unpack, unpacked

__all__ = ["download"]

CHUNK = 1 << 16
TIMEOUT = 30.0  # seconds without an answer
LARGEST = 1 << 30  # bytes of one file; the largest of the catalogue, EMNIST's archive, has half of that


class _BrokenError(Exception):
    """A mirror did not give the file; says why."""


def download(
    name: str, folder: Path | None = None, *, force: bool = False, announce: Callable[[str], None] = print
) -> list[Path]:
    """Fetch the files of a data set. Those that are there and right are not fetched again.

    Parameters
    ----------
    name : one of `fastbp.data.tools.catalog.CATALOG`
    folder : where the files go, made if it is missing; by default a folder of this name. EMNIST's archive, of
        which all splits are made, is kept in ``emnist``, and each split in a folder inside
    force : replace files of these names that hold something else
    announce : told what is fetched from where, a line each

    Returns
    -------
    the files; a folder with them is what ``--data`` takes

    Raises
    ------
    ConfigError : there is no such data set, or a file of that name holds something else
    DataError : no mirror has a file; what came of it is kept, and the next call goes on from there. Or an
        archive does not hold what it should
    FastbpError : a file cannot be written
    """
    if name not in CATALOG:
        raise ConfigError(f"{printable(name)}: is no known data set; expected one of: {', '.join(CATALOG)}")
    source = CATALOG[name]
    folder = Path(source.folder or name) if folder is None else folder
    if source.split and not force and (paths := unpacked(folder / source.split, source.split)):
        return paths  # without the archive, which may be gone
    paths = []
    was_there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, checksum in source.files.items():
            path = folder / file
            if path.exists() and _sha256(path) != checksum and not force:
                raise ConfigError(
                    f"{printable(path)}: is there already and is not {name}'s; choose another --out, or "
                    "use --force"
                )
            if not path.exists() or _sha256(path) != checksum:
                _fetch(path, checksum, [mirror + file for mirror in source.mirrors], announce)
            paths.append(path)
        if source.split:
            announce(f"{printable(folder / source.split)}: unpacking {source.split}")
            return unpack(paths[0], folder / source.split, source.split, force=force)
    except DataError:
        if not was_there:
            with suppress(OSError):  # not empty: there is something to go on from
                folder.rmdir()
        raise
    except OSError as error:
        raise FastbpError(f"{printable(folder)}: cannot be written ({error.strerror or error})") from error
    return paths


def _fetch(path: Path, checksum: str, addresses: list[str], announce: Callable[[str], None]) -> None:
    partial = path.with_name(f".{path.name}.part")
    reasons = []
    for address in addresses:
        announce(f"{printable(path)}: fetching {address}")
        resumed = partial.exists()
        try:
            _receive(address, partial)
            if resumed and _sha256(partial) != checksum:
                partial.unlink()  # what was there before may be what is wrong
                _receive(address, partial)
            if _sha256(partial) != checksum:
                partial.unlink()
                raise _BrokenError("the SHA-256 is not the published one")
        except _BrokenError as error:
            reasons.append(f"{address}: {error}")
            continue
        os.replace(partial, path)
        return
    raise DataError(f"{printable(path)}: no mirror has it ({'; '.join(reasons)}); try again later")


def _receive(address: str, partial: Path) -> None:
    """Append to the partial file what is missing of it; from the beginning if the server does not go on."""
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
        if error.code == 416 and start:  # there is nothing beyond: the partial file is whole, or wrong
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
