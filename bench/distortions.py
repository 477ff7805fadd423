"""What distortions cost: an image, beside scipy.ndimage and torchvision; and an epoch, beside a plain one.

    python bench/distortions.py > docs/distortions-cost.md

All take turns, in both orders; one thread for images, as many as there are cores, at most two, for epochs.
scipy.ndimage and torchvision do the same to one image after the other: bilinear, the same kind of field.
What is not installed is left out. ``--augment`` distorts inside of the training step, so an epoch of it is
compared with an epoch of plain training.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from fastbp.backends.base import Backend, make_backend
from fastbp.backends.batches import Batches
from fastbp.backends.pace import available_cores
from fastbp.recipe.distortions import PRESETS, Distortion, make_distortion
from fastbp.recipe.step_options import StepOptions
from fastbp.reference import distortions as reference_distortions
from fastbp.runs.machine import cpu_name
from fastbp_kernels import distort_rows, make_distorter
from interleave import interleave, ratios, spread
from problem import Problem, mnist, name_of

SHAPE = (28, 28)
IMAGES = 2000
OTHERS = 100  # images of a turn of the slower ones
ALPHA, SIGMA = 34.0, 4.0
NETWORKS = (((784, 800, 10), 32), ((784, 100, 100, 10), 8), ((784, 800, 800, 10), 64))
SAMPLES = 12_800  # of a turn of an epoch
KEY = 1


def main() -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="even")
    rounds = parser.parse_args().rounds
    print("# What data augmentation costs\n\nWritten by `python bench/distortions.py`.\n")
    print("| distortion | fastbp, µs an image | NumPy path | scipy.ndimage | torchvision |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in PRESETS:
        print(f"| {name} | {' | '.join(image_cells(name, rounds))} |", flush=True)
    threads = min(available_cores(), 2)
    print(f"\n| network | batch | epoch over one without, {threads} threads: affine | elastic | ciresan |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for sizes, batch in NETWORKS:
        print(
            f"| {name_of(sizes)} | {batch} | {' | '.join(epoch_cells(sizes, batch, threads, rounds))} |",
            flush=True,
        )
    print(
        f"\nMedians of {rounds} interleaved rounds, {cpu_name()}. scipy.ndimage and torchvision compute the\n"
        "affine map of `affine` and the field of `elastic`, without the other presets' further\nsteps."
    )


def image_cells(name: str, rounds: int) -> list[str]:
    """Return microseconds an image of each contestant."""
    data, distortion = mnist(), make_distortion(PRESETS[name], SHAPE)
    out = np.zeros((IMAGES, 784), np.uint8)
    distorter = make_distorter(distortion.plan, distortion.taps, KEY, SHAPE, out)
    rows = np.arange(IMAGES)
    few = np.arange(20)
    distort_rows(data.images, data.labels, rows, distorter)
    plan = distortion.plan, distortion.taps, KEY, SHAPE
    expected = reference_distortions.distort(data.images, data.labels, few, *plan)
    assert np.abs(out[few].astype(int) - expected).max() <= 1
    images = data.images[:OTHERS].reshape(-1, *SHAPE)
    contestants: dict[str, Callable[[], float]] = {
        "fastbp": timed(lambda: distort_rows(data.images, data.labels, rows, distorter), IMAGES),
        "NumPy": timed(lambda: reference_distortions.distort(data.images, data.labels, few, *plan), len(few)),
    }
    if name in ("affine", "elastic"):
        if find_spec("scipy"):
            contestants["scipy"] = timed(lambda: scipy_path(name, images), OTHERS)
        if find_spec("torchvision"):
            contestants["torchvision"] = torchvision_path(name, images)
    figures = interleave(contestants, rounds)
    base = figures["fastbp"]
    cells = [f"{1e6 * spread(base).median:.2f}"]
    for other in ("NumPy", "scipy", "torchvision"):
        if other not in figures:
            cells.append("–")
            continue
        times = spread(ratios(figures[other], base)).median
        cells.append(f"{1e6 * spread(figures[other]).median:.0f} ({times:.0f}×)")
    return cells


def timed(call: Callable[[], object], units: int) -> Callable[[], float]:
    """Return a call that returns seconds a unit."""

    def measure() -> float:
        began = time.perf_counter()
        call()
        return (time.perf_counter() - began) / units

    return measure


def scipy_path(name: str, images: np.ndarray[Any, Any]) -> None:
    """Distort one image after the other with scipy.ndimage."""
    from scipy import ndimage

    rng = np.random.default_rng(0)
    for image in images:
        if name == "affine":
            matrix = np.eye(2) + rng.uniform(-0.2, 0.2, (2, 2))
            middle = np.full(2, 13.5)
            ndimage.affine_transform(
                image, matrix, middle - matrix @ (middle + rng.uniform(-1.5, 1.5, 2)), order=1
            )
        else:
            fields = [
                ALPHA * ndimage.gaussian_filter(rng.uniform(-1, 1, SHAPE), SIGMA, mode="constant")
                for _ in range(2)
            ]
            y, x = np.indices(SHAPE)
            ndimage.map_coordinates(image, [y + fields[0], x + fields[1]], order=1)


def torchvision_path(name: str, images: np.ndarray[Any, Any]) -> Callable[[], float]:
    """Return a call that distorts one image after the other with torchvision, one thread."""
    import torch
    from torchvision.transforms import v2

    torch.set_num_threads(1)
    bilinear = v2.InterpolationMode.BILINEAR
    transform = (
        v2.RandomAffine(
            15, translate=(1.5 / 28, 1.5 / 28), scale=(0.85, 1.1), shear=8, interpolation=bilinear
        )
        if name == "affine"
        else v2.ElasticTransform(alpha=ALPHA, sigma=SIGMA, interpolation=bilinear)
    )
    batch = [torch.from_numpy(image[None].copy()) for image in images]
    return timed(lambda: [transform(image) for image in batch], len(batch))


def epoch_cells(sizes: tuple[int, ...], batch: int, threads: int, rounds: int) -> list[str]:
    """Return how many times as long training on distorted images takes."""
    problem = Problem(sizes, batch, mnist())
    backend = make_backend("numba", threads)
    choices: dict[str, Distortion | None] = {"plain": None}
    for name in ("affine", "elastic", "ciresan"):
        choices[name] = make_distortion(PRESETS[name], SHAPE).at(0, 0)
    figures = interleave({k: trainer(backend, problem, d) for k, d in choices.items()}, rounds)
    backend.close()
    return [f"{spread(ratios(figures[name], figures['plain'])).median:.2f}" for name in list(choices)[1:]]


def trainer(backend: Backend, problem: Problem, distortion: Distortion | None) -> Callable[[], float]:
    """Return a call that trains on `SAMPLES` samples, and returns seconds a sample."""
    network, data = problem.network.copy(), problem.data
    steps = SAMPLES // problem.batch
    order, rates = data.order[: steps * problem.batch], np.full(steps, 0.01)
    batches, options = Batches(order, problem.batch, rates), StepOptions(distortion=distortion)
    arguments = data.images, data.labels, batches, options
    backend.train_steps(network, *arguments)
    return timed(lambda: backend.train_steps(network, *arguments), SAMPLES)


if __name__ == "__main__":
    main()
