import pytest

import small_kernels


@pytest.fixture(scope="session", autouse=True)
def target_processes(request):
    """The processes of test_widths.py, if it is to run, started first: they compile while others test."""
    processes = {}
    if any(item.path.name == "test_widths.py" for item in request.session.items):
        import width_check

        processes = width_check.start()
    yield processes
    for process in processes.values():
        process.kill()
        process.communicate()


@pytest.fixture
def small(tmp_path):
    """Folder of the package ``small``, and of its cache."""
    small_kernels.write(tmp_path)
    return tmp_path
