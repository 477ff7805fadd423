"""Tables and figure of docs/records/convolution.md, from convolution.json and the figures of the recipes.

    python bench/convolution_page.py

Needs no PyTorch. Seconds of a network in PyTorch are its updates times the fastest tenth of the updates
that were timed, in the faster of two forms.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from convolution_nets import NETS, costs, describe_net, total
from fastbp.files import replace_file
from fastbp.recipe import named
from report import replace_block

__all__ = ["FIGURES", "Point", "crossing", "frontier", "points", "tables", "write_page"]

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "records"
FIGURES = FOLDER / "convolution.json"
PAGE = FOLDER / "convolution.md"
SAMPLES = 60_000


@dataclass(frozen=True)
class Point:
    """A network with its plan, trained.

    Attributes
    ----------
    accuracies : on the test digits, a seed each, shares
    alone : seconds of training in PyTorch on one thread
    seconds : on all, if these shared the work without any loss
    measured : on all, as it is; None: not measured
    products : seconds that its FLOP would take at the rate of fastbp's training, threads as above
    whole : the same with channels padded to vectors, and the traffic at the second-level caches' rate on top
    """

    plan: dict[str, Any]
    accuracies: tuple[float, ...]
    alone: float
    seconds: float
    measured: float | None
    products: float
    whole: float

    @property
    def name(self) -> str:
        """Network, epochs and distortion."""
        epochs = self.plan["epochs"]
        distorted = "" if self.plan["augment"] == "none" else f", {self.plan['augment']}"
        return f"{self.plan['net']}, {epochs} {'epoch' if epochs == 1 else 'epochs'}{distorted}"

    @property
    def error(self) -> float:
        """Wrong test digits, %."""
        return 100 * (1 - fmean(self.accuracies))


def points(figures: dict[str, Any]) -> list[Point]:
    """Return the networks that were trained, the fastest first."""
    machine, threads = figures["time"]["machine"], figures["time"]["about"]["threads"]
    rate, bandwidth = threads * machine["fastbp"], threads * machine["bytes_per_second"]["L2"]
    found = []
    for run in figures["runs"]:
        plan = run["plan"]
        net, samples = NETS[plan["net"]], plan["epochs"] * SAMPLES
        updates = samples / plan["batch"]
        found.append(
            Point(
                plan,
                tuple(run["accuracies"]),
                updates * _seconds(figures, plan, 1, "cpu_fastest_tenth"),
                updates * _seconds(figures, plan, 1, "cpu_fastest_tenth") / threads,
                measured * updates
                if (measured := _seconds(figures, plan, threads, "fastest_tenth"))
                else None,
                samples * total(net, "flop") / rate,
                samples * (total(net, "full") / rate + total(net, "traffic") / bandwidth),
            )
        )
    return sorted(found, key=lambda point: point.seconds)


def frontier(pairs: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the (seconds, error) that none of the others beats in both, the fastest first."""
    kept: list[tuple[float, float]] = []
    for seconds, error in sorted(pairs):
        if not kept or error < kept[-1][1]:
            kept.append((seconds, error))
    return kept


def crossing(perceptrons: list[tuple[float, float]], others: list[tuple[float, float]]) -> float | None:
    """Return the least error, %, of a perceptron that no other network beats; None: they beat all.

    Every pair is (seconds, error). To beat is to be faster and to err no more often.
    """
    unbeaten = [
        error
        for seconds, error in perceptrons
        if not any(faster < seconds and wrong <= error for faster, wrong in others)
    ]
    return min(unbeaten, default=None)


def tables(figures: dict[str, Any]) -> str:
    """Return what stands between the marks of the page."""
    found = points(figures)
    sections = (
        _runs(figures, found),
        _crossings(found),
        _layers(found),
        _parts(figures),
        _speeds(figures),
    )
    return "\n".join(line for section in sections for line in (*section, ""))


def _runs(figures: dict[str, Any], found: list[Point]) -> list[str]:
    """Networks and recipes, the fastest first, and what the estimates are made of."""
    machine, about = figures["time"]["machine"], figures["time"]["about"]
    rows = []
    for point in found:
        flop = total(NETS[point.plan["net"]], "flop")
        two = f"{point.seconds:.3g}" + (f" ({point.measured:.3g})" if point.measured else "")
        times = f"{point.alone:.3g} | {two} | {point.products:.2g} | {point.whole:.2g}"
        rows.append((point.seconds, point.name, point.accuracies, flop, times))
    for name, accuracies, seconds, flop in _perceptrons():
        rows.append((seconds, f"**`{name}`, fastbp**", accuracies, flop, f"| **{seconds:.3g}** | | "))
    peak, rate = machine["peak"] / 1e9, machine["fastbp"] / 1e9
    return [
        "| network and plan | test accuracy, % | MFLOP | one thread, s | two, s | products, s | whole, s |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {name} | {_accuracy(accuracies)} | {flop / 1e6:.2f} | {times} |"
            for _, name, accuracies, flop, times in sorted(rows)
        ),
        "",
        f"{about['cpu']}, {about['threads']} cores, PyTorch {about['torch']}, {about['date']}; load "
        f"{min(machine['loads']):.1f} to {max(machine['loads']):.1f} while updates were timed.",
        f"Of one thread: peak {peak:.0f} GFLOP/s; fastbp trains 784-256-256-10 on dense inputs at "
        f"{rate:.0f} GFLOP/s, {rate / peak:.2f} of it; loads from the second-level cache "
        f"{machine['bytes_per_second']['L2'] / 1e9:.0f} GB/s.",
    ]


