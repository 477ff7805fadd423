"""``fastbp train`` as a process that is killed, or told to end, and goes on.

A story is one run: it is started, ended at a random moment, looked at, continued, ended
again, until it is complete. It must then have the bits of a run that was never stopped.
"""

import csv
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np

from fastbp.runs.checkpoint import CHECKPOINT, read_checkpoint
from fastbp.runs.folder import FILES, WEIGHTS, load_network, read_result
from fastbp.runs.history import HISTORY, RESULT, read_history
from fastbp.runs.listing import list_runs

MOMENTS = ("starting", "training", "writing", "ending")
EVERY = "0.05"  # seconds between two checkpoints
TIMES = {"seconds", "validation_seconds"}
KEPT = {*FILES, CHECKPOINT}
IGNORED = {"compile_seconds", "training_seconds", "validation_seconds", "samples_per_second", "threads"}


def receive_signals():
    """Have processes that are started from here receive signals, also from a job in the
    background.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def place(folder):
    """Return epochs and mini-batches of the checkpoint in a folder; (0, 0) without."""
    if not (folder / CHECKPOINT).exists():
        return 0, 0
    state = read_checkpoint(folder / CHECKPOINT).state
    return len(state.history), state.steps


def comparable(folder):
    """Return everything of a run that must not depend on when it was stopped."""
    with open(folder / HISTORY, newline="") as file:
        history = [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]
    result = {k: v for k, v in read_result(folder).items() if k not in IGNORED}
    return load_network(folder).parameters.tobytes(), history, result


class Forked:
    """``fastbp`` in a fork of this process, which has imported it: begins at once."""

    def __init__(self, arguments, stdout, stderr):
        from fastbp.cli import main
        from fastbp.training import experiment, resume  # noqa: F401  (what takes long to import)

        self.pid = os.fork()
        self.code = None
        if self.pid:
            return
        code = 1
        try:  # the child, which never returns
            os.dup2(stdout.fileno(), 1)
            os.dup2(stderr.fileno(), 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
            sys.argv = ["fastbp", *arguments]
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def poll(self):
        """Return the exit code, negative for a signal; None while it runs."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code

    def wait(self, timeout):
        """Return the exit code once it has ended."""
        until = time.monotonic() + timeout
        while self.poll() is None:
            assert time.monotonic() < until, "the run does not end"
            time.sleep(0.005)
        return self.code

    def send_signal(self, number):
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


class Story:
    """One run, again and again.

    Parameters
    ----------
    options : of ``fastbp train``
    parent : an empty folder to work in
    seed : of the moments
    force : whether the run replaces another one, with ``--force``
    share : of the processes that are new ones; the others are forks of this one
    """

    def __init__(self, options, parent, seed, *, force=False, share=0.2):
        self.options, self.parent = [*options, "--checkpoint", EVERY], Path(parent)
        self.runs = self.parent / "runs"
        self.run = self.runs / "run"
        self.random = random.Random(seed)
        self.counts, self.share = Counter(), share
        self.startup = 1.0  # seconds until training begins; as measured last
        self.old = None
        self.runs.mkdir(parents=True)
        if force:
            self.finish(self.start("--out", self.run, "--data", "mnist", "--epochs", "1", "--hidden", "8"))
            self.old = comparable(self.run)

    def start(self, *arguments):
        """Start ``fastbp train``; its output goes to files."""
        with open(self.parent / "out", "wb") as out, open(self.parent / "err", "wb") as err:
            line = ["train", *map(str, arguments)]
            if self.random.random() >= self.share:
                return Forked(line, out, err)
            self.counts["new processes"] += 1
            return subprocess.Popen([sys.executable, "-m", "fastbp", *line], stdout=out, stderr=err)

    def finish(self, process):
        """Wait for a process that should end by itself."""
        code = process.wait(timeout=300)
        assert code == 0, f"exit code {code}: {self.said}"

    @property
    def said(self):
        return (self.parent / "err").read_text()

    def whole(self):
        """Return what the run must come to: from one that nobody stops."""
        folder = self.parent / "whole"
        self.finish(self.start(*self.options, "--out", folder, "--threads", 2))
        return comparable(folder)

    def begin(self):
        """Start the run, or go on with it."""
        threads = ("--threads", self.random.choice([1, 2, 3]))
        has_begun = self.old is None and self.run.exists() and any(self.run.glob("[!.]*"))
        has_begun |= (self.run / ".fastbp-new" / CHECKPOINT).exists()
        if has_begun:
            return self.start("--resume", self.run, "--checkpoint", EVERY, *threads)
        force = ("--force",) if self.old else ()
        return self.start(*self.options, "--out", self.run, *threads, *force)

    @property
    def work(self):
        staging = self.run / ".fastbp-new"
        return staging if staging.is_dir() else self.run

    def stamp(self):
        """Return what changes with each checkpoint."""
        try:
            return (self.work / CHECKPOINT).stat().st_mtime_ns
        except OSError:
            return 0

    def wait(self, process, moment, before):
        """Wait for a random moment of a kind."""
        if moment == "starting":
            time.sleep(self.random.uniform(0, self.startup))
            return
        began = time.perf_counter()
        while process.poll() is None and self.stamp() in (0, before):
            time.sleep(0.002)
        self.startup = time.perf_counter() - began
        if moment == "training":
            time.sleep(min(self.random.expovariate(4), 1.0))
        elif moment == "writing":
            time.sleep(self.random.uniform(0, 0.3))
            while process.poll() is None and not any(self.work.glob(".fastbp-*.tmp")):
                pass
            time.sleep(self.random.choice([0, 0, 0.0005, 0.002]))
        else:
            while process.poll() is None and not (self.work / WEIGHTS).exists():
                pass
            time.sleep(self.random.uniform(0, 0.05))

    def end(self, number, moment):
        """Start or continue, end it with a signal at a moment, and look at the folder.

        Returns
        -------
        whether the run is complete
        """
        before = self.stamp()
        process = self.begin()
        try:
            self.wait(process, moment, before)
            reached = place(self.work) if process.poll() is None else (0, 0)
        finally:
            process.send_signal(number)
            code = process.wait(timeout=60)
        self.counts["ended by itself" if code == 0 else f"{signal.Signals(number).name}, {moment}"] += 1
        self.check_exit(code, number)
        self.check_folder(reached, killed=number == signal.SIGKILL and code != 0)
        return self.is_complete()

    def is_complete(self):
        if self.old is not None and comparable(self.run) == self.old:
            return False
        return read_result(self.run).get("status") == "completed"

    def check_exit(self, code, number):
        said = self.said
        assert "Traceback" not in said, said
        # Before Python is there to handle it, a signal ends the process in its own way.
        allowed = (0, -number) if number == signal.SIGKILL else (0, -number, 128 + number)
        assert code in allowed, f"exit code {code}: {said}"
        if code == -number != -signal.SIGKILL:
            self.counts["before Python handled signals"] += 1

    def check_folder(self, reached, *, killed):
        """Check that the folder opens, and that nothing is lost that was kept."""
        if not self.run.exists():
            assert reached == (0, 0)
            return
        if self.old is not None:
            # The old run, or the new one: reading finishes a move that was interrupted.
            status = read_result(self.run).get("status")
            assert status in ("completed", "interrupted")
            load_network(self.run)
        statuses = [run.status for run in list_runs(self.runs).runs]
        assert statuses in (["incomplete"], ["interrupted"], ["completed"]), list_runs(self.runs).rows()
        work = self.work
        strays = {path.name for path in work.iterdir()} - KEPT - {".fastbp-new"}
        assert len(strays) <= killed, strays
        assert all(name.endswith(".tmp") for name in strays), strays
        self.counts["left a temporary file"] += len(strays)
        if (work / HISTORY).exists():
            assert (work / HISTORY).read_bytes().endswith(b"\n"), "a line is cut"
            assert len(read_history(work)) >= place(work)[0]
        if (work / RESULT).exists() and read_result(work)["status"] == "completed":
            return
        assert place(work) >= reached, f"{reached} was kept, and now there is {place(work)}"

    def check_end(self, whole):
        """Check that the completed run is the one that nobody stopped."""
        for part, found, expected in zip(
            ("weights", "history", "result"), comparable(self.run), whole, strict=True
        ):
            assert found == expected, f"other {part} than those of a run that was never stopped"
        assert {path.name for path in self.run.iterdir()} <= KEPT

    def tell(self, numbers, most):
        """End the run up to ``most`` times, by one of the signals; then complete it."""
        whole = self.whole()
        for _ in range(most):
            number, moment = self.random.choice(numbers), self.random.choice(MOMENTS)
            if self.end(number, moment):
                break
        if not self.is_complete():
            self.finish(self.begin())
        self.check_end(whole)


