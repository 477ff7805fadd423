"""Arrays moved to where a kernel that leaves one of them is caught.

`guarding` has every call of compiled code work on copies of its arrays. Each copy has pages on both sides
that may not be touched, and begins or ends exactly at one of them: an access beyond that end kills the
process. A write beyond the other end changes a canary; a read there finds NaN, or the largest bytes. What
kernels must not write to lies in read-only memory. Arrays begin at any multiple of their elements' size.

Prefetches of places beyond an array are allowed, and do not fault.
"""

import ctypes
import mmap
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import numpy as np

import fastbp_kernels
from fastbp.backends import kernel_arguments, predictor
from fastbp.robustness import raster
from fastbp_kernels import predict

PAGE = mmap.PAGESIZE
NOTHING, READ, WRITE = 0, 1, 2
CANARY = 0xFF

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int


def _protect(address, size, how):
    if _libc.mprotect(address, size, how):
        raise OSError(ctypes.get_errno(), "mprotect")


class Region:
    """A copy of an array between two pages that nobody may touch."""

    def __init__(self, array, name, *, at_end):
        self.array, self.name = array, name
        room = -(-array.nbytes // PAGE) * PAGE
        memory = np.frombuffer(mmap.mmap(-1, room + 2 * PAGE), np.uint8)
        address = memory.ctypes.data
        first = PAGE + room - array.nbytes if at_end else PAGE
        memory[PAGE : PAGE + room] = CANARY
        self._bytes = memory[first : first + array.nbytes]
        self._bytes[...] = array.reshape(-1).view(np.uint8)
        self._slack = memory[PAGE:first] if at_end else memory[first + array.nbytes : PAGE + room]
        _protect(address, PAGE, NOTHING)
        _protect(address + PAGE + room, PAGE, NOTHING)
        if room and not array.flags.writeable:
            _protect(address + PAGE, room, READ)

    def view(self, array):
        """The copy with the type and shape of an array in the same place as the one copied."""
        found = self._bytes.view(array.dtype).reshape(array.shape)
        found.flags.writeable = array.flags.writeable
        return found

    def give_back(self):
        """Copy what kernels wrote; raise AssertionError if a canary died."""
        if self.array.flags.writeable:
            self.array.reshape(-1).view(np.uint8)[...] = self._bytes
        if not (self._slack == CANARY).all():
            raise AssertionError(f"compiled code wrote beyond {self.name}, {self.array.nbytes} bytes")


class Guard:
    """Moves the arrays of calls; threads that work together get the same copies.

    Parameters
    ----------
    rng : numpy.random.Generator
        Decides at which end of each array the page begins.
    only : set of str, optional
        Names of the arrays to move; None for all.

    Attributes
    ----------
    names : set of str
        Of all arrays that were met.
    regions : int
        How many copies were made.
    """

    def __init__(self, rng, only=None):
        self.rng, self.only = rng, only
        self.names = set()
        self.regions = 0
        self._moved = {}
        self._plans = []
        self._lock = threading.Lock()

    def move(self, value, name):
        """A value with all arrays in it, also in tuples of it, replaced by their copies."""
        if isinstance(value, np.ndarray):
            return self._copy_of(value, name)
        if isinstance(value, tuple):
            fields = getattr(value, "_fields", range(len(value)))
            parts = (self.move(part, f"{name}.{field}") for field, part in zip(fields, value, strict=True))
            return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        return value

    def _copy_of(self, array, name):
        self.names.add(name)
        if self.only is not None and name not in self.only:
            return array
        # Arrays of no bytes may have one address.
        key = (array.ctypes.data, array.nbytes) if array.nbytes else name
        with self._lock:
            if key not in self._moved:
                self._moved[key] = self.region(array, name)
            return self._moved[key].view(array)

    def region(self, array, name):
        self.regions += 1
        return Region(array, name, at_end=bool(self.rng.random() < 0.75))

    def plan(self, *arguments, **options):
        """A plan of `make_plan` whose buffers are guarded as long as it lives."""
        plan, buffers = fastbp_kernels.make_plan(*arguments, **options)
        moved = []
        for place, buffer in enumerate(buffers, start=predict.OUTPUTS):
            name = f"make_plan.buffer{place}"
            self.names.add(name)
            if self.only is None or name in self.only:
                assert plan[place] == buffer.ctypes.data
                region = self.region(buffer, name)
                self._plans.append(region)
                buffer = region.view(buffer)
                plan[place] = buffer.ctypes.data
            moved.append(buffer)
        return plan, moved

    def give_back(self):
        """Copy all that was written to where it belongs; look at the canaries."""
        for region in (*self._moved.values(), *self._plans):
            region.give_back()
        self._moved.clear()

    def around(self, function):
        """The function, after which arrays are given back: all threads are done."""

        def guarded(*arguments, **options):
            found = function(*arguments, **options)
            self.give_back()
            return found

        return guarded

    def entry(self, function):
        """A compiled function on copies of its arguments."""
        name = function.__name__

        def call(*arguments):
            moved = [self.move(value, f"{name}.{n}") for n, value in enumerate(arguments)]
            return function(*moved)

        return call


@contextmanager
def guarding(rng, only=None) -> Iterator[Guard]:
    """Within, calls of compiled code by the backend, predictors and rasters are guarded."""
    assert kernel_arguments.kernels is fastbp_kernels, "the backend calls other functions than those patched"
    guard = Guard(rng, only)
    with ExitStack() as stack:

        def patch(owner, name, value):
            stack.enter_context(mock.patch.object(owner, name, value))

        patch(fastbp_kernels, "run_batches", guard.entry(fastbp_kernels.run_batches))
        patch(fastbp_kernels.Team, "run", guard.around(fastbp_kernels.Team.run))
        patch(predictor, "predict_rows", guard.entry(fastbp_kernels.predict_rows))
        patch(predictor, "make_plan", guard.plan)
        patch(predictor.Predictor, "predict", guard.around(predictor.Predictor.predict))
        for name in ("resample_rows", "stamp_discs"):
            patch(raster, name, guard.around(guard.entry(getattr(fastbp_kernels, name))))
        yield guard
