"""What test_widths.py runs in a process of its own for each width of vectors, and how they are started."""

import sys

import llvmlite.binding as llvm

from fastbp_kernels import BITS
from steps import F32_U8, F64_F64, SHAPES, batches_of, bits, check, draw, expect, kernel_outcome, python, run

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


def main(*pairs):
    for pair in pairs:
        for sizes, batch in SHAPES:
            problem = draw(sizes, batch, pair)
            for smaller, rows in enumerate(batches_of(problem)):
                expected = expect(problem, rows)
                for listed in (False, True):
                    check(kernel_outcome(problem, smaller=bool(smaller), listed=listed), expected)
            same_bits(problem)
    sys.stdout.write(f"OK {BITS}\n")


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
