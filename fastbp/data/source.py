"""The bytes of a file, decompressed if it is gzip. Every failure is a `DataError`."""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import DataError, printable

__all__ = [
    "ByteSource",
    "check_packed",
    "check_regular",
    "most_memory",
    "open_source",
    "printable",
    "read_up_to",
    "reading",
]

GZIP_MAGIC = b"\x1f\x8b"
CHUNK = 1 << 16
MOST_UNPACKED = 100  # times the packed bytes that a header may claim; deflate reaches 1000
LEAST_PACKED = 1 << 16  # bytes that deflate cannot make 64 MB of
MOST_READ = 20  # times the packed bytes of what is read to its end, such as text
TEXT_CONTROLS = b"\t\n\f\r"
IDX_NAME = re.compile(r".*[-._]idx\d.*", re.IGNORECASE)
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")


def most_memory(size: int) -> int:
    """Return the bytes of memory that a file of ``size`` bytes may claim."""
    return 10 * size + (1 << 26)


def check_packed(origin: str, claimed: int, packed: int) -> None:
    """Raise DataError if few packed bytes claim very many, before any is unpacked.

    Of a very small file all may be unpacked, which tells where it ends.
    """
    if packed > LEAST_PACKED and claimed > MOST_UNPACKED * packed + (1 << 26):
        raise DataError(
            f"{origin}: found {claimed:,} bytes claimed by {packed:,} packed ones, expected {MOST_UNPACKED} "
            "times as many at most; if that is right, unpack it first"
        )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into a `DataError` that names the file."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{printable(path)}: cannot be read: {error.strerror or printable(error)}") from error
    except MemoryError as error:
        raise DataError(f"{printable(path)}: does not fit in memory") from error


def read_up_to(read: Callable[[int], bytes | bytearray], count: int | None = None) -> bytearray:
    """Read ``count`` bytes, fewer at the end of the stream; None reads to the end.

    The buffer grows with the data, so that a wrong count in a damaged header does not
    allocate memory.
    """
    data = bytearray()
    while count is None or len(data) < count:
        chunk = read(CHUNK if count is None else min(CHUNK, count - len(data)))
        if not chunk:
            break
        data += chunk
    return data


class ByteSource:
    """The decompressed bytes of an open file, read from front to back."""

    def __init__(self, path: Path, stream: io.BufferedReader | gzip.GzipFile, size: int) -> None:
        self.path = path
        self.position = 0
        self.size = size  # of the file, packed as it is
        self._stream = stream

    @property
    def is_packed(self) -> bool:
        """Return whether the file is gzip."""
        return isinstance(self._stream, gzip.GzipFile)

    def byte(self, position: int) -> str:
        """Describe a position for error messages; in gzip, after decompression."""
        return f"byte {position}" + (" (unpacked)" if self.is_packed else "")

    def read(self, count: int | None = None) -> bytearray:
        """Read ``count`` bytes, fewer at the end of the file; None reads to the end.

        Raises
        ------
        DataError
            The gzip stream is damaged; or all is read, and that is very much more than
            the file has.
        """
        if count is not None or not self.is_packed:
            return read_up_to(self._read_some, count)
        most = MOST_READ * self.size + (1 << 25)
        data = read_up_to(self._read_some, most)
        if len(data) == most:
            raise DataError(
                f"{printable(self.path)}: unpacks to more than {most:,} bytes, expected {MOST_READ} times "
                "its size at most; if that is right, unpack it first"
            )
        return data

    def _read_some(self, count: int) -> bytes:
        # read1 returns all bytes before the damage, so that its position is exact.
        try:
            chunk = self._stream.read1(count)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f"{printable(self.path)}: gzip stream damaged or truncated at {self.byte(self.position)}: "
                f"{printable(error)}"
            ) from error
        self.position += len(chunk)
        return chunk


def check_regular(path: Path) -> None:
    """Raise DataError unless this is a regular file: a pipe may block for ever."""
    with reading(path):
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(
                f"{printable(path)}: is not a regular file; expected a file, not a pipe or device"
            )


@contextmanager
def open_source(path: Path) -> Iterator[ByteSource]:
    """Open a file to read its bytes; the first two bytes, not the name, tell gzip.

    Raises
    ------
    DataError
        The file is missing, not a regular file, or not readable.
    """
    with reading(path):
        check_regular(path)
        with open(path, "rb") as file:
            packed = file.peek(2)[:2] == GZIP_MAGIC
            size = os.fstat(file.fileno()).st_size
            yield ByteSource(path, gzip.GzipFile(fileobj=file, mode="rb") if packed else file, size)
