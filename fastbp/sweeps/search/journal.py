"""A study file: Optuna's journal, which any number of processes read and write at once.

Optuna's own locks are files that stay when their process is killed, and are taken away
after 30 seconds. Here the system holds the lock, and releases it with the process.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, one_line, printable

if TYPE_CHECKING:
    from optuna.storages import JournalStorage

__all__ = ["Lock", "check_journal", "open_storage", "optuna_quietly", "require_optuna"]

LOCK = ".lock"  # end of the name of the file beside the study that is locked
BEGINNING = b'{"op_code":'
BLOCK = 1 << 16  # bytes


def require_optuna() -> None:
    """Raise ConfigError if Optuna is not installed; otherwise keep it quiet."""
    try:
        import optuna
    except ImportError as error:
        raise ConfigError("fastbp search needs optuna: pip install 'fastbp[optuna]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@contextmanager
def optuna_quietly() -> Iterator[None]:
    """Keep Optuna's warnings off the screen, such as that something is experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Lock:
    """Lets one process at a time write to a study; whoever holds it may take it again.

    Taking it also drops the half of a line that a power cut may have left at the end.

    Parameters
    ----------
    path : of the study file

    Raises
    ------
    ConfigError : the file cannot be written, or its file system has no locks
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._depth = 0

    def acquire(self) -> bool:
        """Wait for the lock, and take it; see Optuna's `BaseJournalFileLock`."""
        if self._depth == 0:
            self._file = self._locked()
            _drop_half_line(self._path)
        self._depth += 1
        return True

    def release(self) -> None:
        """Release the lock, once for each time that it was taken."""
        self._depth -= 1
        if self._depth == 0 and self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _locked(self) -> int:
        try:
            import fcntl
        except ImportError as error:  # pragma: no cover
            raise ConfigError(
                "fastbp search needs file locks of POSIX, which this system does not have"
            ) from error
        try:
            descriptor = os.open(f"{self._path}{LOCK}", os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError:
                os.close(descriptor)
                raise
        except OSError as error:
            raise ConfigError(
                f"{printable(self._path)}: cannot be locked ({error.strerror or error}); expected a study "
                "file in a folder that can be written, on a file system with locks"
            ) from error
        return descriptor


class _Journal:
    """Optuna's journal in a file, without its call to the disk for each entry, which
    takes longer than an epoch of a small network; see Optuna's `BaseJournalBackend`.

    What is written survives its process; a power cut may take the last second.
    """

    def __init__(self, path: Path, lock: Lock) -> None:
        from optuna.storages.journal import JournalFileBackend

        self._path, self._lock = path, lock
        self._file = JournalFileBackend(str(path), lock_obj=lock)  # type: ignore[arg-type]
        self._due = 0.0

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the entries from one on."""
        return iter(self._file.read_logs(log_number_from))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add entries at the end."""
        lines = "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in logs)
        with self._lock, self._path.open("ab") as file:
            file.write(lines.encode())
            file.flush()
            if (now := time.monotonic()) >= self._due:
                self._due = now + 1.0
                os.fsync(file.fileno())


def open_storage(path: Path, lock: Lock) -> JournalStorage:
    """Open a study file; it is created if it does not exist.

    Raises
    ------
    ConfigError : it cannot be written, is damaged, or is something else
    """
    from optuna.storages import JournalStorage

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with lock, optuna_quietly():
            return JournalStorage(_Journal(path, lock))  # type: ignore[arg-type]
    except OSError as error:
        raise ConfigError(
            f"{printable(path)}: cannot be written ({error.strerror or error}); expected a study file"
        ) from error
    except ConfigError:
        raise
    except Exception as error:  # what is no journal fails anywhere in the code that replays it
        raise ConfigError(f"{printable(path)}: is damaged ({one_line(repr(error))}); {_WAY_OUT}") from error


_WAY_OUT = "restore it from a copy, or name another --study to begin anew"


def check_journal(path: Path) -> None:
    """Raise ConfigError for a line that is not one of a journal.

    Optuna would leave out a damaged last line, and fail after the next.
    """
    if not path.exists():
        return
    number = 0
    try:
        with path.open("rb") as file:
            for line in file:
                number += 1
                if _is_half(line):
                    break  # is being written, or was when the power went
                entry: Any = json.loads(line)
                if not isinstance(entry, dict) or "op_code" not in entry:
                    raise ValueError("not an entry of a journal")
    except OSError as error:
        raise ConfigError(
            f"{printable(path)}: cannot be read ({error.strerror or error}); expected a study file"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{printable(path)}: line {number} is damaged ({one_line(error)}); {_WAY_OUT}"
        ) from error


def _is_half(line: bytes) -> bool:
    """Return whether a line is the beginning of an entry, and not the whole."""
    return not line.endswith(b"\n") and (line.startswith(BEGINNING) or BEGINNING.startswith(line))


def _drop_half_line(path: Path) -> None:
    """Cut a journal after its last whole line; only whoever holds the lock may."""
    try:
        size = path.stat().st_size
    except OSError:
        return
    with path.open("r+b") as file:
        begin, tail = size, b""
        while begin > 0 and b"\n" not in tail:
            begin = max(0, begin - BLOCK)
            file.seek(begin)
            tail = file.read(size - begin)
            if tail.endswith(b"\n"):
                return
        last = tail.rpartition(b"\n")[2]
        if last and _is_half(last):
            file.truncate(size - len(last))
