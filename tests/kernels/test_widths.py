"""Vectors of 128, 256 and 512 bits, each in a process of its own: the width is chosen on import."""

import pytest

from steps import output, python
from width_check import WIDTHS, can_run


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
