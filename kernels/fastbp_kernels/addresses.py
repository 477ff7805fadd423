"""Pointers from addresses, and pointers of another type. Nothing is checked."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from .annotations import NumbaType, Value
from .jit import intrinsic

__all__ = ["at_address", "has_type_of", "places_at", "retyped"]

_pointer_to: Any = types.CPointer


@intrinsic
def at_address(typing: Any, like: NumbaType, address: NumbaType) -> Any:
    """Return the pointer to an address, of the type of ``like``."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        return builder.inttoptr(args[1], args[0].type)

    return like(like, types.int64), emit


@intrinsic
def places_at(typing: Any, address: NumbaType) -> Any:
    """Return the pointer to an address of int32, the places of `dense.Lists`."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        return builder.inttoptr(args[0], ir.IntType(32).as_pointer())

    return _pointer_to(types.int32)(types.int64), emit


@intrinsic
def retyped(typing: Any, base: NumbaType, like: NumbaType) -> Any:
    """Return the pointer ``base`` with the type of ``like``."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        return builder.bitcast(args[0], args[1].type)

    return like(base, like), emit


@intrinsic
def has_type_of(typing: Any, base: NumbaType, like: NumbaType) -> Any:
    """Return whether two pointers have one type, a compile-time constant."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        return ir.Constant(ir.IntType(1), int(signature.args[0] == signature.args[1]))

    return types.boolean(base, like), emit
