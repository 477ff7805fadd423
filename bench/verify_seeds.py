"""False alarms of ``fastbp verify --all``: how much of each bound right paths use, over
seeds.

python bench/verify_seeds.py [--seeds N] [--roundings R ...] runs every configuration
with N seeds, with twins that start R roundings of float32 away, and prints the largest
share of each kind of bound, and each failure.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace

from fastbp.backends.base import make_backend
from fastbp.verify import runs
from fastbp.verify.configurations import configurations
from fastbp.verify.paths import verify_problem


def measure(seeds: int) -> tuple[dict[str, list[float]], list[str]]:
    """Return the shares of each kind of bound, and what failed."""
    shares: dict[str, list[float]] = defaultdict(list)
    failures = []
    for one in configurations():
        backend = make_backend("numba", one.problem.settings.threads)
        for seed in range(seeds):
            settings = replace(one.problem.settings, seed=seed)
            report = verify_problem(replace(one.problem, settings=settings), backend)
            for checks in (report.images, report.float64, report.float32):
                if checks:
                    shares[checks[0].kind].append(max(check.share for check in checks))
            if report.gradients:
                shares["rounding, gradients"].append(max(check.candidate_share for check in report.gradients))
                outside = report.windows_outside[0] / len(report.windows)
                shares["rounding, windows outside"].append(outside)
            failures += [f"{one.name}, seed {seed}: {failure}" for failure in report.failures()]
        backend.close()
    return shares, failures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, metavar="N")
    parser.add_argument("--roundings", type=float, nargs="+", default=[runs.TWIN_ROUNDINGS], metavar="R")
    args = parser.parse_args()
    for roundings in args.roundings:
        runs.TWIN_ROUNDINGS = roundings
        shares, failures = measure(args.seeds)
        print(f"twins {roundings:g} roundings away, {args.seeds} seeds")
        for kind, found in shares.items():
            ranked = sorted(found)
            print(
                f"  {kind}: {len(found)} runs, largest share {ranked[-1]:.3g}, "
                f"next {ranked[-2]:.3g}, median {ranked[len(ranked) // 2]:.3g}"
            )
        print("".join(f"  FAILED {failure}\n" for failure in failures), flush=True)


if __name__ == "__main__":
    main()
