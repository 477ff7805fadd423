"""Values of wrong types, ranges and shapes, and whose words an exception is in."""

import traceback
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np

from fastbp.errors import FastbpError

ODD = {
    "None": None,
    "True": True,
    "False": False,
    "zero": 0,
    "minus one": -1,
    "three": 3,
    "half": 0.5,
    "3.7": 3.7,
    "nan": float("nan"),
    "inf": float("inf"),
    "minus inf": float("-inf"),
    "1e308": 1e308,
    "10**30": 10**30,
    "10**400": 10**400,
    "complex": 1j,
    "decimal": Decimal("0.5"),
    "fraction": Fraction(1, 2),
    "empty text": "",
    "word": "relu",
    "number as text": "0.5",
    "spec": "adam:2,3,4,5",
    "colons": "::::",
    "very long text": "x" * 10_000,
    "controls": "a\x1b[2J\nb\0",
    "surrogate": "\udcff",
    "bytes": b"relu",
    "empty tuple": (),
    "empty list": [],
    "list": [1, 2],
    "list of None": [None],
    "list of words": ["a", "a"],
    "list of floats": [1.5, float("nan")],
    "ragged": [[1], [2, 3]],
    "deep": [[[[[1]]]]],
    "dict": {"a": 1},
    "empty dict": {},
    "dict of 0": {0: 0.0, 1: -1},
    "set": {1, 2},
    "range": range(3),
    "generator": (i for i in ()),
    "object": object(),
    "type": int,
    "function": len,
    "path": Path("/no/such/place"),
    "slice": slice(3),
    "ellipsis": ...,
    "np.float64": np.float64(0.5),
    "np.int64": np.int64(3),
    "np.bool": np.True_,
    "array": np.array([1, 2]),
    "empty array": np.zeros((0, 3)),
    "matrix": np.ones((4, 3)),
    "matrix of nan": np.full((4, 3), np.nan),
    "matrix of words": np.array([["a", "b"], ["c", "d"]]),
    "matrix of objects": np.array([[None, 1], [2, {}]], object),
    "scalar array": np.array(3),
    "array of words": np.array(["a", "b"]),
    "array of dates": np.array(["2020-01-01"], "M8[D]"),
    "records": np.zeros(3, "i4,f4"),
    "complex array": np.ones((4, 3)) * 1j,
    "five dimensions": np.ones((2, 2, 2, 2, 2)),
}
OWN = ("fastbp", "fastbp_kernels")


def complaint(call, *arguments, **keywords):
    """Return what is wrong with how a call refuses its arguments; empty if nothing is.

    It may take them, or raise an error of fastbp, ValueError or TypeError of one line, by a
    ``raise`` of fastbp or scikit-learn.
    """
    try:
        call(*arguments, **keywords)
    except FastbpError as error:
        return _line(str(error))
    except (ValueError, TypeError) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        if "sklearn" in Path(last.filename).parts:
            return ""  # what it says of arrays is what users of its estimators know
        if not set(OWN) & set(Path(last.filename).parts):
            return f"{type(error).__name__} of {last.filename}:{last.lineno}: {error}"[:300]
        if "raise" not in (last.line or "") and "raise" not in _statement(last):
            return f"{type(error).__name__} at {last.filename}:{last.lineno}: {error}"[:300]
        return _line(str(error))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        if "sklearn" in Path(last.filename).parts:
            return ""
        return f"{type(error).__name__} at {last.filename}:{last.lineno}: {error}"[:300]
    return ""


def _line(text):
    if not text.isprintable():
        return f"several lines or controls: {text!r}"[:300]
    return f"{len(text)} characters: {text[:200]}" if len(text) > 2000 else ""


def _statement(frame):
    lines = Path(frame.filename).read_text(encoding="utf-8").splitlines()
    return " ".join(lines[max(0, frame.lineno - 6) : frame.lineno])
