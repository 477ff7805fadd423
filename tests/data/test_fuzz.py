"""Every reader with mutated files: what bench/fuzz.py does a million times, bounded."""

import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fuzz
import fuzz_readers
import fuzz_watch

IN_PROCESS = [reader for reader in fuzz_readers.READERS if reader.name not in ("Parquet", "Arrow")]
EXAMPLES = 60


@pytest.fixture(scope="module")
def guard():
    return fuzz_watch.Guard()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Path and seeds of a reader, and what it imports when it is first used."""
    known = {}

    def prepare(reader):
        if reader.name not in known:
            path = reader.prepare(tmp_path_factory.mktemp("fuzz"))
            known[reader.name] = path, reader.seeds()
        return known[reader.name]

    return prepare


@pytest.mark.parametrize("reader", IN_PROCESS, ids=lambda reader: reader.name)
def test_whole_and_hostile_seeds(reader, prepared, guard):
    path, seeds = prepared(reader)
    peak = fuzz_watch.Peak() if sys.platform == "linux" else None
    fuzz_watch.watch(reader, path, seeds[0], guard)
    outcomes = [fuzz_watch.watch(reader, path, data, guard, peak) for data in seeds]
    assert not [outcome.detail for outcome in outcomes if outcome.kind == "finding"]
    assert outcomes[0].kind == "accepted", outcomes[0].detail


@pytest.mark.parametrize("reader", IN_PROCESS, ids=lambda reader: reader.name)
def test_mutated_files_are_read_right_or_refused_in_one_line(reader, prepared, guard):
    path, seeds = prepared(reader)

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
    @given(seed=st.integers(0, 1 << 32))
    def check(seed):
        outcome = fuzz_watch.watch(reader, path, reader.change(random.Random(seed), seeds), guard)
        assert outcome.kind != "finding" or outcome.detail.startswith("slow"), outcome.detail

    check()


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of resident size is not told here")
@pytest.mark.parametrize("name", ["Parquet", "Arrow"])
def test_tables_in_a_process_of_their_own(name, tmp_path):
    """Polars aborts at some: the process then ends with a message."""
    tally = fuzz.run_block(name, 200, 3, tmp_path, False)
    assert not tally["findings"]
    assert tally["accepted"] > 20
    assert tally["refused"] > 20


def test_fuzzing_finds_what_is_wrong(tmp_path, guard):
    """What it looks for, it sees."""

    def outcome(read, wrong=lambda _data, _found: "", peak=None):
        reader = fuzz_readers.Reader("x", "x", list, read, wrong)
        return fuzz_watch.watch(reader, tmp_path / "x", b"abc", guard, peak)

    assert outcome(lambda path: path.read_bytes()).kind == "accepted"
    assert outcome(lambda _path: 1 / 0).detail.startswith("ZeroDivisionError")
    assert outcome(lambda _path: None, lambda _data, _found: "all").detail == "accepted wrongly: all"
    assert "forbidden: writes" in outcome(lambda path: path.with_name("y").write_bytes(b"")).detail
    assert "forbidden: subprocess" in outcome(lambda _path: fuzz_runs_something()).detail
    assert "forbidden: pickle" in outcome(lambda _path: unpickles()).detail

    def refuse(text):
        def read(_path):
            error = fuzz_watch.FastbpError()
            error.args = (text,)  # not made one line, as it does by itself
            raise error

        return outcome(read).detail

    assert "several lines" in refuse("a\nb")
    assert "3000 characters" in refuse("a" * 3000)
    if sys.platform == "linux":
        found = outcome(lambda _path: b"x" * (80 << 20), peak=fuzz_watch.Peak())
        assert found.detail.startswith("allocated 8")


def fuzz_runs_something():
    import subprocess

    return subprocess.run([sys.executable, "--version"], capture_output=True, check=True)


def unpickles():
    import pickle

    return pickle.loads(pickle.dumps(fuzz_watch.Outcome))
