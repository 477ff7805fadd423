"""What ``fastbp verify`` prints: the bounds, what is used of them, and the verdict."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np
from rich.console import Console

from ..verify.report import (
    DIFFERING_ALLOWED,
    FACTOR,
    FIXED_BOUND,
    OUTSIDE_ALLOWED,
    ConfigurationReport,
    RunCheck,
    Verification,
)
from ..verify.rounding import LIMIT, unit_roundoff
from .lines import print_line, print_table
from .numbers import percent

__all__ = ["print_configurations", "print_verification"]


def print_verification(console: Console, report: Verification) -> None:
    """Print what was compared, array by array, with the bounds and the verdict."""
    settings = report.settings
    print_line(
        console,
        f"{report.candidate} against {report.reference}: {'-'.join(map(str, report.sizes))}, "
        f"{settings.dtype}, batch size {settings.batch_size}, {report.samples:,} samples, "
        f"{report.steps:,} steps, seed {settings.seed}\n",
    )
    if report.images:
        print_line(console, "Distorted images of the first epoch.")
        print_line(
            console,
            f"Bound: one grey level of 255, in {DIFFERING_ALLOWED:.0%} of the pixels.",
        )
        _print_runs(console, report.images, relative=False)
    print_line(console, "The whole run in float64.")
    print_line(console, f"Fixed bound: {FIXED_BOUND:g} of the array's largest element.")
    _print_runs(console, report.float64)
    if report.gradients:
        _print_gradients(console, report)
        _print_windows(console, report)
    if report.float32:
        print_line(console, "The whole run in float32, against the reference in float64.")
        print_line(
            console,
            f"Bound from sensitivity: {FACTOR:g} times how far slightly different starts lead.",
        )
        _print_runs(console, report.float32)
    print_line(
        console,
        f"{report.switched:,} of {report.tested:,} test samples are classified differently",
    )
    if report.candidate_accuracy is not None and report.reference_accuracy is not None:
        print_line(
            console,
            f"accuracy: {report.candidate} {percent(report.candidate_accuracy)}, "
            f"{report.reference} {percent(report.reference_accuracy)}",
        )
    failures = report.failures()
    print_line(console, f"FAILED: {', '.join(failures)}" if failures else "passed: every bound holds")


def print_configurations(console: Console, reports: Sequence[ConfigurationReport], seconds: float) -> None:
    """Print a row for each configuration: what came closest to its bound, the
    verdict.
    """
    print_table(
        console,
        (
            "configuration",
            "float64",
            "bound",
            "float32",
            "bound",
            "bound from",
            "verdict",
        ),
        [_row(report) for report in reports],
        drop=(5, 2, 4, 3, 1),
    )
    failed = [report for report in reports if not report.passed]
    for report in failed:
        print_line(console, f"{report.name}: {', '.join(report.failures)}")
    print_line(
        console,
        f"{'FAILED' if failed else 'passed'}: {len(reports) - len(failed)} of {len(reports)} "
        f"configurations in {seconds:.0f} s",
    )


def _row(report: ConfigurationReport) -> tuple[str, ...]:
    found = report.verification
    if found is None:
        return (report.name, "", "", "", "", "", "UNCHECKED !")
    narrow = found.closest32
    kinds = [narrow.kind] if narrow else []
    kinds += ["grey level"] if found.images else []
    return (
        report.name,
        *_relative(found.closest64),
        *(_relative(narrow) if narrow else ("", "")),
        ", ".join(kinds),
        "passed" if report.passed else "FAILED !",
    )


def _relative(check: RunCheck) -> tuple[str, str]:
    """Return difference and bound as parts of the array's largest element."""
    size = check.size or 1.0
    return f"{check.difference / size:.1e}", f"{check.bound / size:.1e}"


def _print_runs(console: Console, checks: Sequence[RunCheck], *, relative: bool = True) -> None:
    print_table(
        console,
        ("array", "largest", "difference", "bound", "used"),
        [
            (
                _short(check.name),
                f"{check.size:.1e}" if relative else "",
                f"{check.difference:.1e}",
                f"{check.bound:.1e}",
                _marked(check.share, check.passed),
            )
            for check in checks
        ],
        drop=(1,),
    )


def _print_gradients(console: Console, report: Verification) -> None:
    u = unit_roundoff(np.dtype(report.settings.dtype))
    print_line(console, "Gradients of one step, element by element against float64.")
    print_line(console, f"Bound from rounding: {LIMIT:g} standard deviations of it (u = {u:.1e}).")
    headers = (
        *("array", "batch", "largest", "difference", "bound"),
        *(f"{report.candidate} used", f"{report.reference} used"),
    )
    print_table(
        console,
        headers,
        [
            (
                _short(check.name),
                f"{check.batch:,}",
                *(f"{value:.1e}" for value in (check.largest, check.difference, check.bound)),
                *(_marked(share, share <= 1) for share in (check.candidate_share, check.reference_share)),
            )
            for check in report.gradients
        ],
        drop=(1, 2, 6, 4),
    )


def _print_windows(console: Console, report: Verification) -> None:
    """Print how many windows of each path are outside, and what the median uses."""
    count = len(report.windows)
    steps = max(window.steps for window in report.windows)
    loss = max(window.loss_difference for window in report.windows)
    print_line(console, f"{count} windows of up to {steps} steps, from equal weights, against float64.")
    print_line(
        console,
        f"Bound: as above, in {1 - OUTSIDE_ALLOWED:.0%} of them. Losses differ by {loss:.1e} at most.",
    )
    shares = (
        [window.candidate_share for window in report.windows],
        [window.reference_share for window in report.windows],
    )
    print_table(
        console,
        ("path", "windows outside", "allowed", "median used"),
        [
            (path, _marked(outside, outside <= allowed), f"{allowed:g}", f"{statistics.median(used):.2f}")
            for path, outside, used in zip(
                (report.candidate, report.reference), report.windows_outside, shares, strict=True
            )
            for allowed in [math.floor(OUTSIDE_ALLOWED * count)]
        ],
        drop=(3,),
    )


def _short(name: str) -> str:
    return (
        name.removeprefix("layers.")
        .removesuffix(" in float64")
        .removesuffix(" after the run")
        .removesuffix(" in the run")
    )


def _marked(value: float, passed: bool) -> str:
    text = str(value) if isinstance(value, int) else f"{value:.2g}"
    return text if passed else f"{text} !"
