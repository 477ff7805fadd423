"""Training on millions of images that stay on the disk: a folder of them, and what an epoch of it takes.

    python bench/infinite.py make FOLDER [--images N] [--sorted]
    python bench/infinite.py train FOLDER [--cold] [--memory ROWS] [--batch-size N] [--hidden 100,100]

``make`` writes N distorted digits (8 million: 6.3 GB) from MNIST's 60,000, each by its own draw of the preset
``ciresan``, as ``images.npy`` and ``labels.npy``; with ``--sorted`` class after class. ``train`` trains for
an epoch in a process of its own and tells samples a second and the highest resident size, as the operating
system counted both. ``--memory`` trains on the first ROWS, read into memory. ``--cold`` takes the
file out of the system's cache first, so an epoch in two levels reads all of it from the disk.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import fastbp
from environment import describe
from fastbp.data.dataset import load_training
from fastbp.recipe.distortions import PRESETS, make_distortion
from fastbp_kernels import distort_rows, make_distorter
from problem import mnist

SHAPE, SEED = (28, 28), 0


def make(folder: Path, count: int, in_order: bool, jobs: int) -> None:
    """Write the folder; copy k of a row of MNIST is its distortion in epoch k."""
    source, plan = mnist(), make_distortion(PRESETS["ciresan"], SHAPE)
    folder.mkdir(parents=True)
    images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (count, *SHAPE))
    labels = np.lib.format.open_memmap(folder / "labels.npy", "w+", np.uint8, (count,))
    flat = images.reshape(count, -1)
    copies = -(-count // len(source.labels))
    everything = np.arange(len(source.labels))
    groups = [np.flatnonzero(source.labels == c) for c in range(10)] if in_order else [everything]
    parts, start = [], 0
    for rows in groups:
        for copy in range(copies):
            parts.append((copy, rows[: count - start], start))
            start += len(parts[-1][1])

    def write(part: tuple[int, np.ndarray, int]) -> None:
        copy, rows, first = part
        drawn, out = plan.at(SEED, copy), np.empty((len(rows), flat.shape[1]), np.uint8)
        distort_rows(
            source.images, source.labels, rows, make_distorter(drawn.plan, drawn.taps, drawn.key, SHAPE, out)
        )
        flat[first : first + len(rows)] = out
        labels[first : first + len(rows)] = source.labels[rows]

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(write, parts))
    images.flush()
    labels.flush()


def learn(folder: Path, rows: int, hidden: tuple[int, ...], batch_size: int) -> None:
    """Train for an epoch and print samples a second; runs in a process of its own."""
    data, _ = load_training(folder)
    given = (np.array(data.images[:rows]), data.labels[:rows]) if rows else data
    epochs = max(1, 2_000_000 // rows) if rows else 1
    done = fastbp.train(given, hidden=hidden, batch_size=batch_size, epochs=epochs, validation=0.0)
    print(f"{done.training.samples / done.training.training_seconds:,.0f} samples/s", end=", ")


def make_cold(path: Path) -> None:
    """Take the file out of the system's cache."""
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def measure(arguments: list[str], path: Path, is_cold: bool) -> None:
    """Run this script's ``learn`` and print what the system says of the process."""
    started = time.perf_counter()
    if is_cold:
        make_cold(path)
    child = subprocess.Popen([sys.executable, __file__, "learn", *arguments])
    _, status, used = os.wait4(child.pid, 0)
    cpu = used.ru_utime + used.ru_stime
    reads = used.ru_inblock * 512 / 1e9
    print(
        f"{used.ru_maxrss / 1024:,.0f} MB resident at most, {reads:.1f} GB read, "
        f"{time.perf_counter() - started:.0f} s in all "
        f"({cpu:.0f} s of CPU), load {os.getloadavg()[0]:.1f}, {describe()['cpu']}"
    )
    if status:
        sys.exit(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("make", "train", "learn"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=8_000_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--sorted", action="store_true")
    parser.add_argument("--memory", type=int, default=0)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--hidden", default="100,100")
    parser.add_argument("--batch-size", type=int, default=64)
    asked = parser.parse_args()
    if asked.what == "make":
        started = time.perf_counter()
        make(asked.folder, asked.images, asked.sorted, asked.jobs)
        print(f"{asked.images:,} images in {time.perf_counter() - started:.0f} s")
    elif asked.what == "learn":
        hidden = tuple(int(width) for width in asked.hidden.split(","))
        learn(asked.folder, asked.memory, hidden, asked.batch_size)
        sys.stdout.flush()
    else:
        arguments = [str(asked.folder), "--memory", str(asked.memory), "--hidden", asked.hidden]
        arguments += ["--batch-size", str(asked.batch_size)]
        measure(arguments, asked.folder / "images.npy", asked.cold)


if __name__ == "__main__":
    main()
