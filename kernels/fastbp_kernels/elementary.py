"""Elementary functions on vectors, with errors of a few units in the last place.

Each function reduces its argument exactly and then sums a series. The `Emitter`
functions write LLVM instructions; the last lines of the file wrap them for compiled
code.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from llvmlite import ir

from .annotations import Value
from .simd import Emitter, operation

__all__ = [
    "exp",
    "log",
    "log1p_exp",
    "logistic",
    "write_erfcx",
    "write_exp",
    "write_expm1",
    "write_logistics",
    "write_size",
]

I32, I64 = ir.IntType(32), ir.IntType(64)

# Coefficients of (1 + 2 y) exp(y^2) erfc(y) as a polynomial in
# t = (y - 3.75) / (y + 3.75), lowest power first: Chebyshev series, cut where the next
# term is below 5e-9 (float32) and 6e-17 (float64), converted to powers.
ERFCX_MIDDLE = 3.75
ERFCX_SINGLE = (
    1.2375126300326993,
    -0.1402406583213864,
    0.00358549531406309,
    0.08227841998347046,
    -0.10880522754949953,
    0.09229076959130378,
    -0.05868544049363111,
    0.02840925236412726,
    -0.009770087183368234,
    0.001675912217981131,
    0.00033016745627228067,
    -0.00022411674674416022,
    2.2046718905694024e-05,
)
ERFCX_DOUBLE = (
    1.2375126308378275,
    -0.14024059858554697,
    0.0035854154854644293,
    0.0822767384901452,
    -0.10880393014174886,
    0.09230432116037748,
    -0.05869339858963677,
    0.028362277418956406,
    -0.009746579558029276,
    0.0017556258528952954,
    0.0002937136655913448,
    -0.0002901540805408417,
    5.164909889268241e-05,
    2.238423915508223e-05,
    -1.1444146237700524e-05,
    -9.73559896736775e-07,
    1.751637648849062e-06,
    -5.7218230603224086e-08,
    -2.5866850716155884e-07,
    2.3263508708859124e-08,
    3.8675334242222354e-08,
    -3.744210080962018e-09,
    -5.1739902140113095e-09,
    3.1114333809799254e-10,
    4.2514714447963895e-10,
)


def _reduce(e: Emitter, x: Value) -> tuple[Any, Any, Any]:
    """Reduce ``x = n ln 2 + r``, |r| <= ln(2) / 2, for x <= 0.

    Return r, ``2**n``, and a mask of the x for which 2**n would be subnormal. Those x
    are replaced by the lowest x with a normal result.
    """
    b, single = e.builder, e.size == 4
    integer = ir.VectorType(I32 if single else I64, e.lanes)
    mantissa, bias, lowest = (23, 127, -87.0) if single else (52, 1023, -708.0)
    # Adding 1.5 * 2**mantissa rounds to an integer, which is then in the lowest bits.
    magic = e.constant(1.5 * 2.0**mantissa)
    low = b.fcmp_ordered("<", x, e.constant(lowest))
    x = b.select(low, e.constant(lowest), x)
    shifted = e.fma(x, e.constant(1.4426950408889634), magic)
    n = b.fsub(shifted, magic)
    # ln 2 as a sum of two parts; the first has so few bits that n * part is exact.
    high = 0.693359375 if single else 0.693147180369123816490
    rest = -2.12194440054690583e-4 if single else 1.90821492927058770002e-10
    r = e.fma(n, e.constant(-high), x)
    r = e.fma(n, e.constant(-rest), r)
    exponent = b.shl(b.bitcast(shifted, integer), ir.Constant(integer, [mantissa] * e.lanes))
    power = b.add(exponent, ir.Constant(integer, [bias << mantissa] * e.lanes))
    return r, b.bitcast(power, e.vector), low


def _polynomial(e: Emitter, x: Value, coefficients: Value) -> Value:
    """Return the sum of ``coefficients[k] * x**k``."""
    value = e.constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = e.fma(value, x, e.constant(coefficient))
    return value


def write_exp(e: Emitter, x: Value) -> Value:
    """Return exp(x) for x <= 0.

    With ``x = n ln 2 + r`` and |r| <= ln(2) / 2, exp(x) is the Taylor series in ``r``
    times ``2**n``. The first omitted term is below half a unit in the last place:
    r**8 / 8! = 5e-9 (float32), r**14 / 14! = 4e-18 (float64). Results below the
    smallest normal number are 0. NaN stays NaN.
    """
    r, power, low = _reduce(e, x)
    degree = 7 if e.size == 4 else 13
    value = _polynomial(e, r, [1.0 / math.factorial(k) for k in range(degree + 1)])
    return e.builder.select(low, e.constant(0.0), e.builder.fmul(value, power))


def write_expm1(e: Emitter, x: Value) -> Value:
    """Return exp(x) - 1 for x <= 0, accurate near 0 too.

    Computes ``2**n (exp(r) - 1) + (2**n - 1)`` with the reduction and the series of
    `write_exp`. NaN stays NaN.
    """
    b = e.builder
    r, power, _ = _reduce(e, x)
    degree = 7 if e.size == 4 else 13
    quotient = _polynomial(e, r, [1.0 / math.factorial(k) for k in range(1, degree + 1)])
    return e.fma(b.fmul(r, quotient), power, b.fsub(power, e.constant(1.0)))


def write_size(e: Emitter, x: Value) -> Value:
    """Return |x|."""
    return e.call(f"llvm.fabs.{e.suffix}", e.vector, x)


def write_logistics(e: Emitter, z: Value) -> tuple[Any, Any]:
    """Return ``s(z) = 1 / (1 + exp(-z))`` and ``s(-z)``, both to full precision.

    NaN stays NaN.
    """
    b, one = e.builder, e.constant(1.0)
    power = write_exp(e, b.fmul(write_size(e, z), e.constant(-1.0)))
    large = b.fdiv(one, b.fadd(one, power))
    small = b.fmul(power, large)
    negative = b.fcmp_ordered("<", z, e.constant(0.0))
    return b.select(negative, small, large), b.select(negative, large, small)


def _artanh(e: Emitter, t: Value, terms: int) -> Value:
    """Return ``terms`` terms of ``2 artanh(t) = 2 (t + t**3 / 3 + t**5 / 5 + ...)``."""
    b = e.builder
    series = _polynomial(e, b.fmul(t, t), [1.0 / (2 * k + 1) for k in range(terms)])
    return b.fmul(b.fadd(t, t), series)


def _log1p_exp(e: Emitter, z: Value) -> Value:
    """Return ``log(1 + exp(-|z|))`` to full relative precision.

    With x = exp(-|z|) this is ``2 artanh(x / (2 + x))``. The argument is at most 1/3,
    so the first omitted term is below ``3**-16 / 17 = 1.4e-9`` (float32) and
    ``3**-34 / 35 = 1.8e-18`` (float64), relative to it. NaN stays NaN.
    """
    b = e.builder
    x = write_exp(e, b.fmul(write_size(e, z), e.constant(-1.0)))
    return _artanh(e, b.fdiv(x, b.fadd(x, e.constant(2.0))), 8 if e.size == 4 else 17)


def write_erfcx(e: Emitter, y: Value) -> Value:
    """Return ``exp(y**2) erfc(y)`` for y >= 0, with a relative error below 4 units.

    The result is a polynomial divided by 1 + 2 y. Shepherd & Laframboise, "Chebyshev
    approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < infinity", Math. Comp. 36
    (1981), use one series for all y; the coefficients here were computed anew.
    """
    b, middle = e.builder, e.constant(ERFCX_MIDDLE)
    t = b.fdiv(b.fsub(y, middle), b.fadd(y, middle))
    series = _polynomial(e, t, ERFCX_SINGLE if e.size == 4 else ERFCX_DOUBLE)
    return b.fdiv(series, e.fma(y, e.constant(2.0), e.constant(1.0)))


def _log(e: Emitter, x: Value) -> Value:
    """Return log(x) for finite normal x > 0.

    With ``x = 2**n m`` and ``1/sqrt(2) <= m < sqrt(2)``, ``log m = 2 artanh(t)`` of
    ``t = (m - 1) / (m + 1)``, ``|t| <= 0.1716``. The first omitted term of the series
    is below ``t**11 / 11 = 3.5e-10`` (float32) and ``t**23 / 23 = 1.1e-19`` (float64),
    relative to ``t``. NaN stays NaN.
    """
    b, single = e.builder, e.size == 4
    scalar = I32 if single else I64
    integer = ir.VectorType(scalar, e.lanes)
    mantissa, terms = (23, 5) if single else (52, 11)

    def constant(value: int) -> ir.Constant:
        return ir.Constant(integer, [value] * e.lanes)

    bits = b.bitcast(x, integer)
    # Subtracting the bits of 1/sqrt(2) moves the boundary between exponents to it.
    root = struct.unpack("<I" if single else "<Q", struct.pack("<f" if single else "<d", math.sqrt(0.5)))[0]
    n = b.ashr(b.sub(bits, constant(root)), constant(mantissa))
    m = b.bitcast(b.sub(bits, b.shl(n, constant(mantissa))), e.vector)
    one = e.constant(1.0)
    t = b.fdiv(b.fsub(m, one), b.fadd(m, one))
    value = e.fma(b.sitofp(n, e.vector), e.constant(math.log(2.0)), _artanh(e, t, terms))
    return b.select(b.fcmp_unordered("uno", x, x), x, value)


exp = operation(1, write_exp)
log = operation(1, _log)
log1p_exp = operation(1, _log1p_exp)
logistic = operation(1, lambda e, z: write_logistics(e, z)[0])
