"""Kernels touch what is theirs only: every array of random runs lies between pages that may not be touched.

`bench/memory.py` does the same for thousands of runs, on more types and for each width of vectors.
"""

import re
import signal
import sys

import numpy as np
import pytest

from guarded import Region
from steps import F32_U8, F64_F64, output, python

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and guard pages are Linux's")

RUN = """
import memory_check
memory_check.main({first}, {count}, {pairs}, {only!r})
"""
BLAME = """
import memory_check
from memory_check import Case
memory_check.blame({case})
"""
TOUCHES = """
import ctypes
import os
import sys
import warnings
import numpy as np
from guarded import Region

warnings.simplefilter("ignore")  # newer Pythons warn of forks beside threads of BLAS

def ends_in(at_end, place, writes, read_only=False):
    five = np.arange(5.0)
    five.flags.writeable = not read_only
    process = os.fork()
    if not process:
        memory = Region(five, "five", at_end=at_end).view(five)
        address = memory.ctypes.data + 8 * place
        near = (ctypes.c_double * 1).from_address(address)
        if writes:
            near[0] = 1
        os._exit(int(near[0] != near[0]))
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

sys.stdout.write(str([
    ends_in(True, 4, True), ends_in(True, 5, False), ends_in(True, 5, True), ends_in(True, -1, False),
    ends_in(False, 0, True), ends_in(False, -1, False), ends_in(False, -1, True), ends_in(False, 5, False),
    ends_in(True, 0, False, True), ends_in(True, 0, True, True),
]))
"""


def run(code, **environment):
    process = python(code, **environment)
    out, err = process.communicate(timeout=180)
    return process.returncode, out, err


@pytest.mark.parametrize(
    ("count", "pairs", "only", "environment"),
    [
        (40, (F32_U8, F64_F64), "", {}),
        # What test_widths.py compiles anyway.
        (30, (F32_U8,), "plain", {"FASTBP_SIMD_BITS": "256", "FASTBP_SIMD_REGISTERS": "16"}),
    ],
    ids=["host", "256 bits"],
)
def test_kernels_touch_nothing_beyond_their_arrays(count, pairs, only, environment):
    code = RUN.format(first=0, count=count, pairs=pairs, only=only)
    returncode, out, err = run(code, **environment)
    if returncode:
        case = out.splitlines()[-1]
        found = run(BLAME.format(case=case), **environment)[1]
        pytest.fail(f"exit code {returncode}\n{case}\n{found}{err}")
    assert re.fullmatch(rf"OK {count} cases, \d{{4,}} arrays", out.splitlines()[-1])


def test_touching_what_lies_at_the_page_ends_the_process():
    # 1: it read NaN, which makes other bits.
    dies = -signal.SIGSEGV
    expected = [0, dies, dies, 1, 0, dies, dies, 1, 0, dies]
    assert output(python(TOUCHES)) == str(expected)


def test_a_write_at_the_other_end_kills_a_canary():
    region = Region(np.arange(5.0), "five", at_end=False)
    np.lib.stride_tricks.as_strided(region.view(region.array), (6,))[5] = 0
    with pytest.raises(AssertionError, match="wrote beyond five, 40 bytes"):
        region.give_back()
