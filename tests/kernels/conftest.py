import pytest

import small_kernels


@pytest.fixture
def small(tmp_path):
    """Folder of the package ``small``, and of its cache."""
    small_kernels.write(tmp_path)
    return tmp_path
