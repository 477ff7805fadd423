"""How files end a process: mapped ones that are cut short, and libraries that abort.

A page of a mapped file that the file no longer has raises SIGBUS, which ends the
process; Python cannot handle it, because the instruction is tried again for ever. The
handler here is machine code. It puts zeros in the place of what is gone, notes that,
and lets the instruction go on: whoever reads the array asks afterwards (`Span.is_cut`).
Other pages, and SIGABRT, by which libraries end that cannot allocate what a file
claims, get the last words that were set (`last_words`), or what would have happened
without this module.

Linux only; elsewhere nothing changes. Signal handlers belong to the whole process.
"""

from __future__ import annotations

import ctypes
import mmap
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from llvmlite import binding, ir

__all__ = ["EXIT_CODE", "Span", "last_words"]

EXIT_CODE = 2  # of a process that ends with last words: that of fastbp's other errors
SPANS = 64  # mapped files at a time; those beyond are not watched
ADDRESS_IN_SIGINFO = 16  # bytes before si_addr, on 64-bit Linux
MAP_FIXED = 0x10
FLAGS = 0x4 | 0x08000000 | 0x10000000  # SA_SIGINFO, SA_ONSTACK, SA_RESTART
IS_SUPPORTED = sys.platform == "linux" and sys.maxsize > 1 << 32

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_lock = threading.Lock()
_spans = np.zeros((SPANS, 3), np.int64)  # first byte, byte after the last, whether it was cut
_words = np.zeros(2, np.int64)  # address and length of what is said before the end
_said: list[bytes] = []  # keeps the bytes alive


class _Action(ctypes.Structure):
    """``struct sigaction`` of glibc and musl."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


_before = {signal.SIGBUS: _Action(), signal.SIGABRT: _Action()} if IS_SUPPORTED else {}


class Span:
    """Memory of a mapped file, watched until `close`."""

    def __init__(self, start: int, length: int) -> None:
        self._row: Any = None
        if not IS_SUPPORTED:
            return
        with _lock:
            _install()
            free = np.flatnonzero(_spans[:, 1] == 0)
            if len(free):
                self._row = _spans[free[0]]
                self._row[:] = start, start + length, 0  # in this order

    @property
    def is_cut(self) -> bool:
        """Return whether bytes were read that the file no longer had."""
        return self._row is not None and bool(self._row[2])

    def close(self) -> None:
        """Stop watching, before the memory is given back."""
        if self._row is not None:
            self._row[:] = 0
            self._row = None


@contextmanager
def last_words(message: str) -> Iterator[None]:
    """Say a message on standard error if the process is ended by SIGBUS or SIGABRT."""
    if not IS_SUPPORTED:
        yield
        return
    text = message.encode() + b"\n"
    with _lock:
        _install()
        before = _words.copy()
        _said.append(text)
        _words[:] = np.frombuffer(text, np.uint8).ctypes.data, len(text)
    try:
        yield
    finally:
        with _lock:
            _words[:] = before
            _said.remove(text)


@cache
def _install() -> Any:
    """Install the handler, once; return what keeps its machine code alive."""
    libc: Any = ctypes.CDLL(None)
    engine = _compiled(libc)
    for number, before in _before.items():
        action = _Action(handler=engine.get_function_address("handle"), flags=FLAGS)
        if libc.sigaction(int(number), ctypes.byref(action), ctypes.byref(before)) != 0:
            raise OSError("sigaction failed")
    return engine


def _compiled(libc: Any) -> Any:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    module = ir.Module("fastbp_faults")
    module.triple = binding.get_process_triple()
    _write_handler(module, libc)
    machine = binding.Target.from_default_triple().create_target_machine()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(str(module)), machine)
    engine.finalize_object()
    return engine


def _number(build: ir.IRBuilder, address: int, row: Any = 0) -> Any:
    """Return the pointer to an int64 of a row of `_spans`, or of `_words`."""
    place = build.add(_long(address), build.mul(_long(row), _long(_spans.strides[0])))
    return build.inttoptr(place, _I64.as_pointer())


def _call_at(build: ir.IRBuilder, function: Any, result: Any, *arguments: Any) -> Any:
    """Call a function of the C library, whose address is that in this process."""
    address = ctypes.cast(function, ctypes.c_void_p).value
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return build.call(build.inttoptr(_long(address), kind.as_pointer()), arguments)


def _long(value: Any) -> Any:
    return ir.Constant(_I64, value) if isinstance(value, int) else value


def _write_handler(module: ir.Module, libc: Any) -> None:
    """Write the handler: ``handle(number, siginfo, context)``."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_I32, _I64, _I64]), "handle")
    number, info, _ = function.args
    start, look, inside, cut, other = (function.append_basic_block(name) for name in "abcde")
    build = ir.IRBuilder(start)
    address = build.load(build.inttoptr(build.add(info, _long(ADDRESS_IN_SIGINFO)), _I64.as_pointer()))
    is_bus = build.icmp_signed("==", number, ir.Constant(_I32, int(signal.SIGBUS)))
    build.cbranch(is_bus, look, other)

    build.position_at_end(look)
    row = build.phi(_I64)
    row.add_incoming(_long(0), start)
    table = _spans.ctypes.data
    first = build.load(_number(build, table, row))
    end = build.load(_number(build, table + 8, row))
    is_inside = build.and_(build.icmp_unsigned(">=", address, first), build.icmp_unsigned("<", address, end))
    following = build.add(row, _long(1))
    row.add_incoming(following, inside)
    build.cbranch(is_inside, cut, inside)

    build.position_at_end(inside)
    build.cbranch(build.icmp_unsigned("<", following, _long(SPANS)), look, other)

    build.position_at_end(cut)
    page = build.and_(address, _long(-mmap.PAGESIZE))
    kind = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_FIXED
    numbers = [ir.Constant(_I32, value) for value in (mmap.PROT_READ | mmap.PROT_WRITE, kind, -1)]
    got = _call_at(build, libc.mmap, _I64, page, build.sub(end, page), *numbers, _long(0))
    build.store(_long(1), _number(build, table + 16, row))
    with build.if_then(build.icmp_signed("!=", got, _long(-1))):
        build.ret_void()
    build.branch(other)

    build.position_at_end(other)
    length = build.load(_number(build, _words.ctypes.data + 8))
    with build.if_then(build.icmp_signed("!=", length, _long(0))):
        text = build.load(_number(build, _words.ctypes.data))
        _call_at(build, libc.write, _I64, ir.Constant(_I32, 2), text, length)
        _call_at(build, libc._exit, ir.VoidType(), ir.Constant(_I32, EXIT_CODE))
    for known, before in _before.items():
        with build.if_then(build.icmp_signed("==", number, ir.Constant(_I32, int(known)))):
            _call_at(build, libc.sigaction, _I32, number, _long(ctypes.addressof(before)), _long(0))
    build.ret_void()
