"""Does batch normalisation pay on these networks? Accuracy and cost with and without it.

    python bench/batch_norm.py --json FILE > docs/batch-norm.md
    python bench/batch_norm.py --from FILE > docs/batch-norm.md     # writes the page anew

Trains in PyTorch (pip install torch), which is no dependency of fastbp: networks of the same sizes, data, He
weights and falling rate as fastbp's. What the compiled step would take longer is measured apart, in
batch_norm_passes.py. Each run has one thread, as many go side by side as there are cores.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any

from environment import cores, now, overrides, package_version, without_overrides

try:
    import torch
    from torch import nn
except ImportError:
    sys.exit("bench/batch_norm.py needs PyTorch: pip install torch")

import numpy as np

from batch_norm_page import page
from batch_norm_passes import ACCESSES, passes_beside_step
from fastbp.data.dataset import load_test, load_training
from fastbp.runs.machine import cpu_name
from interleave import interleave, ratios, spread
from problem import name_of

SIZES = ((784, 100, 100, 10), (784, 256, 256, 256, 256, 10))
BATCH, VALIDATION = 64, 6000
RATES = {"SGD": (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4), "AdamW": (1e-3, 3e-3, 1e-2, 3e-2)}
TRIAL_SEEDS = (100,)  # for choosing the rates
SHORT, LONG = 3, 10  # epochs
SHORT_SEEDS, LONG_SEEDS = 5, 3
DROPOUT = 0.1  # of hidden units: what fastbp has against overfitting already


@dataclass(frozen=True)
class Run:
    """One training: the rate falls linearly to 0, as in fastbp's recipe."""

    sizes: tuple[int, ...]
    normalised: bool
    optimizer: str
    rate: float
    epochs: float
    seed: int
    dropout: float = 0.0


@cache
def data() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """MNIST: training pixels, 0..1, and labels, then those for testing."""
    training, _ = load_training("mnist")
    testing = load_test("mnist")
    tensors = []
    for part in (training, testing):
        assert part.labels is not None
        tensors += [torch.from_numpy(part.images * np.float32(1 / 255)), torch.from_numpy(part.labels)]
    return tensors[0], tensors[1], tensors[2], tensors[3]


def network_of(sizes: tuple[int, ...], normalised: bool, seed: int, dropout: float = 0.0) -> nn.Sequential:
    """He et al. (2015) weights, ReLU; batch normalisation before it, in place of the bias."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes[:-1]):
        layers.append(nn.Linear(fan_in, fan_out, bias=not normalised))
        layers += [nn.BatchNorm1d(fan_out)] if normalised else []
        layers.append(nn.ReLU())
        layers += [nn.Dropout(dropout)] if dropout else []
    layers.append(nn.Linear(sizes[-2], sizes[-1]))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def optimizer_of(network: nn.Module, name: str, rate: float) -> torch.optim.Optimizer:
    """PyTorch's, the decay of AdamW at its default of 0.01."""
    if name == "SGD":
        return torch.optim.SGD(network.parameters(), rate, foreach=True)
    return torch.optim.AdamW(network.parameters(), rate, fused=True)


