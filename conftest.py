"""How many processes pytest uses for tests and for benchmarks; which tests begin."""

import os

import pytest

LONGEST = ("test_guide.py", "test_search_processes.py", "test_widths.py")
"""Files with tests of over ten seconds: begun last, one of them would run alone."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Fill the cores with the suite; run benchmarks and single files in this one."""
    is_single = any(argument.split("::")[0].endswith(".py") for argument in config.args)
    if is_single or config.getoption("benchmark_only", default=False):
        return 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests."""
    items.sort(key=lambda item: item.path.name not in LONGEST)
