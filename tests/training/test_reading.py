"""Large data: the order in two levels, what is asked for ahead, and stops in mid-epoch."""

import numpy as np
import pytest

import fastbp
from cut_off import Killed, Killer
from fastbp.data import mapped
from fastbp.data.dataset import load_training
from fastbp.data.formats import npy
from fastbp.random import shuffle, shuffle_blocks
from fastbp.recipe.settings import Settings
from fastbp.training import measure, reading
from fastbp.training.epochs import Epochs
from fastbp.training.samples import Samples

COUNT, PIXELS = 603, 35
SETTINGS = {"hidden": (8,), "epochs": 3, "batch_size": 16, "seed": 4}


def digits():
    rng = np.random.default_rng(8)
    labels = np.arange(COUNT) % 3
    images = rng.integers(0, 60, (COUNT, 5, 7), np.uint8)
    images[:, 0, :3] += 120 * np.eye(3, dtype=np.uint8)[labels]
    return images, labels


@pytest.fixture
def large(monkeypatch):
    """Make data of any size large: blocks of 10 rows, windows of 8 blocks, small pieces."""
    for name, value in {"LARGE": 1, "BLOCK": 10 * PIXELS, "BLOCKS": 8}.items():
        monkeypatch.setattr(reading, name, value)
    for module in (mapped, npy):
        monkeypatch.setattr(module, "MAPPED_FROM", 1)
    monkeypatch.setattr(mapped, "PIECE", 4096)
    steps = property(lambda _: 2, lambda *_: None)
    monkeypatch.setattr("fastbp.backends.pace.StepPace.steps", steps, raising=False)


@pytest.fixture
def folder(tmp_path):
    images, labels = digits()
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", labels)
    return tmp_path


def epochs_of(images, rows, **changes):
    targets = np.zeros(len(images), np.int64)
    held = np.empty(0, np.int64)
    samples = Samples(images=images, targets=targets, rows=rows, validation_rows=held, **changes)
    return Epochs(samples, Settings(seed=7, epochs=9))


def test_small_data_are_shuffled_as_ever():
    images = np.zeros((100, PIXELS), np.uint8)
    assert reading.span_of(images) is None
    assert (epochs_of(images, np.arange(100)).orders(3, 1) == shuffle(7, 2, 100)).all()


def test_what_is_large():
    row = np.zeros(784, np.uint8)
    assert reading.span_of(np.broadcast_to(row, (1_369_568, 784))) is None
    assert reading.span_of(np.broadcast_to(row, (1_369_569, 784))) == (1337, 128 * 1337)
    even = np.zeros(1 << 10, np.uint8)
    assert reading.span_of(np.broadcast_to(even, (1 << 20, 1 << 10))) == (1 << 10, 1 << 17)
    wide = np.broadcast_to(np.float64(0), (512, 1 << 19))  # one row is larger than a block
    assert reading.span_of(wide) == (1, 128)


@pytest.mark.usefixtures("large")
def test_every_row_once_and_those_held_out_never():
    images, rows = np.zeros((COUNT, PIXELS), np.uint8), np.flatnonzero(np.arange(COUNT) % 7)
    epochs = epochs_of(images, rows)
    order = epochs.orders(2, 1)
    assert (order == rows[shuffle_blocks(7, 1, len(rows), 10, 80)]).all()
    assert (np.sort(order) == rows).all()
    assert (epochs.orders(1, 3) == np.concatenate([epochs.orders(n, 1) for n in (1, 2, 3)])).all()
    assert (epochs_of(images, rows, shuffles=False).orders(2, 1) == rows).all()


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_mapped_or_not_gives_the_same_bits(folder, backend):
    from_file = fastbp.train(folder, backend=backend, validation=0.1, **SETTINGS)
    from_memory = fastbp.train(digits(), backend=backend, validation=0.1, **SETTINGS)
    assert from_file.network.parameters.tobytes() == from_memory.network.parameters.tobytes()


class Now:
    """An executor that calls at once."""

    def __init__(self, _):
        pass

    def submit(self, function, *arguments):
        function(*arguments)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("at", [1, 13, 30])
