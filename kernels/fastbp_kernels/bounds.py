"""A build that checks every address, to find out which kernel leaves which array.

With ``FASTBP_CHECK_BOUNDS=1`` each load and store of the kernels, also those in tiles,
first asks whether all of its bytes lie in one array of a call that runs now. If not, it
goes to a place that nobody reads, and the call raises IndexError when it ends: what was
read or written, by which function, and beyond which array. A read-only array must not
be written to. Numba also checks the indices of arrays. Such a build is 10 to 100 times
slower, and its machine code has a cache folder of its own.

An access that stays in an array, but takes another element than it should, passes:
pointers know no rows.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba.core import lowering
from numpy.typing import NDArray

__all__ = ["CheckedLower", "remember", "watched"]

I8, I64 = ir.IntType(8), ir.IntType(64)
ADDRESS = I8.as_pointer()

ROWS, HEADER = 8192, 8
"""Arrays of all calls that run at once; numbers in front of them."""
HIGHEST, TROUBLES, PLACE, SIZE, WRITES, WHERE = range(6)

_table = np.zeros(HEADER + 3 * ROWS, np.int64)
"""First address, the one after the last, and whether it may be written to, of each."""
_nowhere = np.zeros(4096, np.uint8)
_names: dict[int, str] = {}
_free = list(range(ROWS))[::-1]
_lock = threading.Lock()
_behind: dict[int, list[NDArray[Any]]] = {}

STACK = 1 << 18
"""Bytes from the check's own frame on that are taken for variables of its callers."""

CHECK = f"""
declare ptr @llvm.frameaddress.p0(i32)

define i64 @fastbp_checked(i64 %place, i64 %size, i64 %writes, i64 %where) noinline {{
entry:
  %table = inttoptr i64 {_table.ctypes.data} to ptr
  %end = add i64 %place, %size
  %frame = call ptr @llvm.frameaddress.p0(i32 0)
  %here = ptrtoint ptr %frame to i64
  %up = sub i64 %place, %here
  %own = icmp ult i64 %up, {STACK}
  br i1 %own, label %found, label %look
look:
  %highest = load volatile i64, ptr %table
  %some = icmp sgt i64 %highest, 0
  br i1 %some, label %loop, label %outside
loop:
  %i = phi i64 [0, %look], [%next, %again]
  %three = mul i64 %i, 3
  %at = add i64 %three, {HEADER}
  %row = getelementptr i64, ptr %table, i64 %at
  %stop_at = getelementptr i64, ptr %row, i64 1
  %may_at = getelementptr i64, ptr %row, i64 2
  %start = load volatile i64, ptr %row
  %stop = load volatile i64, ptr %stop_at
  %may = load volatile i64, ptr %may_at
  %after = icmp sge i64 %place, %start
  %before = icmp sle i64 %end, %stop
  %allowed = icmp sge i64 %may, %writes
  %inside = and i1 %after, %before
  %good = and i1 %inside, %allowed
  br i1 %good, label %found, label %again
again:
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %highest
  br i1 %more, label %loop, label %outside
found:
  ret i64 %place
outside:
  %count = getelementptr i64, ptr %table, i64 {TROUBLES}
  %old = atomicrmw add ptr %count, i64 1 seq_cst
  %first = icmp eq i64 %old, 0
  br i1 %first, label %note, label %away
note:
  %a = getelementptr i64, ptr %table, i64 {PLACE}
  store i64 %place, ptr %a
  %b = getelementptr i64, ptr %table, i64 {SIZE}
  store i64 %size, ptr %b
  %c = getelementptr i64, ptr %table, i64 {WRITES}
  store i64 %writes, ptr %c
  %d = getelementptr i64, ptr %table, i64 {WHERE}
  store i64 %where, ptr %d
  br label %away
away:
  ret i64 {_nowhere.ctypes.data}
}}
"""


