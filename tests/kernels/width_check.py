"""What test_widths.py runs in a process of its own for each width of vectors."""

import sys

from fastbp_kernels import BITS
from steps import SHAPES, batches_of, bits, check, draw, expect, kernel_outcome, run


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
