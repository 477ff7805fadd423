"""The only place that calls ``numba.njit``: flags, and a disk cache of machine code.

This module replaces ``cache=True`` because Numba's own disk cache checks only the file
that holds the function, so it misses an edit in a file that the function calls; a
truncated entry raises an error at every start; and the location of the cache is one
setting for the whole process. Here every entry is one file, written atomically, in a
folder named by a hash of everything that the machine code depends on. An entry that
cannot be read is compiled again.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast, overload

import llvmlite
import numba
import numba.extending
import numpy as np
from numba import types
from numba.core import compiler, runtime
from numba.core.caching import NullCache

from .linking import Entry, Part
from .target import target_name

__all__ = ["cache_folder", "compiled_count", "intrinsic", "njit"]

_DIGEST = hashlib.sha256().digest_size
_compiled = 0


def compiled_count() -> int:
    """Return the number of functions that this process had to compile."""
    return _compiled


def _user_cache() -> Path:
    """Return the folder of this platform for caches."""
    if chosen := os.environ.get("FASTBP_CACHE_DIR"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~\\AppData\\Local")).expanduser() / "fastbp" / "Cache"
    if sys.platform == "darwin":
        return Path("~/Library/Caches/fastbp").expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "fastbp"


def _fingerprint() -> str:
    """Hash everything that the machine code depends on."""
    seen = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        seen.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    for part in (
        numba.__version__,
        llvmlite.__version__,
        np.__version__,
        sys.version,
        platform.machine(),
        target_name(),
    ):
        seen.update(part.encode() + b"\0")
    return seen.hexdigest()[:20]


# Computed when the sources are imported: a later edit does not change the functions of
# this process, so it must not change the name of their cache.
_FINGERPRINT = _fingerprint()


def cache_folder() -> Path:
    """Return the cache folder of compiled kernels for these sources, versions and CPU.

    The environment variable ``FASTBP_CACHE_DIR`` moves it. It is safe to delete.
    """
    return _user_cache() / f"kernels-{_FINGERPRINT}"


class _KernelCache(NullCache):
    """Cache with one file an entry: SHA-256 of the payload, then the payload."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def cache_path(self) -> str:
        return str(cache_folder())

    def _file(self, signature: Any) -> Path:
        return cache_folder() / f"{self._name}-{hashlib.sha256(str(signature).encode()).hexdigest()[:16]}.bin"

    def load_overload(self, signature: Any, target: Any) -> Any:
        global _compiled
        # A missing, truncated, damaged or unreadable entry is compiled again.
        with suppress(Exception):
            content = self._file(signature).read_bytes()
            digest, payload = content[:_DIGEST], content[_DIGEST:]
            if hashlib.sha256(payload).digest() == digest:
                # Only Numba's runtime, which machine code calls: not what compiling
                # needs, which takes longer to import than all else.
                needed: Any = runtime
                needed.rtsys.initialize(target)
                rebuild: Any = compiler.CompileResult._rebuild
                return rebuild(target, *pickle.loads(payload))
        _compiled += 1
        return None

    def save_overload(self, signature: Any, result: Any) -> None:
        # If the folder is full or read-only, the next process compiles again; this one
        # continues.
        with suppress(OSError):
            target = self._file(signature)
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            payload = pickle.dumps(result._reduce(), protocol=pickle.HIGHEST_PROTOCOL)
            handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.stem, suffix=".tmp")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(payload).digest() + payload)
                os.replace(temporary, target)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise


Function = Callable[..., Any]
Kernel = TypeVar("Kernel", bound=Function)


@overload
def njit(function: Kernel) -> Kernel: ...
@overload
def njit(*, kept: bool = ..., inline: bool = ...) -> Callable[[Kernel], Kernel]: ...
def njit(function: Function | None = None, *, kept: bool = False, inline: bool = False) -> Any:
    """Compile a function with the flags of this project.

    Parameters
    ----------
    function : callable or None
        The function; None if `njit` is used as a decorator with arguments.
    kept : bool
        Keep the machine code on disk. Only for functions that Python calls; their
        machine code includes everything that they call.
    inline : bool
        Have LLVM copy the function into its callers. For functions with tiles, so that
        it knows their widths and strides.

    Notes
    -----
    ``nogil`` lets plain Python threads run kernels in parallel. ``error_model="numpy"``
    omits the check for division by zero. There is no fast-math: NaN and infinity must
    survive so that divergence is seen, and tiles state their fused multiply-adds
    explicitly. Functions without ``kept`` cannot be called from Python and have no
    machine code of their own: see linking.py.
    """
    if function is None:
        return lambda f: _compile(f, kept, inline)
    return _compile(function, kept, inline)


def _compile(function: Function, kept: bool, inline: bool) -> Function:
    # Numba's signature omits the wrapper flags, because they are meant for libraries.
    compile_: Any = numba.njit
    dispatcher = compile_(
        nogil=True,
        error_model="numpy",
        forceinline=inline,
        no_cpython_wrapper=not kept,
        no_cfunc_wrapper=True,
        pipeline_class=Entry if kept else Part,
    )(function)
    resolve = dispatcher.get_call_template
    # Without this, Numba would compile again for each constant argument.
    dispatcher.get_call_template = lambda args, kws: resolve(tuple(map(types.unliteral, args)), kws)
    if kept:
        dispatcher._cache = _KernelCache(f"{function.__module__.rpartition('.')[2]}.{function.__name__}")
    return cast(Function, dispatcher)


def intrinsic(function: Function) -> Function:
    """Typed ``numba.extending.intrinsic``: a function that writes LLVM instructions."""
    return cast(Function, numba.extending.intrinsic(function))
