"""A build of the kernels that checks every address: it finds mistakes, and none in the kernels."""

import pytest

from steps import output, python

EXPECTED = """
10.0
bounds_check.add reads 8 bytes at 40 of 40 bytes of 0
bounds_check.copy_vector reads 32 bytes at 216 of 240 bytes of 0
bounds_check.copy_vector reads 32 bytes at -8 of 240 bytes of 0
bounds_check.copy_vector writes 32 bytes at 0 of 24 bytes of 2
bounds_check.copy_vector writes 32 bytes at 0 of 240 bytes of 2
index is out of bounds
10.0
OK 12
""".strip()


@pytest.fixture(scope="module")
def checked():
    code = "import bounds_check; bounds_check.main()"
    return output(python(code, FASTBP_CHECK_BOUNDS="1", FASTBP_SIMD_BITS="256"))


def test_each_load_and_store_stays_in_the_arrays_of_its_call(checked):
    assert checked == EXPECTED


def test_the_check_is_a_build_of_its_own():
    code = "import fastbp_kernels; print(fastbp_kernels.cache_folder())"
    folders = {output(python(code, FASTBP_CHECK_BOUNDS=on)) for on in "01"}
    assert len(folders) == 2
