"""Vectors of 128, 256 and 512 bits, each in a process of its own: the width is chosen on import."""

import llvmlite.binding as llvm
import pytest
from fastbp_kernels import BITS
from steps import F32_U8, F64_F64, output, python

WIDTHS = [128, 256, 512]


def can_run(width):
    # LLVM emulates wider vectors, but its code for 512 bits takes long to compile where the host has none.
    return width < 512 or llvm.get_host_cpu_features().get("avx512f", False)


def start():
    """A process for each width; conftest.py calls this early."""
    processes = {}
    for width in filter(can_run, WIDTHS):
        # All other tests run at the host's own width.
        pairs = (F32_U8,) if width == BITS else (F32_U8, F64_F64)
        code = f"import width_check; width_check.main(*{pairs})"
        processes[width] = python(code, FASTBP_SIMD_BITS=str(width))
    return processes


@pytest.mark.parametrize("width", WIDTHS)
def test_gradients_and_bits_are_right_at_this_width(width, width_processes):
    if not can_run(width):
        pytest.skip("the host has no AVX-512")
    assert output(width_processes[width]) == f"OK {width}"


@pytest.mark.parametrize("wrong", ["64", "wide", ""])
def test_an_invalid_width_is_refused_in_one_line(wrong):
    process = python("import fastbp_kernels", FASTBP_SIMD_BITS=wrong)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert err.splitlines()[-1] == f"ValueError: FASTBP_SIMD_BITS is {wrong!r}; expected 128, 256 or 512"
