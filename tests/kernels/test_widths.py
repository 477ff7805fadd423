"""Vectors of 128, 256 and 512 bits with 16 and 32 registers, each in a process of its own."""

import pytest

from steps import output, python
from width_check import TARGETS, can_run, start


@pytest.mark.parametrize(("bits", "registers"), TARGETS)
def test_gradients_and_bits_are_right_for_this_target(bits, registers):
    if not can_run(bits, registers):
        pytest.skip("the host has no AVX-512, or all its registers are always used")
    assert output(start((bits, registers))) == f"OK {bits} {registers}"


@pytest.mark.parametrize("wrong", ["64", "wide", ""])
def test_an_invalid_width_is_refused_in_one_line(wrong):
    process = python("import fastbp_kernels", FASTBP_SIMD_BITS=wrong)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert err.splitlines()[-1] == f"ValueError: FASTBP_SIMD_BITS is {wrong!r}; expected 128, 256 or 512"


def test_an_invalid_number_of_registers_is_refused_in_one_line():
    process = python("import fastbp_kernels", FASTBP_SIMD_REGISTERS="8")
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert err.splitlines()[-1] == "ValueError: FASTBP_SIMD_REGISTERS is '8'; expected 16 or 32"
