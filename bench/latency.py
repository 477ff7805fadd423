"""Time a prediction by its number of rows, beside other libraries, and write docs/latency.md with its figure.

    pip install '.[peers]' onnx onnxruntime
    python bench/latency.py [--quick] [--threads 1,all] [--json FILE]

A call takes float32 rows as a NumPy array and returns probabilities as a NumPy array, in the way in which
users of each library make it; nothing is prepared for a number of rows, except what a library compiles by
itself. All compute the same network, and must agree. Their turns are interleaved, in both orders; a ratio is
the median over the rounds of the ratio within a round. For each number of threads one child process measures,
which is held to as many cores. What is not installed is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import fastbp
from environment import cores, describe, now, overrides, package_version, with_threads
from fastbp.network import Network
from fastbp.recipe.initializers import initialize
from interleave import interleave, ratios, spread
from latency_page import page
from problem import mnist_test, name_of

NETWORKS = ((784, 100, 100, 10), (784, 800, 800, 10))
ROWS = (1, 2, 4, 8, 16, 64, 256, 1000, 2000, 10_000)
INPUTS = ("dense", "MNIST")
LONG = 1e9
"""Products of a call that is timed in fewer rounds."""
PAUSE = 0.03
TOLERANCE = 1e-4
"""Of probabilities; float32 sums of some 800 terms differ by 1e-6."""
ROOT = Path(__file__).resolve().parent.parent
PAGE, FIGURE = ROOT / "docs" / "latency.md", ROOT / "docs" / "images" / "latency.svg"

Rows: TypeAlias = NDArray[np.float32]
Predict: TypeAlias = Callable[[Rows], NDArray[Any]]


def of_fastbp(network: Network, _threads: int) -> Predict:
    """`fastbp.predict`, which takes as many threads as there are cores, if they pay."""
    return partial(fastbp.predict, network)


def of_estimator(network: Network, threads: int) -> Predict:
    """`fastbp.MLPClassifier.predict_proba`."""
    model = fastbp.MLPClassifier(hidden_layer_sizes=network.sizes[1:-1], max_iter=1, n_threads=threads)
    _fit(model, network)
    model.network_.parameters[...] = network.parameters
    return lambda rows: model.predict_proba(rows)  # type: ignore[no-any-return]


def of_sklearn(network: Network, _threads: int) -> Predict:
    """scikit-learn's `MLPClassifier.predict_proba`."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(hidden_layer_sizes=network.sizes[1:-1], max_iter=1)
    _fit(model, network)
    for mine, given in zip(model.coefs_ + model.intercepts_, network.weights + network.biases, strict=True):
        mine[...] = given
    return lambda rows: model.predict_proba(rows)  # type: ignore[no-any-return]


def of_onnxruntime(network: Network, threads: int) -> Predict:
    """onnxruntime, on what `fastbp export` writes, without the factor of the inputs, which is 1."""
    import onnx  # noqa: F401 (the export needs it)
    import onnxruntime

    from fastbp.exports.onnx_graph import model

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    made = model(network)
    del made.graph.node[0]
    made.graph.node[0].input[0] = "inputs"
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda rows: session.run(["probabilities"], {"inputs": rows})[0]  # type: ignore[no-any-return]


