"""Vectors of the host's width as values in compiled code.

A vector is a Numba value of type ``Vector(float32 | float64)``; functions below load,
store and combine vectors. `fastbp_kernels.target` chooses the width. Pointers are Numba
``CPointer``; offsets count elements. Nothing is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from .jit import intrinsic
from .target import BITS, HAS_FMA

__all__ = [
    "Emitter",
    "Vector",
    "add",
    "divide",
    "first_equal",
    "first_lane",
    "fma",
    "itemsize",
    "lanes",
    "largest",
    "load",
    "maximum",
    "minimum",
    "multiply",
    "offset",
    "operation",
    "pointer",
    "pointers",
    "prefetch",
    "real",
    "splat",
    "square_root",
    "store",
    "subtract",
    "total",
    "transpose_square",
    "width",
]

I1, I8, I32, I64 = (ir.IntType(n) for n in (1, 8, 32, 64))


def lanes(dtype: Any) -> int:
    """Return the elements of one vector."""
    return BITS // int(dtype.bitwidth)


class Vector(types.Type):
    """Numba type of one register of ``dtype``."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(f"vector{BITS}({dtype})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        initialise: Any = super().__init__
        initialise(manager, vector, Emitter.of(vector.dtype).vector)


class Emitter:
    """Writes vector instructions for one element type with an LLVM builder."""

    def __init__(self, builder: Any, element: ir.Type, size: int) -> None:
        self.builder = builder
        self.element = element
        self.size = size
        self.lanes = BITS // (8 * size)
        self.vector = ir.VectorType(element, self.lanes)
        self.suffix = f"v{self.lanes}f{8 * size}"

    @classmethod
    def of(cls, dtype: Any, builder: ir.IRBuilder | None = None) -> Emitter:
        """Return an Emitter for a Numba scalar, or a pointer to or vector of one."""
        dtype = getattr(dtype, "dtype", dtype)
        return cls(
            builder, ir.FloatType() if dtype == types.float32 else ir.DoubleType(), dtype.bitwidth // 8
        )

    def constant(self, value: float) -> ir.Constant:
        """Return a vector with one number in every lane."""
        return ir.Constant(self.vector, [value] * self.lanes)

    def int64(self, value: int) -> ir.Constant:
        """Return an integer constant."""
        return ir.Constant(I64, value)

    def at(self, base: Any, *offsets: Any) -> Any:
        """Return the pointer ``base + sum(offsets)``, in elements."""
        total = offsets[0]
        for offset in offsets[1:]:
            total = self.builder.add(total, offset)
        return self.builder.gep(base, [total])

    def load(self, pointer: Any, vector: ir.Type | None = None) -> Any:
        """Load a vector; the pointer need not be aligned."""
        vector = vector or self.vector
        return self.builder.load(self.builder.bitcast(pointer, vector.as_pointer()), align=self.size)

    def store(self, value: Any, pointer: Any) -> None:
        """Store a vector; the pointer need not be aligned."""
        self.builder.store(value, self.builder.bitcast(pointer, value.type.as_pointer()), align=self.size)

    def scalar(self, pointer: Any) -> Any:
        """Load the element at a pointer."""
        return self.builder.load(pointer, align=self.size)

    def splat(self, scalar: Any) -> Any:
        """Return a vector with a scalar in every lane."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
        return self.shuffle(first, undefined, [0] * self.lanes)

    def shuffle(self, a: Any, b: Any, picks: Sequence[int]) -> Any:
        """Return lanes picked from the concatenation of two vectors."""
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(picks)), list(picks)))

    def call(self, name: str, result: ir.Type, *args: Any) -> Any:
        """Call an LLVM intrinsic."""
        module = self.builder.module
        function = module.globals.get(name) or ir.Function(
            module, ir.FunctionType(result, [a.type for a in args]), name
        )
        return self.builder.call(function, args)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """``a * b + c``, rounded once if the machine supports it."""
        if HAS_FMA:
            return self.call(f"llvm.fma.{self.suffix}", self.vector, a, b, c)
        return self.builder.fadd(self.builder.fmul(a, b), c)

    def prefetch(self, pointer: Any) -> None:
        """Prefetch a cache line. Never faults, whatever the address."""
        byte = self.builder.bitcast(pointer, I8.as_pointer())
        self.call("llvm.prefetch.p0", ir.VoidType(), byte, *(ir.Constant(I32, n) for n in (0, 3, 1)))

    def loop(
        self, count: Any, carried: Sequence[Any], body: Callable[[Any, Sequence[Any]], Sequence[Any]]
    ) -> list[Any]:
        """Emit ``for k in range(count): carried = body(k, carried)``, all of it in
        registers. ``count`` must be at least 1.
        """
        b = self.builder
        entry, loop, done = b.block, b.append_basic_block("loop"), b.append_basic_block("done")
        b.branch(loop)
        b.position_at_end(loop)
        k = b.phi(I64)
        k.add_incoming(self.int64(0), entry)
        state = [b.phi(value.type) for value in carried]
        for phi, value in zip(state, carried, strict=True):
            phi.add_incoming(value, entry)
        out = body(k, state)
        following = b.add(k, self.int64(1))
        k.add_incoming(following, b.block)
        for phi, value in zip(state, out, strict=True):
            phi.add_incoming(value, b.block)
        b.cbranch(b.icmp_signed("<", following, count), loop, done)
        b.position_at_end(done)
        return list(out)

    def fold(self, vectors: Sequence[Any]) -> Any:
        """Sum the lanes of ``n`` vectors (a power of two up to the lanes) into one
        vector of ``n`` sums, in their order.

        Every sum adds lane ``i`` to lane ``i + width/2``, then quarters, and so on: the
        order does not depend on ``n``, so a sum has the same bits whichever neighbours
        it is computed with.
        """
        vectors = list(vectors)
        segment = self.lanes  # lanes that still belong to one sum
        while segment > 1:
            if len(vectors) > 1:
                # Pairing i with i + n/2 leaves the sums in their natural order.
                middle = len(vectors) // 2
                pairs = list(zip(vectors[:middle], vectors[middle:], strict=True))
            else:
                pairs = [(vectors[0], None)]
            vectors = [self._halve(low, high, segment) for low, high in pairs]
            segment //= 2
        return vectors[0]

    def transpose(self, vectors: Sequence[Any]) -> list[Any]:
        """Transpose a square: lane ``j`` of vector ``i`` becomes lane ``i`` of ``j``.

        Each of log2(lanes) rounds exchanges halves, then quarters, and so on, of pairs
        of vectors.
        """
        rows, distance = list(vectors), self.lanes // 2
        while distance:
            keeps = [lane & distance == 0 for lane in range(self.lanes)]
            for i in (i for i in range(self.lanes) if not i & distance):
                a, b = rows[i], rows[i + distance]
                from_low = [n if keep else self.lanes + n - distance for n, keep in enumerate(keeps)]
                from_high = [n + distance if keep else self.lanes + n for n, keep in enumerate(keeps)]
                rows[i], rows[i + distance] = self.shuffle(a, b, from_low), self.shuffle(a, b, from_high)
            distance //= 2
        return rows

    def _halve(self, low: Any, high: Any, segment: int) -> Any:
        """Add the halves of each segment; sums of ``low`` and ``high`` alternate."""
        half, size = segment // 2, low.type.count
        left: list[int] = []
        for start in range(0, size, segment):
            for vector in (0,) if high is None else (0, size):
                left += range(vector + start, vector + start + half)
        right = [lane + half for lane in left]
        high = low if high is None else high
        return self.builder.fadd(self.shuffle(low, high, left), self.shuffle(low, high, right))


# ---------------------------------------------------------------------------- pointers
def _pointer_to(dtype: Any) -> Any:
    make: Any = types.CPointer
    return make(dtype)


@intrinsic
def pointer(typing: Any, array: Any) -> Any:
    """Return a pointer to an array, which must be C-contiguous and stay alive."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, args[0]).data

    return _pointer_to(array.dtype)(array), emit


