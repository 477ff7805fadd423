"""Scripts of bench/ as modules."""

import importlib
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(name="script")
def _script(monkeypatch):
    """Return what imports a script by name.

    It and its neighbours are forgotten afterwards: their names could mean something else to another test.
    """
    monkeypatch.syspath_prepend(str(BENCH))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if BENCH in Path(getattr(sys.modules[name], "__file__", None) or "/").parents:
            del sys.modules[name]