def train(run: Run) -> dict[str, Any]:
    """Train on all but 6,000 images; return the accuracies on those, and on the test images."""
    torch.set_num_threads(1)
    images, labels, test_images, test_labels = data()
    generator = torch.Generator().manual_seed(run.seed)
    order = torch.randperm(len(images), generator=generator)
    held, rows = order[:VALIDATION], order[VALIDATION:]
    network = network_of(run.sizes, run.normalised, run.seed, run.dropout)
    optimizer = optimizer_of(network, run.optimizer, run.rate)
    total = round(run.epochs * len(rows) / BATCH)
    step = 0
    while step < total:
        shuffled = rows[torch.randperm(len(rows), generator=generator)]
        for batch in shuffled.split(BATCH)[: total - step]:
            optimizer.param_groups[0]["lr"] = run.rate * (1 - step / total)
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimizer.step()
            step += 1
    network.eval()
    folded = fold(network)
    with torch.inference_mode():
        found = {"validation": accuracy(network(images[held]), labels[held])}
        outputs, plain = network(test_images), folded(test_images)
        found["test"] = accuracy(outputs, test_labels)
        found["folded"] = int((outputs.argmax(1) != plain.argmax(1)).sum())
    return {**asdict(run), **found}


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Per cent; 0 for a network that diverged and says anything."""
    return float((logits.argmax(1) == labels).float().mean() * 100) if logits.isfinite().all() else 0.0


def fold(network: nn.Sequential) -> nn.Sequential:
    """Return the plain network that computes the same: each normalisation a part of the weights before it."""
    layers: list[nn.Module] = []
    for layer in network:
        if isinstance(layer, nn.BatchNorm1d):
            linear = layers.pop()
            assert isinstance(linear, nn.Linear)
            assert layer.running_mean is not None
            assert layer.running_var is not None
            factor = layer.weight / torch.sqrt(layer.running_var + layer.eps)
            plain = nn.Linear(linear.in_features, linear.out_features)
            plain.weight.data = linear.weight.data * factor.data[:, None]
            plain.bias.data = (layer.bias - layer.running_mean * factor).data
            layers.append(plain)
        else:
            layers.append(layer)
    return nn.Sequential(*layers)


def step_times(sizes: tuple[int, ...], name: str) -> tuple[float, float, float]:
    """Return µs of a step without and with, on one thread, and the median ratio of them."""
    torch.set_num_threads(1)
    images, labels, *_ = data()

    def contestant(normalised: bool) -> Any:
        network = network_of(sizes, normalised, 0)
        optimizer = optimizer_of(network, name, 1e-3)

        def seconds() -> float:
            began = perf_counter()
            for start in range(0, 100 * BATCH, BATCH):
                optimizer.zero_grad()
                part = slice(start, start + BATCH)
                nn.functional.cross_entropy(network(images[part]), labels[part]).backward()
                optimizer.step()
            return (perf_counter() - began) / 100

        return seconds

    found = interleave({"without": contestant(False), "with": contestant(True)}, 10)
    share = spread(ratios(found["with"], found["without"])).median
    return 1e6 * spread(found["without"]).median, 1e6 * spread(found["with"]).median, share


def variants() -> Iterator[tuple[tuple[int, ...], str, bool]]:
    """Every network, update rule, and whether it is normalised."""
    for sizes in SIZES:
        for name in RATES:
            for normalised in (False, True):
                yield sizes, name, normalised


def measure() -> dict[str, Any]:
    """Return all figures, for the page."""
    began = perf_counter()
    costs = []
    for sizes in SIZES:
        compiled, passes, share = passes_beside_step(sizes, BATCH)
        torch_times = {name: step_times(sizes, name) for name in RATES}
        costs.append(
            {"sizes": sizes, "compiled": compiled, "passes": passes, "share": share, "torch": torch_times}
        )
    shares = {cost["sizes"]: cost["share"] for cost in costs}
    with ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as pool:
        trials = [
            Run(sizes, normalised, name, rate, SHORT, seed)
            for sizes, name, normalised in variants()
            for rate in RATES[name]
            for seed in TRIAL_SEEDS
        ]
        tried = list(pool.map(train, trials))
        runs = []
        for sizes, name, normalised in variants():
            rate = best_rate(tried, sizes, name, normalised)
            kinds = [(SHORT, SHORT_SEEDS, 0.0), (LONG, LONG_SEEDS, 0.0)]
            if not normalised:  # as long as with it, by what the compiled step would take; and with dropout
                kinds.append((round(SHORT * (1 + shares[sizes]), 3), SHORT_SEEDS, 0.0))
                kinds.append((LONG, LONG_SEEDS, DROPOUT))
            runs += [
                Run(sizes, normalised, name, rate, epochs, seed, dropout)
                for epochs, count, dropout in kinds
                for seed in range(count)
            ]
        done = list(pool.map(train, runs))
    return {
        "costs": [{**cost, "name": name_of(cost["sizes"])} for cost in costs],
        "trials": tried,
        "runs": done,
        "accesses": ACCESSES,
        "batch": BATCH,
        "short": SHORT,
        "long": LONG,
        "dropout": DROPOUT,
        "seconds": perf_counter() - began,
        "machine": f"{cpu_name()}, torch {torch.__version__}, fastbp {package_version('fastbp')}; {now()}",
    }


def best_rate(tried: list[dict[str, Any]], sizes: tuple[int, ...], name: str, normalised: bool) -> float:
    """Return the rate whose trials were best on what was held back."""

    def score(rate: float) -> float:
        wanted = (sizes, name, normalised, rate)
        return fmean(
            t["validation"]
            for t in tried
            if (tuple(t["sizes"]), t["optimizer"], t["normalised"], t["rate"]) == wanted
        )

    return max(RATES[name], key=score)


def main() -> None:
    """Measure, or read what was measured, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="keep the figures")
    parser.add_argument("--from", type=Path, dest="given", help="figures that --json kept")
    arguments = parser.parse_args()
    if overrides():
        os.execve(sys.executable, [sys.executable, *sys.argv], without_overrides())
    figures = json.loads(arguments.given.read_text()) if arguments.given else measure()
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))
    print(page(figures), end="")


if __name__ == "__main__":
    main()
