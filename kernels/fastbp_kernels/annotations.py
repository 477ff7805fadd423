"""Type names for the parameters of kernels, for readers and type checkers only.

Numba ignores them and infers types from the arguments of each call.
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
    """Address of elements of one type, without a length."""

    def __getitem__(self, index: Any) -> T: ...

    def __setitem__(self, index: Any, value: T) -> None: ...


FloatPointer: TypeAlias = Pointer[Any]
"""Pointer to float32 or float64, the type of the parameters."""
ImagePointer: TypeAlias = Pointer[Any]
"""Pointer to inputs: uint8, float32 or float64."""
BytePointer: TypeAlias = Pointer[Any]
"""Pointer to uint8."""
IntPointer: TypeAlias = Pointer[int]
"""Pointer to int64."""
WordPointer: TypeAlias = Pointer[Any]
"""Pointer to uint64 random bits."""

FloatArray: TypeAlias = NDArray[Any]
"""Array of float32 or float64, the type of the parameters."""
ImageArray: TypeAlias = NDArray[Any]
"""Array of inputs: uint8, float32 or float64."""

Real: TypeAlias = Any
"""Scalar of the type of the parameters."""
Word: TypeAlias = Any
"""uint64: 64 random bits, or a hash key."""
Vector: TypeAlias = Any
"""One SIMD register of numbers, `fastbp_kernels.simd.Vector`."""
Range: TypeAlias = tuple[int, int]
"""First index, and the index after the last."""

NumbaType: TypeAlias = Any
"""Numba type of an intrinsic's argument."""
Value: TypeAlias = Any
"""Result of an LLVM instruction."""
