"""What test_bounds.py runs in a process whose kernels check every address (fastbp_kernels/bounds.py)."""

import sys

import numpy as np

from fastbp_kernels.jit import njit
from fastbp_kernels.simd import load, pointer, store
from memory_check import draw_case, rasters, results
from steps import F32_U8

CASES = 12


@njit
def add(x, count):
    total = x[0] - x[0]
    for i in range(count):
        total += x[i]
    return total


@njit(kept=True)
def sum_of(x, count):
    return add(pointer(x), count)


@njit(kept=True)
def copy_vector(x, at, out):
    store(pointer(out), 0, load(pointer(x), at))


@njit(kept=True)
def element(x, i):
    return x[i]


def told(function, *arguments):
    """The IndexError of a call, or its answer."""
    try:
        return function(*arguments)
    except IndexError as error:
        return str(error)


def mistakes():
    """What calls say that leave their arrays by one element, or write where they may not."""
    five, thirty = np.arange(5.0), np.arange(30.0)
    fixed = np.arange(30.0)
    fixed.flags.writeable = False
    return [
        told(sum_of, five, 5),
        told(sum_of, five, 6),
        told(copy_vector, thirty, 30 - 4 + 1, np.zeros(30)),
        told(copy_vector, thirty, -1, np.zeros(30)),
        told(copy_vector, thirty, 0, np.zeros(3)),
        told(copy_vector, thirty, 0, fixed),
        told(element, five, 5),
        # Trouble of one call is not told of the next.
        told(sum_of, five, 5),
    ]


def main():
    for line in mistakes():
        sys.stdout.write(f"{line}\n")
    for seed in range(CASES):
        case = draw_case(seed, (F32_U8,), "everything")
        results(case, evaluates=False)
        rasters(seed)
    sys.stdout.write(f"OK {CASES}\n")
