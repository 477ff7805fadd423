"""Benchmarks run where NumPy is as fast as it can be, on one thread, and say which machine that was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from environment import describe, overrides, without_overrides


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Where settings slow NumPy, run the same command again without them; see environment.py."""
    if not config.getoption("benchmark_only", default=False) or not overrides():
        return None
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"{', '.join(overrides())} would slow NumPy: unset, and started again", flush=True)
        return subprocess.call([sys.executable, *sys.orig_argv[1:]], env=without_overrides())


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """One thread each: NumPy's BLAS would take all."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


@cache
def _measured() -> dict[str, Any]:
    from dataclasses import asdict

    from interleave import spread
    from peak import FmaPeak, bandwidths

    peak = FmaPeak(1)
    return {
        **describe(),
        "peak": asdict(spread([peak.measure() for _ in range(9)])),
        "bandwidths": bandwidths(),
    }


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Add what report.py states, and the machine's limits; called when JSON is written."""
    machine_info["fastbp"] = _measured()
