"""ONNX Runtime's training API: a session for forward and backward pass, and one for the update.

The package ``onnxruntime-training`` is no longer made; its last version is 1.19.2. It replaces
``onnxruntime``, so it needs an environment of its own, with ``onnx`` and ``torch``, which it imports.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.training import artifacts
from onnxruntime.training.api import CheckpointState, Module, Optimizer

from problem import Data, Problem

from .protocol import Rival

__all__ = ["CONTESTANT", "OnnxruntimeTraining"]

LATEST_IR = 10
"""Newest version of ONNX's format that the package reads."""


class OnnxruntimeTraining(Rival):
    """`Module` and `Optimizer`, plain SGD."""

    packages = ("onnxruntime-training",)
    form = "training API, forward and backward in one session, update in another, float32"

    def __init__(self, problem: Problem, threads: int) -> None:
        super().__init__(problem, threads)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        with tempfile.TemporaryDirectory() as folder:
            network = _network(problem)
            artifacts.generate_artifacts(
                network,
                requires_grad=[parameter.name for parameter in network.graph.initializer],
                loss=artifacts.LossType.CrossEntropyLoss,
                optimizer=artifacts.OptimType.SGD,
                artifact_directory=folder,
            )
            paths = [Path(folder, f"{part}_model.onnx") for part in ("training", "optimizer")]
            for path in paths:
                model = onnx.load(path)
                model.ir_version = min(model.ir_version, LATEST_IR)
                onnx.save(model, path)
            self._state = CheckpointState.load_checkpoint(str(Path(folder, "checkpoint")))
            self._module = Module(str(paths[0]), self._state, session_options=options)
            self._optimizer = Optimizer(str(paths[1]), self._module)
            self._predicting = onnxruntime.InferenceSession(network.SerializeToString(), options)
        self._module.train()

    def restart(self, rate: float) -> None:
        for name, array in _parameters(self.problem).items():
            self._state.parameters[name].data = array
        self._optimizer.set_learning_rate(rate)

    def train(self, first: int, steps: int) -> float:
        (inputs, labels), batch = self.problem.data.arranged, self.problem.batch
        total = 0.0
        for step in range(first, first + steps):
            some = slice(step * batch, (step + 1) * batch)
            total += float(self._module(inputs[some], labels[some]))
            self._optimizer.step()
            self._module.lazy_reset_grad()
        return total / steps

    def scores(self, data: Data, rows: int) -> NDArray[np.floating[Any]]:
        logits: NDArray[np.floating[Any]] = self._predicting.run(None, {"x": data.arranged[0][:rows]})[0]
        return logits

    def one_by_one(self, data: Data, rows: int) -> None:
        inputs = data.arranged[0]
        for row in range(rows):
            self._predicting.run(None, {"x": inputs[row : row + 1]})


def _parameters(problem: Problem) -> dict[str, NDArray[np.float32]]:
    """Initial weights and biases by name, in order."""
    weights, biases = problem.weights()
    named: dict[str, NDArray[np.float32]] = {}
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        named |= {f"w{layer}": weight, f"b{layer}": bias}
    return named


def _network(problem: Problem) -> onnx.ModelProto:
    """The network with its initial weights, from inputs to logits."""
    nodes, at, last = [], "x", len(problem.sizes) - 2
    for layer in range(last + 1):
        nodes.append(helper.make_node("Gemm", [at, f"w{layer}", f"b{layer}"], [f"z{layer}"]))
        at = f"z{layer}"
        if layer < last:
            nodes.append(helper.make_node("Relu", [at], [f"h{layer}"]))
            at = f"h{layer}"
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", problem.sizes[0]])],
        [helper.make_tensor_value_info(at, TensorProto.FLOAT, ["rows", problem.sizes[-1]])],
        [numpy_helper.from_array(array, name) for name, array in _parameters(problem).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=LATEST_IR)


CONTESTANT = OnnxruntimeTraining
