"""The bytes of a file, unpacked where they are gzip; all that can go wrong is told as a ``DataError``."""

from __future__ import annotations

import gzip
import io
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import DataError

__all__ = ["ByteSource", "open_source", "printable", "read_up_to", "reading"]

GZIP_MAGIC = b"\x1f\x8b"
CHUNK = 1 << 16


def printable(text: object) -> str:
    """Text of one line: a file name or a value may hold line breaks and bytes that no terminal shows."""
    line = str(text)
    return line if line.isprintable() else line.encode("unicode_escape").decode("ascii")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into a ``DataError`` that names the file."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{printable(path)}: cannot be read: {error.strerror or printable(error)}") from error
    except MemoryError as error:
        raise DataError(f"{printable(path)}: does not fit in memory") from error


def read_up_to(read: Callable[[int], bytes | bytearray], count: int | None = None) -> bytearray:
    """Read ``count`` bytes, or fewer where the stream ends before that; ``None`` reads to the end.

    The buffer grows with what arrives, so a count that a damaged header claims allocates nothing.
    """
    data = bytearray()
    while count is None or len(data) < count:
        chunk = read(CHUNK if count is None else min(CHUNK, count - len(data)))
        if not chunk:
            break
        data += chunk
    return data


class ByteSource:
    """The unpacked bytes of one open file, read from front to back."""

    def __init__(self, path: Path, stream: io.BufferedReader | gzip.GzipFile) -> None:
        self.path = path
        self.position = 0
        self._stream = stream

    @property
    def is_packed(self) -> bool:
        """Whether the file is gzip."""
        return isinstance(self._stream, gzip.GzipFile)

    def byte(self, position: int) -> str:
        """Name a position for a message: in a gzip file it counts unpacked bytes."""
        return f"byte {position}" + (" (unpacked)" if self.is_packed else "")

    def read(self, count: int | None = None) -> bytearray:
        """Read ``count`` bytes, fewer at the end of the file, or all that is left."""
        return read_up_to(self._read_some, count)

    def _read_some(self, count: int) -> bytes:
        # read1 hands over all that was unpacked before the damage, so that its position is known to the byte.
        try:
            chunk = self._stream.read1(count)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f"{printable(self.path)}: gzip stream damaged or cut short at {self.byte(self.position)}: "
                f"{printable(error)}"
            ) from error
        self.position += len(chunk)
        return chunk


@contextmanager
def open_source(path: Path) -> Iterator[ByteSource]:
    """Open a file to read its bytes; gzip is known by its first two bytes, not by the file's name.

    Raises
    ------
    DataError
        The file is missing, not a regular file, or not readable.
    """
    with reading(path):
        # A pipe or a device would block or never end, so the kind is asked before the file is opened.
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{printable(path)}: found something other than a regular file, expected a file")
        with open(path, "rb") as file:
            packed = file.peek(2)[:2] == GZIP_MAGIC
            yield ByteSource(path, gzip.GzipFile(fileobj=file, mode="rb") if packed else file)
