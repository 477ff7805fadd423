"""What test_widths.py runs in a process of its own for each target, and how they are started."""

import sys

import llvmlite.binding as llvm

from fastbp_kernels.target import BITS, REGISTERS
from steps import F32_U8, F64_F64, SHAPES, batches_of, bits, check, draw, expect, kernel_outcome, python, run

TARGETS = [(128, 16), (128, 32), (256, 16), (256, 32), (512, 32)]
"""Bits of a vector, and registers."""


def can_run(bits, registers):
    # LLVM emulates wider vectors, but its code for 512 bits takes long to compile where the host has none.
    # Where all registers are used anyway, there is no second count to test.
    has_avx512 = llvm.get_host_cpu_features().get("avx512f", False)
    return (bits < 512 or has_avx512) and (registers == 32 or llvm.get_host_cpu_features().get("sse2", False))


def start(target):
    """Start the process of a target."""
    # All other tests run for the host's own target.
    pairs = (F32_U8,) if target == (BITS, REGISTERS) else (F32_U8, F64_F64)
    width, registers = map(str, target)
    code = f"import width_check; width_check.main(*{pairs})"
    return python(code, FASTBP_SIMD_BITS=width, FASTBP_SIMD_REGISTERS=registers)


def main(*pairs):
    for pair in pairs:
        for sizes, batch in SHAPES:
            problem = draw(sizes, batch, pair)
            for smaller, rows in enumerate(batches_of(problem)):
                expected = expect(problem, rows)
                for listed in (False, True):
                    check(kernel_outcome(problem, smaller=bool(smaller), listed=listed), expected)
            same_bits(problem)
    sys.stdout.write(f"OK {BITS} {REGISTERS}\n")


def same_bits(problem):
    """Lists and whole rows, one thread and three."""
    found = set()
    for listed in (False, True):
        for threads in (1, 3):
            network = problem.network.copy()
            out = run(
                network,
                problem.images,
                problem.labels,
                problem.order,
                problem.batch,
                [0.1, 0.1],
                listed=listed,
                threads=threads,
            )
            found.add(tuple(bits(network.parameters, *out)))
    assert len(found) == 1, problem.network
