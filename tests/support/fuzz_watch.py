"""What a reader does with one file: its answer, time, memory, and what it must not touch."""

import contextlib
import os
import sys
import time
from dataclasses import dataclass

from fastbp.errors import FastbpError

SECOND = 1.0  # of processor time: the most for one input
FREE = 64 << 20  # bytes that any input may allocate
TIMES = 10  # and this many times its size beside
LONGEST_MESSAGE = 2000
FORBIDDEN = {
    "pickle.find_class",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "subprocess.Popen",
    "socket.connect",
}
SPARE = 8 << 30  # bytes of address space: an input that wants more fails


@dataclass(frozen=True)
class Outcome:
    """What became of one input."""

    kind: str  # "accepted", "refused", or "finding"
    detail: str
    seconds: float
    allocated: int


class Guard:
    """Notes what no reader may do: run something, unpickle, connect, or write a file.

    Audit hooks last as long as the process, so there is one guard in it.
    """

    def __init__(self):
        self.seen = []
        self.is_watching = False
        sys.addaudithook(self._hook)

    def _hook(self, event, arguments):
        if not self.is_watching:
            return
        if event in FORBIDDEN:
            self.seen.append(f"{event} {arguments}"[:200])
        elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            self.seen.append(f"writes {arguments[0]}"[:200])

    @contextlib.contextmanager
    def watching(self):
        self.seen.clear()
        self.is_watching = True
        try:
            yield
        finally:
            self.is_watching = False


def limit_address_space():
    """Let a reader that wants very much memory fail, rather than this machine."""
    import resource

    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + SPARE,) * 2)


class Peak:
    """Bytes of memory that were in use at most since `start`, above what was then."""

    def __init__(self):
        self._clear = os.open("/proc/self/clear_refs", os.O_WRONLY)
        self._status = os.open("/proc/self/status", os.O_RDONLY)

    def start(self):
        os.write(self._clear, b"5")
        self._before = self._field(b"VmRSS")

    def allocated(self):
        return max(0, self._field(b"VmHWM") - self._before)

    def _field(self, name):
        text = os.pread(self._status, 4096, 0)
        start = text.index(name) + len(name) + 1
        return int(text[start : text.index(b"kB", start)]) * 1024


def watch(reader, path, data, guard, peak=None):
    """Let a reader read one input, and return what became of it."""
    path.write_bytes(data)
    if peak:
        peak.start()
    begin = time.process_time()
    kind, detail = "accepted", ""
    with guard.watching():
        try:
            found = reader.read(path)
        except FastbpError as error:
            kind, detail = "refused", str(error)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            kind, detail = "finding", f"{type(error).__name__}: {error}"[:300]
    seconds = time.process_time() - begin
    allocated = peak.allocated() if peak else 0
    if kind == "accepted":
        try:
            wrong = reader.wrong(data, found)
        except Exception as error:  # it finds the file damaged
            wrong = f"{type(error).__name__}: {error}"[:200]
        kind, detail = ("finding", f"accepted wrongly: {wrong}") if wrong else (kind, detail)
    elif kind == "refused":
        kind, detail = _checked_message(detail)
    if guard.seen:
        kind, detail = "finding", f"forbidden: {guard.seen[0]}"
    elif kind != "finding" and seconds > SECOND:
        kind, detail = "finding", f"slow: {seconds:.2f} s"
    elif kind != "finding" and allocated > FREE + TIMES * len(data):
        kind, detail = "finding", f"allocated {allocated >> 20} MB for {len(data)} bytes"
    return Outcome(kind, detail, seconds, allocated)


def _checked_message(text):
    if "does not fit in memory" in text:
        return "finding", f"wanted more than {SPARE >> 30} GB: {text}"[:300]
    if not text.isprintable():
        return "finding", f"message of several lines or with controls: {text!r}"[:300]
    if len(text) > LONGEST_MESSAGE:
        return "finding", f"message of {len(text)} characters: {text}"[:300]
    return "refused", text
