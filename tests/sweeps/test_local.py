"""Processes of this machine."""

import os
import signal

import pytest

from fastbp.sweeps.local import Processes


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals cannot be held back here")
def test_ctrl_c_while_processes_start_leaves_them_alone(capfd):
    engine = Processes(2)
    executor = engine.start()
    try:
        first = executor.submit(os.getppid)
        started = list(executor._processes)
        for pid in started:
            os.kill(pid, signal.SIGINT)  # the terminal sends it to all processes
        assert first.result(timeout=60) == os.getpid()
        assert len(started) == 2
        assert set(started) == set(executor._processes)
    finally:
        engine.close(now=True)
    assert "KeyboardInterrupt" not in capfd.readouterr().err
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & {signal.SIGINT}