def _layers(found: list[Point]) -> list[str]:
    """What each layer costs."""
    lines = [
        "Layers; MFLOP forward and backward, traffic and patches of im2col in kB, all of a sample:",
        "",
        "| network | layer | outputs | weights | MFLOP | in whole vectors | traffic | patches |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for name in dict.fromkeys(point.plan["net"] for point in found):
        for number, cost in enumerate(costs(NETS[name])):
            lines.append(
                f"| {name if number == 0 else ''} | {cost.name} | {' x '.join(map(str, cost.shape))} | "
                f"{cost.weights:,} | {cost.flop / 1e6:.3f} | {cost.full / 1e6:.3f} | "
                f"{cost.traffic / 1e3:.1f} | {cost.patches / 1e3:.1f} |"
            )
    return lines


def _parts(figures: dict[str, Any]) -> list[str]:
    """Shares of an update's time."""
    parts = figures["time"]["parts"]
    names = list(next(iter(parts.values())))
    return [
        "Shares of an update's time in %, one thread, PyTorch's profiler, not compiled:",
        "",
        f"| network, distortion | {' | '.join(names)} |",
        f"|---|{'---:|' * len(names)}",
        *(
            f"| {label} | {' | '.join(f'{100 * shares[name]:.0f}' for name in names)} |"
            for label, shares in parts.items()
        ),
    ]


def _speeds(figures: dict[str, Any]) -> list[str]:
    """Time of updates and of distortions, by form."""
    lines = [
        "Microseconds a sample, fastest tenth: CPU time of one thread, or time of several:",
        "",
        "| what | layers | batch | form | threads | time |",
        "|---|---|---:|---|---:|---:|",
    ]
    for row in figures["time"]["updates"]:
        name, batch, threads = row["name"], row["batch"], row["threads"]
        layers = describe_net(NETS[name]) if name in NETS else ""
        seconds = row["cpu_fastest_tenth" if threads == 1 else "fastest_tenth"]
        lines.append(
            f"| {name} | {layers} | {batch} | {row['form']} | {threads} | {1e6 * seconds / batch:.1f} |"
        )
    return lines


def draw(figures: dict[str, Any], path: Path) -> None:
    """Draw wrong test digits over seconds of training: perceptrons, PyTorch, and what its FLOP would take."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "fastbp"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 4.8))
    found = points(figures)
    mlps = [(seconds, 100 * (1 - fmean(shares))) for _, shares, seconds, _ in _perceptrons()]
    for label, marker, color, pairs in (
        ("perceptrons, fastbp", "o", "tab:red", mlps),
        ("convolutions, PyTorch at best", "s", "tab:blue", [(p.seconds, p.error) for p in found]),
        ("estimate of a fused kernel", "^", "tab:gray", [(p.whole, p.error) for p in found]),
    ):
        axes.plot(*zip(*pairs, strict=True), marker, color=color, label=label)
        axes.plot(*zip(*frontier(pairs), strict=True), color=color, alpha=0.5)
    axes.set(xscale="log", yscale="log", xlabel="training time, s", ylabel="wrong test digits, %")
    seconds_ticks = (0.1, 0.3, 1, 3, 10, 30, 100, 300)
    error_ticks = (0.3, 0.4, 0.5, 0.7, 1, 1.5, 2)
    axes.set_xticks(seconds_ticks, [f"{tick:g}" for tick in seconds_ticks])
    axes.set_yticks(error_ticks, [f"{tick:g}" for tick in error_ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def write_page() -> None:
    """Write the block of the page, and its figure."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    replace_file(PAGE, replace_block(PAGE, PAGE.read_text(encoding="utf-8"), "convolution", tables(figures)))
    draw(figures, FOLDER / "convolution.svg")


def _seconds(figures: dict[str, Any], plan: dict[str, Any], threads: int, figure: str) -> float:
    """Of an update with its distortion, in the faster form; 0 if it was not measured."""

    def least(name: str, forms: tuple[str, ...]) -> float:
        times = [
            row[figure]
            for row in figures["time"]["updates"]
            if (row["name"], row["batch"], row["threads"]) == (name, plan["batch"], threads)
            and row["form"] in forms
        ]
        return min(times, default=0.0)

    distortion = 0.0 if plan["augment"] == "none" else least("distortion", (plan["augment"],))
    return least(plan["net"], ("eager", "compiled")) + distortion


def _perceptrons() -> list[tuple[str, tuple[float, ...], float, float]]:
    """Name, test accuracies, median seconds and FLOP a sample of fastbp's recipes for MNIST."""
    from fastbp.recipe.settings import read_settings

    rows = []
    for name, found in named.figures().items():
        if not name.startswith("mnist-"):
            continue
        sizes = (784, *read_settings(named.path_of(name))["hidden"], 10)
        weights = [a * b for a, b in pairwise(sizes)]
        flop = 6.0 * sum(weights) - 2 * weights[0]
        rows.append((name, tuple(found.accuracies), median(found.seconds), flop))
    return rows


def _accuracy(shares: tuple[float, ...]) -> str:
    return f"{100 * fmean(shares):.2f} ± {100 * stdev(shares):.2f}"


def _crossings(found: list[Point]) -> list[str]:
    """Say from which accuracy on the networks win, in PyTorch and by the estimate."""
    ours = [(seconds, 100 * (1 - fmean(shares))) for _, shares, seconds, _ in _perceptrons()]
    lines = []
    for label, times in (
        ("in PyTorch on two threads that lose nothing", [point.seconds for point in found]),
        ("in PyTorch on one thread", [point.alone for point in found]),
        ("by the estimate of the whole", [point.whole for point in found]),
    ):
        error = crossing(ours, [(t, point.error) for t, point in zip(times, found, strict=True)])
        beaten = "every recipe" if error is None else f"the recipes above {100 - error:.2f} %, not that one"
        lines.append(f"- Convolutions {label} beat {beaten}.")
    return lines


if __name__ == "__main__":
    write_page()