def _kind_of_pointers(kind: Any) -> Any:
    """Return the Numba type of a group with its arrays replaced by pointers."""
    if isinstance(kind, types.Array):
        return _pointer_to(kind.dtype)
    if isinstance(kind, types.BaseTuple):
        make: Any = types.BaseTuple.from_types
        members: Any = kind
        return make([_kind_of_pointers(member) for member in members], getattr(kind, "instance_class", None))
    return kind


def _write_pointers(context: Any, builder: ir.IRBuilder, kind: Any, value: Any) -> Any:
    if isinstance(kind, types.Array):
        return context.make_array(kind)(context, builder, value).data
    if isinstance(kind, types.BaseTuple):
        members: Any = kind
        parts = [
            _write_pointers(context, builder, member, builder.extract_value(value, number))
            for number, member in enumerate(members)
        ]
        return context.make_tuple(builder, _kind_of_pointers(kind), parts)
    return value


@intrinsic
def pointers(typing: Any, group: Any) -> Any:
    """Return the named tuple with each array, nested ones too, replaced by a pointer.

    Numba counts references to arrays in every tuple that is passed on, but not to
    pointers. The arrays must be C-contiguous and stay alive.
    """

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return _write_pointers(context, builder, signature.args[0], args[0])

    return _kind_of_pointers(group)(group), emit


@intrinsic
def real(typing: Any, base: Any, number: Any) -> Any:
    """Convert a number to the type that ``base`` points to."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return context.cast(builder, args[1], signature.args[1], signature.return_type)

    return base.dtype(base, number), emit


@intrinsic
def itemsize(typing: Any, base: Any) -> Any:
    """Return the bytes of an element of ``base``, a compile-time constant."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return ir.Constant(I64, int(signature.args[0].dtype.bitwidth) // 8)

    return types.int64(base), emit


@intrinsic
def offset(typing: Any, base: Any, elements: Any) -> Any:
    """``base + elements``."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]])

    return base(base, types.int64), emit


@intrinsic
def prefetch(typing: Any, base: Any, elements: Any) -> Any:
    """Prefetch the cache line of ``base[elements]``. Never faults."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        Emitter.of(types.float32, builder).prefetch(builder.gep(args[0], [args[1]]))
        return context.get_dummy_value()

    return types.void(base, types.int64), emit


