"""The same numbers laid out in other ways in memory, or behind other types of arrays."""

import mmap

import numpy as np


class Boastful(np.ndarray):
    """Says of itself what is not so."""

    shape = property(lambda _: (10**6, 10**6))
    size = property(lambda _: 10**12)
    dtype = property(lambda _: np.dtype(np.uint8))
    __len__ = lambda _: 10**6  # noqa: E731
    __getitem__ = __iter__ = None


class Given:
    """Not an array, but it gives one."""

    def __init__(self, array):
        self._array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self._array, dtype)


def misaligned(array):
    out = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    out[...] = array
    return out


def spaced(array):
    wide = np.zeros(tuple(2 * size for size in array.shape), array.dtype)
    places = tuple(slice(None, None, 2) for _ in array.shape)
    wide[places] = array
    return wide[places]


def backwards(array):
    places = (slice(None, None, -1),) * array.ndim
    return np.ascontiguousarray(array[places])[places]


def mapped(array):
    memory = mmap.mmap(-1, max(1, array.nbytes))
    out = np.frombuffer(memory, array.dtype, array.size).reshape(array.shape)
    out[...] = array
    return out


def memmapped(array):
    out = mapped(array).view(np.memmap)
    assert isinstance(out, np.memmap)
    return out


def in_structure(array):
    """A field of records with another byte before it."""
    records = np.zeros(array.shape, [("other", "u1"), ("value", array.dtype)])
    records["value"] = array
    return records["value"]


def read_only(array):
    return np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape)


LAYOUTS = {
    "as it is": lambda x: x,
    "Fortran order": np.asfortranarray,
    "every other": spaced,
    "backwards": backwards,
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "misaligned": misaligned,
    "in a structure": in_structure,
    "read-only": read_only,
    "memory map": memmapped,
    "masked, nothing hidden": np.ma.masked_array,
    "recarray": lambda x: x.view(np.recarray),
    "gives an array": Given,
    "lists": lambda x: x.tolist(),
    "arrays in a list": list,
}
"""Ways that say the same."""


def boastful(array):
    return array.view(Boastful)


def with_mask(array):
    """The last number is hidden."""
    mask = np.zeros(array.shape, bool)
    mask.flat[-1] = True
    return np.ma.masked_array(array, mask)


def with_masks_in_lists(array):
    return list(with_mask(array))


ODD = {
    "text": lambda x: np.full(x.shape, "a"),
    "bytes": lambda x: np.full(x.shape, b"a"),
    "records": lambda x: np.zeros(x.shape, [("a", "f4"), ("b", "i4")]),
    "void": lambda x: np.zeros(x.shape, "V4"),
    "complex": lambda x: x.astype(complex),
    "dates": lambda x: x.astype(int).astype("M8[s]"),
    "spans of time": lambda x: x.astype(int).astype("m8[s]"),
    "arrays of other lengths": lambda x: [x[0], [*np.ravel(x[1]), 1], *x[2:]],
    "masked": with_mask,
    "masked in lists": with_masks_in_lists,
    "no axes": lambda x: x.ravel()[0],
    "none": lambda x: x[:0],
}
"""What stands for no numbers, or for others than it seems to hold."""
