"""The only place that calls ``numba.njit``: flags, and a disk cache of machine code.

This module replaces ``cache=True`` because Numba's own disk cache checks only the file
that holds the function, so it misses an edit in a file that the function calls; a
truncated entry raises an error at every start; and the location of the cache is one
setting for the whole process. Here every entry is one file, written atomically, in a
folder named by a hash of everything that the machine code depends on (cache.py). An
entry that cannot be read is compiled again.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import pickle
import platform
import sys
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

from . import cache
from .linking import Entry, Part
from .ownership import own_folder
from .target import CHECKS_BOUNDS, target_name

__all__ = ["cache_folder", "check_cache", "compiled_count", "intrinsic", "njit"]

_DIGEST = hashlib.sha256().digest_size
_compiled = 0


def compiled_count() -> int:
    """Return the number of functions that this process had to compile."""
    return _compiled


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


_VERSION = f"kernels-{_FINGERPRINT}"


def cache_folder() -> Path | None:
    """Return the cache folder of compiled kernels for these sources, versions and CPU.

    The environment variable ``FASTBP_CACHE_DIR`` moves it. It is safe to delete. None
    if the user has no home to keep it in.
    """
    folder = cache.user_folder()
    return None if folder is None else folder / _VERSION


def check_cache() -> None:
    """Raise CacheError if others could change the cache; loading a kernel would too.

    So a program can tell it before it has begun.
    """
    folder = cache.user_folder()
    if folder is not None:
        with suppress(OSError):  # there is none yet
            own_folder(folder)
            own_folder(folder, _VERSION)


class _KernelCache(NullCache):
    """Cache with one file an entry: SHA-256 of the payload, then the payload."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def cache_path(self) -> str:
        return str(cache_folder() or "")

    def _entry(self, signature: Any) -> str:
        return f"{self._name}-{hashlib.sha256(str(signature).encode()).hexdigest()[:16]}"

    def load_overload(self, signature: Any, target: Any) -> Any:
        global _compiled
        content = self._read(signature)
        # A damaged entry is compiled again.
        with suppress(Exception):
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

    def _read(self, signature: Any) -> bytes:
        """Return the content of an entry, empty if there is none that may be read.

        Raises
        ------
        CacheError
            Others could have written to the folder.
        """
        folder = cache.user_folder()
        if folder is not None:
            with suppress(OSError):
                return cache.read_entry(folder, _VERSION, self._entry(signature)) or b""
        return b""

    def save_overload(self, signature: Any, result: Any) -> None:
        folder = cache.user_folder()
        if folder is None:
            _tell_of_no_home()
            return
        payload = pickle.dumps(result._reduce(), protocol=pickle.HIGHEST_PROTOCOL)
        # If the folder is full or read-only, the next process compiles again; this one
        # continues.
        with suppress(OSError):
            content = hashlib.sha256(payload).digest() + payload
            cache.write_entry(folder, _VERSION, self._entry(signature), content)


@functools.cache
def _tell_of_no_home() -> None:
    logging.getLogger("fastbp").warning(
        "compiled kernels are not kept, because you have no home folder; set FASTBP_CACHE_DIR to a folder of "
        "your own, and they need not be compiled by each process"
    )


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
        boundscheck=CHECKS_BOUNDS,
        pipeline_class=Entry if kept else Part,
    )(function)
    resolve = dispatcher.get_call_template
    # Without this, Numba would compile again for each constant argument.
    dispatcher.get_call_template = lambda args, kws: resolve(tuple(map(types.unliteral, args)), kws)
    if kept:
        dispatcher._cache = _KernelCache(f"{function.__module__.rpartition('.')[2]}.{function.__name__}")
    if kept and CHECKS_BOUNDS:
        from .bounds import watched

        return watched(dispatcher)
    return cast(Function, dispatcher)


def intrinsic(function: Function) -> Function:
    """Typed ``numba.extending.intrinsic``: a function that writes LLVM instructions."""
    return cast(Function, numba.extending.intrinsic(function))
