"""A package with the files that compile and keep kernels, and a kernel that is compiled in no time.

The real ones take seconds.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import fastbp_kernels
from steps import output

FILES = ("cache.py", "jit.py", "linking.py", "ownership.py", "target.py")
ENTRY = """
from .inner import factor
from .jit import cache_folder, compiled_count, njit

@njit(kept=True)
def scaled(x):
    return factor(x) + 1
"""
INNER = """
from .jit import njit

@njit
def factor(x):
    return x * 3
"""
EDITED = INNER.replace("* 3", "* 4")
CALL = "from small.entry import *; print(scaled(2.0), compiled_count())"


def write(folder):
    """Write the package ``small``, whose kept function calls another file's function."""
    package = folder / "small"
    package.mkdir()
    for name in FILES:
        shutil.copy(Path(fastbp_kernels.__file__).with_name(name), package)
    (package / "__init__.py").write_text("")
    (package / "entry.py").write_text(ENTRY)
    (package / "inner.py").write_text(INNER)


def start(folder, code, **environment):
    # Without bytecode files: Python does not see an edit within the second and of the same length.
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "FASTBP_CACHE_DIR": str(folder / "cache"),
        **environment,
    }
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def call(folder, code=CALL, **environment):
    return output(start(folder, code, **environment))


def files(folder):
    return sorted(path for path in (folder / "cache").rglob("*") if path.is_file())