def test_a_run_that_goes_on_has_the_same_bits(folder, tmp_path, backend, at):
    whole = fastbp.train(folder, backend=backend, **SETTINGS)
    run = tmp_path / "run"
    with pytest.raises(Killed):
        fastbp.train(folder, out=run, checkpoint=1e-9, callbacks=[Killer(at)], backend=backend, **SETTINGS)
    again = fastbp.resume(run, folder)
    assert again.network.parameters.tobytes() == whole.network.parameters.tobytes()


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("step", [7, 16, 50, 80, 100, 700])
@pytest.mark.parametrize("start", [0, 70])
def test_all_is_asked_for_before_it_is_read_and_given_back_after(folder, monkeypatch, step, start):
    images = load_training(folder)[0].images
    assert mapped.is_mapped(images)
    asked, released = set(), []
    monkeypatch.setattr(reading, "fetch", lambda _, numbers: asked.update(numbers.tolist()))
    monkeypatch.setattr(reading, "ThreadPoolExecutor", Now)
    monkeypatch.setattr(reading, "release", lambda _: released.append(done))
    monkeypatch.setattr(mapped, "PIECE", 64)
    order = shuffle_blocks(1, 0, COUNT, 10, 80)
    reads = reading.Reading(images, order, COUNT)
    assert reads.at_once == 80
    step = min(step, reads.at_once)
    for first in range(start, COUNT, step):
        done = min(first + step, COUNT)
        reads.begin(first)
        needed = set(mapped.pieces(images, order[first : first // 80 * 80 + 80]).tolist())
        assert needed <= asked
        reads.end(done)
    assert released[-1] == COUNT
    assert 7 <= len(released) <= 9


@pytest.mark.usefixtures("large")
def test_pieces_hold_the_rows(folder):
    images = load_training(folder)[0].images
    begin = (folder / "images.npy").stat().st_size - images.nbytes
    rows = np.array([600, 3, 117])
    held = {(begin + row * PIXELS + pixel) // 4096 for row in rows for pixel in (0, PIXELS - 1)}
    assert mapped.pieces(images, rows).tolist() == sorted(held)
    mapped.fetch(images, mapped.pieces(images, rows))
    assert len(mapped.pieces(np.zeros((4, PIXELS), np.uint8), rows[:1])) == 0
    cut = (4096 - begin) // PIXELS  # begins in the first piece and ends in the second
    assert mapped.pieces(images, np.array([cut])).tolist() == [0, 1]


@pytest.mark.usefixtures("large")
def test_validation_asks_ahead(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(measure, "fetch", lambda _, numbers: asked.append(len(numbers)))
    fastbp.train(folder, validation=0.2, **SETTINGS)
    assert asked
    assert min(asked) > 0


@pytest.mark.usefixtures("large")
def test_a_file_that_is_cut_short_in_the_middle_of_a_window(folder, monkeypatch):
    images = load_training(folder)[0].images
    looked = []
    monkeypatch.setattr(reading, "check_whole", looked.append)
    reads = reading.Reading(images, shuffle_blocks(1, 0, COUNT, 10, 80), COUNT)
    reads.begin(0)
    reads.end(32)
    assert len(looked) == 1


@pytest.mark.usefixtures("large")
def test_an_epoch_that_leaves_rows_out_reads_no_further_ahead(folder):
    """Half of the rows of a window come from as many pages as all of them."""
    images, order = load_training(folder)[0].images, shuffle_blocks(1, 0, COUNT, 10, 80)
    with reading.Reading(images, order[::2], COUNT) as reads:
        assert reads.at_once == 80 * len(order[::2]) // COUNT <= 40
    with reading.Reading(images, order[:1], COUNT) as reads:
        assert reads.at_once == 1


@pytest.mark.usefixtures("large")
def test_no_piece_is_asked_for_twice_in_a_window(folder, monkeypatch):
    images = load_training(folder)[0].images
    asked = []
    monkeypatch.setattr(reading, "fetch", lambda _, numbers: asked.extend(numbers.tolist()))
    monkeypatch.setattr(reading, "ThreadPoolExecutor", Now)
    monkeypatch.setattr(mapped, "PIECE", 64)
    order = shuffle_blocks(1, 0, COUNT, 10, 80)
    reads = reading.Reading(images, order, COUNT)
    for window in range(0, COUNT, 80):
        for first in (0, 40, 50):  # the second step reaches further ahead than the third
            reads.begin(window + first)
    windows = [mapped.pieces(images, order[first : first + 80]).tolist() for first in range(0, COUNT, 80)]
    assert sorted(asked) == sorted(number for window in windows for number in window)


@pytest.mark.usefixtures("large")
def test_the_thread_ends_with_the_epoch_and_with_an_error(folder):
    images = load_training(folder)[0].images
    reads, threads = reading.Reading(images, np.arange(COUNT), COUNT), []

    def train():
        with reads:
            reads.begin(0)
            threads.extend(reads._thread._threads)
            raise Killed

    with pytest.raises(Killed):
        train()
    assert [thread.is_alive() for thread in threads] == [False]
