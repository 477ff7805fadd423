"""Fits beside each other in one process: the bits of each alone, and an end whatever happens.

Each test is a process of its own, which a watchdog ends: a hang fails with the stacks of all threads.
"""

import os
import signal
import subprocess
import sys

import pytest

from steps import output, python

WATCHED = """
import faulthandler, os, sys, threading, time
faulthandler.dump_traceback_later(150, exit=True)
import numpy as np
import fastbp
from fastbp.callbacks import Callback

rng = np.random.default_rng(0)
y = rng.integers(0, 5, 600)
X = (rng.integers(0, 200, (5, 64))[y] + rng.integers(0, 50, (600, 64))).astype(np.uint8)

def fit(seed=0, threads=2, callbacks=(), epochs=3, batch_size=16):
    return fastbp.train((X, y), hidden=(32, 16), epochs=epochs, batch_size=batch_size, seed=seed,
                        threads=threads, learning_rate=0.05, callbacks=callbacks, progress=False)

def bits(result):
    return result.network.parameters.tobytes()
"""

EIGHT = """
alone = [bits(fit(seed, threads=1)) for seed in range(8)]
assert len(set(alone)) == 8
found = [None] * 8
def work(seed):
    found[seed] = bits(fit(seed, threads=1 + seed % 3))
workers = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
for worker in workers: worker.start()
for worker in workers: worker.join()
print(found == alone)
"""


def test_eight_fits_in_eight_threads_have_the_bits_of_each_alone():
    assert output(python(WATCHED + EIGHT)) == "True"


RAISING = """
class Broken(Callback):
    def on_epoch_end(self, record):
        raise ZeroDivisionError("in a callback")

expected, caught = bits(fit()), []
for _ in range(3):
    try:
        fit(callbacks=[Broken()])
    except ZeroDivisionError as error:
        caught.append(str(error))
assert caught == ["in a callback"] * 3
deadline = time.monotonic() + 60
while threading.active_count() > 1 and time.monotonic() < deadline:
    time.sleep(0.01)
print(threading.active_count(), bits(fit()) == expected)
"""


def test_an_exception_in_a_callback_ends_the_fit_and_leaves_no_thread():
    assert output(python(WATCHED + RAISING)) == "1 True"


LEAVING = """
started = threading.Event()
class Started(Callback):
    def on_chunk(self, record):
        started.set()

threading.Thread(target=fit, kwargs=dict(callbacks=[Started()], epochs=10**6), daemon=True).start()
assert started.wait(120)
print("leaves", flush=True)
"""


@pytest.mark.parametrize("turn", range(3))
def test_an_interpreter_that_ends_during_a_fit_in_a_daemon_thread_ends_well(turn):
    assert output(python(WATCHED + LEAVING + f"time.sleep(0.01 * {turn})\n")) == "leaves"


FORKING = """
expected = bits(fit())
started, going = threading.Event(), [True]
class Started(Callback):
    def on_chunk(self, record):
        started.set()
        if not going[0]:
            raise KeyboardInterrupt

def train_on():
    try:
        fit(callbacks=[Started()], epochs=10**6)
    except KeyboardInterrupt:
        pass

other = threading.Thread(target=train_on)
other.start()
assert started.wait(120)
answers = []
for _ in range(3):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, b"right" if bits(fit()) == expected else b"wrong")
        finally:
            os._exit(0)
    os.close(writer)
    answers.append(os.read(reader, 10).decode())
    os.waitpid(child, 0)
going[0] = False
other.join()
print(*answers, bits(fit()) == expected)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_forked_during_a_fit_in_another_thread_fits_as_its_parent():
    quiet = 'import warnings\nwarnings.simplefilter("ignore", DeprecationWarning)\n'
    assert output(python(quiet + WATCHED + FORKING)) == "right right right True"


INTERRUPTED = """
class Press(Callback):
    pressed = False
    def on_chunk(self, record):
        if record.epoch > 1 and not self.pressed:
            # After this callback: the signal comes while the kernels run.
            self.pressed = True
            threading.Timer(0.02, os.kill, (os.getpid(), SIGNAL)).start()

try:
    fit(callbacks=[Press()], epochs=10**6, threads=4)
except KeyboardInterrupt as interrupt:
    result = interrupt.result
print(result.status, result.network.is_finite(), len(result.history) > 0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals to a process end it there")
def test_ctrl_c_inside_a_kernel_ends_the_fit_with_what_it_learnt():
    code = INTERRUPTED.replace("SIGNAL", str(int(signal.SIGINT)))
    assert output(python(WATCHED + code)) == "interrupted True True"


FORKED_TABLE = """
import os
import sys
import fastbp
with open(sys.argv[1], "w") as file:
    file.write("a,b,y\\n" + "1.5,2,yes\\n2.5,1,no\\n" * 30)
fastbp.train(sys.argv[1], epochs=1, backend="numpy")
if not os.fork():
    try:
        fastbp.train(sys.argv[1], epochs=1, backend="numpy")
    except fastbp.DataError as error:
        os._exit(7 if "forked from one that has used a table" in str(error) else 8)
    os._exit(9)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_table_in_a_fork_is_refused_instead_of_waiting_for_ever(tmp_path):
    found = subprocess.run(
        [sys.executable, "-c", FORKED_TABLE, str(tmp_path / "table.csv")],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert found.stdout == "7\n"