def write_table(path, rows=600, seed=0):
    """Write a table of 12 columns of numbers and a label of three classes."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(rows, 12))
    labels = np.argmax(values[:, :3] + 0.5 * generator.normal(size=(rows, 3)), axis=1)
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow([*(f"c{number}" for number in range(12)), "label"])
        table.writerows([*row, f"class {label}"] for row, label in zip(values.tolist(), labels, strict=True))
    return path


def configurations(table):
    """Return options by name: rules, dropout, distortions, criteria, both kinds of data."""
    mnist, csv_table = ("--data", "mnist"), ("--data", str(table))
    return {
        "sgd": (*mnist, "--hidden", "32", "--epochs", "8"),
        "adamw, batch norm, average": (
            *mnist, "--hidden", "48,32", "--epochs", "5", "--optimizer", "adamw", "--batch-norm",
            "--ema", "0.99", "--weight-decay", "0.01", "--learning-rate", "0.002",
        ),
        "momentum, dropout, cosine, best": (
            *mnist, "--hidden", "48", "--epochs", "6", "--optimizer", "momentum", "--dropout", "0.2",
            "--input-dropout", "0.1", "--schedule", "cosine", "--warmup", "0.5", "--restore-best",
        ),
        "nesterov, distortions, clipping": (
            *mnist, "--hidden", "32", "--epochs", "4", "--optimizer", "nesterov", "--augment", "affine",
            "--clip-norm", "1",
        ),
        "plateau, batch norm, best": (
            *mnist, "--hidden", "32", "--epochs", "9", "--schedule", "plateau:0.5,1,0.01", "--batch-norm",
            "--restore-best",
        ),
        "rmsprop, float64, exponential": (
            *mnist, "--hidden", "32", "--epochs", "4", "--optimizer", "rmsprop", "--dtype", "float64",
            "--schedule", "exponential", "--max-norm", "2",
        ),
        "constant, patience": (
            *mnist, "--hidden", "24", "--epochs", "9", "--schedule", "constant", "--stop", "patience:3",
        ),
        "table, recipe": (*csv_table, "--hidden", "16", "--epochs", "2500", "--stop", "patience:2000"),
        "table, epochs together": (
            *csv_table, "--hidden", "24", "--epochs", "2500", "--validation", "0", "--optimizer", "momentum",
            "--stop", "time:1000", "--no-restore-best",
        ),
        "table, numpy": (
            *csv_table, "--hidden", "8", "--epochs", "60", "--backend", "numpy", "--batch-norm",
        ),
    }  # fmt: skip