def _build() -> Any:
    """Compile `CHECK`, and make it known to the linker of the kernels."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(CHECK), machine)
    engine.finalize_object()
    llvm.add_symbol("fastbp_checked", engine.get_function_address("fastbp_checked"))
    return engine


_engine = _build()


# ------------------------------------------------------------------------ instructions
def _bytes_of(kind: ir.Type) -> int:
    """Return the bytes of a scalar, pointer or vector; 0 for anything else."""
    if isinstance(kind, ir.VectorType):
        return int(kind.count) * _bytes_of(kind.element)
    if isinstance(kind, ir.IntType):
        return -(-int(kind.width) // 8)
    sizes = {ir.FloatType: 4, ir.DoubleType: 8, ir.PointerType: 8}
    return next((size for one, size in sizes.items() if isinstance(kind, one)), 0)


def _is_own(pointer: Any, function: ir.Function) -> bool:
    """Return whether a pointer leads to what Numba made: variables, results, errors."""
    while isinstance(pointer, ir.GEPInstr | ir.CastInstr) and pointer.opname != "inttoptr":
        pointer = pointer.operands[0]
    own = ir.AllocaInstr, ir.GlobalVariable, ir.Constant
    return isinstance(pointer, own) or pointer in function.args[:2]


def _check_function(function: ir.Function, name: str) -> None:
    """Have each load and store of a function checked first."""
    module = function.module
    kind = ir.FunctionType(I64, [I64] * 4)
    check = module.globals.get("fastbp_checked") or ir.Function(module, kind, "fastbp_checked")
    text = bytearray(name.encode() + b"\0")
    where = ir.GlobalVariable(module, ir.ArrayType(I8, len(text)), f"{function.name}.where")
    where.linkage, where.global_constant = "internal", True
    where.initializer = ir.Constant(where.type.pointee, text)
    for block in function.blocks:
        for instruction in list(block.instructions):
            place = {"load": 0, "load atomic": 0, "store": 1, "atomicrmw": 0}.get(instruction.opname)
            if place is not None and not _is_own(instruction.operands[place], function):
                _check_before(instruction, place, check, where)


def _check_before(instruction: Any, place: int, check: ir.Function, where: ir.GlobalVariable) -> None:
    """Replace the pointer of an instruction by what the check returns."""
    writes = instruction.opname in ("store", "atomicrmw")
    pointer = instruction.operands[place]
    size = _bytes_of(instruction.operands[0].type if instruction.opname == "store" else instruction.type)
    if not size:
        return
    b = ir.IRBuilder()
    b.position_before(instruction)
    given = b.ptrtoint(pointer, I64), ir.Constant(I64, size), ir.Constant(I64, int(writes))
    checked = b.inttoptr(b.call(check, [*given, b.ptrtoint(where, I64)]), pointer.type)
    operands = list(instruction.operands)
    operands[place] = checked
    instruction.operands = type(instruction.operands)(operands)


class CheckedLower(lowering.Lower):
    """Numba's step from types to instructions, with checks."""

    def lower_normal_function(self, fndesc: Any) -> None:
        """Write the instructions of a function, and checks before them."""
        write: Any = super().lower_normal_function
        write(fndesc)
        _check_function(self.function, f"{fndesc.modname.rpartition('.')[2]}.{fndesc.qualname}")


# ------------------------------------------------------------------------------- calls
def remember(plan: NDArray[np.int64], buffers: Iterable[NDArray[Any]]) -> None:
    """Allow calls with this plan to touch the buffers that it has addresses of."""
    _behind[plan.ctypes.data] = list(buffers)


def _arrays(value: Any, name: str) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the arrays of an argument, with their names."""
    if isinstance(value, np.ndarray):
        yield name, value
        for number, buffer in enumerate(_behind.get(value.ctypes.data, ())):
            yield f"buffer {number} of {name}", buffer
    elif isinstance(value, tuple):
        for field, part in zip(getattr(value, "_fields", range(len(value))), value, strict=True):
            yield from _arrays(part, f"{name}.{field}" if name else str(field))


@contextmanager
def _allowed(arrays: list[tuple[str, NDArray[Any]]]) -> Iterator[None]:
    """Allow compiled code to touch these arrays."""
    with _lock:
        rows = [_free.pop() for _ in arrays]
        _table[HIGHEST] = max(_table[HIGHEST], max(rows, default=-1) + 1)
        for row, (name, array) in zip(rows, arrays, strict=True):
            _names[row], first = name, array.ctypes.data
            # In this order, for threads that look at the row meanwhile.
            _table[HEADER + 3 * row] = first
            _table[HEADER + 3 * row + 2] = int(array.flags.writeable)
            _table[HEADER + 3 * row + 1] = first + array.nbytes
    try:
        yield
    finally:
        with _lock:
            trouble = _trouble() if _table[TROUBLES] else None
            for row in rows:
                _table[HEADER + 3 * row + 1] = 0
                _free.append(row)
    if trouble:
        raise IndexError(trouble)


def _trouble() -> str:
    """Return what is known of the first access outside of all arrays."""
    place, size, writes, where = _table[PLACE : WHERE + 1].tolist()
    rows = _table[HEADER:].reshape(-1, 3)[: _table[HIGHEST]]
    apart = np.maximum(rows[:, 0] - place, place + size - rows[:, 1])
    apart[rows[:, 1] == 0] = np.iinfo(np.int64).max
    row = int(apart.argmin())
    start, stop, _ = rows[row].tolist()
    function = ctypes.string_at(where).decode()
    verb = "writes" if writes else "reads"
    found = f"{function} {verb} {size} bytes at {place - start} of {stop - start} bytes of {_names[row]}"
    _table[TROUBLES] = 0
    return found


def watched(entry: Callable[..., Any]) -> Callable[..., Any]:
    """Return a compiled function that may touch only arrays among its arguments.

    Raises
    ------
    IndexError
        When it ends, if it, or another such function meanwhile, touched anything else.
    """

    @functools.wraps(entry)
    def call(*arguments: Any) -> Any:
        with _allowed(list(_arrays(arguments, ""))):
            return entry(*arguments)

    return call
