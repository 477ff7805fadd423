"""What the parameters of kernels are, by name: read by people and type checkers, never run.

Numba infers its own types from the arguments of each call.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, TypeVar

from numpy.typing import NDArray

__all__ = [
    "BytePointer",
    "FloatArray",
    "FloatPointer",
    "ImageArray",
    "ImagePointer",
    "IntPointer",
    "NumbaType",
    "Pointer",
    "Range",
    "Real",
    "Value",
    "Vector",
    "Word",
    "WordPointer",
]

T = TypeVar("T")


class Pointer(Protocol[T]):
    """Address of numbers of one type; nothing knows how many there are."""

    def __getitem__(self, index: Any) -> T: ...

    def __setitem__(self, index: Any, value: T) -> None: ...


FloatPointer: TypeAlias = Pointer[Any]
"""To numbers of the parameters' type, float32 or float64."""
ImagePointer: TypeAlias = Pointer[Any]
"""To inputs: uint8, float32 or float64."""
BytePointer: TypeAlias = Pointer[Any]
"""To uint8."""
IntPointer: TypeAlias = Pointer[int]
"""To int64."""
WordPointer: TypeAlias = Pointer[Any]
"""To uint64: random bits."""

FloatArray: TypeAlias = NDArray[Any]
"""Of the parameters' type, float32 or float64."""
ImageArray: TypeAlias = NDArray[Any]
"""Inputs: uint8, float32 or float64."""

Real: TypeAlias = Any
"""One number of the parameters' type."""
Word: TypeAlias = Any
"""uint64: 64 random bits, or a key."""
Vector: TypeAlias = Any
"""A register full of numbers, `fastbp_kernels.simd.Vector`."""
Range: TypeAlias = tuple[int, int]
"""First, and the one after the last."""

NumbaType: TypeAlias = Any
"""Of an argument, where an intrinsic states its signature."""
Value: TypeAlias = Any
"""What an LLVM instruction has computed."""