def of_torch(network: Network, threads: int) -> Predict:
    """PyTorch, eager, in inference mode."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    layers: list[nn.Module] = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        linear = nn.Linear(*weight.shape)
        linear.weight.data = torch.from_numpy(np.ascontiguousarray(weight.T))
        linear.bias.data = torch.from_numpy(bias.copy())
        layers += [linear, nn.ReLU()]
    model = nn.Sequential(*layers[:-1], nn.Softmax(dim=1)).eval()

    def predict(rows: Rows) -> NDArray[Any]:
        with torch.inference_mode():
            return model(torch.from_numpy(rows)).numpy()  # type: ignore[no-any-return]

    return predict


def of_jax(network: Network, _threads: int) -> Predict:
    """JAX, jit-compiled for each number of rows."""
    import jax
    from jax import numpy as jnp

    pairs = zip(network.weights, network.biases, strict=True)
    parameters = [(jnp.array(weight), jnp.array(bias)) for weight, bias in pairs]

    def network_of(parameters: Any, x: Any) -> Any:
        *hidden, (weight, bias) = parameters
        for w, b in hidden:
            x = jax.nn.relu(x @ w + b)
        return jax.nn.softmax(x @ weight + bias)

    compiled = jax.jit(network_of)
    return lambda rows: np.asarray(compiled(parameters, rows))


CONTESTANTS: dict[str, tuple[Callable[[Network, int], Predict], str]] = {
    "fastbp": (of_fastbp, "fastbp"),
    "fastbp.MLPClassifier": (of_estimator, "scikit-learn"),
    "scikit-learn": (of_sklearn, "scikit-learn"),
    "onnxruntime": (of_onnxruntime, "onnxruntime"),
    "pytorch": (of_torch, "torch"),
    "jax": (of_jax, "jax"),
}
"""How to predict, and the package that it needs."""


def _fit(model: Any, network: Network) -> None:
    """Give an estimator the network's sizes and type; its weights are replaced after."""
    classes = np.arange(network.classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.partial_fit(np.zeros((network.classes, network.inputs), np.float32), classes, classes=classes)


def rows_of(kind: str, count: int) -> Rows:
    """Return rows without zeros, or digits scaled to 0..1."""
    if kind == "dense":
        return np.random.default_rng(0).random((count, 784), np.float32)
    return mnist_test().arranged[0][:count].copy()


def _network(sizes: tuple[int, ...]) -> Network:
    network = Network(sizes)
    initialize(network, "he", 1)
    return network


def measure(threads: int, *, quick: bool) -> dict[str, Any]:
    """Time all contestants for each network, kind of inputs and number of rows."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    rounds, seconds = (2, 0.002) if quick else (6, 0.004)
    skipped: dict[str, str] = {}
    figures: list[dict[str, Any]] = []
    for sizes in NETWORKS:
        network = _network(sizes)
        calls: dict[str, Predict] = {}
        for name, (make, package) in CONTESTANTS.items():
            try:
                calls[name] = make(network, threads)
            except ImportError as error:
                skipped[name] = f"{error.name or package} is not installed"
        for kind in INPUTS:
            for count in ROWS[::4] if quick else ROWS:
                print(f"{name_of(sizes)}, {kind}, {count} rows, threads {threads}", file=sys.stderr)
                inputs = rows_of(kind, count)
                _check_agreement(calls, inputs)
                turns = {n: _timed(call, inputs, seconds, is_alone=threads == 1) for n, call in calls.items()}
                found = interleave(turns, 4 if count * network.parameter_count > LONG else rounds)
                figures += [
                    {
                        "network": name_of(sizes),
                        "inputs": kind,
                        "rows": count,
                        "name": name,
                        "seconds": asdict(spread(taken)),
                        "ratio": asdict(spread(ratios(taken, found["fastbp"]))),
                    }
                    for name, taken in found.items()
                ]
    versions = {package: package_version(package) for _, package in CONTESTANTS.values()}
    return {
        "threads": threads,
        "figures": figures,
        "skipped": skipped,
        "machine": describe(),
        "versions": versions,
    }


def _check_agreement(calls: dict[str, Predict], rows: Rows) -> None:
    expected = calls["fastbp"](rows)
    for name, call in calls.items():
        if not np.abs(call(rows) - expected).max() < TOLERANCE:
            raise SystemExit(f"{name} predicts other probabilities than fastbp")


def _timed(call: Predict, rows: Rows, seconds: float, *, is_alone: bool) -> Callable[[], float]:
    """Return a call that measures seconds a prediction, over some of them.

    Of a single thread it counts the processor's time, whatever else the machine does meanwhile.
    """
    clock = time.process_time if is_alone else time.perf_counter
    start = time.perf_counter()
    call(rows)
    times = max(1, int(seconds / (time.perf_counter() - start)))

    def timed() -> float:
        # Idle threads of the contestant before keep spinning for a while.
        time.sleep(0.0 if is_alone else PAUSE)
        call(rows)
        start = clock()
        for _ in range(times):
            call(rows)
        return (clock() - start) / times

    return timed


def main() -> None:
    """Measure with each number of threads, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few, short rounds: to see that all works")
    parser.add_argument("--threads", default="1,all", help="numbers of threads (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        options.json.write_text(json.dumps(measure(options.child, quick=options.quick)), encoding="utf-8")
        return
    for name in overrides():
        print(f"{name} is set and slows NumPy: unset for this comparison", file=sys.stderr)
    runs = []
    for threads in sorted({cores() if n == "all" else int(n) for n in options.threads.split(",")}):
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "latency.json"
            command = [sys.executable, __file__, "--child", str(threads), "--json", str(target)]
            command += ["--quick"] if options.quick else []
            subprocess.run(command, env=with_threads(threads), check=True)
            runs.append(json.loads(target.read_text(encoding="utf-8")))
    record = {"date": now(), "runs": runs}
    if options.json:
        options.json.write_text(json.dumps(record, indent=1), encoding="utf-8")
    text, figure = page(record)
    if options.quick:
        print(text)
        return
    PAGE.write_text(text, encoding="utf-8")
    FIGURE.write_text(figure, encoding="utf-8")


if __name__ == "__main__":
    main()