# ---------------------------------------------------- vectors in compiled code
def operation(arity: int, write: Callable[..., Any]) -> Any:
    """Return an intrinsic that maps ``arity`` vectors of one type to a vector."""

    def typed(first: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            return write(Emitter.of(signature.return_type, builder), *args)

        return first(*[first] * arity), emit

    if arity == 1:

        @intrinsic
        def one(typing: Any, a: Any) -> Any:
            return typed(a)

        return one
    if arity == 2:

        @intrinsic
        def two(typing: Any, a: Any, b: Any) -> Any:
            return typed(a)

        return two

    @intrinsic
    def three(typing: Any, a: Any, b: Any, c: Any) -> Any:
        return typed(a)

    return three


@intrinsic
def width(typing: Any, base: Any) -> Any:
    """Return the elements of a vector of ``base``'s type, a compile-time constant."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return ir.Constant(I64, lanes(signature.args[0].dtype))

    return types.int64(base), emit


@intrinsic
def load(typing: Any, base: Any, elements: Any) -> Any:
    """Load the vector ``base[elements:]``."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        e = Emitter.of(signature.args[0], builder)
        return e.load(e.at(*args))

    return Vector(base.dtype)(base, types.int64), emit


@intrinsic
def store(typing: Any, base: Any, elements: Any, vector: Any) -> Any:
    """``base[elements:] = vector``."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        e = Emitter.of(signature.args[0], builder)
        e.store(args[2], e.at(args[0], args[1]))
        return context.get_dummy_value()

    return types.void(base, types.int64, vector), emit


@intrinsic
def transpose_square(typing: Any, source: Any, source_row: Any, target: Any, target_row: Any) -> Any:
    """``target[j, i] = source[i, j]``, for the lanes of one vector both ways."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        e = Emitter.of(signature.args[0], builder)
        source, source_row, target, target_row = args
        rows = [e.load(e.at(source, builder.mul(source_row, e.int64(i)))) for i in range(e.lanes)]
        for j, column in enumerate(e.transpose(rows)):
            e.store(column, e.at(target, builder.mul(target_row, e.int64(j))))
        return context.get_dummy_value()

    return types.void(source, types.int64, target, types.int64), emit


@intrinsic
def splat(typing: Any, scalar: Any) -> Any:
    """Return a vector of the scalar's type with the scalar in every lane."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return Emitter.of(signature.args[0], builder).splat(args[0])

    return Vector(scalar)(scalar), emit


def _reduction(write: Callable[[Emitter, Any], Any]) -> Any:
    @intrinsic
    def reduce(typing: Any, vector: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            return write(Emitter.of(signature.args[0], builder), args[0])

        return vector.dtype(vector), emit

    return reduce


def _select_larger(e: Emitter, a: Any, b: Any) -> Any:
    return e.builder.select(e.builder.fcmp_ordered(">", a, b), a, b)


def _select_smaller(e: Emitter, a: Any, b: Any) -> Any:
    return e.builder.select(e.builder.fcmp_ordered("<", a, b), a, b)


def _largest(e: Emitter, vector: Any) -> Any:
    lanes_left = e.lanes
    while lanes_left > 1:
        lanes_left //= 2
        low = e.shuffle(vector, vector, range(lanes_left))
        high = e.shuffle(vector, vector, range(lanes_left, 2 * lanes_left))
        vector = e.builder.select(e.builder.fcmp_ordered(">", low, high), low, high)
    return e.builder.extract_element(vector, ir.Constant(I32, 0))


@intrinsic
def first_equal(typing: Any, a: Any, b: Any) -> Any:
    """Return the first lane in which both are equal; 2**62 if there is none."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        e = Emitter.of(signature.args[0], builder)
        mask = builder.bitcast(builder.fcmp_ordered("==", *args), ir.IntType(e.lanes))
        wide = builder.zext(mask, I64)
        none = builder.icmp_unsigned("==", wide, ir.Constant(I64, 0))
        return builder.select(none, ir.Constant(I64, 2**62), builder.cttz(wide, ir.Constant(I1, 0)))

    return types.int64(a, b), emit


add = operation(2, lambda e, a, b: e.builder.fadd(a, b))
subtract = operation(2, lambda e, a, b: e.builder.fsub(a, b))
multiply = operation(2, lambda e, a, b: e.builder.fmul(a, b))
maximum = operation(2, _select_larger)
minimum = operation(2, _select_smaller)
divide = operation(2, lambda e, a, b: e.builder.fdiv(a, b))
square_root = operation(1, lambda e, a: e.call(f"llvm.sqrt.{e.suffix}", e.vector, a))
fma = operation(3, lambda e, a, b, c: e.fma(a, b, c))
first_lane = _reduction(lambda e, v: e.builder.extract_element(v, ir.Constant(I32, 0)))
total = _reduction(lambda e, v: e.builder.extract_element(e.fold([v]), ir.Constant(I32, 0)))
largest = _reduction(_largest)
