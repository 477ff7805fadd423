"""What code is generated for: the width of vectors, and how many registers there are.

Both are the host's, unless the environment says otherwise, so that the code of one
machine can be tested on another:

* ``FASTBP_SIMD_BITS``: 128, 256 or 512, bits of a vector;
* ``FASTBP_SIMD_REGISTERS``: 16 or 32. On a CPU with AVX-512, 16 also keeps LLVM from
  its instructions, as only they reach the upper registers. With 256 bits, that is the
  code of a CPU with AVX2;
* ``FASTBP_CHECK_BOUNDS``: 1 for code that checks every address, see bounds.py.
"""

from __future__ import annotations

import os
from typing import Any

import llvmlite.binding as llvm
import numba

__all__ = ["BITS", "CHECKS_BOUNDS", "HAS_FMA", "REGISTERS", "target_name"]

_FEATURES = llvm.get_host_cpu_features()
_IS_X86 = bool(_FEATURES.get("sse2", False))
_BEYOND_16 = ("avx512", "avx10", "amx", "evex", "egpr")
"""Prefixes of features with registers or encodings that 16 registers exclude."""


def _chosen(variable: str, default: int, choices: tuple[str, ...]) -> int:
    """Return a number from the environment, or the default."""
    forced = os.environ.get(variable)
    if forced is None:
        return default
    if forced not in choices:
        expected = ", ".join(choices[:-1]) + " or " + choices[-1]
        raise ValueError(f"{variable} is {forced!r}; expected {expected}")
    return int(forced)


BITS = _chosen(
    "FASTBP_SIMD_BITS",
    512 if _FEATURES.get("avx512f") else 256 if _FEATURES.get("avx2") else 128,
    ("128", "256", "512"),
)
"""Bits of a vector."""
REGISTERS = _chosen(
    "FASTBP_SIMD_REGISTERS", 16 if _IS_X86 and not _FEATURES.get("avx512f") else 32, ("16", "32")
)
"""Vector registers: 32 with AVX-512 and on ARM, else 16."""
CHECKS_BOUNDS = bool(_chosen("FASTBP_CHECK_BOUNDS", 0, ("0", "1")))
"""Whether loads and stores are checked."""
HAS_FMA = bool(_FEATURES.get("fma")) or not _IS_X86
"""Whether a fused multiply-add is one instruction."""


def _exclude_upper_registers() -> None:
    """Keep Numba, in this process, from what needs more than 16 registers."""
    config: Any = numba.config
    signs = {name: "+" if on and not name.startswith(_BEYOND_16) else "-" for name, on in _FEATURES.items()}
    config.CPU_FEATURES = ",".join(signs[name] + name for name in sorted(signs))


if REGISTERS == 16 and _FEATURES.get("avx512f"):
    _exclude_upper_registers()


def target_name() -> str:
    """Return everything about the target that machine code depends on."""
    features = ",".join(f"{name}={on}" for name, on in sorted(_FEATURES.items()))
    return f"{llvm.get_host_cpu_name()} {features} {BITS} {REGISTERS} {CHECKS_BOUNDS}"
