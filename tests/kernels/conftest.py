import sys
from pathlib import Path

import pytest

# The oracles that these tests share with those of the other rooms lie one folder up.
sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.fixture(scope="session", autouse=True)
def width_processes(request):
    """The processes of test_widths.py, if it is to run, started first: they compile while others test."""
    processes = {}
    if any(item.path.name == "test_widths.py" for item in request.session.items):
        import test_widths

        processes = test_widths.start()
    yield processes
    for process in processes.values():
        process.kill()
        process.communicate()
